"""Several properties at once: which compromises are handed out, and how the command shows them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import RunCli, assert_fails
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor

from diffusionnag import DiffusionNAGError, PropertyPredictor, get_search_space
from diffusionnag.generation import find_best
from diffusionnag.generation.dominance import simplex, survivors
from diffusionnag.generation.front import (
    Objectives,
    choose,
    find_front,
    hypervolume,
    non_dominated,
)
from diffusionnag.guidance import AnalyticProperty, Guidance, maximize
from diffusionnag.guidance.feasibility import within_limits
from diffusionnag.guidance.terms import Ceiling, RowWeights, Sum

SPACE = get_search_space("nasbench201")
PARAMS, MACS = AnalyticProperty(SPACE, "params"), AnalyticProperty(SPACE, "macs")
# Few different values, so that there are ties and repeated rows.
points = hnp.arrays(
    float, st.tuples(st.integers(1, 30), st.integers(2, 3)), elements=st.integers(0, 6).map(float)
)


def dominates(point: np.ndarray, other: np.ndarray) -> bool:
    return bool((point >= other).all() and (point > other).any())


def undominated(values: np.ndarray) -> list[bool]:
    return [not any(dominates(other, point) for other in values) for point in values]


def depth(space_cell: str) -> float:
    """A property that no analytic one gives away: how far convolutions stand from the input."""
    operations = SPACE.operation_names(SPACE.parse(space_cell))
    return sum(
        node * ("conv" in operation) for node, operation in enumerate(operations)
    ) + 0.1 * len(set(operations))


@pytest.fixture(scope="module")
def depth_predictor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A predictor of `depth`, quickly fitted, as a folder."""
    folder = tmp_path_factory.mktemp("predictor") / "depth"
    cells = SPACE.sample(60, seed=0)
    predictor = PropertyPredictor(SPACE, "depth")
    predictor.fit(cells, [depth(SPACE.format(cell)) for cell in cells]).save_pretrained(folder)
    return folder


# -- choosing -------------------------------------------------------------------------------------


@given(points)
def test_the_non_dominated_are_those_of_a_brute_force(values: np.ndarray) -> None:
    assert non_dominated(values).tolist() == undominated(values)


@given(points, st.integers(1, 30))
def test_better_fronts_are_chosen_first(values: np.ndarray, count: int) -> None:
    chosen = choose(values, count)
    assert len(set(chosen.tolist())) == len(chosen) == min(count, len(values))
    rank, left = np.zeros(len(values)), np.arange(len(values))
    while len(left):
        first = np.array(undominated(values[left]))
        left = left[~first]
        rank[left] += 1
    passed_over = np.delete(rank, chosen)
    assert rank[chosen].max() <= passed_over.min(initial=np.inf)


@given(points, st.integers(3, 10))
def test_the_best_in_each_property_are_among_the_chosen(values: np.ndarray, count: int) -> None:
    np.testing.assert_array_equal(values[choose(values, count)].max(0), values.max(0))


def test_the_chosen_are_spread_along_the_front() -> None:
    # Most of the front is crowded into its first tenth.
    x = np.append(np.linspace(0, 0.1, 900), np.linspace(0.1, 1, 100))
    chosen = choose(np.stack([x, 1 - x], axis=1), 11)
    gaps = np.diff(np.sort(x[chosen]))
    assert gaps.max() < 2.5 * gaps.min()


@given(points, st.integers(1, 30))
def test_survivors_come_front_by_front(values: np.ndarray, count: int) -> None:
    kept = survivors(values, count)
    assert len(set(kept.tolist())) == len(kept) == min(count, len(values))
    lost = np.delete(values, kept, axis=0)
    assert not any(dominates(row, values[keeps]) for row in lost for keeps in kept)


@pytest.mark.parametrize("properties", [2, 3])
def test_what_is_chosen_covers_most_hypervolume(properties: int) -> None:
    # On a sphere, against choosing at random; the units must not matter.
    rng = np.random.default_rng(0)
    sphere = np.abs(rng.normal(size=(400, properties)))
    values = sphere / np.linalg.norm(sphere, axis=1, keepdims=True)
    scaled = values * 10.0 ** np.arange(properties)
    chosen = choose(scaled, 12)
    np.testing.assert_array_equal(np.sort(chosen), np.sort(choose(values, 12)))
    covered = hypervolume(values[chosen], np.zeros(properties))
    others = [rng.choice(400, 12, replace=False) for _ in range(200)]
    random = [hypervolume(values[other], np.zeros(properties)) for other in others]
    assert covered > np.quantile(random, 0.95)


@pytest.mark.parametrize(("properties", "count"), [(2, 128), (2, 512), (3, 128), (3, 136)])
def test_directions_are_spread_over_the_simplex(properties: int, count: int) -> None:
    shares = simplex(properties, count, seed=0)
    assert shares.shape == (count, properties)
    assert len(np.unique(shares, axis=0)) == count
    assert (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(1), 1)
    np.testing.assert_allclose(shares.mean(0), 1 / properties, atol=0.02)
    assert not np.array_equal(shares, simplex(properties, count, seed=1))


