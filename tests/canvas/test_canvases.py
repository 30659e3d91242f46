"""What is optimized: images from parameters and back."""

from __future__ import annotations

import pytest
import torch

from impasto.canvas import Blurred, Fourier, PartlyFixed, Pixels
from impasto.errors import InputError


@pytest.mark.parametrize("size", [(16, 16), (15, 22), (9, 7)])
def test_a_spectrum_gives_the_picture_it_was_made_from(size: tuple[int, int]) -> None:
    start = 0.1 + 0.8 * torch.rand(2, 3, *size)
    torch.testing.assert_close(Fourier(start).image(), start, atol=1e-4, rtol=0)


def test_a_spectrum_stays_in_range_and_has_a_gradient() -> None:
    canvas = Fourier.random((12, 20), torch.Generator().manual_seed(0), batch=2)
    spectrum = canvas.parameters["spectrum"].mul_(1e4).requires_grad_()
    image = canvas.image()
    assert image.shape == (2, 3, 12, 20) and image.min() >= 0 and image.max() <= 1
    (gradient,) = torch.autograd.grad(image.square().sum(), spectrum)
    assert gradient.isfinite().all()


def test_a_resized_spectrum_shows_the_same_picture() -> None:
    smooth = torch.linspace(0.2, 0.8, 16).expand(1, 3, 16, 16)
    canvas = Fourier(smooth)
    canvas.resize((32, 24))
    assert canvas.image().shape == (1, 3, 32, 24)
    assert canvas.image().mean().item() == pytest.approx(0.5, abs=0.01)


def test_a_kept_part_shows_the_fixed_picture_and_gets_no_gradient() -> None:
    fixed, where = torch.rand(1, 3, 8, 8), torch.zeros(1, 1, 8, 8)
    where[..., :4] = 1
    inner = Pixels(torch.rand(1, 3, 8, 8))
    canvas = PartlyFixed(inner, fixed, where)
    pixels = canvas.parameters["pixels"].requires_grad_()
    image = canvas.image()
    torch.testing.assert_close(image[..., :4], fixed[..., :4])
    torch.testing.assert_close(image[..., 4:], pixels[..., 4:])
    (gradient,) = torch.autograd.grad(image.sum(), pixels)
    assert gradient[..., :4].abs().max() == 0 and gradient[..., 4:].min() == 1


def test_a_wrapped_picture_is_resized_as_a_torus() -> None:
    start = torch.rand(1, 3, 8, 8)
    plain, rolled = Pixels(start, wrap=True), Pixels(start.roll((3, 5), (2, 3)), wrap=True)
    plain.resize((16, 16))
    rolled.resize((16, 16))
    torch.testing.assert_close(rolled.image(), plain.image().roll((6, 10), (2, 3)), atol=1e-5, rtol=0)


def test_where_all_is_fixed_rounding_leaves_no_gradient() -> None:
    canvas = PartlyFixed(Pixels(torch.rand(1, 3, 9, 9)), torch.rand(1, 3, 9, 9), torch.full((1, 1, 9, 9), 1 - 1e-6))
    canvas.resize((7, 11))
    pixels = canvas.parameters["pixels"].requires_grad_()
    (gradient,) = torch.autograd.grad(canvas.image().square().sum(), pixels)
    assert not gradient.any()


def test_pixels_are_blurred_every_so_many_steps_counted_from_those_made_before() -> None:
    for before, expected in ((0, [False, False, True]), (2, [True, False, False])):
        canvas = Blurred(Pixels(torch.rand(1, 3, 8, 8)), 3, 1.0, steps=before)
        changed = []
        for _ in range(3):
            then = canvas.image().clone()
            canvas.keep_in_range()
            changed.append(not torch.equal(canvas.image(), then))
        assert changed == expected


def test_a_spectrum_is_not_blurred() -> None:
    with pytest.raises(InputError, match="a canvas of spectrum cannot be blurred: choose pixels"):
        Blurred(Fourier(torch.rand(1, 3, 8, 8)), 2, 0.5)
