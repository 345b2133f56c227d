"""Recipes: everything that decides how a generator is trained, by name."""

from __future__ import annotations

from dataclasses import dataclass

from diffusionnag.diffusion.denoiser import Parameterisation
from diffusionnag.diffusion.score_network import (
    LARGER_NETWORK,
    PAPER_NETWORK,
    ScoreNetworkConfig,
)
from diffusionnag.diffusion.sde import SDE, VESDE
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces import SearchSpace


@dataclass(frozen=True)
class Recipe:
    """The forward process, the network, and the settings of its training and sampling."""

    name: str
    sde: SDE
    network: ScoreNetworkConfig
    parameterisation: Parameterisation
    steps: int
    learning_rate: float
    ema_decay: float
    solver: str
    decay_learning_rate: bool
    broken_share: float
    """Share of a batch that breaks a rule by one operation, which the network learns to mend."""
    batch_size: int = 256


MANY_NODES = 32
"""Above so many nodes the larger network learns; the small one was tried on up to 28."""


def fast_recipe(space: SearchSpace) -> Recipe:
    """Return the library's own recipe: a small denoiser of operation probabilities."""
    small = space.wiring.is_fixed and len(space.nodes) <= MANY_NODES
    return Recipe(
        name="fast",
        sde=VESDE(sigma_min=0.02, sigma_max=5.0),
        network=ScoreNetworkConfig() if small else LARGER_NETWORK,
        parameterisation="probabilities",
        steps=4_000 if space.has_rule else 1_500,
        learning_rate=4e-3 if small else 2e-3,
        ema_decay=0.999,
        solver="ancestral",
        decay_learning_rate=True,
        broken_share=0.1,
    )


def paper_recipe(space: SearchSpace) -> Recipe:
    """Return the published recipe: score matching with the 3.99 M parameter network."""
    mobilenet = space.name == "mobilenetv3"
    return Recipe(
        name="paper",
        sde=VESDE(sigma_min=0.1, sigma_max=1.0 if mobilenet else 5.0),
        network=PAPER_NETWORK,
        parameterisation="score",
        steps=1_000_000 if mobilenet else 250_000,
        learning_rate=2e-5,
        ema_decay=0.9999,
        solver="reverse_diffusion" if mobilenet else "predictor_corrector",
        decay_learning_rate=False,
        broken_share=0.0,
    )


RECIPES = {"fast": fast_recipe, "paper": paper_recipe}
"""Recipes by name: each a function of the search space."""


def get_recipe(name: str, space: SearchSpace) -> Recipe:
    """Return a recipe for a space by name; raises DiffusionNAGError for an unknown one."""
    if name not in RECIPES:
        raise DiffusionNAGError(f"no recipe named {name!r}; known: {', '.join(RECIPES)}")
    return RECIPES[name](space)
