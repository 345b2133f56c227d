"""The generator: a trained denoiser of a search space, sampled freely or under guidance."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diffusionnag._devices import check_device, threads_for_rows, torch_defaults
from diffusionnag._seeds import check_seed
from diffusionnag.artifacts.checkpoints import (
    building,
    locate,
    open_checkpoint,
    read_weights,
    space_entries,
    write_checkpoint,
)
from diffusionnag.artifacts.hub import HubModel
from diffusionnag.artifacts.model_cards import About, model_card
from diffusionnag.artifacts.schema import from_json
from diffusionnag.diffusion import restart_undecided
from diffusionnag.diffusion.denoiser import Denoiser
from diffusionnag.diffusion.guided import Strength, guided
from diffusionnag.diffusion.inpainting import inpainting
from diffusionnag.diffusion.score_network import ScoreNetworkConfig
from diffusionnag.diffusion.sde import sde_from_config
from diffusionnag.diffusion.solvers import Denoise, Solver, ancestral, get_solver, time_grid
from diffusionnag.diffusion.training_set import TrainingSet
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.generation._collection import Collection
from diffusionnag.generation.best import Best, find_best
from diffusionnag.generation.samples import Samples, check_wanted
from diffusionnag.generation.sampling import Sampling
from diffusionnag.guidance import Guidance, Property, maximize
from diffusionnag.guidance.feasibility import limits_of
from diffusionnag.spaces import Architecture, FixedNodes, SearchSpace
from diffusionnag.spaces.constrained_decoding import mend_invalid

KIND = "generators"
BATCH = 512
"""Architectures that walk through the solver together."""
FREE_SOLVER = "categorical"
"""Draws more evenly than ancestral steps twice as many, and guided overshoots a tight limit."""
GUIDED_SOLVER = Solver(ancestral, 8, "undecided")
"""What these steps reach with a guide, ten or 16 do not surpass in most spaces (see solver-steps)."""
SPARE_FOR_LIMITS = 1.25
"""How many are drawn at first, for each one wanted, where some may break a limit."""


@dataclass(frozen=True)
class Origin:
    """Where a generator's weights come from: recipe, length and seed of its training."""

    recipe: str
    steps: int
    seed: int


