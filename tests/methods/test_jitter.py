"""Jitter: the same goal wherever the picture is seen from, another place every few steps, and the same ones again."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from impasto.errors import InputError
from impasto.features import load_encoder
from impasto.features.profile import PROFILES
from impasto.features.vgg import VGG
from impasto.methods.presets import quality
from impasto.methods.regions import Region, StyleImage, room
from impasto.methods.settings import StylizeSettings
from impasto.methods.stylize import stylize
from impasto.methods.targets import style_terms
from impasto.objective import Objective
from impasto.optimize import Goal
from impasto.optimize.moving import STILL, jittered
from impasto.pictures.displacement import mirrored, rolled

#: How `lite`'s pictures are optimized, and all that are jittered.
JITTERED = PROFILES["lite"].jittered

SETTINGS = StylizeSettings(
    size=48, steps=10, scales=1, optimizer="adam", jitter=8, style_layers=("relu1_1", "relu2_1"),
    content_layers=("relu2_1",),
)  # fmt: skip


def test_each_place_is_kept_for_some_steps_and_found_again_by_the_number_of_the_step() -> None:
    seen: list[tuple[int, int]] = []

    def goal(by: tuple[int, int]) -> Goal:
        seen.append(by)
        return lambda image: (image.sum(), {})

    turns = jittered(goal, 16)
    for step in range(1, 10 * STILL + 1):
        turns.at(step)
    assert len(seen) == 10 and len(set(seen)) > 5
    assert all(-8 <= n < 8 for by in seen for n in by)
    first, seen[:] = list(seen), []
    jittered(goal, 16).at(3 * STILL + 1)
    assert seen == first[3:4]


@pytest.mark.parametrize("by", [(4, 10), (-4, 10), (-6, -2)])
def test_a_displaced_mask_and_map_go_with_the_picture(tiny: VGG, by: tuple[int, int]) -> None:
    """Nothing changes, if all is displaced by whole cells, but for what is mirrored at two edges or cut off there."""
    image = torch.rand(1, 3, 128, 192)
    mask = torch.zeros(1, 1, 256, 384)  # of another size than the picture
    mask[..., 80:176, 80:304] = 1
    for loss in ("gram", "nearest"):
        settings = SETTINGS.changed(style_loss=loss).resolved("tiny")
        regions = [Region([StyleImage(torch.rand(1, 3, 40, 40))], mask)]
        terms = style_terms(tiny, regions, 192, settings)
        still, _ = Objective(tiny, terms)(image)
        seen = mirrored(image, by)
        moved, _ = Objective(tiny, [(w, t.displaced(by, (128, 192))) for w, t in terms])(seen)
        torch.testing.assert_close(moved, still, rtol=2e-3, atol=0)
        unmoved, _ = Objective(tiny, terms)(seen)
        assert (unmoved - still).abs() > 2 * (moved - still).abs()


def test_a_displaced_picture_keeps_its_size_what_opens_is_mirrored() -> None:
    image = torch.arange(15.0).view(1, 1, 3, 5)
    assert torch.equal(mirrored(image, (0, 0)), image)
    up_left, down = mirrored(image, (-1, -2)), mirrored(image, (1, 0))
    assert up_left.shape == down.shape == image.shape
    assert torch.equal(up_left[..., :2, :3], image[..., 1:, 2:])
    assert torch.equal(up_left[..., 2, :3], image[..., 1, 2:]) and torch.equal(up_left[..., :2, 3], image[..., 1:, 3])
    assert torch.equal(down[..., 0, :], image[..., 1, :]) and torch.equal(down[..., 1:, :], image[..., :2, :])


def test_a_small_picture_is_jittered_as_far_as_it_can_be_read() -> None:
    assert [room(16, size) for size in ((16, 300), (20, 300), (64, 48))] == [0, 8, 16]
    lite = load_encoder("lite")
    content, style = torch.rand(2, 1, 3, 18, 32)
    *_, last = stylize(lite, content, style, StylizeSettings(size=32, jitter=64, steps=3))
    assert last.image().shape == (1, 3, 18, 32)


def test_a_picture_that_is_the_content_costs_nothing_from_wherever_it_is_seen(tiny: VGG) -> None:
    content = torch.rand(1, 3, 40, 48)
    steps = list(stylize(tiny, content, None, replace(SETTINGS, style_weight=0.0)))
    assert all(step.loss == pytest.approx(0, abs=1e-9) for step in steps)


def test_a_jittered_run_goes_on_as_if_it_had_never_stopped(tiny: VGG) -> None:
    content, style = torch.rand(2, 1, 3, 40, 48)
    whole = [s.image() for s in stylize(tiny, content, style, SETTINGS)]
    loop = stylize(tiny, content, style, SETTINGS)
    state = [next(loop) for _ in range(6)][-1].state()
    rest = [s.image() for s in stylize(tiny, content, style, SETTINGS, resume=state)]
    assert len(rest) == 4
    assert torch.equal(rest[-1], whole[-1])
    still = [s.image() for s in stylize(tiny, content, style, replace(SETTINGS, jitter=0))]
    assert not torch.equal(still[-1], whole[-1])


def test_auto_is_adam_with_jitter_for_lite_and_lbfgs_for_the_others() -> None:
    lite, vgg = (StylizeSettings().resolved(name) for name in ("lite", "vgg19"))
    assert (vgg.optimizer, vgg.jitter) == ("lbfgs", 0)
    assert lite.optimizer == "adam" and {name: getattr(lite, name) for name in JITTERED} == JITTERED
    assert StylizeSettings(style_loss="nearest").resolved("lite").optimizer == "lbfgs"
    assert StylizeSettings(steps=20).resolved("lite").optimizer == "lbfgs"
    assert StylizeSettings(rate=0.01).resolved("lite").rate == 0.01
    assert StylizeSettings(optimizer="lbfgs").resolved("lite").optimizer == "lbfgs"
    asked = StylizeSettings(jitter=4).resolved("vgg19")
    assert (asked.optimizer, asked.jitter, asked.cooldown) == ("adam", 4, JITTERED["cooldown"])
    assert quality("gatys").resolved("lite").optimizer == "lbfgs"


def test_a_style_s_weight_means_the_same_with_lite() -> None:
    assert StylizeSettings().resolved("vgg19").balance == 1
    assert StylizeSettings(style_weight=20.0).resolved("lite").balance == PROFILES["lite"].style_balance
    assert StylizeSettings(balance=1.0).resolved("lite").balance == 1
    assert StylizeSettings(jitter=8).resolved("vgg19").balance == 1
    assert StylizeSettings(steps=20).resolved("lite").balance == 1, "measured for jittered pictures only"


def test_a_content_is_read_where_the_encoder_sees_well() -> None:
    assert StylizeSettings().resolved("vgg16").content_layers == ("relu4_1", "relu4_2")
    assert StylizeSettings(optimizer="lbfgs").resolved("lite").content_layers == ("relu4_1",)
    assert StylizeSettings(content_layers=("relu3_1",)).resolved("lite").content_layers == ("relu3_1",)
    told = StylizeSettings().resolved("lite")
    assert told.resolved("lite") == told


def test_lbfgs_refuses_jitter() -> None:
    with pytest.raises(InputError, match="jitter"):
        StylizeSettings(optimizer="lbfgs", jitter=8)


def test_the_library_s_stylize_uses_the_same_settings_as_it_tells() -> None:
    lite = load_encoder("lite")
    content, style = torch.rand(2, 1, 3, 32, 32)
    small = StylizeSettings(size=32, steps=60, scales=1)
    told = small.resolved("lite")
    (*_, a), (*_, b) = stylize(lite, content, style, small), stylize(lite, content, style, told)
    assert torch.equal(a.image(), b.image())


def test_opposite_edges_of_a_jittered_picture_are_no_neighbors() -> None:
    """A ramp from black to white has no step anywhere; through a seam its ends would meet."""
    ramp = torch.linspace(0, 1, 48).expand(1, 3, 40, 48)
    for number in range(8):
        steepest = jittered(lambda _: lambda image: (image.diff(dim=3).abs().max(), {}), 16, number).at(1)(ramp)[0]
        assert float(steepest) == pytest.approx(1 / 47, rel=1e-3)


def test_a_tile_is_displaced_round_its_edges(tiny: VGG) -> None:
    """A circular encoder's statistics before any pool are the same wherever a tile is cut; mirrored, they are not."""
    encoder = copy.deepcopy(tiny)
    encoder.padding = "circular"
    image, style = torch.rand(1, 3, 32, 32), [Region([StyleImage(torch.rand(1, 3, 40, 40))])]
    goal = Objective(
        encoder, style_terms(encoder, style, 40, SETTINGS.changed(style_layers=("relu1_1",)).resolved("tiny"))
    )
    still = float(goal(image)[0])
    around = [float(jittered(lambda _: goal, 16, n, rolled).at(1)(image)[0]) for n in range(4)]
    assert around == pytest.approx([still] * 4, rel=1e-4)
    assert any(abs(float(jittered(lambda _: goal, 16, n).at(1)(image)[0]) / still - 1) > 1e-3 for n in range(4))
