"""The one loop: a canvas is changed until an objective is small, as a generator of small records."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.canvas import Canvas
from impasto.errors import InputError, NonFiniteError

#: Parts of the loss by name, already weighted.
Parts = Mapping[str, float]
#: From a picture `(B, 3, H, W)` to a loss and its weighted parts by name: an `Objective`, or one wrapped.
Goal = Callable[[Tensor], tuple[Tensor, dict[str, Tensor]]]


@dataclass(frozen=True)
class Turns:
    """Goals of which each step has its own.

    Attributes:
        at: the goal of a step, counted from 1; the same one however often it is asked for.
    """

    at: Callable[[int], Goal]


#: Evaluates the objective at the canvas's present parameters: loss, gradient, parts.
Evaluate = Callable[[], tuple[float, Tensor, Parts]]


@dataclass(frozen=True)
class Stage:
    """One scale of a coarse-to-fine schedule.

    Attributes:
        size: `(H, W)` of the picture.
        steps: how many.
        objective: made when the stage begins, since its targets depend on the size.
    """

    size: tuple[int, int]
    steps: int
    objective: Callable[[], Goal | Turns]


@dataclass(frozen=True)
class State:
    """All that a run needs to go on as if it had never stopped.

    Attributes:
        scale: index of the stage, from 0.
        step: steps done in it.
        parameters: of the canvas.
        optimizer: the optimizer's own tensors by name.
        average: of the parameters, where there is one.
    """

    scale: int
    step: int
    parameters: Tensor
    optimizer: Mapping[str, Tensor]
    average: Tensor | None = None

    def tensors(self) -> dict[str, Tensor]:
        """All of it by name, for files."""
        found = {"parameters": self.parameters} | {f"optimizer.{k}": v for k, v in self.optimizer.items()}
        return found if self.average is None else found | {"average": self.average}

    @staticmethod
    def of(scale: int, step: int, tensors: Mapping[str, Tensor]) -> State:
        """From `tensors`."""
        optimizer = {k.removeprefix("optimizer."): v for k, v in tensors.items() if k.startswith("optimizer.")}
        return State(scale, step, tensors["parameters"], optimizer, tensors.get("average"))


@dataclass(frozen=True)
class Step:
    """What one step did.

    Attributes:
        scale, scales: stage, counted from 1, and how many there are.
        step, steps: step in the stage, counted from 1, and how many there are.
        size: `(H, W)` of the picture.
        loss: the objective's value.
        losses: its weighted parts by name.
        seconds: since the loop began.
        image: the picture now, `(B, 3, H, W)`, RGB, [0, 1]; call it when it is wanted.
        state: everything needed to resume after this step; call it when it is wanted.
    """

    scale: int
    scales: int
    step: int
    steps: int
    size: tuple[int, int]
    loss: float
    losses: Parts
    seconds: float
    image: Callable[[], Tensor]
    state: Callable[[], State]
    layers: Mapping[str, float] = field(default_factory=dict)


class Optimizer(Protocol):
    """Changes a canvas by one step, and can save and take back its memory."""

    def step(self, canvas: Canvas, evaluate: Evaluate) -> tuple[float, Parts]:
        """One step; returns the loss reached and its parts. A `NonFiniteError` leaves the canvas as it was."""
        ...

    def state(self) -> dict[str, Tensor]: ...
    def restore(self, state: Mapping[str, Tensor]) -> None: ...


def pyramid(image: Tensor, levels: int) -> list[Tensor]:
    """`(B, C, H, W)` and `levels - 1` more, each of half the sides of the one before (rounded up)."""
    found = [image]
    for _ in range(levels - 1):
        half = [max(1, -(-int(side) // 2)) for side in found[-1].shape[-2:]]
        found.append(F.interpolate(found[-1], size=half, mode="bilinear", align_corners=False, antialias=True))
    return found


def collapsed(levels: Sequence[Tensor]) -> Tensor:
    """The sum of a pyramid's levels, each enlarged to the first one's size."""
    found = levels[-1]
    for level in reversed(levels[:-1]):
        size = (int(level.shape[-2]), int(level.shape[-1]))
        found = F.interpolate(found, size=size, mode="bilinear", align_corners=False).add_(level)
    return found


#: Numbers (4 Mpx in color) above which L-BFGS keeps its pairs in half precision, and at most so many of them.
LARGE, LARGE_HISTORY = 12 * 2**20, 3


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

    Args:
        history: pairs remembered, 24 bytes a pixel each; above `LARGE` numbers 12 bytes a pixel, and `LARGE_HISTORY`.
        levels: of the pyramid, for parameters `(B, C, H, W)`; 1 for none.
    """

    def __init__(self, history: int = 10, *, levels: int = 1, first: float = 0.02, halvings: int = 6) -> None:
        self.history = history
        self.levels = levels
        self.first = first
        self.halvings = halvings
        self._moves: list[Tensor] = []
        self._changes: list[Tensor] = []
        self._gradient: Tensor | None = None
        self._loss = 0.0
        self._parts: Parts = {}

    def step(self, canvas: Canvas, evaluate: Evaluate) -> tuple[float, Parts]:
        if self._gradient is None:
            self._loss, self._gradient, self._parts = evaluate()
        if not self._try(canvas, evaluate) and self._moves:
            self._moves, self._changes = [], []
            self._try(canvas, evaluate)
        return self._loss, self._parts

    def _try(self, canvas: Canvas, evaluate: Evaluate) -> bool:
        """Move along the direction, halved until the loss falls; otherwise leave the canvas where it was."""
        assert self._gradient is not None
        start, length = canvas.parameters.detach().clone(), 1.0
        failure: NonFiniteError | None = None
        for _ in range(self.halvings + 1):
            # Found anew for each length: next to an evaluation that costs nothing, and there it takes no memory.
            canvas.parameters.copy_(start).add_(self._direction(self._gradient), alpha=length)
            canvas.keep_in_range()
            try:
                loss, gradient, parts = evaluate()
            except NonFiniteError as error:
                failure, loss = error, float("inf")
            if loss < self._loss:
                self._remember(canvas.parameters - start, gradient - self._gradient)
                self._loss, self._gradient, self._parts = loss, gradient, parts
                return True
            length /= 2
        canvas.parameters.copy_(start)
        if failure is not None:
            raise failure
        return False

    def _remember(self, move: Tensor, change: Tensor) -> None:
        most = self.history
        if move.numel() > LARGE:
            move, change, most = move.bfloat16(), change.bfloat16(), min(most, LARGE_HISTORY)
        if _dot(move, change) > 1e-6 * move.norm() * change.norm():
            self._moves.append(move)
            self._changes.append(change)
            del self._moves[:-most], self._changes[:-most]

    def _direction(self, gradient: Tensor) -> Tensor:
        """The two-loop recursion: minus the approximate inverse Hessian times the gradient.

        Its scalars stay on the device, so that a GPU is not waited for.
        """
        if not self._moves:
            first = self._preconditioned(gradient.clone())
            return first * (-self.first / first.square().mean().sqrt().clamp_min(1e-30))
        q, alphas = -gradient, []
        for s, y in zip(reversed(self._moves), reversed(self._changes), strict=True):
            alpha = _dot(s, q) / _dot(s, y)
            alphas.append(alpha)
            q.addcmul_(y, alpha, value=-1)
        s, y = self._moves[-1], self._changes[-1]
        scale = _dot(s, y) / self._preconditioned_square(y)
        q = self._preconditioned(q).mul_(scale)
        for s, y, alpha in zip(self._moves, self._changes, reversed(alphas), strict=True):
            q.addcmul_(s, alpha - _dot(y, q) / _dot(s, y))
        return q

    def _preconditioned(self, gradient: Tensor) -> Tensor:
        """`P` times a gradient, in its place."""
        for color in self._colors(gradient):
            color.copy_(collapsed(pyramid(color, self.levels)))
        return gradient

    def _preconditioned_square(self, change: Tensor) -> Tensor:
        """`yᵀPy` in little memory: to enlarge is to shrink, transposed, four times over (but at the edges)."""
        found = []
        for color in self._colors(change):
            wide = color.to(torch.promote_types(torch.float32, color.dtype))
            found += [4**k * _dot(level, level) for k, level in enumerate(pyramid(wide, self.levels))]
        return torch.stack(found).sum()

    def _colors(self, parameters: Tensor) -> Sequence[Tensor]:
        """One at a time, since large pictures have no room for the pyramids of all."""
        return parameters.chunk(int(parameters.shape[1]), 1) if self.levels > 1 else [parameters]

    def state(self) -> dict[str, Tensor]:
        pairs = {f"move{i}": s for i, s in enumerate(self._moves)} | {
            f"change{i}": y for i, y in enumerate(self._changes)
        }
        assert self._gradient is not None
        loss = torch.tensor(self._loss, dtype=torch.float64)
        parts = {f"part.{k}": torch.tensor(v, dtype=torch.float64) for k, v in self._parts.items()}
        return pairs | parts | {"gradient": self._gradient, "loss": loss}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        count = sum(name.startswith("move") for name in state)
        # Not copied: none of these is ever changed in place.
        self._moves = [state[f"move{i}"] for i in range(count)]
        self._changes = [state[f"change{i}"] for i in range(count)]
        self._gradient, self._loss = state["gradient"], state["loss"].item()
        self._parts = {k.removeprefix("part."): v.item() for k, v in state.items() if k.startswith("part.")}


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """In single precision at least, whatever the pair's."""
    wide = torch.promote_types(torch.float32, torch.promote_types(a.dtype, b.dtype))
    return torch.dot(a.flatten().to(wide), b.flatten().to(wide))


