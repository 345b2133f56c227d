"""One model of many properties: architectures are encoded once, and each property has an output."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from diffusionnag._devices import seeded, torch_defaults
from diffusionnag._seeds import check_seed
from diffusionnag.artifacts.checkpoints import checkpoint_name, space_entries, write_checkpoint
from diffusionnag.artifacts.model_cards import About, model_card
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.predictors.ensemble import Ensemble, EnsembleConfig
from diffusionnag.predictors.property_predictor import PropertyPredictor
from diffusionnag.predictors.rank_gaussian import KNOTS, RankGaussian
from diffusionnag.spaces import Architecture, SearchSpace


@dataclass
class JointPredictor:
    """An ensemble whose members share their hidden layers among all properties of a space.

    `quality` holds measured figures for each property, by their names.
    """

    search_space: SearchSpace
    ensemble: Ensemble
    targets: Mapping[str, RankGaussian]
    about: About = field(default_factory=About)
    quality: dict[str, dict[str, float]] = field(default_factory=dict)

    @classmethod
    @torch_defaults()
    def fit(
        cls,
        search_space: SearchSpace,
        architectures: Sequence[Architecture],
        columns: Mapping[str, np.ndarray],
        *,
        width: int,
        steps: int,
        magnitude: float = 0.0,
        knots: int = KNOTS,
        conditions: Mapping[str, np.ndarray] | None = None,
        seed: int = 0,
        report: Callable[[int, int], None] = lambda step, steps: None,
    ) -> JointPredictor:
        """Return a predictor of the columns, each a finite value of every architecture.

        `magnitude` is how much of the distances of values is learnt beside their ranks, and `knots`
        those of each property's scale (see `RankGaussian`); `conditions`, by name, are those of each
        measurement. The weights are rounded to 16 bits, as they are saved. Raises
        DiffusionNAGError for fewer than two columns.
        """
        if len(columns) < 2:
            raise DiffusionNAGError(
                "a joint predictor needs two columns; one has `PropertyPredictor`"
            )
        targets = {
            name: RankGaussian.fit(values, magnitude, knots=knots)
            for name, values in columns.items()
        }
        normal = [targets[name].to_normal(values) for name, values in columns.items()]
        with seeded(check_seed(seed)):
            config = EnsembleConfig(
                width=width, outputs=len(columns), conditions=tuple(conditions or ())
            )
            ensemble = Ensemble(search_space, config)
        x = torch.from_numpy(search_space.encode(architectures))
        target = torch.from_numpy(np.stack(normal, axis=1)).float()
        given = np.stack([*conditions.values()], axis=1) if conditions else None
        ensemble.fit(x, target, given, steps=steps, seed=seed, report=report)
        for parameter in ensemble.parameters():
            parameter.data = parameter.data.half().float()
        return cls(search_space, ensemble, targets)

    @torch_defaults()
    def set_deviations(
        self, architectures: Sequence[Architecture], columns: Mapping[str, np.ndarray]
    ) -> None:
        """Take the error on these measured values for the deviation, beside members' disagreement.

        So a predictor that learnt what another model says tells how much measurements vary.
        """
        x = torch.from_numpy(self.search_space.encode(architectures))
        with torch.no_grad():
            mean = self.ensemble.standardised(x)
        normal = [self.targets[name].to_normal(columns[name]) for name in self.targets]
        error = mean - torch.from_numpy(np.stack(normal, axis=1)).float()
        self.ensemble.held_out_error.copy_(error.square().mean(0).sqrt().half())

    def predictor(self, property_name: str) -> PropertyPredictor:
        """Return the predictor of one of the properties, which shares the hidden layers."""
        model = self.ensemble.only(list(self.targets).index(property_name))
        target = self.targets[property_name]
        predictor = PropertyPredictor.from_fitted(self.search_space, property_name, model, target)
        predictor.about = replace(self.about, quality=self.quality.get(property_name, {}))
        return predictor

    def save(self, folder: Path) -> None:
        """Write a model folder, whose config lists the properties."""
        config = {
            "kind": "property_predictor",
            **space_entries(self.search_space),
            "properties": {name: self.quality.get(name, {}) for name in self.targets},
            "model": asdict(self.ensemble.config) | {"kind": self.ensemble.kind},
            "about": asdict(self.about),
        }
        # Conditions may be numbers that 16 bits do not hold.
        layers = dict(self.ensemble.named_parameters())
        weights = {
            f"model.{name}": tensor.half() if name in layers else tensor
            for name, tensor in self.ensemble.state_dict().items()
        }
        for name, target in self.targets.items():
            weights[f"{name}.target.values"] = torch.from_numpy(target.values)
            weights[f"{name}.target.normal"] = torch.from_numpy(target.normal)
        write_checkpoint(folder, config, weights, self._card())

    def _card(self) -> str:
        space, first = self.search_space.name, next(iter(self.targets))
        measured = {
            f"`{name}`: {measure}": value
            for name, figures in self.quality.items()
            for measure, value in figures.items()
        }
        return model_card(
            title=f"{len(self.targets)} properties of {space} architectures",
            summary=f"Predicts properties of an architecture of `{space}`, each with a standard "
            f"deviation, and guides generation towards them: {', '.join(self.targets)}.",
            usage="from diffusionnag import Generator, PropertyPredictor\n\n"
            f'generator = Generator.from_pretrained("{space}")\n'
            f'predictor = PropertyPredictor.from_pretrained("{checkpoint_name(space, first)}")\n'
            "architectures = generator.sample(256, guide=predictor)",
            facts={
                "search space": space,
                "judges": "clean architectures",
                "model": f"{self.ensemble.kind}, hidden layers shared by all properties",
                **self.ensemble.predicts_under,
            },
            about=replace(self.about, quality=measured),
        )
