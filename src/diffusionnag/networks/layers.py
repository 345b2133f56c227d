"""Layers that networks of several spaces share."""

from __future__ import annotations

from torch import Tensor, nn

Activation = type[nn.Module]


def convolution_norm(
    inputs: int,
    outputs: int,
    kernel: int,
    *,
    stride: int = 1,
    groups: int = 1,
    activation: Activation | None = nn.ReLU,
) -> nn.Sequential:
    """Return a square convolution without bias, a batch norm, and an activation if there is one.

    Padding keeps the size at stride 1, and halves it, rounding up, at stride 2.
    """
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([activation()] if activation is not None else []))


class GlobalPool(nn.Module):
    """Averages each channel over all positions, `batch x C x H x W` to `batch x C`."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the averages, `batch x C`."""
        return x.mean((2, 3))


class SqueezeExcite(nn.Module):
    """Scales each channel by a gate computed from all channels' averages.

    Source: Hu, Shen & Sun, "Squeeze-and-Excitation Networks", CVPR 2018.
    """

    def __init__(self, channels: int, squeezed: int, gate: Activation = nn.Sigmoid) -> None:
        super().__init__()
        self.pool = GlobalPool()
        self.layers = nn.Sequential(
            nn.Linear(channels, squeezed), nn.ReLU(), nn.Linear(squeezed, channels), gate()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return x with its channels scaled, `batch x C x H x W`."""
        return x * self.layers(self.pool(x))[:, :, None, None]


class InvertedResidual(nn.Module):
    """Expands, convolves depthwise, gates if asked to, and projects; adds its input if it can.

    As many `hidden` channels as inputs need no expansion; `squeezed` channels make the gate, 0 none.
    Source: Sandler et al., "MobileNetV2", CVPR 2018.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        squeezed: int = 0,
        activation: Activation = nn.ReLU,
        gate: Activation = nn.Sigmoid,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        if hidden != inputs:
            layers.append(convolution_norm(inputs, hidden, 1, activation=activation))
        layers.append(
            convolution_norm(
                hidden, hidden, kernel, stride=stride, groups=hidden, activation=activation
            )
        )
        if squeezed:
            layers.append(SqueezeExcite(hidden, squeezed, gate))
        layers.append(convolution_norm(hidden, outputs, 1, activation=None))
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, `batch x outputs x H/stride x W/stride`."""
        return x + self.layers(x) if self.residual else self.layers(x)
