"""What data sets on which MobileNetV3 networks were tuned tell about one that is left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from scipy.stats import rankdata

from diffusionnag.images import read_images, read_pixels
from diffusionnag.networks.tasks.image_data import ImageData
from diffusionnag.predictors import spearman
from diffusionnag.proxies import ProxySettings, combined_ranks, score_architecture
from diffusionnag.transfer import ImageEncoder, MeanOverDatasets, encode_dataset
from experiments.measured_data import CIFAR10_TRAINING, IMAGENET_SINGLES, data_file
from experiments.result_table import ResultTable
from experiments.transfer.tuned_datasets import TunedDataset, others_than, tuned_datasets

IMAGES = {
    "ImageNet": IMAGENET_SINGLES,
    "CIFAR-10": CIFAR10_TRAINING,
    "CIFAR-100": "cifar100_train_100perclass.parquet",
}
"""The image files at hand; none of SVHN."""
SCORED, SIZE = 120, 32
"""Networks of each data set whose proxies are computed, on images of so many pixels."""


def dataset_transfer(report: Callable[[str], None]) -> ResultTable:
    """Return rank correlations with what was measured on each data set, the others being known.

    Raises DiffusionNAGError where a table or an image file is not installed.
    """
    datasets = tuned_datasets()
    report("looking at images")
    codes = _codes()
    pixels = _pixels()
    rows = []
    for target in datasets:
        report(target.name)
        macs = _analytic(target, "macs")
        others = others_than(target, datasets)
        alike = [each for each in others if each.plain == target.plain]
        held_out = target.held_out()
        cells = [
            _told(group, target, macs) for group in (others, alike, _nearest(target, others, codes))
        ]
        scored = np.random.default_rng(0).permutation(len(target.values))[:SCORED]
        proxies = _proxies(target, scored.tolist(), pixels)
        rows.append(
            (
                target.name,
                f"{len(target.values):,}",
                f"{spearman(held_out.mean, held_out.true):.2f}",
                *cells,
                _both(proxies, target.values[scored], macs[scored]),
                _both(_analytic(target, "params"), target.values, macs),
                f"{spearman(macs, target.values):.2f}",
            )
        )
    return ResultTable(
        title="What other data sets tell of MobileNetV3 networks tuned on one that is left out",
        columns=(
            *("left out", "networks", "own labels", "mean of all others", "mean of those alike"),
            *("nearest by images", "proxies", "params", "macs"),
        ),
        rows=tuple(rows),
        notes=(
            "Spearman's rank correlation with what was measured, behind it the partial one at equal MACs "
            "(of ranks): what is left once all networks are as large. Own labels: a Gaussian process on "
            "four fifths of the measurements, asked for the last.",
            "Mean: of the normal scores of the predictors of the data sets. Alike: those whose networks "
            "were tuned the same way, plain ones at 192 or 224 pixels, or ones with early exits at 32. "
            "Of CIFAR-10, which has both, neither tells of the other. Of a new task about which nothing "
            "is measured, `transfer --from` holds the mean of all.",
            "Nearest by images: the known data set whose mean image code, of the shipped encoder, has the "
            "greatest cosine with that of the one left out. There are images of three of the four (none "
            "of SVHN), and two choices each: no rule can be learnt from that.",
            f"Proxies: mean rank of nwot, synflow and jacov of {SCORED} untrained networks each, on images "
            f"of CIFAR-10 at {SIZE} pixels.",
        ),
    )


def _told(known: Sequence[TunedDataset], target: TunedDataset, macs: np.ndarray) -> str:
    """Return how well the mean over known data sets ranks what was measured on the target."""
    if not known:
        return "-"
    mean = MeanOverDatasets([each.predictor for each in known])
    return _both(mean.normal_score(target.architectures), target.values, macs)


def _both(scores: np.ndarray, values: np.ndarray, macs: np.ndarray) -> str:
    known = np.isfinite(scores)
    scores, values, macs = scores[known], values[known], macs[known]
    return f"{spearman(scores, values):.2f} ({partial_spearman(scores, values, macs):+.2f})"


def partial_spearman(x: np.ndarray, y: np.ndarray, given: np.ndarray) -> float:
    """Return the rank correlation of x and y at equal `given`, each `count`: of what ranks leave over."""
    ranks = [rankdata(each) - (len(each) + 1) / 2 for each in (x, y, given)]
    z = ranks.pop()
    left = [rank - z * (rank @ z) / (z @ z) for rank in ranks]
    return float(left[0] @ left[1] / np.sqrt((left[0] @ left[0]) * (left[1] @ left[1])))


def _analytic(target: TunedDataset, name: str) -> np.ndarray:
    properties = map(target.space.analytic_properties, target.architectures)
    return np.array([each[name] for each in properties])


def _codes() -> dict[str, torch.Tensor]:
    """Return the mean image code of each data set whose images are at hand."""
    encoder = ImageEncoder.from_pretrained()
    codes = {}
    for name, file in IMAGES.items():
        encoding = encode_dataset(read_images(data_file(file)), encoder, most_classes=None)
        codes[name] = encoding.codes[encoding.present].mean(0)
    return codes


def _nearest(
    target: TunedDataset, others: Sequence[TunedDataset], codes: Mapping[str, torch.Tensor]
) -> list[TunedDataset]:
    """Return those of the others, of the data set with the most similar images; none if unknown."""
    known = {each.images for each in others} & codes.keys()
    if target.images not in codes:
        return []
    nearest = max(
        sorted(known),
        key=lambda name: float(torch.cosine_similarity(codes[name], codes[target.images], dim=0)),
    )
    return [each for each in others if each.images == nearest]


def _pixels() -> ImageData:
    images = read_images(data_file(CIFAR10_TRAINING))
    some = read_pixels(images, SIZE, np.random.default_rng(0).permutation(len(images))[:256])
    return ImageData.of_pixels(images.classes, some, some, SIZE)


def _proxies(target: TunedDataset, rows: Sequence[int], data: ImageData) -> np.ndarray:
    """Return the combined ranks of untrained networks, `rows`."""
    scores = [
        score_architecture(target.space, target.architectures[row], data, ProxySettings(batch=32))
        for row in rows
    ]
    return combined_ranks({name: np.array([score[name] for score in scores]) for name in scores[0]})
