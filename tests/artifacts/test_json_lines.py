"""Architectures as JSON lines: written and read in one place."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from diffusionnag.artifacts.json_lines import ArchitectureRecord, read_records, write_records
from diffusionnag.errors import DiffusionNAGError

RECORDS = [
    ArchitectureRecord("a", True, {"acc": 0.5, "params": 3}, {"acc": 0.1}, {"acc": 0.25}, True),
    ArchitectureRecord("b", False, {}, trial=0, allowed=False),
]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_records(tmp_path / "a.jsonl", iter(RECORDS))
    assert read_records(tmp_path / "a.jsonl") == RECORDS
    assert (tmp_path / "a.jsonl").read_text() == (
        '{"architecture": "a", "valid": true, "properties": {"acc": 0.5, "params": 3}, '
        '"std": {"acc": 0.1}, "true": {"acc": 0.25}, "front": true}\n'
        '{"architecture": "b", "valid": false, "properties": {}, "trial": 0, "allowed": false}\n'
    )


def test_what_nobody_wrote_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        '\ufeff{"architecture": "\\ud800é", "more": [1]}\n\n{"architecture": "b", "std": null}'
    )
    assert read_records(path) == [ArchitectureRecord("?é"), ArchitectureRecord("b")]
    path.write_text('{"architecture": "a", "properties": {"acc": null, "loss": Infinity}}')
    (record,) = read_records(path)
    assert math.isnan(record.properties["acc"])
    assert math.isinf(record.properties["loss"])


DAMAGED = {
    "not JSON": ("{", '{"architecture": "a', "[" * 100_000, "\x00", "9" * 5_000),
    "not an object": ("null", "[]", "3", '"a"'),
    "'architecture' should be": ("{}", '{"architecture": null}', '{"architecture": 3}'),
    "'valid' should be": ('{"architecture": "a", "valid": 1}',),
    "'trial' should be": tuple(
        f'{{"architecture": "a", "trial": {trial}}}' for trial in ("-1", "1.5", "true", "1" * 30)
    ),
    "'true' should be": tuple(
        f'{{"architecture": "a", "true": {values}}}'
        for values in (
            "3",
            "[3]",
            '{"a": "3"}',
            '{"a": true}',
            '{"a": [1]}',
            f'{{"a": {"1" * 400}}}',
        )
    ),
}


@pytest.mark.parametrize("message", DAMAGED)
def test_the_line_that_is_damaged_is_named(tmp_path: Path, message: str) -> None:
    path = tmp_path / "a.jsonl"
    for line in DAMAGED[message]:
        path.write_text(f"{json.dumps({'architecture': 'a'})}\n\n{line}\n")
        with pytest.raises(DiffusionNAGError, match=f"line 3: {message}"):
            read_records(path)


def test_a_file_without_architectures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n\n")
    for name, message in (("a.jsonl", "holds no architectures"), ("b.jsonl", "no such file")):
        with pytest.raises(DiffusionNAGError, match=message):
            read_records(tmp_path / name)
    with pytest.raises(DiffusionNAGError, match="cannot read"):
        read_records(tmp_path)
