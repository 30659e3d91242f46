"""What is optimized: parameters that an image is made from."""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.color import chroma, luma, luma_range
from impasto.resample import blur, lanczos


class Canvas(Protocol):
    """Parameters and the image they stand for.

    Attributes:
        parameters: the leaf tensor that an optimizer changes.
    """

    parameters: Tensor

    def image(self) -> Tensor:
        """`(B, 3, H, W)`, RGB, [0, 1], differentiable with respect to `parameters`."""
        ...

    def keep_in_range(self) -> None:
        """Bring the parameters back to where the image is valid, in place."""
        ...

    def resize(self, size: tuple[int, int]) -> None:
        """Carry the image over to `(H, W)`."""
        ...


class Pixels:
    """The image itself, its values kept in [0, 1].

    Args:
        start: `(B, 3, H, W)`, RGB, [0, 1].
        wrap: opposite sides are neighbors, also when it is resized.
    """

    def __init__(self, start: Tensor, *, wrap: bool = False) -> None:
        self.parameters = start.detach().clone()
        self.wrap = wrap

    def image(self) -> Tensor:
        return self.parameters

    @torch.no_grad()
    def keep_in_range(self) -> None:
        self.parameters.clamp_(0, 1)

    @torch.no_grad()
    def resize(self, size: tuple[int, int]) -> None:
        height, width = (int(side) for side in self.parameters.shape[-2:])
        if (height, width) == tuple(size):
            return
        x, times = self.parameters, 1
        if self.wrap:
            x, times = F.pad(x, (width, width, height, height), mode="circular"), 3
        # Enlarged, the grain of single pixels would stay behind as a grid of cells; blurred, it does not.
        x = lanczos(blur(x, 0.7) if size[0] > height else x, (times * size[0], times * size[1]))
        self.parameters = x[..., size[0] : 2 * size[0], size[1] : 2 * size[1]] if self.wrap else x


#: From decorrelated colors to RGB, before the sigmoid: the root of the covariance of ImageNet's colors, its columns'
#: largest norm 1 (Olah, Mordvintsev, Schubert 2017, "Feature visualization").
COLOR_CORRELATION = ((0.26, 0.09, 0.02), (0.27, 0.0, -0.05), (0.27, -0.09, 0.03))


class Fourier:
    """A picture by its spectrum, in which all scales move alike, in decorrelated colors, kept in (0, 1) by a sigmoid
    (Olah, Mordvintsev, Schubert 2017, "Feature visualization", on preconditioning).

    Args:
        start: `(B, 3, H, W)`, RGB, [0, 1]; brought a little away from 0 and 1, where the sigmoid is flat.
    """

    def __init__(self, start: Tensor) -> None:
        matrix = torch.tensor(COLOR_CORRELATION).to(start)
        self._colors = matrix / matrix.norm(dim=0).max()
        self._set(start)

    @staticmethod
    def random(size: tuple[int, int], generator: torch.Generator, batch: int = 1, deviation: float = 0.01) -> Fourier:
        """A gray picture with noise of equal strength at all scales."""
        canvas = Fourier(torch.full((batch, 3, *size), 0.5))
        canvas.parameters = deviation * torch.randn(canvas.parameters.shape, generator=generator)
        return canvas

    @torch.no_grad()
    def _set(self, picture: Tensor) -> None:
        self._size = (int(picture.shape[-2]), int(picture.shape[-1]))
        logits = picture.clamp(0.02, 0.98).logit()
        plain = torch.einsum("ij,bjhw->bihw", self._colors.inverse(), logits)
        self.parameters = torch.view_as_real(torch.fft.rfft2(plain, norm="ortho") / self._scale(picture))

    def _scale(self, like: Tensor) -> Tensor:
        """`1 / frequency`: natural pictures have that spectrum."""
        height, width = self._size
        fy = torch.fft.fftfreq(height, device=like.device)[:, None]
        fx = torch.fft.rfftfreq(width, device=like.device)
        frequency: Tensor = (fy.square() + fx.square()).sqrt()
        return 1 / frequency.clamp_min(1 / max(height, width))

    def image(self) -> Tensor:
        spectrum = torch.view_as_complex(self.parameters) * self._scale(self.parameters)
        plain = torch.fft.irfft2(spectrum, s=self._size, norm="ortho")
        rgb: Tensor = torch.einsum("ij,bjhw->bihw", self._colors, plain)
        return rgb.sigmoid()

    def keep_in_range(self) -> None:
        """Every spectrum is a picture."""

    @torch.no_grad()
    def resize(self, size: tuple[int, int]) -> None:
        if self._size != tuple(size):
            picture = F.interpolate(self.image(), size=size, mode="bicubic", antialias=True, align_corners=False)
            self._set(picture.clamp(0, 1))


class Kept:
    """A canvas of which a part shows a fixed picture, pixel for pixel.

    Args:
        canvas: what is optimized elsewhere.
        fixed: `(1, 3, H, W)`, RGB, [0, 1].
        where: 1 where `fixed` shows, 0 where the canvas does, `(1, 1, H, W)`.
    """

    def __init__(self, canvas: Canvas, fixed: Tensor, where: Tensor) -> None:
        self.canvas = canvas
        self.fixed, self.where = fixed, where
        self._now = fixed, where

    @property
    def parameters(self) -> Tensor:
        return self.canvas.parameters

    @parameters.setter
    def parameters(self, value: Tensor) -> None:
        self.canvas.parameters = value

    def image(self) -> Tensor:
        fixed, where = self._now
        return torch.lerp(self.canvas.image(), fixed, where)

    def keep_in_range(self) -> None:
        self.canvas.keep_in_range()

    def resize(self, size: tuple[int, int]) -> None:
        self.canvas.resize(size)
        self._now = lanczos(self.fixed, size), lanczos(self.where, size)


class Luminance:
    """A picture of which only the luma is optimized; its chroma is the content's, exactly.

    The luma of each pixel is kept where chroma and luma together stay in [0, 1], so that nothing is ever clipped.

    Args:
        content: `(1, 3, H, W)`, RGB, [0, 1].
        start: the picture whose luma to start from, `(1, 3, h, w)`.
    """

    def __init__(self, content: Tensor, start: Tensor) -> None:
        self.content = content
        self.parameters = luma(start).detach().clone()
        self.resize((int(start.shape[-2]), int(start.shape[-1])))

    def image(self) -> Tensor:
        return self.parameters + self._chroma

    @torch.no_grad()
    def keep_in_range(self) -> None:
        self.parameters.copy_(self.parameters.maximum(self._least).minimum(self._most))

    @torch.no_grad()
    def resize(self, size: tuple[int, int]) -> None:
        if tuple(self.parameters.shape[-2:]) != tuple(size):
            self.parameters = lanczos(self.parameters, size)
        self._chroma = chroma(lanczos(self.content, size))
        self._least, self._most = luma_range(self._chroma)
        self.keep_in_range()
