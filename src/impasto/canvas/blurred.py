"""A canvas that is tidied up between steps."""

from __future__ import annotations

import torch

from impasto.canvas.base import Canvas, Wrapped
from impasto.errors import InputError
from impasto.pictures.resample import blur


class Blurred(Wrapped):
    """Pixels that are blurred every so often, whose weakest then become gray (Yosinski et al. 2015, §3).

    Args:
        canvas: `Pixels`.
        every: steps between two blurs.
        sigma: of the blur, in pixels.
        clip_percentile: pixels whose distance from gray is below this percentile become gray; 0 for none.
        steps: made before, by a run that is resumed.

    Raises:
        InputError: if the canvas has no pixels.
    """

    def __init__(self, canvas: Canvas, every: int, sigma: float, clip_percentile: float = 0.0, steps: int = 0) -> None:
        if "pixels" not in canvas.parameters:
            raise InputError(f"a canvas of {', '.join(canvas.parameters)} cannot be blurred: choose pixels, or no blur")
        super().__init__(canvas)
        self.every, self.sigma, self.clip_percentile = every, sigma, clip_percentile
        self.steps = steps

    @torch.no_grad()
    def keep_in_range(self) -> None:
        super().keep_in_range()
        self.steps += 1
        x = self.parameters["pixels"]
        if self.steps % self.every == 0:
            x.copy_(blur(x, self.sigma))
            if self.clip_percentile:
                size = (x - 0.5).norm(dim=1, keepdim=True)
                weakest = size.flatten(1).quantile(self.clip_percentile / 100, dim=1).view(-1, 1, 1, 1)
                x.copy_(torch.where(size < weakest, 0.5, x))
