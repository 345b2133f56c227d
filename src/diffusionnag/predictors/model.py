"""What models of a property have in common, whether they are processes, networks or a user's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from torch import Tensor, nn

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces import Architecture, SearchSpace


class Surrogate(Protocol):
    """What was learnt of one property, on a scale on which it is standard normal."""

    def distribution(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return standardised mean and deviation, each `batch`, of one-hot x `batch x N x F`."""
        ...

    def to_standard(self, value: float) -> float:
        """Return a value as a standard normal score."""
        ...


class Learner(Protocol):
    """Learns one property from measured architectures."""

    def fit(
        self, architectures: Sequence[Architecture], values: np.ndarray, *, seed: int
    ) -> Surrogate:
        """Return what measured values, `count`, one an architecture, in any unit, teach."""
        ...


class Model(nn.Module, ABC):
    """What a property predictor fits and saves: a model on the standardised scale.

    `kind` names it in checkpoints, and `config`, a dataclass of JSON values, is saved beside its
    weights.
    """

    kind: ClassVar[str]
    config: Any
    noise_aware: bool = False

    @classmethod
    @abstractmethod
    def from_config(cls, space: SearchSpace, config: Mapping[str, Any]) -> Self:
        """Return an unfitted model of the settings that `config` was saved as."""

    @abstractmethod
    def fit(
        self,
        x: Tensor,
        target: Tensor,
        conditions: np.ndarray | None,
        *,
        steps: int | None,
        seed: int,
        report: Callable[[int, int], None],
    ) -> None:
        """Fit on one-hot x `count x N x F`, target `count`, and conditions `count x C` if any."""

    @abstractmethod
    def distribution(self, x: Tensor, sigma: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, each `batch`, for `batch x N x F`."""

    @abstractmethod
    def standardised(self, x: Tensor, sigma: Tensor | None = None) -> Tensor:
        """Return the mean alone, `batch`, which takes less work."""

    @property
    def aspect_names(self) -> tuple[str, ...]:
        """What was learnt besides the property, by name."""
        return ()

    def aspects(self, x: Tensor) -> Tensor:
        """Return the mean of the property and of each aspect, `batch x (1 + aspects)`."""
        return self.standardised(x)[:, None]

    def joint(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean, `batch`, and covariance, `batch x batch`, without the noise of measuring.

        Raises DiffusionNAGError where the model knows none.
        """
        raise self._has_no_joint()

    def plausible_joints(self, x: Tensor, count: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield what `joint` returns, so many times as if it had learnt a little differently.

        Raises DiffusionNAGError as `joint` does.
        """
        raise self._has_no_joint()

    def _has_no_joint(self) -> DiffusionNAGError:
        return DiffusionNAGError(f"an {self.kind} has no joint distribution of architectures")

    @property
    def predicts_under(self) -> Mapping[str, float]:
        """What else, such as the resolution, it predicts for, by name."""
        return {}

    def predict_under(self, conditions: Mapping[str, float]) -> None:
        """Predict for other conditions from now on, named as those of `predicts_under`."""
