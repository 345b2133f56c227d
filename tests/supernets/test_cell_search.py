"""One-shot searches on NAS-Bench-201: what each learns, and that it survives being stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import RunCli, assert_fails
from test_architecture_training import SPACE, settings, write_images
from test_supernet import SMALL, SMALL_DATA

from diffusionnag import DiffusionNAGError, get_search_space
from diffusionnag.artifacts import read_records
from diffusionnag.spaces import Architecture
from diffusionnag.spaces.nasbench201 import EDGE_OPERATIONS
from diffusionnag.supernets import ALGORITHMS, cell_search, search_cell
from diffusionnag.supernets.mixed_cells import EDGES, SCORE_LEARNING, MixedEdge, MixedNetwork


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_search_ends_with_a_cell(
    algorithm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cell_search, "RANDOM_CELLS", 5)
    few = {name: replace(way, draws=min(5, way.draws)) for name, way in SCORE_LEARNING.items()}
    monkeypatch.setattr(cell_search, "SCORE_LEARNING", few)
    told: dict[int, Architecture] = {}
    found = search_cell(
        SPACE, SMALL_DATA, algorithm, settings(1), tmp_path, so_far=told.__setitem__
    )
    assert SPACE.is_valid(found.cell)
    assert len(found.history) == 1
    assert list(told) == ([1] if algorithm in few else [])
    if algorithm in few and not few[algorithm].draws:
        assert told[1] == found.cell
    if algorithm == "pc-darts":
        assert found.supernet is None
    else:
        assert found.supernet is not None
        assert found.supernet.extract(found.cell)(torch.randn(2, 3, 8, 8)).shape == (2, 2)


@pytest.mark.parametrize("name", SCORE_LEARNING)
def test_scores_follow_the_operation_that_helps(name: str) -> None:
    torch.manual_seed(0)
    network = MixedNetwork(SMALL, SCORE_LEARNING[name]).train()
    liked = EDGE_OPERATIONS.index("nor_conv_3x3")
    seen: list[torch.Tensor] = []
    edges = [module for module in network.modules() if isinstance(module, MixedEdge)][:EDGES]

    def loss() -> torch.Tensor:
        network(torch.randn(2, 3, 8, 8))
        weights = torch.stack([edge.weights for edge in edges])
        seen.append(weights.detach())
        return -weights[:, liked].sum()

    for step in range(60):
        network.done = step / 60
        network.learn_scores(loss)
    assert (network.scores[:, :-1].argmax(1) == liked).all()
    if name == "gdas":
        assert all(torch.equal(rows.max(1)[0], torch.ones(EDGES)) for rows in seen)
    assert not network.scores.requires_grad


def test_operations_of_no_weight_are_not_trained() -> None:
    torch.manual_seed(0)
    network = MixedNetwork(SMALL, SCORE_LEARNING["setn"]).train()
    network(torch.randn(2, 3, 8, 8)).sum().backward()
    trained = {
        name.split(".")[3]
        for name, parameter in network.network.named_parameters()
        if ".edges." in name and parameter.grad is not None and name.split(".")[2] == "0"
    }
    assert len(trained) <= 1


@pytest.mark.parametrize("algorithm", ["gdas", "drnas"])
def test_stopped_at_any_step_it_ends_with_the_same_scores(algorithm: str, tmp_path: Path) -> None:
    def stop(progress: object) -> None:
        raise KeyboardInterrupt

    def search(name: str, **options: object) -> dict[str, torch.Tensor]:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        found = search_cell(SPACE, SMALL_DATA, algorithm, settings(2), folder, **options)  # type: ignore
        assert found.supernet is not None
        return found.supernet.state_dict()

    with pytest.raises(KeyboardInterrupt):
        search("stopped", report=stop)
    again, undisturbed = search("stopped"), search("once")
    assert all(torch.equal(again[name], undisturbed[name]) for name in again)


def test_other_spaces_have_no_cell_to_find(tmp_path: Path) -> None:
    with pytest.raises(DiffusionNAGError, match="cells of nasbench201"):
        search_cell(get_search_space("mnasnet"), SMALL_DATA, "darts", settings(1), tmp_path)


def test_the_command_writes_the_cell(tmp_path: Path, run_main: RunCli) -> None:
    images = write_images(tmp_path / "images.parquet")
    sizes = ["--resolution", "8", "--width", "0.25", "--cells", "1", "--epochs", "1"]
    command = ["supernet", "nasbench201", "--data", images, *sizes, "--algorithm"]
    result = run_main(*command, "pc-darts", "--out", "found")
    assert result.returncode == 0, result.stderr
    (record,) = read_records(tmp_path / "found" / "found.jsonl")
    assert f"found: {record.architecture}" in result.stdout
    assert_fails(run_main(*command, "pc-darts", "--out", "found"), 2, "holds a trained model")
    assert_fails(run_main(*command, "sgd", "--out", "other"), 2, "no algorithm 'sgd'")
