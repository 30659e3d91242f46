"""What trainings of networks that paint photographs share, whatever gives a batch its styles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from impasto.features.encoder import Encoder
from impasto.optimize import Goal
from impasto.training.loss import LossSettings, shown
from impasto.training.photos import Photos, Stream, random_shift, shifted
from impasto.training.steady import Moved, SteadyGoal, moved, painted_twice


@dataclass(frozen=True)
class PaintedBatch:
    """Photographs, each with its style.

    Attributes:
        images: photographs `(B, 3, side, side)`.
        styles: what the network takes: rows of its table `(B,)`, or paintings `(B, 3, side, side)`.
        targets: of `LossSettings.measured`.
        shift: where the loss begins to look.
        again: the photographs moved, where steadiness counts.
    """

    images: Tensor
    styles: Tensor
    targets: Mapping[str, Tensor]
    shift: tuple[int, int]
    again: Moved | None = None


class PaintingTask:
    """Photographs, painted.

    Args:
        network: what is trained; takes photographs and styles.
        photos: files to train on; scenes are made up if there is none.
        held_out: photographs kept apart, to look at.
        encoder: of the objective.
        loss: layers and weights.
        batch, side: photographs at a time, and their size.
        seed: of every choice.
        workers: processes that decode photographs.
    """

    def __init__(
        self,
        network: nn.Module,
        photos: Sequence[Path],
        held_out: Sequence[Path],
        encoder: Encoder,
        loss: LossSettings,
        *,
        batch: int = 4,
        side: int = 256,
        seed: int = 0,
        workers: int = 0,
    ) -> None:
        self.network = network
        self.photos = Stream(Photos(photos, side, seed), batch, workers)
        # Made-up scenes are kept apart by another seed.
        self.photos_apart = Stream(Photos(held_out, side, seed + 1, (1.0, 1.0)), batch)
        self.encoder, self.loss, self.size, self.seed = encoder, loss, batch, seed
        self.device = next(network.parameters()).device

    def chosen(self, number: int) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The styles of batch `number`, and what was measured of them."""
        raise NotImplementedError

    def batch(self, number: int) -> PaintedBatch:
        images = (self.photos(number) if number >= 0 else self.photos_apart(-number)).to(self.device)
        again = moved(images, self.seed, number) if self.loss.steady else None
        return PaintedBatch(images, *self.chosen(number), random_shift(self.seed, number), again)

    def output(self, batch: PaintedBatch) -> Tensor:
        painted = painted_twice(self.network, lambda x: self.network(x, batch.styles), batch.images, batch.again)
        return shown(shifted(painted, batch.shift))

    def goal(self, batch: PaintedBatch) -> Goal:
        goal = self.loss.objective(self.encoder, shifted(batch.images, batch.shift), batch.targets)
        return goal if batch.again is None else SteadyGoal(goal, self.loss.steady)
