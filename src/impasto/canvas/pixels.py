"""A picture as its pixels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.pictures.color import luma
from impasto.pictures.resample import blur, lanczos


class Pixels:
    """The image itself, its values kept in [0, 1].

    Args:
        start: `(B, 3, H, W)`, RGB, [0, 1].
        wrap: opposite sides are neighbors, also when it is resized.
    """

    maps = ("pixels",)

    def __init__(self, start: Tensor, *, wrap: bool = False) -> None:
        self.parameters = {"pixels": start.detach().clone()}
        self.wrap = wrap

    def image(self) -> Tensor:
        return self.parameters["pixels"]

    @torch.no_grad()
    def keep_in_range(self) -> None:
        self.parameters["pixels"].clamp_(0, 1)

    @torch.no_grad()
    def resize(self, size: tuple[int, int]) -> None:
        x, times = self.parameters["pixels"], 1
        height, width = (int(side) for side in x.shape[-2:])
        if (height, width) == tuple(size):
            return
        if self.wrap:
            x, times = F.pad(x, (width, width, height, height), mode="circular"), 3
        # Enlarged, the grain of single pixels would stay behind as a grid of cells; blurred, it does not.
        x = lanczos(blur(x, 0.7) if size[0] > height else x, (times * size[0], times * size[1]))
        self.parameters = {"pixels": x[..., size[0] : 2 * size[0], size[1] : 2 * size[1]] if self.wrap else x}


class GrayPixels(Pixels):
    """A gray picture: one channel, which all three colors show. Arguments as those of `Pixels`."""

    def __init__(self, start: Tensor, *, wrap: bool = False) -> None:
        super().__init__(luma(start), wrap=wrap)

    def image(self) -> Tensor:
        return super().image().expand(-1, 3, -1, -1)
