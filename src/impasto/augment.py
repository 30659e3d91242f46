"""Random styles as augmentation of training sets (Geirhos et al. 2019, "ImageNet-trained CNNs are biased towards
texture"; Jackson et al. 2019, "Style augmentation")."""

from __future__ import annotations

import os
from collections.abc import Sequence
from operator import index
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
        if not 0 <= p <= 1:
            raise InputError(f"p is {p}; it must be a probability, from 0 to 1")
        if not (isinstance(strength, Sequence) and len(strength) == 2 and 0 <= strength[0] <= strength[1] <= 1):
            raise InputError(f"strength is {strength}; it must be two numbers from 0 to 1, the smaller first")
        if size is not None and size < 1:
            raise InputError(f"size is {size}; it must be at least 1 pixel, or None")
        if seed is not None and not 0 <= index(seed) < 2**63:
            raise InputError(f"seed is {seed}; it must be a whole number from 0 to 2^63 - 1, or None")
        self.p, self.strength, self.model, self.size = p, (strength[0], strength[1]), model, size
        self.seed = None if seed is None else index(seed)
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
        if not isinstance(images, Tensor) or not (images.is_floating_point() or images.dtype == torch.uint8):
            kind = images.dtype if isinstance(images, Tensor) else type(images).__name__
            raise InputError(f"pictures are {kind}; they must be tensors of floats or uint8: use it after ToTensor")
        if images.dim() not in (3, 4) or images.shape[-3] != 3 or 0 in images.shape[-2:]:
            raise InputError(f"pictures are of shape {tuple(images.shape)}; they must be (3, H, W) or (B, 3, H, W)")
        result = self._paint(images if images.dim() == 4 else images[None]).view_as(images)
        return result if labels is None else (result, labels)

    @torch.no_grad()  # tensors of inference mode could not be trained on
    def _paint(self, batch: Tensor) -> Tensor:
        random = self._random()
        chosen = torch.nonzero(torch.rand(len(batch), generator=random) < self.p).flatten()
        low, high = self.strength
        shares = low + (high - low) * torch.rand(len(chosen), 1, 1, 1, generator=random)
        if len(chosen) == 0 or high == 0:
            return batch
        painter, top = self._open(batch.device), 255.0 if batch.dtype == torch.uint8 else 1.0
        vectors = torch.cat([self._style(painter, random).to(batch.device) for _ in chosen])
        pictures = batch[chosen].float() / top
        painted = torch.lerp(pictures, self._painted(painter, pictures, vectors), shares.to(batch.device)) * top
        result = batch.clone()
        result[chosen] = (painted.round() if top > 1 else painted).to(batch.dtype)
        return result

    def _painted(self, painter: Painter, pictures: Tensor, vectors: Tensor) -> Tensor:
        height, width = pictures.shape[-2:]
        ratio = 1.0 if self.size is None else min(1.0, self.size / max(height, width))
        if ratio == 1:
            return painter(pictures, vectors)
        size = (max(1, round(height * ratio)), max(1, round(width * ratio)))
        small = torch.nn.functional.interpolate(pictures, size, mode="bilinear", antialias=True)
        return torch.nn.functional.interpolate(painter(small, vectors), (height, width), mode="bilinear")

    def _open(self, device: torch.device) -> Painter:
        """The painter, on the pictures' device."""
        if self._painter is None:
            self._painter = open_painter(self.model, str(device))
            if self.files is None and self._painter.model.distribution is None:
                raise InputError("this model has no distribution of styles; give a folder of paintings as styles")
        self._painter.model.to(str(device))
        return self._painter

    def _style(self, painter: Painter, random: torch.Generator | None) -> Tensor:
        """A random style vector, `(1, P)`."""
        return painter.model.sample(random) if self.files is None else tried(lambda: self._drawn(painter, random))

    def _drawn(self, painter: Painter, random: torch.Generator | None) -> Tensor:
        assert self.files is not None
        number = int(torch.randint(len(self.files), (), generator=random))
        if number not in self._vectors:
            device = next(painter.model.generator.parameters()).device
            picture = opened(self.files[number], 512)[None].to(device)
            self._vectors[number] = painting_vector(painter, [StyleImage(picture)])
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
