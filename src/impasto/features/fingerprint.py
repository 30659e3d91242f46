"""What tells encoders apart, for what is kept of their maps."""

from __future__ import annotations

import hashlib
import uuid
from typing import Protocol, runtime_checkable
from weakref import WeakKeyDictionary

from torch import nn

from impasto.features.encoder import Encoder

_digests: WeakKeyDictionary[nn.Module, str] = WeakKeyDictionary()


@runtime_checkable
class Fingerprinted(Protocol):
    """An encoder that can tell itself from others."""

    def fingerprint(self) -> str:
        """All that its maps depend on but the picture: weights, and whatever else can be chosen."""
        ...


def fingerprint(encoder: Encoder) -> str:
    """`encoder.fingerprint()`; an encoder without it is like no other, and not like itself at another time."""
    return encoder.fingerprint() if isinstance(encoder, Fingerprinted) else uuid.uuid4().hex


def digest(network: nn.Module, *about: object) -> str:
    """A hash of a network's weights, which are read once and must not change, and of the `repr` of everything else."""
    if network not in _digests:
        found = hashlib.sha256()
        for name, value in network.state_dict().items():
            found.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
        _digests[network] = found.hexdigest()
    return hashlib.sha256(f"{_digests[network]} {about!r}".encode()).hexdigest()
