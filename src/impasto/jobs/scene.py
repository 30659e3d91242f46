"""From what a user gives (paths, arrays, masks, maps) to the regions and styles that methods take."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from impasto.errors import InputError
from impasto.media import pictures_in, read_image
from impasto.media.image import Source
from impasto.methods.instant import Painter, instant, open_painter, painting_vector
from impasto.methods.regions import Prepare, Region, StyleImage, flat_colors, sized_as, unchanged
from impasto.methods.settings import STARTS, StylizeSettings

#: Brightest value of a mask that is taken for a mask of 0 and 1, or for numbers of labels.
NEARLY_BLACK = 16 / 255


@dataclass(frozen=True)
class Scene:
    """The styles of a picture and where they go.

    Attributes:
        styles: paintings; a folder is one style, the average of its pictures.
        blend: a weight for each style; equal ones if empty.
        masks: pairs of a mask of the content and the number of a style, from 1; 0 leaves the region as it is.
        style_masks: pairs of a mask of a painting, which says what part of it counts, and the number of its style.
        semantic: semantic maps of the content and of each style, in order; none if empty.
        device: where tensors go.
        notice: told, in a sentence, what was changed to make things fit.
        looks: a style vector for each style, if they have been described before.
    """

    styles: Sequence[Source]
    blend: Sequence[float] = ()
    masks: Sequence[tuple[Source, int]] = ()
    style_masks: Sequence[tuple[Source, int]] = ()
    semantic: Sequence[Source] = ()
    device: str = "cpu"
    notice: Callable[[str], None] = lambda text: None
    looks: Sequence[Tensor] = ()

    def regions(self, content: Tensor | None) -> list[Region]:
        """The regions, for a content `(1, 3 or 4, H, W)`.

        Raises:
            InputError: if the numbers of things do not fit, or one cannot be read.
        """
        self._check()
        groups = [self._group(number) for number in range(1, len(self.styles) + 1)]
        if not self.masks:
            return [Region([s for g in groups for s in g])]
        by_style = self._united(self.masks, "mask", content)
        for number in [n for n, mask in by_style.items() if mask.min() > 0.99]:
            alone = ": nothing is painted" if len(by_style) == 1 else ""
            self.notice(
                f"the masks give style {number} the whole picture" if number else f"the masks protect everything{alone}"
            )
        regions = [Region(groups[n - 1] if n else [], mask) for n, mask in by_style.items()]
        free = [s for n, g in enumerate(groups, 1) if n not in by_style for s in g]
        return [*regions, Region(free)] if free else regions

    def described(self, painter: Painter, prepare: Prepare = unchanged) -> list[Tensor]:
        """A look `(1, P)` for each style, by a network for any style: what is dear of a painting, once."""
        alone = replace(self, blend=(), semantic=(), looks=())
        return [painting_vector(painter, alone._group(n), prepare) for n in range(1, len(self.styles) + 1)]

    def guide(self) -> Tensor | None:
        """The content's semantic map, `(1, 3, h, w)`."""
        return self._maps[0] if self.semantic else None

    def first(self, content: Tensor | None, regions: Sequence[Region], settings: StylizeSettings) -> Tensor | None:
        """The picture that an optimization begins with, where `settings.init` is `instant` or the path of a picture or
        of a trained network.

        Args:
            content: `(1, 3 or 4, H, W)`, RGB and opacity, [0, 1], if there is one.
            regions: that `regions` gave for it.
            settings: of the optimization.

        Raises:
            InputError: if there is no content for a network, no such picture, or the network knows no such style.
            WeightsError: if the network's file is damaged.
        """
        if settings.init == "instant" or settings.init.lower().endswith(".safetensors"):
            if content is None:
                raise InputError(f"init is {settings.init!r}, which needs a photograph to begin with")
            name = None if settings.init == "instant" else settings.init
            painter = open_painter(name, self.device, settings.precision)
            if painter.model.any_style:
                return instant(painter, content, regions, settings, guide=self.guide())
            return instant(painter, content, painter.model.blended(self._shares(painter.model.styles)), settings)
        return None if settings.init in STARTS else read_image(settings.init).pixels.to(self.device)

    def _shares(self, known: Collection[str]) -> dict[str, float]:
        """Of a network's styles: its only one, or those that are called as the paintings."""
        if len(known) == 1:
            return dict.fromkeys(known, 1.0)
        names = [Path(s).stem if isinstance(s, str | os.PathLike) else "" for s in self.styles]
        found: dict[str, float] = {}
        for name, share in zip(names, self.blend or [1.0] * len(names), strict=True):
            found[name] = found.get(name, 0.0) + share
        return found

    def _check(self) -> None:
        count = len(self.styles)
        if not count:
            raise InputError("there is no style; give a painting or a folder of paintings")
        if self.blend and len(self.blend) != count:
            raise InputError(f"the blend has {len(self.blend)} weights for {count} styles; give one for each")
        for what, numbers, least in (
            ("mask", [n for _, n in self.masks], 0),
            ("style mask", [n for _, n in self.style_masks], 1),
        ):
            for number in numbers:
                if not least <= number <= count:
                    raise InputError(f"a {what} is for style {number}, but the styles are numbered {least} to {count}")
        for _, number in self.style_masks:
            if _pictures(self.styles[number - 1]):
                raise InputError(f"style {number} is a folder, which takes no style mask: give a painting of it alone")
        if self.semantic and len(self.semantic) != count + 1:
            raise InputError(
                f"there are {len(self.semantic)} semantic maps for the content and {count} styles; "
                "give the content's and one for each style"
            )

    def _group(self, number: int) -> list[StyleImage]:
        """The paintings of a style: one, or those of a folder, which share its weight."""
        source, share = self.styles[number - 1], self.blend[number - 1] if self.blend else 1.0
        look = self.looks[number - 1] if self.looks else None
        if files := _pictures(source):
            return [
                StyleImage(lambda f=f: self._painting(f), share / len(files), name=f"style {f.name}", look=look)  # type: ignore[misc]
                for f in files
            ]
        if look is not None:
            return [StyleImage(lambda: self._painting(source), share, look=look)]
        picture, path = self._painting(source), _path(source)
        masks = self._united([pair for pair in self.style_masks if pair[1] == number], "style mask", picture)
        guide = self._maps[number] if self.semantic else None
        name = "style" if len(self.styles) == 1 else f"style {path.name if path else number}"
        style = StyleImage(picture, share, masks.get(number), guide, name)
        style.opened()  # refused now, if nothing of it counts
        return [style]

    def _painting(self, source: Source) -> Tensor:
        """`(1, 3, H, W)`, with its opacity `(1, 4, H, W)`."""
        return read_image(source).channels.to(self.device)

    def _united(self, masks: Sequence[tuple[Source, int]], role: str, picture: Tensor | None) -> dict[int, Tensor]:
        """Number of a style -> the maximum of its masks."""
        found: dict[int, Tensor] = {}
        for count, (source, number) in enumerate(masks, 1):
            mask = self._mask(source, f"{role} {count if role == 'mask' else f'of style {number}'}", picture)
            before = found.get(number, mask)
            found[number] = before.maximum(sized_as(before, mask))
        return found

    def _mask(self, source: Source, role: str, picture: Tensor | None) -> Tensor:
        """Gray times opacity, `(1, 1, h, w)`; another size than the picture's is said, since it will be resized."""
        read = read_image(source)
        mask = read.pixels.mean(1, keepdim=True).to(self.device)
        if read.alpha is not None:
            mask = mask * read.alpha.to(self.device)
        most = float(mask.max())
        if most == 0:
            raise InputError(f"{role} is empty (black or transparent everywhere); paint the region white")
        if most < NEARLY_BLACK:
            raise InputError(
                f"{role} is nearly black: its brightest value is {255 * most:.3g} of 255; "
                f"multiply its values by {1 / most:.0f}, so that the region is white"
            )
        if picture is not None and mask.shape[-2:] != picture.shape[-2:]:
            (h, w), (height, width) = mask.shape[-2:], picture.shape[-2:]
            self.notice(
                f"{_path(source) or 'a mask'} is {w}x{h} pixels and its picture {width}x{height}: the mask is resized"
            )
        return mask

    @cached_property
    def _maps(self) -> list[Tensor]:
        """Semantic maps `(1, 3, h, w)`; what is transparent in them has a color of its own: it is a class."""
        read = [read_image(source) for source in self.semantic]
        maps = [p.pixels.to(self.device) for p in read]
        if any(p.alpha is not None for p in read):
            hidden = _unlike(maps)
            alphas = [torch.ones(1) if p.alpha is None else p.alpha for p in read]
            maps = [torch.where(a.to(m) < 0.5, hidden.to(m), m) for m, a in zip(maps, alphas, strict=True)]
        for number, found in enumerate(maps):
            if len(flat_colors(found)) == 1:
                of = f"style {number}" if number else "the content"
                self.notice(f"the semantic map of {of} has one color only, so it tells no parts apart")
        return maps


def _unlike(maps: Sequence[Tensor]) -> Tensor:
    """The color, `(3, 1, 1)`, that is farthest from those of all maps."""
    colors = torch.cat([torch.unique(m.cpu()[0].flatten(1).T, dim=0) for m in maps])
    candidates = torch.cartesian_prod(*[torch.tensor([0.0, 0.5, 1.0])] * 3)
    return candidates[torch.cdist(candidates, colors).amin(1).argmax()].view(3, 1, 1)


def _path(source: Source) -> Path | None:
    return Path(source) if isinstance(source, str | os.PathLike) else None


def _pictures(source: Source) -> list[Path]:
    """The pictures of a folder; none if it is not one."""
    folder = _path(source)
    return pictures_in(folder, recursive=False) if folder is not None and folder.is_dir() else []
