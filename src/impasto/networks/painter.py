"""What paints in one pass: a model, its runtime and its precision."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.errors import InputError
from impasto.features import resolve_precision
from impasto.features.precision import Precision
from impasto.networks.models import PACKAGED, UPSCALE, Model, load_model, packaged_model
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
    """

    model: Model
    run: Run | None = None
    precision: Precision = "fp32"

    def __call__(self, images: Tensor, style: Tensor, progress: Progress = lambda done, total: None) -> Tensor:
        """A picture `(B, 3, H, W)` in [0, 1]; the model tells `progress` after each tile of a very large one."""
        if self.run is not None:
            return self.run(images, style)
        with self._autocast(images.device):
            return self.model(images, style, progress).to(images.dtype)

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
    model: str | os.PathLike[str] | Model | None = None, device: str = "cpu", precision: str = "auto"
) -> Painter:
    """A painter ready to use.

    Args:
        model: as for `open_model`.
        device: where to compute, as torch names it.
        precision: see `impasto.features.resolve_precision`.

    Raises:
        WeightsError: if the file is no model, or is damaged.
        InputError: if the model does not paint, or there is no such precision.
    """
    opened = open_model(model)
    if opened.kind == UPSCALE:
        raise InputError("this model enlarges pictures and paints none; use impasto upscale")
    return Painter(opened.to(device), precision=resolve_precision(precision, device))
