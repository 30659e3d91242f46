"""The encoders there are, by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from impasto.features.weights import PACKAGED, WEIGHTS, find, published
from impasto.registry import Registry

if TYPE_CHECKING:
    from impasto.features.vgg import VGG, Pooling

Path_ = str | os.PathLike[str]
#: From an encoder's name, the path of its weights or None, and pooling to the network.
Builder = Callable[[str, Path_ | None, "Pooling"], "VGG"]

#: Encoder -> its builder.
ENCODERS: Registry[Builder] = Registry(
    {PACKAGED: "impasto.features.loading:open_lite"} | dict.fromkeys(WEIGHTS, "impasto.features.loading:open_published")
)
#: What `auto` looks for, the first one first.
STANDARD = ("vgg19", "vgg19-caffe")


def resolve(name: str = "auto", weights: Path_ | None = None) -> str:
    """The encoder that a name stands for: `auto` is VGG-19 if its weights are on this machine, and else `lite`.

    Args:
        name: a key of `ENCODERS`, or `auto`.
        weights: a file, whose name then tells which encoder it belongs to, or a folder that holds VGG-19.

    Raises:
        WeightsError: if `weights` are given and `auto` cannot tell whose they are.
    """
    if name != "auto":
        return name
    if weights is not None:
        return published(weights, STANDARD)
    return next((n for n in STANDARD if find(n) is not None), PACKAGED)


def is_imported(name: object) -> bool:
    """Whether an encoder's name is an import path, `package.module:name`."""
    return isinstance(name, str) and ":" in name


def stands_in(name: str, resolved: str) -> str | None:
    """What a front tells its user where `lite` was chosen for want of VGG-19; None where it was not.

    Args:
        name: what was asked for.
        resolved: what `resolve` made of it.
    """
    if name == resolved or resolved != PACKAGED:
        return None
    return "lite stands in for VGG-19, which is not on this machine; `impasto weights fetch vgg19` gets it"


def encoder_source(name: str) -> str | None:
    """Where an encoder's weights would come from: a path, `"packaged"`, or None if they are not on this machine."""
    if name == PACKAGED:
        return "packaged"
    path = find(name) if name in WEIGHTS else None
    return None if path is None else str(path)
