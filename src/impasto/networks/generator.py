"""What painters, exporters and trainings ask of a network, whatever its layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn

from impasto.errors import InputError
from impasto.networks.conditioning import OfWhole


class Generator(nn.Module):
    """A network from images to images, given a style (`impasto.networks.conditioning`).

    A class and no protocol, as a protocol cannot say that something is a `torch.nn.Module`, too. What only some
    networks can has an answer here that serves the others.

    Attributes:
        style_size: `P`, the length of its style vector.
        options: what it was built with, so that a file can have it built again (`impasto.networks.registry`).
        divisor: what both sides of a picture are padded to a multiple of, inside.
        halo: how far from a pixel its color depends on the picture, apart from statistics of the whole, rounded up to
            a multiple of `divisor`; 0 if it cannot be painted in tiles (`impasto.networks.tiles`).
        largest: pixels of a picture up to which it is painted in one piece.
        held: bytes that it takes for each pixel of a piece, measured in float32; those of a picture in and one out if
            it does not say.
        from_noise: whether it makes textures out of noise, and paints no pictures.
        draws: whether it draws noise for each size of picture, which the graph in a file could not.
        colors: where in its vector the colors of a painting are, as `first_style` finds them.
    """

    style_size: int
    options: dict[str, Any]
    divisor: int = 1
    halo: int = 0
    largest: float = math.inf
    held: float = 24.0
    from_noise: bool = False
    draws: bool = False
    colors: slice = slice(0, 0)
    __call__: Callable[..., Tensor]

    def forward(self, images: Tensor, style: Tensor) -> Tensor:
        """`(B, 3, H, W)`, RGB, [0, 1] and `(B or 1, P)` to `(B, 3, H, W)`, which may lie a little outside of [0, 1]."""
        raise NotImplementedError

    def plain_style(self) -> Tensor:
        """The vector `(P,)` to begin with."""
        return torch.zeros(self.style_size)

    def first_style(self, painting: Tensor) -> Tensor:
        """The vector `(P,)` to begin with for a painting `(1, 3, H, W)`."""
        return self.plain_style()

    def unbounded(self, styles: Tensor) -> Tensor:
        """Vectors `(B, P)` of paintings in coordinates that may have any value, so that they can be drawn at random:
        logarithms of deviations and covariances."""
        return self._by_part(styles, lambda layer, part: layer.unbounded(part))

    def bounded(self, coordinates: Tensor) -> Tensor:
        """The inverse of `unbounded`: whatever the numbers, vectors that a painting could have."""
        return self._by_part(coordinates, lambda layer, part: layer.bounded(part))

    def parts(self) -> dict[tuple[int, int], OfWhole]:
        """The parts of the style vector, from and to where, each with a layer that takes it."""
        return {(m.where.start, m.where.stop): m for m in self.modules() if isinstance(m, OfWhole)}

    @torch.no_grad()
    def _by_part(self, values: Tensor, change: Callable[[OfWhole, Tensor], Tensor]) -> Tensor:
        values = values.clone()
        for (start, stop), layer in self.parts().items():
            values[:, start:stop] = change(layer, values[:, start:stop])
        return values

    def seeing_pixels(self) -> Self:
        """The same network, given the picture's pixels if it only sees an encoder's features."""
        return self

    def for_own_styles(self) -> Self:
        """The same network without what serves paintings that it does not know."""
        return self

    def inputs(self, images: Tensor, generator: torch.Generator | None = None) -> Any:
        """What `forward` is to be called with so that what it draws at random comes from `generator`."""
        return images

    def texture(self, size: tuple[int, int], style: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Textures `(B, 3, H, W)` in [0, 1] of a size `(H, W)` in styles `(B, P)`.

        Raises:
            InputError: if the network takes pictures.
        """
        raise InputError("this network turns pictures into pictures; textures need one with source='noise'")


class Describing(Generator):
    """A generator that measures the style vectors of paintings, too."""

    def moments(self, images: Tensor, mask: Tensor | None = None) -> Tensor:
        """A painting's own vector, `(B, P)`.

        Args:
            images: `(B, 3, H, W)`, RGB, [0, 1].
            mask: which part counts, `(B or 1, 1, H, W)`.
        """
        raise NotImplementedError
