"""In one pass: a trained network instead of an optimization (Johnson et al. 2016; Dumoulin et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from impasto.color import chroma, luma, luma_range
from impasto.errors import InputError
from impasto.methods.gatys import divided, recolor
from impasto.methods.styles import Progress, Region, StyleImage, by_segment, check_sides, scaled
from impasto.networks.painter import Painter as Painter
from impasto.networks.painter import open_model as open_model
from impasto.networks.painter import open_painter as open_painter
from impasto.settings import StylizeSettings

#: Long side at which paintings are described: the size of the training.
STYLE_SIDE = 512


def painting_vector(
    painter: Painter, styles: Sequence[StyleImage], prepare: Callable[[Tensor], Tensor] = lambda x: x
) -> Tensor:
    """The style vector `(1, P)` of paintings mixed by their shares.

    Args:
        painter: for any style.
        styles: at least one.
        prepare: applied to each painting first, such as to its colors.
    """
    shares = [s.share for s in styles]
    if not (min(shares) >= 0 and sum(shares) > 0):
        raise InputError(f"the blend {', '.join(f'{s:g}' for s in shares)} sums to {sum(shares):g}; give it weights")
    vectors = []
    for style in styles:
        picture = scaled(style.pixels(), STYLE_SIDE)
        check_sides("style", picture, picture)
        vectors.append(painter.describe(prepare(picture), style.mask))
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
) -> Tensor:
    """`content` painted in one pass, `(1, 3, H, W)`, RGB, [0, 1].

    Args:
        painter: the network.
        content: `(1, 3, H, W)`, RGB, [0, 1].
        styles: paintings by region, as in optimization, or a style vector `(1, P)`, from `Model.blended` or
            `painting_vector`.
        settings: its size, color and feather count.
        strength: from 0, the content, to 1, the style: vectors between the content's own and the style's, or pictures
            where a model paints in its own styles only.
        guide: the content's semantic map.
        progress: told after each tile of a very large picture (`impasto.networks.tiles`).

    Raises:
        InputError: if a picture, a style or a setting cannot be used.
    """
    if not 0 <= strength <= 1:
        raise InputError(f"strength is {strength:g}; it must be between 0, the content, and 1, the style")
    picture = scaled(content, settings.size)
    if isinstance(styles, Tensor):
        regions: list[tuple[Tensor | None, Tensor]] = [(None, styles)]
        untouched = None
    else:
        found = by_segment(styles, guide) if guide is not None else styles
        parts, untouched = divided(found, settings, picture)
        prepare = recolor(settings, content)
        regions = [(r.mask, painting_vector(painter, r.styles, prepare)) for r in parts]
    own = None
    if strength < 1 and painter.model.any_style:
        own = painting_vector(painter, [StyleImage(content)])
    result = torch.zeros_like(picture) if untouched is None else picture * untouched
    for mask, vector in regions:
        painted = painter(picture, vector if own is None else torch.lerp(own, vector, strength), progress)
        result = result + (painted if mask is None else painted * mask)
    if own is None or strength < 0.25:
        # A network only comes near to the content itself: the last of the way goes through pictures.
        result = torch.lerp(picture, result, strength if own is None else 4 * strength)
    return with_chroma(result, picture) if settings.color == "content-luminance" else result


def with_chroma(result: Tensor, content: Tensor) -> Tensor:
    """`result`'s luma with `content`'s chroma, kept where nothing is clipped; `(1, 3, H, W)` both."""
    colors = chroma(content)
    least, most = luma_range(colors)
    return luma(result).maximum(least).minimum(most) + colors
