"""Property predictors: from measured architectures to a differentiable estimate with its error."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from diffusionnag._devices import seeded, torch_defaults
from diffusionnag._seeds import check_seed
from diffusionnag.artifacts.checkpoints import (
    building,
    checkpoint_name,
    installed_folder,
    locate,
    open_checkpoint,
    property_of,
    read_config,
)
from diffusionnag.artifacts.hub import HubModel
from diffusionnag.artifacts.model_cards import About
from diffusionnag.artifacts.schema import from_json
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.guidance.properties import Property
from diffusionnag.predictors._measured import check_measured
from diffusionnag.predictors._model_folder import MODELS, load_model, write_model
from diffusionnag.predictors.ensemble import Ensemble, EnsembleConfig
from diffusionnag.predictors.gaussian_process import GaussianProcess, GaussianProcessConfig
from diffusionnag.predictors.known_besides import features_besides
from diffusionnag.predictors.model import Model
from diffusionnag.predictors.rank_gaussian import RankGaussian
from diffusionnag.spaces import Architecture, SearchSpace

KIND = "predictors"
"""The folder of predictors among the models of the package, and of this machine."""
STARTS_FROM = "starts_from"
"""The folder of what a predictor starts from, in its own."""
MOST_FOR_GAUSSIAN_PROCESS = 2_000
"""With more labels than these the ensemble is as good, and its cost does not grow with them."""

ModelKind = Literal["gaussian_process", "ensemble"]
"""How the models are called that a predictor chooses from."""


class PropertyPredictor(Property, HubModel):
    """Predicts one property of the architectures of one search space, with a standard deviation.

    A predictor is fitted by `fit` on measured architectures, plugged into generation as a guide,
    and saved and loaded like a generator. `conditions` name what else values were measured under,
    such as the resolution; `under` then says for which ones to predict. Its `model` is a Gaussian
    process for up to 2,000 measured architectures; an ensemble of networks for more, or when it is
    `noise_aware` or has conditions; unless one is asked for. It learns the ranks of the
    values, and by the share `magnitude`, from 0 to 1, their distances. What it `starts_from` are
    properties known of any architecture, in any unit: how far they tell of this one, and in which
    direction, a Gaussian process learns from what is measured.
    """

    def __init__(
        self,
        search_space: SearchSpace,
        property_name: str,
        *,
        noise_aware: bool = False,
        model: ModelKind | None = None,
        magnitude: float = 0.0,
        width: int = EnsembleConfig.width,
        conditions: Sequence[str] = (),
        starts_from: Sequence[Property] = (),
    ) -> None:
        process = starts_from or model not in (None, "ensemble")
        if process and (noise_aware or conditions):
            raise DiffusionNAGError(
                "a Gaussian process, which alone starts from other properties, judges clean "
                "architectures only, under no conditions"
            )
        if starts_from and model == "ensemble":
            raise DiffusionNAGError("an ensemble starts from nothing; leave the model out")
        for known in starts_from:
            theirs = known.search_space.name
            if theirs != search_space.name:
                raise DiffusionNAGError(
                    f"{known.property_name} is of {theirs}, not of {search_space.name}"
                )
        self.search_space = search_space
        self.property_name = property_name
        self.model: str | None = model
        self.magnitude = magnitude
        # Copies, since others may ask them for other conditions later.
        self.starts_from = tuple(map(copy.deepcopy, starts_from))
        self.about = About()
        self._ensemble_config = EnsembleConfig(
            width=width, noise_aware=noise_aware, conditions=tuple(conditions)
        )
        self._fitted: Model | None = None
        self._target: RankGaussian | None = None

    @property
    def noise_aware(self) -> bool:
        """Whether it judges noised architectures A_t, given their noise level."""
        return self._ensemble_config.noise_aware

    @property
    def conditions(self) -> Mapping[str, float]:
        """What else it depends on, such as the resolution, by name, and for which it predicts."""
        return {} if self._fitted is None else self._fitted.predicts_under

    # -- fitting ----------------------------------------------------------------------------------

    @torch_defaults()
    def fit(
        self,
        architectures: Sequence[Architecture],
        values: Sequence[float] | np.ndarray,
        *,
        aspects: Mapping[str, np.ndarray] | None = None,
        conditions: np.ndarray | None = None,
        seed: int = 0,
        steps: int | None = None,
        report: Callable[[int, int], None] = lambda step, steps: None,
    ) -> PropertyPredictor:
        """Fit on measured values, one an architecture; return itself.

        `aspects` are values of what else is known of the architectures, by name, which a Gaussian process
        learns besides. `conditions`, `batch x C`, are those of each measurement, where the predictor
        has any. `steps` of an ensemble's training default to a number that suits the amount of data.
        Raises DiffusionNAGError for fewer than 5 architectures, values that are not finite or all the
        same, or an architecture of another space, and for aspects of another model.
        """
        columns = [
            np.asarray(each, dtype=np.float64) for each in (values, *(aspects or {}).values())
        ]
        check_measured(self.search_space, architectures, columns)
        scales = [RankGaussian.fit(column, self.magnitude) for column in columns]
        self._target = scales[0]
        normal = [scale.to_normal(each) for scale, each in zip(scales, columns, strict=True)]
        target = torch.from_numpy(np.stack(normal, axis=1) if aspects else normal[0]).float()
        x = torch.from_numpy(self.search_space.encode(architectures))
        with seeded(check_seed(seed)):
            model = self._new_model(len(x), tuple(aspects or ()))
        model.fit(x, target, conditions, steps=steps, seed=seed, report=report)
        self._fitted = model.eval().requires_grad_(False)
        return self

    def _new_model(self, labelled: int, aspects: tuple[str, ...]) -> Model:
        plain = not (self.noise_aware or self._ensemble_config.conditions)
        few = "gaussian_process" if labelled <= MOST_FOR_GAUSSIAN_PROCESS and plain else "ensemble"
        process = MODELS[self.model or few]
        if issubclass(process, GaussianProcess):
            space, known = self.search_space, self.starts_from
            features = features_besides(space, known) if known else None
            return process(space, GaussianProcessConfig(labelled, aspects=aspects), features)
        if aspects or self.starts_from:
            raise DiffusionNAGError(
                "only a Gaussian process learns aspects and starts from other properties, with up to "
                f"{MOST_FOR_GAUSSIAN_PROCESS:,} labels"
            )
        return Ensemble(self.search_space, self._ensemble_config)

    def under(self, **conditions: float) -> PropertyPredictor:
        """Predict for these conditions, each by its name, from now on; return itself.

        Raises DiffusionNAGError for other names than those the predictor was fitted with.
        """
        expected = self._ensemble_config.conditions
        if set(conditions) != set(expected):
            raise DiffusionNAGError(
                f"{self.property_name} is predicted under {', '.join(expected) or 'no conditions'}, "
                f"not under {', '.join(conditions) or 'none'}"
            )
        self._on(torch.device("cpu")).predict_under(conditions)
        return self

    # -- predicting -------------------------------------------------------------------------------

    def distribution(self, x: Tensor, sigma: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation as standard normal scores, each `batch`.

        `x` is relaxed one-hot, `batch x N x F`; `sigma` its noise level (`batch`), which only a
        noise-aware predictor looks at. The deviation joins what the model does not know and the
        noise it saw in the measurements. Raises DiffusionNAGError before `fit`.
        """
        return self._on(x.device).distribution(x, sigma)

    def standardised(self, x: Tensor, sigma: Tensor | None = None) -> Tensor:
        """Return the mean as a standard normal score, `batch`, differentiable in x."""
        return self._on(x.device).standardised(x, sigma)

    @property
    def aspect_names(self) -> Sequence[str]:
        """The property's name, and those of what was learnt besides."""
        known = () if self._fitted is None else self._fitted.aspect_names
        return (self.property_name, *known)

    def aspects(self, x: Tensor) -> Tensor:
        """Return the mean of the property and of each aspect, `batch x aspects`, as normal scores."""
        return self._on(x.device).aspects(x)

    @torch_defaults()
    def joint(self, architectures: Sequence[Architecture]) -> tuple[Tensor, Tensor]:
        """Return mean, `batch`, and covariance, `batch x batch`, as standard normal scores, float64.

        The covariance is that of the values themselves, without noise of measurement. Raises
        DiffusionNAGError unless the predictor is a Gaussian process.
        """
        model = self._on(torch.device("cpu"))
        with torch.no_grad():
            return model.joint(torch.from_numpy(self.search_space.encode(architectures)).double())

    @torch_defaults()
    def plausible_joints(
        self, architectures: Sequence[Architecture], count: int, seed: int = 0
    ) -> list[tuple[Tensor, Tensor]]:
        """Return what `joint` does under `count` kernels that the measurements hold possible.

        Of few measurements many kernels fit, and one alone is too sure of itself. Raises as `joint` does.
        """
        model = self._on(torch.device("cpu"))
        with torch.no_grad():
            x = torch.from_numpy(self.search_space.encode(architectures)).double()
            return list(model.plausible_joints(x, count, check_seed(seed)))

    def _on(self, device: torch.device) -> Model:
        if self._fitted is None:
            raise DiffusionNAGError("this predictor has not been fitted; call `fit` first")
        # To move what is there already takes a twentieth of the time of guided sampling.
        first = next(itertools.chain(self._fitted.parameters(), self._fitted.buffers()))
        return self._fitted if first.device == device else self._fitted.to(device)

    def to_standard(self, value: float) -> float:
        """Return a value of the property as a standard normal score."""
        if self._target is None:
            raise DiffusionNAGError("this predictor has not been fitted; call `fit` first")
        return float(self._target.to_normal(np.array(value)))

    @torch_defaults()
    def predict(self, architectures: Sequence[Architecture]) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation in the property's unit, each `batch` float64."""
        with torch.no_grad():
            x = torch.from_numpy(self.search_space.encode(architectures))
            return self.in_unit(*self.distribution(x))

    def in_unit(self, mean: Tensor, std: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Return standard normal scores and their deviations, `batch`, in the property's unit."""
        assert self._target is not None
        centre, spread = mean.double().numpy(), std.double().numpy()
        return self._target.to_value(centre), self._target.to_value_spread(centre, spread)

    # -- saving and loading -----------------------------------------------------------------------

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the predictor into a folder.

        Raises DiffusionNAGError before it is fitted, and where it starts from what is no predictor,
        EnvironmentFailureError where writing fails.
        """
        if self._fitted is None or self._target is None:
            raise DiffusionNAGError("this predictor has not been fitted; call `fit` first")
        known = [_to_be_saved(each, self.property_name) for each in self.starts_from]
        sums = []
        for number, each in enumerate(known):
            place = Path(folder) / STARTS_FROM / str(number)
            each.save_pretrained(place)
            sums.append((each.property_name, read_config(place)["sha256"]))
        write_model(
            Path(folder),
            self.search_space,
            self.property_name,
            self._fitted,
            self._target,
            about=self.about,
            noise_aware=self.noise_aware,
            starts_from=sums,
        )

    @classmethod
    @torch_defaults()
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        search_space: SearchSpace | None = None,
        **hub_options: Any,
    ) -> PropertyPredictor:
        """Load a predictor: a shipped one or one about this machine by name, a folder, or one on the hub.

        One of the first two is named by its property when `search_space` is given, else `space-property`.
        Raises DiffusionNAGError for an unknown name, a damaged folder, or another space's model.
        """
        qualified = checkpoint_name(search_space.name, str(name)) if search_space else str(name)
        installed = installed_folder(KIND, qualified)
        folder = installed or locate(KIND, str(name), **hub_options)
        config, space = open_checkpoint(folder, "property_predictor", search_space)
        with building(folder):
            property_name = from_json(str, property_of(config, qualified), "property")
            known = cls._read_known(folder, config.get("starts_from", ()), space)
            model, target = load_model(folder, config, space, property_name, known)
            about: About = config["about"]
            if "properties" in config:
                about = replace(about, quality=config["properties"][property_name])
        predictor = cls.from_fitted(space, property_name, model, target)
        predictor.starts_from = tuple(known)
        predictor.about = about
        return predictor

    @classmethod
    def _read_known(
        cls, folder: Path, sums: Sequence[tuple[str, Mapping[str, str]]], space: SearchSpace
    ) -> list[PropertyPredictor]:
        """Return what a predictor starts from; raises DiffusionNAGError where it is not what was saved."""
        known = []
        for number, (name, expected) in enumerate(sums):
            place = folder.resolve() / STARTS_FROM / str(number)
            try:
                intact = read_config(place)["sha256"] == expected
            except DiffusionNAGError:
                intact = False
            if not intact:
                raise DiffusionNAGError(
                    f"{folder} lacks the predictor of {name} that it was saved with, in {place}; fetch "
                    "or train it again"
                )
            known.append(cls.from_pretrained(place, search_space=space))
        return known

    @classmethod
    @torch_defaults()
    def from_fitted(
        cls,
        search_space: SearchSpace,
        property_name: str,
        model: Model,
        target: RankGaussian,
    ) -> PropertyPredictor:
        """Return a predictor from a model that is fitted on the scale of a target."""
        predictor = cls(search_space, property_name)
        predictor.model = model.kind
        if isinstance(model, Ensemble):
            predictor._ensemble_config = model.config
        predictor._fitted = model.eval().requires_grad_(False)
        predictor._target = target
        return predictor


def _to_be_saved(known: Property, property_name: str) -> PropertyPredictor:
    """Return what a property starts from; raises DiffusionNAGError unless it can be saved with it."""
    if isinstance(known, PropertyPredictor):
        return known
    raise DiffusionNAGError(
        f"{property_name} starts from {known.property_name}, which cannot be saved with it; start from "
        "predictors"
    )


def predictor_under(name: str, space: SearchSpace) -> PropertyPredictor:
    """Return a predictor as `from_pretrained` does, asked for under the space's conditions."""
    predictor = PropertyPredictor.from_pretrained(name, search_space=space)
    given = {
        condition: space.conditions.get(condition, value)
        for condition, value in predictor.conditions.items()
    }
    return predictor.under(**given) if given else predictor
