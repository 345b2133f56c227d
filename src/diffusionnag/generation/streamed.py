"""More architectures than fit into memory: generated in portions, by several workers if asked."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from diffusionnag._files import check_writable, prepare_folder, read_json, write_atomically
from diffusionnag.artifacts.checkpoints import space_entries
from diffusionnag.artifacts.json_lines import (
    ArchitectureRecord,
    json_line,
    read_records,
    write_records,
)
from diffusionnag.artifacts.record_files import check_record_path, write_record_file
from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError
from diffusionnag.execution import Executor, LocalExecutor, check_picklable
from diffusionnag.generation._collection import FRUITLESS_BATCHES, sift
from diffusionnag.generation.evaluation import evaluate
from diffusionnag.generation.generator import BATCH, Generator, open_generator
from diffusionnag.generation.request import Request, parse_request, space_under
from diffusionnag.generation.samples import check_wanted
from diffusionnag.generation.sampling import Sampling
from diffusionnag.guidance import Bound, Property
from diffusionnag.guidance.feasibility import limits_of
from diffusionnag.spaces import SearchSpace, fix_nodes
from diffusionnag.spaces.constrained_decoding import mend_invalid

MOST_AT_ONCE = 100_000
"""Architectures that are held in memory with all that is known of them; more are streamed."""
PORTION = 4_096
"""Architectures that follow from one seed, and are kept as soon as they are generated."""
ASKED_FILE = "asked.json"


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

    def add(self, other: Streamed) -> None:
        """Count what another portion has drawn."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


def check_count(count: int) -> None:
    """Raise DiffusionNAGError for more architectures than are held in memory."""
    if count > MOST_AT_ONCE:
        raise DiffusionNAGError(
            f"{count:,} architectures are more than the {MOST_AT_ONCE:,} that are held in memory; "
            "samples that may repeat are streamed into a file: `generate --sample --out FILE`, or "
            "`stream_samples`"
        )


@dataclass(frozen=True)
class Portion:
    """So many samples, and where they are kept: the portion of that number of a folder."""

    folder: Path
    number: int
    count: int

    @property
    def records(self) -> Path:
        """The file of the samples."""
        return self.folder / f"{self.number}-{self.count}.jsonl"

    @property
    def counts(self) -> Path:
        """The file of what was counted."""
        return self.folder / f"{self.number}-{self.count}.json"


@dataclass(frozen=True)
class Stream:
    """What is sampled, as `generate` has it; each portion can be drawn on its own, anywhere."""

    search_space: str | SearchSpace
    guides: Sequence[str | Property] = ()
    limits: Sequence[str | Bound] = ()
    limit_probability: float = 0.5
    fixed: Mapping[str, str] | None = None
    conditions: Sequence[str] = ()
    sampling: Sampling = Sampling()
    generator: str | Path | Generator | None = None
    device: str = "cpu"

    @property
    def space(self) -> SearchSpace:
        """The space under its conditions, with what is fixed in it."""
        space = space_under(self.search_space, self.conditions)
        return fix_nodes(space, self.fixed) if self.fixed else space

    def request(self, space: SearchSpace) -> Request:
        """Return the guides and limits, read."""
        return parse_request(self.guides, self.limits, self.limit_probability, space.whole)

    def asked(self) -> dict[str, Any] | None:
        """Return all of it as JSON, by which kept portions are told; None where objects are given."""
        given = (*self.guides, *self.limits, self.generator or "", self.sampling.strength or "")
        if not all(isinstance(each, str | Path) for each in given):
            return None
        others = replace(self, search_space="", generator=str(self.generator or ""))
        asked = asdict(others) | space_entries(self.space) | {"portion": PORTION}
        return json.loads(json.dumps(asked))

    def __call__(self, portion: Portion) -> None:
        """Draw a portion, and write it with what was counted. Raises as `generate` does."""
        space = self.space
        request = self.request(space)
        guide = request.guidance()
        bounds, sampling = limits_of(guide, space), _sampling_of(self.sampling, portion.number)
        model = open_generator(self.generator, space, self.device)
        counted, records, fruitless = Streamed(), list[ArchitectureRecord](), 0
        for estimate in model.estimates(guide=guide, sampling=sampling, batch=BATCH):
            drawn = space.decode(estimate)
            mended = mend_invalid(space, drawn, estimate)
            kept, rejected, unbuildable = sift(
                space, bounds, [*filter(space.is_valid, drawn), *mended]
            )
            valid = len(kept) + rejected + unbuildable - len(mended)
            counted.add(Streamed(len(drawn), valid, rejected, unbuildable))
            fruitless = 0 if kept else fruitless + 1
            if fruitless == FRUITLESS_BATCHES:
                raise DiffusionNAGError(
                    f"of the last {fruitless * BATCH:,} samples none was valid and within the limits, "
                    "with a network that can be built"
                )
            kept = kept[: portion.count - len(records)]
            records += evaluate(space, kept, request).records() if kept else ()
            if len(records) == portion.count:
                break
        write_records(portion.records, records)
        # Written last: a portion is there if what it counted is.
        with write_atomically(portion.counts) as temporary:
            temporary.write_text(json.dumps(asdict(counted)), encoding="utf-8")


