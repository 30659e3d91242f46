"""The parts of a picture and the styles that each gets: paintings, masks and semantic maps as regions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.errors import InputError
from impasto.pictures.color import is_gray
from impasto.pictures.resample import blur, lanczos

#: Pixels that a picture needs each way: relu5_1 halves it four times.
SHORTEST = 16
#: Called with how many styles have been read, and of how many.
Progress = Callable[[int, int], None]
#: Changes a painting `(1, 3, H, W)`, of which positions count by the weights `(1, 1, H, W)`; all alike if None.
Prepare = Callable[[Tensor, Tensor | None], Tensor]
#: Of the pixels of one flat color of a map, how many must lie within it: 1/3 do in a line of 3 pixels, none in edges.
COMPACT = 0.15
#: Distance of two colors of a map below which patches do not tell them apart: numbers of labels, for instance.
ALIKE = 0.05


def unchanged(picture: Tensor, weights: Tensor | None = None) -> Tensor:
    """The picture itself."""
    return picture


@dataclass(frozen=True)
class StyleImage:
    """One painting.

    Attributes:
        picture: `(1, 3, H, W)`, RGB, [0, 1], with the opacity `(1, 4, H, W)`, or what reads it when it is wanted (a
            folder need not fit in memory).
        share: of the styles of its region; shares are normalized.
        mask: which part of it counts, `(1, 1, h, w)` in [0, 1]; all that is opaque if None.
        guide: its semantic map, `(1, K, h, w)` in [0, 1].
        name: for errors.
        look: its style vector `(1, P)` for a network, if it has been described before.
    """

    picture: Tensor | Callable[[], Tensor]
    share: float = 1.0
    mask: Tensor | None = None
    guide: Tensor | None = None
    name: str = "style"
    look: Tensor | None = None

    def pixels(self) -> Tensor:
        """The painting without its opacity, `(1, 3, H, W)`."""
        return split_alpha(self._read())[0]

    def _read(self) -> Tensor:
        return self.picture if isinstance(self.picture, Tensor) else self.picture()

    def opened(self, prepare: Prepare = unchanged, long_side: int | None = None) -> StyleImage:
        """With the picture read, brought to `long_side` pixels if given, and prepared; its opacity joins the mask.

        Raises:
            InputError: if nothing of it counts.
        """
        picture = self._read()
        picture, alpha = split_alpha(picture if long_side is None else scaled(picture, long_side))
        mask = times(alpha, self.mask)
        if mask is not None and float(mask.max()) < 1e-3:
            raise InputError(f"nothing of the {self.name} counts: it is transparent everywhere, or its mask is black")
        return replace(self, picture=prepare(picture, alpha), mask=mask)


def all_gray(content: Tensor | None, regions: Sequence[Region], prepare: Prepare = unchanged) -> bool:
    """Whether every painting, its colors prepared, is gray, and the content if there is one."""
    styles = [s for r in regions for s in r.styles]
    seen = content is None or is_gray(content)
    return bool(styles) and seen and all(is_gray(s.opened(prepare).pixels()) for s in styles)


def split_alpha(picture: Tensor) -> tuple[Tensor, Tensor | None]:
    """Colors `(1, 3, H, W)` and opacity `(1, 1, H, W)` of a picture of 3 or 4 channels; None if it has 3."""
    return (picture[:, :3], picture[:, 3:]) if picture.shape[1] == 4 else (picture, None)


def opaque_box(alpha: Tensor, margin: int = 0) -> tuple[slice, slice]:
    """Rows and columns of the smallest box with all that is more than half opaque, and `margin` pixels around it.

    Args:
        alpha: opacity, `(1, 1, H, W)`.
    """
    seen = alpha[0, 0] > min(0.5, 0.99 * float(alpha.max()))
    sides = []
    for line in (seen.any(1), seen.any(0)):
        places = line.nonzero()
        first, last = (int(places.min()), int(places.max())) if len(places) else (0, len(line) - 1)
        sides.append(slice(max(0, first - margin), last + 1 + margin))
    return sides[0], sides[1]


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
            raise InputError(f"mask {number} is empty (black or transparent everywhere); paint the region white")
        soft.append(blur(mask, feather * max(mask.shape[-2:])))
    total = torch.stack(soft).sum(0).clamp_min(1)
    return [mask / total for mask in soft]


def segments(guide: Tensor, others: Sequence[Tensor]) -> list[list[Tensor]]:
    """Semantic maps as masks: the colors that they share are classes.

    Classes are the flat colors of `guide`; where it has none (a photograph of a drawing), its most frequent ones. A
    flat color of another map belongs to the class of its own color, or else to the nearest one that this map lacks.
    Every other pixel belongs to the nearest flat color of its map.

    Args:
        guide: `(1, K, h, w)`; the map of the picture.
        others: the maps of the styles.

    Returns:
        For each class the masks `(1, 1, h, w)` in `guide` and in each of `others`; only classes present in `guide`.
    """
    palette = flat_colors(guide)
    rare = 0.0
    if not len(palette):
        palette, rare = _frequent_colors(guide), 0.002 * guide[0, 0].numel()  # a blurred edge is no class
    labels = [_labels(m, palette) for m in (guide, *others)]
    return [[(m == k).to(guide) for m in labels] for k in range(len(palette)) if (labels[0] == k).sum() > rare]


def flat_colors(guide: Tensor) -> Tensor:
    """The colors `(n, K)` of which a map `(1, K, h, w)` has flat parts, most frequent first; none if most of it is not
    flat. Blends at edges and noise of JPEG beside them are not among them."""
    codes, colors = _coded(guide)
    flat = _flat(codes, colors)
    return colors[flat] if torch.isin(codes, flat).float().mean() > 0.5 else colors[:0]


def _coded(guide: Tensor) -> tuple[Tensor, Tensor]:
    """The number of each pixel's color, `(h, w)`, and the colors, `(n, K)`, to 16 bits, in double precision."""
    levels = (guide[0].cpu().double() * 65535).round().long().flatten(1)
    codes = torch.zeros_like(levels[0])
    for channel in levels:
        runs, place = torch.unique_consecutive(codes * 65536 + channel, return_inverse=True)
        codes = torch.unique(runs, return_inverse=True)[1][place]
    one = codes.new_zeros(int(codes.max()) + 1).scatter(0, codes, torch.arange(len(codes)))  # a pixel of each color
    return codes.view(guide.shape[2:]), levels[:, one].T.double() / 65535


