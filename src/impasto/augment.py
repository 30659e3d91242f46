"""Random styles as augmentation of training sets (Geirhos et al. 2019, "ImageNet-trained CNNs are biased towards
texture"; Jackson et al. 2019, "Style augmentation")."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from impasto.errors import InputError
from impasto.media import pictures_in
from impasto.methods.instant import painting_vector
from impasto.methods.regions import StyleImage
from impasto.networks.models import Model
from impasto.networks.painter import Painter, open_painter
from impasto.training.photos import opened, tried


class StyleAugment:
    """Paints pictures of a training set in random styles, each with probability `p`; labels stay as they are.

        transform = impasto.StyleAugment(p=0.5, strength=(0, 1))
        dataset = torchvision.datasets.ImageFolder("train", Compose([ToTensor(), transform]))
        images, labels = transform(batch, labels)     # or on whole batches, with their labels

    Styles are drawn from the distribution of vectors that the packaged any-style network was trained with, or from the
    paintings of a folder. It can be pickled, so that every worker of a `DataLoader` has its own; the network is loaded
    when it is first needed. Without a seed it draws from torch's random numbers, which `torch.manual_seed` fixes and
    a `DataLoader` makes different in each worker.

    Args:
        p: probability that a picture is painted.
        strength: of the style, drawn evenly between these two; 0 is the picture as it was.
        styles: a folder of paintings; the network's own distribution if None.
        model: a model, or the path of its file; the packaged any-style network if None.
        size: the network works at this long side at most, so that large pictures stay cheap; None for any.
        seed: of its own random numbers. In the workers of a `DataLoader` they are others in each worker and each epoch,
            and those of `torch.manual_seed` or the loader's `generator`, too.

    Raises:
        InputError: if an argument is out of range, or the folder holds no picture.
    """

    def __init__(
        self,
        p: float = 0.5,
        strength: tuple[float, float] = (0.0, 1.0),
        styles: str | os.PathLike[str] | None = None,
        model: Model | str | None = None,
        size: int | None = None,
        seed: int | None = None,
    ) -> None:
        low, high = strength
        if not 0 <= p <= 1:
            raise InputError(f"p is {p}; it must be a probability, from 0 to 1")
        if not 0 <= low <= high <= 1:
            raise InputError(f"strength is {strength}; it must be two numbers from 0 to 1, the smaller first")
        self.p, self.strength, self.model, self.size, self.seed = p, (low, high), model, size, seed
        self.files = None if styles is None else pictures_in(styles, recursive=True)
        self._painter: Painter | None = None
        self._vectors: dict[int, Tensor] = {}
        self._generator: torch.Generator | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_painter": None, "_generator": None, "_vectors": {}}

    def __call__(self, images: Tensor, labels: Any = None) -> Any:
        """Args:
            images: `(3, H, W)` or `(B, 3, H, W)`, RGB; floats in [0, 1] or 8-bit integers.
            labels: of the pictures, handed back untouched.

        Returns:
            Pictures of the same shape and type; with labels, if any were given.
        """
        if images.dim() not in (3, 4) or images.shape[-3] != 3:
            raise InputError(f"pictures are of shape {tuple(images.shape)}; they must be (3, H, W) or (B, 3, H, W)")
        batch = images if images.dim() == 4 else images[None]
        painted = self._paint(batch.float() / 255 if images.dtype == torch.uint8 else batch.float())
        if images.dtype == torch.uint8:
            painted = (painted * 255).round()
        result = painted.to(images.dtype).view_as(images)
        return result if labels is None else (result, labels)

    @torch.no_grad()  # tensors of inference mode could not be trained on
    def _paint(self, batch: Tensor) -> Tensor:
        random = self._random()
        chosen = torch.nonzero(torch.rand(len(batch), generator=random) < self.p).flatten()
        if len(chosen) == 0:
            return batch
        low, high = self.strength
        shares = low + (high - low) * torch.rand(len(chosen), 1, 1, 1, generator=random)
        vectors = torch.cat([self._style(random) for _ in chosen])
        pictures = batch[chosen]
        painted = self._painted(pictures, vectors.to(batch.device))
        result = batch.clone()
        result[chosen] = torch.lerp(pictures, painted, shares.to(batch.device))
        return result

    def _painted(self, pictures: Tensor, vectors: Tensor) -> Tensor:
        height, width = pictures.shape[-2:]
        ratio = 1.0 if self.size is None else min(1.0, self.size / max(height, width))
        if ratio == 1:
            return self._open(pictures.device)(pictures, vectors)
        size = (max(1, round(height * ratio)), max(1, round(width * ratio)))
        small = torch.nn.functional.interpolate(pictures, size, mode="bilinear", antialias=True)
        painted = self._open(pictures.device)(small, vectors)
        return torch.nn.functional.interpolate(painted, (height, width), mode="bilinear")

    def _open(self, device: torch.device) -> Painter:
        if self._painter is None:
            self._painter = open_painter(self.model, str(device))
            if self.files is None and self._painter.model.distribution is None:
                raise InputError("this model has no distribution of styles; give a folder of paintings as styles")
        return self._painter

    def _style(self, random: torch.Generator | None) -> Tensor:
        """A random style vector, `(1, P)`."""
        painter = self._painter or self._open(torch.device("cpu"))
        if self.files is None:
            return painter.model.sample(random)
        return tried(lambda: self._drawn(painter, random))

    def _drawn(self, painter: Painter, random: torch.Generator | None) -> Tensor:
        assert self.files is not None
        number = int(torch.randint(len(self.files), (), generator=random))
        if number not in self._vectors:
            self._vectors[number] = painting_vector(painter, [StyleImage(opened(self.files[number], 512)[None])])
        return self._vectors[number]

    def _random(self) -> torch.Generator | None:
        """Its own random numbers, or None for torch's."""
        if self.seed is None:
            return None
        worker = get_worker_info()  # its seed is another in each worker and each epoch
        seed = self.seed if worker is None else (self.seed + 1_000_003 * worker.seed) % 2**63
        if self._generator is None or self._generator.initial_seed() != seed:  # or forked from the main process
            self._generator = torch.Generator().manual_seed(seed)
        return self._generator
