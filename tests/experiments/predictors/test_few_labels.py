import importlib
from functools import partial

import numpy as np
import pytest
import torch

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.predictors import OneHot, ProcessOn, WeisfeilerLehman, spearman
from diffusionnag.spaces import Architecture, get_search_space
from diffusionnag.tables import DATA_FOLDER_VARIABLE, Table
from experiments import get_experiment
from experiments.predictors.baseline_predictors import NodeTransformer, Ranker

SPACE = get_search_space("nasbench201")


def features(cells: list[Architecture]) -> np.ndarray:
    x = torch.from_numpy(SPACE.encode(cells)).double()
    return torch.cat(WeisfeilerLehman(SPACE, cells)(x), dim=1).numpy()


def cell(**operations: str) -> Architecture:
    """Return the cell with these operations on edges such as `e01`, and `none` on the others."""
    edges = [f"e{name.replace('>', '')}" for name in SPACE.nodes[1:-1]]
    return SPACE.build(["input", *(operations.get(edge, "none") for edge in edges), "output"])


# -- the Weisfeiler-Lehman features ---------------------------------------------------------------


def test_the_features_are_equal_for_isomorphic_cells() -> None:
    one_way = cell(e01="nor_conv_3x3", e13="avg_pool_3x3")
    other_way = cell(e02="nor_conv_3x3", e23="avg_pool_3x3")
    dead_end = cell(e01="nor_conv_3x3", e13="avg_pool_3x3", e02="nor_conv_1x1")
    unfed = cell(e01="nor_conv_3x3", e13="avg_pool_3x3", e23="skip_connect")
    alike = features([one_way, other_way, dead_end, unfed])
    np.testing.assert_array_equal(alike, np.broadcast_to(alike[0], alike.shape))
    assert alike.any()


def test_the_features_differ_for_other_cells() -> None:
    cells = [
        cell(e01="nor_conv_3x3", e13="avg_pool_3x3"),
        cell(e01="avg_pool_3x3", e13="nor_conv_3x3"),
        cell(e01="nor_conv_3x3", e13="nor_conv_1x1"),
        cell(e01="nor_conv_3x3", e13="avg_pool_3x3", e03="skip_connect"),
        cell(e03="nor_conv_3x3"),
        cell(),
    ]
    assert len(np.unique(features(cells), axis=0)) == len(cells)


def test_the_features_tell_cells_apart_exactly_where_they_are_not_isomorphic() -> None:
    networkx = pytest.importorskip("networkx")

    def graph(architecture: Architecture) -> object:
        """Return what is left of a cell on its open paths."""
        names = SPACE.operation_names(architecture)
        kept = [node for node, name in enumerate(names) if name != "none"]
        drawn = networkx.DiGraph(SPACE.edges).subgraph(kept)
        alive = [
            node
            for node in drawn
            if networkx.has_path(drawn, 0, node) and networkx.has_path(drawn, node, 7)
        ]
        drawn = drawn.subgraph(alive).copy()
        for node in drawn:
            drawn.nodes[node]["is"] = names[node]
        return drawn

    cells = SPACE.sample(60, 4)
    cells += [SPACE.mutate(architecture, 1) for architecture in cells[:20]]
    # Swapping the maps 1 and 2 where nothing lies between them gives the same graph.
    swapped = [2, 1, 3, 4, 6, 5]
    for architecture in cells[:20]:
        inner = list(architecture.operations[1:-1])
        inner[2] = SPACE.operations.index("none")
        twin = [inner[row - 1] for row in swapped]
        cells += [Architecture((0, *ops, 6), SPACE.edges) for ops in (inner, twin)]
    graphs, rows = [graph(architecture) for architecture in cells], features(cells)
    same = [(row, other) for other in range(len(cells)) for row in range(other)]
    equal = [bool((rows[a] == rows[b]).all()) for a, b in same]
    expected = [
        networkx.is_isomorphic(graphs[a], graphs[b], lambda p, q: p["is"] == q["is"])
        for a, b in same
    ]
    assert equal == expected
    assert sum(expected) >= 20


