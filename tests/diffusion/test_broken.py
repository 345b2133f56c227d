"""What a generator learns to mend: architectures that are broken by one operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from diffusionnag import SearchSpace, get_search_space
from diffusionnag.diffusion._broken import FEWEST_BROKEN, Broken
from diffusionnag.diffusion.training_set import TrainingSet

ONE_AND_TWO, THREE_AND_FOUR = "one and two are both a", "three and four are both a"


class Forbidding(SearchSpace):
    """Two rules, of which one is broken ten times as often as the other."""

    name = "forbidding"
    nodes = ("one", "two", "three", "four")
    operations = ("a", "b", *map(str, range(9)))
    edges = ((0, 1), (1, 2), (2, 3))

    def choices(self, node: int) -> Sequence[str]:
        return self.operations if node > 1 else ("a", "b")

    def rule(self, operations: Sequence[str]) -> str | None:
        if operations[0] == operations[1] == "a":
            return ONE_AND_TWO
        return THREE_AND_FOUR if operations[2] == operations[3] == "a" else None


def broken_of(space: SearchSpace) -> Broken:
    return Broken.of(space, TrainingSet(0).operations(space), 0)


@pytest.mark.usefixtures("few_drawn")
@pytest.mark.parametrize("name", ["mobilenetv3", "nasbench101"])
def test_what_is_broken_differs_from_a_valid_one_in_one_operation(name: str) -> None:
    space = get_search_space(name)
    pairs = broken_of(space)
    torch.manual_seed(0)
    broken, whole = pairs.draw(500)
    assert ((broken != whole).sum(1) == 1).all()
    assert all(space.is_valid(architecture) for architecture in space.architectures(whole.numpy()))
    assert not any(
        space.is_valid(architecture) for architecture in space.architectures(broken.numpy())
    )


def test_every_reason_is_shown_equally_often() -> None:
    space = Forbidding()
    pairs = broken_of(space)
    reasons = [
        space.is_valid(architecture).reason
        for architecture in space.architectures(pairs.broken.numpy())
    ]
    counted = Counter(reasons)
    assert counted[ONE_AND_TWO] > 5 * counted[THREE_AND_FOUR] > 5 * FEWEST_BROKEN
    torch.manual_seed(0)
    drawn, _ = pairs.draw(10_000)
    shown = Counter(
        space.is_valid(architecture).reason for architecture in space.architectures(drawn.numpy())
    )
    assert shown[THREE_AND_FOUR] == pytest.approx(5_000, abs=250)


@pytest.mark.parametrize("name", ["nasbench201", "nasbench_graph"])
def test_where_nothing_breaks_nothing_is_shown(name: str) -> None:
    space = get_search_space(name)
    pairs = Broken.of(space, space.sample_operations(1_000, np.random.default_rng(0)), 0)
    assert [len(part) for part in pairs.draw(26)] == [0, 0]
