"""DARTS: genotypes, two distinct sources a node, and edges that follow from them."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusionnag import DiffusionNAGError, Generator, get_search_space
from diffusionnag.generation.sampling import Sampling

SPACE = get_search_space("darts")
CELL = "(skip_connect,0),(sep_conv_3x3,1)," * 3 + "(max_pool_3x3,2),(dil_conv_5x5,4)"
GENOTYPE = f"normal=[{CELL}] reduce=[{CELL}]"


def test_it_has_as_many_architectures_as_choices() -> None:
    pairs = math.prod(math.comb(before, 2) for before in (2, 3, 4, 5))
    assert (pairs * 7**8) ** 2 == SPACE.size


@given(seed=st.integers(0, 2**32))
def test_a_genotype_lists_two_operations_on_distinct_earlier_sources(seed: int) -> None:
    (architecture,) = SPACE.sample(1, seed)
    text = SPACE.format(architecture)
    assert SPACE.parse(text) == architecture
    assert SPACE.decode(SPACE.encode([architecture])) == [architecture]
    for cell in re.findall(r"\[(.*?)\]", text):
        sources = [int(digit) for digit in re.findall(r",(\d)\)", cell)]
        assert len(sources) == 8
        for step in range(4):
            first, second = sources[2 * step : 2 * step + 2]
            assert 0 <= first < second < 2 + step


def test_edges_lead_from_both_operations_of_a_source() -> None:
    named = {
        (SPACE.nodes[source], SPACE.nodes[target])
        for source, target in SPACE.parse(GENOTYPE).edges
        if SPACE.nodes[target].startswith("normal")
    }
    # The last node adds up what the first (2) and the third (4) give; both have two operations.
    into_last = {edge for edge in named if edge[1].startswith("normal:node3")}
    assert into_last == {
        (f"normal:node{source}.{of}", f"normal:node3.{side}")
        for source, side in ((0, "left"), (2, "right"))
        for of in ("left", "right")
    }
    assert ("normal:input0", "normal:node1.left") in named
    assert sum(edge[1] == "normal:output" for edge in named) == 8


def test_the_order_of_a_nodes_operations_does_not_matter() -> None:
    turned = GENOTYPE.replace(
        "(max_pool_3x3,2),(dil_conv_5x5,4)", "(dil_conv_5x5,4),(max_pool_3x3,2)"
    )
    assert SPACE.parse(turned) == SPACE.parse(GENOTYPE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GENOTYPE.replace(" ", ","), "should read like"),
        (GENOTYPE.replace("(max_pool_3x3,2),", ""), "8 operations, not 7"),
        (GENOTYPE.replace("(max_pool_3x3,2)", "(max_pool_3x3,4)"), "the source 4 twice"),
        (GENOTYPE.replace("(max_pool_3x3,2)", "(max_pool_3x3,5)"), "no operation '4.5'"),
        (GENOTYPE.replace("(sep_conv_3x3,1)", "(sep_conv_3x3,2)", 1), "sources0 cannot be 0.2"),
        (GENOTYPE.replace("max_pool_3x3", "none"), "no operation 'none'"),
    ],
)
def test_a_wrong_genotype_is_refused_by_its_wrong_part(text: str, message: str) -> None:
    with pytest.raises(DiffusionNAGError, match=message):
        SPACE.parse(text)


def test_the_shipped_generator_draws_distinct_valid_cells() -> None:
    drawn = Generator.from_pretrained("darts").draw(256, sampling=Sampling(seed=1))
    assert all(SPACE.is_valid(architecture) for architecture in drawn)
    assert len(set(drawn)) == 256
