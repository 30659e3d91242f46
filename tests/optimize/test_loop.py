"""The loop: it gets there, keeps its promises about range, repetition, resumption, and bad losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from impasto.canvas import Pixels
from impasto.canvas.base import Canvas
from impasto.errors import InputError, NonFiniteError
from impasto.optimize import LBFGS, Adam, Goal, Optimizer, Stage, State, StepGoals, collapsed, minimize, pyramid
from impasto.optimize.lbfgs import preconditioned_square
from impasto.optimize.records import Evaluation, Vector


def lbfgs(_: Stage) -> Optimizer:
    return LBFGS()


def adam(_: Stage) -> Optimizer:
    return Adam()


class Bowl:
    """A badly scaled quadratic around 0.3, with the interface of an objective."""

    def __init__(self, size: tuple[int, int], scale: float = 1.0) -> None:
        self.curvature = torch.linspace(0.01, 1, 3 * size[0] * size[1]).view(1, 3, *size) * scale

    def __call__(self, image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss = (self.curvature * (image - 0.3).square()).sum()
        return loss, {"bowl": loss.detach()}


def lbfgs_in_levels(_: Stage) -> Optimizer:
    return LBFGS(levels=3)


def adam_in_levels(_: Stage) -> Optimizer:
    return Adam(levels=3)


def stages(*sizes: int, steps: int = 20, scale: float = 1.0) -> list[Stage]:
    return [Stage((s, s), steps, lambda s=s: Bowl((s, s), scale)) for s in sizes]  # type: ignore[misc,return-value]


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_lbfgs_reaches_the_minimum_whatever_the_scale_of_the_loss(scale: float) -> None:
    canvas = Pixels(torch.ones(1, 3, 4, 4))
    *_, last = minimize(canvas, stages(4, steps=60, scale=scale), lbfgs)
    assert (last.image() - 0.3).abs().max() < 0.02


def test_adam_reaches_the_minimum() -> None:
    *_, last = minimize(Pixels(torch.ones(1, 3, 4, 4)), stages(4, steps=150), adam)
    assert (last.image() - 0.3).abs().max() < 0.02


def test_records_count_scales_and_steps_and_carry_the_size() -> None:
    records = list(minimize(Pixels(torch.rand(1, 3, 4, 4)), stages(4, 8, steps=3), lbfgs))
    assert [(r.scale, r.step, r.size) for r in records] == [(s, n, (4 * s,) * 2) for s in (1, 2) for n in (1, 2, 3)]
    assert records[-1].image().shape == (1, 3, 8, 8)
    assert records[-1].losses["bowl"] == pytest.approx(records[-1].loss)


@pytest.mark.parametrize("optimizer", [lbfgs, adam, lbfgs_in_levels, adam_in_levels])
@pytest.mark.parametrize("stop", [2, 7])
def test_a_resumed_run_ends_in_the_identical_picture(optimizer: Callable[[Stage], Optimizer], stop: int) -> None:
    torch.manual_seed(0)
    begin = torch.rand(1, 3, 4, 4)
    whole = [r.image() for r in minimize(Pixels(begin), stages(4, 8, steps=5), optimizer)]
    loop = minimize(Pixels(begin), stages(4, 8, steps=5), optimizer)
    state = [next(loop) for _ in range(stop)][-1].state()
    rest = [r.image() for r in minimize(Pixels(torch.zeros(1, 3, 4, 4)), stages(4, 8, steps=5), optimizer, state)]
    assert len(rest) == len(whole) - stop
    assert torch.equal(rest[-1], whole[-1])


def test_a_state_that_does_not_fit_is_refused() -> None:
    state = next(minimize(Pixels(torch.rand(1, 3, 4, 4)), stages(4), lbfgs)).state()
    with pytest.raises(InputError, match="size"):
        next(minimize(Pixels(torch.rand(1, 3, 8, 8)), stages(8), lbfgs, state))


def test_pixels_stay_in_range_even_when_the_minimum_lies_outside() -> None:
    def away(image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss = (image - 2).square().sum()
        return loss, {"away": loss.detach()}

    for optimizer in (lbfgs, adam):
        stage = Stage((4, 4), 20, lambda: away)  # type: ignore[arg-type,return-value]
        for record in minimize(Pixels(torch.rand(1, 3, 4, 4)), [stage], optimizer):
            assert record.image().min() >= 0 and record.image().max() <= 1


@pytest.mark.parametrize("optimizer", [lbfgs, adam])
def test_a_loss_that_stops_being_finite_is_named_and_the_last_good_picture_kept(
    optimizer: Callable[[Stage], Optimizer],
) -> None:
    calls = 0

    def breaks(image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        nonlocal calls
        calls += 1
        loss = (image - 0.3).square().sum() * (1.0 if calls < 4 else float("nan"))
        return loss, {"fine": torch.tensor(0.0), "style": loss.detach()}

    canvas = Pixels(torch.ones(1, 3, 4, 4))
    good = canvas.image()
    with pytest.raises(NonFiniteError, match="the style loss"):
        for record in minimize(canvas, [Stage((4, 4), 20, lambda: breaks)], optimizer):  # type: ignore[arg-type,return-value]
            good = record.image()
    assert torch.equal(canvas.image(), good)


def test_an_average_of_the_past_is_what_is_shown_and_handed_on_and_survives_a_resumption() -> None:
    begin = torch.rand(1, 3, 4, 4)

    def run(decay: float, state: object = None) -> list[Tensor]:
        canvas = Pixels(begin)
        return [r.image() for r in minimize(canvas, stages(4, 8, steps=5), adam, state, average=decay)]  # type: ignore[arg-type]

    plain, mean = run(0.0), run(0.5)
    expected, weight = torch.zeros_like(begin), 0.0
    for image in plain[:3]:
        expected, weight = 0.5 * expected + 0.5 * image, 0.5 * weight + 0.5
    torch.testing.assert_close(mean[2], expected / weight)
    loop = minimize(Pixels(begin), stages(4, 8, steps=5), adam, average=0.5)
    state = [next(loop) for _ in range(7)][-1].state()
    assert torch.equal(run(0.5, state)[-1], mean[-1])


def test_a_cooldown_slows_adam_down_evenly_over_the_last_steps() -> None:
    def slope(image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss = image.sum()
        return loss, {"slope": loss.detach()}

    stage = Stage((4, 4), 8, lambda: slope)
    begin = torch.ones(1, 3, 4, 4)
    loop = minimize(Pixels(begin), [stage], lambda stage: Adam(0.1, last=stage.steps, cooldown=0.5))
    pictures = torch.stack([begin, *[record.image() for record in loop]])[:, 0, 0, 0, 0]
    expected = torch.tensor([0.1, 0.1, 0.1, 0.1, 0.1, 0.075, 0.05, 0.025])
    torch.testing.assert_close(-pictures.diff(), expected, atol=1e-4, rtol=0)


def test_goals_that_take_turns_are_asked_for_by_the_step_and_go_on_where_a_run_stopped() -> None:
    asked: list[int] = []

    def at(step: int) -> Goal:
        asked.append(step)
        return Bowl((4, 4), float(step))

    stages = [Stage((4, 4), 5, lambda: StepGoals(at))]
    whole = [r.image() for r in minimize(Pixels(torch.ones(1, 3, 4, 4)), stages, adam)]
    assert asked == [1, 2, 3, 4, 5]
    loop = minimize(Pixels(torch.ones(1, 3, 4, 4)), stages, adam)
    state = [next(loop) for _ in range(3)][-1].state()
    rest = [r.image() for r in minimize(Pixels(torch.zeros(1, 3, 4, 4)), stages, adam, state)]
    assert torch.equal(rest[-1], whole[-1])


def test_a_pyramid_has_levels_of_half_the_sides_down_to_one_pixel() -> None:
    levels = pyramid(torch.rand(2, 3, 5, 20), 5)
    assert [tuple(level.shape) for level in levels] == [(2, 3, *s) for s in ((5, 20), (3, 10), (2, 5), (1, 3), (1, 2))]


def test_a_collapsed_pyramid_is_the_sum_of_its_levels_at_full_size() -> None:
    image = torch.rand(1, 3, 16, 12)
    assert torch.equal(collapsed(pyramid(image, 1)), image)
    torch.testing.assert_close(collapsed(pyramid(torch.full((1, 3, 16, 12), 0.5), 4)), torch.full((1, 3, 16, 12), 2.0))


def test_a_gradient_s_pyramid_leads_downhill() -> None:
    for seed in range(20):
        gradient = torch.randn(1, 3, 13, 7, generator=torch.Generator().manual_seed(seed))
        assert (collapsed(pyramid(gradient, 4)) * gradient).sum() > gradient.square().sum()


def test_how_far_a_pyramid_leads_along_a_gradient_is_found_without_it() -> None:
    change = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0)).cumsum(3)
    found = preconditioned_square({"x": change}, {"x": 4})
    assert found.item() == pytest.approx((change * collapsed(pyramid(change, 4))).sum().item(), rel=0.02)


@pytest.mark.parametrize("optimizer", [LBFGS, Adam])
def test_what_many_pixels_agree_on_moves_further_with_a_pyramid(optimizer: Callable[..., Optimizer]) -> None:
    def valley(image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Flat for what is smooth, steep for what is not."""
        loss = (image.mean() - 0.3).square() + 20 * (image[..., 1:] - image[..., :-1]).square().mean()
        return loss, {"valley": loss.detach()}

    begin = 0.7 + 0.1 * torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    left = []
    for levels in (1, 4):
        stage = Stage((32, 32), 10, lambda: valley)
        *_, last = minimize(Pixels(begin), [stage], lambda _, n=levels: optimizer(levels=n))  # type: ignore[misc]
        left.append(abs(last.image().mean().item() - 0.3))
    assert left[1] < 0.7 * left[0]


