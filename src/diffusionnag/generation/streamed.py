"""More architectures than fit into memory: written batch by batch, as they are generated."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from diffusionnag.artifacts.json_lines import ArchitectureRecord, json_line, write_records
from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError
from diffusionnag.generation._collection import FRUITLESS_BATCHES
from diffusionnag.generation.evaluation import evaluate
from diffusionnag.generation.generator import BATCH, Generator
from diffusionnag.generation.request import Request
from diffusionnag.generation.sampling import Sampling
from diffusionnag.guidance.feasibility import limits_of, within_limits
from diffusionnag.spaces.constrained_decoding import mend_invalid

MOST_AT_ONCE = 100_000
"""Architectures that are held in memory with all that is known of them; more are streamed."""


@dataclass
class Streamed:
    """How many architectures were drawn until enough were written, and how good the network was."""

    drawn: int = 0
    valid: int = 0
    """Of the drawn, before any repair."""
    rejected: int = 0
    """Of the drawn, beyond a limit."""


def check_count(count: int) -> None:
    """Raise DiffusionNAGError for more architectures than are held in memory."""
    if count > MOST_AT_ONCE:
        raise DiffusionNAGError(
            f"{count:,} architectures are more than the {MOST_AT_ONCE:,} that are held in memory; "
            "samples that may repeat are streamed into a file: --sample --out FILE.jsonl"
        )


def stream_samples(
    generator: Generator,
    count: int,
    path: Path,
    request: Request,
    *,
    sampling: Sampling = Sampling(),
    report: Callable[[int], None] = lambda written: None,
) -> Streamed:
    """Write `count` samples, which may repeat, into a file of JSON lines; memory stays bounded.

    They are what `Generator.sample` draws with the same seed, with all that is known of each.
    `report` is told how many are written. Raises DiffusionNAGError as `Generator.sample` does;
    nothing is left of a file that was not finished.
    """
    _check_room(generator, count, path, request)
    guide = request.guidance()
    limits = limits_of(guide, generator.search_space)
    summary = Streamed()

    def records() -> Iterator[ArchitectureRecord]:
        written = fruitless = 0
        space = generator.search_space
        for estimate in generator.estimates(guide=guide, sampling=sampling, batch=BATCH):
            drawn = space.decode(estimate)
            valid = list(filter(space.is_valid, drawn))
            whole = valid + mend_invalid(space, drawn, estimate)
            kept = within_limits(limits, whole)
            summary.drawn += len(drawn)
            summary.valid += len(valid)
            summary.rejected += len(whole) - len(kept)
            fruitless = 0 if kept else fruitless + 1
            if fruitless == FRUITLESS_BATCHES:
                raise DiffusionNAGError(
                    f"of the last {fruitless * BATCH:,} samples none was valid and within the limits"
                )
            kept = kept[: count - written]
            yield from evaluate(space, kept, request).records() if kept else ()
            written += len(kept)
            report(written)
            if written == count:
                return

    write_records(path, records())
    return summary


def _check_room(generator: Generator, count: int, path: Path, request: Request) -> None:
    """Raise EnvironmentFailureError where the disk has no room for the file."""
    space = generator.search_space
    (record,) = evaluate(space, space.sample(1, 0), request).records()
    needed = count * len(json_line(record).encode())
    folder = path.absolute().parent
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise EnvironmentFailureError(
            f"{count:,} architectures take about {needed / 1e9:,.1f} GB, and {folder} has "
            f"{free / 1e9:,.1f} GB left; ask for fewer"
        )
