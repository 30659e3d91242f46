"""From regions to the terms that compare styles. Whatever the statistic, blending is a weighted average, a folder is
many styles, and a mask weighs positions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

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
from impasto.objective import MATCHINGS, STATISTICS, Match, Style, Term
from impasto.objective.cache import StatisticsCache
from impasto.objective.tiled import measured
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
    additive = settings.style_loss in STATISTICS
    if guide is not None and additive:
        regions, guide = by_segment(regions, guide), None
    elif guide is not None:
        regions, guide = labeled(regions, guide)
    weights, total = settings.layer_weights(), sum(len(r.styles) for r in regions)
    terms: list[tuple[float, Term]] = []
    for number, region in enumerate(regions):
        check_shares(region.styles)
        done = sum(len(r.styles) for r in regions[:number])

        def told(count: int, before: int = done) -> None:
            progress(before + count, total)

        mask = region.mask
        part = settings.style_weight * known(settings.balance) * (1.0 if mask is None else float(mask.mean()))
        if additive:
            targets = average_statistics(encoder, region.styles, size, settings, prepare, cache, told, workspace)
            statistic = STATISTICS[settings.style_loss]
            terms.append((part, Style(targets, weights, settings.convention, statistic, mask)))
        else:
            matching, ours = MATCHINGS[settings.style_loss], None if guide is None else guide * settings.semantic_weight
            copies = list(_copies(region.styles, size, settings, prepare, told))
            with torch.no_grad():
                maps = [encoder(c.picture, weights) for c in copies]
            about = [*zip(*[(c.share, c.mask, c.guide) for c in copies], strict=True)]
            banks = {n: matching.bank([m[n] for m in maps], *about) for n in weights}
            relative = settings.convention == "relative"
            terms.append((part, Match(banks, weights, matching, mask, ours, relative)))
    return terms


def average_statistics(
    encoder: Encoder,
    styles: Sequence[StyleImage],
    size: int,
    settings: StylizeSettings,
    prepare: Prepare = unchanged,
    cache: StatisticsCache | None = None,
    told: Callable[[int], None] = lambda count: None,
    workspace: Workspace = lambda size: None,
) -> dict[str, Tensor]:
    """Layer -> the mean statistic of several styles, weighted by their shares (METHODS: blends and folders)."""
    statistic = STATISTICS[settings.style_loss]
    shares = [s.share for s in styles]
    average: dict[str, Tensor] = {}
    layers = known(settings.style_layers)
    about = (settings.style_loss, statistic, size, settings.style_scales, layers)
    for count, style in enumerate(styles, 1):
        style = style.opened(prepare)
        picture = style.pixels()
        key = None if cache is None else cache.key(fingerprint(encoder), about, picture, style.mask)
        found = None if cache is None or key is None else cache.get(key)
        if found is None:
            found = {}
            for copy in _copies([style], size, settings, unchanged):
                space = workspace((int(copy.picture.shape[-2]), int(copy.picture.shape[-1])))
                values = measured(encoder, copy.picture, layers, statistic, copy.mask, space)
                for layer, value in values.items():
                    found[layer] = found.get(layer, 0) + value / len(settings.style_scales)
            if cache is not None and key is not None:
                cache.put(key, found)
        for layer, value in found.items():
            average[layer] = average.get(layer, 0) + value.to(picture.device) * (shares[count - 1] / sum(shares))
        told(count)
    return average


@dataclass(frozen=True)
class _Copy:
    """A painting at one scale and rotation."""

    picture: Tensor
    share: float
    mask: Tensor | None
    guide: Tensor | None


def _copies(
    styles: Sequence[StyleImage],
    size: int,
    settings: StylizeSettings,
    prepare: Prepare,
    told: Callable[[int], None] = lambda count: None,
) -> Iterator[_Copy]:
    """Each style at each scale; for patches also at each rotation."""
    turns = settings.style_rotations if settings.style_loss in MATCHINGS else (0.0,)
    for count, style in enumerate(styles, 1):
        style = style.opened(prepare)
        picture = style.pixels()
        for scale in settings.style_scales:
            reference = scaled(picture, max(1, round(size * scale)))
            check_sides(style.name, picture, reference)
            guide = None if style.guide is None else style.guide * settings.semantic_weight
            for degrees in turns:
                x, mask, turned_guide = rotated(reference, style.mask, guide, degrees)
                yield _Copy(x, style.share, mask, turned_guide)
        told(count)


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
