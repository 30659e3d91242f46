"""A canvas that keeps a part of a picture."""

from __future__ import annotations

import torch
from torch import Tensor

from impasto.canvas.base import Canvas, Wrapped
from impasto.pictures.resample import lanczos

#: What may be missing of a mask that covers all.
ALL = 1e-4


class PartlyFixed(Wrapped):
    """A canvas of which a part shows a fixed picture, pixel for pixel.

    Args:
        canvas: what is optimized elsewhere.
        fixed: `(1, 3, H, W)`, RGB, [0, 1].
        where: 1 where `fixed` shows, 0 where the canvas does, `(1, 1, H, W)`.
    """

    def __init__(self, canvas: Canvas, fixed: Tensor, where: Tensor) -> None:
        super().__init__(canvas)
        self.fixed, self.where = fixed, where
        self._now = fixed, where

    def image(self) -> Tensor:
        fixed, where = self._now
        return torch.lerp(self.canvas.image(), fixed, where)

    def resize(self, size: tuple[int, int]) -> None:
        super().resize(size)
        where = lanczos(self.where, size)
        # Where all is fixed, rounding shall not leave a gradient to follow.
        self._now = lanczos(self.fixed, size), torch.ones_like(where) if where.min() > 1 - ALL else where
