"""Image optimization: Gatys, Ecker, Bethge, "A neural algorithm of artistic style" (2015) and CVPR 2016."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import cast

import torch
from torch import Tensor

from impasto.canvas import Canvas, Pixels
from impasto.errors import InputError
from impasto.features.encoder import Encoder, check_layers
from impasto.objective import Content, Objective, Style, TotalVariation, gram
from impasto.objective.terms import Term, TVKind
from impasto.optimize import LBFGS, Adam, Optimizer, Stage, State, Step, minimize
from impasto.resample import lanczos
from impasto.settings import StylizeSettings

#: Pixels that a picture needs each way: relu5_1 halves it four times.
SHORTEST = 16


def scaled(picture: Tensor, long_side: int) -> Tensor:
    """`picture` with its long side brought to `long_side` pixels, the aspect kept."""
    height, width = picture.shape[-2:]
    ratio = long_side / max(height, width)
    size = (max(1, round(height * ratio)), max(1, round(width * ratio)))
    return lanczos(picture, size)


@torch.no_grad()
def content_term(encoder: Encoder, content: Tensor, layers: Iterable[str], convention: str = "kitov") -> Content:
    """The term that keeps the features of `content`, `(1, 3, H, W)`, at `layers`, all of the same weight."""
    targets = encoder(content, layers)
    return Content(targets, {name: 1.0 for name in targets}, convention)


@torch.no_grad()
def style_term(encoder: Encoder, style: Tensor, weights: Mapping[str, float], convention: str = "kitov") -> Style:
    """The term that asks for the Gram matrices of `style`, `(1, 3, H, W)`."""
    targets = {name: gram(maps).mean() for name, maps in encoder(style, weights).items()}
    return Style(targets, weights, convention)


def objective(encoder: Encoder, content: Tensor | None, style: Tensor | None, settings: StylizeSettings) -> Objective:
    """Content, style and total variation as `settings` weighs them; both pictures at the size they are compared at."""
    terms: list[tuple[float, Term]] = []
    if content is not None and settings.content_weight:
        term = content_term(encoder, content, settings.content_layers, settings.convention)
        terms.append((settings.content_weight, term))
    if style is not None and settings.style_weight:
        terms.append((settings.style_weight, style_term(encoder, style, settings.layer_weights(), settings.convention)))
    if settings.tv_weight:
        terms.append((settings.tv_weight, TotalVariation(cast(TVKind, settings.tv), settings.tv_gamma)))
    return Objective(encoder, terms)


def optimizer(settings: StylizeSettings) -> Callable[[], Optimizer]:
    """What makes the optimizer of each scale."""
    if settings.optimizer == "adam":
        return lambda: Adam(settings.rate)
    return lambda: LBFGS(settings.history)


def start(content: Tensor, style: Tensor | None, settings: StylizeSettings, file: Tensor | None = None) -> Tensor:
    """The first picture, at the size of `content`: `file` if given, else as `settings.init` says."""
    size = (int(content.shape[-2]), int(content.shape[-1]))
    if file is None and settings.init == "noise":
        generator = torch.Generator().manual_seed(settings.seed)
        return torch.rand(content.shape, generator=generator).to(content)
    if file is None and settings.init == "style":
        file = style
    if file is None:
        return content
    return lanczos(file, size)


def _check_sides(role: str, picture: Tensor, coarsest: Tensor, scales: int) -> None:
    """A picture needs `SHORTEST` pixels each way, as it comes and at the coarsest scale."""
    (height, width), (low, narrow) = picture.shape[-2:], coarsest.shape[-2:]
    if min(height, width) < SHORTEST:
        raise InputError(f"the {role} is {width}x{height} pixels; it needs at least {SHORTEST} each way")
    if min(low, narrow) < SHORTEST:
        raise InputError(
            f"the {role} of {width}x{height} pixels is {narrow}x{low} at scale 1 of {scales}; it needs at least "
            f"{SHORTEST} each way: choose a larger size, fewer scales, or a less elongated picture"
        )


def stylize(
    encoder: Encoder,
    content: Tensor,
    style: Tensor | None,
    settings: StylizeSettings,
    *,
    init: Tensor | None = None,
    keep_content: bool = True,
    resume: State | None = None,
) -> Iterator[Step]:
    """`content` painted in the manner of `style` (Gatys et al. 2016, eq. 7), coarse to fine.

    Args:
        encoder: where features come from.
        content: `(1, 3, H, W)`, RGB, [0, 1]; gives the picture its shape and, if `keep_content`, what it shows.
        style: `(1, 3, H', W')`, or None for a reconstruction from content alone.
        settings: all the rest.
        init: the picture to start from, instead of `settings.init`.
        keep_content: False for a reconstruction from style alone.
        resume: see `minimize`.

    Yields:
        A `Step` after each step.
    """
    check_layers([*settings.content_layers, *settings.style_layers], encoder.layers)
    sizes = [max(1, round(settings.size / 2**k)) for k in reversed(range(settings.scales))]
    pictures = [scaled(content, size) for size in sizes]
    _check_sides("content", content, pictures[0], settings.scales)
    if style is not None:
        _check_sides("style", style, scaled(style, sizes[0]), settings.scales)

    def stage(picture: Tensor, size: int) -> Stage:
        def build() -> Objective:
            reference = None if style is None else scaled(style, size)
            return objective(encoder, picture if keep_content else None, reference, settings)

        height, width = picture.shape[-2:]
        return Stage((int(height), int(width)), settings.steps, build)

    canvas: Canvas = Pixels(start(pictures[0], style, settings, init))
    stages = [stage(picture, size) for picture, size in zip(pictures, sizes, strict=True)]
    return minimize(canvas, stages, optimizer(settings), resume)
