"""impasto: neural artistic style transfer, every method on one small core."""

from impasto.api import Result, dream, excite, instant, invert, saliency, stylize, stylize_steps, texture
from impasto.augment import StyleAugment
from impasto.errors import ImpastoError, InputError, NonFiniteError, WeightsError
from impasto.features import ModuleEncoder, load_encoder
from impasto.networks.models import load_model
from impasto.settings import StylizeSettings

__all__ = [
    "ImpastoError",
    "InputError",
    "ModuleEncoder",
    "NonFiniteError",
    "Result",
    "StyleAugment",
    "StylizeSettings",
    "WeightsError",
    "dream",
    "excite",
    "instant",
    "invert",
    "load_encoder",
    "load_model",
    "saliency",
    "stylize",
    "stylize_steps",
    "texture",
]
