"""Progressive shrinking: what networks have less of than the largest, one kind after another."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from test_architecture_training import DATA, settings

from diffusionnag import DiffusionNAGError, get_search_space
from diffusionnag.artifacts.training_state import STATE_FILE
from diffusionnag.networks import Progress
from diffusionnag.spaces import ImageClassification
from diffusionnag.supernets import Supernet, train_supernet


@pytest.mark.parametrize("name", ["mobilenetv3", "mnasnet"])
def test_networks_shrink_one_kind_after_another(name: str) -> None:
    space = get_search_space(name)
    largest, smallest = space.extremes()
    kinds = space.elastic_kinds
    for architecture in (smallest, *space.sample(50, seed=0)):
        assert space.enlarged(architecture, ()) == largest
        assert space.enlarged(architecture, kinds) == architecture
        grown = [space.enlarged(architecture, kinds[:count]) for count in range(len(kinds) + 1)]
        assert all(space.is_valid(each) for each in grown)
        sizes = [space.analytic_properties(each)["params"] for each in grown]
        assert sizes == sorted(sizes, reverse=True)
    supernet = Supernet(space, ImageClassification(2, 32)).train()
    x = torch.randn((2, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    supernet.elastic = ()
    supernet(x).square().sum().backward()
    matrices = [
        matrix for name, matrix in supernet.named_parameters() if re.search("_[57]to[35]$", name)
    ]
    assert supernet(x).shape[0] == 1
    assert all(matrix.grad is None for matrix in matrices)
    supernet.elastic = ("kernel",)
    supernet(x).square().sum().backward()
    assert all(matrix.grad is not None for matrix in matrices)


def test_a_progressive_training_begins_with_the_largest_and_is_resumed(tmp_path: Path) -> None:
    space = get_search_space("mnasnet")
    data = replace(DATA, task=ImageClassification(2, 32))
    phases = 1 + len(space.elastic_kinds)
    chosen = settings(epochs=1, batch_size=DATA.count // phases)

    def train(folder: str, stop_at: int = 0, progressive: bool = True) -> dict[str, torch.Tensor]:
        def stop(progress: Progress) -> None:
            if progress.step == stop_at:
                raise KeyboardInterrupt

        supernet, _ = train_supernet(
            space, data, chosen, tmp_path / folder, progressive=progressive, report=stop
        )
        return supernet.state_dict()

    for folder in ("stopped", "once"):
        (tmp_path / folder).mkdir()
    with pytest.raises(KeyboardInterrupt):
        train("stopped", stop_at=1)
    begun = load_file(tmp_path / "stopped" / STATE_FILE)
    with pytest.raises(DiffusionNAGError, match="other settings"):
        train("stopped", progressive=False)
    resumed, undisturbed = train("stopped"), train("once")
    assert all(torch.equal(resumed[name], undisturbed[name]) for name in resumed)
    untrained = Supernet(space, data.task, chosen.seed).state_dict()
    matrices = [name for name in untrained if name.endswith("_5to3")]
    assert matrices
    for name in matrices:
        assert torch.equal(begun[f"weights.{name}"], untrained[name])
        assert not torch.equal(resumed[name], untrained[name])
