"""A user's own measurements: what is kept of them, and what the user is told about the rest."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusionnag import get_search_space
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces import SearchSpace
from diffusionnag.tables import Table, clean_measurements

SPACE = get_search_space("nasbench201")
CELLS = list(dict.fromkeys(SPACE.sample(40, seed=0)))
TEXTS = [SPACE.format(cell) for cell in CELLS]


def table(texts: list[str], values: list[float]) -> Table:
    return Table("mine", tuple(texts), {"latency": np.array(values)})


def refusal(texts: list[str], values: list[float], space: SearchSpace = SPACE) -> str:
    with pytest.raises(DiffusionNAGError) as caught:
        clean_measurements(table(texts, values), space, "latency")
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_clean_table_is_kept_as_it_is() -> None:
    cleaned = clean_measurements(table(TEXTS[:10], list(range(10))), SPACE, "latency")
    assert cleaned.architectures == tuple(CELLS[:10])
    np.testing.assert_array_equal(cleaned.values, range(10))
    assert cleaned.report == ()


def test_strings_of_no_architecture_are_left_out_and_their_rows_named() -> None:
    texts = ["[red]cell", *TEXTS[:12], *["resnet"] * 6]
    cleaned = clean_measurements(table(texts, list(range(19))), SPACE, "latency")
    assert cleaned.architectures == tuple(CELLS[:12])
    np.testing.assert_array_equal(cleaned.values, range(1, 13))
    (line,) = cleaned.report
    assert line.startswith("left out 7 rows (rows 1, 14, 15, 16, 17 and 2 more): no nasbench201")
    assert "the first: '[red]cell' is no nasbench201 architecture: 3 parts" in line


def test_values_that_are_not_finite_are_left_out_and_their_rows_named() -> None:
    values = [np.nan, *range(11), np.inf, -np.inf]
    cleaned = clean_measurements(table(TEXTS[:14], values), SPACE, "latency")
    np.testing.assert_array_equal(cleaned.values, range(11))
    assert cleaned.report == ("left out 3 rows (rows 1, 13, 14): no finite value of latency",)


def test_repeats_are_merged_and_averaged_and_the_worst_is_shown() -> None:
    texts = [*TEXTS[:12], TEXTS[0], TEXTS[1], TEXTS[2], TEXTS[1]]
    values = [*range(12), 0.0, 2.0, 2.5, 6.0]
    cleaned = clean_measurements(table(texts, values), SPACE, "latency")
    assert cleaned.architectures == tuple(CELLS[:12])
    np.testing.assert_array_equal(cleaned.values, [0, 3, 2.25, *range(3, 12)])
    assert cleaned.report == (
        "merged 1 architecture measured more than once, latency being the same "
        "(for example rows 1, 13)",
        "averaged 2 architectures measured more than once with different latency; "
        "they differ by up to 5 (rows 2, 14, 16: 1, 2, 6)",
    )


def test_a_constant_column_has_nothing_to_learn() -> None:
    assert "latency of mine cannot be learnt: all 12 values are 7" in refusal(
        TEXTS[:12], [7.0] * 12
    )
    # The mean of equal values must not differ from them by rounding.
    assert "nothing to learn" in refusal(TEXTS[:12] + TEXTS[:1] * 2, [0.1] * 14)


def test_too_few_says_how_many_were_lost_to_what() -> None:
    texts = ["resnet", *TEXTS[:3], TEXTS[0], TEXTS[4], TEXTS[5]]
    message = refusal(texts, [*range(5), np.nan, np.inf])
    assert message.startswith(
        "mine: 7 rows, but only 3 distinct architectures with a value of latency; "
        "at least 5 are needed (left out 1 row (row 1): no nasbench201 architecture; "
    )
    assert "; left out 2 rows (rows 6, 7): no finite value of latency; 1 row: the" in message
    assert refusal([], []).endswith("at least 5 are needed")


@pytest.mark.parametrize("name", ["mobilenetv3", "mnasnet"])
def test_architectures_of_another_space_are_recognised(name: str) -> None:
    other = get_search_space(name)
    texts = ["typing error", *(other.format(cell) for cell in other.sample(20, seed=0))]
    message = refusal(texts, list(range(21)))
    assert message.startswith("no row of mine is of the space nasbench201: 'typing error' is no")
    assert message.endswith(f"; row 2 is a {name} architecture: did you mean that search space?")


def test_strings_of_no_space_give_the_reason() -> None:
    message = refusal(["a", "b"], [1, 2])
    assert message.startswith("no row of mine is of the space nasbench201: 'a' is no nasbench201")
    assert "did you mean" not in message


def test_an_unknown_column_names_what_there_is() -> None:
    with pytest.raises(DiffusionNAGError, match="nearest: latency"):
        clean_measurements(table(TEXTS[:12], list(range(12))), SPACE, "latencies")


ROWS = st.lists(
    st.tuples(
        st.sampled_from([*TEXTS[:15], "resnet"]),
        st.one_of(st.floats(-1e6, 1e6), st.sampled_from([np.nan, np.inf, 0.1])),
    ),
    min_size=20,
    max_size=80,
)


@given(ROWS)
def test_every_row_is_in_a_mean_or_reported(rows: list[tuple[str, float]]) -> None:
    known: dict[str, list[float]] = {}
    for text, value in rows:
        if text != "resnet" and np.isfinite(value):
            known.setdefault(text, []).append(value)
    texts, values = [text for text, _ in rows], [value for _, value in rows]
    try:
        cleaned = clean_measurements(table(texts, values), SPACE, "latency")
    except DiffusionNAGError:
        distinct = {np.mean(values) for values in known.values()}
        assert len(known) < 10 or len(distinct) == 1
        return
    assert [SPACE.format(cell) for cell in cleaned.architectures] == list(known)
    np.testing.assert_allclose(cleaned.values, [np.mean(values) for values in known.values()])
    assert any("no nasbench201" in line for line in cleaned.report) == ("resnet" in texts)
    assert any("finite" in line for line in cleaned.report) == any(
        text != "resnet" and not np.isfinite(value) for text, value in rows
    )
    groups = [values for values in known.values() if len(values) > 1]
    conflicting = sum(len(set(values)) > 1 for values in groups)
    assert any("merged" in line for line in cleaned.report) == (conflicting < len(groups))
    assert any("averaged" in line for line in cleaned.report) == (conflicting > 0)
