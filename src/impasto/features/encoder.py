"""What an encoder is: an image in, feature maps by layer name out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from impasto.errors import InputError, unknown

if TYPE_CHECKING:
    from torch import Tensor


@runtime_checkable
class Encoder(Protocol):
    """A network that turns images into feature maps, asked for by name.

    An encoder owns its normalization: it takes RGB images in [0, 1]. It has no trainable state and computes nothing
    beyond the deepest layer asked for, so one call serves every term of an objective. Statistics of its maps are kept
    on disk only if it has a `fingerprint` (see `impasto.features.fingerprint`).

    Attributes:
        name: how users call it, such as ``"vgg19"``.
        layers: the names it can be asked for, from shallow to deep.
    """

    name: str
    layers: tuple[str, ...]

    def __call__(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Feature maps of a batch of images.

        Args:
            images: `(B, 3, H, W)`, RGB, [0, 1].
            layers: names out of `layers`, in any order.

        Returns:
            For each name a map `(B, C, H', W')`.
        """
        ...


@runtime_checkable
class Streaming(Encoder, Protocol):
    """An encoder that hands its maps out while it runs."""

    def stream(self, images: Tensor, layers: Iterable[str]) -> Iterator[tuple[str, Tensor]]:
        """The maps of a call, one after the other as they are made, in the type in which they are computed, which may
        be bfloat16. What is made of one and differentiated needs no memory beside what is made of the next."""
        ...


def streamed(encoder: Encoder, images: Tensor, layers: Iterable[str]) -> Iterator[tuple[str, Tensor]]:
    """`encoder.stream(images, layers)`, or the maps of a call of an encoder that has none."""
    if isinstance(encoder, Streaming):
        return encoder.stream(images, layers)
    return iter(encoder(images, layers).items())


def check_layers(names: Iterable[str], known: Sequence[str]) -> list[str]:
    """`names` without repeats, from shallow to deep.

    Raises:
        InputError: if a name is not in `known`, or none is given.
    """
    wanted = set(names)
    for name in sorted(wanted):
        if name not in known:
            raise unknown("layer", name, known)
    if not wanted:
        raise InputError("no layer was asked for; name at least one")
    return [name for name in known if name in wanted]
