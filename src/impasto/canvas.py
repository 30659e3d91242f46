"""What is optimized: parameters that an image is made from."""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.color import chroma, luma, luma_range
from impasto.resample import lanczos


class Canvas(Protocol):
    """Parameters and the image they stand for.

    Attributes:
        parameters: the leaf tensor that an optimizer changes.
    """

    parameters: Tensor

    def image(self) -> Tensor:
        """`(B, 3, H, W)`, RGB, [0, 1], differentiable with respect to `parameters`."""
        ...

    def keep_in_range(self) -> None:
        """Bring the parameters back to where the image is valid, in place."""
        ...

    def resize(self, size: tuple[int, int]) -> None:
        """Carry the image over to `(H, W)`."""
        ...


class Pixels:
    """The image itself, its values kept in [0, 1].

    Args:
        start: `(B, 3, H, W)`, RGB, [0, 1].
    """

    def __init__(self, start: Tensor) -> None:
        self.parameters = start.detach().clone()

    def image(self) -> Tensor:
        return self.parameters

    @torch.no_grad()
    def keep_in_range(self) -> None:
        self.parameters.clamp_(0, 1)

    @torch.no_grad()
    def resize(self, size: tuple[int, int]) -> None:
        if tuple(self.parameters.shape[-2:]) != tuple(size):
            self.parameters = F.interpolate(
                self.parameters, size=size, mode="bicubic", antialias=True, align_corners=False
            ).clamp(0, 1)


class Kept:
    """A canvas of which a part shows a fixed picture, pixel for pixel.

    Args:
        canvas: what is optimized elsewhere.
        fixed: `(1, 3, H, W)`, RGB, [0, 1].
        where: 1 where `fixed` shows, 0 where the canvas does, `(1, 1, H, W)`.
    """

    def __init__(self, canvas: Canvas, fixed: Tensor, where: Tensor) -> None:
        self.canvas = canvas
        self.fixed, self.where = fixed, where
        self._now = fixed, where

    @property
    def parameters(self) -> Tensor:
        return self.canvas.parameters

    @parameters.setter
    def parameters(self, value: Tensor) -> None:
        self.canvas.parameters = value

    def image(self) -> Tensor:
        fixed, where = self._now
        return torch.lerp(self.canvas.image(), fixed, where)

    def keep_in_range(self) -> None:
        self.canvas.keep_in_range()

    def resize(self, size: tuple[int, int]) -> None:
        self.canvas.resize(size)
        self._now = lanczos(self.fixed, size), lanczos(self.where, size)


class Luminance:
    """A picture of which only the luma is optimized; its chroma is the content's, exactly.

    The luma of each pixel is kept where chroma and luma together stay in [0, 1], so that nothing is ever clipped.

    Args:
        content: `(1, 3, H, W)`, RGB, [0, 1].
        start: the picture whose luma to start from, `(1, 3, h, w)`.
    """

    def __init__(self, content: Tensor, start: Tensor) -> None:
        self.content = content
        self.parameters = luma(start).detach().clone()
        self.resize((int(start.shape[-2]), int(start.shape[-1])))

    def image(self) -> Tensor:
        return self.parameters + self._chroma

    @torch.no_grad()
    def keep_in_range(self) -> None:
        self.parameters.copy_(self.parameters.maximum(self._least).minimum(self._most))

    @torch.no_grad()
    def resize(self, size: tuple[int, int]) -> None:
        if tuple(self.parameters.shape[-2:]) != tuple(size):
            self.parameters = lanczos(self.parameters, size)
        self._chroma = chroma(lanczos(self.content, size))
        self._least, self._most = luma_range(self._chroma)
        self.keep_in_range()
