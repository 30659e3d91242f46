"""What is optimized: parameters that an image is made from."""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor


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
