"""What some networks bring along for their training alone: an auxiliary head, and paths to drop."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from diffusionnag._devices import seeded
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks.tasks import TaskData
from diffusionnag.networks.training_loop import TrainingSettings


@runtime_checkable
class Regularised(Protocol):
    """A network that can have a second head, and leave paths out, while it trains."""

    def drop_paths(self, share: float) -> None:
        """Leave each path out for that share of the examples."""
        ...

    def add_auxiliary_head(self) -> None:
        """Add a head: from then on two outputs are returned in training mode, its own last."""
        ...

    def remove_auxiliary_head(self) -> None:
        """Remove it, if there is one."""
        ...


def prepare_regularised(
    network: nn.Module, data: TaskData, settings: TrainingSettings
) -> dict[str, Any]:
    """Make a network ready for what settings ask for; return its part of `train_network`'s options.

    Paths are dropped the more often, the more of the training is over. Raises DiffusionNAGError for a
    network that brings nothing of that along.
    """
    if not settings.auxiliary_weight and not settings.drop_path:
        return {}
    if not isinstance(network, Regularised):
        raise DiffusionNAGError(
            "the network has no auxiliary head and no paths to drop; those of darts have"
        )
    if settings.auxiliary_weight:
        with seeded(settings.seed):
            network.add_auxiliary_head()

    def loss(outputs: Tensor | tuple[Tensor, Tensor], targets: Tensor, smoothing: float) -> Tensor:
        if isinstance(outputs, Tensor):
            return data.loss(outputs, targets, smoothing)
        told, auxiliary = outputs
        beside = data.loss(auxiliary, targets, smoothing)
        return data.loss(told, targets, smoothing) + settings.auxiliary_weight * beside

    def before_step(done: float) -> None:
        network.drop_paths(settings.drop_path * done)

    return {"loss": loss, "before_step": before_step}
