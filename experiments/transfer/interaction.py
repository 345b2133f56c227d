"""Does the order of architectures depend on the data set? A product kernel beside the additive parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from diffusionnag._adam import Adam
from diffusionnag._confidence import interval
from diffusionnag.images import read_images
from diffusionnag.predictors import PathsAndOrder, RankGaussian, covariance_of, spearman
from diffusionnag.spaces import SearchSpace, get_search_space
from diffusionnag.transfer.dataset_encoding import DatasetEncoding, encode_dataset
from diffusionnag.transfer.effects import memberships
from diffusionnag.transfer.image_encoder import ImageEncoder
from diffusionnag.transfer.triplets import Triplets, read_triplets
from experiments.measured_data import (
    IMAGENET_SINGLES,
    NASBENCH201_DATASETS,
    Truth,
    data_file,
    required_table,
)
from experiments.result_table import ResultTable
from experiments.transfer.dataset_aware import HELD_OUT, TRIPLETS
from experiments.transfer.known_by_images import SPACE, images_of

FITTED_ON = 1_500
"""Triplets that kernels are fitted on, those first that share their data set with most others."""
ITERATIONS, LEARNING_RATE = 60, 0.1
FOLDS = 5
DIRECTIONS = 10
"""Principal directions of the data sets' mean image codes."""
BLOCK = 500
ADDITIVE = "additive"


@dataclass(frozen=True)
class Model:
    """What a covariance of triplets is made of: architectures, data sets, and their product or none.

    Each part is a list of groups of features, `triplets x features`.
    """

    architectures: list[Tensor]
    datasets: list[Tensor]
    product: list[Tensor]

    def start(self) -> Tensor:
        """Return the logarithms of variances, lengths and noise that hold without evidence."""
        again = self.architectures if self.product else []
        groups = [*self.architectures, *self.datasets, *again]
        variances = [0.0] * (len(groups) - len(again)) + [-3.0] * len(again)
        lengths = [_usual_length(group) for group in (*groups, *self.product)]
        return torch.tensor([*variances, *lengths, -2.0], dtype=torch.float64)

    def covariance(self, kernel: Tensor, other: Model) -> tuple[Tensor, Tensor]:
        """Return that of these triplets with others: what tells architectures apart, and data sets.

        The former is the part of architectures in any data set, and the product.
        """
        few = len(self.architectures)
        parts = few + 1 + (few if self.product else 0)
        variances, lengths, noise = kernel[:parts], kernel[parts:-1], kernel[-1:]

        def of(a: list[Tensor], b: list[Tensor], start: int) -> Tensor:
            rows = slice(start, start + len(a))
            return covariance_of(a, b, torch.cat([variances[rows], lengths[rows], noise]))

        telling = of(self.architectures, other.architectures, 0)
        if self.product:
            shape = torch.cat([torch.zeros_like(noise), lengths[parts:], noise])
            alike = covariance_of(self.product, other.product, shape)
            telling = telling + alike * of(self.architectures, other.architectures, few + 1)
        return telling, of(self.datasets, other.datasets, few)

    def whole(self, kernel: Tensor, other: Model) -> Tensor:
        """Return the covariance of these triplets with others, `these x others`, without noise."""
        telling, of_datasets = self.covariance(kernel, other)
        return telling + of_datasets

    def of(self, rows: Tensor) -> Model:
        """Return the same of some of the triplets."""
        parts = (self.architectures, self.datasets, self.product)
        return Model(*([group[rows] for group in part] for part in parts))


def _usual_length(group: Tensor) -> float:
    return float(0.5 * torch.log(2 * group.var(0, correction=0).sum() + 1e-9))


