"""What a canvas is."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Canvas(Protocol):
    """Parameters and the image they stand for.

    Attributes:
        parameters: the leaf tensors that an optimizer changes, by name.
        maps: names of those that lie over the picture, `(B, C, H, W)`: an optimizer may look at them in a pyramid.
    """

    parameters: dict[str, Tensor]

    @property
    def maps(self) -> tuple[str, ...]: ...

    def image(self) -> Tensor:
        """`(B, 3, H, W)`, RGB, [0, 1], differentiable with respect to `parameters`."""
        ...

    def keep_in_range(self) -> None:
        """Bring the parameters back to where the image is valid, in place."""
        ...

    def resize(self, size: tuple[int, int]) -> None:
        """Carry the image over to `(H, W)`."""
        ...


class Wrapped:
    """Another canvas, for classes that change one thing about it.

    Args:
        canvas: whose parameters are optimized.
    """

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas

    @property
    def parameters(self) -> dict[str, Tensor]:
        return self.canvas.parameters

    @parameters.setter
    def parameters(self, value: dict[str, Tensor]) -> None:
        self.canvas.parameters = value

    @property
    def maps(self) -> tuple[str, ...]:
        return self.canvas.maps

    def image(self) -> Tensor:
        return self.canvas.image()

    def keep_in_range(self) -> None:
        self.canvas.keep_in_range()

    def resize(self, size: tuple[int, int]) -> None:
        self.canvas.resize(size)