class Generator(HubModel):
    """Generates architectures of one search space; trained once, guided by any predictor."""

    def __init__(
        self, search_space: SearchSpace, denoiser: Denoiser, solver: str, origin: Origin
    ) -> None:
        self.search_space = search_space
        self.denoiser = denoiser.eval().requires_grad_(False)
        self.solver = solver
        """The recipe's; see `usual_solver`."""
        self.origin = origin
        self.about = About()

    @property
    def training_set(self) -> TrainingSet:
        """The architectures it learnt from, which novelty is measured against."""
        return TrainingSet(self.origin.seed)

    def to(self, device: str) -> Generator:
        """Move the network to a device; return itself. Raises DiffusionNAGError if there is none."""
        self.denoiser.to(check_device(device))
        return self

    def within(self, space: SearchSpace) -> Generator:
        """Return the generator of a space in which nodes are fixed (see `fix_nodes`), else itself.

        It generates the other nodes to go with them (in-painting). Raises DiffusionNAGError where
        the space is a part of another one than the generator's.
        """
        if not isinstance(space, FixedNodes):
            return self
        if space.name != self.search_space.name:
            raise DiffusionNAGError(
                f"the generator is of {self.search_space.name}, not of {space.name}"
            )
        narrowed = copy.copy(self)
        narrowed.search_space = space
        return narrowed

    # -- sampling ---------------------------------------------------------------------------------

    @torch_defaults()
    def sample(
        self,
        count: int,
        *,
        guide: Guidance | Property | None = None,
        distinct: bool = False,
        sampling: Sampling = Sampling(),
    ) -> Samples[None]:
        """Generate `count` valid architectures, all different if `distinct`.

        A property as `guide` is raised; see `diffusionnag.guidance` for more. What the network gets
        wrong is replaced by the likeliest valid architecture under its own probabilities; what
        breaks a limit in the guide is rejected and drawn again. Of `distinct` guided ones more are
        drawn than needed, where the space has few good ones; those that turn out not to be good are
        corrected node by node, and the best by the guide kept. Raises DiffusionNAGError for a count
        or number of steps below 1, an unknown solver, a guide of another space, a limit that
        nothing keeps, or when `distinct`, the limits or validity cannot be reached.
        """
        guide = maximize(guide) if isinstance(guide, Property) else guide
        collection = self.collect(count, guide=guide, distinct=distinct)
        if guide is not None and distinct:
            guide = collection.aim_at_the_best(guide, sampling.seed)
        # A second batch for the few that break a limit would cost as much as the first.
        batch = math.ceil(SPARE_FOR_LIMITS * count) if collection.limits else count
        batches = self.estimates(guide=guide, sampling=sampling, batch=batch)
        while not collection.complete:
            estimate = next(batches)
            drawn = self.search_space.decode(estimate)
            collection.add(drawn, mend_invalid(self.search_space, drawn, estimate))
        return collection.samples()

    @torch_defaults()
    def best(
        self,
        count: int,
        *,
        guide: Guidance | Property,
        seconds: float = 1.0,
        diverse: float = 0.0,
        cautious: float = 0.0,
        seed: int = 0,
    ) -> Samples[Best]:
        """Return the `count` distinct architectures of highest guide that keep the limits, best first.

        See `find_best`, which this calls: the space alone decides, not what the network likes.
        """
        return find_best(
            self.search_space,
            count,
            guide=guide,
            seconds=seconds,
            diverse=diverse,
            cautious=cautious,
            seed=seed,
        )

    def collect(self, count: int, *, guide: Guidance | None, distinct: bool) -> Collection:
        """Return an empty collection of `count` architectures that keep the limits in a guide.

        Raises DiffusionNAGError for a count below 1, more distinct ones than there are, a guide of
        another space, or a limit that nothing keeps.
        """
        space = self.search_space
        check_wanted(space, count, distinct=distinct)
        return Collection(space, count, distinct, limits_of(guide, space))

    @torch_defaults()
    def draw(
        self, count: int, *, guide: Guidance | None = None, sampling: Sampling = Sampling()
    ) -> list[Architecture]:
        """Return `count` architectures as the network makes them, invalid ones included.

        For measuring validity; to get architectures, `sample`.
        """
        drawn: list[Architecture] = []
        for estimate in self.estimates(guide=guide, sampling=sampling, batch=count):
            drawn += self.search_space.decode(estimate)
            if len(drawn) >= count:
                break
        return drawn[:count]

    def estimates(
        self,
        *,
        guide: Guidance | None = None,
        sampling: Sampling = Sampling(),
        batch: int = BATCH,
    ) -> Iterator[np.ndarray]:
        """Yield batches of the network's final estimates D, `batch x N x F`, before any rounding.

        The first batch has `batch` architectures, at most 512, and so has every other. Raises
        DiffusionNAGError for an unknown solver, a number of steps below 1, and a seed out of range.
        """
        space, steps = self.search_space, sampling.steps
        solver = self.usual_solver(guide is not None)
        if sampling.solver is not None:
            solver = get_solver(sampling.solver)
        if steps is not None and steps < 1:
            raise DiffusionNAGError(f"{steps} solver steps are too few; ask for at least 1")
        strength = sampling.strength or Strength(through_network=not self._draws_nodes)
        device = next(self.denoiser.parameters()).device
        rng = torch.Generator(device).manual_seed(check_seed(sampling.seed))
        sde = self.denoiser.sde
        times = time_grid(sde, steps or solver.steps, solver.spacing, device)
        shape = (min(batch, BATCH), len(space.nodes), len(space.operations))

        def denoise_rows(rows: Tensor) -> Denoise:
            if guide is None:
                return self.denoise
            denoise = guided(self.denoise, guide.of_rows(rows), strength)
            return self._inpainting(denoise)

        denoise = denoise_rows(torch.ones(shape[0], dtype=torch.bool))

        def randn(like: Tensor) -> Tensor:
            return torch.randn(like.shape, generator=rng, device=device)

        while True:
            with threads_for_rows(), torch.inference_mode(guide is None), torch.no_grad():
                x = randn(torch.empty(shape)) * sde.prior_std()
                estimate = solver.solve(denoise, x, sde, times, randn)
                if self.denoiser.parameterisation == "probabilities":
                    estimate = restart_undecided(denoise_rows, estimate, sde, randn)
            yield estimate.cpu().numpy()

    def usual_solver(self, guided: bool) -> Solver:
        """Return the solver, with its steps, of free or guided samples unless another is asked for."""
        solver = get_solver(self.solver)
        if not self._draws_nodes or self.solver != "ancestral":
            return solver
        return GUIDED_SOLVER if guided else get_solver(FREE_SOLVER)

    @property
    def _draws_nodes(self) -> bool:
        """Whether nodes can be drawn one by one: where wiring is generated, each hangs on all others."""
        fixed = self.search_space.wiring.is_fixed
        return fixed and self.denoiser.parameterisation == "probabilities"

    @property
    def denoise(self) -> Denoise:
        """D(x, sigma) of the network, certain of the nodes that are fixed."""
        return self._inpainting(self.denoiser)

    def _inpainting(self, denoise: Denoise) -> Denoise:
        space = self.search_space
        return inpainting(denoise, space.fixed) if isinstance(space, FixedNodes) else denoise

    # -- saving and loading -----------------------------------------------------------------------

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the generator into a folder; raises EnvironmentFailureError where that fails."""
        config = {
            "kind": "generator",
            **space_entries(self.search_space),
            "denoiser": self.denoiser.to_config(),
            "solver": self.solver,
            "origin": asdict(self.origin),
            "about": asdict(self.about),
        }
        weights = {name: value.cpu() for name, value in self.denoiser.state_dict().items()}
        write_checkpoint(Path(folder), config, weights, self._card())

    def _card(self) -> str:
        space = self.search_space
        return model_card(
            title=f"Generator of {space.name} architectures",
            summary=f"A diffusion model of the search space `{space.name}`: it generates "
            "architectures at random, or guided by any property predictor, without retraining.",
            usage="from diffusionnag import Generator\n\n"
            f'generator = Generator.from_pretrained("{space.name}")\n'
            "architectures = generator.sample(256)",
            facts={
                "search space": f"{space.name}, {len(space.nodes)} nodes, "
                f"{len(space.operations)} operations",
                "recipe": f"{self.origin.recipe}, {self.origin.steps} steps, seed {self.origin.seed}",
                "parameters": f"{sum(p.numel() for p in self.denoiser.parameters()):,}",
                "solver": self.solver,
            },
            about=self.about,
        )

    @classmethod
    @torch_defaults()
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        search_space: SearchSpace | None = None,
        device: str = "cpu",
        **hub_options: Any,
    ) -> Generator:
        """Load a generator: a shipped one by the name of its space, a folder, or a hub model.

        `search_space` is needed only for a space that is not registered. Raises DiffusionNAGError
        for an unknown name, a damaged checkpoint, or one of another space.
        """
        folder = locate(KIND, str(name), **hub_options)
        config, space = open_checkpoint(folder, "generator", search_space)
        with building(folder):
            settings = config["denoiser"]
            denoiser = Denoiser(
                space,
                sde_from_config(settings["sde"]),
                from_json(ScoreNetworkConfig, settings["network"], "network"),
                settings["parameterisation"],
            )
            # Generators of before there was a calibration are without it.
            uncalibrated = {"logit_adjustment": denoiser.logit_adjustment}
            denoiser.load_state_dict(uncalibrated | read_weights(folder, config))
            generator = cls(
                space,
                denoiser,
                from_json(str, config["solver"], "solver"),
                from_json(Origin, config["origin"], "origin"),
            )
        generator.about = config["about"]
        return generator.to(device)


def open_generator(
    generator: str | Path | Generator | None, space: SearchSpace, device: str = "cpu"
) -> Generator:
    """Return a generator on a device: a given one, a named one, or that which ships for the space.

    Raises DiffusionNAGError as `Generator.from_pretrained` does.
    """
    if not isinstance(generator, Generator):
        generator = Generator.from_pretrained(generator or space.name, search_space=space.whole)
    return generator.to(device).within(space)
