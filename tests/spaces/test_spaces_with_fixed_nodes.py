"""What is left of a search space where some nodes have one operation only."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from diffusionnag import DiffusionNAGError, get_search_space
from diffusionnag.search import parameters_of
from diffusionnag.spaces import fix_nodes


@pytest.mark.parametrize("name", ["nasbench101", "darts", "mnasnet", "nasbench_graph"])
def test_draws_neighbours_and_mutants_have_what_is_fixed(name: str) -> None:
    space = get_search_space(name)
    (example,) = space.sample(1, 3)
    fixed = dict(list(parameters_of(space, example).items())[:2])
    narrowed = fix_nodes(space, fixed)
    drawn = narrowed.sample(20, 0)
    around = [*narrowed.neighbours(space.sample(1, 4)[0]), narrowed.mutate(drawn[0], 1)]
    for architecture in (*drawn, *around):
        assert space.is_valid(architecture)
        assert parameters_of(space, architecture).items() >= fixed.items()


def test_what_is_fixed_survives_pickling(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("name: own\nnodes: {stem: [a, b], head: [a, b]}\n")
    own = get_search_space(str(tmp_path / "own.yaml"))
    phone = get_search_space("mobilenetv3").under(resolution=160)
    for space in (own, phone, get_search_space("nasbench201")):
        node = next(node for row, node in enumerate(space.nodes) if len(space.choices(row)) > 1)
        narrowed = fix_nodes(space, {node: space.choices(space.nodes.index(node))[1]})
        again = pickle.loads(pickle.dumps(narrowed))
        assert again.sample(9) == narrowed.sample(9) != space.sample(9)
        assert (again.describe(), again.conditions) == (narrowed.describe(), narrowed.conditions)
    assert pickle.loads(pickle.dumps(narrowed.under(size=3))).conditions == {"size": 3}


def test_what_is_left_is_counted_and_walked_through() -> None:
    space = get_search_space("nasbench201")
    narrowed = fix_nodes(space, {"0>1": "none", "2>3": "none"})
    assert narrowed.size == len(list(narrowed.enumerate())) == narrowed.combinations == 5**4
    assert narrowed.whole is space is space.whole
    phone = get_search_space("mobilenetv3")
    (example,) = phone.sample(1, 0)
    decided = dict(list(parameters_of(phone, example).items())[:17])
    assert not phone.is_enumerable
    assert fix_nodes(phone, decided).is_enumerable
    everywhere = np.concatenate(list(fix_nodes(phone, decided).enumerate_operations()))
    assert fix_nodes(phone, decided).size == len(everywhere) > 10


def test_more_is_fixed_in_what_is_left() -> None:
    space = get_search_space("nasbench201")
    first = fix_nodes(space, {"0>1": "none"}).under(size=3)
    both = fix_nodes(first, {"2>3": "none"})
    assert both.sample(9) == fix_nodes(space, {"0>1": "none", "2>3": "none"}).sample(9)
    assert (both.size, both.conditions) == (5**4, {"size": 3})
    with pytest.raises(DiffusionNAGError, match="node 0>1 cannot be 'skip_connect'"):
        fix_nodes(first, {"0>1": "skip_connect"})