def interaction(report: Callable[[str], None]) -> ResultTable:
    """Return what a product kernel adds, held out by data set, and on the benchmark's data sets.

    Raises DiffusionNAGError where triplets, images or accuracies are not installed.
    """
    space = get_search_space(SPACE)
    images = read_images(data_file(IMAGENET_SINGLES))
    triplets = read_triplets(data_file(TRIPLETS), space, images.classes, HELD_OUT)
    encoder = ImageEncoder.from_pretrained()
    report("encoding images")
    known = _class_codes(encode_dataset(images, encoder, most_classes=None))
    asked = {
        name: _class_codes(encode_dataset(images_of(name), encoder)).mean(0, keepdim=True)
        for name in NASBENCH201_DATASETS
    }
    task, codes, asked = _encodings(triplets, known, asked)
    x = torch.from_numpy(space.encode([triplets.architectures[row] for row in triplets.seen]))
    shared = [memberships([triplets.classes[row] for row in triplets.seen])]
    groups = PathsAndOrder(space)(x.double())
    accuracies = triplets.accuracies[triplets.seen]
    target = torch.from_numpy(RankGaussian.fit(accuracies).to_normal(accuracies))
    target = target - target.mean()
    models = {
        ADDITIVE: Model(groups, shared, []),
        "with architecture x classes": Model(groups, shared, shared),
        "with architecture x images": Model(groups, shared, [codes]),
    }
    rows, pairs_of, density_of = [], {}, {}
    for name, model in models.items():
        report(f"{name}: fitting the kernel")
        kernel, evidence = _fit(model, target, _most_shared(task))
        report(f"{name}: predicting data sets left out")
        mean, density = _left_out(model, kernel, target, task)
        pairs_of[name] = _pairs_in_order(mean, accuracies, task)
        density_of[name] = np.bincount(task, density)
        gains = [
            _gain(of[name], of[ADDITIVE], scale)
            for of, scale in ((density_of, 1.0), (pairs_of, 100.0))
        ]
        tested = ["-"] * len(NASBENCH201_DATASETS)
        if name != "with architecture x classes":
            tested = _tested(space, model, kernel, target, asked, report)
        share = 100 * np.nanmean(pairs_of[name])
        rows.append((name, f"{evidence:.1f}", gains[0], f"{share:.1f}", gains[1], *tested))
    return ResultTable(
        title="Does the order of architectures depend on the data set? A product kernel",
        columns=(
            "kernel",
            "log evidence",
            "gain in log density of a data set left out",
            "pairs of a data set left out in the right order, %",
            "gain",
            *(f"{name}: Spearman, gap closed by the best 1,000" for name in NASBENCH201_DATASETS),
        ),
        rows=tuple(rows),
        notes=(
            f"The {len(target):,} triplets that are learnt from, of {task.max() + 1:,} data sets of 20 "
            f"ImageNet classes. Evidence: log marginal likelihood of {FITTED_ON:,} of them, on which "
            f"kernels are fitted. Left out: a fifth of the data sets in turn; {_pairs(task):,} of them "
            "have two triplets or more. Gains over the additive kernel: mean over data sets with 95 % "
            "interval.",
            "Images: the mean code of each class, averaged over classes, in "
            f"{DIRECTIONS} principal directions. The last columns are tests alone: all 15,625 cells "
            "in the order predicted for the data set's own images (ImageNet16-120: those at hand), "
            "against test accuracy after 200 epochs; nothing was chosen by them.",
        ),
    )


def _class_codes(encoding: DatasetEncoding) -> Tensor:
    """Return the mean code of each class in the order of its number, `classes x dimensions`."""
    order = torch.tensor(np.argsort(encoding.labels))
    codes, present = encoding.codes[order].double(), encoding.present[order][..., None]
    return (codes * present).sum(1) / present.sum(1)


def _encodings(
    triplets: Triplets, known: Tensor, asked: dict[str, Tensor]
) -> tuple[np.ndarray, Tensor, dict[str, Tensor]]:
    """Return each triplet's data set by number, and encodings of these and of the data sets asked for."""
    classes = [tuple(sorted(triplets.classes[row])) for row in triplets.seen]
    number: dict[tuple[int, ...], int] = {}
    task = np.array([number.setdefault(members, len(number)) for members in classes])
    spread = known.std(0)
    mean = torch.stack([known[list(members)].mean(0) for members in classes]) / spread
    centre = mean.mean(0)
    directions = torch.linalg.svd(mean - centre, full_matrices=False)[2][:DIRECTIONS].T
    scale = ((mean - centre) @ directions[:, 0]).std()

    def encoded(codes: Tensor) -> Tensor:
        return (codes - centre) @ directions / scale

    return task, encoded(mean), {name: encoded(code / spread) for name, code in asked.items()}


def _most_shared(task: np.ndarray) -> Tensor:
    """Return the rows to fit on."""
    order = np.argsort(-np.bincount(task)[task], kind="stable")
    return torch.from_numpy(np.sort(order[:FITTED_ON]))


