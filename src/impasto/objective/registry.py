"""The ways to compare styles, by the names that users call them. Others may be registered:

STATISTICS["skew"] = Skew      # a `Statistic`, or a class that makes one without arguments
stylize(photo, painting, style_loss="skew")
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from impasto.registry import Registry

if TYPE_CHECKING:
    from impasto.objective.matching import Matching
    from impasto.objective.statistics import Statistic

#: Style losses of statistics.
STATISTICS: Registry[Statistic] = Registry(
    {
        "gram": "impasto.objective.statistics:Gram",
        "wasserstein": "impasto.objective.statistics:Wasserstein",
        "moments": "impasto.objective.statistics:Moments",
    }
)
#: Style losses of patches.
MATCHINGS: Registry[Matching] = Registry(
    {"patches": "impasto.objective.matching:PATCHES", "nearest": "impasto.objective.matching:NEAREST"}
)
#: All of them, those too that are registered later.
STYLE_LOSSES: Mapping[str, Statistic | Matching] = ChainMap(cast(Any, MATCHINGS), cast(Any, STATISTICS))
#: The layers of styles since Gatys, Ecker, Bethge 2015.
USUAL_STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


@runtime_checkable
class Layered(Protocol):
    """A style loss with layers of its own.

    Attributes:
        default_layers: that it reads unless told otherwise.
    """

    @property
    def default_layers(self) -> tuple[str, ...]: ...


class _StyleLayers(Mapping[str, tuple[str, ...]]):
    def __getitem__(self, loss: str) -> tuple[str, ...]:
        found = STYLE_LOSSES[loss]
        return found.default_layers if isinstance(found, Layered) else USUAL_STYLE_LAYERS

    def __iter__(self) -> Iterator[str]:
        return iter(STYLE_LOSSES)

    def __len__(self) -> int:
        return len(STYLE_LOSSES)


#: Style loss -> the layers that it reads unless told otherwise: its `default_layers`, or the usual ones.
STYLE_LAYERS = _StyleLayers()
