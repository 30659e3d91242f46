"""Style as a set of patches: each patch of the picture is drawn to the one of the style that it resembles most."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.features.encoder import Encoder
from impasto.objective.losses import View
from impasto.objective.registry import USUAL_STYLE_LAYERS
from impasto.objective.statistics import resized_mask, whole
from impasto.objective.terms import LayerTerm
from impasto.pictures.displacement import Displacement, followed

#: Correlations held at once, so that memory stays bounded (floats).
CHUNK = 2**23


@dataclass(frozen=True)
class Bank:
    """Patches of a style at one layer.

    Attributes:
        patches: `(K, D)`, rows of `C · size²` numbers.
        keys: `(K, D')`, what is compared to find the best match: the patches, with those of a semantic map behind them
            if there is one, each scaled to length 1.
        center: `(1, C, 1, 1)`, subtracted from features before they are compared.
    """

    patches: Tensor
    keys: Tensor
    center: Tensor


#: The maps of a view of a painting by layer, its mask and its semantic map.
Maps = tuple[dict[str, Tensor], Tensor | None, Tensor | None]


@dataclass(frozen=True)
class Matching:
    """How patches are cut, matched and compared.

    Attributes:
        size: of a patch, in positions; odd.
        stride: between patches.
        cosine: compare `1 − cos`, features centered at the style's mean, instead of squared differences.
        limit: patches kept of all styles together at one layer, evenly spaced.
        default_layers: see `StyleLoss`.
    """

    size: int
    stride: int
    cosine: bool
    limit: int = 8192
    default_layers: tuple[str, ...] = USUAL_STYLE_LAYERS
    additive: bool = field(default=False, init=False, repr=False)

    @property
    def cut(self) -> float:
        """See `StyleLoss`."""
        return (self.size / self.stride) ** 2

    @property
    def held(self) -> float:
        """See `StyleLoss`."""
        return self.limit * self.size**2

    @torch.no_grad()
    def read(self, encoder: Encoder, layers: Sequence[str], views: Iterable[View]) -> list[Maps]:
        return [(encoder(view.picture, layers), view.mask, view.guide) for view in views]

    def targets(self, paintings: Iterable[list[Maps]], shares: Sequence[float]) -> dict[str, Bank]:
        views = [(view, share) for views, share in zip(paintings, shares, strict=True) for view in views]
        each = [share for _, share in views]
        masks, guides = [mask for (_, mask, _), _ in views], [guide for (_, _, guide), _ in views]
        layers = views[0][0][0]
        return {n: self.bank([maps[n] for (maps, _, _), _ in views], each, masks, guides) for n in layers}

    def term(
        self,
        targets: Mapping[str, Bank],
        weights: Mapping[str, float],
        convention: str,
        mask: Tensor | None = None,
        guide: Tensor | None = None,
    ) -> Match:
        return Match(targets, weights, self, mask, guide, convention == "relative")

    def bank(
        self,
        maps: Sequence[Tensor],
        shares: Sequence[float],
        masks: Sequence[Tensor | None],
        guides: Sequence[Tensor | None],
    ) -> Bank:
        """The patches of several styles, of each as large a part as its share is of the largest.

        Args:
            maps: `(1, C, H, W)` of each style (or copy of it).
            shares: at least 0, not all 0.
            masks: which part of each counts, `(1, 1, h, w)` in [0, 1].
            guides: semantic maps `(1, K, h, w)`, already weighted.
        """
        center = torch.zeros_like(maps[0][:, :, :1, :1])
        if self.cosine:
            means = [s * _mean(m, mask) for s, m, mask in zip(shares, maps, masks, strict=True)]
            center = torch.stack(means).sum(0) / sum(shares)
        found: list[tuple[Tensor, Tensor]] = []
        for features, mask, guide in zip(maps, masks, guides, strict=True):
            patches = self._cut(features - center)
            keys = self._keys(patches, guide, features)
            if mask is not None:
                inside = self._cut_weights(mask, features)
                keep = inside >= min(0.5, 0.99 * inside.max().item())
                patches, keys = patches[keep], keys[keep]
            found.append((patches, keys))
        counts = _counts([len(p) for p, _ in found], shares, self.limit)
        chosen = [
            (p[rows], k[rows])
            for (p, k), n in zip(found, counts, strict=True)
            if len(rows := torch.linspace(0, len(p) - 1, n).round().long())
        ]
        keys = F.normalize(torch.cat([k for _, k in chosen]), dim=1)
        return Bank(torch.cat([p for p, _ in chosen]), keys, center)

    def loss(self, features: Tensor, bank: Bank, mask: Tensor | None = None, guide: Tensor | None = None) -> Tensor:
        """The mean over patches of the distance to the best match.

        Args:
            features: `(B, C, H, W)`.
            bank: where matches come from.
            mask: weight of the positions, `(1, 1, h, w)`.
            guide: the picture's semantic map, `(1, K, h, w)`, weighted as the bank's.

        Returns:
            Squared differences per number (Li and Wand 2016, eq. 2), or `1 − cos` (Kolkin et al. 2022, eq. 3).
        """
        losses = []
        for one in features.unsqueeze(1):
            patches = self._cut(one - bank.center)
            with torch.no_grad():
                match = best_match(self._keys(patches, guide, one), bank.keys)
            if self.cosine:
                each = 1 - F.cosine_similarity(patches, bank.patches[match], dim=1, eps=1e-6)
            else:
                each = (patches - bank.patches[match]).square().mean(1)
            if mask is not None:
                weights = self._cut_weights(mask, one)
                losses.append((each * weights).sum() / weights.sum().clamp_min(1e-9))
            else:
                losses.append(each.mean())
        return torch.stack(losses).mean()

    def energy(self, bank: Bank) -> float:
        """What relative losses are relative to: the mean square of the patches; a cosine is relative already."""
        return 1.0 if self.cosine else bank.patches.square().mean().item()

    def _cut(self, features: Tensor) -> Tensor:
        """Patches `(M, C · size²)` of one map `(1, C, H, W)`; a map smaller than a patch is repeated at its border."""
        missing = [max(0, self.size - side) for side in features.shape[-2:]]
        if any(missing):
            features = F.pad(features, (0, missing[1], 0, missing[0]), mode="replicate")
        if self.size == 1:
            return features[..., :: self.stride, :: self.stride].permute(0, 2, 3, 1).reshape(-1, features.shape[1])
        return F.unfold(features, self.size, stride=self.stride)[0].T

    def _cut_weights(self, mask: Tensor, features: Tensor) -> Tensor:
        """The mask's mean over each patch of `features`, `(M,)`."""
        return self._cut(resized_mask(mask, whole(features).size)).mean(1)

    def _keys(self, patches: Tensor, guide: Tensor | None, features: Tensor) -> Tensor:
        """Patches with those of the semantic map behind them (Champandard 2016, eq. 3): the map's weight is relative to
        the features', so that 1 gives both the same say."""
        if guide is None:
            return patches
        scale = patches.square().sum(1).mean().sqrt() / self.size
        return torch.cat([patches, self._cut(resized_mask(guide, whole(features).size)) * scale], 1)


