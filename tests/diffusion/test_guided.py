"""The two gradients of guidance: through the network, and as if nodes were independent."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from diffusionnag import Generator, PropertyPredictor
from diffusionnag.diffusion import Strength, guided
from diffusionnag.generation.sampling import Sampling
from diffusionnag.guidance import Guidance

PROBABILITIES = torch.tensor([0.5, 0.3, 0.15, 0.05])
WITHOUT_NETWORK = Strength(through_network=False)


class Pairs(Guidance):
    """Likes neighbouring nodes to do the same, and x to be small."""

    def log_likelihood(self, x: Tensor, sigma: Tensor, clean: Tensor) -> Tensor:
        alike = (clean[:, 1:] * clean[:, :-1]).sum((1, 2))
        return 3 * alike - 0.1 * x.square().sum((1, 2)) / (1 + sigma)


@pytest.mark.parametrize("sigma", [0.1, 0.5, 2.0])
def test_of_independent_nodes_both_gradients_are_the_same(sigma: float) -> None:
    def independent(x: Tensor, sigma: Tensor) -> Tensor:
        return (x / sigma**2 + PROBABILITIES.log()).softmax(-1)

    x = torch.randn(16, 5, 4, generator=torch.Generator().manual_seed(0))
    exact, quick = (
        guided(independent, Pairs(), strength)(x, torch.tensor(sigma))
        for strength in (Strength(), WITHOUT_NETWORK)
    )
    torch.testing.assert_close(quick, exact, atol=1e-5, rtol=1e-4)
    assert (exact - independent(x, torch.tensor(sigma))).abs().max() > 0.01


@pytest.mark.parametrize(
    ("space", "property_name"), [("nasbench201", "cifar10"), ("mobilenetv3", "imagenet_top1")]
)
def test_the_quick_gradient_guides_as_far(space: str, property_name: str) -> None:
    generator = Generator.from_pretrained(space)
    predictor = PropertyPredictor.from_pretrained(
        property_name, search_space=generator.search_space
    )
    middle = predictor.normal_score(generator.sample(256).architectures).mean()
    exact, quick = (
        predictor.normal_score(
            generator.sample(
                256, guide=predictor, sampling=Sampling(strength=strength)
            ).architectures
        ).mean()
        for strength in (Strength(), WITHOUT_NETWORK)
    )
    assert quick - middle > 0.85 * (exact - middle) > 0.5
