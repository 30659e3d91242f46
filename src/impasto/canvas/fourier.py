"""A picture as its spectrum."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

#: From decorrelated colors to RGB, before the sigmoid: the root of the covariance of ImageNet's colors, its columns'
#: largest norm 1 (Olah, Mordvintsev, Schubert 2017, "Feature visualization").
COLOR_CORRELATION = ((0.26, 0.09, 0.02), (0.27, 0.0, -0.05), (0.27, -0.09, 0.03))


class Fourier:
    """A picture by its spectrum, in which all scales move alike, in decorrelated colors, kept in (0, 1) by a sigmoid
    (Olah, Mordvintsev, Schubert 2017, "Feature visualization", on preconditioning).

    Args:
        start: `(B, 3, H, W)`, RGB, [0, 1]; brought a little away from 0 and 1, where the sigmoid is flat.
    """

    maps = ()

    def __init__(self, start: Tensor) -> None:
        matrix = torch.tensor(COLOR_CORRELATION).to(start)
        self._colors = matrix / matrix.norm(dim=0).max()
        self._set(start)

    @staticmethod
    def random(size: tuple[int, int], generator: torch.Generator, batch: int = 1, deviation: float = 0.01) -> Fourier:
        """A gray picture with noise of equal strength at all scales."""
        canvas = Fourier(torch.full((batch, 3, *size), 0.5))
        shape = canvas.parameters["spectrum"].shape
        canvas.parameters = {"spectrum": deviation * torch.randn(shape, generator=generator)}
        return canvas

    @torch.no_grad()
    def _set(self, picture: Tensor) -> None:
        self._size = (int(picture.shape[-2]), int(picture.shape[-1]))
        logits = picture.clamp(0.02, 0.98).logit()
        plain = torch.einsum("ij,bjhw->bihw", self._colors.inverse(), logits)
        self.parameters = {"spectrum": torch.view_as_real(torch.fft.rfft2(plain, norm="ortho") / self._scale(picture))}

    def _scale(self, like: Tensor) -> Tensor:
        """`1 / frequency`: natural pictures have that spectrum."""
        height, width = self._size
        fy = torch.fft.fftfreq(height, device=like.device)[:, None]
        fx = torch.fft.rfftfreq(width, device=like.device)
        frequency: Tensor = (fy.square() + fx.square()).sqrt()
        return 1 / frequency.clamp_min(1 / max(height, width))

    def image(self) -> Tensor:
        numbers = self.parameters["spectrum"]
        plain = torch.fft.irfft2(torch.view_as_complex(numbers) * self._scale(numbers), s=self._size, norm="ortho")
        rgb: Tensor = torch.einsum("ij,bjhw->bihw", self._colors, plain)
        return rgb.sigmoid()

    def keep_in_range(self) -> None:
        """Every spectrum is a picture."""

    @torch.no_grad()
    def resize(self, size: tuple[int, int]) -> None:
        if self._size != tuple(size):
            picture = F.interpolate(self.image(), size=size, mode="bicubic", antialias=True, align_corners=False)
            self._set(picture.clamp(0, 1))
