"""What the loop is given and what it tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor

from impasto.canvas.base import Canvas
from impasto.errors import InputError

#: Parts of the loss by name, already weighted.
Parts = Mapping[str, float]
#: Parameters, or their gradient, or a move of them, by name.
Vector = Mapping[str, Tensor]
#: From a picture `(B, 3, H, W)` to a loss and its weighted parts by name: an `Objective`, or one wrapped.
Goal = Callable[[Tensor], tuple[Tensor, dict[str, Tensor]]]


@dataclass(frozen=True)
class StepGoals:
    """Goals of which each step has its own.

    Attributes:
        at: the goal of a step, counted from 1; the same one however often it is asked for.
    """

    at: Callable[[int], Goal]


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
    objective: Callable[[], Goal | StepGoals]


@dataclass(frozen=True)
class State:
    """All that a run needs to go on as if it had never stopped.

    Attributes:
        scale: index of the stage, from 0.
        step: steps done in it.
        parameters: of the canvas.
        optimizer: the optimizer's own tensors by name.
        average: of the parameters, where there is one.
        loss: that the step told.
        losses: its weighted parts by name.
        stuck: no further step of the stage would change anything.
    """

    scale: int
    step: int
    parameters: Vector
    optimizer: Mapping[str, Tensor]
    average: Vector | None = None
    loss: float = float("nan")
    losses: Parts = field(default_factory=dict)
    stuck: bool = False

    def tensors(self) -> dict[str, Tensor]:
        """All of it by name, to be written to a file; `from_tensors` takes it back."""
        numbers = {"scale": self.scale, "step": self.step, "stuck": self.stuck, "loss": self.loss}
        numbers |= {f"losses.{name}": value for name, value in self.losses.items()}
        vectors = spread("parameters", self.parameters) | spread("optimizer", self.optimizer)
        vectors |= spread("average", self.average or {})
        return vectors | {name: torch.tensor(value, dtype=torch.float64) for name, value in numbers.items()}

    @staticmethod
    def from_tensors(tensors: Mapping[str, Tensor]) -> State:
        """The state that gave `tensors`.

        Raises:
            InputError: if something is missing.
        """
        try:
            scale, step, stuck, loss = (tensors[name].item() for name in ("scale", "step", "stuck", "loss"))
        except KeyError as error:
            raise InputError(f"the state has no {error}; it is of another version, or damaged: begin anew") from error
        losses = {name: value.item() for name, value in under("losses", tensors).items()}
        vectors = under("parameters", tensors), under("optimizer", tensors), under("average", tensors) or None
        return State(int(scale), int(step), *vectors, loss, losses, bool(stuck))

    def to(self, device: str | torch.device) -> State:
        """The state on another device; single numbers stay where they are."""

        def moved(values: Vector) -> dict[str, Tensor]:
            return {name: value.to(device) if value.ndim else value for name, value in values.items()}

        average = None if self.average is None else moved(self.average)
        return replace(self, parameters=moved(self.parameters), optimizer=moved(self.optimizer), average=average)


@dataclass(frozen=True)
class Step:
    """What one step did.

    Attributes:
        scale, scales: stage, counted from 1, and how many there are.
        step, steps: step in the stage, counted from 1, and how many there are at most.
        size: `(H, W)` of the picture.
        loss: the objective's value.
        losses: its weighted parts by name.
        seconds: since the loop began.
        done: the stage's last step: all were made, or no further one would change anything.
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
    done: bool
    image: Callable[[], Tensor]
    state: Callable[[], State]

    def showing(self, change: Callable[[Tensor], Tensor]) -> Step:
        """The step with its picture changed when it is wanted; what is optimized, and its losses, stay."""
        image = self.image
        return replace(self, image=lambda: change(image()))


@dataclass(frozen=True)
class Evaluation:
    """The objective at a canvas's parameters.

    Attributes:
        loss: its value.
        losses: its weighted parts by name.
        gradient: with respect to each parameter.
        flat: the gradient is exactly zero.
    """

    loss: float
    losses: Parts
    gradient: Vector
    flat: bool


#: Evaluates the objective at the canvas's present parameters.
Evaluate = Callable[[], Evaluation]


class Optimizer(Protocol):
    """Changes a canvas by one step, and can save and take back its memory.

    Attributes:
        stuck: no further step would change anything, as long as the goal stays the same.
    """

    stuck: bool

    def step(self, canvas: Canvas, evaluate: Evaluate) -> Evaluation:
        """One step; returns the evaluation that it tells of. A `NonFiniteError` leaves the canvas as it was."""
        ...

    def bytes_per_value(self, values: int) -> float:
        """Memory that it keeps from step to step, for each of so many numbers of a canvas's parameters."""
        ...

    def state(self) -> dict[str, Tensor]: ...

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back a `state`; a `KeyError` if it is another optimizer's."""
        ...


def copied(vector: Vector) -> dict[str, Tensor]:
    """A copy of its own, without a gradient."""
    return {name: value.detach().clone() for name, value in vector.items()}


def spread(key: str, vector: Vector) -> dict[str, Tensor]:
    """A vector in a flat mapping, as `key.NAME`; `under` finds it there."""
    return {f"{key}.{name}": value for name, value in vector.items()}


def under(key: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What was `spread` under a key, if anything."""
    return {name.removeprefix(f"{key}."): value for name, value in tensors.items() if name.startswith(f"{key}.")}
