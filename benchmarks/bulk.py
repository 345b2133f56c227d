"""Samples a second into a file, by one and by two workers; writes results/bulk.md."""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

import torch

from diffusionnag.execution import new_executor
from diffusionnag.generation import Sampling, Stream, stream_samples
from experiments.result_table import ResultTable, write_benchmark

COUNT = 40_960
LIMIT = "macs<=600M"
CASES = (
    ("mobilenetv3", "unguided", (), None),
    ("mobilenetv3", f"under {LIMIT}", (LIMIT,), None),
    ("mobilenetv3", f"under {LIMIT}, `--solver categorical`", (LIMIT,), "categorical"),
)
WORKERS = (1, 2)


def main() -> None:
    """Sample into Parquet files and write the table."""
    torch.set_num_threads(1)
    rows = tuple(
        (space, what, *_rates(Stream(space, limits=limits, sampling=Sampling(solver))))
        for space, what, limits, solver in CASES
    )
    table = ResultTable(
        title="Many samples into a file",
        columns=(
            *("space", "what"),
            *(f"{workers} worker{'s' * (workers > 1)}, samples/s" for workers in WORKERS),
            *("ratio", "most memory so far"),
        ),
        rows=rows,
        notes=(
            f"{COUNT:,} samples into a Parquet file, the start of the workers and the joining of the "
            "portions included; each worker has one thread, one alone as well, which is this process.",
        ),
    )
    write_benchmark(table, "bulk")


def _rates(stream: Stream) -> tuple[str, ...]:
    seconds = []
    for workers in WORKERS:
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            path = Path(folder) / "samples.parquet"
            stream_samples(stream, COUNT, path, executor=new_executor(None, workers))
            seconds.append(time.perf_counter() - begun)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rates = (f"{COUNT / each:,.0f}" for each in seconds)
    return (*rates, f"{seconds[0] / seconds[1]:.2f}", f"{memory:.0f} MiB")


if __name__ == "__main__":
    main()
