"""Training and sampling in chains of 25 to 200 nodes, time and memory; writes results/scaling.md."""

from __future__ import annotations

import resource
import time

import numpy as np
import torch

from diffusionnag.diffusion._broken import Broken
from diffusionnag.diffusion.denoiser_training import TrainingRun
from diffusionnag.diffusion.recipes import get_recipe
from diffusionnag.diffusion.training_set import TrainingSet
from diffusionnag.generation import Generator, Sampling
from diffusionnag.generation.generator import Origin
from diffusionnag.spaces import Declaration, SearchSpace, declared_space
from experiments.result_table import ResultTable, write_benchmark

NODES = (25, 50, 100, 200)
OPERATIONS = ("conv3x3", "conv5x5", "conv7x7", "skip")
STEPS = 6
SAMPLES = 64


def chain(nodes: int) -> SearchSpace:
    """Return a space of so many nodes in a row, with four operations at each."""
    names = {f"layer{number}": OPERATIONS for number in range(1, nodes + 1)}
    return declared_space(Declaration(f"chain{nodes}", names))()


def measure(nodes: int) -> tuple[float, float, float]:
    """Return seconds of a training step and of a sample, and the most memory so far in MiB."""
    space = chain(nodes)
    operations = torch.from_numpy(TrainingSet(0).operations(space))
    recipe = get_recipe("fast", space)
    run, broken = TrainingRun.start(space, recipe, seed=0), Broken.none(space)
    training, sampling = list[float](), list[float]()
    for step in range(STEPS + 1):
        begun = time.process_time()
        run.train_step(operations, broken)
        if step > 0:  # the first prepares memory
            training.append(time.process_time() - begun)
    generator = Generator(space, run.averaged_denoiser(), recipe.solver, Origin("fast", STEPS, 0))
    for seed in range(3):
        begun = time.process_time()
        generator.draw(SAMPLES, sampling=Sampling(seed=seed))
        sampling.append((time.process_time() - begun) / SAMPLES)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return float(np.median(training)), min(sampling), memory


def main() -> None:
    """Measure all sizes, the smallest first, and write the table."""
    torch.set_num_threads(1)
    measured = np.array([measure(nodes) for nodes in NODES])
    exponents = np.polyfit(np.log(NODES), np.log(measured[:, :2]), 1)[0]
    table = ResultTable(
        title="Chains of more and more nodes",
        columns=("nodes", "a training step", "a sample", "most memory so far"),
        rows=(
            *(
                (str(nodes), f"{step:.2f} s", f"{1000 * sample:.1f} ms", f"{memory:,.0f} MiB")
                for nodes, (step, sample, memory) in zip(NODES, measured, strict=True)
            ),
            ("grows as nodes to the power of", *(f"{each:.2f}" for each in exponents), "-"),
        ),
        notes=(
            f"CPU time by one thread, of chains with {len(OPERATIONS)} operations at each node: the "
            f"median of {STEPS} steps of training (256 architectures each), the best of three times "
            f"{SAMPLES} samples. Training takes 1,500 steps without a rule, 4,000 with some.",
        ),
    )
    write_benchmark(table, "scaling")


if __name__ == "__main__":
    main()
