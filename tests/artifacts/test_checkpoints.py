"""Model folders whose sums fit but whose contents are wrong: refused in one line, whatever is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from diffusionnag import DiffusionNAGError, Generator, PropertyPredictor
from diffusionnag.artifacts.checkpoints import (
    SHIPPED_FOLDER,
    read_config,
    read_weights,
    write_checkpoint,
)
from diffusionnag.artifacts.run_records import parse_run_record
from diffusionnag.transfer.predictor import DatasetAwarePredictor

KINDS: dict[str, tuple[str, Callable[[str], object]]] = {
    "generator": ("generators/nasbench201", Generator.from_pretrained),
    "process": ("predictors/mobilenetv3-svhn", PropertyPredictor.from_pretrained),
    "ensemble": ("predictors/mnasnet-imagenet_top1", PropertyPredictor.from_pretrained),
    "data set": ("dataset_aware/nasbench201", DatasetAwarePredictor.from_pretrained),
}
WRONG = (None, -1, 10**30, "x", [3], {"x": 3})


def places(value: Any) -> Iterator[tuple[str, ...]]:
    """Yield the way to each value within, of lists only to the list."""
    for name, inner in value.items():
        yield (name,)
        if isinstance(inner, dict):
            yield from ((name, *rest) for rest in places(inner))


def changed(config: dict[str, Any], place: tuple[str, ...], value: object) -> dict[str, Any]:
    config = json.loads(json.dumps(config))
    inner = config
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    return config


@pytest.mark.parametrize("kind", KINDS)
def test_configs_of_wrong_types_are_one_line(kind: str, tmp_path: Path) -> None:
    shipped, load = KINDS[kind]
    folder = SHIPPED_FOLDER / shipped
    config = read_config(folder)
    weights = read_weights(folder, config)
    del config["sha256"]
    refusals = []
    for place in places(config):
        for value in WRONG:
            write_checkpoint(tmp_path / "m", changed(config, place, value), weights, "")
            try:
                load(str(tmp_path / "m"))
            except DiffusionNAGError as error:
                refusals.append(str(error))
    assert len(refusals) > 20
    assert not [text for text in refusals if "\n" in text or len(text) > 700]


@pytest.mark.parametrize("kind", KINDS)
def test_weights_that_are_no_numbers_are_refused(kind: str, tmp_path: Path) -> None:
    shipped, load = KINDS[kind]
    config = read_config(SHIPPED_FOLDER / shipped)
    weights = read_weights(SHIPPED_FOLDER / shipped, config)
    del config["sha256"]
    name = next(
        name for name, weight in weights.items() if weight.is_floating_point() and weight.numel()
    )
    weights[name] = torch.full_like(weights[name], torch.nan)
    write_checkpoint(tmp_path / "m", config, weights, "")
    with pytest.raises(DiffusionNAGError, match="is not finite"):
        load(str(tmp_path / "m"))


@pytest.mark.parametrize("damage", ["null", "3", "[" * 100_000, '{"sha256": 3}', '{"a": ' * 50_000])
def test_configs_that_are_no_object_are_damaged(damage: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(damage)
    with pytest.raises(DiffusionNAGError, match="is damaged"):
        read_config(tmp_path)


def test_a_checkpoint_never_says_which_code_is_run(tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('this ran')")
    config = read_config(SHIPPED_FOLDER / KINDS["process"][0])
    weights = read_weights(SHIPPED_FOLDER / KINDS["process"][0], config)
    del config["sha256"]
    config["search_space"] = f"{tmp_path}/evil.py:Space"
    write_checkpoint(tmp_path / "m", config, weights, "")
    with pytest.raises(DiffusionNAGError, match="of a search space of somebody's own"):
        PropertyPredictor.from_pretrained(tmp_path / "m")


def test_a_record_of_wrong_types_says_where() -> None:
    record = {"search_space": "nasbench201", "about": {}, "goals": {"acc": 5.0}, "limits": ["a"]}
    assert parse_run_record(record).goals == {"acc": 1}
    for place in (("search_space",), ("about",), ("goals", "acc"), ("limits",)):
        with pytest.raises(
            DiffusionNAGError, match=rf"the record of a run\.{place[0]}.* should be"
        ):
            parse_run_record(changed(record, place, False))
