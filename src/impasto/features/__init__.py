"""Encoders: images in, feature maps by layer name out. Names and profiles need no torch; loading imports it."""

from typing import TYPE_CHECKING

import lazy_loader

from impasto.features.encoder import Encoder, check_layers
from impasto.features.precision import PRECISIONS, resolve_precision
from impasto.features.profile import PROFILES, Profile, profile_of
from impasto.features.registry import ENCODERS, encoder_source, resolve, stands_in

if TYPE_CHECKING:
    from impasto.features.loading import check_weights, layers_of, load_encoder
    from impasto.features.modules import ModuleEncoder

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={"loading": ["check_weights", "layers_of", "load_encoder"], "modules": ["ModuleEncoder"]},
)

__all__ = [
    "ENCODERS",
    "PRECISIONS",
    "PROFILES",
    "Encoder",
    "ModuleEncoder",
    "Profile",
    "check_layers",
    "check_weights",
    "encoder_source",
    "layers_of",
    "load_encoder",
    "profile_of",
    "resolve",
    "resolve_precision",
    "stands_in",
]