def test_distances_to_known_cells_do_not_depend_on_which_others_are_known() -> None:
    cells = SPACE.sample(40, 7)
    x = torch.from_numpy(SPACE.encode(cells)).double()
    few, all_known = WeisfeilerLehman(SPACE, cells[:5]), WeisfeilerLehman(SPACE, cells)
    assert few(x)[-1].shape[1] < all_known(x)[-1].shape[1]
    for some, every in zip(few(x), all_known(x), strict=True):
        torch.testing.assert_close(torch.cdist(some, some[:5]), torch.cdist(every, every[:5]))


# -- the baselines --------------------------------------------------------------------------------


def make_ranker(name: str) -> Ranker:
    if name == "transformers":
        return NodeTransformer(SPACE, 50)
    if name == "one-hot":
        return ProcessOn(SPACE, lambda _: OneHot(SPACE))
    return ProcessOn(SPACE, partial(WeisfeilerLehman, SPACE))


@pytest.mark.parametrize("name", ["transformers", "one-hot", "Weisfeiler-Lehman"])
def test_a_baseline_ranks_by_a_property_that_it_learnt(name: str) -> None:
    cells = SPACE.sample(560, 0)
    sizes = np.array([SPACE.analytic_properties(architecture)["params"] for architecture in cells])
    ranker = make_ranker(name).fit(cells[:60], sizes[:60], seed=0)
    x = torch.from_numpy(SPACE.encode(cells[60:]))
    with torch.no_grad():
        score = ranker.standardised(x).double().numpy()
    assert spearman(score, sizes[60:]) > 0.7


def test_the_same_seed_trains_the_same_transformers_and_leaves_other_randomness_alone() -> None:
    cells = SPACE.sample(20, 0)
    sizes = np.array([SPACE.analytic_properties(architecture)["params"] for architecture in cells])
    x = torch.from_numpy(SPACE.encode(cells))
    torch.manual_seed(1)
    after = torch.rand(1)
    torch.manual_seed(1)
    first, again, other = (
        NodeTransformer(SPACE, 3).fit(cells, sizes, seed=seed).standardised(x) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.rand(1) == after


# -- the experiment -------------------------------------------------------------------------------


def test_every_predictor_is_measured_on_every_dataset(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("experiments.predictors.few_labels")
    cells = SPACE.sample(80, 0)
    sizes = np.array([SPACE.analytic_properties(architecture)["params"] for architecture in cells])
    columns = {column: sizes**power for power, column in enumerate(module.DATASETS, 1)}
    table = Table(module.TABLE, tuple(map(SPACE.format, cells)), columns)
    monkeypatch.setattr(module, "required_table", lambda space_name, table_name: table)
    monkeypatch.setattr(module, "LABELS", (20, 60))
    monkeypatch.setattr(module, "SEEDS", (0, 1))
    monkeypatch.setattr(module, "TIMED_AT", 20)
    monkeypatch.setattr(module, "ENSEMBLE_STEPS", {20: 5, 60: 5, 200: 5, 1_000: 5})
    monkeypatch.setattr(module, "TRANSFORMER_STEPS", 5)
    reported: list[str] = []
    result = get_experiment("few-labels")(reported.append)
    assert len(reported) == 2 * 5 * 3
    assert [row[0] for row in result.rows] == ["20"] * 5 + ["60"] * 5
    assert len({row[1] for row in result.rows}) == 5
    assert all(len(row) == len(result.columns) for row in result.rows)
    library = [row for row in result.rows if "-" not in row[-2:]]
    assert {row[1] for row in library} == {
        "ensemble on one-hot",
        "Gaussian process, path features",
    }
    # Ranks are all that is learnt, so a monotone change of the property changes no ranking.
    assert all(row[2] == row[3] == row[4] for row in result.rows)


def test_without_the_measured_table_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_FOLDER_VARIABLE, raising=False)
    with pytest.raises(DiffusionNAGError, match="nasbench201_accuracy is not installed"):
        get_experiment("few-labels")(print)
