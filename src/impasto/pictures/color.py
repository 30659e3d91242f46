"""Color: luma and chroma, and giving one picture the colors of another (Gatys et al. 2016, "Preserving color in neural
artistic style transfer")."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from impasto.errors import unknown

#: Rec. 601: what television calls Y.
LUMA = (0.299, 0.587, 0.114)
#: Rows: an orthonormal basis of colors, lightness first.
OPPONENT = (
    (1 / math.sqrt(3), 1 / math.sqrt(3), 1 / math.sqrt(3)),
    (1 / math.sqrt(2), 0.0, -1 / math.sqrt(2)),
    (1 / math.sqrt(6), -2 / math.sqrt(6), 1 / math.sqrt(6)),
)
#: Of `match_moments`.
FORMS = ("cholesky", "symmetric")
#: A deviation of colors that is taken for noise: of rounding and JPEG, not of paint.
NOISE = 2 / 255
#: Chroma that no pixel of a gray picture exceeds: noise of a scanner and of JPEG.
GRAY = 4 * NOISE


def luma(picture: Tensor) -> Tensor:
    """`Y = 0.299 R + 0.587 G + 0.114 B` of `(B, 3, H, W)`, as `(B, 1, H, W)`."""
    red, green, blue = torch.split(picture, 1, 1)  # a tensor of the factors would be sent to a GPU each time
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue


def chroma(picture: Tensor) -> Tensor:
    """What a picture has beside its luma: `RGB − Y`, `(B, 3, H, W)`; adding another luma keeps it."""
    return picture - luma(picture)


def luma_range(colors: Tensor) -> tuple[Tensor, Tensor]:
    """The least and the largest luma, `(B, 1, H, W)`, with which a chroma stays in [0, 1]."""
    return -colors.amin(1, keepdim=True), 1 - colors.amax(1, keepdim=True)


def is_gray(picture: Tensor) -> bool:
    """Whether the chroma of `(B, 3, H, W)` is nowhere more than noise."""
    return float(chroma(picture).abs().max()) < GRAY


def match_luminance(
    style: Tensor, content: Tensor, style_weights: Tensor | None = None, content_weights: Tensor | None = None
) -> Tensor:
    """`style`'s luma `(1, 1, H, W)` with the mean and deviation of `content`'s, in [0, 1] (paper, section 3.2); weights
    as for `match_moments`."""
    (mean, deviation), (goal, goal_deviation) = _spread(style, style_weights), _spread(content, content_weights)
    return ((style - mean) * (goal_deviation / deviation.clamp_min(1e-4)) + goal).clamp(0, 1)


def _spread(x: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
    """Mean and deviation over positions."""
    if weights is None:
        return x.mean(), x.std(correction=0)
    share = weights / weights.sum()
    mean = (x * share).sum()
    return mean, ((x - mean).square() * share).sum().sqrt()


def match_moments(
    style: Tensor,
    content: Tensor,
    form: str = "cholesky",
    style_weights: Tensor | None = None,
    content_weights: Tensor | None = None,
) -> Tensor:
    """`style` with the mean and covariance of `content`'s colors (section 3.1): `x ← A (x − μ_s) + μ_c` with
    `A Σ_s Aᵀ = Σ_c`.

    Directions of color in which the style varies by less than `NOISE` are left out: a gray engraving has only the
    noise of its file there, which would become a confetti of the content's colors.

    Args:
        style, content: `(1, 3, H, W)`, RGB, [0, 1]; sizes may differ.
        form: `cholesky`: `A = L_c L_s⁻¹`; `symmetric` (image analogies): `A = Σ_c^½ Σ_s^{-½}`. They differ by a
            rotation of colors.
        style_weights, content_weights: how much each position counts, such as its opacity, `(1, 1, H, W)` of the
            picture's size, at least 0 and not 0 everywhere; all alike if None.

    Returns:
        `(1, 3, H, W)`, clipped to [0, 1].

    Raises:
        InputError: if the form is neither.
    """
    if form not in FORMS:
        raise unknown("form of color matching", form, FORMS)
    (mean, cov), (goal, goal_cov) = color_moments(style, style_weights), color_moments(content, content_weights)
    if form == "cholesky":
        factor = torch.linalg.solve_triangular(
            torch.linalg.cholesky(cov), torch.linalg.cholesky(goal_cov), upper=False, left=False
        )
    else:
        factor = _power(goal_cov, 0.5) @ _power(cov, -0.5)
    return _mapped(style, mean, cov, factor, goal).clamp(0, 1)


#: Mean `(3, 1)` and covariance `(3, 3)` of colors, in double precision on the CPU.
Gaussian = tuple[Tensor, Tensor]
#: Distance of colors to a painting's that is left: the last of it costs content, as contrast grows.
NEAR = 6 / 255
#: How often a picture is matched and clipped at most, and how much further it is taken, but for the first time, than
#: where it would be without clipping: just as far takes twice as often.
ROUNDS, FURTHER = 10, 1.5


def color_distance(a: Gaussian, b: Gaussian) -> float:
    """2-Wasserstein: `√(|μ − μ*|² + tr(Σ + Σ* − 2 (Σ*^½ Σ Σ*^½)^½))`."""
    root = _power(b[1], 0.5)
    common = torch.linalg.eigvalsh(root @ a[1] @ root).clamp_min(0).sqrt().sum()
    return float(((a[0] - b[0]).square().sum() + a[1].trace() + b[1].trace() - 2 * common).clamp_min(0).sqrt())


def mixed_colors(parts: Sequence[Gaussian], shares: Sequence[float]) -> Gaussian:
    """Mean and covariance of several pictures' colors together, by their shares."""
    weights = [share / sum(shares) for share in shares]
    mean = torch.stack([w * m for w, (m, _) in zip(weights, parts, strict=True)]).sum(0)
    square = torch.stack([w * (c + m @ m.T) for w, (m, c) in zip(weights, parts, strict=True)]).sum(0)
    return mean, square - mean @ mean.T


