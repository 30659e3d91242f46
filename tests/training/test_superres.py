"""Super-resolution: losses, and a training that beats the bicubic enlargement."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from impasto.errors import InputError
from impasto.features.encoder import Encoder
from impasto.networks.superres import SuperResolution, enlarge, shrink, upscale
from impasto.pictures.metrics import psnr, ssim
from impasto.training.loop import TrainSettings, train
from impasto.training.photos import Photos, shifted
from impasto.training.superres import SuperResolutionTask


def task(**options: Any) -> SuperResolutionTask:
    torch.manual_seed(0)
    network = SuperResolution(options.pop("factor", 2), 12, 1)
    return SuperResolutionTask(network, [], [], **({"batch": 2, "side": 64} | options))


def test_a_batch_is_the_same_for_the_same_number(lite: Encoder) -> None:
    one, other = task(encoder=lite), task(encoder=lite)
    for number in (1, 4, -1):
        a, b = one.batch(number), other.batch(number)
        assert torch.equal(a.large, b.large) and torch.equal(a.small, b.small)
        assert a.large.shape == (2, 3, 64, 64) and a.small.shape == (2, 3, 32, 32)
    assert not torch.equal(one.batch(1).large, one.batch(-1).large)


def test_the_losses_by_hand(lite: Encoder) -> None:
    pixel, feature = task(loss="pixel"), task(encoder=lite)
    batch = pixel.batch(1)
    target = shifted(batch.large, batch.shift)
    image = (target + 0.1).clamp(0, 1)
    loss, parts = pixel.goal(batch)(image)
    assert parts.keys() == {"pixel"}
    torch.testing.assert_close(loss, (image - target).square().mean())
    loss, parts = feature.goal(batch)(image)
    maps = [lite(x, ["relu2_2"])["relu2_2"] for x in (image, target)]
    energies = [x.square().sum((1, 2, 3)) for x in (maps[0] - maps[1], maps[1])]
    plain = shifted(enlarge(batch.small, 2), batch.shift)
    assert parts.keys() == {"feature", "pixel"}
    torch.testing.assert_close(parts["feature"], (energies[0] / energies[1]).mean())
    relative = (image - target).square().mean() / (plain - target).square().mean()
    torch.testing.assert_close(parts["pixel"], 0.2 * relative)
    torch.testing.assert_close(loss, parts["feature"] + parts["pixel"])


def test_a_hatching_that_features_do_not_see_costs_pixels(lite: Encoder) -> None:
    work, paper = task(encoder=lite), task(encoder=lite, pixel_weight=0.0)
    batch = work.batch(1)
    target = shifted(batch.large, batch.shift)
    signs = torch.ones(target.shape[-2:])
    signs[::2, 1::2] = signs[1::2, ::2] = -1
    hatched = target + 0.05 * signs
    assert work.goal(batch)(hatched)[0] > 0.1 > 10 * paper.goal(batch)(hatched)[0]


def test_a_short_training_on_pixels_beats_the_bicubic_enlargement() -> None:
    work = task(loss="pixel")
    settings = TrainSettings(steps=60, rate=3e-3, warmup=5, held_out_batches=2, look_every=20, average=0.8)
    looks = [s.held_out["pixel"] for s in train(work, settings) if s.held_out]
    assert looks == sorted(looks, reverse=True)
    photos = Photos([], 64, seed=99)
    large = torch.stack([photos[i] for i in range(6)])
    small = shrink(large, 2)
    assert isinstance(work.network, SuperResolution)
    ours, plain = upscale(work.network, small), enlarge(small, 2).clamp(0, 1)
    for measure in (psnr, ssim):
        assert measure(ours, large, 2).mean() > measure(plain, large, 2).mean()


def test_a_short_training_on_features_makes_their_loss_fall(lite: Encoder) -> None:
    settings = TrainSettings(steps=60, rate=3e-3, warmup=2, held_out_batches=2, look_every=20, average=0.5)
    work = task(encoder=lite)
    batch = work.batch(-1)
    with torch.no_grad():
        before = work.goal(batch)(work.output(batch))[0]
    looks = [s.held_out["feature"] for s in train(work, settings) if s.held_out]
    assert looks[-1] < looks[0]
    with torch.no_grad():
        assert work.goal(batch)(work.output(batch))[0] < before


def test_photographs_are_read_from_files(paintings: list[Path], lite: Encoder) -> None:
    work = SuperResolutionTask(SuperResolution(4, 8, 1), paintings, paintings, lite, batch=1, side=32)
    assert work.batch(1).large.shape == (1, 3, 32, 32)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"loss": "pixels"}, "unknown loss 'pixels'; did you mean pixel"),
        ({"loss": "feature"}, "the feature loss has no encoder"),
        ({"loss": "pixel", "side": 63}, "side is 63; it must be a multiple of the factor, 2"),
        ({"factor": 3}, "factor is 3; it must be 2, 4 or 8"),
    ],
)
def test_what_cannot_be_trained_is_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        task(**options)


def test_an_unknown_layer_is_refused(lite: Encoder) -> None:
    with pytest.raises(InputError, match="unknown layer 'relu9_1'"):
        task(encoder=lite, layer="relu9_1")
