"""What is recorded and replayed: a tape of operations stands for a GPU's graph, with the same demands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from impasto.canvas import Detail, Fourier, GrayPixels, Luminance, PartlyFixed, Pixels
from impasto.canvas.base import Canvas
from impasto.features import load_encoder
from impasto.methods.settings import StylizeSettings
from impasto.methods.stylize import stylize
from impasto.optimize import LBFGS, Goal, Stage, StepGoals, minimize
from impasto.optimize.captured import WARM, Replayed, Work

#: Reads of a value, of where something is, and numbers out of Python: none of them is an operation of the GPU alone.
FORBIDDEN = {
    torch.ops.aten._local_scalar_dense.default,
    torch.ops.aten.nonzero.default,
    torch.ops.aten.lift_fresh.default,
}


class Tape(TorchDispatchMode):
    """Lists what is computed with the tensors that are read and written, and computes it anew on these."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in FORBIDDEN:
            raise RuntimeError(f"{func} is not permitted when a stream is capturing")
        found = func(*args, **(kwargs or {}))
        self.done.append((func, args, kwargs or {}, found))
        return found

    def replay(self) -> None:
        for func, args, kwargs, found in self.done:
            there = {x.untyped_storage().data_ptr() for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)}
            anew = func(*args, **kwargs)
            for old, new in zip(tree_leaves(found), tree_leaves(anew), strict=True):
                if isinstance(old, Tensor) and old.untyped_storage().data_ptr() not in there:
                    old.copy_(new)


class Taped:
    """Stands for `cuda_graph`; tells how often it recorded and replayed."""

    recorded = replays = 0

    def __call__(self, work: Work) -> Work:
        with Tape() as tape:
            found = work()
        self.recorded += 1

        def again() -> Mapping[str, Tensor]:
            self.replays += 1
            with torch.no_grad():
                tape.replay()
            return found

        return again


def shown(steps: Any) -> list[tuple[float, Tensor]]:
    return [(step.loss, step.image().clone()) for step in steps]


def same(one: list[tuple[float, Tensor]], other: list[tuple[float, Tensor]]) -> bool:
    return len(one) == len(other) and all(
        a[0] == b[0] and torch.equal(a[1], b[1]) for a, b in zip(one, other, strict=True)
    )


CANVASES: dict[str, Callable[[Tensor], Canvas]] = {
    "pixels": Pixels,
    "gray": GrayPixels,
    "detail": Detail,
    "luminance": lambda x: Luminance(x, x.flip(2)),
    "partly fixed": lambda x: PartlyFixed(Pixels(x), x.flip(2), (x[:, :1] > 0.7).float()),
    "fourier": Fourier,
}


@pytest.mark.parametrize("name", CANVASES)
def test_each_canvas_can_be_recorded_and_moves_as_before(name: str) -> None:
    make = CANVASES[name]

    def goal(image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss = (image - 0.3).square().sum() + (9 * image).cos().mean()
        return loss, {"loss": loss.detach()}

    start, taped, said = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)), Taped(), list[str]()
    stages = [Stage((size, size), 12, lambda: goal) for size in (8, 16)]
    plain = shown(minimize(make(start), stages, lambda _: LBFGS()))
    found = shown(minimize(make(start), stages, lambda _: LBFGS(), capture=taped, notice=said.append))
    assert not said and taped.recorded == 2 and taped.replays >= 2 * (12 - WARM)
    assert same(plain, found)


@pytest.mark.parametrize("options", [{}, {"color": "content-luminance"}, {"tv_weight": 1e-3, "keep_detail": True}])
def test_an_optimization_by_an_encoder_can_be_recorded(options: dict[str, Any]) -> None:
    pictures = torch.rand(2, 1, 3, 48, 64, generator=torch.Generator().manual_seed(0))
    settings = StylizeSettings(size=64, scales=2, steps=8, first_steps=8, jitter=0, optimizer="lbfgs", **options)
    encoder, taped, said = load_encoder("lite"), Taped(), list[str]()
    plain = shown(stylize(encoder, *pictures, settings))
    found = shown(stylize(encoder, *pictures, settings, capture=taped, notice=said.append))
    assert not said and taped.recorded == 2 and taped.replays >= 2 * (8 - WARM)
    assert same(plain, found)


def test_what_reads_a_value_is_not_recorded_and_goes_on() -> None:
    def goal(image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss = (image - 0.3).square().sum() * (2 if image.detach().mean().item() > 0 else 1)
        return loss, {"loss": loss.detach()}

    taped, said, stage = Taped(), list[str](), Stage((4, 4), 8, lambda: goal)
    plain = shown(minimize(Pixels(torch.ones(1, 3, 4, 4)), [stage], lambda _: LBFGS()))
    run = minimize(Pixels(torch.ones(1, 3, 4, 4)), [stage], lambda _: LBFGS(), capture=taped, notice=said.append)
    assert same(plain, shown(run)) and not taped.recorded
    assert len(said) == 1 and said[0].startswith("steps are not replayed: aten._local_scalar_dense")


def test_a_replay_that_gives_other_values_is_not_used() -> None:
    x, said = torch.ones(3), list[str]()
    replayed = Replayed(lambda: {"y": 2 * x}, lambda: {"x": x}, lambda work: lambda: {"y": 3 * x}, said.append)
    assert all(torch.equal(replayed()["y"], 2 * x) for _ in range(WARM + 3))
    assert said == ["steps are not replayed: a replay gave other values"]


def test_values_stay_when_they_are_replayed_and_a_tensor_elsewhere_is_read_there() -> None:
    held = {"x": torch.ones(3)}
    taped = Taped()
    replayed = Replayed(lambda: {"y": 2 * held["x"]}, lambda: held, taped)
    for _ in range(WARM + 1):
        replayed()
    first = replayed()["y"]
    held["x"].fill_(5)
    assert torch.equal(replayed()["y"], torch.full((3,), 10.0)) and torch.equal(first, torch.full((3,), 2.0))
    replays = taped.replays
    held["x"] = torch.full((3,), 7.0)
    assert torch.equal(replayed()["y"], torch.full((3,), 14.0)) and taped.replays == replays


def test_goals_that_change_with_the_step_are_not_recorded() -> None:
    def at(step: int) -> Goal:
        return lambda image: ((image - 0.1 * step).square().sum(), {})

    taped, stage = Taped(), Stage((4, 4), 8, lambda: StepGoals(at))
    list(minimize(Pixels(torch.ones(1, 3, 4, 4)), [stage], lambda _: LBFGS(), capture=taped))
    assert not taped.recorded
