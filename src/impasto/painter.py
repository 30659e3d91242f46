"""Painting many pictures in one pass each, by hand: the dear steps once, the cheap one as often as you like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from impasto.devices import resolve_device
from impasto.jobs.scene import Scene
from impasto.media import Picture, read_image
from impasto.media.image import Source
from impasto.methods.instant import instant, painting_vector
from impasto.methods.presets import quality
from impasto.networks import painter as networks
from impasto.options import AUTO, Auto, known


class Painter:
    """A network that is ready to paint.

        painter = impasto.open_painter()              # loads the network: once
        look = painter.describe("painting.jpg")       # measures a painting: dear, once for each
        picture = painter.paint("photo.jpg", look)    # one pass: cheap
        impasto.to_pil(picture.pixels).save("out.png")

    Args:
        network: the painter of `impasto.networks`.
        device: where it computes.
    """

    def __init__(self, network: networks.Painter, device: str) -> None:
        self.network, self.device = network, device

    @property
    def styles(self) -> list[str]:
        """The names of the network's own styles."""
        return list(self.network.model.styles)

    def describe(self, *paintings: Source, blend: Sequence[float] = ()) -> Tensor:
        """The look `(1, P)` of a painting, of several blended, or of a folder of them.

        Raises:
            InputError: if one cannot be read, or the network paints in its own styles only.
        """
        (region,) = Scene(paintings, blend, device=self.device).regions(None)
        return painting_vector(self.network, region.styles)

    def named(self, shares: str | Mapping[str, float]) -> Tensor:
        """The look `(1, P)` of one of the network's own styles, or of several by their shares."""
        return self.network.model.blended({shares: 1.0} if isinstance(shares, str) else shares)

    def paint(self, picture: Source, look: Tensor, *, size: int | Auto = AUTO, strength: float = 1.0) -> Picture:
        """A picture painted in one pass.

        Args:
            picture: whatever `read_image` reads.
            look: of `describe` or `named`.
            size: long side of the result in pixels; the picture's own by default.
            strength: from 0, the picture, to 1, the look.

        Returns:
            `pixels` `(1, 3, H, W)`, RGB, [0, 1], and the picture's opacity, if it has one, at that size.
        """
        from impasto.jobs.running import fitted

        read = read_image(picture)
        side = max(read.pixels.shape[-2:]) if size == AUTO else known(size)
        settings = quality("instant").changed(size=side)
        pixels = instant(self.network, read.channels.to(self.device), look, settings, strength=strength).cpu()
        return Picture(pixels, fitted(read.alpha, pixels))


def open_painter(model: str = "any", *, device: str = "auto", precision: str = "auto") -> Painter:
    """A painter by one of the packaged networks (`any`, `gallery`, `live`) or the network in a file.

    Raises:
        WeightsError: if the file is no model, or is damaged.
        InputError: if the model does not paint, or there is no such device or precision.
    """
    where = resolve_device(device)
    return Painter(networks.open_painter(model, where, precision), where)
