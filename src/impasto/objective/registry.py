"""The ways to compare styles, by the names that users call them. Others may be registered:

STYLE_LOSSES["skew"] = Skew      # a `Statistic` or a `StyleLoss`, or a class that makes one without arguments
stylize(photo, painting, style_loss="skew")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from impasto.registry import Registry

if TYPE_CHECKING:
    from impasto.objective.losses import StyleLoss
    from impasto.objective.statistics import Statistic

#: Name -> style loss, or the statistic that one compares.
STYLE_LOSSES: Registry[StyleLoss | Statistic] = Registry(
    {
        "gram": "impasto.objective.statistics:Gram",
        "wasserstein": "impasto.objective.statistics:Wasserstein",
        "moments": "impasto.objective.statistics:Moments",
        "patches": "impasto.objective.matching:PATCHES",
        "nearest": "impasto.objective.matching:NEAREST",
    }
)
#: The layers of styles since Gatys, Ecker, Bethge 2015.
USUAL_STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


@runtime_checkable
class _Layered(Protocol):
    """A statistic with layers of its own."""

    @property
    def default_layers(self) -> tuple[str, ...]: ...


def style_loss(name: str) -> StyleLoss:
    """The style loss of that name; a statistic without `default_layers` is compared at the usual ones."""
    from impasto.objective.losses import StatisticLoss, StyleLoss

    entry = STYLE_LOSSES[name]
    if isinstance(entry, StyleLoss):
        return entry
    return StatisticLoss(entry, entry.default_layers if isinstance(entry, _Layered) else USUAL_STYLE_LAYERS)