def stream_samples(
    stream: Stream,
    count: int,
    path: str | Path,
    *,
    executor: Executor | None = None,
    report: Callable[[int], None] = lambda written: None,
) -> Streamed:
    """Write `count` samples, which may repeat, into a file, as its ending says; memory stays bounded.

    Each portion of 4,096 has a seed of its own, the first that of `sampling`, so that as many
    workers as the executor has make the same file. Portions are kept in a folder beside it until all
    are there: the same call goes on after an interruption. `report` is told how many there are.
    Raises DiffusionNAGError as `generate` does, where something else has the name of that folder, and
    where several workers would need objects that cannot be pickled; EnvironmentFailureError where the
    file cannot be written, or the disk has no room.
    """
    path, executor = Path(path), executor or LocalExecutor()
    check_record_path(path)
    check_writable(path)
    space = stream.space
    check_wanted(space, count, distinct=False)
    _check_room(space, count, path, stream.request(space))
    if not isinstance(executor, LocalExecutor):
        check_picklable(stream, "the samples")
    with _portions_beside(path, stream.asked()) as folder:
        portions = [
            Portion(folder, number, min(PORTION, count - start))
            for number, start in enumerate(range(0, count, PORTION))
        ]
        missing = [portion for portion in portions if not portion.counts.exists()]
        drawn = count - sum(portion.count for portion in missing)
        report(drawn)
        for portion, _ in executor.map_unordered(stream, missing):
            drawn += portion.count
            report(drawn)
        write_record_file(path, _all_records(portions))
        total = Streamed()
        for portion in portions:
            total.add(Streamed(**read_json(portion.counts)))
        return total


def _sampling_of(sampling: Sampling, number: int) -> Sampling:
    """Return the sampling of a portion: its seed follows from the number, that of the first is given."""
    if not number:
        return sampling
    state = np.random.SeedSequence([sampling.seed, number]).generate_state(1)
    return replace(sampling, seed=int(state[0]))


@contextmanager
def _portions_beside(path: Path, asked: dict[str, Any] | None) -> Iterator[Path]:
    """Yield the folder of the portions, with those that the same request has left; removed at the end."""
    if path.exists() and not path.is_file():  # a device or pipe has nothing beside it
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
        return
    folder = path.with_name(f"{path.name}.portions")
    if folder.exists() and not _is_of(folder, asked):
        _remove(folder)
    prepare_folder(folder)
    with write_atomically(folder / ASKED_FILE) as temporary:
        temporary.write_text(json.dumps(asked), encoding="utf-8")
    try:
        yield folder
    except DiffusionNAGError as error:
        if not isinstance(error, EnvironmentFailureError):  # cannot be had later either
            shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder)


def _is_of(folder: Path, asked: dict[str, Any] | None) -> bool:
    """Return whether a folder holds portions of a request that can be told again."""
    with suppress(OSError, ValueError):
        return asked is not None and read_json(folder / ASKED_FILE) == asked
    return False


def _remove(folder: Path) -> None:
    """Remove what another request has left; raises DiffusionNAGError where it is something else."""
    if not (folder / ASKED_FILE).is_file():
        raise DiffusionNAGError(
            f"{folder} is in the way: samples are kept there until all are written; move it"
        )
    shutil.rmtree(folder)


def _all_records(portions: Sequence[Portion]) -> Iterator[ArchitectureRecord]:
    for portion in portions:
        yield from read_records(portion.records)


def _check_room(space: SearchSpace, count: int, path: Path, request: Request) -> None:
    """Raise EnvironmentFailureError where the disk has no room for the portions and the file."""
    (record,) = evaluate(space, space.sample(1, 0), request).records()
    needed = 2 * count * len(json_line(record).encode())
    folder = path.absolute().parent
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise EnvironmentFailureError(
            f"{count:,} architectures take about {needed / 1e9:,.1f} GB while they are written, and "
            f"{folder} has {free / 1e9:,.1f} GB left; ask for fewer"
        )