def counted(goal: Goal) -> tuple[Goal, list[int]]:
    """The goal, and a list that grows at each evaluation."""
    calls: list[int] = []

    def call(image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        calls.append(1)
        return goal(image)

    return call, calls


@pytest.mark.parametrize("optimizer", [lbfgs, adam])
def test_a_stage_ends_at_once_where_there_is_nothing_to_do(optimizer: Callable[[Stage], Optimizer]) -> None:
    goal, calls = counted(Bowl((4, 4)))
    begin = torch.full((1, 3, 4, 4), 0.3)
    records = list(minimize(Pixels(begin), [Stage((4, 4), 20, lambda: goal)] * 2, optimizer))
    assert [(r.scale, r.step, r.done) for r in records] == [(1, 1, True), (2, 1, True)]
    assert torch.equal(records[-1].image(), begin) and len(calls) == 2


def test_lbfgs_ends_a_stage_that_no_length_of_a_step_makes_better() -> None:
    def level(image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """A slope that leads nowhere."""
        loss = (image - image.detach()).sum()
        return loss, {"level": loss.detach()}

    goal, calls = counted(level)
    records = list(minimize(Pixels(torch.full((1, 3, 4, 4), 0.5)), [Stage((4, 4), 20, lambda: goal)], lbfgs))
    assert [(r.step, r.done) for r in records] == [(1, True)]
    assert len(calls) == 1 + 7, "once where it is, and once at each length"


def test_a_run_that_came_to_rest_goes_on_with_the_next_stage_only() -> None:
    still = Stage((4, 4), 20, lambda: Bowl((4, 4)))
    state = next(minimize(Pixels(torch.full((1, 3, 4, 4), 0.3)), [still], lbfgs)).state()
    records = list(minimize(Pixels(torch.zeros(1, 3, 4, 4)), [still, *stages(8, steps=2)], lbfgs, state))
    assert {r.scale for r in records} == {2}


def test_goals_of_each_step_are_all_tried_though_one_has_no_slope() -> None:
    def goals(step: int) -> Goal:
        return lambda image: ((image * (step > 2)).sum(), {})

    begin = torch.full((1, 3, 4, 4), 0.5)
    records = list(minimize(Pixels(begin), [Stage((4, 4), 4, lambda: StepGoals(goals))], adam))
    assert len(records) == 4 and not torch.equal(records[-1].image(), begin)


def test_records_tell_when_a_stage_is_done() -> None:
    records = list(minimize(Pixels(torch.rand(1, 3, 4, 4)), stages(4, 8, steps=3), lbfgs))
    assert [r.done for r in records] == [False, False, True] * 2


@pytest.mark.parametrize("optimizer", [lbfgs, adam])
@pytest.mark.parametrize("average", [0.0, 0.5])
def test_a_state_of_a_finished_run_gives_its_picture_without_work(
    optimizer: Callable[[Stage], Optimizer], average: float
) -> None:
    *_, last = minimize(Pixels(torch.rand(1, 3, 4, 4)), stages(4, 8, steps=3), optimizer, average=average)
    picture, state = last.image(), last.state()

    def never() -> Goal:
        raise AssertionError("an objective was made")

    canvas = Pixels(torch.zeros(1, 3, 4, 4))
    idle = [Stage((size, size), 3, never) for size in (4, 8)]
    (again,) = minimize(canvas, idle, optimizer, state, average=average)
    assert torch.equal(again.image(), picture)
    assert (again.scale, again.step, again.done) == (2, 3, True)
    assert (again.loss, again.losses) == (last.loss, last.losses)
    assert torch.equal(again.state().parameters["pixels"], state.parameters["pixels"])
    assert torch.equal(canvas.image(), picture)


@pytest.mark.parametrize("optimizer", [lbfgs, adam, lbfgs_in_levels, adam_in_levels])
def test_a_finished_run_goes_on_with_more_steps_as_if_it_had_had_them(
    optimizer: Callable[[Stage], Optimizer],
) -> None:
    begin = torch.rand(1, 3, 4, 4)
    *_, whole = minimize(Pixels(begin), stages(4, steps=9), optimizer)
    *_, last = minimize(Pixels(begin), stages(4, steps=3), optimizer)
    rest = list(minimize(Pixels(torch.zeros(1, 3, 4, 4)), stages(4, steps=9), optimizer, last.state()))
    assert [r.step for r in rest] == [4, 5, 6, 7, 8, 9]
    assert torch.equal(rest[-1].image(), whole.image())


def test_a_run_that_cooled_down_does_not_go_on_with_more_steps() -> None:
    def cooling(stage: Stage) -> Optimizer:
        return Adam(last=stage.steps, cooldown=0.5)

    begin = torch.rand(1, 3, 4, 4)
    *_, last = minimize(Pixels(begin), stages(4, steps=6), cooling)
    with pytest.raises(InputError, match=r"of 6 steps, not 9.*resume it with 6 steps"):
        next(minimize(Pixels(begin), stages(4, steps=9), cooling, last.state()))


@pytest.mark.parametrize("optimizer", [lbfgs, adam])
def test_a_state_with_more_steps_than_are_asked_for_is_told_as_it_is(optimizer: Callable[[Stage], Optimizer]) -> None:
    *_, last = minimize(Pixels(torch.rand(1, 3, 4, 4)), stages(4, steps=9), optimizer)
    (again,) = minimize(Pixels(torch.rand(1, 3, 4, 4)), stages(4, steps=3), optimizer, last.state())
    assert (again.step, again.steps, again.done) == (3, 3, True) and torch.equal(again.image(), last.image())


def test_a_cooldown_that_has_not_begun_may_begin_later() -> None:
    def cooling(stage: Stage) -> Optimizer:
        return Adam(last=stage.steps, cooldown=0.5)

    begin = torch.rand(1, 3, 4, 4)
    *_, whole = minimize(Pixels(begin), stages(4, steps=9), cooling)
    loop = minimize(Pixels(begin), stages(4, steps=6), cooling)
    state = [next(loop) for _ in range(3)][-1].state()
    *_, rest = minimize(Pixels(begin), stages(4, steps=9), cooling, state)
    assert torch.equal(rest.image(), whole.image())


@pytest.mark.parametrize(("before", "after"), [(lbfgs, adam), (adam, lbfgs), (adam, adam_in_levels)])
def test_a_state_of_another_optimizer_is_refused(
    before: Callable[[Stage], Optimizer], after: Callable[[Stage], Optimizer]
) -> None:
    state = next(minimize(Pixels(torch.rand(1, 3, 4, 4)), stages(4), before)).state()
    with pytest.raises(InputError, match=r"another optimizer|levels"):
        next(minimize(Pixels(torch.rand(1, 3, 4, 4)), stages(4), after, state))


@pytest.mark.parametrize("optimizer", [lbfgs, adam])
def test_a_state_is_tensors_by_name_and_back(optimizer: Callable[[Stage], Optimizer]) -> None:
    begin = torch.rand(1, 3, 4, 4)
    *_, whole = minimize(Pixels(begin), stages(4, steps=5), optimizer, average=0.5)
    loop = minimize(Pixels(begin), stages(4, steps=5), optimizer, average=0.5)
    tensors = [next(loop) for _ in range(3)][-1].state().to("cpu").tensors()
    *_, rest = minimize(Pixels(begin), stages(4, steps=5), optimizer, State.from_tensors(tensors), average=0.5)
    assert torch.equal(rest.image(), whole.image())
    del tensors["step"]
    with pytest.raises(InputError, match="no 'step'"):
        State.from_tensors(tensors)


class Tinted:
    """Two parameters: what lies over the picture, and a color for all of it."""

    maps = ("gray",)

    def __init__(self, size: tuple[int, int]) -> None:
        self.parameters = {"gray": torch.zeros(1, 1, *size), "tint": torch.full((3,), 0.9)}

    def image(self) -> Tensor:
        return self.parameters["gray"] + self.parameters["tint"][:, None, None]

    def keep_in_range(self) -> None:
        self.parameters["tint"].clamp_(0, 1)

    def resize(self, size: tuple[int, int]) -> None:
        gray = torch.nn.functional.interpolate(self.parameters["gray"], size=size)
        self.parameters = self.parameters | {"gray": gray}


@pytest.mark.parametrize("optimizer", [lbfgs, lbfgs_in_levels, adam, adam_in_levels])
def test_a_canvas_may_have_several_parameters(optimizer: Callable[[Stage], Optimizer]) -> None:
    def run(canvas: Canvas, state: State | None = None) -> list[Tensor]:
        goals = stages(4, 8, steps=60)
        return [r.image() for r in minimize(canvas, goals, optimizer, state, average=0.5)]

    whole = run(Tinted((4, 4)))
    assert (whole[0] - 0.3).abs().max() > 0.3 and (whole[-1] - 0.3).abs().max() < 0.05
    loop = minimize(Tinted((4, 4)), stages(4, 8, steps=60), optimizer, average=0.5)
    state = [next(loop) for _ in range(7)][-1].state()
    assert set(state.parameters) == {"gray", "tint"}
    assert torch.equal(run(Tinted((4, 4)), State.from_tensors(state.tensors()))[-1], whole[-1])


@pytest.mark.parametrize("optimizer", [lbfgs, adam, adam_in_levels])
def test_an_optimizer_tells_its_bytes(optimizer: Callable[[Stage], Optimizer]) -> None:
    stage = Stage((32, 32), 30, lambda: Bowl((32, 32)))
    *_, last = minimize(Pixels(torch.rand(1, 3, 32, 32)), [stage], optimizer)
    kept = [v for n, v in last.state().optimizer.items() if v.ndim and not n.startswith("gradient")]
    told = optimizer(stage).bytes_per_value(3 * 32 * 32) * 3 * 32 * 32
    assert sum(v.nbytes for v in kept) == pytest.approx(told, rel=0.01)


@pytest.mark.parametrize("optimizer", [lbfgs, adam])
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_the_loop_differentiates_whatever_mode_it_is_watched_in(
    optimizer: Callable[[Stage], Optimizer], mode: Callable[[], torch.no_grad]
) -> None:
    begin = torch.rand(1, 3, 4, 4)
    *_, whole = minimize(Pixels(begin), stages(4, 8, steps=4), optimizer, average=0.5)
    with mode():
        loop = minimize(Pixels(begin), stages(4, 8, steps=4), optimizer, average=0.5)
        state = [next(loop) for _ in range(6)][-1].state()
        *_, last = minimize(Pixels(begin), stages(4, 8, steps=4), optimizer, state, average=0.5)
        assert torch.equal(last.image(), whole.image())


class Waves:
    """A bowl with waves on it: where they bend down, a step shows no curvature that could be remembered."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.bowl = Bowl(size)

    def __call__(self, image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss = self.bowl(image)[0] + (9 * image).cos().sum()
        return loss, {"waves": loss.detach()}


class DecidesAtOnce(LBFGS):
    """Reads whether a pair is to be kept as soon as it is there; tells how many were not."""

    dropped = 0

    def _remember(self, move: Vector, change: Vector) -> None:
        before = len(self._pairs)
        super()._remember(move, change)
        self._decide()
        self.dropped += len(self._pairs) == before


@pytest.mark.parametrize("size", [1, 2, 4])
def test_a_pair_that_is_not_kept_moves_nothing_before_that_is_read(size: int) -> None:
    start = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(3))
    steps, at_once = [], DecidesAtOnce(history=30, levels=2)
    for solver in (LBFGS(history=30, levels=2), at_once):
        run = minimize(Pixels(start), [Stage((size, size), 30, lambda: Waves((size, size)))], lambda _, s=solver: s)
        steps.append([(step.loss, step.image()) for step in run])
    assert at_once.dropped
    assert len(steps[0]) == len(steps[1])
    assert all(a[0] == b[0] and torch.equal(a[1], b[1]) for a, b in zip(*steps, strict=True))


class Watched(TorchDispatchMode):
    """Lists scalar products and reads of single numbers, for which a GPU is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        names = {torch.ops.aten.dot.default: "dot", torch.ops.aten._local_scalar_dense.default: "read"}
        self.seen += [names[func]] if func in names else []
        return func(*args, **(kwargs or {}))


def test_lbfgs_reads_from_a_gpu_only_when_nothing_is_under_way() -> None:
    solver, canvas, goal, turns = LBFGS(), Pixels(torch.ones(1, 3, 4, 4)), Bowl((4, 4)), list[list[str]]()

    def evaluate() -> Evaluation:
        slope = 2 * goal.curvature * (canvas.image() - 0.3)
        loss = goal(canvas.image())[0].item()
        turns.append(watched.seen)
        watched.seen = []
        return Evaluation(loss, {}, {"pixels": slope}, flat=False)

    with Watched() as watched:
        for _ in range(6):
            solver.step(canvas, evaluate)
    later = turns[3:]
    assert len(later) >= 3
    assert all("dot" in seen and "read" not in seen[seen.index("dot") : -1] for seen in later), later
