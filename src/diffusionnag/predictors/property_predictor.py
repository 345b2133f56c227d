"""Property predictors: from measured architectures to a differentiable estimate with its error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import ModelHubMixin
from torch import Tensor

from diffusionnag.checkpoint import (
    locate,
    open_checkpoint,
    read_weights,
    shipped_folder,
    write_checkpoint,
)
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.model_card import About, model_card
from diffusionnag.predictors.ensemble import Ensemble, EnsembleConfig, fit_ensemble
from diffusionnag.predictors.target import RankGaussian
from diffusionnag.seeds import check_seed
from diffusionnag.spaces import Architecture, SearchSpace

KIND = "predictors"
FEWEST_ARCHITECTURES = 10


class PropertyPredictor(ModelHubMixin):
    """Predicts one property of the architectures of one search space, with a standard deviation.

    A predictor is fitted by `fit` on measured architectures, plugged into generation as a guide,
    and saved and loaded like a generator.
    """

    def __init__(
        self,
        search_space: SearchSpace,
        property_name: str,
        *,
        noise_aware: bool = False,
        config: EnsembleConfig | None = None,
    ) -> None:
        self.search_space = search_space
        self.property_name = property_name
        self.config = config or EnsembleConfig(noise_aware=noise_aware)
        self.about = About()
        self._ensemble: Ensemble | None = None
        self._target: RankGaussian | None = None
        self._residual = 0.0

    @property
    def noise_aware(self) -> bool:
        """Whether it judges noised architectures A_t, given their noise level."""
        return self.config.noise_aware

    # -- fitting ----------------------------------------------------------------------------------

    def fit(
        self,
        architectures: Sequence[Architecture],
        values: Sequence[float] | np.ndarray,
        *,
        seed: int = 0,
        steps: int | None = None,
        report: Callable[[int, int], None] = lambda step, steps: None,
    ) -> PropertyPredictor:
        """Fit on measured values, one an architecture; return itself.

        `steps` defaults to a number that suits the amount of data. Raises DiffusionNAGError for
        fewer than 10 architectures, values that are not finite or all the same, or an architecture
        of another space.
        """
        measured = np.asarray(values, dtype=np.float64)
        self._check(architectures, measured)
        self._target = RankGaussian.fit(measured)
        x = torch.from_numpy(self.search_space.encode(architectures))
        target = torch.from_numpy(self._target.to_normal(measured)).float()
        if steps is None:
            steps = int(np.clip(2 * len(measured), 400, 6000))
        with torch.random.fork_rng():
            torch.manual_seed(check_seed(seed))
            ensemble = self._new_ensemble()
        self._residual = fit_ensemble(ensemble, x, target, steps=steps, seed=seed, report=report)
        self._ensemble = ensemble.eval().requires_grad_(False)
        return self

    def _new_ensemble(self) -> Ensemble:
        space = self.search_space
        return Ensemble(len(space.nodes), len(space.operations), self.config)

    def _check(self, architectures: Sequence[Architecture], values: np.ndarray) -> None:
        if values.shape != (len(architectures),):
            raise DiffusionNAGError(
                f"{len(architectures)} architectures and {values.size} values: one value each"
            )
        if len(values) < FEWEST_ARCHITECTURES:
            raise DiffusionNAGError(
                f"{len(values)} measured architectures are too few to learn from; "
                f"at least {FEWEST_ARCHITECTURES} are needed"
            )
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values))[0])
            raise DiffusionNAGError(f"value {row} is {values[row]}; leave such architectures out")
        if np.ptp(values) == 0:
            raise DiffusionNAGError(f"all values are {values[0]}: there is nothing to learn")
        for row, architecture in enumerate(architectures):
            validity = self.search_space.is_valid(architecture)
            if not validity:
                raise DiffusionNAGError(f"architecture {row} is not valid: {validity.reason}")

    # -- predicting -------------------------------------------------------------------------------

    def standardised(self, x: Tensor, sigma: Tensor | None = None) -> Tensor:
        """Return the property as a standard normal score, `batch`, differentiable in x.

        `x` is relaxed one-hot, `batch x N x F`; `sigma` its noise level (`batch`), which only a
        noise-aware predictor looks at. Raises DiffusionNAGError before `fit`.
        """
        return self._members(x, sigma).mean(0)

    def normal_score(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Return the property as a standard normal score, `batch` float64; higher is more."""
        with torch.no_grad():
            x = torch.from_numpy(self.search_space.encode(architectures))
            return self.standardised(x).double().numpy()

    def predict(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation in the property's unit, each `batch` float64.

        The deviation joins the disagreement of the members and their error on held-out data.
        """
        with torch.no_grad():
            x = torch.from_numpy(self.search_space.encode(architectures))
            members = self._members(x).double().numpy()
        assert self._target is not None
        centre = members.mean(0)
        spread = np.sqrt(members.var(0) + self._residual**2)
        low, high = (self._target.to_value(centre + sign * spread) for sign in (-1, 1))
        return self._target.to_value(centre), 0.5 * (high - low)

    def _members(self, x: Tensor, sigma: Tensor | None = None) -> Tensor:
        if self._ensemble is None:
            raise DiffusionNAGError("this predictor has not been fitted; call `fit` first")
        return self._ensemble.to(x.device)(x, sigma)

    # -- saving and loading -----------------------------------------------------------------------

    def _save_pretrained(self, save_directory: Path) -> None:
        if self._ensemble is None or self._target is None:
            raise DiffusionNAGError("this predictor has not been fitted; call `fit` first")
        config = {
            "kind": "property_predictor",
            "search_space": self.search_space.name,
            "nodes": list(self.search_space.nodes),
            "operations": list(self.search_space.operations),
            "property": self.property_name,
            "ensemble": asdict(self.config),
            "residual": self._residual,
            "about": asdict(self.about),
        }
        weights = {f"ensemble.{n}": t for n, t in self._ensemble.state_dict().items()}
        weights["target.values"] = torch.from_numpy(self._target.values)
        weights["target.normal"] = torch.from_numpy(self._target.normal)
        write_checkpoint(save_directory, config, weights, self._card())

    def _card(self) -> str:
        space, name = self.search_space.name, self.property_name
        return model_card(
            title=f"{name} of {space} architectures",
            summary=f"Predicts the property `{name}` of an architecture of `{space}`, with a standard "
            "deviation, and guides generation towards it.",
            usage="from diffusionnag import Generator, PropertyPredictor\n\n"
            f'generator = Generator.from_pretrained("{space}")\n'
            f'predictor = PropertyPredictor.from_pretrained("{space}-{name}")\n'
            "architectures = generator.sample(256, guide=predictor)",
            facts={
                "search space": space,
                "property": name,
                "judges": "noised architectures" if self.noise_aware else "clean architectures",
                "members": self.config.members,
            },
            about=self.about,
        )

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls,
        name: str | Path,
        *,
        search_space: SearchSpace | None = None,
        **hub_options: Any,
    ) -> PropertyPredictor:
        """Load a predictor: a shipped one by name, a folder, or a model on the hub.

        A shipped one is named by its property when `search_space` is given, else `space-property`.
        Raises DiffusionNAGError for an unknown name, a damaged folder, or another space's model.
        """
        qualified = f"{search_space.name}-{name}" if search_space else str(name)
        shipped = shipped_folder(KIND, qualified)
        folder = shipped or locate(KIND, str(name), **hub_options)
        config, space = open_checkpoint(folder, "property_predictor", search_space)
        predictor = cls(space, config["property"], config=EnsembleConfig(**config["ensemble"]))
        weights = read_weights(folder, config)
        ensemble = predictor._new_ensemble()
        ensemble.load_state_dict(
            {n.removeprefix("ensemble."): t for n, t in weights.items() if n[:9] == "ensemble."}
        )
        predictor._ensemble = ensemble.eval().requires_grad_(False)
        predictor._target = RankGaussian(
            weights["target.values"].numpy(), weights["target.normal"].numpy()
        )
        predictor._residual = config["residual"]
        predictor.about = About(**config["about"])
        return predictor