def _fit(model: Model, target: Tensor, rows: Tensor) -> tuple[Tensor, float]:
    """Return the kernel that maximises evidence times a weak prior, and its log evidence."""
    few, wanted = model.of(rows), target[rows]
    start = model.start()
    kernel, evidence = start.clone().requires_grad_(), 0.0
    optimiser = Adam(kernel, LEARNING_RATE)
    for _ in range(ITERATIONS):
        covariance = few.whole(kernel, few) + _noise(kernel) * torch.eye(len(rows))
        factor = torch.linalg.cholesky(covariance)
        solved = torch.linalg.solve_triangular(factor, wanted[:, None], upper=False)
        loss = 0.5 * solved.square().sum() + factor.diagonal().log().sum()
        evidence = -float(loss) - 0.5 * len(rows) * np.log(2 * np.pi)
        loss = loss + 0.5 * ((kernel - start) / 1.5).square().sum()
        (gradient,) = torch.autograd.grad(loss, kernel)
        optimiser.step(gradient)
    return kernel.detach(), evidence


def _noise(kernel: Tensor) -> Tensor:
    return kernel[-1].exp() + 1e-5


def _left_out(
    model: Model, kernel: Tensor, target: Tensor, task: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return predicted mean and log density of each triplet, its data set being left out, `triplets`."""
    fold = np.random.default_rng(0).permutation(task.max() + 1)[task] % FOLDS
    mean, density = np.empty((2, len(target)))
    for part in range(FOLDS):
        held, seen = (
            torch.from_numpy(np.flatnonzero(rows)) for rows in (fold == part, fold != part)
        )
        known, new = model.of(seen), model.of(held)
        covariance = known.whole(kernel, known)
        covariance.diagonal().add_(_noise(kernel))
        factor = torch.linalg.cholesky(covariance)
        cross = known.whole(kernel, new)
        explained = torch.linalg.solve_triangular(factor, cross, upper=False)
        solved = torch.linalg.solve_triangular(factor, target[seen][:, None], upper=False)
        predicted = (explained.T @ solved)[:, 0]
        single = new.of(torch.arange(1))
        prior = single.whole(kernel, single)[0, 0]
        variance = prior + _noise(kernel) - explained.square().sum(0)
        error = (target[held] - predicted).square() / variance
        mean[held] = predicted
        density[held] = -0.5 * (error + variance.log() + np.log(2 * np.pi))
    return mean, density


def _pairs_in_order(mean: np.ndarray, accuracies: np.ndarray, task: np.ndarray) -> np.ndarray:
    """Return the share of a data set's pairs of triplets in the right order, NaN where none, `tasks`."""
    first, second = np.triu_indices(len(task), 1)
    chosen = (task[first] == task[second]) & (accuracies[first] != accuracies[second])
    first, second = first[chosen], second[chosen]
    right = (mean[first] > mean[second]) == (accuracies[first] > accuracies[second])
    count = np.bincount(task[first], minlength=task.max() + 1).astype(float)
    count[count == 0] = np.nan
    return np.bincount(task[first], right, minlength=len(count)) / count


def _pairs(task: np.ndarray) -> int:
    return int((np.bincount(task) > 1).sum())


def _gain(values: np.ndarray, base: np.ndarray, scale: float) -> str:
    difference = scale * (values - base)[np.isfinite(values)]
    if not difference.any():
        return "-"
    return f"{difference.mean():+.4f} ± {interval(difference):.4f}"


def _tested(
    space: SearchSpace,
    model: Model,
    kernel: Tensor,
    target: Tensor,
    asked: dict[str, Tensor],
    report: Callable[[str], None],
) -> list[str]:
    """Return rank correlation with, and gap closed in, the true accuracies on each data set."""
    table = required_table(SPACE, "nasbench201_accuracy")
    x = torch.from_numpy(space.encode([space.parse(name) for name in table.architectures]))
    covariance = model.whole(kernel, model)
    covariance.diagonal().add_(_noise(kernel))
    weights = torch.cholesky_solve(target[:, None], torch.linalg.cholesky(covariance))[:, 0]
    features, tested = PathsAndOrder(space), []
    for name, column in NASBENCH201_DATASETS.items():
        report(f"predicting all cells for {name}")
        scores = []
        for block in x.double().split(BLOCK):
            product = [asked[name].expand(len(block), -1)] if model.product else []
            new = Model(features(block), [model.datasets[0][: len(block)]], product)
            scores.append(new.covariance(kernel, model)[0] @ weights)
        score, truth = torch.cat(scores).numpy(), Truth.of(table, column)
        values = table.column(column)
        best = values[np.argsort(-score, kind="stable")[:1_000]]
        tested.append(f"{spearman(score, values):.3f}, {truth.closed(best):.1f} %")
    return tested
