"""Encoders: images in, feature maps by layer name out."""

from impasto.features.encoder import Encoder, check_layers
from impasto.features.modules import ModuleEncoder
from impasto.features.precision import PRECISIONS, resolve_precision
from impasto.features.registry import ENCODERS, encoder_source, load_encoder, resolve

__all__ = [
    "ENCODERS",
    "PRECISIONS",
    "Encoder",
    "ModuleEncoder",
    "check_layers",
    "encoder_source",
    "load_encoder",
    "resolve",
    "resolve_precision",
]