def with_colors(picture: Tensor, goal: Gaussian, weights: Tensor | None = None, near: float = NEAR) -> Tensor:
    """`picture` with nearly a mean and covariance of colors, by the least change that has them (the optimal map between
    Gaussians); again until what is clipped to [0, 1] has them, too.

    Args:
        picture: `(1, 3, H, W)`, RGB, [0, 1].
        goal: of `color_moments`.
        weights: as for `match_moments`.
        near: distance that may be left; what is nearer already stays as it is.
    """
    for count in range(ROUNDS):
        mean, cov = color_moments(picture, weights)
        far = color_distance((mean, cov), goal)
        if far <= near:
            break
        root, inverse = _power(cov, 0.5), _power(cov, -0.5)
        factor = inverse @ _power(root @ goal[1] @ root, 0.5) @ inverse
        mapped = _mapped(picture, mean, cov, factor, goal[0])
        share = (FURTHER if count else 1.0) * (1 - 0.8 * near / far)
        picture = torch.lerp(picture, mapped, share).clamp(0, 1)
    return picture


def _mapped(picture: Tensor, mean: Tensor, cov: Tensor, factor: Tensor, goal: Tensor) -> Tensor:
    """`A (x − μ) + μ*` in the directions in which colors vary by more than `NOISE`."""
    values, vectors = torch.linalg.eigh(cov)
    seen = vectors[:, values > NOISE**2]  # (3, 0 to 3)
    mapped: Tensor = (factor @ seen @ seen.T).to(picture) @ (picture[0].flatten(1) - mean.to(picture)) + goal.to(
        picture
    )
    return mapped.view_as(picture)


def color_moments(picture: Tensor, weights: Tensor | None = None) -> Gaussian:
    """Mean `(3, 1)` and covariance `(3, 3)` of the colors of `(1, 3, H, W)`, in double precision on the CPU (Metal has
    none). The ridge, a deviation of 1e-6, only keeps the covariance of a gray picture invertible."""
    colors = picture[0].flatten(1).cpu().double()
    ridge = 1e-12 * torch.eye(3, dtype=colors.dtype)
    if weights is None:
        return colors.mean(1, keepdim=True), torch.cov(colors, correction=0) + ridge
    share = weights.flatten().cpu().double()
    mean = (colors * share).sum(1, keepdim=True) / share.sum()
    return mean, torch.cov(colors, correction=0, aweights=share) + ridge


def _power(matrix: Tensor, exponent: float) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    power: Tensor = vectors * values.clamp_min(1e-12).pow(exponent) @ vectors.T
    return power


def match_histogram(
    style: Tensor, content: Tensor, style_weights: Tensor | None = None, content_weights: Tensor | None = None
) -> Tensor:
    """`style` with the histogram of each of `content`'s channels: its k-th darkest value becomes the one of the same
    rank.

    Args:
        style, content: `(1, 3, H, W)`, RGB, [0, 1]; sizes may differ.
        style_weights, content_weights: as for `match_moments`; positions above half of the largest count, others do
            not.
    """
    ours, theirs = style[0].flatten(1).contiguous(), _counted(content, content_weights)
    known = _counted(style, style_weights)
    # Equal values have equal ranks, so that a flat part stays flat.
    ranks = [
        torch.searchsorted(values, x, right=side)
        for values, x in zip(known, ours, strict=True)
        for side in (False, True)
    ]
    twice = torch.stack([a + b - 1 for a, b in zip(ranks[::2], ranks[1::2], strict=True)])
    twice = twice.clamp(0, 2 * (known.shape[1] - 1))  # values that do not count may lie outside
    # In integers: above 2²⁴ pixels a float no longer tells neighboring ranks apart.
    place, pixels = twice * (theirs.shape[1] - 1), 2 * max(1, known.shape[1] - 1)
    low = place // pixels
    high = (low + 1).clamp_max(theirs.shape[1] - 1)
    between = (place % pixels).to(theirs) / pixels
    return torch.lerp(theirs.gather(1, low), theirs.gather(1, high), between).view_as(style)


def _counted(picture: Tensor, weights: Tensor | None) -> Tensor:
    """The sorted values of each channel, `(3, N)`, of the positions that count."""
    values = picture[0].flatten(1).contiguous()
    return (values if weights is None else values[:, weights.flatten() > 0.5 * weights.max()]).sort(1).values
