"""From regions to the terms that compare styles. Whatever the statistic, blending is a weighted average, a folder is
many styles, and a mask weighs positions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.features.encoder import Encoder
from impasto.features.fingerprint import fingerprint
from impasto.methods.regions import (
    Prepare,
    Progress,
    Region,
    StyleImage,
    by_segment,
    check_shares,
    check_sides,
    labeled,
    scaled,
    unchanged,
)
from impasto.methods.settings import StylizeSettings
from impasto.objective import Term, style_loss
from impasto.objective.cache import StatisticsCache
from impasto.objective.losses import View
from impasto.options import known
from impasto.pictures.resample import lanczos

#: From a painting's `(H, W)` to bytes for the maps of one tile of it; None to read it whole.
Workspace = Callable[[tuple[int, int]], float | None]


def style_terms(
    encoder: Encoder,
    regions: Sequence[Region],
    size: int,
    settings: StylizeSettings,
    *,
    guide: Tensor | None = None,
    prepare: Prepare = unchanged,
    cache: StatisticsCache | None = None,
    progress: Progress = lambda done, total: None,
    workspace: Workspace = lambda size: None,
) -> list[tuple[float, Term]]:
    """A term for each region, weighted by the style's weight, the balance and the region's part of the picture.

    Args:
        encoder: of the features.
        regions: of the picture.
        size: long side of the picture; styles are read at `settings.style_scales` times that.
        settings: layers, weights and kind of the loss.
        guide: the picture's semantic map.
        prepare: applied to each painting first, such as to its colors.
        cache: of statistics that were measured before.
        progress: told after each painting.
        workspace: how each painting is measured.
    """
    loss = style_loss(settings.style_loss)
    if guide is not None:
        regions, guide = (by_segment(regions, guide), None) if loss.additive else labeled(regions, guide)
    ours = None if guide is None else guide * settings.semantic_weight
    weights, total = settings.layer_weights(), sum(len(r.styles) for r in regions)
    terms: list[tuple[float, Term]] = []
    for number, region in enumerate(regions):
        check_shares(region.styles)
        done = sum(len(r.styles) for r in regions[:number])

        def report(count: int, before: int = done) -> None:
            progress(before + count, total)

        mask = region.mask
        part = settings.style_weight * known(settings.balance) * (1.0 if mask is None else float(mask.mean()))
        targets = style_targets(encoder, region.styles, size, settings, prepare, cache, report, workspace)
        terms.append((part, loss.term(targets, weights, settings.convention, mask, ours)))
    return terms


def style_targets(
    encoder: Encoder,
    styles: Sequence[StyleImage],
    size: int,
    settings: StylizeSettings,
    prepare: Prepare = unchanged,
    cache: StatisticsCache | None = None,
    report: Callable[[int], None] = lambda count: None,
    workspace: Workspace = lambda size: None,
) -> dict[str, Any]:
    """Layer -> what several styles are compared by: the mean statistic, weighted by their shares, or their patches."""
    loss, layers = style_loss(settings.style_loss), known(settings.style_layers)
    about = (settings.style_loss, loss, size, settings.style_scales, layers)

    def read(style: StyleImage) -> Any:
        style = style.opened(prepare)
        views = _views(style, size, settings, workspace)
        if cache is None or not loss.additive:
            return loss.read(encoder, layers, views)
        picture = style.pixels()
        key = cache.key(fingerprint(encoder), about, picture, style.mask)
        values = cache.get(key)
        if values is None:
            values = loss.read(encoder, layers, views)
            cache.put(key, values)
        return {layer: value.to(picture.device) for layer, value in values.items()}

    def paintings() -> Iterator[Any]:
        for count, style in enumerate(styles, 1):
            yield read(style)
            report(count)

    return loss.targets(paintings(), [s.share for s in styles])


def _views(style: StyleImage, size: int, settings: StylizeSettings, workspace: Workspace) -> Iterator[View]:
    """A style that was `opened`, at each scale; where whole maps are compared also at each rotation."""
    additive, picture = style_loss(settings.style_loss).additive, style.pixels()
    rotations = (0.0,) if additive else settings.style_rotations
    guide = None if style.guide is None else style.guide * settings.semantic_weight
    for scale in settings.style_scales:
        reference = scaled(picture, max(1, round(size * scale)))
        check_sides(style.name, picture, reference)
        space = workspace((int(reference.shape[-2]), int(reference.shape[-1]))) if additive else None
        for degrees in rotations:
            count = len(settings.style_scales) * len(rotations)
            yield View(*rotated(reference, style.mask, guide, degrees), count, space)


def rotated(
    picture: Tensor, mask: Tensor | None, guide: Tensor | None, degrees: float
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """A picture, its mask and its map turned about the center; what the turn brings in from outside is masked out."""
    if degrees == 0:
        return picture, mask, guide
    angle = math.radians(degrees)
    height, width = picture.shape[-2:]
    turn = torch.tensor(
        [
            [math.cos(angle), -math.sin(angle) * height / width, 0.0],
            [math.sin(angle) * width / height, math.cos(angle), 0.0],
        ]
    ).to(picture)[None]
    grid = F.affine_grid(turn, [1, 1, int(height), int(width)], align_corners=False)

    def sample(x: Tensor, padding: str) -> Tensor:
        resized = x if x.shape[-2:] == picture.shape[-2:] else lanczos(x, (int(height), int(width)))
        return F.grid_sample(resized, grid, mode="bilinear", padding_mode=padding, align_corners=False)

    inside = sample(torch.ones_like(picture[:, :1]) if mask is None else mask, "zeros")
    return sample(picture, "reflection"), inside, None if guide is None else sample(guide, "border")
