"""What each shipped predictor learns from: tables, their columns, and the sizes of the models."""

from __future__ import annotations

from dataclasses import dataclass

from diffusionnag.predictors import ModelKind

SMALL, TAUGHT = (48, 3_000), (64, 8_000)
"""Widths and steps of predictors of one property: small, so that they all fit into the package."""
SHIPPED_RESOLUTION = 224.0


@dataclass(frozen=True)
class Source:
    """A table with the columns that are learnt from it, each by a predictor of its own."""

    space: str
    table: str
    columns: tuple[str, ...]
    condition: str | None = None
    """A column that says under which condition the others were measured."""
    model: ModelKind = "ensemble"
    """A Gaussian process where there are few labels."""
    size: tuple[int, int] = SMALL
    """Width and steps of its predictors."""
    shipped_under: float = SHIPPED_RESOLUTION
    """The condition that its predictors ship set to."""
    taught: bool = False
    """Whether they learn from what Gaussian processes say (see `distilled`)."""


@dataclass(frozen=True)
class JointSource:
    """A table whose columns, the named ones or all others, one model learns together."""

    space: str
    table: str
    columns: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    condition: str | None = None
    size: tuple[int, int] = (64, 7_000)
    """Width and steps, fewer where measurements are noisy."""
    magnitude: float = 0.0
    """How much of the distances of values is learnt beside their ranks (see `RankGaussian`)."""
    knots: int = 257
    """Knots of each property's scale."""
    taught: bool = False
    """Whether it learns what a ridge regression within each width says (see `within_widths`)."""
    by_class: bool = False
    """Whether isomorphic cells share values, so that whole classes of them are held out."""


SOURCES = (
    Source(
        "mobilenetv3",
        "mobilenetv3_ofa_imagenet",
        ("imagenet_top1",),
        condition="resolution",
        size=TAUGHT,
        taught=True,
    ),
    Source(
        "mobilenetv3",
        "mobilenetv3_ofa_datasets",
        ("cifar10",),
        condition="resolution",
        shipped_under=192.0,
    ),
    Source(
        "mobilenetv3",
        "mobilenetv3_ofa_datasets",
        ("cifar100", "svhn"),
        model="gaussian_process",
    ),
    Source("mnasnet", "mnasnet_imagenet", ("imagenet_top1",)),
)

JOINT_SOURCES = (
    JointSource(
        "nasbench201",
        "analog-nasbench",
        ("cifar10", "quantised_8bit", "analog_noise", "analog_drift_1month"),
        size=(128, 8_000),
    ),
    JointSource(
        "nasbench201", "nasbench201_latency_ms", size=(64, 18_000), magnitude=0.15, knots=513
    ),
    JointSource(
        "nasbench201",
        "nasbench201_robustness_cifar10",
        tuple(
            f"robustness:{name}"
            for name in ("fgsm_1", "pgd_1", "square_1", "square_2", "corruptions_mean")
        ),
        size=(48, 6_000),
        by_class=True,
    ),
    JointSource("mobilenetv3", "mobilenetv3_ofa_latency_ms", condition="resolution"),
    JointSource(
        "mnasnet",
        "mnasnet_imagenet",
        (
            *(f"{device}_latency_ms" for device in ("zcu102", "vck190")),
            *(
                f"{device}_images_per_s"
                for device in ("a100", "3090", "tpuv2", "tpuv3", "zcu102", "vck190")
            ),
        ),
        size=(64, 12_000),
        magnitude=0.1,
    ),
    # Values leave gaps, as memory does between two widths; by ranks alone errors jump over them.
    JointSource(
        "gpt2",
        "hwgpt_s",
        without=("params", "macs"),
        size=(128, 12_000),
        magnitude=0.8,
        knots=129,
        taught=True,
    ),
)
