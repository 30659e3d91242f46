"""What is optimized: parameters that an image is made from."""

from typing import TYPE_CHECKING

from impasto.lazy import attributes

if TYPE_CHECKING:
    from impasto.canvas.base import Canvas as Canvas
    from impasto.canvas.blurred import Blurred as Blurred
    from impasto.canvas.detail import Detail as Detail
    from impasto.canvas.fourier import Fourier as Fourier
    from impasto.canvas.luminance import Luminance as Luminance
    from impasto.canvas.partly_fixed import PartlyFixed as PartlyFixed
    from impasto.canvas.pixels import Pixels as Pixels
    from impasto.canvas.start import gray as gray
else:
    __getattr__ = attributes(
        __name__,
        base="Canvas",
        blurred="Blurred",
        detail="Detail",
        fourier="Fourier",
        luminance="Luminance",
        partly_fixed="PartlyFixed",
        pixels="Pixels",
        start="gray",
    )

#: What a picture may be optimized as, by the name that users call it; `gray` makes one.
CANVASES = ("pixels", "fourier")
