"""From what a user gives (paths, arrays, masks, maps) to the regions and styles that methods take."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeGuard

from torch import Tensor

from impasto.errors import InputError
from impasto.features.weights import cache_folder
from impasto.media import pictures_in, read_image
from impasto.media.image import Source
from impasto.methods.instant import instant, open_painter
from impasto.methods.styles import Region, StyleImage
from impasto.settings import STARTS, StylizeSettings


def statistics_folder() -> Path:
    """Where statistics of paintings are kept: `statistics` beside the weights' folder."""
    return cache_folder().parent / "statistics"


@dataclass(frozen=True)
class Scene:
    """The styles of a picture and where they go.

    Attributes:
        styles: paintings; a folder is one style, the average of its pictures.
        blend: a weight for each style; equal ones if empty.
        masks: pairs of a mask of the content and the number of a style, from 1; 0 leaves the region as it is.
        style_masks: number of a style -> which part of the painting counts.
        semantic: semantic maps of the content and of each style, in order; none if empty.
        device: where tensors go.
        notice: told, in a sentence, what was changed to make things fit.
    """

    styles: Sequence[Source]
    blend: Sequence[float] = ()
    masks: Sequence[tuple[Source, int]] = ()
    style_masks: Mapping[int, Source] = field(default_factory=dict)
    semantic: Sequence[Source] = ()
    device: str = "cpu"
    notice: Callable[[str], None] = lambda text: None

    def regions(self, content: Tensor | None) -> list[Region]:
        """The regions, for a content `(1, 3, H, W)`.

        Raises:
            InputError: if the numbers of things do not fit, or one cannot be read.
        """
        self._check()
        groups = [self._group(number) for number in range(1, len(self.styles) + 1)]
        if not self.masks:
            return [Region([s for g in groups for s in g])]
        by_style: dict[int, Tensor] = {}
        for source, number in self.masks:
            mask = self._mask(source, content)
            by_style[number] = mask if number not in by_style else by_style[number].maximum(mask)
        regions = [Region(groups[n - 1] if n else [], mask) for n, mask in by_style.items()]
        free = [s for n, g in enumerate(groups, 1) if n not in by_style for s in g]
        return [*regions, Region(free)] if free else regions

    def guide(self) -> Tensor | None:
        """The content's semantic map, `(1, 3, h, w)`."""
        return read_image(self.semantic[0]).pixels.to(self.device) if self.semantic else None

    def first(self, content: Tensor | None, regions: Sequence[Region], settings: StylizeSettings) -> Tensor | None:
        """The picture that an optimization begins with, where `settings.init` is `instant` or the path of a picture or
        of a trained network.

        Args:
            content: `(1, 3, H, W)`, RGB, [0, 1], if there is one.
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
        return None if settings.init in STARTS else self._pixels(settings.init)

    def _shares(self, known: Collection[str]) -> dict[str, float]:
        """Of a network's styles: its only one, or those that are called as the paintings."""
        if len(known) == 1:
            return dict.fromkeys(known, 1.0)
        names = [Path(s).stem if isinstance(s, str | os.PathLike) else "" for s in self.styles]
        found: dict[str, float] = {}
        for name, share in zip(names, self.blend or [1.0] * len(names), strict=True):
            found[name] = found.get(name, 0.0) + share
        return found

    def files(self) -> dict[str, str]:
        """Role -> path of every file that is read, for a report."""
        found: dict[str, object] = {}
        for number, style in enumerate(self.styles, 1):
            role = "style" if len(self.styles) == 1 else f"style {number}"
            found |= (
                {f"{role}: {p.name}": p for p in pictures_in(style, recursive=False)}
                if _is_folder(style)
                else {role: style}
            )
        found |= {f"mask {i}": source for i, (source, _) in enumerate(self.masks, 1)}
        found |= {f"mask of style {n}": source for n, source in self.style_masks.items()}
        found |= {f"semantic map {i}": source for i, source in enumerate(self.semantic)}
        return {role: str(p) for role, p in found.items() if isinstance(p, str | os.PathLike)}

    def _check(self) -> None:
        count = len(self.styles)
        if not count:
            raise InputError("there is no style; give a painting or a folder of paintings")
        if self.blend and len(self.blend) != count:
            raise InputError(f"the blend has {len(self.blend)} weights for {count} styles; give one for each")
        for what, numbers, least in (
            ("mask", [n for _, n in self.masks], 0),
            ("style mask", list(self.style_masks), 1),
        ):
            for number in numbers:
                if not least <= number <= count:
                    raise InputError(f"a {what} is for style {number}, but the styles are numbered 1 to {count}")
        if self.semantic and len(self.semantic) != count + 1:
            raise InputError(
                f"there are {len(self.semantic)} semantic maps for the content and {count} styles; "
                "give the content's and one for each style"
            )

    def _group(self, number: int) -> list[StyleImage]:
        """The paintings of a style: one, or those of a folder, which share its weight."""
        source = self.styles[number - 1]
        share = self.blend[number - 1] if self.blend else 1.0
        if _is_folder(source):
            paths = pictures_in(source, recursive=False, notice=self.notice)
            return [StyleImage(lambda p=p: self._pixels(p), share / len(paths)) for p in paths]  # type: ignore[misc]
        mask = self.style_masks.get(number)
        picture = self._pixels(source)
        return [
            StyleImage(
                picture,
                share,
                None if mask is None else self._mask(mask, picture),
                self._pixels(self.semantic[number]) if self.semantic else None,
            )
        ]

    def _pixels(self, source: Source) -> Tensor:
        return read_image(source).pixels.to(self.device)

    def _mask(self, source: Source, picture: Tensor | None) -> Tensor:
        """A mask's gray, `(1, 1, h, w)`; another size than the picture's is said, since it will be resized."""
        mask = self._pixels(source).mean(1, keepdim=True)
        if picture is not None and mask.shape[-2:] != picture.shape[-2:]:
            (h, w), (height, width) = mask.shape[-2:], picture.shape[-2:]
            name = source if isinstance(source, str | os.PathLike) else "a mask"
            self.notice(f"{name} is {w}x{h} pixels and its picture {width}x{height}: the mask is resized")
        return mask


def _is_folder(source: Source) -> TypeGuard[str | os.PathLike[str]]:
    return isinstance(source, str | os.PathLike) and Path(source).is_dir()
