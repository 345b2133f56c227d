"""What the searches of the paper's figures are run on, and who searches."""

from __future__ import annotations

from collections.abc import Sequence

from diffusionnag.search.proposers import ACQUISITIONS, STRATEGIES
from experiments.search.search_runs import Benchmark, Run, Searcher

SEEDS = tuple(range(10))
DATASETS = {"CIFAR-10": "cifar10", "CIFAR-100": "cifar100", "ImageNet16-120": "imagenet16"}
TRIALS = 100
"""How many measurements a curve shows."""
FEWER_TRIALS = 50
"""How many where a hundred would take too long."""
CAP, MODEL_CAP = 500, 150
"""When a search for the best cell is given up; one that fits a model at each step ends earlier."""

STRATEGY_SEARCHERS = tuple(
    Searcher("diffusionnag", strategy, ACQUISITIONS[0]) for strategy in STRATEGIES
)
FREE_BASELINES = tuple(Searcher(name) for name in ("random", "rea", "reinforce", "local-search"))
MODEL_BASELINES = tuple(
    Searcher(name) for name in ("bananas", "gp-ucb", "nas-bowl", "tpe", "optuna-gp")
)
SEARCHERS = (*STRATEGY_SEARCHERS, *FREE_BASELINES, *MODEL_BASELINES)


def test_accuracy(dataset: str) -> Benchmark:
    """Return the search of NAS-Bench-201 on what is reported, test accuracy after 200 epochs."""
    text = f"table:nasbench201_accuracy:{DATASETS[dataset]}_test_200ep"
    return Benchmark(dataset, "nasbench201", text, text, CAP, decimals=2)


def short_training(dataset: str) -> Benchmark:
    """Return the search on validation accuracy after 12 epochs, of which test accuracy is reported."""
    table = f"table:nasbench201_accuracy:{DATASETS[dataset]}"
    searched, reported = f"{table}_valid_12ep", f"{table}_test_200ep"
    name = f"{dataset}, 12 epochs searched"
    return Benchmark(name, "nasbench201", searched, reported, TRIALS, decimals=6)


def big_space() -> Benchmark:
    """Return the search of about 10^11 MnasNet networks, on a surrogate of measured accuracies."""
    text = "surrogate:mnasnet_imagenet:imagenet_top1"
    return Benchmark("MnasNet, ImageNet", "mnasnet", text, text, TRIALS)


def biggest_space() -> Benchmark:
    """Return the search of about 10^19 MobileNetV3 networks, on Once-for-All's predictor, calibrated."""
    text = "surrogate:mobilenetv3_ofa:imagenet_top1@224"
    return Benchmark("MobileNetV3, ImageNet", "mobilenetv3", text, text, FEWER_TRIALS)


def runs_of(benchmark: Benchmark, searcher: Searcher, seeds: Sequence[int] = SEEDS) -> list[Run]:
    """Return one run for each seed."""
    most = CAP if searcher in FREE_BASELINES else MODEL_CAP
    return [Run(benchmark, searcher, seed, min(benchmark.trials, most)) for seed in seeds]
