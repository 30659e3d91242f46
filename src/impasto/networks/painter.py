"""What paints in one pass: a model, its runtime and its precision."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from impasto.errors import InputError, is_out_of_memory
from impasto.features import resolve_precision
from impasto.features.precision import Precision
from impasto.networks.conditioning import OfWhole, begin_at, edged
from impasto.networks.models import Model, load_model
from impasto.networks.tiles import Progress

#: From pictures and a style vector to pictures in [0, 1]: a `Model`, or what another runtime makes of one.
Run = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Painter:
    """What paints in one pass.

    Attributes:
        model: that gives the vectors.
        run: what computes the generator; the model itself if None.
        precision: of the generator's maps, `fp32` or `bf16`; statistics of the whole and colors are float32.
        max_memory: bytes that the process may take; what needs more is painted in tiles. None for no limit.
        origin: row and column, pixels, at which pictures begin in a larger scene; see `moved`.
    """

    model: Model
    run: Run | None = None
    precision: Precision = "fp32"
    max_memory: float | None = None
    origin: tuple[int, int] = (0, 0)

    def __call__(self, images: Tensor, style: Tensor, progress: Progress = lambda done, total: None) -> Tensor:
        """A picture `(B, 3, H, W)` in [0, 1]; the model tells `progress` after each tile of a very large one."""
        if self.run is not None:
            return self.run(images, style)
        above, before = (n % self.model.generator.divisor for n in self.origin)
        if above or before:
            images = edged(images, (before, 0, above, 0))
        begin_at(self.model.generator, self.origin[0] - above, self.origin[1] - before)
        try:
            with self._autocast(images.device):
                painted = self.model(images, style, progress, self.max_memory).to(images.dtype)
        finally:
            begin_at(self.model.generator, 0, 0)
        return painted[..., above:, before:]

    def together(self, images: Sequence[Tensor], style: Tensor) -> list[Tensor]:
        """Pictures of one size, `(1, 3, H, W)` each, painted at once; in halves where there is not the memory."""
        try:
            return list(torch.split(self(torch.cat([*images]), style), 1))
        except (RuntimeError, MemoryError) as error:
            if len(images) == 1 or not is_out_of_memory(error):
                raise
        half = len(images) // 2
        return self.together(images[:half], style) + self.together(images[half:], style)

    def moved(self, origin: tuple[int, int]) -> Painter:
        """The same for pictures that begin at another place of a scene, as a camera's do that moved: its cells and its
        grain lie where they lay in the scene (not those of an exported network, which shows neither). With the
        statistics of one picture (`held`) what lies further inside than `halo` is painted as before, to the last
        digits.

        Args:
            origin: row and column of the pictures' first pixel, below 0 too; (0, 0) for where they began.
        """
        return replace(self, origin=origin)

    def held(self) -> Painter:
        """The same for one shot in one style: the statistics of its first call serve all that follow. Several pictures
        are measured as one where they come first, as a batch. Weights are copied, so that the other painter stays.
        """
        generator = copy.deepcopy(self.model.generator)
        for module in generator.modules():
            if isinstance(module, OfWhole):
                module.kept = {}
        return replace(self, model=replace(self.model, generator=generator))

    def describe(self, painting: Tensor, mask: Tensor | None = None) -> Tensor:
        """The style vector `(B, P)` of paintings `(B, 3, H, W)`; see `Model.predict`."""
        with self._autocast(painting.device):
            return self.model.predict(painting, mask)

    def _autocast(self, device: torch.device) -> torch.autocast:
        return torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bf16")


def open_model(model: str | os.PathLike[str] | Model | None = None) -> Model:
    """A model: itself, the path of its file, or the name of a packaged one; `any`, for every painting, if not given.

    Raises:
        WeightsError: if there is no such model, or its file is none, or is damaged.
        InputError: if the model enlarges pictures.
    """
    return model if isinstance(model, Model) else load_model(model or "any")


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
    if opened.generator.from_noise:
        raise InputError("this model makes textures out of noise and paints no pictures; use impasto texture --model")
    return Painter(opened.to(device), None, resolve_precision(precision, device), max_memory)


@torch.inference_mode()
def texture_from_model(
    model: Model, size: tuple[int, int] = (512, 512), seed: int = 0, style: str | None = None
) -> Tensor:
    """A texture out of noise, in one pass (Ulyanov et al. 2016, "Texture networks").

    Args:
        model: of `impasto train --task texture`.
        size: `(width, height)` in pixels.
        seed: of the noise.
        style: the name of one of its textures; not needed where it has one.

    Returns:
        `(1, 3, height, width)`, RGB, [0, 1].

    Raises:
        InputError: if the model paints pictures, has no such texture, or several and none is named; or if a side is
            below 1.
    """
    if min(size) < 1:
        raise InputError(f"size is {size[0]}x{size[1]}; both sides must be at least 1 pixel")
    if style is None and len(model.styles) > 1:
        raise InputError(f"the model has several textures; name one with --style: {', '.join(model.styles)}")
    vector = model.blended({style or next(iter(model.styles), ""): 1.0})
    return model.generator.texture((size[1], size[0]), vector, torch.Generator().manual_seed(seed))
