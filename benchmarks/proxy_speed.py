"""Time of training-free proxies beside one step of training; writes results/proxy-speed.md."""

from __future__ import annotations

import torch

from benchmarks.speed import REPEATS, median_seconds
from diffusionnag import get_search_space
from diffusionnag.networks import Augmentation, OwnFit, build_network, load_data
from diffusionnag.proxies import FURTHER_PROXIES, PROXIES, ProxySettings, score_architecture
from experiments.measured_data import CIFAR10_TRAINING, data_file
from experiments.result_table import ResultTable, write_benchmark

SPACE = "nasbench201"
HEAVIEST = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
BATCH = 64
MANY = 500


def main() -> None:
    """Score cells, all measured in turn, and write the table."""
    space = get_search_space(SPACE)
    data = load_data(data_file(CIFAR10_TRAINING), space, subset=10 * BATCH)
    assert not isinstance(data, OwnFit)
    inputs, targets = data.batch(torch.arange(BATCH), Augmentation(), torch.device("cpu"))
    heaviest, drawn = space.parse(HEAVIEST), space.sample(REPEATS + 1, 0)
    network = build_network(space, heaviest, task=data.task, seed=0)
    usual = ProxySettings(batch=BATCH, besides=FURTHER_PROXIES)
    every = ProxySettings(tuple(PROXIES), batch=BATCH)
    step, all_of_random = (
        "one step of training, the heaviest cell",
        f"all {len(PROXIES)}, random cells",
    )
    seconds = median_seconds(
        {
            step: lambda repeat: data.loss(network(inputs), targets, 0.0).backward(),
            f"all {len(PROXIES)}, the heaviest cell": lambda repeat: score_architecture(
                space, heaviest, data, every
            ),
            all_of_random: lambda repeat: score_architecture(space, drawn[repeat], data, every),
            f"the {len(usual.asked)} that `proxies` scores, random cells": lambda repeat: (
                score_architecture(space, drawn[repeat], data, usual)
            ),
        }
    )
    table = ResultTable(
        title="Time of training-free proxies",
        columns=("what", "time", "relative to a step of training"),
        rows=tuple(
            (name, f"{each:.3f} s", f"{each / seconds[step]:.1f}") for name, each in seconds.items()
        ),
        notes=(
            f"Whole cells of {SPACE} with a batch of {BATCH} images of CIFAR-10; a step of training: "
            f"forward and back. Medians of {REPEATS}, all measured in turn.",
            f"All proxies of {MANY} random cells would take "
            f"{MANY * seconds[all_of_random] / 60:.0f} minutes, one after another.",
        ),
    )
    write_benchmark(table, "proxy-speed")


if __name__ == "__main__":
    main()