def test_a_hypervolume_is_what_lies_between_a_front_and_its_reference() -> None:
    scores = np.array([[2.0, 1.0], [1.0, 3.0], [1.0, 1.0], [5.0, -1.0]])
    assert hypervolume(scores, np.zeros(2)) == pytest.approx(2 * 1 + 1 * 2)
    assert hypervolume(scores[3:], np.zeros(2)) == 0
    assert hypervolume(np.zeros((0, 2)), np.zeros(2)) == 0


# -- generating -----------------------------------------------------------------------------------


class FirstEntry(Guidance):
    def log_likelihood(self, x: Tensor, sigma: Tensor, clean: Tensor) -> Tensor:
        return x[:, 0, 0]


def test_rows_keep_their_weights_in_a_part_of_the_batch() -> None:
    weights = torch.arange(6.0)
    guide = 2 * RowWeights(FirstEntry(), weights) + Ceiling(FirstEntry(), 9.0, 0.1)
    x = torch.rand(6, 3, 5)
    rows = torch.tensor([True, False, True, True, False, False])
    whole = guide.log_likelihood(x, torch.zeros(6), x)
    part = guide.of_rows(rows).log_likelihood(x[rows], torch.zeros(3), x[rows])
    torch.testing.assert_close(part, whole[rows])
    torch.testing.assert_close(whole, (2 * weights + 1) * x[:, 0, 0])


def test_three_properties_with_limits(depth_predictor: Path) -> None:
    third = PropertyPredictor.from_pretrained(depth_predictor)
    objectives = Objectives((third, PARAMS, MACS), (1, -1, 0.5))
    limits = [PARAMS <= 0.8, MACS >= 20]
    front = find_front(SPACE, 40, objectives, limits=limits)
    assert len(front.architectures) == len(set(front.architectures)) == 40
    assert all(SPACE.is_valid(architecture) for architecture in front.architectures)
    assert all(limit.keeps(front.architectures).all() for limit in limits)
    values = objectives.values(front.architectures) * objectives.directions
    assert front.details.on_front.tolist() == undominated(values)
    assert front.details.on_front.any()
    assert (np.diff(values[:, 0]) <= 0).all()
    assert set(front.architectures) <= set(front.details.candidates)


def test_the_front_of_a_small_space_is_exact() -> None:
    objectives = Objectives((PARAMS, MACS), (1, -1))
    front = find_front(SPACE, 64, objectives)
    everything = list(SPACE.enumerate())
    values = objectives.values(everything) * objectives.directions
    best = {tuple(row) for row in values[non_dominated(values)]}
    handed_out = objectives.values(front.architectures) * objectives.directions
    assert front.details.whole
    assert front.details.predicted == len(everything)
    assert {tuple(row) for row in handed_out[front.details.on_front]} <= best
    assert {tuple(best) for best in values[values.argmax(0)]} <= {tuple(row) for row in handed_out}


SEARCHED = get_search_space("mnasnet")


def test_a_searched_front_is_wide_and_dominates_draws() -> None:
    accuracy = PropertyPredictor.from_pretrained("imagenet_top1", search_space=SEARCHED)
    params = AnalyticProperty(SEARCHED, "params")
    objectives = Objectives((accuracy, params), (1, -1))
    limits = [AnalyticProperty(SEARCHED, "macs") <= 400]
    front = find_front(SEARCHED, 32, objectives, limits=limits, seconds=0.1, seed=1)
    assert not front.details.whole
    assert front.details.complete
    assert all(limit.keeps(front.architectures).all() for limit in limits)
    scores = objectives.scores(front.architectures)
    for score, way, property_ in zip(scores.T, (1, -1), (accuracy, params), strict=True):
        (best,) = find_best(SEARCHED, 1, guide=Sum((maximize(property_, way), *limits)))
        assert score.max() >= way * property_.normal_score([best])[0] - 0.02
    drawn = within_limits(limits, SEARCHED.sample(4_000, 0))
    worst = objectives.scores(drawn).min(0)
    assert hypervolume(scores, worst) > 1.2 * hypervolume(objectives.scores(drawn), worst)


def test_cautious_fronts_are_of_lower_bounds() -> None:
    accuracy = PropertyPredictor.from_pretrained("cifar10", search_space=SPACE)
    objectives = Objectives((accuracy, MACS), (1, -1))
    front = find_front(SPACE, 20, objectives, cautious=3.0)
    assert (objectives.merits(front, 3.0)[:, 0] < objectives.merits(front)[:, 0]).all()
    merits = objectives.merits(front.details.candidates, 3.0)
    everything = objectives.merits(list(SPACE.enumerate()), 3.0)
    np.testing.assert_allclose(merits.max(0), everything.max(0), rtol=1e-4)


def test_more_are_handed_out_than_survive_a_generation() -> None:
    objectives = Objectives(
        (AnalyticProperty(SEARCHED, "params"), AnalyticProperty(SEARCHED, "macs")), (1, -1)
    )
    front = find_front(SEARCHED, 300, objectives, seconds=0.05)
    assert len(set(front.architectures)) == 300


