"""Super-resolution: sizes and tiles."""

from __future__ import annotations

import numpy as np
import PIL.Image
import pytest
import torch
from torch import nn

from impasto.errors import InputError
from impasto.networks import superres
from impasto.networks.superres import SuperResolution, enlarge, shrink, upscale


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


def test_bad_inputs_are_refused() -> None:
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
