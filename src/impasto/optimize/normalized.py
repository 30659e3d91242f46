"""Plain gradient steps."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from impasto.canvas.base import Canvas
from impasto.optimize.records import Evaluate, Evaluation


class NormalizedSteps:
    """Gradient steps of a fixed mean size: `x ← x − rate · g / mean|g|`, in each parameter."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.stuck = False

    def step(self, canvas: Canvas, evaluate: Evaluate) -> Evaluation:
        found = evaluate()
        self.stuck = found.flat
        for name, gradient in found.gradient.items():
            canvas.parameters[name].sub_(self.rate * gradient / gradient.abs().mean().clamp_min(1e-30))
        canvas.keep_in_range()
        return found

    def bytes_per_value(self, values: int) -> float:
        return 0.0

    def state(self) -> dict[str, Tensor]:
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """There is nothing to remember."""
