"""L-BFGS, in pyramids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from impasto.canvas.base import Canvas
from impasto.errors import NonFiniteError
from impasto.optimize.levels import collapsed, pyramid
from impasto.optimize.records import Evaluate, Evaluation, Vector, copied, spread, under

#: Numbers (4 Mpx in color) above which L-BFGS keeps its pairs in half precision, and at most so many of them.
LARGE, LARGE_HISTORY = 12 * 2**20, 3


@dataclass(frozen=True)
class _Pair:
    """What a step showed of the curvature.

    Attributes:
        move: `s`, of the parameters.
        change: `y`, of the gradient.
        product: `sᵀy`, a scalar on the device; infinite where the pair is not to be kept, so that it moves nothing.
    """

    move: Vector
    change: Vector
    product: Tensor

    @property
    def kept(self) -> bool:
        """Waits for the device."""
        return bool(self.product.isfinite())


class LBFGS:
    """Limited-memory BFGS (Nocedal and Wright 2006, algorithm 7.4), projected to the canvas's range.

    It departs from `torch.optim.LBFGS` in four ways. The first step has a fixed length (`first`, root mean square, in
    pixel units) instead of `1/‖g‖₁`. The first guess of the inverse Hessian is no multiple of one but of `P`, which
    adds to a gradient what it is at coarser `levels` (`collapsed(pyramid(g))`): what many pixels agree on moves
    further. A pair is kept when `sᵀy` is positive in proportion to `‖s‖‖y‖`, not to a fixed number, so that the loss
    may have any scale. A step that does not lower the loss is halved, and after `halvings` of them the memory is
    dropped.

    Of large pictures the pairs, not the gradient, are in half precision (bfloat16): a pair only says how curved the
    loss is.

    A GPU is waited for once an evaluation, for the loss. Whether the newest pair is kept is read after the next
    evaluation, when nothing is under way; until then it takes part with a weight that may be zero.

    Args:
        history: pairs remembered, 24 bytes a pixel each; above `LARGE` numbers 12 bytes a pixel, and `LARGE_HISTORY`.
        levels: of the pyramid, for parameters that lie over the picture; 1 for none.
    """

    def __init__(self, history: int = 10, *, levels: int = 1, first: float = 0.02, halvings: int = 6) -> None:
        self.history = history
        self.levels = levels
        self.first = first
        self.halvings = halvings
        self.stuck = False
        self._pairs: list[_Pair] = []
        self._decided = True
        self._scale: Tensor | None = None
        self._now: Evaluation | None = None

    def step(self, canvas: Canvas, evaluate: Evaluate) -> Evaluation:
        now = evaluate() if self._now is None else self._now
        if not now.flat:
            found = self._try(canvas, evaluate, now)
            if found is None and self._pairs:
                self._pairs, self._decided = [], True
                found = self._try(canvas, evaluate, now)
            # Without a memory it would try the same lengths again, each time.
            self.stuck, now = found is None, found or now
        self.stuck, self._now = self.stuck or now.flat, now
        return now

    def _try(self, canvas: Canvas, evaluate: Evaluate, before: Evaluation) -> Evaluation | None:
        """Move along the direction, halved until the loss falls; otherwise leave the canvas where it was."""
        start, length, levels = copied(canvas.parameters), 1.0, self._levels(canvas)
        failure: NonFiniteError | None = None
        for _ in range(self.halvings + 1):
            # Found anew for each length: next to an evaluation that costs nothing, and there it takes no memory.
            _move(canvas, start, self._direction(before.gradient, levels), length)
            length /= 2
            try:
                found = evaluate()
            except NonFiniteError as error:
                failure = error
                continue
            if found.loss < before.loss:
                self._remember(_less(canvas.parameters, start), _less(found.gradient, before.gradient))
                return found
        _move(canvas, start)
        if failure is not None:
            raise failure
        return None

    def _levels(self, canvas: Canvas) -> dict[str, int]:
        return {name: self.levels if name in canvas.maps else 1 for name in canvas.parameters}

    def _remember(self, move: Vector, change: Vector) -> None:
        self._decide()
        most = self.history
        if sum(x.numel() for x in move.values()) > LARGE:
            move, change = ({name: x.bfloat16() for name, x in v.items()} for v in (move, change))
            most = min(most, LARGE_HISTORY)
        product = _dot(move, change)
        curved = product > 1e-6 * _norm(move) * _norm(change)
        self._pairs.append(_Pair(move, change, torch.where(curved, product, torch.inf)))
        self._decided = False
        if len(self._pairs) == 1:
            self._decide()  # without another pair there is no other first guess of the curvature
        del self._pairs[:-most]

    def _decide(self) -> None:
        """Drop the newest pair if it is not to be kept."""
        if not self._decided and not self._pairs[-1].kept:
            self._pairs.pop()
        self._decided = True

    def _direction(self, gradient: Vector, levels: Mapping[str, int]) -> dict[str, Tensor]:
        """The two-loop recursion: minus the approximate inverse Hessian times the gradient.

        Its scalars stay on the device, so that a GPU is not waited for.
        """
        if not self._pairs:
            move = preconditioned(copied(gradient), levels)
            scale = -self.first / _mean_square(move).sqrt().clamp_min(1e-30)
            return {name: x.mul_(scale) for name, x in move.items()}
        q, alphas = {name: -g for name, g in gradient.items()}, []
        for pair in reversed(self._pairs):
            alphas.append(_dot(pair.move, q) / pair.product)
            _add(q, pair.change, alphas[-1], -1)
        scale = self._first_guess(levels)
        q = {name: x.mul_(scale) for name, x in preconditioned(q, levels).items()}
        for pair, alpha in zip(self._pairs, reversed(alphas), strict=True):
            _add(q, pair.move, alpha - _dot(pair.change, q) / pair.product)
        return q

    def _first_guess(self, levels: Mapping[str, int]) -> Tensor:
        """The multiple of `P` with which the inverse Hessian begins: that of the newest pair that is kept."""
        newest = self._pairs[-1]
        scale = newest.product / preconditioned_square(newest.change, levels)
        if not self._decided and self._scale is not None:
            scale = torch.where(scale.isfinite(), scale, self._scale)
        self._scale = scale
        return scale

    def bytes_per_value(self, values: int) -> float:
        """Its pairs: in single precision, or in half and few of them (`LARGE`)."""
        return 4 * min(self.history, LARGE_HISTORY) if values > LARGE else 8 * self.history

    def state(self) -> dict[str, Tensor]:
        assert self._now is not None
        found = spread("gradient", self._now.gradient)
        self._decide()
        for i, pair in enumerate(self._pairs):
            found |= spread(f"move{i}", pair.move) | spread(f"change{i}", pair.change)
        numbers = {"loss": self._now.loss, "pairs": len(self._pairs)}
        numbers |= {f"part.{name}": value for name, value in self._now.losses.items()}
        return found | {name: torch.tensor(value, dtype=torch.float64) for name, value in numbers.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        # Not copied: none of these is ever changed in place.
        pairs, gradient = range(int(state["pairs"])), under("gradient", state)
        found = [(under(f"move{i}", state), under(f"change{i}", state)) for i in pairs]
        self._pairs, self._decided = [_Pair(s, y, _dot(s, y)) for s, y in found], True
        losses = {name: value.item() for name, value in under("part", state).items()}
        flat = not any(g.count_nonzero() for g in gradient.values())
        self._now = Evaluation(state["loss"].item(), losses, gradient, flat)


def preconditioned(gradient: dict[str, Tensor], levels: Mapping[str, int]) -> dict[str, Tensor]:
    """`P` times a gradient, in its place."""
    for name, x in gradient.items():
        for color in _colors(x, levels[name]):
            color.copy_(collapsed(pyramid(color, levels[name])))
    return gradient


def preconditioned_square(change: Vector, levels: Mapping[str, int]) -> Tensor:
    """`yᵀPy` in little memory: to enlarge is to shrink, transposed, four times over (but at the edges)."""
    found = []
    for name, x in change.items():
        for color in _colors(x, levels[name]):
            wide = color.to(torch.promote_types(torch.float32, color.dtype))
            parts = enumerate(pyramid(wide, levels[name]))
            found += [4.0**k * _dot({name: level}, {name: level}) for k, level in parts]
    return torch.stack(found).sum()


def _colors(parameter: Tensor, levels: int) -> Sequence[Tensor]:
    """One at a time, since large pictures have no room for the pyramids of all."""
    return parameter.chunk(int(parameter.shape[1]), 1) if levels > 1 else [parameter]


def _move(canvas: Canvas, start: Vector, direction: Vector | None = None, length: float = 1.0) -> None:
    """To so far from a start, within the range; by default to the start."""
    for name, value in start.items():
        canvas.parameters[name].copy_(value)
        if direction is not None:
            canvas.parameters[name].add_(direction[name], alpha=length)
    if direction is not None:
        canvas.keep_in_range()


def _less(a: Vector, b: Vector) -> dict[str, Tensor]:
    return {name: a[name] - b[name] for name in a}


def _add(a: Vector, b: Vector, factor: Tensor, sign: int = 1) -> None:
    """Adds to `a` the product, in its place."""
    for name, x in a.items():
        x.addcmul_(b[name], factor, value=sign)


def _dot(a: Vector, b: Vector) -> Tensor:
    """In single precision at least, whatever the pair's."""

    def of(x: Tensor, y: Tensor) -> Tensor:
        wide = torch.promote_types(torch.float32, torch.promote_types(x.dtype, y.dtype))
        return torch.dot(x.flatten().to(wide), y.flatten().to(wide))

    return reduce(torch.add, (of(x, b[name]) for name, x in a.items()))


def _norm(a: Vector) -> Tensor:
    norms: list[Tensor] = [x.norm() for x in a.values()]
    return reduce(torch.hypot, norms)


def _mean_square(a: Vector) -> Tensor:
    count = sum(x.numel() for x in a.values())
    return reduce(torch.add, (x.square().mean() * (x.numel() / count) for x in a.values()))
