"""Adam, in pyramids."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from impasto.canvas.base import Canvas
from impasto.errors import InputError
from impasto.optimize.levels import collapsed, pyramid
from impasto.optimize.records import Evaluate, Evaluation, under


class Adam:
    """Adam (Kingma and Ba 2015), projected to the canvas's range after each step.

    With `levels`, every level of a pyramid of the gradient has means of its own and makes a step of its own, and the
    picture moves by their sum: Adam for the levels of a Laplacian pyramid, without keeping the picture as one. Alone in
    pixels, it moves all of them by about the same, which is a grain.

    Args:
        rate: learning rate, in pixel units.
        betas: decay of the means of the gradient and of its square.
        levels: of the pyramid, for parameters that lie over the picture; 1 for none.
        last: steps in all; needed for a cooldown.
        cooldown: share of them, the last ones, in which the rate falls evenly to nothing.
    """

    def __init__(
        self,
        rate: float = 0.02,
        betas: tuple[float, float] = (0.9, 0.99),
        *,
        levels: int = 1,
        last: int = 0,
        cooldown: float = 0.0,
    ) -> None:
        self.rate = rate
        self.betas = betas
        self.levels = levels
        self.last = last
        self.cooldown = cooldown
        #: No gradient was ever other than zero, so that there is no momentum either.
        self.stuck = False
        self._means: dict[str, list[Tensor]] = {}
        self._squares: dict[str, list[Tensor]] = {}
        self._count = 0

    def step(self, canvas: Canvas, evaluate: Evaluate) -> Evaluation:
        found = evaluate()
        self._count += 1
        self.stuck = found.flat and (self.stuck or self._count == 1)
        for name, gradient in found.gradient.items():
            self._move(canvas.parameters[name], name, pyramid(gradient, self.levels if name in canvas.maps else 1))
        canvas.keep_in_range()
        return found

    def _move(self, parameter: Tensor, name: str, gradients: list[Tensor]) -> None:
        if name not in self._means:
            self._means[name], self._squares[name] = ([torch.zeros_like(g) for g in gradients] for _ in range(2))
        first, second = self.betas
        moves = []
        for level, mean, square in zip(gradients, self._means[name], self._squares[name], strict=True):
            mean.lerp_(level, 1 - first)
            square.lerp_(level.square(), 1 - second)
            moves.append(mean / (square / (1 - second**self._count)).sqrt_().add_(1e-12))
        parameter.sub_(collapsed(moves), alpha=self._rate() / (1 - first**self._count))

    def _rate(self) -> float:
        """Of the step that is being made."""
        left, falling = self.last - self._count + 1, self.last * self.cooldown
        return self.rate * min(1.0, left / falling) if falling else self.rate

    def bytes_per_value(self, values: int) -> float:
        """Two means of each level, in single precision."""
        return 8 * sum(0.25**level for level in range(self.levels))

    def state(self) -> dict[str, Tensor]:
        numbers = {"count": self._count, "last": self.last, "levels": self.levels}
        found = {name: torch.tensor(value) for name, value in numbers.items()}
        for kind, kept in (("mean", self._means), ("square", self._squares)):
            found |= {f"{kind}{i}.{name}": level for name, levels in kept.items() for i, level in enumerate(levels)}
        return found

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """See `Optimizer`.

        Raises:
            InputError: if the state's run would have cooled down at other steps, or had another pyramid.
        """
        count, last, levels = (int(state[name]) for name in ("count", "last", "levels"))
        begun = self.cooldown > 0 and count > 1 + min(last, self.last) * (1 - self.cooldown)
        if begun and last != self.last:
            raise InputError(
                f"the state is of a run of {last} steps, not {self.last}, and its rate was falling to nothing by then: "
                f"resume it with {last} steps, or without a cooldown"
            )
        if levels != self.levels:
            raise InputError(f"the state's pyramid has {levels} levels, not {self.levels}: resume with {levels}")
        self._count = count
        for kind, kept in (("mean", self._means), ("square", self._squares)):
            for name in under(f"{kind}0", state):
                values = (state.get(f"{kind}{i}.{name}") for i in range(levels))
                kept[name] = [value.clone() for value in values if value is not None]
