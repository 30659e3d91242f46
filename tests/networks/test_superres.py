"""Super-resolution: sizes, tiles, and a training that beats the bicubic enlargement."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from torch import nn

from impasto.errors import InputError
from impasto.features.encoder import Encoder
from impasto.metrics import psnr, ssim
from impasto.networks import superres
from impasto.networks.photos import Photos, shifted
from impasto.networks.superres import SuperResolution, SuperResolutionTask, enlarge, shrink, upscale
from impasto.networks.train import TrainSettings, train


def lively(factor: int) -> SuperResolution:
    """A network whose last layer is not zero, in double precision."""
    torch.manual_seed(0)
    network = SuperResolution(factor, 8, 2)
    nn.init.normal_(network.head.weight, std=0.2)
    return network.double().eval()


@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("size", [(1, 1), (3, 50), (21, 17)])
def test_any_size_grows_by_the_factor(factor: int, size: tuple[int, int]) -> None:
    found = upscale(lively(factor), torch.rand(2, 3, *size, dtype=torch.float64))
    assert found.shape == (2, 3, factor * size[0], factor * size[1])
    assert found.min() >= 0 and found.max() <= 1


@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("tile", [5, 16, 23])
def test_tiles_leave_no_trace(factor: int, tile: int) -> None:
    network, image = lively(factor), torch.rand(1, 3, 41, 29, dtype=torch.float64)
    whole = upscale(network, image, tile=1000)
    assert (whole - enlarge(image, factor)).abs().mean() > 0.01  # there is something to get wrong
    torch.testing.assert_close(upscale(network, image, tile=tile), whole, rtol=0, atol=1e-12)


def test_the_reach_is_how_far_a_pixel_is_felt() -> None:
    network = lively(2)
    image = torch.rand(1, 3, 41, 41, dtype=torch.float64, requires_grad=True)
    network(image)[..., 40, 40].sum().backward()
    assert image.grad is not None
    felt = image.grad.abs().sum((0, 1)).nonzero()
    assert (felt.amin(0).tolist(), felt.amax(0).tolist()) == ([20 - network.reach] * 2, [20 + network.reach] * 2)


def test_it_begins_as_the_bicubic_enlargement() -> None:
    image = torch.rand(1, 3, 9, 12)
    with torch.no_grad():
        assert torch.equal(SuperResolution(4, 8, 1)(image), enlarge(image, 4))


def test_shrinking_is_that_of_pillow() -> None:
    plane = np.random.default_rng(0).random((24, 16), dtype=np.float32)
    expected = np.array(PIL.Image.fromarray(plane).resize((4, 6), PIL.Image.Resampling.BICUBIC))
    found = shrink(torch.from_numpy(plane).expand(1, 3, 24, 16), 4)
    torch.testing.assert_close(found[0, 0], torch.from_numpy(expected).clamp(0, 1), rtol=0, atol=1e-5)
    flat = torch.full((1, 3, 16, 16), 0.7)
    torch.testing.assert_close(enlarge(shrink(flat, 8), 8), flat)


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
    settings = TrainSettings(steps=60, rate=3e-3, warmup=5, held_out=2, look_every=20, average=0.8)
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
    settings = TrainSettings(steps=60, rate=3e-3, warmup=2, held_out=2, look_every=20, average=0.5)
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


def test_other_bad_inputs(lite: Encoder) -> None:
    with pytest.raises(InputError, match="unknown layer 'relu9_1'"):
        task(encoder=lite, layer="relu9_1")
    with pytest.raises(InputError, match="the picture is 10x8; to be shrunk, both sides must be multiples of 4"):
        shrink(torch.rand(1, 3, 8, 10), 4)
    with pytest.raises(InputError, match="tile is 0"):
        upscale(lively(2), torch.rand(1, 3, 8, 8), tile=0)


def test_in_little_memory_tiles_are_smaller_and_in_less_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(superres, "OVERHEAD", 0.0)
    network, image = lively(2), torch.rand(1, 3, 150, 170).double()
    sizes: list[int] = []
    real = SuperResolution.forward
    monkeypatch.setattr(SuperResolution, "forward", lambda self, x: (sizes.append(max(x.shape[-2:])), real(self, x))[1])
    whole = upscale(network, image, max_memory=1e12)
    assert sizes == [170]
    held = 4 * image.numel() * 9
    side = 64 + 2 * network.reach
    torch.testing.assert_close(upscale(network, image, max_memory=held + side**2 * network.held), whole)
    assert max(sizes[1:]) == side
    with pytest.raises(InputError, match=r"a picture of 340x300 needs 0.0 GB and max-memory is 0.0 GB: enlarge a"):
        upscale(network, image, max_memory=held)
