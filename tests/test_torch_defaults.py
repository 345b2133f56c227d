"""The library computes the same whatever torch's defaults are, and leaves them as they are."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from diffusionnag import (
    Architecture,
    Generator,
    PropertyPredictor,
    SearchSpace,
    get_search_space,
)
from diffusionnag.generation.resampled import sample_resampled
from diffusionnag.generation.sampling import Sampling
from diffusionnag.guidance import maximize
from diffusionnag.networks import (
    LatencySettings,
    build_network,
    count_network,
    export_network,
    measure_latencies,
)
from diffusionnag.spaces import ImageClassification, Task

SPACE = get_search_space("nasbench201")


@pytest.fixture(params=["float64", "float16", "meta"])
def defaults(request: pytest.FixtureRequest) -> Iterator[None]:
    """Other defaults than torch's own: a type of numbers, or a device."""
    if request.param == "meta":
        torch.set_default_device("meta")
    else:
        torch.set_default_dtype(getattr(torch, request.param))
    before = (torch.get_default_dtype(), torch.get_default_device())
    yield
    after = (torch.get_default_dtype(), torch.get_default_device())
    torch.set_default_dtype(torch.float32)
    torch.set_default_device("cpu")
    assert after == before


@pytest.fixture
def earlier() -> Generator:
    """A generator that was loaded before the defaults were changed."""
    return Generator.from_pretrained("nasbench201")


def test_generation_and_prediction(earlier: Generator, defaults: None) -> None:
    later = Generator.from_pretrained("nasbench201")
    predictor = PropertyPredictor.from_pretrained("nasbench201-cifar10")
    guide = maximize(predictor)
    cells = later.sample(4, guide=guide).architectures
    assert earlier.sample(4, guide=guide).architectures == cells
    few = Sampling(steps=16)
    resampled = sample_resampled(later, 4, guide=guide, particles=16, sampling=few)
    assert len(resampled.architectures) == 4
    mean, std = predictor.predict(cells)
    assert np.isfinite(mean).all()
    assert np.isfinite(std).all()


def test_fitting(defaults: None) -> None:
    cells = SPACE.sample(40, seed=0)
    values = np.array([len(set(cell.operations)) for cell in cells], dtype=float)
    predictor = PropertyPredictor(SPACE, "kinds")
    predictor.fit(cells, values)
    assert np.isfinite(predictor.predict(cells)[0]).all()


class Widths(SearchSpace):
    """A network of one convolution, which is exported sooner than a whole cell's."""

    name = "widths"
    nodes = ("convolution", "pooling")
    operations = ("narrow", "wide")
    edges = ((0, 1),)

    def build_network(self, architecture: Architecture, task: Task) -> torch.nn.Module:
        """Return a convolution, a batch norm, global pooling and a linear layer."""
        assert isinstance(task, ImageClassification)
        width = 4 * (1 + architecture.operations[0])
        return torch.nn.Sequential(
            torch.nn.Conv2d(3, width, 3, padding=1),
            torch.nn.BatchNorm2d(width),
            torch.nn.AdaptiveAvgPool2d(1),
            torch.nn.Flatten(),
            torch.nn.Linear(width, task.classes),
        )


def test_networks(tmp_path: Path, defaults: None) -> None:
    cell = build_network(SPACE, SPACE.sample(1, seed=0)[0])
    task, small = SPACE.networks.task, Widths()
    convolution = build_network(small, small.sample(1, seed=0)[0], task=task)
    for network in (cell, convolution):
        assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
        assert count_network(network, task).macs > 0
    (latency,) = measure_latencies([cell], task, LatencySettings(repeats=1))
    assert latency.median > 0
    assert export_network(convolution, task, tmp_path / "network.onnx") <= 1e-4
    (latency,) = measure_latencies([convolution], task, LatencySettings("onnxruntime", repeats=1))
    assert latency.median > 0


BEFORE = """
import torch
torch.set_default_dtype(torch.float64)
from diffusionnag import Generator, PropertyPredictor, maximize
predictor = PropertyPredictor.from_pretrained("nasbench201-cifar10")
architectures = Generator.from_pretrained("nasbench201").sample(4, guide=maximize(predictor))
print(*predictor.predict(architectures)[0])
"""


def test_defaults_may_be_changed_before_the_import() -> None:
    """What is computed at import time must not take the defaults over."""
    done = subprocess.run(
        [sys.executable, "-c", BEFORE], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    predictor = PropertyPredictor.from_pretrained("nasbench201-cifar10")
    architectures = Generator.from_pretrained("nasbench201").sample(4, guide=maximize(predictor))
    values = [float(value) for value in done.stdout.split()]
    np.testing.assert_allclose(values, predictor.predict(architectures)[0], rtol=1e-4)
