"""Photographs to train on: crops out of a folder, or scenes made up."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from impasto.errors import InputError
from impasto.media import read_image
from impasto.pictures.resample import lanczos


def opened(path: Path, side: int) -> Tensor:
    """A picture as `read_image` sees it, `(3, H, W)`, its long side `side` pixels, no side below 32.

    Raises:
        InputError: if it cannot be read.
    """
    pixels = read_image(path, at_least=side).pixels
    height, width = (max(32, round(n * side / max(pixels.shape[2:]))) for n in pixels.shape[2:])
    return lanczos(pixels, (height, width))[0]


def random_crop(picture: Tensor, side: int, rng: np.random.Generator, scales: tuple[float, float]) -> Tensor:
    """A square cut, `(3, side, side)`, out of a picture `(1, 3, H, W)` resized so that its long side is 512 times a
    random scale, but no smaller than the cut; flipped half of the time."""
    scale = math.exp(rng.uniform(math.log(scales[0]), math.log(scales[1])))
    sides = picture.shape[2:]
    ratio = max(512 * scale / max(sides), side / min(sides))
    starts = [int(rng.integers(0, max(side, round(n * ratio)) - side + 1)) for n in sides[::-1]][::-1]
    # Only the part that is needed is resized.
    rows, columns = (slice(int(s / ratio), math.ceil((s + side) / ratio)) for s in starts)
    pixels = lanczos(picture[..., rows, columns], (side, side))[0]
    return pixels.flip(2) if rng.random() < 0.5 else pixels


T = TypeVar("T")


def tried(draw: Callable[[], T], notice: Callable[[str], None] = lambda text: None) -> T:
    """What `draw` finds, which is called again where a picture cannot be read: one damaged file among thousands is no
    reason to stop.

    Args:
        draw: picks a picture at random and reads it.
        notice: told, in a sentence, of each picture that is skipped.

    Raises:
        InputError: if 20 in a row cannot be read.
    """
    for _ in range(20):
        try:
            return draw()
        except InputError as error:
            reason = error
            notice(f"skipped: {error}")
    raise InputError(f"20 pictures in a row cannot be read, the last because {reason}; give a folder of sound ones")


def fingerprint(files: Sequence[Path]) -> str:
    """What tells lists of files apart: their number, names and sizes, and of few what is in them."""
    digest = hashlib.sha256()
    try:
        for path in files:
            digest.update(os.fsencode(path.name) + b" %d " % path.stat().st_size)
            if len(files) <= 64:
                digest.update(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    return f"{len(files)} files, {digest.hexdigest()[:12]}"


class Photos(Dataset[Tensor]):
    """An endless sequence of crops: item `i` is the same in every run with the same seed, in any worker.

    Args:
        files: of the photographs; where there is none, scenes are made up.
        side: of the square crops, pixels.
        seed: of the choice of files, places and scales.
        scales: of the photograph's long side relative to 512 pixels.
    """

    def __init__(
        self, files: Sequence[Path], side: int = 256, seed: int = 0, scales: tuple[float, float] = (0.7, 1.5)
    ) -> None:
        self.files, self.side, self.seed, self.scales = list(files), side, seed, scales

    def __len__(self) -> int:
        return 2**40

    def __getitem__(self, index: int) -> Tensor:
        rng = np.random.default_rng([self.seed, index])
        if not self.files:
            return scene(self.side, rng)
        picture = tried(lambda: read_image(self.files[int(rng.integers(len(self.files)))]).pixels)
        return random_crop(picture, self.side, rng, self.scales)


#: Pixels that losses are shifted by at most: the generators' cells, and some of the encoders' pools.
SHIFT = 8


def random_shift(seed: int, number: int) -> tuple[int, int]:
    """Where the loss of batch `number` begins to look, for `shifted`; of held-out batches, the middle."""
    if number < 0:
        return SHIFT // 2, SHIFT // 2
    down, right = np.random.default_rng([seed, 4, number]).integers(0, SHIFT + 1, 2)
    return int(down), int(right)


def shifted(pictures: Tensor, shift: tuple[int, int]) -> Tensor:
    """`(B, 3, H, W)` without `SHIFT` of its rows and columns: a loss that always saw a generator's cells at the same
    places of its own pools would not see the grid that they leave."""
    height, width = (int(n) - SHIFT for n in pictures.shape[-2:])
    return pictures[..., shift[0] : shift[0] + height, shift[1] : shift[1] + width]


class Stream:
    """Batches of photographs by number; those that come in turn are decoded ahead.

    Args:
        photos: the crops.
        batch: how many at a time.
        workers: processes that decode ahead; 0 to decode when asked.
    """

    def __init__(self, photos: Photos, batch: int, workers: int = 0) -> None:
        self.photos, self.batch, self.workers = photos, batch, workers
        self._ahead: Iterator[Tensor] = iter(())
        self._next: int | None = None

    def __call__(self, number: int) -> Tensor:
        """Batch `number`, from 0: `(batch, 3, side, side)`."""
        if not self.workers:
            return torch.stack([self.photos[number * self.batch + i] for i in range(self.batch)])
        if number != self._next:
            groups = (range(n * self.batch, (n + 1) * self.batch) for n in count(number))
            loader = DataLoader(self.photos, batch_sampler=groups, num_workers=self.workers)  # type: ignore[arg-type]
            self._ahead = iter(loader)
        self._next = number + 1
        return next(self._ahead)


def scene(side: int, rng: np.random.Generator) -> Tensor:
    """A made-up scene, `(3, side, side)`: a sky, hills, and things with edges, shades and grain. Second best.

    Gradients, occluding shapes of all sizes (dead leaves: Lee, Mumford, Huang 2001) and noise of natural spectrum have
    the statistics of edges and textures that photographs have, but not their objects.
    """
    yy, xx = np.mgrid[0:side, 0:side].astype(np.float32) / side
    first, second = rng.uniform(0, 1, (2, 3, 1, 1))
    picture = first + (second - first) * (yy if rng.random() < 0.7 else xx)[None]
    for _ in range(int(rng.integers(5, 60))):
        radius = min(0.5, 0.02 / rng.uniform(0.03, 1))
        dx, dy = xx - rng.uniform(-0.1, 1.1), yy - rng.uniform(-0.1, 1.1)
        angle, squeeze = rng.uniform(0, np.pi), rng.uniform(0.4, 1)
        u, v = dx * np.cos(angle) + dy * np.sin(angle), (dy * np.cos(angle) - dx * np.sin(angle)) / squeeze
        power = rng.choice([1.0, 2.0, 8.0])  # diamonds, ellipses, boxes
        inside = np.abs(u / radius) ** power + np.abs(v / radius) ** power < 1
        color = rng.uniform(0, 1, (3, 1, 1)) + rng.uniform(-0.5, 0.5) * (u / radius)[None]
        picture = np.where(inside[None], color + 0.1 * rng.normal() * _grain(side, rng)[None], picture)
    picture = picture + rng.uniform(0, 0.08) * _grain(side, rng)[None]
    return torch.from_numpy(np.clip(picture, 0, 1).astype(np.float32))


def _grain(side: int, rng: np.random.Generator) -> np.ndarray:
    """Noise `(side, side)` with a spectrum of `1 / frequency`, as photographs have; mean 0, deviation 1."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    spectrum = np.fft.rfft2(rng.normal(size=(side, side))) / np.maximum(frequency, 1 / side)
    spectrum[0, 0] = 0
    noise = np.fft.irfft2(spectrum, s=(side, side))
    found: np.ndarray = noise / noise.std()
    return found
