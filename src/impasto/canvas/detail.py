"""A picture and what was added to it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from impasto.canvas.base import Canvas, Wrapped
from impasto.canvas.pixels import Pixels
from impasto.pictures.resample import lanczos


class Detail(Wrapped):
    """A canvas that adds detail to a picture: enlarged, the picture is taken afresh and only the detail is resampled.

    Args:
        picture: `(1, 3, H, W)`, RGB, [0, 1].
        build: makes the canvas at a size, from the picture and from what is shown at first, which has the detail.
    """

    def __init__(
        self, picture: Tensor, build: Callable[[Tensor, Tensor], Canvas] = lambda picture, shown: Pixels(shown)
    ) -> None:
        super().__init__(Pixels(picture))
        self.picture, self.build = picture, build
        self._base = picture

    @torch.no_grad()
    def resize(self, size: tuple[int, int]) -> None:
        detail = self.image() - self._base
        self._base = lanczos(self.picture, size)
        if detail.shape[-2:] != self._base.shape[-2:]:
            detail = torch.nn.functional.interpolate(detail, size=size, mode="bicubic", align_corners=False)
        self.canvas = self.build(self._base, (self._base + detail).clamp(0, 1))
