"""Any style in one pass: the style vector is predicted from the painting's statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from impasto.features.encoder import Encoder
from impasto.networks.quarter import Quarter
from impasto.objective.statistics import STATISTICS, resized_mask

#: The layers whose statistics describe a style.
LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
#: A style: layer -> Gram matrix above the mean, `(B, C + 1, C)`; `pixels` -> the same of the colors, `(B, 4, 3)`.
Description = Mapping[str, Tensor]


@torch.no_grad()
def describe(encoder: Encoder, style: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
    """The statistics of a painting that `Predictor` reads; they add up, so that averages of them are blends.

    Args:
        encoder: `lite`, for the networks that are shipped.
        style: `(B, 3, H, W)`, RGB, [0, 1].
        mask: which part of it counts, `(B or 1, 1, H, W)`.
    """
    measure = STATISTICS["wasserstein"].measure
    maps = {"pixels": style} | encoder(style, LAYERS)
    return {n: measure(f, None if mask is None else resized_mask(mask, f)).mean() for n, f in maps.items()}


class Predictor(nn.Module):
    """From a style's statistics to what is added to its vector (as Ghiasi et al. 2017, "Exploring the structure of a
    real-time, arbitrary neural artistic stylization network", but from statistics instead of a picture).

    Of each layer it reads the mean and deviation of every channel, and the covariance seen through a fixed random
    projection; all standardized over the styles that `fit` was shown.

    Args:
        channels: of the layers of `LAYERS`.
        style_size: length of the vector; to its last nine numbers, the colors, nothing is added.
        width: of the hidden layers.
        rank: of the projections.
    """

    center: Tensor
    spread: Tensor

    def __init__(self, channels: Sequence[int], style_size: int, width: int = 256, rank: int = 24) -> None:
        super().__init__()
        self.options = {"channels": list(channels), "width": width, "rank": rank}
        generator = torch.Generator().manual_seed(0)
        self.rank = [min(rank, c) for c in channels]
        for layer, count, seen in zip(LAYERS, channels, self.rank, strict=True):
            matrix = torch.linalg.qr(torch.randn(count, seen, generator=generator)).Q.T.contiguous()
            self.register_buffer(f"look_{layer}", matrix, persistent=False)
            self.register_buffer(f"scale_{layer}", torch.ones(count))
        size = sum(2 * c + r * (r + 1) // 2 for c, r in zip(channels, self.rank, strict=True))
        self.register_buffer("center", torch.zeros(size))
        self.register_buffer("spread", torch.ones(size))
        self.inward = nn.Linear(size, width)
        self.hidden = nn.Linear(width, width)
        self.outward = nn.Linear(width, style_size - 9)
        self.dropout = nn.Dropout(0.1)
        nn.init.normal_(self.outward.weight, std=0.01)
        nn.init.zeros_(self.outward.bias)

    def _numbers(self, description: Description) -> Tensor:
        """All that is read of a style, `(B, n)`, not yet standardized."""
        found = []
        for layer, seen in zip(LAYERS, self.rank, strict=True):
            scale, look = self.get_buffer(f"scale_{layer}"), self.get_buffer(f"look_{layer}")
            value = description[layer].to(scale)
            mean = value[:, -1] / scale
            second = value[:, :-1] / (scale[:, None] * scale)
            covariance = second - mean[:, :, None] * mean[:, None, :]
            deviation = covariance.diagonal(dim1=1, dim2=2).clamp_min(0).sqrt()
            rows, columns = torch.tril_indices(seen, seen)
            found += [mean, deviation, (look @ covariance @ look.T)[:, rows, columns]]
        return torch.cat(found, 1)

    @torch.no_grad()
    def fit(self, descriptions: Sequence[Description]) -> None:
        """Learn the usual size of every number from many styles; once, before training."""
        for layer in LAYERS:
            second = torch.cat([d[layer][:, :-1].float().diagonal(dim1=1, dim2=2) for d in descriptions])
            self.get_buffer(f"scale_{layer}").copy_(second.mean(0).clamp_min(1e-12).sqrt())
        numbers = torch.cat([self._numbers({k: v.float() for k, v in d.items()}) for d in descriptions])
        self.center.copy_(numbers.mean(0))
        self.spread.copy_(numbers.std(0).clamp_min(1e-6))

    def forward(self, description: Description) -> Tensor:
        """`(B, style_size)`."""
        numbers = ((self._numbers(description) - self.center) / self.spread).clamp(-4, 4)
        h = nn.functional.silu(self.inward(self.dropout(numbers)))
        h = nn.functional.silu(self.hidden(h))
        return nn.functional.pad(self.outward(h), (0, 9))


class AnyStyle(nn.Module):
    """A generator and what finds style vectors for it: the moments that a painting has in the generator itself, plus
    what the predictor adds.

    Args:
        generator: whose vector ends in the colors of `Recolor`.
        predictor: of what is added.
    """

    def __init__(self, generator: Quarter, predictor: Predictor | None = None) -> None:
        super().__init__()
        self.generator, self.predictor = generator, predictor

    def vectors(self, styles: Tensor, description: Description, mask: Tensor | None = None) -> Tensor:
        """Style vectors `(B, P)`.

        Args:
            styles: paintings, `(B, 3, H, W)`, RGB, [0, 1].
            description: the statistics of the same, from `describe`.
            mask: which part of them counts, `(B or 1, 1, H, W)`.
        """
        found = self.generator.moments(styles, mask)
        return found if self.predictor is None else found + self.predictor(description)

    def forward(self, images: Tensor, styles: Tensor, description: Description) -> Tensor:
        found: Tensor = self.generator(images, self.vectors(styles, description))
        return found
