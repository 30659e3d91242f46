"""What is optimized: parameters that an image is made from."""

from typing import TYPE_CHECKING

from impasto.lazy import attributes

__all__ = ["CANVASES", "Blurred", "Canvas", "Detail", "Fourier", "Luminance", "PartlyFixed", "Pixels", "gray"]

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
else:
    __getattr__ = attributes(__name__, "pixels fourier start base blurred detail luminance partly_fixed", __all__)