def _flat(codes: Tensor, colors: Tensor) -> Tensor:
    """The numbers of flat colors, most frequent first."""
    (height, width), middle = codes.shape, codes[1:-1, 1:-1]
    within = torch.ones_like(middle, dtype=torch.bool)  # all eight neighbors are of one color
    for i, j in itertools.product(range(3), range(3)):
        within &= codes[i : height - 2 + i, j : width - 2 + j] == middle
    counts = codes.flatten().bincount()
    inner = middle[within].bincount(minlength=len(counts))
    order = counts.argsort(descending=True, stable=True)
    flat = order[((inner >= max(1.0, 1e-4 * codes.numel())) & (inner > COMPACT * counts))[order]]
    noise = torch.cdist(colors, colors[flat]).amin(1) < ALIKE if len(flat) else inner < 0
    noise[flat] = False
    if counts[noise].sum() < 0.03 * codes.numel():
        return flat
    # JPEG: its flat blocks may be noise, too, if they are few beside those of a color nearby.
    apart = torch.cdist(colors[flat], colors[flat]) > 0.1 * math.sqrt(colors.shape[1])
    apart |= counts[flat][:, None] > 0.05 * counts[flat]
    return flat[[bool(apart[i, :i].all()) for i in range(len(flat))]]


def _frequent_colors(guide: Tensor, most: int = 12) -> Tensor:
    """The most frequent colors `(n, K)` of a map, skipping what is within a tenth of one that was taken."""
    small = F.interpolate(guide, size=(min(64, guide.shape[2]), min(64, guide.shape[3])), mode="nearest")
    colors, counts = torch.unique((small[0].flatten(1).T * 32).round(), dim=0, return_counts=True)
    chosen: list[Tensor] = []
    for color in colors[counts.argsort(descending=True)] / 32:
        if len(chosen) < most and all((color - c).norm() > 0.1 * math.sqrt(len(color)) for c in chosen):
            chosen.append(color)
    return torch.stack(chosen).cpu().double()


def _labels(guide: Tensor, palette: Tensor) -> Tensor:
    """The class of each pixel of a map, `(1, 1, h, w)`: the number of a color of `palette`, or -1."""
    codes, colors = _coded(guide)
    flat = _flat(codes, colors)
    own = colors[flat] if len(flat) else palette
    distances, classes = torch.cdist(own, palette).min(1)
    exact = distances < 1e-6
    classes = torch.where(~exact & torch.isin(classes, classes[exact]), -1, classes)
    return classes[torch.cdist(colors, own).argmin(1)][codes][None, None].to(guide.device)


def labeled(regions: Sequence[Region], guide: Tensor) -> tuple[list[Region], Tensor]:
    """Regions and map for patches: where flat colors are too alike to tell patches apart (numbers of labels), maps with
    a channel for each class, else as they are."""
    palette = flat_colors(guide)
    if len(palette) < 2 or torch.pdist(palette).min() > ALIKE:
        return list(regions), guide
    maps = [s.guide for r in regions for s in r.styles if s.guide is not None]
    ours, *theirs = [torch.cat(masks, 1) for masks in zip(*segments(guide, maps), strict=True)]
    rest = iter(theirs)
    return [
        replace(r, styles=[s if s.guide is None else replace(s, guide=next(rest)) for s in r.styles]) for r in regions
    ], ours


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
                seen = None if part is None else times(style.opened().mask, part)
                usable = seen is not None and seen.mean() > 1e-3
                styles.append(replace(style, mask=times(style.mask, part) if usable else style.mask, guide=None))
            found.append(Region(styles, times(region.mask, ours)))
    return found


def check_shares(styles: Sequence[StyleImage]) -> list[float]:
    """The shares of the styles of a region.

    Raises:
        InputError: if one is negative, or their sum is not positive and finite.
    """
    shares = [s.share for s in styles]
    if not (min(shares) >= 0 and 0 < sum(shares) < math.inf):
        shown = ", ".join(f"{s:g}" for s in shares)
        raise InputError(f"the blend is {shown}; give it weights of at least 0, and one above 0")
    return shares


def room(jitter: int, size: tuple[int, int]) -> int:
    """The jitter that a picture of `(H, W)` has room for: what is not cut off has to be read, too, and fills the rest
    in a mirror."""
    return min(jitter, max(0, 2 * (min(size) - SHORTEST)), min(size) - 1)


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


def times(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """The product of two masks, at the size of the first; None is 1 everywhere."""
    if a is None or b is None:
        return b if a is None else a
    return a * sized_as(a, b)


def sized_as(a: Tensor, b: Tensor) -> Tensor:
    """`b` at the height and width of `a`."""
    return lanczos(b, (int(a.shape[-2]), int(a.shape[-1])))
