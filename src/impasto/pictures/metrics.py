"""How close a picture is to what it should be, as papers on super-resolution count it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.errors import InputError
from impasto.pictures.color import luma


def video_luma(pictures: Tensor) -> Tensor:
    """Y of YCbCr as MATLAB and so the papers have it, `(16 + 219 (0.299 R + 0.587 G + 0.114 B)) / 255`: from RGB
    `(B, 3, H, W)` in [0, 1] to `(B, 1, H, W)` in [16/255, 235/255]. Its PSNR is 1.3 dB above that of full-range luma.
    """
    return (16 + 219 * luma(pictures)) / 255


def psnr(pictures: Tensor, references: Tensor, border: int = 0) -> Tensor:
    """Peak signal-to-noise ratio of luma, `10 log₁₀(1 / mean((x − y)²))`, in dB.

    Args:
        pictures, references: `(B, 3, H, W)`, RGB, [0, 1].
        border: pixels at each side that do not count; papers take the factor of enlargement.

    Returns:
        `(B,)`; infinite where both are equal.

    Raises:
        InputError: if sizes differ, or nothing is left within the border.
    """
    x, y = _inside(pictures, references, border, 1)
    return (-10 * (x - y).square().mean((1, 2, 3)).log10()).to(pictures)


def ssim(pictures: Tensor, references: Tensor, border: int = 0) -> Tensor:
    """Structural similarity of luma (Wang et al. 2004, "Image quality assessment", eq. 13): mean over all places of

        (2 μ_x μ_y + C₁) (2 σ_xy + C₂) / ((μ_x² + μ_y² + C₁) (σ_x² + σ_y² + C₂))

    in Gaussian windows of 11 × 11 pixels with deviation 1.5 that lie inside the picture; C₁ = 0.01², C₂ = 0.03².

    Args:
        pictures, references: `(B, 3, H, W)`, RGB, [0, 1].
        border: pixels at each side that do not count.

    Returns:
        `(B,)`, at most 1.

    Raises:
        InputError: if sizes differ, or no window is left within the border.
    """
    x, y = _inside(pictures, references, border, 11)
    products = torch.cat([x, y, x * x, y * y, x * y], 1)
    mean_x, mean_y, xx, yy, xy = _windows(products).unbind(1)
    c1, c2 = 0.01**2, 0.03**2
    likeness = (2 * mean_x * mean_y + c1) / (mean_x.square() + mean_y.square() + c1)
    structure = (2 * (xy - mean_x * mean_y) + c2) / (xx - mean_x.square() + yy - mean_y.square() + c2)
    return (likeness * structure).mean((1, 2)).to(pictures)


def _windows(maps: Tensor) -> Tensor:
    """Gaussian means of `(B, C, H, W)` in every window of 11 × 11, `(B, C, H − 10, W − 10)`."""
    offsets = torch.arange(-5, 6, dtype=maps.dtype, device=maps.device)
    kernel = torch.exp(-0.5 * (offsets / 1.5).square())
    kernel = (kernel / kernel.sum()).view(1, 1, 11, 1)
    planes = F.conv2d(F.conv2d(maps.flatten(0, 1)[:, None], kernel), kernel.mT)
    return planes.view(*maps.shape[:2], *planes.shape[2:])


def _inside(pictures: Tensor, references: Tensor, border: int, least: int) -> tuple[Tensor, Tensor]:
    """Both lumas without the border, in double precision: differences of squares lose digits."""
    if pictures.shape != references.shape:
        raise InputError(
            f"the picture is {tuple(pictures.shape)} and its reference {tuple(references.shape)}; "
            "they must have the same size"
        )
    height, width = (n - 2 * border for n in pictures.shape[-2:])
    if min(height, width) < least:
        raise InputError(
            f"{width}x{height} pixels are left without a border of {border}; at least {least}x{least} are needed"
        )
    inner = (..., slice(border, border + height), slice(border, border + width))
    return video_luma(pictures.double())[inner], video_luma(references.double())[inner]
