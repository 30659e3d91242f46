"""Generators with what gives them their styles while they are trained: a table of vectors, or paintings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from impasto.errors import InputError
from impasto.networks.generator import Describing, Generator


class StyledNetwork(nn.Module):
    """A generator and a table of style vectors (Dumoulin et al. 2017, "A learned representation for artistic style").

    Args:
        generator: untrained, or with the weights to begin with.
        styles: its vectors to begin with, `(N, P)`; `first_vectors` makes some.
        names: of the styles, all different.

    Attributes:
        styles: the table, `(N, P)`.
        added: more rows, `(M, P)`, which `with_styles` appends; all that is trained then.

    Raises:
        InputError: if the table has another shape, or names do not fit it.
    """

    def __init__(self, generator: Generator, styles: Tensor, names: Sequence[str]) -> None:
        super().__init__()
        _check_table(styles, generator)
        self.generator = generator
        self.styles = nn.Parameter(styles.detach().clone())
        self.added = nn.Parameter(styles.new_zeros(0, generator.style_size), requires_grad=False)
        self.names = _checked(names, len(styles))

    def with_styles(self, vectors: Tensor, names: Sequence[str]) -> StyledNetwork:
        """A network with more styles around the same generator, which is frozen: only the new vectors are trained, so
        that the other styles stay as they are, bit for bit (paper, §3.2).

        Args:
            vectors: to begin with, `(M, P)`.
            names: of the new styles.

        Raises:
            InputError: if they have another shape, or a name is there already.
        """
        old = self.table()
        _check_table(vectors, self.generator)
        found = StyledNetwork(self.generator, old, self.names)
        found.names = _checked([*self.names, *names], len(old) + len(vectors))
        found.requires_grad_(False)
        found.added = nn.Parameter(vectors.detach().clone())
        return found

    def table(self) -> Tensor:
        """Every style's vector, `(N + M, P)`."""
        return torch.cat([self.styles, self.added])

    def train(self, mode: bool = True) -> StyledNetwork:
        """As in torch; but running statistics of a frozen generator stay frozen."""
        super().train(mode)
        if not self.styles.requires_grad:
            self.generator.eval()
        return self

    def forward(self, images: Tensor | Sequence[Tensor], numbers: Tensor) -> Tensor:
        """Each picture in a style of its own.

        Args:
            images: `(B, 3, H, W)`, or whatever else the generator takes.
            numbers: of the styles, `(B,)` or `(1,)` whole numbers.
        """
        return self.generator(images, self.table()[numbers])

    def blend(self, weights: Tensor) -> Tensor:
        """The mean vector of weighted styles, `(1, P)`, to call the generator with (paper, §3.3).

        Args:
            weights: of all styles, `(N + M,)`; they are normalized to sum to 1.
        """
        found: Tensor = (weights / weights.sum())[None] @ self.table()
        return found


def _check_table(styles: Tensor, generator: Generator) -> None:
    if styles.dim() != 2 or styles.shape[1] != generator.style_size or not len(styles):
        raise InputError(
            f"the table of styles is {tuple(styles.shape)}; this generator needs (styles, {generator.style_size})"
        )


def _checked(names: Sequence[str], count: int) -> list[str]:
    if len(names) != count or len(set(names)) != count:
        raise InputError(f"there are {count} styles and the names {', '.join(names)}; give each a name of its own")
    return list(names)


class AnyStyle(nn.Module):
    """A generator that is given paintings: `generator(images, generator.moments(styles))`, adaptive instance
    normalization (Huang and Belongie 2017) in every layer, and the whole covariance in the first (`Transport`).

    Args:
        generator: trained from what it begins with.
    """

    def __init__(self, generator: Describing) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, images: Tensor, styles: Tensor) -> Tensor:
        """Photographs and paintings, `(B, 3, H, W)` and `(B, 3, h, w)`, to pictures `(B, 3, H, W)`."""
        return self.generator(images, self.generator.moments(styles))
