"""A picture whose colors are given."""

from __future__ import annotations

import torch
from torch import Tensor

from impasto.pictures.color import chroma, luma, luma_range
from impasto.pictures.resample import lanczos


class Luminance:
    """A picture of which only the luma is optimized; its chroma is the content's, exactly.

    The luma of each pixel is kept where chroma and luma together stay in [0, 1], so that nothing is ever clipped.

    Args:
        content: `(1, 3, H, W)`, RGB, [0, 1].
        start: the picture whose luma to start from, `(1, 3, h, w)`.
    """

    maps = ("luma",)

    def __init__(self, content: Tensor, start: Tensor) -> None:
        self.content = content
        self.parameters = {"luma": luma(start).detach().clone()}
        self.resize((int(start.shape[-2]), int(start.shape[-1])))

    def image(self) -> Tensor:
        return self.parameters["luma"] + self._chroma

    @torch.no_grad()
    def keep_in_range(self) -> None:
        now = self.parameters["luma"]
        now.copy_(now.maximum(self._least).minimum(self._most))

    @torch.no_grad()
    def resize(self, size: tuple[int, int]) -> None:
        if tuple(self.parameters["luma"].shape[-2:]) != tuple(size):
            self.parameters = {"luma": lanczos(self.parameters["luma"], size)}
        self._chroma = chroma(lanczos(self.content, size))
        self._least, self._most = luma_range(self._chroma)
        self.keep_in_range()
