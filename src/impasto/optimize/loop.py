"""The loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.canvas.base import Canvas
from impasto.errors import InputError, NonFiniteError
from impasto.optimize.captured import Capture, Replayed, Work
from impasto.optimize.records import (
    Evaluation,
    Goal,
    Optimizer,
    Parts,
    Stage,
    State,
    Step,
    StepGoals,
    Vector,
    copied,
    spread,
    under,
)  # fmt: skip


class _Average:
    """A running average of a canvas's parameters, unbiased from the first step on; with a decay of 0 the last ones."""

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.value: dict[str, Tensor] | None = None

    def update(self, parameters: Vector, count: int) -> None:
        """Take in the parameters after step `count` of a stage."""
        if self.decay:
            weight, old = (1 - self.decay) / (1 - self.decay**count), self.value or copied(parameters)
            self.value = {n: old[n].lerp(p, weight) for n, p in parameters.items()}

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
    capture: Capture | None = None,
    notice: Callable[[str], None] = lambda text: None,
) -> Iterator[Step]:
    """Change `canvas` to make each stage's objective small, stage after stage.

    A stage ends before its last step when its goal is the same at each step and no step changes anything any more: at
    a gradient of zero, or where L-BFGS without a memory finds no smaller loss. It may be called and watched under
    `torch.inference_mode()` or `torch.no_grad()`.

    Args:
        canvas: what is optimized; resized when a stage begins.
        stages: from coarse to fine.
        optimizer: makes a stage's optimizer.
        resume: a state of a run with the same stages; it goes on from there. Where its stage has more steps than then,
            they are made; if there are none left in the last stage, it is told again as the only record.
        average: decay of a running average of the parameters, restarted at each stage, which steps show and the next
            stage begins with (Adam wanders; its average does not); 0 for none.
        capture: how a stage's evaluations are recorded and replayed (`impasto.optimize.captured`), where all its steps
            have one goal; they are not if None.
        notice: told in a sentence why a stage's are not.

    Yields:
        A `Step` after each step. The consumer may stop at any time: the canvas holds the last good picture.

    Raises:
        NonFiniteError: if a term becomes NaN or infinite; the canvas holds the last good picture.
        InputError: if `resume` does not fit the stages, the canvas or the optimizer.
    """
    began, begin = time.perf_counter(), 0 if resume is None else resume.scale
    if resume is not None and begin >= len(stages):
        raise InputError(f"the state was saved at scale {begin + 1}, but there are only {len(stages)}")
    for number, stage in enumerate(stages[begin:], begin):
        run = _Run(canvas, number, len(stages), stage, optimizer(stage), _Average(average), began, capture, notice)
        run.begin(resume)
        done, ended = (0, False) if resume is None else (resume.step, resume.stuck or resume.step >= stage.steps)
        if not ended:
            resume = None  # its tensors, before more are made
            yield from run.steps(done)
        elif resume is not None and number == len(stages) - 1:
            yield run.record(done, resume.loss, resume.losses, stuck=resume.stuck)
        resume = None
        run.end()


