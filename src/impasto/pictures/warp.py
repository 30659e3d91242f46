"""Pictures carried along by optical flow, and where they can be trusted (Ruder, Dosovitskiy, Brox 2016).

A flow `(B, 2, H, W)`, pixels to the right and down, leads from each place of a picture to the same point of the scene
in another one. The picture at t takes from the one before by its *backward* flow, which leads from t to t − 1;
the *forward* flow leads from t − 1 to t.
"""

from __future__ import annotations

import math
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.pictures.resample import blur

#: Differences of photographs, in [0, 1], with which a place is trusted by a third.
RESIDUAL = 0.045
#: Parts of a place's area that were not there, with which it is trusted by a third.
STRETCH = 0.2


def _places(flow: Tensor) -> Tensor:
    """Where the flow leads, `(B, H, W, 2)`: x and y in pixels."""
    height, width = flow.shape[-2:]
    down = torch.arange(height, dtype=flow.dtype, device=flow.device)[:, None].expand(height, width)
    right = torch.arange(width, dtype=flow.dtype, device=flow.device)[None].expand(height, width)
    return flow.permute(0, 2, 3, 1) + torch.stack([right, down], -1)


def warp(pictures: Tensor, flow: Tensor, mode: str = "bicubic") -> Tensor:
    """`ω`: what lies where the flow leads.

    Args:
        pictures: `(B, C, H, W)`; beyond their borders they go on as at the border.
        flow: `(B, 2, H, W)`, pixels.
        mode: spline, which blurs least where a picture is carried on and on; bicubic, at half of its cost; bilinear or
            nearest.

    Returns:
        `(B, C, H, W)`; values by spline and bicubic may lie beyond those of the pictures by a little.
    """
    places = _places(flow)
    if mode == "spline":
        return _spline(pictures, *places.unbind(-1))
    return _sampled(pictures, places, mode)


def _sampled(pictures: Tensor, places: Tensor, mode: str) -> Tensor:
    """Pictures at places `(B, H, W, 2)`, x and y in pixels."""
    height, width = pictures.shape[-2:]
    size = torch.tensor([width, height], dtype=places.dtype, device=places.device)
    grid = (2 * places + 1) / size - 1
    return F.grid_sample(pictures, grid.to(pictures.dtype), mode=mode, padding_mode="border", align_corners=False)


def _spline(pictures: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Interpolation by cubic B-splines through the pixels (Unser 1999), as four bilinear samples of their coefficients
    (Sigg and Hadwiger 2005)."""
    pole, reach, many = math.sqrt(3) - 2, 8, pictures.shape[1]
    powers = [math.sqrt(3) * pole ** abs(k) for k in range(-reach, reach + 1)]
    taps = torch.tensor(powers, dtype=pictures.dtype, device=pictures.device).expand(many, 1, 1, -1)
    padded = F.pad(pictures, (reach + 2,) * 4, mode="replicate").contiguous(memory_format=torch.channels_last)
    coefficients = F.conv2d(F.conv2d(padded, taps, groups=many), taps.transpose(2, 3), groups=many).contiguous()
    (left, right), (above, below) = (
        _halves(place, end) for place, end in zip((x, y), reversed(pictures.shape[-2:]), strict=True)
    )
    total = torch.zeros_like(pictures)
    for (across, column), (down, row) in product((left, right), (above, below)):
        total.addcmul_((across * down)[:, None], _sampled(coefficients, torch.stack([column, row], -1), "bilinear"))
    return total


def _halves(place: Tensor, size: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The four weights of a cubic B-spline along an axis, two by two: their sum, and where between the two coefficients
    it stands."""
    place = place.clamp(0, size - 1)
    base = place.floor()
    part = place - base
    second, fourth = 2 / 3 - part.square() * (2 - part) / 2, part**3 / 6
    near = (1 - part) ** 3 / 6 + second
    return (near, base + 1 + second / near), (1 - near, base + 3 + fourth / (1 - near))


def inside(flow: Tensor) -> Tensor:
    """Whether the flow leads into the frame, `(B, 1, H, W)`, 0 or 1."""
    height, width = flow.shape[-2:]
    x, y = _places(flow).unbind(-1)
    return ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1))[:, None].to(flow)


def round_trip(backward: Tensor, forward: Tensor) -> tuple[Tensor, Tensor]:
    """`|w̃ + ŵ|²`, how far one comes back from where one went, and `|w̃|² + |ŵ|²`; `(B, 1, H, W)` both, pixels².

    Args:
        backward: `ŵ`, `(B, 2, H, W)`, from the picture that is asked about.
        forward: the flow of the other picture, which comes back; `w̃` is what it is where `ŵ` leads.
    """
    there = warp(forward, backward, "bilinear")
    apart, lengths = there + backward, there.square() + backward.square()
    return apart.square().sum(1, keepdim=True), lengths.sum(1, keepdim=True)


