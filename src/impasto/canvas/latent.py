"""A picture as latents of a decoder: what that cannot make is never seen."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.canvas.decoder import CELL, CHANNELS, Prior

#: From a picture to its loss and the loss's parts, as in `impasto.optimize`.
Goal: TypeAlias = Callable[[Tensor], tuple[Tensor, dict[str, Tensor]]]
#: A latent's spectrum is a parameter times `GAIN / frequency ** slope`: at a rate at which other canvases are quick,
#: latents go to a picture that is as strong and far less natural.
SLOPE, GAIN = 0.5, 0.3
#: How much longer latents may become than a picture's own are.
SPARE = 1.1
#: Pictures that differ by less, half a step of 8 bits, are the same.
SAME = 0.5 / 255
#: Steps that fit latents to a picture, and their rate.
FITTED, FIT_RATE = 20, 0.1


class Latent:
    """A picture by the spectrum of its latents.

    Nguyen et al. 2016, "Synthesizing the preferred inputs for neurons in neural networks via deep generator networks":
    what is sought is a code, which a trained generator makes a picture of. Theirs is one code of the whole picture;
    ours is one for each cell of 8×8 pixels, of a decoder that knows what photographs look like from near. White
    numbers, whose spectrum falls with the frequency as that of pictures does, are mixed by the covariance of
    photographs' latents and decoded.

    Args:
        prior: the decoder.
        size: `(H, W)`, any.
        white: latents to begin with, `(B, 32, ⌈H/8⌉, ⌈W/8⌉)`.
        rest: what is added to what is decoded, `(B, 3, H, W)`.
        length: root of the largest mean square of white latents; of photographs it is 1.
        slope: exponent of the frequency; 0 to change all scales alike.
    """

    maps = ()

    def __init__(
        self,
        prior: Prior,
        size: tuple[int, int],
        white: Tensor,
        *,
        rest: Tensor | None = None,
        length: float = 1.0,
        slope: float = SLOPE,
    ) -> None:
        self.prior, self.length, self.rest, self.slope = prior, length, rest, slope
        self._set(white, size)

    @staticmethod
    def random(prior: Prior, size: tuple[int, int], generator: torch.Generator, batch: int = 1) -> Latent:
        """Pictures of faint noise, the same on every device."""
        canvas = Latent(prior, size, prior.mean.new_zeros(batch, CHANNELS, *cells(size)))
        noise = torch.randn(canvas.parameters["latents"].shape, generator=generator)
        canvas.parameters = {"latents": noise.to(prior.mean)}
        return canvas

    @staticmethod
    def of(prior: Prior, picture: Tensor, shown: Tensor | None = None) -> Latent:
        """A canvas that shows a picture exactly at first, since what the decoder cannot make of it is added; all scales
        change alike, as the picture has large things already.

        Args:
            prior: the decoder.
            picture: `(B, 3, H, W)`, RGB, [0, 1].
            shown: a changed picture to begin with instead; as near as the decoder comes.
        """
        size = (int(picture.shape[-2]), int(picture.shape[-1]))
        white = fit(prior, picture)
        with torch.no_grad():
            rest = picture - decoded(prior, white, size)
        length = max(1.0, SPARE * white.square().mean().sqrt().item())
        if shown is not None and (shown - picture).abs().max() > SAME:
            white = fit(prior, shown - rest, white)
        return Latent(prior, size, white, rest=rest, length=length, slope=0.0)

    def _set(self, white: Tensor, size: tuple[int, int]) -> None:
        self._size = (int(size[0]), int(size[1]))
        spectrum = torch.fft.rfft2(white, norm="ortho") / self._scale(white)
        self.parameters = {"latents": torch.view_as_real(spectrum)}

    def _scale(self, like: Tensor) -> Tensor:
        height, width = cells(self._size)
        fy = torch.fft.fftfreq(height, device=like.device)[:, None]
        fx = torch.fft.rfftfreq(width, device=like.device)
        frequency: Tensor = (fy.square() + fx.square()).sqrt()
        return GAIN * frequency.clamp_min(1 / max(height, width)) ** -self.slope

    def white(self) -> Tensor:
        """`(B, 32, ⌈H/8⌉, ⌈W/8⌉)`, where photographs' have mean 0 and covariance 1."""
        numbers = self.parameters["latents"]
        spectrum = torch.view_as_complex(numbers) * self._scale(numbers)
        found: Tensor = torch.fft.irfft2(spectrum, s=cells(self._size), norm="ortho")
        return found

    def image(self) -> Tensor:
        found = decoded(self.prior, self.white(), self._size)
        return (found if self.rest is None else found + self.rest).clamp(0, 1)

    @torch.no_grad()
    def keep_in_range(self) -> None:
        far = self.white().square().mean((1, 2, 3)).sqrt() / self.length
        self.parameters["latents"].div_(far.clamp_min(1).view(-1, 1, 1, 1, 1))

    @torch.no_grad()
    def resize(self, size: tuple[int, int]) -> None:
        if self._size != tuple(size):
            if self.rest is not None:
                self.rest = F.interpolate(self.rest, size, mode="bicubic", align_corners=False)
            self._set(F.interpolate(self.white(), cells(size), mode="bicubic", align_corners=False), size)


def likely(goal: Goal, canvas: Latent | None, weight: float) -> Goal:
    """A goal that also wants latents to be likely: `weight` times their mean square is added.

    Args:
        goal: from a picture to its loss, and the parts of that.
        canvas: what makes the picture; None for one without latents, where the goal is handed back.
        weight: of the prior.
    """
    if canvas is None or not weight:
        return goal

    def found(image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        total, parts = goal(image)
        prior = weight * canvas.white().square().mean()
        return total + prior, {**parts, "prior": prior.detach()}

    return found


def cells(size: tuple[int, int]) -> tuple[int, int]:
    """How many latents cover a picture of that size."""
    return math.ceil(size[0] / CELL), math.ceil(size[1] / CELL)


def decoded(prior: Prior, white: Tensor, size: tuple[int, int]) -> Tensor:
    """What a decoder makes of white latents, cut to `(H, W)`: `(B, 3, H, W)`, about in [0, 1]."""
    found: Tensor = prior(white)
    return found[..., : size[0], : size[1]]


@torch.inference_mode(False)
def fit(prior: Prior, picture: Tensor, start: Tensor | None = None, steps: int = FITTED) -> Tensor:
    """White latents of a picture, by Adam on the squared error of what is decoded.

    Args:
        prior: the decoder.
        picture: `(B, 3, H, W)`, RGB, [0, 1].
        start: to begin with; photographs' mean if not given.
        steps: of Adam.

    Returns:
        `(B, 32, ⌈H/8⌉, ⌈W/8⌉)`.
    """
    size = (int(picture.shape[-2]), int(picture.shape[-1]))
    down, right = (CELL * count - side for count, side in zip(cells(size), size, strict=True))
    whole = F.pad(picture, (0, right, 0, down), mode="replicate")
    with torch.enable_grad():
        empty = prior.mean.new_zeros(len(picture), CHANNELS, *cells(size))
        white = (empty if start is None else start).detach().clone().requires_grad_()
        search = torch.optim.Adam([white], lr=FIT_RATE)
        for _ in range(steps):
            (white.grad,) = torch.autograd.grad((prior(white) - whole).square().mean(), white)
            search.step()
    return white.detach()