@pytest.mark.parametrize(
    ("properties", "weights", "message"),
    [
        ((PARAMS,), (1,), "not 1"),
        ((PARAMS,) * 4, (1,) * 4, "not 4"),
        ((PARAMS, MACS), (1,), "a weight"),
        ((PARAMS, MACS), (1, 0), "other than 0"),
    ],
)
def test_what_is_no_front_is_refused(properties: tuple, weights: tuple, message: str) -> None:
    with pytest.raises(DiffusionNAGError, match=message):
        Objectives(properties, weights)


def test_counts_and_limits_are_checked() -> None:
    objectives = Objectives((PARAMS, MACS), (1, -1))
    with pytest.raises(DiffusionNAGError, match="at least 1"):
        find_front(SPACE, 0, objectives)
    with pytest.raises(DiffusionNAGError, match="do not exist"):
        find_front(SPACE, 20_000, objectives)
    with pytest.raises(DiffusionNAGError, match="the nearest has params"):
        find_front(SPACE, 4, objectives, limits=[PARAMS <= 0.001])
    with pytest.raises(DiffusionNAGError, match="nasbench201 architectures exist that keep params"):
        find_front(SPACE, 2_000, objectives, limits=[PARAMS <= 0.08])
    with pytest.raises(DiffusionNAGError, match="not mnasnet ones"):
        find_front(SEARCHED, 4, objectives)
    with pytest.raises(DiffusionNAGError, match="no time to search"):
        find_front(SPACE, 4, objectives, seconds=0)


# -- the command ----------------------------------------------------------------------------------

PARETO = ("generate", "nasbench201", "--pareto")


def test_the_command_hands_out_a_front(
    run_main: RunCli, depth_predictor: Path, tmp_path: Path
) -> None:
    wanted = ("-n", 48, "--guide", depth_predictor, "--guide", "macs=-1", "--limit", "params<=1.0M")
    outputs = ("--out", "front.jsonl", "--plot", "front.png", "--top", 5)
    result = run_main(*PARETO, *wanted, *outputs)
    assert result.returncode == 0, result.stderr
    records = [json.loads(line) for line in (tmp_path / "front.jsonl").read_text().splitlines()]
    assert len({record["architecture"] for record in records}) == 48
    assert all(record["valid"] for record in records)
    assert all(record["properties"]["params"] <= 1.0 for record in records)
    values = np.array(
        [[record["properties"]["depth"], -record["properties"]["macs"]] for record in records]
    )
    assert [record["front"] for record in records] == undominated(values)
    assert (np.diff(values[:, 0]) <= 0).all()

    listed = [line for line in result.stdout.splitlines() if "~0|+|" in line]
    assert len(listed) == 5
    (line,) = (line for line in result.stdout.splitlines() if "hypervolume" in line)
    generated, uniform = map(float, line.split()[-2:])
    assert generated >= uniform > 0
    (line,) = (line for line in result.stdout.splitlines() if "on the first front" in line)
    assert int(line.split()[-1]) == sum(record["front"] for record in records)
    picture = (tmp_path / "front.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 10_000


def test_the_same_seed_gives_the_same_front(run_main: RunCli, tmp_path: Path) -> None:
    written = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        outputs = ("--out", f"{name}.jsonl", "--plot", f"{name}.svg", "--top", 0)
        guides = ("--guide", "params", "--guide", "macs=-2")
        searched = ("generate", "mnasnet", "--pareto", "-n", 4, "--seconds", 0.05, "--seed", seed)
        result = run_main(*searched, *guides, *outputs)
        assert result.returncode == 0, result.stderr
        written.append([(tmp_path / f"{name}.{kind}").read_bytes() for kind in ("jsonl", "svg")])
    first, again, other = written
    assert first == again
    assert first != other
    assert b"macs (M), lower is better" in first[1]
    assert b"on the front, of" in first[1]


WRONG = {
    "no guide": ("", "not 0"),
    "one guide": ("--guide params", "between 2 or 3 properties, not 1"),
    "a guide twice": ("--guide params --guide params=-1", "guided twice"),
    "impossible limit": (
        "--guide params --guide macs=-1 --limit params<=0.001",
        "no nasbench201 architecture was found that keeps params <= 0.001",
    ),
    "too many": ("--guide params --guide macs=-1 -n 20000", "do not exist"),
    "picture's kind": ("--guide params --guide macs=-1 --plot front.xyz", "front.xyz"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_requests_are_one_line(run_main: RunCli, tmp_path: Path, case: str) -> None:
    options, message = WRONG[case]
    result = run_main(*PARETO, "-n", 4, "--out", "out.jsonl", *options.split())
    assert_fails(result, 2, message)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_botorch_is_one_line(
    run_main: RunCli, without_packages: Callable[..., None]
) -> None:
    without_packages("botorch")
    result = run_main(*PARETO, "-n", 4, "--guide", "params", "--guide", "macs=-1")
    assert_fails(result, 2, "pip install 'diffusionnag[pareto]'")