@dataclass
class _Run:
    """One stage under way; what it computes is differentiable whatever mode its consumer is in."""

    canvas: Canvas
    number: int
    scales: int
    stage: Stage
    solver: Optimizer
    mean: _Average
    began: float
    capture: Capture | None
    notice: Callable[[str], None]

    @torch.inference_mode(False)
    def begin(self, resume: State | None) -> None:
        """Bring the canvas to the stage's size, or to where a state left it."""
        canvas = self.canvas
        canvas.parameters = {n: p.clone() if p.is_inference() else p for n, p in canvas.parameters.items()}
        canvas.resize(self.stage.size)
        if resume is None:
            return
        sizes, fitting = ({n: tuple(p.shape) for n, p in v.items()} for v in (resume.parameters, canvas.parameters))
        if sizes != fitting:
            raise InputError(f"the state is of size {sizes}, not {fitting}: resume with the same settings")
        canvas.parameters = copied(resume.parameters)
        self.mean.value = None if resume.average is None else copied(resume.average)
        try:
            self.solver.restore(resume.optimizer)
        except KeyError as error:
            raise InputError(
                f"the state is of another optimizer, as it has no {error}: resume with the same"
            ) from error

    def steps(self, done: int) -> Iterator[Step]:
        """All that are left after so many."""
        with torch.inference_mode(False):
            objective = self.stage.objective()
        work: Work | None = None
        if self.capture is not None and not isinstance(objective, StepGoals):
            canvas, goal = self.canvas, objective
            work = Replayed(lambda: _computed(canvas, goal), lambda: canvas.parameters, self.capture, self.notice)
        for count in range(done + 1, self.stage.steps + 1):
            loss, losses = self._advance(objective, count, work)
            stuck = self.solver.stuck and not isinstance(objective, StepGoals)
            yield self.record(count, loss, losses, stuck=stuck)
            if stuck:
                return

    def end(self) -> None:
        """The next stage begins with the average, where there is one."""
        if self.mean.value is not None:
            self.canvas.parameters = self.mean.value

    def record(self, count: int, loss: float, losses: Parts, *, stuck: bool) -> Step:
        """What is told after step `count`."""
        return Step(
            scale=self.number + 1,
            scales=self.scales,
            step=min(count, self.stage.steps),
            steps=self.stage.steps,
            size=self.stage.size,
            loss=loss,
            losses=losses,
            seconds=time.perf_counter() - self.began,
            done=stuck or count >= self.stage.steps,
            image=lambda: self.mean.image(self.canvas),
            state=lambda: State(
                self.number, count, copied(self.canvas.parameters), self.solver.state(), self.mean.value, loss, losses,
                stuck,
            ),
        )  # fmt: skip

    @torch.inference_mode(False)
    @torch.no_grad()
    def _advance(self, objective: Goal | StepGoals, count: int, work: Work | None) -> tuple[float, Parts]:
        """One step; the canvas's parameters carry no gradient outside of the evaluation."""
        goal = objective.at(count) if isinstance(objective, StepGoals) else objective
        found = self.solver.step(self.canvas, lambda: _evaluated(work or (lambda: _computed(self.canvas, goal)), count))
        self.mean.update(self.canvas.parameters, count)
        return found.loss, found.losses


def _computed(canvas: Canvas, goal: Goal) -> dict[str, Tensor]:
    """The loss, its parts, its gradient and how many numbers of that are not zero; a GPU is not waited for."""
    parameters = canvas.parameters
    with torch.enable_grad():
        for parameter in parameters.values():
            parameter.requires_grad_()
        total, parts = goal(canvas.image())
        gradients = torch.autograd.grad(total, list(parameters.values()))
        for parameter in parameters.values():
            parameter.requires_grad_(False)
    moves = torch.stack([gradient.count_nonzero() for gradient in gradients]).sum()  # any() would copy them
    # An encoder may leave its own memory layout, which every product of L-BFGS would copy back.
    found = {name: gradient.contiguous() for name, gradient in zip(parameters, gradients, strict=True)}
    return {"loss": total.detach(), "slope": moves.to(total)} | spread("part", parts) | spread("gradient", found)


def _evaluated(work: Work, count: int) -> Evaluation:
    """What was computed for step `count`; a GPU is waited for once.

    Raises:
        NonFiniteError: if a part of the loss is not finite.
    """
    found = work()
    parts = under("part", found)
    loss, slope, *values = torch.stack([found["loss"], found["slope"], *parts.values()]).tolist()
    losses = dict(zip(parts, values, strict=True))
    for name, value in losses.items():
        if not abs(value) < float("inf"):
            raise NonFiniteError(name, count)
    return Evaluation(loss, losses, under("gradient", found), not slope)