def _mean(maps: Tensor, mask: Tensor | None) -> Tensor:
    """The mean over the positions that count, `(1, C, 1, 1)`."""
    if mask is None:
        return maps.mean((2, 3), keepdim=True)
    weights = resized_mask(mask, whole(maps).size)
    return (maps * weights).sum((2, 3), keepdim=True) / weights.sum().clamp_min(1e-9)


@torch.no_grad()
def best_match(rows: Tensor, keys: Tensor) -> Tensor:
    """For each of `rows`, `(M, D)`, the index of the key, `(K, D)` of length 1, of largest correlation, `(M,)`."""
    step = max(1, CHUNK // max(1, len(keys)))
    found = torch.empty(len(rows), dtype=torch.long, device=rows.device)
    # One table for all chunks: a heap that keeps freed memory would have one for each, the results being in between.
    table = rows.new_empty(min(step, len(rows)), len(keys))
    for chunk, best in zip(torch.split(rows, step), torch.split(found, step), strict=True):
        torch.argmax(torch.mm(chunk, keys.T, out=table[: len(chunk)]), 1, out=best)
    return found


def _counts(available: Sequence[int], shares: Sequence[float], limit: int) -> list[int]:
    """How many patches of each style: all where the share is largest, fewer of the others, at most `limit` in all."""
    wanted = [n * s / max(shares) for n, s in zip(available, shares, strict=True)]
    fraction = min(1.0, limit / sum(wanted))
    return [max(1, round(fraction * w)) if w > 0 else 0 for w in wanted]


@dataclass(frozen=True)
class Match(LayerTerm):
    """`Σ_l β_l` times the mean distance of the picture's patches to their best matches in the style.

    Attributes:
        targets: layer -> the style's patches.
        weights: layer -> `β_l`.
        matching: how they are compared.
        mask: where in the picture, `(1, 1, H, W)` in [0, 1]; everywhere if None.
        guide: the picture's semantic map.
        relative: as fractions of the style's energy.
    """

    targets: Mapping[str, Bank]
    matching: Matching
    mask: Tensor | None = None
    guide: Tensor | None = None
    relative: bool = True
    name: str = field(default="style", kw_only=True)

    def __call__(self, image: Tensor, features: Mapping[str, Tensor]) -> Tensor:
        total = image.new_zeros(())
        for layer, weight in self.weights.items():
            bank = self.targets[layer]
            factor = weight / max(self.matching.energy(bank), 1e-12) if self.relative else weight
            total = total + factor * self.matching.loss(features[layer], bank, self.mask, self.guide)
        return total

    def displaced(self, by: Displacement, size: tuple[int, int]) -> Match:
        mask, guide = (None if places is None else followed(places, by, size) for places in (self.mask, self.guide))
        return replace(self, mask=mask, guide=guide)


#: Li and Wand 2016 (CNNMRF): 3×3, their stride.
PATCHES = Matching(3, 2, False, default_layers=("relu3_1", "relu4_1"))
#: Kolkin et al. 2022: single positions by cosine.
NEAREST = Matching(1, 1, True, default_layers=("relu2_1", "relu3_1", "relu4_1", "relu5_1"))
