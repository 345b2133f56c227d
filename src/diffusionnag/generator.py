"""The generator: a trained denoiser of a search space, sampled freely or under guidance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, overload

import torch
from huggingface_hub import ModelHubMixin
from torch import Tensor

from diffusionnag.checkpoint import (
    locate,
    open_checkpoint,
    read_weights,
    write_checkpoint,
)
from diffusionnag.devices import check_device
from diffusionnag.diffusion.denoiser import Denoiser
from diffusionnag.diffusion.guidance import Guidance, guided, maximise
from diffusionnag.diffusion.restart import restart_undecided
from diffusionnag.diffusion.score_network import ScoreNetworkConfig
from diffusionnag.diffusion.sde import sde_from_config
from diffusionnag.diffusion.solvers import get_solver, time_grid
from diffusionnag.diffusion.training_set import TrainingSet
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.model_card import About, model_card
from diffusionnag.predictors.property_predictor import PropertyPredictor
from diffusionnag.seeds import check_seed
from diffusionnag.spaces import Architecture, SearchSpace

KIND = "generators"
BATCH = 512
"""Architectures that walk through the solver together."""
FRUITLESS_BATCHES = 20
"""Batches in a row without anything new before a sampler gives up."""


@dataclass(frozen=True)
class Samples(Sequence[Architecture]):
    """Valid architectures, with what the network itself produced on the way to them."""

    architectures: list[Architecture]
    drawn: list[Architecture]
    """All that left the solver until there were enough, repeated and invalid ones included."""

    @overload
    def __getitem__(self, index: int) -> Architecture: ...
    @overload
    def __getitem__(self, index: slice) -> list[Architecture]: ...
    def __getitem__(self, index: int | slice) -> Architecture | list[Architecture]:
        return self.architectures[index]

    def __len__(self) -> int:
        return len(self.architectures)


@dataclass(frozen=True)
class Origin:
    """Where a generator's weights come from: recipe, length and seed of its training."""

    recipe: str
    steps: int
    seed: int


