"""A picture and what was added to it."""

from __future__ import annotations

import torch
from torch import Tensor

from impasto.canvas.pixels import Pixels
from impasto.pictures.resample import lanczos


class Detail(Pixels):
    """Pixels that add detail to a picture: enlarged, the picture is taken afresh and only the detail is resampled.

    Args:
        picture: `(1, 3, H, W)`, RGB, [0, 1].
    """

    def __init__(self, picture: Tensor) -> None:
        super().__init__(picture)
        self.picture = picture
        self._base = picture

    @torch.no_grad()
    def resize(self, size: tuple[int, int]) -> None:
        detail = self.parameters["pixels"] - self._base
        self._base = lanczos(self.picture, size)
        if detail.shape[-2:] != self._base.shape[-2:]:
            detail = torch.nn.functional.interpolate(detail, size=size, mode="bicubic", align_corners=False)
        self.parameters = {"pixels": (self._base + detail).clamp(0, 1)}
