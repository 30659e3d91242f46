"""How styles are compared: one face for statistics, which add up over positions, and for patches, which do not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from impasto.features.encoder import Encoder
from impasto.objective.statistics import Statistic
from impasto.objective.terms import Style, Term
from impasto.objective.tiled import measured


@dataclass(frozen=True)
class View:
    """A painting at one size and rotation.

    Attributes:
        picture: `(1, 3, H, W)`, RGB, [0, 1].
        mask: which part of it counts, `(1, 1, h, w)` in [0, 1]; all of it if None.
        guide: its semantic map, `(1, K, h, w)`, weighted.
        count: of the painting's views.
        workspace: bytes for the maps of one tile; None to read it whole.
    """

    picture: Tensor
    mask: Tensor | None = None
    guide: Tensor | None = None
    count: int = 1
    workspace: float | None = None


@runtime_checkable
class StyleLoss(Protocol):
    """A way to compare styles.

    Attributes:
        default_layers: that are read unless others are chosen.
        additive: whether it knows maps by sums over positions. Then pictures are computed in tiles, semantic maps
            divide them into regions, and what is read of a painting is small enough to be kept on disk; else whole
            maps are compared, with their semantic maps, and with rotated copies of the paintings.
        cut: numbers of the patches that are cut out of a map, for each number of it; 0 if none are.
        held: numbers of the patches of all paintings, for each channel of a layer.
    """

    @property
    def default_layers(self) -> tuple[str, ...]: ...
    @property
    def additive(self) -> bool: ...
    @property
    def cut(self) -> float: ...
    @property
    def held(self) -> float: ...

    def read(self, encoder: Encoder, layers: Sequence[str], views: Iterable[View]) -> Any:
        """What is known of a painting, from its views: layer -> tensor if the loss is `additive`."""
        ...

    def targets(self, paintings: Iterable[Any], shares: Sequence[float]) -> dict[str, Any]:
        """Layer -> what a picture is compared with.

        Args:
            paintings: as `read` gives them, one at a time.
            shares: of each, at least 0, not all 0.
        """
        ...

    def term(
        self,
        targets: Mapping[str, Any],
        weights: Mapping[str, float],
        convention: str,
        mask: Tensor | None = None,
        guide: Tensor | None = None,
    ) -> Term:
        """What compares a picture with targets.

        Args:
            targets: as `targets` gives them.
            weights: layer -> `β_l`.
            convention: a key of `CONVENTIONS`.
            mask: where in the picture, `(1, 1, H, W)` in [0, 1]; everywhere if None.
            guide: the picture's semantic map, weighted as those of the views; None if the loss is `additive`.
        """
        ...


@dataclass(frozen=True)
class StatisticLoss:
    """Compares mean statistics: of a painting the average over its views, of several the average by their shares."""

    statistic: Statistic
    default_layers: tuple[str, ...]
    additive: bool = True
    cut: float = 0.0
    held: float = 0.0

    def read(self, encoder: Encoder, layers: Sequence[str], views: Iterable[View]) -> dict[str, Tensor]:
        average: dict[str, Tensor] = {}
        for view in views:
            values = measured(encoder, view.picture, layers, self.statistic, view.mask, view.workspace)
            for layer, value in values.items():
                average[layer] = average.get(layer, 0) + value / view.count
        return average

    def targets(self, paintings: Iterable[dict[str, Tensor]], shares: Sequence[float]) -> dict[str, Tensor]:
        average: dict[str, Tensor] = {}
        for values, share in zip(paintings, shares, strict=True):
            for layer, value in values.items():
                average[layer] = average.get(layer, 0) + value * (share / sum(shares))
        return average

    def term(
        self,
        targets: Mapping[str, Tensor],
        weights: Mapping[str, float],
        convention: str,
        mask: Tensor | None = None,
        guide: Tensor | None = None,
    ) -> Style:
        return Style(targets, weights, convention, self.statistic, mask)
