"""More architectures than fit into memory: written batch by batch, as they are generated."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from diffusionnag.artifacts.json_lines import ArchitectureRecord, json_line
from diffusionnag.artifacts.record_files import write_record_file
from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError
from diffusionnag.generation._collection import FRUITLESS_BATCHES, sift
from diffusionnag.generation.evaluation import evaluate
from diffusionnag.generation.generator import BATCH, Generator, open_generator
from diffusionnag.generation.request import Request, parse_request, space_under
from diffusionnag.generation.sampling import Sampling
from diffusionnag.guidance import Bound, Property
from diffusionnag.guidance.feasibility import limits_of
from diffusionnag.spaces import SearchSpace, fix_nodes
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
    unbuildable: int = 0
    """Of the drawn, without a network."""
    limits: int = 0
    """How many limits were kept."""


def check_count(count: int) -> None:
    """Raise DiffusionNAGError for more architectures than are held in memory."""
    if count > MOST_AT_ONCE:
        raise DiffusionNAGError(
            f"{count:,} architectures are more than the {MOST_AT_ONCE:,} that are held in memory; "
            "samples that may repeat are streamed into a file: --sample --out FILE"
        )


def stream_samples(
    search_space: str | SearchSpace,
    count: int,
    path: str | Path,
    *,
    guides: Sequence[str | Property] = (),
    limits: Sequence[str | Bound] = (),
    limit_probability: float = 0.5,
    fixed: Mapping[str, str] | None = None,
    conditions: Sequence[str] = (),
    sampling: Sampling = Sampling(),
    generator: str | Path | Generator | None = None,
    device: str = "cpu",
    report: Callable[[int], None] = lambda written: None,
) -> Streamed:
    """Write `count` samples, which may repeat, into a file, as its ending says; memory stays bounded.

    They are what `generate` samples with the same arguments, with all that is known of each.
    `report` is told how many are written. Raises DiffusionNAGError as `generate` does;
    nothing is left of a file that was not finished.
    """
    space = space_under(search_space, conditions)
    request = parse_request(guides, limits, limit_probability, space.whole)
    space = fix_nodes(space, fixed) if fixed else space
    model = open_generator(generator, space, device)
    _check_room(space, count, Path(path), request)
    guide = request.guidance()
    bounds = limits_of(guide, space)
    summary = Streamed(limits=len(bounds))

    def records() -> Iterator[ArchitectureRecord]:
        written = fruitless = 0
        for estimate in model.estimates(guide=guide, sampling=sampling, batch=BATCH):
            drawn = space.decode(estimate)
            mended = mend_invalid(space, drawn, estimate)
            kept, rejected, unbuildable = sift(space, bounds, drawn, mended)
            summary.drawn += len(drawn)
            summary.valid += len(kept) + rejected + unbuildable - len(mended)
            summary.rejected += rejected
            summary.unbuildable += unbuildable
            fruitless = 0 if kept else fruitless + 1
            if fruitless == FRUITLESS_BATCHES:
                raise DiffusionNAGError(
                    f"of the last {fruitless * BATCH:,} samples none was valid and within the limits, "
                    "with a network that can be built"
                )
            kept = kept[: count - written]
            yield from evaluate(space, kept, request).records() if kept else ()
            written += len(kept)
            report(written)
            if written == count:
                return

    write_record_file(Path(path), records())
    return summary


def _check_room(space: SearchSpace, count: int, path: Path, request: Request) -> None:
    """Raise EnvironmentFailureError where the disk has no room for the file."""
    (record,) = evaluate(space, space.sample(1, 0), request).records()
    needed = count * len(json_line(record).encode())
    folder = path.absolute().parent
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise EnvironmentFailureError(
            f"{count:,} architectures take about {needed / 1e9:,.1f} GB, and {folder} has "
            f"{free / 1e9:,.1f} GB left; ask for fewer"
        )
