"""Times of generation and their ratios, all measured in one run; writes results/speed.md."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from diffusionnag import Generator, PropertyPredictor
from diffusionnag.diffusion.denoiser import Denoiser
from diffusionnag.diffusion.recipes import paper_recipe
from diffusionnag.generation.sampling import Sampling
from experiments.result_table import ResultTable, write_benchmark

COUNT = 256
REPEATS, PROCESSES = 15, 9
PUBLISHED_EVALUATIONS = {"nasbench201": 2_000, "mobilenetv3": 1_000}
"""Network evaluations of the published sampler: 1,000 steps, doubled by the corrector."""
GUIDES = {
    "nasbench201": ("cifar10", "analog_drift_1month", "latency:pixel3"),
    "mobilenetv3": ("latency:v100_1", "latency:2080ti_32", "latency:titan_xp_64"),
}
"""Two properties that are raised, or lowered if latencies, and one limited to its median."""

TIMED = """
import json, resource, subprocess, sys, time
started = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
elapsed = time.perf_counter() - started
print(json.dumps([elapsed, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]))
"""
"""Times a process, and tells its memory, which a process as large as this one would be counted to."""


def median_seconds(functions: dict[str, Callable[[int], object]]) -> dict[str, float]:
    """Time functions in turn, so that a change of the machine's speed hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for repeat in range(REPEATS + 1):
        for name, function in functions.items():
            started = time.perf_counter()
            function(repeat)
            if repeat > 0:  # the first round warms up
                seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


def time_space(name: str) -> tuple[tuple[str, ...], ...]:
    """Return the rows of one space: unguided, guided, and the published sampler."""
    generator = Generator.from_pretrained(name)
    space = generator.search_space
    recipe = paper_recipe(space)
    published = Denoiser(space, recipe.sde, recipe.network, recipe.parameterisation).eval()
    noise = torch.randn(COUNT, len(space.nodes), len(space.operations))
    first, second, limited = (
        PropertyPredictor.from_pretrained(one, search_space=space) for one in GUIDES[name]
    )
    middle = float(np.median(limited.predict(space.sample(1_000, 0))[0]))
    sign = -1.0 if "latency" in first.property_name else 1.0
    single = sign * first
    several = single + sign * second + (limited <= middle)

    def evaluate_published(repeat: int) -> None:
        with torch.inference_mode():
            published(noise, torch.tensor(0.5))

    seconds = median_seconds(
        {
            "unguided": lambda seed: generator.sample(COUNT, sampling=Sampling(seed=seed)),
            "guided": lambda seed: generator.sample(
                COUNT, sampling=Sampling(seed=seed), guide=single
            ),
            "several": lambda seed: generator.sample(
                COUNT, sampling=Sampling(seed=seed), guide=several
            ),
            "published": evaluate_published,
        }
    )
    seconds["published"] *= PUBLISHED_EVALUATIONS[name]
    labels = {
        "unguided": "unguided",
        "guided": f"guided to {GUIDES[name][0]}",
        "several": f"guided to {GUIDES[name][0]} and {GUIDES[name][1]}, {GUIDES[name][2]} limited",
        "published": f"published sampler and network, {PUBLISHED_EVALUATIONS[name]:,} evaluations, "
        "extrapolated from one",
    }
    return tuple(
        (name, labels[key], f"{value:.3g} s", f"{value / seconds['unguided']:.3g}")
        for key, value in seconds.items()
    )


def time_processes() -> list[tuple[str, ...]]:
    """Return the rows of whole processes, run in turn: torch alone, and the command line."""
    command = f"diffusionnag generate nasbench201 -n {COUNT}"
    processes = {
        "`import torch`, whole process": ["-c", "import torch"],
        f"`{command}`, whole process": ["-m", *command.split()],
        f"`{command} --guide cifar10`, whole process": [
            "-m",
            *command.split(),
            "--guide",
            "cifar10",
        ],
    }
    seconds: dict[str, list[float]] = {label: [] for label in processes}
    peaks = dict.fromkeys(processes, 0)
    for repeat in range(PROCESSES + 1):
        for label, arguments in processes.items():
            elapsed, peak = json.loads(
                subprocess.run(
                    [sys.executable, "-c", TIMED, sys.executable, *arguments],
                    check=True,
                    stdout=subprocess.PIPE,
                ).stdout
            )
            if repeat > 0:
                seconds[label].append(elapsed)
            peaks[label] = max(peaks[label], peak)
    medians = {label: statistics.median(each) for label, each in seconds.items()}
    alone = next(iter(medians.values()))
    return [
        (
            "nasbench201" if command in label else "-",
            label,
            f"{median:.2f} s, {peaks[label] / 1024:.0f} MiB at most",
            f"{median / alone:.2f} times torch alone",
        )
        for label, median in medians.items()
    ]


def main() -> None:
    """Measure everything and write the table."""
    rows = [*time_space("nasbench201"), *time_space("mobilenetv3"), *time_processes()]
    table = ResultTable(
        title=f"Time to generate {COUNT} architectures",
        columns=("space", "what", "time", "relative to unguided"),
        rows=tuple(rows),
        notes=(
            f"Medians of {REPEATS} (whole processes: {PROCESSES}), after load, all measured in turn.",
        ),
    )
    write_benchmark(table, "speed")


if __name__ == "__main__":
    main()