class Generator(ModelHubMixin):
    """Generates architectures of one search space; trained once, guided by any predictor."""

    def __init__(
        self, search_space: SearchSpace, denoiser: Denoiser, solver: str, origin: Origin
    ) -> None:
        self.search_space = search_space
        self.denoiser = denoiser.eval().requires_grad_(False)
        self.solver = solver
        """The solver used unless another is asked for."""
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

    # -- sampling ---------------------------------------------------------------------------------

    def sample(
        self,
        count: int,
        *,
        guide: Guidance | PropertyPredictor | None = None,
        solver: str | None = None,
        steps: int | None = None,
        seed: int = 0,
        distinct: bool = False,
    ) -> Samples:
        """Generate `count` valid architectures, all different if `distinct`.

        A predictor as `guide` is maximised (see `maximise`). What the network gets
        wrong is rejected and drawn again. Raises DiffusionNAGError for a count or number of steps
        below 1, an unknown solver, or when `distinct` or validity cannot be reached.
        """
        if count < 1:
            raise DiffusionNAGError(f"cannot generate {count} architectures; ask for at least 1")
        size = self.search_space.size if distinct else None
        if size is not None and self.search_space.is_enumerable and count > size:
            raise DiffusionNAGError(
                f"{self.search_space.name} has {size} architectures; {count} distinct ones do not "
                "exist"
            )
        kept: dict[Architecture, None] | list[Architecture] = {} if distinct else []
        if isinstance(guide, PropertyPredictor):
            wanted = count if distinct else None
            if guide.search_space.operations != self.search_space.operations:
                raise DiffusionNAGError(
                    f"the guide predicts {guide.search_space.name} architectures, not "
                    f"{self.search_space.name} ones"
                )
            guide = maximise(guide, distinct=wanted, space_size=size)
        drawn: list[Architecture] = []
        fruitless = 0
        batches = self.stream(guide=guide, solver=solver, steps=steps, seed=seed, batch=count)
        while len(kept) < count:
            batch = next(batches)
            drawn += batch
            good = [one for one in batch if self.search_space.is_valid(one)]
            before = len(kept)
            if isinstance(kept, dict):
                kept.update(dict.fromkeys(good))
            else:
                kept.extend(good)
            fruitless = 0 if len(kept) > before else fruitless + 1
            if fruitless == FRUITLESS_BATCHES:
                raise _given_up(len(kept), count, len(drawn), distinct)
        return Samples(list(kept)[:count], drawn)

    def stream(
        self,
        *,
        guide: Guidance | None = None,
        solver: str | None = None,
        steps: int | None = None,
        seed: int = 0,
        batch: int = BATCH,
    ) -> Iterator[list[Architecture]]:
        """Yield batches as the network makes them, rounded but neither repaired nor filtered.

        The first batch has `batch` architectures, at most 512, and so has every other.
        """
        chosen = get_solver(solver or self.solver)
        if steps is not None and steps < 1:
            raise DiffusionNAGError(f"{steps} solver steps are too few; ask for at least 1")
        device = next(self.denoiser.parameters()).device
        rng = torch.Generator(device).manual_seed(check_seed(seed))
        sde, space = self.denoiser.sde, self.search_space
        times = time_grid(sde, steps or chosen.steps, chosen.spacing, device)
        denoise = self.denoiser if guide is None else guided(self.denoiser, guide)
        shape = (min(batch, BATCH), len(space.nodes), len(space.operations))

        def randn(like: Tensor) -> Tensor:
            return torch.randn(like.shape, generator=rng, device=device)

        while True:
            with torch.inference_mode(guide is None), torch.no_grad():
                x = randn(torch.empty(shape)) * sde.prior_std()
                found = chosen.solve(denoise, x, sde, times, randn)
                if self.denoiser.parameterisation == "probabilities":
                    found = restart_undecided(denoise, found, sde, randn)
            yield space.decode(found.cpu().numpy())

    def draw(self, count: int, **settings: Any) -> list[Architecture]:
        """Return `count` architectures as the network makes them, invalid ones included.

        `settings` are those of `stream`. For measuring validity; to get architectures, `sample`.
        """
        drawn: list[Architecture] = []
        for batch in self.stream(batch=count, **settings):
            drawn += batch
            if len(drawn) >= count:
                break
        return drawn[:count]

    # -- saving and loading -----------------------------------------------------------------------

    def _save_pretrained(self, save_directory: Path) -> None:
        config = {
            "kind": "generator",
            "search_space": self.search_space.name,
            "nodes": list(self.search_space.nodes),
            "operations": list(self.search_space.operations),
            "denoiser": self.denoiser.to_config(),
            "solver": self.solver,
            "origin": asdict(self.origin),
            "about": asdict(self.about),
        }
        weights = {name: value.cpu() for name, value in self.denoiser.state_dict().items()}
        write_checkpoint(save_directory, config, weights, self._card())

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
    def from_pretrained(  # type: ignore[override]
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
        settings = config["denoiser"]
        denoiser = Denoiser(
            space,
            sde_from_config(settings["sde"]),
            ScoreNetworkConfig(**settings["network"]),
            settings["parameterisation"],
        )
        denoiser.load_state_dict(read_weights(folder, config))
        generator = cls(space, denoiser, config["solver"], Origin(**config["origin"]))
        generator.about = About(**config["about"])
        return generator.to(device)


def _given_up(kept: int, count: int, drawn: int, distinct: bool) -> DiffusionNAGError:
    if not distinct or kept == 0:
        return DiffusionNAGError(
            f"only {kept} of {drawn} generated architectures are valid, and {count} are wanted; train "
            "the generator longer, take more solver steps, or lower the guide's weight"
        )
    return DiffusionNAGError(
        f"only {kept} of {count} distinct architectures were found in {drawn} draws, and the same "
        "ones keep coming back; lower the guide's weight, or ask for fewer"
    )
