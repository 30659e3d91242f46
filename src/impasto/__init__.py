"""impasto: neural artistic style transfer, every method on one small core."""

from impasto.api import Result, dream, excite, invert, saliency, stylize, stylize_steps, texture
from impasto.errors import ImpastoError, InputError, NonFiniteError, WeightsError
from impasto.features import ModuleEncoder, load_encoder
from impasto.settings import StylizeSettings

__all__ = [
    "ImpastoError",
    "InputError",
    "ModuleEncoder",
    "NonFiniteError",
    "Result",
    "StylizeSettings",
    "WeightsError",
    "dream",
    "excite",
    "invert",
    "load_encoder",
    "saliency",
    "stylize",
    "stylize_steps",
    "texture",
]
