"""impasto: neural artistic style transfer, every method on one small core."""

from typing import TYPE_CHECKING

from impasto.errors import ImpastoError, InputError, NonFiniteError, WeightsError
from impasto.registry import lazily

if TYPE_CHECKING:
    from impasto.api import Result, dream, excite, instant, invert, saliency, stylize, stylize_steps, texture
    from impasto.augment import StyleAugment
    from impasto.features import ModuleEncoder, load_encoder
    from impasto.networks.models import load_model
    from impasto.settings import StylizeSettings

# Nothing that needs torch before it is asked for.
__getattr__, __dir__ = lazily(
    __name__,
    {
        "api": "Result dream excite instant invert saliency stylize stylize_steps texture",
        "augment": "StyleAugment",
        "features": "ModuleEncoder load_encoder",
        "networks.models": "load_model",
        "settings": "StylizeSettings",
    },
)

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
