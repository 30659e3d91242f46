"""What is optimized: parameters that an image is made from."""

from typing import TYPE_CHECKING

import lazy_loader

#: What a picture may be optimized as, by the name that users call it; `gray` makes one.
CANVASES = ("pixels", "fourier")

if TYPE_CHECKING:
    from impasto.canvas.base import Canvas
    from impasto.canvas.blurred import Blurred
    from impasto.canvas.detail import Detail
    from impasto.canvas.fourier import Fourier
    from impasto.canvas.luminance import Luminance
    from impasto.canvas.partly_fixed import PartlyFixed
    from impasto.canvas.pixels import Pixels
    from impasto.canvas.start import gray

__all__ = ["CANVASES", "Blurred", "Canvas", "Detail", "Fourier", "Luminance", "PartlyFixed", "Pixels", "gray"]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "base": ["Canvas"],
        "blurred": ["Blurred"],
        "detail": ["Detail"],
        "fourier": ["Fourier"],
        "luminance": ["Luminance"],
        "partly_fixed": ["PartlyFixed"],
        "pixels": ["Pixels"],
        "start": ["gray"],
    },
)
