"""In one pass: a trained network instead of an optimization (Johnson et al. 2016; Dumoulin et al. 2017)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from impasto.color import chroma, luma, luma_range
from impasto.errors import InputError
from impasto.features import resolve_precision
from impasto.features.precision import Precision
from impasto.methods.gatys import divided, recolor
from impasto.methods.styles import Progress, Region, StyleImage, by_segment, check_sides, scaled, scaled_size
from impasto.networks.conditioning import Generator
from impasto.networks.models import PACKAGED, UPSCALE, Model, load_model, packaged_model
from impasto.networks.tiles import pieces
from impasto.settings import StylizeSettings

#: From pictures and a style vector to pictures in [0, 1]: a `Model`, or what another runtime makes of one.
Run = Callable[[Tensor, Tensor], Tensor]
#: Long side at which paintings are described: the size of the training.
STYLE_SIDE = 512


@dataclass(frozen=True)
class Painter:
    """What paints in one pass.

    Attributes:
        model: that gives the vectors.
        run: what computes the generator; the model itself if None.
        precision: of the generator's maps, `fp32` or `bf16`; statistics of the whole and colors are float32.
        max_memory: bytes that the process may take; what needs more is painted in tiles. None for no limit.
    """

    model: Model
    run: Run | None = None
    precision: Precision = "fp32"
    max_memory: float | None = None

    def __call__(self, images: Tensor, style: Tensor, progress: Progress = lambda done, total: None) -> Tensor:
        """A picture `(B, 3, H, W)` in [0, 1]; the model tells `progress` after each tile of a very large one."""
        if self.run is not None:
            return self.run(images, style)
        with self._autocast(images.device):
            return self.model(images, style, progress, self.max_memory).to(images.dtype)

    def describe(self, painting: Tensor, mask: Tensor | None = None) -> Tensor:
        """The style vector `(B, P)` of paintings `(B, 3, H, W)`; see `Model.predict`."""
        with self._autocast(painting.device):
            return self.model.predict(painting, mask)

    def _autocast(self, device: torch.device) -> torch.autocast:
        return torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bf16")


def open_model(model: str | os.PathLike[str] | Model | None = None) -> Model:
    """A model: itself, the path of its file, or the name of a packaged one; `any`, for every painting, if not given.

    Raises:
        WeightsError: if the file is no model, or is damaged.
    """
    if isinstance(model, Model):
        return model
    return packaged_model(str(model or "any")) if model is None or str(model) in PACKAGED else load_model(model)


def open_painter(
    model: str | os.PathLike[str] | Model | None = None,
    device: str = "cpu",
    precision: str = "auto",
    max_memory: float | None = None,
) -> Painter:
    """A painter ready to use.

    Args:
        model: as for `open_model`.
        device: where to compute, as torch names it.
        precision: see `impasto.features.resolve_precision`.
        max_memory: see `Painter`.

    Raises:
        WeightsError: if the file is no model, or is damaged.
        InputError: if the model does not paint, or there is no such precision.
    """
    opened = open_model(model)
    if opened.kind == UPSCALE:
        raise InputError("this model enlarges pictures and paints none; use impasto upscale")
    return Painter(opened.to(device), None, resolve_precision(precision, device), max_memory)


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
        InputError: if a picture, a style or a setting cannot be used, or the picture does not fit into the painter's
            memory.
    """
    if not 0 <= strength <= 1:
        raise InputError(f"strength is {strength:g}; it must be between 0, the content, and 1, the style")
    if painter.max_memory is not None:
        given, size = 4.0 * content.numel(), scaled_size(content, settings.size)
        pieces(cast(Generator, painter.model.generator), size, painter.max_memory, given)
        painter = replace(painter, max_memory=painter.max_memory - given)
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