def consistency(backward: Tensor, forward: Tensor, *, boundaries: bool = True) -> Tensor:
    """Where a picture can be taken from the other one (Ruder et al. 2016, eq. 5 to 7), `(B, 1, H, W)` in [0, 1]. It is

        -1  where |w̃ + ŵ|² > 0.01 (|w̃|² + |ŵ|²) + 0.5: it was hidden there
         0  where |∇u|² + |∇v|² > 0.01 |ŵ|² + 0.002: things that move apart meet; or the flow leads out of the frame
         1  elsewhere,

    then blurred by 0.8 pixels and cut off at 0, as the authors' program does it: what was hidden grows, so.

    Args:
        backward: `ŵ`, `(B, 2, H, W)`, pixels, from this picture to the other one.
        forward: of the other picture, to this one.
        boundaries: whether the second line counts.
    """
    apart, lengths = round_trip(backward, forward)
    found = inside(backward)
    if boundaries:
        across, down = _gradients(backward)
        steep = (across.square() + down.square()).sum(1, keepdim=True)
        found[steep > 0.01 * backward.square().sum(1, keepdim=True) + 0.002] = 0
    found[(apart > 0.01 * lengths + 0.5) & (inside(backward) > 0)] = -1
    return blur(found, 0.8).clamp(0, 1)


def _gradients(flow: Tensor) -> tuple[Tensor, Tensor]:
    """How it changes to the right and down, by central differences, `(B, 2, H, W)` each."""
    padded = F.pad(flow, (1, 1, 1, 1), mode="replicate")
    across = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    return across, (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2


def stretched(backward: Tensor) -> Tensor:
    """Which part of a place's area was not there in the other picture, `(B, 1, H, W)`, at least 0: `1 − det(I + ∇ŵ)`.

    Where something moves off what is behind it, estimators fill the gap with a flow that leads from the one to the
    other by and by: there and back it is consistent, and what is carried along it is drawn out into streaks.
    """
    (right_x, down_x), (right_y, down_y) = (g.unbind(1) for g in _gradients(backward))
    return (1 - (1 + right_x) * (1 + down_y) + right_y * down_x)[:, None].clamp_min(0)


def trust(backward: Tensor, forward: Tensor, now: Tensor, before: Tensor) -> Tensor:
    """How far a picture can be taken from the other one, between 0 and 1, `(B, 1, H, W)`: what `consistency` decides
    hard, and whether the photographs agree,

        exp(−|w̃ + ŵ|² / (0.01 (|w̃|² + |ŵ|²) + 0.5)) · exp(−(r / 0.045)²) · exp(−(s / 0.2)²) · inside

    with `r` the difference of luma after the light of the one is brought to that of the other (fades, clouds), and `s`
    how far it is `stretched`.

    Args:
        backward, forward: as for `consistency`.
        now, before: luma of both photographs, `(B, 1, H, W)`, [0, 1].
    """
    apart, lengths = round_trip(backward, forward)
    carried = warp(before, backward, "bilinear")
    certain = torch.exp(-apart / (0.01 * lengths + 0.5)) * inside(backward)
    total = certain.sum((2, 3), keepdim=True).clamp_min(1)
    gained = now + ((carried - now) * certain).sum((2, 3), keepdim=True) / total
    residual = (carried - gained) / RESIDUAL
    return certain * torch.exp(-residual.square() - (stretched(backward) / STRETCH).square())


def resized_flow(flow: Tensor, size: tuple[int, int]) -> Tensor:
    """A flow `(B, 2, h, w)` for pictures of `(H, W)`, in their pixels: means over areas."""
    height, width = flow.shape[-2:]
    if (height, width) == size:
        return flow
    scale = torch.tensor([size[1] / width, size[0] / height], dtype=flow.dtype, device=flow.device)
    smaller = size[0] <= height and size[1] <= width
    mode, corners = ("area", None) if smaller else ("bilinear", False)
    return F.interpolate(flow, size=size, mode=mode, align_corners=corners) * scale.view(1, 2, 1, 1)


def resized_weights(weights: Tensor, size: tuple[int, int]) -> Tensor:
    """Weights `(B, 1, h, w)` in [0, 1] for pictures of `(H, W)`."""
    if tuple(weights.shape[-2:]) == size:
        return weights
    if weights.shape[-2] >= size[0] and weights.shape[-1] >= size[1]:
        return F.interpolate(weights, size=size, mode="area")
    return F.interpolate(weights, size=size, mode="bilinear", align_corners=False)


def warp_error(pictures: Tensor, others: Tensor, flow: Tensor, weights: Tensor) -> float:
    """How little a video holds still (Ruder et al. 2016, §6): `Σ c (x − ω(y))² / Σ c`, the mean over colors.

    Measure it with the source's own flow, not with the one that a method used, and say how sharp and how much in its
    style the video is beside it, since what is blurred or is not painted holds still, too.

    Args:
        pictures: `x`, `(1, 3, H, W)`, [0, 1].
        others: `y`, the ones before.
        flow: from `x` to `y`.
        weights: `c`, `(1, 1, H, W)`, such as of `consistency`.

    Returns:
        The mean squared difference; NaN where no weight is left.
    """
    squared = (pictures - warp(others, flow, "bilinear")).square().mean(1, keepdim=True)
    total = float(weights.sum())
    return float((squared * weights).sum()) / total if total else math.nan


def sharpness(pictures: Tensor) -> float:
    """Mean length of the gradient of luma-like means over colors, between neighbors; levels of [0, 1] a pixel."""
    gray = pictures.mean(1)
    across, down = gray[:, :-1, 1:] - gray[:, :-1, :-1], gray[:, 1:, :-1] - gray[:, :-1, :-1]
    return float((across.square() + down.square()).sqrt().mean())
