"""An encoder that sees no color."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from torch import Tensor

from impasto.features.encoder import Encoder, streamed
from impasto.features.fingerprint import fingerprint
from impasto.features.spans import Span, Spanned
from impasto.pictures.color import luma


class GrayEncoder:
    """Another encoder that is shown only the luma, in all three channels.

    Args:
        encoder: what looks at it.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.name = f"{encoder.name} in gray"
        self.layers = encoder.layers

    def fingerprint(self) -> str:
        """See `Fingerprinted`."""
        return f"gray {fingerprint(self.encoder)}"

    def __call__(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        return self.encoder(_gray(images), layers)

    def stream(self, images: Tensor, layers: Iterable[str]) -> Iterator[tuple[str, Tensor]]:
        """See `Streaming`."""
        return streamed(self.encoder, _gray(images), layers)

    def spans(self, layers: Iterable[str], size: tuple[int, int]) -> list[Span]:
        """See `Spanned`."""
        found = self.encoder.spans(layers, size) if isinstance(self.encoder, Spanned) else []
        return [replace(s, run=lambda x, s=s: s.run(_gray(x))) for s in found[:1]] + found[1:]  # type: ignore[misc]


def _gray(images: Tensor) -> Tensor:
    return luma(images).expand(-1, 3, -1, -1)
