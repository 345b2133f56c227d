"""Table 3 by recipe and guidance: which rows it has, and that what was drawn is not drawn again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.generation import paper_recipe
from experiments.guidance import table3_recipes


def test_each_recipe_is_guided(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data_folder: Path
) -> None:
    def quick(space: object) -> paper_recipe.Case:
        case = paper_recipe.small_published(space)  # type: ignore[arg-type]
        recipe = replace(case.recipe, parameterisation="probabilities", solver="ancestral")
        return replace(case, recipe=recipe, steps=150)

    small = {"SEEDS": (0, 1), "DATASETS": ("CIFAR-10",), "BEST": 16}
    guidance = {name: table3_recipes.GUIDANCE[name] for name in list(table3_recipes.GUIDANCE)[2:]}
    for name, value in (small | {"GUIDANCE": guidance, "small_published": quick}).items():
        monkeypatch.setattr(table3_recipes, name, value)
    monkeypatch.setattr("experiments.kept_results.RUNS", tmp_path)
    table = table3_recipes.table3_recipes(lambda text: None)
    assert [row[:3] for row in table.rows] == [
        ("CIFAR-10", recipe, name)
        for recipe in (table3_recipes.PAPER, table3_recipes.LIBRARY)
        for name in guidance
    ]
    for *_, valid, distinct, highest, mean, lowest, _, _ in table.rows:
        assert 0 < float(distinct) <= 16 * float(valid) / 100
        assert float(lowest) <= float(mean.split()[0]) <= float(highest)
    monkeypatch.setattr(table3_recipes, "trained", None)
    monkeypatch.setattr(table3_recipes, "Generator", None)
    assert table3_recipes.table3_recipes(lambda text: None).rows == table.rows
