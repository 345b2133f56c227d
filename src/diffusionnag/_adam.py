"""Adam on a single tensor: the steps of `torch.optim.Adam`, bit by bit, at a third of their cost.

The first optimiser of `torch.optim` in a process imports torch's compiler, which takes two seconds.
"""

from __future__ import annotations

import torch
from torch import Tensor

FIRST, SECOND = 0.9, 0.999
"""How fast the averages of the gradient and of its square forget."""
EPSILON = 1e-8


class Adam:
    """Kingma & Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1."""

    def __init__(self, parameters: Tensor, learning_rate: float) -> None:
        self.parameters = parameters
        self.learning_rate = learning_rate
        self.steps = 0
        self.mean, self.square = torch.zeros_like(parameters), torch.zeros_like(parameters)

    @torch.no_grad()
    def step(self, gradient: Tensor) -> None:
        """Change the parameters in place, against their gradient."""
        self.steps += 1
        self.mean.lerp_(gradient, 1 - FIRST)
        self.square.mul_(SECOND).addcmul_(gradient, gradient, value=1 - SECOND)
        size = self.learning_rate / (1 - FIRST**self.steps)
        spread = (self.square.sqrt() / (1 - SECOND**self.steps) ** 0.5).add_(EPSILON)
        self.parameters.addcdiv_(self.mean, spread, value=-size)
