"""The modules of staged_cnn.yaml: convolutions in two stages, between which the size is halved."""

from collections.abc import Mapping

from torch import Tensor, nn

from diffusionnag.spaces import Task

STEM = 16


class Normalised(nn.Sequential):
    """A convolution, batch normalisation and ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        )


class GlobalAverage(nn.Module):
    """Each channel's average over all positions."""

    def forward(self, x: Tensor) -> Tensor:
        """Return `batch x channels` of `batch x channels x H x W`."""
        return x.mean((2, 3))


def build(operations: Mapping[str, str], task: Task) -> nn.Module:
    """Return the network of an architecture; `task` has the number of outputs."""
    layers: list[nn.Module] = [Normalised(3, STEM, int(operations["stem"].removeprefix("conv")))]
    channels = STEM
    for stage, depth in (("early", 3), ("late", 4)):
        for layer in range(1, depth + 1):
            width = operations[f"{stage}{layer}.width"]
            if width == "none":
                break
            kernel = int(operations[f"{stage}{layer}.kernel"])
            layers.append(Normalised(channels, int(width), kernel))
            channels = int(width)
        if stage == "early":
            layers.append(_halving(operations["downsampling"], channels))
    layers.append(GlobalAverage())
    if operations["head"] == "hidden128":
        layers += [nn.Linear(channels, 128), nn.ReLU()]
        channels = 128
    return nn.Sequential(*layers, nn.Linear(channels, task.outputs))


def _halving(operation: str, channels: int) -> nn.Module:
    if operation == "stride2":
        return Normalised(channels, channels, 3, stride=2)
    return nn.MaxPool2d(2) if operation == "max_pool" else nn.AvgPool2d(2)
