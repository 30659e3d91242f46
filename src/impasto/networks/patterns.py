"""What the eye sees of a network and an encoder hardly minds: its cells, and fine weaves. Terms that read pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.networks.conditioning import padded
from impasto.objective import Placeless
from impasto.pictures.color import OPPONENT


@dataclass(frozen=True)
class Grid(Placeless):
    """The energy of what neighboring cells of so many pixels have in common. A network that unfolds its pixels out of
    channels can match a texture's energy by one pattern repeated in every cell, which the eye sees at once.

    In each window of `n` cells, with `x` a cell's pixels without their mean and `E` the mean over cells,
    `(n (E x)² − E x²) / (n − 1)` estimates the energy of the repeated part without bias; it is taken where it is
    positive, and averaged.

    Attributes:
        period: side of a cell, pixels: that of the coarsest maps (`quarter` with a level at a sixteenth).
        window: side of a window, cells.
    """

    period: int = 16
    window: int = 6
    name: str = "grid"
    layers: tuple[str, ...] = ()

    def __call__(self, image: Tensor, features: Mapping[str, Tensor]) -> Tensor:
        height, width = (n // self.period * self.period for n in image.shape[-2:])
        folded = F.pixel_unshuffle(image[..., :height, :width], self.period)
        cells = folded.view(*image.shape[:2], -1, *folded.shape[2:])  # (B, C, period², h, w)
        detail = (cells - cells.mean(2, keepdim=True)).flatten(1, 2)
        window = (min(self.window, height // self.period), min(self.window, width // self.period))
        count = window[0] * window[1]
        if count < 2:
            return image.new_zeros(())
        common = F.avg_pool2d(detail, window).square()
        return torch.relu(count * common - F.avg_pool2d(detail.square(), window)).mean() / (count - 1)


@dataclass(frozen=True)
class Blocks(Placeless):
    """How unevenly the changes from pixel to pixel are spread over the places of a cell. Without any repeated pattern,
    the cells that a network unfolds show as blocks where it changes more at their borders than inside (a measure of
    blocking: Wang, Bovik and Evans 2000, "Blind measurement of blocking artifacts in images").

    Rows and columns are taken modulo the period; the mean change at each of these places, relative to their mean, has
    this variance, 0 where all are alike.

    Attributes:
        period: side of a cell, pixels: that of the maps where most of the work is done (an eighth, in `quarter`).
    """

    period: int = 8
    name: str = "blocks"
    layers: tuple[str, ...] = ()

    def __call__(self, image: Tensor, features: Mapping[str, Tensor]) -> Tensor:
        found = image.new_zeros(())
        for along, across in ((2, 3), (3, 2)):
            changes = image.diff(dim=along).abs().mean((1, across))  # (B, places)
            cells = changes.shape[1] // self.period
            if cells:
                places = changes[:, : cells * self.period].view(-1, cells, self.period).mean(1)
                mean = places.mean(1, keepdim=True).clamp_min(1e-6)
                found = found + (places / mean - 1).square().mean() / 2
        return found


def spectrum(pictures: Tensor, side: int = 16) -> Tensor:
    """The mean energy of each frequency in windows side by side, of lightness and of two opponent colors,
    `(B, 3, side, side // 2 + 1)`, as `torch.fft.rfft2` orders them. Energies of red, green and blue would not tell
    gray detail from a colored weave.

    Args:
        pictures: `(B, 3, H, W)`; smaller ones than a window go on as they end.
        side: of a window, pixels.
    """
    whole = padded(torch.einsum("ij,bjhw->bihw", torch.tensor(OPPONENT).to(pictures), pictures), 1, side)
    height, width = (int(n) // side for n in whole.shape[-2:])
    rows = whole[..., : height * side, : width * side].reshape(len(whole), 3, height, side, width, side)
    windows = rows.transpose(3, 4)  # (B, 3, h, w, side, side)
    hann = torch.hann_window(side, device=whole.device, dtype=whole.dtype)
    varied = (windows - windows.mean((4, 5), keepdim=True)) * (hann[:, None] * hann)
    found: Tensor = torch.fft.rfft2(varied).abs().square().mean((2, 3))
    return found


@dataclass(frozen=True)
class Spectrum(Placeless):
    """Fine detail as strong as the painting's in each direction and at each scale (Liu, Gousseau and Xia 2016,
    "Texture synthesis through convolutional neural networks and spectrum constraints"). Gram matrices hardly mind a
    weave of two or three pixels.

    The mean square of the logarithm of energies' ratio, from a quarter of a cycle a pixel on.

    Attributes:
        target: `spectrum` of the paintings, `(B or 1, 3, side, side // 2 + 1)`.
        floor: added to energies: less is not seen.
    """

    target: Tensor
    floor: float = 3e-4
    name: str = "spectrum"
    layers: tuple[str, ...] = ()

    def __call__(self, image: Tensor, features: Mapping[str, Tensor]) -> Tensor:
        side, device = self.target.shape[2], image.device
        rows, columns = torch.fft.fftfreq(side, device=device), torch.fft.rfftfreq(side, device=device)
        fine = rows[:, None].hypot(columns) >= 0.25
        ratio = ((spectrum(image, side) + self.floor) / (self.target + self.floor)).log()
        return ratio[..., fine].square().mean()
