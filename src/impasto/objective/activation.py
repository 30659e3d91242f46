"""What a network sees, made stronger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from impasto.errors import InputError, unknown
from impasto.objective.statistics import Place, Sum, widened
from impasto.objective.terms import Placeless, from_sums


@dataclass(frozen=True)
class Activation(Placeless):
    """Minus the strength of a layer or of one of its channels: minimized, it grows (DeepDream, Mordvintsev 2015).

    `−½ log mean(F²)` over positions and channels: its gradient is that of `−½ mean(F²)`, the classic objective, divided
    by the mean square, so that weights mean the same for every layer and encoder.

    Attributes:
        layer: which.
        channel: of the layer; all of them if None.
    """

    layer: str
    channel: int | None = None
    name: str = "dream"

    @staticmethod
    def named(text: str, known: Sequence[str]) -> Activation:
        """From `LAYER` or `LAYER:CHANNEL`.

        Raises:
            InputError: if it is of another form or no encoder's layer.
        """
        layer, _, channel = text.partition(":")
        if layer not in known:
            raise unknown("layer", layer, known)
        if channel and not channel.isdecimal():
            raise InputError(f"{text} is no layer to dream of; write LAYER or LAYER:CHANNEL, such as relu4_2:17")
        return Activation(layer, int(channel) if channel else None)

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    def __call__(self, image: Tensor, features: Mapping[str, Tensor]) -> Tensor:
        return from_sums(self, features)

    def measure(self, layer: str, maps: Tensor, place: Place | None = None) -> Sum:
        """`Σ F²`, `(B,)`, of so many numbers."""
        if self.channel is not None:
            if self.channel >= maps.shape[1]:
                raise InputError(
                    f"{self.layer} has {maps.shape[1]} channels, counted from 0; there is no {self.channel}"
                )
            maps = maps[:, self.channel]
        total = widened(maps).square().flatten(1).sum(1)
        return Sum(total, total.new_full(total.shape, maps[0].numel()))

    def value(self, sums: Mapping[str, Sum]) -> Tensor:
        return -0.5 * (sums[self.layer].mean().mean() + 1e-12).log()
