"""The loop: it gets there, keeps its promises about range, repetition, resumption, and bad losses."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from impasto.canvas import Pixels
from impasto.errors import InputError, NonFiniteError
from impasto.optimize import LBFGS, Adam, Goal, Optimizer, Stage, StepGoals, collapsed, minimize, pyramid
from impasto.optimize.lbfgs import preconditioned_square


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