class Adam:
    """Adam (Kingma and Ba 2015), projected to the canvas's range after each step.

    With `levels`, every level of a pyramid of the gradient has means of its own and makes a step of its own, and the
    picture moves by their sum: Adam for the levels of a Laplacian pyramid, without keeping the picture as one. Alone in
    pixels, it moves all of them by about the same, which is a grain.

    Args:
        rate: learning rate, in pixel units.
        betas: decay of the means of the gradient and of its square.
        levels: of the pyramid, for parameters `(B, C, H, W)`; 1 for none.
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
        self._means: list[Tensor] = []
        self._squares: list[Tensor] = []
        self._count = 0

    def step(self, canvas: Canvas, evaluate: Evaluate) -> tuple[float, Parts]:
        loss, gradient, parts = evaluate()
        gradients = pyramid(gradient, self.levels)
        if not self._means:
            self._means, self._squares = ([torch.zeros_like(g) for g in gradients] for _ in range(2))
        self._count += 1
        first, second = self.betas
        moves = []
        for level, mean, square in zip(gradients, self._means, self._squares, strict=True):
            mean.lerp_(level, 1 - first)
            square.lerp_(level.square(), 1 - second)
            moves.append(mean / (square / (1 - second**self._count)).sqrt_().add_(1e-12))
        canvas.parameters.sub_(collapsed(moves), alpha=self._rate() / (1 - first**self._count))
        canvas.keep_in_range()
        return loss, parts

    def _rate(self) -> float:
        """Of the step that is being made."""
        left, falling = self.last - self._count + 1, self.last * self.cooldown
        return self.rate * min(1.0, left / falling) if falling else self.rate

    def state(self) -> dict[str, Tensor]:
        assert self._means
        levels = {f"mean{i}": m for i, m in enumerate(self._means)} | {
            f"square{i}": s for i, s in enumerate(self._squares)
        }
        return levels | {"count": torch.tensor(self._count)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        count = sum(name.startswith("mean") for name in state)
        self._means, self._squares = ([state[f"{n}{i}"].clone() for i in range(count)] for n in ("mean", "square"))
        self._count = int(state["count"])


OPTIMIZERS: dict[str, Callable[[], Optimizer]] = {"lbfgs": LBFGS, "adam": Adam}


class _Average:
    """A running average of a canvas's parameters, unbiased from the first step on; with a decay of 0 the last ones."""

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.value: Tensor | None = None

    def update(self, parameters: Tensor, count: int) -> None:
        """Take in the parameters after step `count` of a stage."""
        if self.decay:
            weight = (1 - self.decay) / (1 - self.decay**count)
            self.value = parameters.clone() if self.value is None else self.value.lerp(parameters, weight)

    def image(self, canvas: Canvas) -> Tensor:
        """The canvas's image at the average."""
        now = canvas.parameters
        canvas.parameters = now if self.value is None else self.value
        image = canvas.image().detach().clone()
        canvas.parameters = now
        return image


