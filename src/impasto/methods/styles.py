"""From paintings, masks and maps to the terms that compare styles.

A picture is divided into regions, and each region has styles. Whatever the statistic, blending is a weighted average,
a folder is many styles, and a mask weighs positions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.cache import StatisticsCache, encoder_hash
from impasto.errors import InputError
from impasto.features.encoder import Encoder
from impasto.objective import MATCHINGS, STATISTICS, Match, Style, Term
from impasto.objective.tiled import measured
from impasto.resample import blur, lanczos
from impasto.settings import StylizeSettings

#: Pixels that a picture needs each way: relu5_1 halves it four times.
SHORTEST = 16
#: Called with how many styles have been read, and of how many.
Progress = Callable[[int, int], None]
#: From a painting's `(H, W)` to bytes for the maps of one tile of it; None to read it whole.
Workspace = Callable[[tuple[int, int]], float | None]


@dataclass(frozen=True)
class StyleImage:
    """One painting.

    Attributes:
        picture: `(1, 3, H, W)`, RGB, [0, 1], or what reads it when it is wanted (a folder need not fit in memory).
        share: of the styles of its region; shares are normalized.
        mask: which part of it counts, `(1, 1, h, w)` in [0, 1]; all of it if None.
        guide: its semantic map, `(1, K, h, w)` in [0, 1].
    """

    picture: Tensor | Callable[[], Tensor]
    share: float = 1.0
    mask: Tensor | None = None
    guide: Tensor | None = None

    def pixels(self) -> Tensor:
        """The painting, `(1, 3, H, W)`."""
        return self.picture if isinstance(self.picture, Tensor) else self.picture()


@dataclass(frozen=True)
class Region:
    """A part of the picture and the styles that it gets.

    Attributes:
        styles: at least one.
        mask: where, `(1, 1, h, w)` in [0, 1]; everywhere if None.
    """

    styles: Sequence[StyleImage]
    mask: Tensor | None = None


def whole(style: Tensor | Sequence[Region] | None) -> list[Region]:
    """A single painting as the one style of the whole picture."""
    if style is None:
        return []
    return [Region([StyleImage(style)])] if isinstance(style, Tensor) else list(style)


def scaled(picture: Tensor, long_side: int) -> Tensor:
    """`picture` with its long side brought to `long_side` pixels, the aspect kept."""
    return lanczos(picture, scaled_size(picture, long_side))


def scaled_size(picture: Tensor, long_side: int) -> tuple[int, int]:
    """`(H, W)` of `scaled(picture, long_side)`."""
    height, width = picture.shape[-2:]
    ratio = long_side / max(height, width)
    return max(1, round(height * ratio)), max(1, round(width * ratio))


def divide(masks: Sequence[Tensor], feather: float) -> list[Tensor]:
    """Masks of one picture that overlap nowhere: blurred by `feather` (of the long side), their sum at most 1.

    Args:
        masks: `(1, 1, H, W)` each, in [0, 1], of one size.

    Raises:
        InputError: if a mask is empty.
    """
    soft = []
    for number, mask in enumerate(masks, 1):
        if mask.max() < 1e-3:
            raise InputError(f"mask {number} is empty (black everywhere); paint the region white")
        soft.append(blur(mask, feather * max(mask.shape[-2:])))
    total = torch.stack(soft).sum(0).clamp_min(1)
    return [mask / total for mask in soft]


def segments(guide: Tensor, others: Sequence[Tensor], most: int = 12) -> list[list[Tensor]]:
    """Semantic maps as masks: the colors that they share are classes.

    Colors are taken from `guide`, most frequent first, skipping what is within a tenth of one that was taken; every
    pixel of every map belongs to the class of the nearest color.

    Args:
        guide: `(1, K, h, w)`; the map of the picture.
        others: the maps of the styles.

    Returns:
        For each class the masks `(1, 1, h, w)` in `guide` and in each of `others`; only classes present in `guide`.
    """
    small = F.interpolate(guide, size=(min(64, guide.shape[2]), min(64, guide.shape[3])), mode="nearest")
    colors, counts = torch.unique((small[0].flatten(1).T * 32).round(), dim=0, return_counts=True)
    chosen: list[Tensor] = []
    for color in colors[counts.argsort(descending=True)] / 32:
        if len(chosen) < most and all((color - c).norm() > 0.1 * math.sqrt(len(color)) for c in chosen):
            chosen.append(color)
    palette = torch.stack(chosen)
    labels = [torch.cdist(m[0].flatten(1).T, palette).argmin(1).view(1, 1, *m.shape[-2:]) for m in (guide, *others)]
    rare = 0.002 * labels[0].numel()  # a blurred edge is no class
    return [[(m == k).to(guide) for m in labels] for k in range(len(chosen)) if (labels[0] == k).sum() > rare]


def by_segment(regions: Sequence[Region], guide: Tensor) -> list[Region]:
    """Regions divided by a semantic map, for statistics: each class of `guide` gets the same class of the styles.

    A style without that class, or without a map, serves with all of it.
    """
    found = []
    for region in regions:
        mapped = [s.guide for s in region.styles if s.guide is not None]
        for ours, *theirs in segments(guide, mapped):
            masks = iter(theirs)
            styles = []
            for style in region.styles:
                part = next(masks) if style.guide is not None else None
                usable = part is not None and part.mean() > 1e-3
                styles.append(replace(style, mask=_times(style.mask, part) if usable else style.mask, guide=None))
            found.append(Region(styles, _times(region.mask, ours)))
    return found


def style_terms(
    encoder: Encoder,
    regions: Sequence[Region],
    size: int,
    settings: StylizeSettings,
    *,
    guide: Tensor | None = None,
    prepare: Callable[[Tensor], Tensor] = lambda x: x,
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
    weights, total = settings.layer_weights(), sum(len(r.styles) for r in regions)
    terms: list[tuple[float, Term]] = []
    for number, region in enumerate(regions):
        shares = [s.share for s in region.styles]
        if not (min(shares) >= 0 and 0 < sum(shares) < math.inf):
            raise InputError(
                f"the blend {', '.join(f'{s:g}' for s in shares)} sums to {sum(shares):g}; give it weights"
            )
        done = sum(len(r.styles) for r in regions[:number])

        def told(count: int, before: int = done) -> None:
            progress(before + count, total)

        mask = region.mask
        part = settings.style_weight * (settings.balance or 1.0) * (1.0 if mask is None else float(mask.mean()))
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
    prepare: Callable[[Tensor], Tensor] = lambda x: x,
    cache: StatisticsCache | None = None,
    told: Callable[[int], None] = lambda count: None,
    workspace: Workspace = lambda size: None,
) -> dict[str, Tensor]:
    """Layer -> the mean statistic of several styles, weighted by their shares (METHODS: blends and folders)."""
    statistic = STATISTICS[settings.style_loss]
    shares = [s.share for s in styles]
    average: dict[str, Tensor] = {}
    about = (settings.style_loss, size, settings.style_scales, settings.style_layers)
    for count, style in enumerate(styles, 1):
        picture = prepare(style.pixels())
        key = None if cache is None else cache.key(encoder_hash(encoder), about, picture, style.mask)
        found = None if cache is None or key is None else cache.get(key)
        if found is None:
            found = {}
            for copy in _copies([replace(style, picture=picture)], size, settings, lambda x: x):
                space = workspace((int(copy.picture.shape[-2]), int(copy.picture.shape[-1])))
                values = measured(encoder, copy.picture, settings.style_layers, statistic, copy.mask, space)
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
    prepare: Callable[[Tensor], Tensor],
    told: Callable[[int], None] = lambda count: None,
) -> Iterator[_Copy]:
    """Each style at each scale; for patches also at each rotation."""
    turns = settings.style_rotations if settings.style_loss in MATCHINGS else (0.0,)
    for count, style in enumerate(styles, 1):
        picture = prepare(style.pixels())
        for scale in settings.style_scales:
            reference = scaled(picture, max(1, round(size * scale)))
            check_sides("style", picture, reference)
            guide = None if style.guide is None else style.guide * settings.semantic_weight
            for degrees in turns:
                x, mask, turned_guide = rotated(reference, style.mask, guide, degrees)
                yield _Copy(x, style.share, mask, turned_guide)
        told(count)


def room(jitter: int, size: tuple[int, int]) -> int:
    """The jitter that a picture of `(H, W)` has room for: what is not cut off has to be read, too."""
    return min(jitter, max(0, 2 * (min(size) - SHORTEST)))


def check_sides(role: str, picture: Tensor, coarsest: Tensor) -> None:
    """A picture needs `SHORTEST` pixels each way, as it comes and at the coarsest scale.

    Raises:
        InputError: if it has less.
    """
    (height, width), (low, narrow) = picture.shape[-2:], coarsest.shape[-2:]
    if min(height, width) < SHORTEST:
        raise InputError(f"the {role} is {width}x{height} pixels; it needs at least {SHORTEST} each way")
    if min(low, narrow) < SHORTEST:
        raise InputError(
            f"the {role} of {width}x{height} pixels is {narrow}x{low} at the coarsest scale; it needs at least "
            f"{SHORTEST} each way: choose a larger size, fewer scales, or a less elongated picture"
        )


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


def _times(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """The product of two masks, at the size of the first; None is 1 everywhere."""
    if a is None or b is None:
        return b if a is None else a
    return a * (b if b.shape[-2:] == a.shape[-2:] else lanczos(b, (int(a.shape[-2]), int(a.shape[-1]))))
