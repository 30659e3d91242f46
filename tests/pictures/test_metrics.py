"""PSNR and SSIM by hand, and against scikit-image."""

from __future__ import annotations

import math

import pytest
import torch

from impasto.errors import InputError
from impasto.pictures.metrics import psnr, ssim, video_luma


def gray(value: float, side: int = 16) -> torch.Tensor:
    return torch.full((1, 3, side, side), value)


def test_luma_is_that_of_video() -> None:
    colors = torch.eye(3).view(3, 3, 1, 1)  # pure red, green, blue
    found = video_luma(torch.cat([colors, gray(0, 1), gray(1, 1)])).flatten() * 255
    torch.testing.assert_close(found, torch.tensor([16 + 65.481, 16 + 128.553, 16 + 24.966, 16, 235]))


def test_psnr_by_hand() -> None:
    # Gray 0.5 and 0.6 differ in luma by 0.1 · 219/255, everywhere.
    assert psnr(gray(0.6), gray(0.5)).item() == pytest.approx(-20 * math.log10(0.1 * 219 / 255), rel=1e-5)
    assert psnr(gray(0.5), gray(0.5)).item() == math.inf


def test_the_border_does_not_count() -> None:
    picture = gray(0.5)
    picture[..., :2, :] = 1
    picture[..., -1] = 0
    assert psnr(picture, gray(0.5), border=2).item() == math.inf
    assert ssim(picture, gray(0.5), border=2).item() == pytest.approx(1)


def test_ssim_of_flat_pictures_by_hand() -> None:
    # Without variance, (2 a b + C₁) / (a² + b² + C₁) is left.
    a, b, c1 = (16 + 219 * 0.2) / 255, (16 + 219 * 0.8) / 255, 1e-4
    assert ssim(gray(0.2), gray(0.8)).item() == pytest.approx((2 * a * b + c1) / (a * a + b * b + c1), rel=1e-5)


def test_each_picture_of_a_batch_has_its_own() -> None:
    pictures = torch.rand(3, 3, 20, 14, generator=torch.Generator().manual_seed(0))
    other = pictures.roll(1, 0)
    for measure in (psnr, ssim):
        alone = [measure(x[None], y[None]) for x, y in zip(pictures, other, strict=True)]
        torch.testing.assert_close(measure(pictures, other), torch.cat(alone))


@pytest.mark.parametrize("size", [(11, 11), (24, 31)])
def test_they_are_those_of_scikit_image(size: tuple[int, int]) -> None:
    metrics = pytest.importorskip("skimage.metrics")
    generator = torch.Generator().manual_seed(1)
    reference = torch.rand(1, 3, *size, generator=generator)
    picture = (reference + 0.1 * torch.randn(reference.shape, generator=generator)).clamp(0, 1)
    x, y = (video_luma(p.double())[0, 0].numpy() for p in (picture, reference))
    expected = metrics.structural_similarity(
        x, y, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim(picture, reference).item() == pytest.approx(expected, abs=1e-6)
    assert psnr(picture, reference).item() == pytest.approx(metrics.peak_signal_noise_ratio(y, x, data_range=1))


@pytest.mark.parametrize(
    ("measure", "sides", "border", "complaint"),
    [
        (psnr, (16, 12), 0, "same size"),
        (psnr, (16, 16), 8, "0x0 pixels are left without a border of 8"),
        (ssim, (12, 12), 1, "at least 11x11"),
    ],
)
def test_bad_pictures_are_refused(measure, sides, border, complaint) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=complaint):
        measure(gray(0.5, sides[0]), gray(0.5, sides[1]), border)