def minimize(
    canvas: Canvas,
    stages: Sequence[Stage],
    optimizer: Callable[[Stage], Optimizer],
    resume: State | None = None,
    *,
    average: float = 0.0,
) -> Iterator[Step]:
    """Change `canvas` to make each stage's objective small, stage after stage.

    Args:
        canvas: what is optimized; resized when a stage begins.
        stages: from coarse to fine.
        optimizer: makes a stage's optimizer.
        resume: a state of a run with the same stages; it goes on from there.
        average: decay of a running average of the parameters, restarted at each stage, which steps show and the next
            stage begins with (Adam wanders; its average does not); 0 for none.

    Yields:
        A `Step` after each step. The consumer may stop at any time: the canvas holds the last good picture.

    Raises:
        NonFiniteError: if a term becomes NaN or infinite; the canvas holds the last good picture.
        InputError: if `resume` does not fit the stages.
    """
    began, begin = time.perf_counter(), 0 if resume is None else resume.scale
    if resume is not None and resume.scale >= len(stages):
        raise InputError(f"the state was saved at scale {resume.scale + 1}, but there are only {len(stages)}")
    for number, stage in enumerate(stages):
        if number < begin:
            continue
        solver, done, mean = optimizer(stage), 0, _Average(average)
        if resume is not None:
            canvas.resize(stage.size)
            if resume.parameters.shape != canvas.parameters.shape:
                raise InputError(f"the state is of size {tuple(resume.parameters.shape)}, not {stage.size}")
            canvas.parameters, done = resume.parameters.clone(), resume.step
            mean.value = resume.average
            solver.restore(resume.optimizer)
            resume = None
        else:
            canvas.resize(stage.size)
        objective = stage.objective()
        for count in range(done + 1, stage.steps + 1):
            loss, parts = _advance(canvas, objective, solver, count)
            mean.update(canvas.parameters, count)
            yield Step(
                scale=number + 1,
                scales=len(stages),
                step=count,
                steps=stage.steps,
                size=stage.size,
                loss=loss,
                losses=parts,
                seconds=time.perf_counter() - began,
                image=lambda m=mean: m.image(canvas),  # type: ignore[misc]
                state=lambda n=number, c=count, s=solver, m=mean: State(  # type: ignore[misc]
                    n, c, canvas.parameters.detach().clone(), s.state(), m.value
                ),
            )
        if mean.value is not None:
            canvas.parameters = mean.value
        del objective  # its targets, before those of the next stage are made


def _advance(canvas: Canvas, objective: Goal | Turns, solver: Optimizer, count: int) -> tuple[float, Parts]:
    """One step of `solver`; the canvas's parameters carry no gradient outside of the evaluation."""
    goal = objective.at(count) if isinstance(objective, Turns) else objective

    def evaluate() -> tuple[float, Tensor, Parts]:
        with torch.enable_grad():
            canvas.parameters.requires_grad_()
            total, parts = goal(canvas.image())
            (gradient,) = torch.autograd.grad(total, [canvas.parameters])
            canvas.parameters.requires_grad_(False)
        loss, *values = torch.stack([total.detach(), *parts.values()]).tolist()  # a GPU is waited for once
        for name, value in zip(parts, values, strict=True):
            if not abs(value) < float("inf"):
                raise NonFiniteError(name, count)
        # An encoder may leave its own memory layout, which every product of L-BFGS would copy back.
        return loss, gradient.contiguous(), dict(zip(parts, values, strict=True))

    with torch.no_grad():
        return solver.step(canvas, evaluate)
