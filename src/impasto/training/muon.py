"""The optimizer of trainings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor, nn

from impasto.features.precision import resolve_precision

#: Of the iteration for orthogonal matrices (Jordan et al. 2024): fast at first, singular values end within 0.7 to 1.2.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonal(matrix: Tensor, iterations: int = 5) -> Tensor:
    """About the nearest matrix with orthonormal rows or columns: `U Vᵀ` for a matrix `U S Vᵀ`, by products alone."""
    a, b, c = COEFFICIENTS
    x = matrix / matrix.norm().clamp_min(1e-12)
    wide = x if x.shape[0] <= x.shape[1] else x.T
    for _ in range(iterations):
        square = wide @ wide.T
        wide = a * wide + (b * square + c * square @ square) @ wide
    found: Tensor = wide if x.shape[0] <= x.shape[1] else wide.T
    return found


class Muon(torch.optim.Optimizer):
    """Convolutions take steps that are orthogonal matrices (Jordan et al. 2024, "Muon: an optimizer for hidden layers
    in neural networks"), everything else takes those of Adam (Kingma and Ba 2015).

    A convolution's momentum has few large singular values; made orthogonal, what they hide is learnt as fast. Of a
    fixed style it has after 100 steps the loss that Adam has after 200 (`benchmarks/optimizers.py`). torch's own Muon
    takes matrices only, and nothing else beside them. Steps are as long as Adam's usually are (Liu et al. 2025, "Muon
    is scalable for LLM training", §2.2), so that learning rates mean the same.

    Args:
        parameters: to be trained.
        lr: learning rate.
        momentum: of convolutions.
        betas: of Adam.
        weight_decay: as in AdamW.
        matrices: whether matrices take such steps, too; it can be given for a group of parameters.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        lr: float = 3e-3,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        matrices: bool = False,
    ) -> None:
        given = {"lr": lr, "momentum": momentum, "betas": betas, "weight_decay": weight_decay, "matrices": matrices}
        super().__init__(parameters, given)

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    turned = p.shape[0] > 3 and (p.dim() == 4 or (p.dim() == 2 and group["matrices"]))
                    change = _turned if turned else _adam
                    p.sub_(change(p.grad, self.state[p], group), alpha=group["lr"])
        return loss


def _turned(grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> Tensor:
    """An orthogonal step, as long as Adam's: 0.2 in the root mean square."""
    if not state:
        state["momentum"] = torch.zeros_like(grad)
    state["momentum"].lerp_(grad, 1 - group["momentum"])
    ahead = torch.lerp(grad, state["momentum"], group["momentum"]).flatten(1)  # Nesterov's
    if grad.device.type == "cpu" and resolve_precision() == "bf16":
        ahead = ahead.bfloat16()  # a quarter of the time; the iteration does not get nearer than its digits anyway
    return orthogonal(ahead).to(grad).view_as(grad) * (0.2 * math.sqrt(max(ahead.shape)))


def _adam(grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> Tensor:
    if not state:
        state |= {"step": torch.zeros(()), "mean": torch.zeros_like(grad), "square": torch.zeros_like(grad)}
    first, second = group["betas"]
    state["step"] += 1
    step = int(state["step"])
    state["mean"].lerp_(grad, 1 - first)
    state["square"].lerp_(grad.square(), 1 - second)
    mean, square = state["mean"] / (1 - first**step), state["square"] / (1 - second**step)
    found: Tensor = mean / (square.sqrt() + 1e-8)
    return found
