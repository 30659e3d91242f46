"""What trains networks for any style: a painting's own moments, measured in the generator, are its style vector."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from impasto.features.encoder import Encoder
from impasto.networks.styled import AnyStyle
from impasto.pictures.color import match_moments
from impasto.training.loss import LossSettings
from impasto.training.painting import PaintingTask
from impasto.training.photos import opened, tried


@dataclass(frozen=True)
class Painting:
    """A cut of a painting, `(1, 3, side, side)`, and what was measured of all of it."""

    pixels: Tensor
    targets: Mapping[str, Tensor]


class AnyStyleTask(PaintingTask):
    """Photographs in random styles, changed at random in color, size and place.

    Args:
        network, photos, encoder, loss, batch, side, seed, workers: see `PaintingTask`.
        paintings: files to train on.
        held_out: photographs and paintings kept apart, to look at.
        window: styles in turn; each is used about `batch` times.
        notice: told, in a sentence, of each painting that cannot be read and is skipped.
    """

    def __init__(
        self,
        network: AnyStyle,
        photos: Sequence[Path],
        paintings: Sequence[Path],
        held_out: tuple[Sequence[Path], Sequence[Path]],
        encoder: Encoder,
        loss: LossSettings,
        *,
        window: int = 400,
        notice: Callable[[str], None] = lambda text: None,
        **options: int,
    ) -> None:
        super().__init__(network, photos, held_out[0], encoder, loss, **options)
        self.paintings, self.paintings_apart, self.window = list(paintings), list(held_out[1]), window
        self.notice = functools.cache(notice)  # once for each
        self._known: dict[int, Painting] = {}

    def chosen(self, number: int) -> tuple[Tensor, dict[str, Tensor]]:
        if number < 0:
            numbers = [-1 - ((-number - 1) * self.size + i) % len(self.paintings_apart) for i in range(self.size)]
        else:
            rng = np.random.default_rng([self.seed, 1, number])
            numbers = [int(i) for i in number + rng.integers(0, self.window, self.size)]
            for old in [i for i in self._known if 0 <= i < number]:
                del self._known[old]
        styles = [self.style(i) for i in numbers]
        targets = {n: torch.cat([p.targets[n] for p in styles]) for n in styles[0].targets}
        return torch.cat([p.pixels for p in styles]), targets

    def style(self, number: int) -> Painting:
        """Style `number`; a negative one is a held-out painting as it is."""
        if number not in self._known:
            picture, cut = self._chosen(number)
            self._known[number] = Painting(cut, self.loss.measured(self.encoder, picture[None].to(self.device)))
        return self._known[number]

    def cut(self, number: int) -> Tensor:
        """Only the cut of style `number`, `(1, 3, side, side)`."""
        return self._chosen(number)[1]

    def _chosen(self, number: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng([self.seed, 2, abs(number)])
        turn = itertools.count(-1 - number)
        apart = self.paintings_apart
        picture = tried(
            lambda: random_style(self.paintings, rng) if number >= 0 else opened(apart[next(turn) % len(apart)], 512),
            self.notice,
        )
        return picture, square(picture, self.photos.photos.side, rng)[None].to(self.device)


def square(picture: Tensor, side: int, rng: np.random.Generator) -> Tensor:
    """A random square cut of `(3, H, W)`, `(3, side, side)`; what is too small is repeated in a mirror."""
    picture = mirrored(picture, side)
    top, left = (int(rng.integers(0, n - side + 1)) for n in picture.shape[1:])
    return picture[:, top : top + side, left : left + side].contiguous()


def mirrored(picture: Tensor, side: int) -> Tensor:
    """`(3, H, W)`, repeated in a mirror until no side is below `side`."""
    while min(picture.shape[1:]) < side:
        picture = torch.cat([picture, picture.flip(1)], 1) if picture.shape[1] < side else picture
        picture = torch.cat([picture, picture.flip(2)], 2) if picture.shape[2] < side else picture
    return picture


def random_style(files: Sequence[Path], rng: np.random.Generator) -> Tensor:
    """A painting at a random size, cut, turned and recolored, `(3, H, W)`: a few hundred files are many styles."""
    side = round(512 * math.exp(rng.uniform(math.log(0.6), math.log(1.4))))
    picture = opened(files[int(rng.integers(len(files)))], side)
    if rng.random() < 0.5:
        least = min(256, *(int(n) for n in picture.shape[1:]))
        height, width = (int(rng.integers(least, n + 1)) for n in picture.shape[1:])
        top, left = (int(rng.integers(0, n - m + 1)) for n, m in zip(picture.shape[1:], (height, width), strict=True))
        picture = picture[:, top : top + height, left : left + width]
    if rng.random() < 0.5:
        picture = picture.flip(2)
    if rng.random() < 0.15:
        picture = picture.transpose(1, 2)
    kind = rng.random()
    if kind < 0.2:
        picture = match_moments(picture[None], opened(files[int(rng.integers(len(files)))], 128)[None])[0]
    elif kind < 0.5:
        picture = _other_colors(picture, rng)
    return picture.contiguous()


def _other_colors(picture: Tensor, rng: np.random.Generator) -> Tensor:
    """Hues turned, saturation, contrast and brightness changed, now and then negative."""
    gray = picture.mean(0, keepdim=True)
    hue = picture - gray
    angle = rng.uniform(-math.pi, math.pi)
    # A rotation about the gray axis (Rodrigues); what lies in the plane of hues stays there.
    turned = math.cos(angle) * hue + math.sin(angle) / math.sqrt(3) * torch.stack(
        [hue[2] - hue[1], hue[0] - hue[2], hue[1] - hue[0]]
    )
    if rng.random() < 0.1:
        gray = 1 - gray
    gray = (gray.clamp(0, 1) ** math.exp(rng.normal(0, 0.3)) - 0.5) * rng.uniform(0.6, 1.2) + 0.5
    return (gray + turned * rng.uniform(0.2, 1.4)).clamp(0, 1)
