"""Measures the networks of this folder on whatever machine it runs on: `python measure_elsewhere.py`.

Needs onnxruntime and numpy alone, and is copied out of the library for that. What is measured is
written into `latencies.csv`, network by network; run again, it does the rest.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import onnxruntime

FOLDER = Path(__file__).resolve().parent
WARM_UP = 10


def measure(path: Path, batch: int, length: int, threads: int, repeats: int) -> float:
    """Return the median latency of a network in ms."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options)
    values = inputs_of(session, batch, length)
    times = []
    for _ in range(WARM_UP + repeats):
        started = time.perf_counter()
        session.run(None, values)
        times.append(1e3 * (time.perf_counter() - started))
    return float(np.median(times[WARM_UP:]))


def inputs_of(
    session: onnxruntime.InferenceSession, batch: int, length: int
) -> dict[str, np.ndarray]:
    """Return what a network is measured on, by name; a graph has as many nodes as the batch."""
    sizes = {"batch": batch, "length": length, "nodes": batch}
    values = {}
    for entry in session.get_inputs():
        shape = [sizes.get(size, 1) if isinstance(size, str) else size for size in entry.shape]
        if entry.name == "edges":
            # As in the library's `random_inputs`.
            nodes = np.arange(batch)
            feeding = np.concatenate([np.roll(nodes, 1), np.roll(nodes, 2)])
            edges = np.stack([feeding, np.tile(nodes, 2)])
            values[entry.name] = edges[:, edges[0] != edges[1]]
        elif entry.type == "tensor(float)":
            values[entry.name] = np.zeros(shape, np.float32)
        else:
            # The smallest token is 1 in whatever vocabulary.
            values[entry.name] = np.ones(shape, np.int64)
    return values


def main() -> None:
    """Measure what `networks.csv` lists and `latencies.csv` does not have yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=1, help="inputs at a time, or nodes")
    parser.add_argument("--length", type=int, default=128, help="tokens of a text")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=50)
    given = parser.parse_args()
    results = FOLDER / "latencies.csv"
    with (FOLDER / "networks.csv").open(newline="") as file:
        networks = list(csv.DictReader(file))
    done = set()
    if results.exists():
        with results.open(newline="") as file:
            done = {row["arch"] for row in csv.DictReader(file)}
    else:
        results.write_text("arch,latency_ms\n")
    for number, row in enumerate(networks, start=1):
        if row["arch"] in done:
            continue
        latency = measure(
            FOLDER / row["file"], given.batch, given.length, given.threads, given.repeats
        )
        with results.open("a", newline="") as file:
            csv.writer(file).writerow([row["arch"], latency])
        print(f"{number} of {len(networks)}: {latency:.3f} ms", flush=True)


if __name__ == "__main__":
    main()
