"""In one pass: a trained network instead of an optimization (Johnson et al. 2016; Dumoulin et al. 2017)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from impasto.errors import InputError
from impasto.methods.growth import HELD, grown, passes
from impasto.methods.regions import (
    Prepare,
    Progress,
    Region,
    StyleImage,
    all_gray,
    by_segment,
    check_shares,
    check_sides,
    opaque_box,
    scaled,
    scaled_size,
    unchanged,
)
from impasto.methods.settings import StylizeSettings
from impasto.methods.stylize import divided, recolor, visible
from impasto.networks.painter import Painter as Painter
from impasto.networks.painter import open_model as open_model
from impasto.networks.painter import open_painter as open_painter
from impasto.networks.quarter import color_gaussian
from impasto.networks.tiles import pieces
from impasto.pictures.color import chroma, luma, luma_range, with_colors
from impasto.pictures.resample import lanczos

#: Long side at which paintings are described: the size of the training.
STYLE_SIDE = 512
#: Pixels that are painted around what is opaque.
MARGIN = 16


def painting_vector(painter: Painter, styles: Sequence[StyleImage], prepare: Prepare = unchanged) -> Tensor:
    """The style vector `(1, P)` of paintings mixed by their shares.

    Args:
        painter: for any style.
        styles: at least one.
        prepare: applied to each painting first, such as to its colors.
    """
    shares, vectors = check_shares(styles), []
    for style in styles:
        if style.look is not None:
            vectors.append(style.look)
            continue
        opened = style.opened(prepare, STYLE_SIDE)
        picture = opened.pixels()
        check_sides(style.name, picture, picture)
        vectors.append(painter.describe(picture, opened.mask))
    weights = torch.tensor(shares).to(vectors[0])[:, None] / sum(shares)
    return (torch.cat(vectors) * weights).sum(0, keepdim=True)


@torch.inference_mode()
def instant(
    painter: Painter,
    content: Tensor,
    styles: Sequence[Region] | Tensor,
    settings: StylizeSettings,
    *,
    strength: float = 1.0,
    guide: Tensor | None = None,
    progress: Progress = lambda done, total: None,
    grow: bool = True,
) -> Tensor:
    """`content` painted in one pass, `(1, 3, H, W)`, RGB, [0, 1].

    Args:
        painter: the network.
        content: `(1, 3, H, W)`, RGB, [0, 1]; with an opacity, `(1, 4, H, W)`, only the opaque part is painted.
        styles: paintings by region, as in optimization, or a style vector `(1, P)`, from `Model.blended` or
            `painting_vector`.
        settings: its size, color and feather count.
        strength: from 0, the content, to 1, the style: vectors between the content's own and the style's, or pictures
            where a model paints in its own styles only.
        guide: the content's semantic map.
        progress: told after each tile of a very large picture (`impasto.networks.tiles`).
        grow: a large picture has large strokes (`impasto.methods.growth`), in up to twice the time. A painter that
            holds its statistics knows those of one size only.

    Raises:
        InputError: if a picture, a style or a setting cannot be used, or the picture does not fit into the painter's
            memory.
    """
    if not 0 <= strength <= 1:
        raise InputError(f"strength is {strength:g}; it must be between 0, the content, and 1, the style")
    size = scaled_size(content, settings.size)
    grow = grow and len(passes(size, max(size))) > 1
    if painter.max_memory is not None:
        given = 4.0 * content.numel() + (HELD * math.prod(size) if grow else 0)
        pieces(painter.model.generator, size, painter.max_memory, given)
        painter = replace(painter, max_memory=painter.max_memory - given)
    colors, alpha = visible(content)
    picture, gray = scaled(colors, settings.size), False
    if isinstance(styles, Tensor):
        regions: list[tuple[Tensor | None, Tensor]] = [(None, styles)]
        untouched = None
    else:
        found = by_segment(styles, guide) if guide is not None else styles
        parts, untouched = divided(found, settings, picture)
        prepare = recolor(settings, colors, alpha)
        regions = [(r.mask, painting_vector(painter, r.styles, prepare)) for r in parts]
        gray = all_gray(colors, parts, prepare)
    own = None
    if strength < 1 and painter.model.any_style:
        own = painting_vector(painter, [StyleImage(content)])
    box = (slice(None), slice(None)) if alpha is None else opaque_box(scaled(alpha, settings.size), MARGIN)
    result = torch.zeros_like(picture) if untouched is None else picture * untouched
    for mask, vector in regions:
        painted, part = picture.clone(), picture[..., *box]
        place = (int(part.shape[2]), int(part.shape[3]))
        sizes = passes(place, max(size)) if grow else [place]
        look = vector if own is None else torch.lerp(own, vector, strength)
        painted[..., *box] = grown(painter, part, look, sizes, progress)
        if settings.color == "painting" and strength == 1 and not gray:
            painted = with_own_colors(painter, painted, vector, alpha if mask is None else mask)
        result = result + (painted if mask is None else painted * mask)
    if own is None or strength < 0.25:
        # A network only comes near to the content itself: the last of the way goes through pictures.
        result = torch.lerp(picture, result, strength if own is None else 4 * strength)
    if settings.color == "content-luminance":
        return with_chroma(result, picture)
    return luma(result).expand(-1, 3, -1, -1) if gray else result


def with_own_colors(painter: Painter, painted: Tensor, vector: Tensor, weights: Tensor | None) -> Tensor:
    """`painted` with the mean and covariance of colors that a vector `(1, P)` has, which clipping moves; as it is where
    a vector is learnt, and does not say."""
    generator = painter.model.generator
    if not painter.model.any_style or len(range(generator.style_size)[generator.colors]) == 0:
        return painted
    size = (int(painted.shape[-2]), int(painted.shape[-1]))
    counts = None if weights is None else lanczos(weights.to(painted), size).clamp(0, 1)
    return with_colors(painted, color_gaussian(vector[:, generator.colors]), counts)


def with_chroma(result: Tensor, content: Tensor) -> Tensor:
    """`result`'s luma with `content`'s chroma, kept where nothing is clipped; `(1, 3, H, W)` both."""
    colors = chroma(content)
    least, most = luma_range(colors)
    return luma(result).maximum(least).minimum(most) + colors
