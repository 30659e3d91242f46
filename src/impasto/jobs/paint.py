"""One pass of a network instead of an optimization: `stylize --quality instant`."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from impasto.errors import InputError
from impasto.jobs.live import Live
from impasto.jobs.records import Note, Progress, Record, Tell
from impasto.jobs.report import manifest
from impasto.jobs.result import Result
from impasto.jobs.running import fitted, memory_limit, resolved, written
from impasto.jobs.stylize import Stylize
from impasto.media import Picture, read_image
from impasto.methods.growth import passes
from impasto.methods.instant import Painter, instant, open_painter, painting_vector, with_own_colors
from impasto.methods.regions import Region, all_gray, scaled
from impasto.networks.models import Model, default_model
from impasto.pictures.color import is_gray

#: Stands for the painting of a style by name, which is not at hand: `(3, H, W)`, in color, as none of them is gray.
COLORED = torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1).repeat(1, 16, 16)

#: Beside the bar of an export that `runtime` asks for.
ONCE = "once for this model, about half a minute"
#: Values of `color` for which a painting looks the same whatever the photograph.
OF_PAINTING = ("style", "painting")


class Brush:
    """What paints each picture of a job: the network, and the styles measured once.

    Args:
        job: resolved.
        notes: what is to be said is added to these.
        looks: of the paintings, if they have been measured before.
        tell: is told of what takes long before the first picture.
    """

    def __init__(
        self, job: Stylize, notes: list[Note], looks: Sequence[Tensor] = (), tell: Tell = lambda record: None
    ) -> None:
        self.job, self.scene = job, job.scene(notes)
        self.own = dict(zip(job.style_name, job.blend or [1.0] * len(job.style_name), strict=False))
        name = job.model or default_model(job.style_name)
        self.painter = open_network(job, name, job.device, memory_limit(job), tell)
        self._vector: Tensor | None = None
        self._gray = False  # the paintings, so that gray photographs stay gray
        if job.style and self.painter.model.any_style and job.color in OF_PAINTING and not job.semantic:
            # Else colors, or what is where, change with the photograph.
            self.scene = replace(
                self.scene, looks=[v.to(job.device) for v in looks or self.scene.described(self.painter)]
            )
        known_styles = self.painter.model.styles
        if not job.style:
            if not self.own and len(known_styles) != 1:
                named = ", ".join(known_styles)
                raise InputError(
                    f"name a style of the network: {named}" if named else "style is missing: give a painting"
                )
            shares = self.own or dict.fromkeys(known_styles, 1.0)
            if job.masks:
                looks = [self.painter.model.blended({name: 1.0}) for name in shares]
                self.scene = replace(self.scene, styles=[COLORED] * len(looks), blend=[*shares.values()], looks=looks)
            else:
                self._vector = self.painter.model.blended(shares)

    def _styles(self, photo: Picture) -> Sequence[Region] | Tensor:
        """Regions, or the one vector that serves all pictures alike, which is made once."""
        gray = self._gray and is_gray(photo.pixels)
        if self._vector is not None and not gray:
            return self._vector
        regions = self.scene.regions(photo.channels.to(self.job.device))
        if self._vector is None and not self.job.masks and not self.job.semantic and self.job.color in OF_PAINTING:
            self._vector, self._gray = painting_vector(self.painter, regions[0].styles), all_gray(None, regions)
            return self._styles(photo)
        return regions

    def __call__(self, photo: Picture, tell: Tell = lambda record: None) -> Tensor:
        """A photograph painted, `(1, 3, H, W)` in [0, 1], on the CPU."""
        styles = self._styles(photo)
        painted = instant(
            self.painter,
            photo.channels.to(self.job.device),
            styles,
            self.job,
            strength=self.job.strength,
            guide=self.scene.guide() if self.job.style else None,
            progress=lambda done, total: tell(Progress("painting", done, total)),
        )
        return painted.cpu()

    @torch.inference_mode()
    def together(self, photos: Sequence[Picture]) -> list[Tensor | None]:
        """Photographs painted, those of one size at once; None for each that is painted otherwise."""
        job, found = self.job, list[Tensor | None]([None] * len(photos))
        styles = self._styles(photos[0])
        grows = len(passes((job.size, job.size), job.size)) > 1
        if not isinstance(styles, Tensor) or job.strength < 1 or job.color not in OF_PAINTING or grows:
            return found
        sizes: dict[torch.Size, list[int]] = {}
        pictures = [scaled(photo.pixels.to(job.device), job.size) for photo in photos]
        for number, picture in enumerate(pictures):
            if photos[number].alpha is None:
                sizes.setdefault(picture.shape, []).append(number)
        for numbers in sizes.values():
            painted = self.painter.together([pictures[n] for n in numbers], styles)
            for number, picture in zip(numbers, painted, strict=True):
                own = job.color == "painting"
                found[number] = (with_own_colors(self.painter, picture, styles, None) if own else picture).cpu()
        return found


def open_network(
    job: Stylize | Live,
    model: str | Model,
    device: str,
    max_memory: float | None = None,
    tell: Tell = lambda record: None,
) -> Painter:
    """The painter of a network, computed by what its file or the job says; `tell` is told of an export."""
    from impasto.export import cached_run, load_onnx

    runtime, is_onnx = job.runtime, isinstance(model, str) and model.lower().endswith(".onnx")
    if runtime == "torch" and is_onnx:
        raise InputError(f"runtime torch cannot compute {model}; give the model file, or runtime onnx")
    if is_onnx and isinstance(model, str):
        return open_painter(load_onnx(model), device, "fp32")
    if runtime == "onnx":
        painter = open_painter(model, device, "fp32")
        return replace(painter, run=cached_run(painter.model, lambda: tell(Progress("exporting", 0, 0, ONCE))))
    return open_painter(model, device, job.precision, max_memory)


def paint_records(
    asked: Stylize, tell: Tell, brush: Brush | None = None, painted: tuple[Picture, Tensor] | None = None
) -> Generator[Record, None, Result[Stylize]]:
    """Paint one picture, with the brush of an equal job if there is one, unless it is painted already."""
    job, notes = resolved(asked)
    photo = read_image(job.content) if painted is None else painted[0]
    brush = brush or Brush(job, notes, tell=tell)
    job = job.changed(precision=brush.painter.precision, model=job.model or default_model(job.style_name))
    began = time.perf_counter()
    pixels = brush(photo, tell) if painted is None else painted[1]
    yield from notes
    seconds = time.perf_counter() - began
    result = Result(pixels, job, fitted(photo.alpha, pixels), (), manifest(job))
    yield from written(result, seconds, f"after {seconds:.2f} s")
    return result
