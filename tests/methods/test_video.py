"""Frames that follow each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from impasto.media.flow import Motion, View
from impasto.methods.tie import Tie
from impasto.methods.video import Follower, Past
from impasto.objective.temporal import Temporal
from impasto.pictures.warp import resized_weights, trust

SIZE = (36, 48)


def moving(right: int) -> type:
    """Flow of a picture that moves so many pixels to the right from frame to frame."""

    class Known:
        def __call__(self, now: View, other: View) -> Motion:
            by = right * (now.number - other.number)
            flow = np.zeros((*now.gray.shape, 2), np.float32)
            flow[..., 0] = by
            return Motion(-flow, flow)

    return Known


def scene(count: int, right: int) -> list[tuple[Tensor, View]]:
    """Frames of a picture that moves, with their views."""
    wide = torch.nn.functional.interpolate(
        torch.rand(1, 3, 12, 40, generator=torch.Generator().manual_seed(1)), scale_factor=4
    )
    found = []
    for i in range(count):
        photo = wide[..., : SIZE[0], 60 - i * right : 60 - i * right + SIZE[1]]
        found.append((photo, View(i + 1, (photo.mean(1)[0] * 255).byte().numpy())))
    return found


class Flickering:
    """A network that paints its noise anew each time."""

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(0)

    def __call__(self, photo: Tensor) -> Tensor:
        return (0.6 * photo + 0.4 * torch.rand(photo.shape, generator=self.generator)).clamp(0, 1)


def test_what_is_tied_flickers_less_and_keeps_its_grain() -> None:
    frames = scene(6, 2)
    alone = Follower(Flickering(), moving(2)(), Tie(share=0.0, most=1.0))
    tied = Follower(Flickering(), moving(2)())
    each, found = ([f(*frame) for frame in frames] for f in (alone, tied))
    assert np.isnan(found[0].error)
    flicker = [sum(f.error for f in run[1:]) for run in (each, found)]
    assert flicker[1] < 0.2 * flicker[0]
    fine = [float((run[-1].pixels[..., 1:] - run[-1].pixels[..., :-1]).square().mean()) for run in (each, found)]
    assert fine[1] > 0.6 * fine[0]


def test_a_share_of_nothing_is_each_frame_by_itself() -> None:
    frames, paint = scene(3, 2), Flickering()
    follower = Follower(paint, moving(2)(), Tie(share=0.0, most=1.0))
    found = [follower(*frame).pixels for frame in frames]
    again = Flickering()
    assert all(torch.equal(a, again(photo)) for a, (photo, _) in zip(found, frames, strict=True))


def test_what_is_old_stays_within_what_is_new_nearby() -> None:
    new, carried = torch.full((1, 3, *SIZE), 0.5), torch.zeros(1, 3, *SIZE)
    held = Tie().held(carried, new)
    assert (held - new).abs().max() < 1e-3  # a ghost on a flat sky
    assert torch.allclose(Tie()(new, carried, torch.ones(1, 1, *SIZE)), new, atol=1e-3)


def test_a_place_takes_the_old_or_the_new_and_hardly_a_mixture() -> None:
    generator = torch.Generator().manual_seed(0)
    new, carried = (torch.rand(1, 3, *SIZE, generator=generator) for _ in range(2))
    plain = Tie(share=1.0, most=1.0, settle=0.0)
    for trusted, taken in ((0.25, new), (0.75, carried)):
        weights = torch.full((1, 1, *SIZE), trusted)
        made = plain(new, carried, weights)
        mixture = replace(plain, firm=1.0)(new, carried, weights)
        assert (made - taken).abs().mean() < 0.1 * (mixture - taken).abs().mean()
        assert made.std() > 1.2 * mixture.std()  # a mixture of two pictures has less contrast


def test_trust_is_found_at_the_size_of_the_views_and_made_smaller() -> None:
    fine = (2 * SIZE[0], 2 * SIZE[1])
    grays = [np.random.default_rng(n).integers(100, 112, fine).astype(np.uint8) for n in (0, 1)]
    now, before = (View(n, gray) for n, gray in zip((2, 1), grays, strict=True))
    follower = Follower(Flickering(), moving(0)())
    found = follower.carried(now, Past(before, torch.rand(1, 3, *SIZE)), SIZE).weights
    still, lumas = torch.zeros(1, 2, *fine), [torch.from_numpy(g)[None, None] / 255 for g in grays]
    assert torch.allclose(found, resized_weights(trust(still, still, *lumas), SIZE), atol=1e-5)
    coarse = trust(torch.zeros(1, 2, *SIZE), torch.zeros(1, 2, *SIZE), *(resized_weights(x, SIZE) for x in lumas))
    assert (found - coarse).abs().mean() > 0.01


def test_frames_that_do_not_change_are_not_painted_again() -> None:
    (photo, view), *_ = scene(1, 0)
    calls = []

    def paint(frame: Tensor) -> Tensor:
        calls.append(1)
        return frame

    follower = Follower(paint, moving(0)())
    first = follower(photo, view).pixels
    for number in range(2, 9):
        assert torch.equal(follower(photo, View(number, view.gray)).pixels, first)
    assert len(calls) == 1


def test_steps_are_told_of_all_frames_that_they_are_tied_to() -> None:
    told: list[int] = []

    def refine(photo: Tensor, start: Tensor, ties: Sequence[Temporal]) -> Tensor:
        told.append(len(ties))
        for tie in ties:
            assert tie.target.shape == photo.shape and tie.weights.shape == (1, 1, *SIZE)
        return start

    follower = Follower(Flickering(), moving(2)(), refine=refine, ago=(1, 2, 4))
    for frame in scene(6, 2):
        follower(*frame)
    assert told == [0, 1, 2, 2, 3, 3] and len(follower.past) == 4


def test_a_second_pass_begins_with_the_first() -> None:
    frames = scene(3, 2)
    own = [torch.rand(1, 3, *SIZE) for _ in frames]
    follower = Follower(Flickering(), moving(2)())
    found = [follower(*frame, painted) for frame, painted in zip(reversed(frames), reversed(own), strict=True)]
    assert torch.equal(found[0].pixels, own[-1])
    middle = (own[1] + own[2].roll(-2, 3)) / 2  # in the middle, where nothing leaves the frame
    assert (found[1].pixels - middle)[..., 4:-6].abs().mean() < 0.05


def test_a_film_becomes_neither_darker_nor_lighter() -> None:
    new = torch.rand(1, 3, *SIZE)
    carried, trust = new - 0.1, torch.ones(1, 1, *SIZE)
    for _ in range(8):
        carried = Tie()(new, carried, trust)
    assert abs(float(carried.mean() - new.mean())) < 0.01
    left = Tie(settle=0)(new, new - 0.1, trust)
    assert float((new - left).mean()) > 0.03
