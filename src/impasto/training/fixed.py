"""What trains networks for a known set of styles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from impasto.errors import InputError
from impasto.features.encoder import Encoder
from impasto.networks.generator import Generator
from impasto.networks.styled import StyledNetwork
from impasto.objective import Objective
from impasto.training.loss import LossSettings, shown
from impasto.training.painting import PaintingTask
from impasto.training.photos import opened, random_shift, shifted


def first_vectors(generator: Generator, paintings: Sequence[Path]) -> Tensor:
    """Vectors to begin with, `(N, P)`: the plain ones, with the paintings' colors where the generator has a place for
    them."""
    return torch.stack([generator.first_style(opened(path, 512)[None]) for path in paintings])


def measured(encoder: Encoder, paintings: Sequence[Path], loss: LossSettings, side: int = 512) -> dict[str, Tensor]:
    """What the objective wants of paintings (`LossSettings.measured`), name -> `(N, ...)`.

    Args:
        encoder: of the objective.
        paintings: files.
        loss: layers and weights.
        side: their long side, pixels.
    """
    device = _device(encoder)
    found = [loss.measured(encoder, opened(path, side)[None].to(device)) for path in paintings]
    return {n: torch.cat([m[n] for m in found]) for n in found[0]}


def _device(network: object) -> torch.device:
    """Where a network lies; one without parameters, on the CPU."""
    parameters = network.parameters() if isinstance(network, nn.Module) else iter(())
    return next((p.device for p in parameters), torch.device("cpu"))


@dataclass(frozen=True)
class NoiseBatch:
    """The noise of every scale, and as `PaintedBatch`."""

    noise: Sequence[Tensor]
    styles: Tensor
    targets: dict[str, Tensor]
    shift: tuple[int, int]


class _Styles:
    """Which styles a batch has: random ones, or in turn where it is held out.

    Args:
        network: whose last rows are trained.
        encoder, loss: that measure the paintings.
        paintings: one for each of the last rows.
        style_size: their long side, pixels.
        batch: pictures at a time.
        seed: of the choice.
    """

    def __init__(
        self,
        network: StyledNetwork,
        encoder: Encoder,
        loss: LossSettings,
        paintings: Sequence[Path],
        style_size: int,
        batch: int,
        seed: int,
    ) -> None:
        rows = len(network.table())
        if not 1 <= len(paintings) <= rows:
            raise InputError(f"there are {len(paintings)} paintings for {rows} styles; give one for each to be trained")
        self.first, self.count, self.batch, self.seed = rows - len(paintings), len(paintings), batch, seed
        self.targets = measured(encoder, paintings, loss, style_size)

    def chosen(self, number: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Rows `(B,)` and what was measured, for batch `number`."""
        if number < 0:
            found = ((-number - 1) * self.batch + np.arange(self.batch)) % self.count
        else:
            found = np.random.default_rng([self.seed, 3, number]).integers(0, self.count, self.batch)
        index = torch.from_numpy(found).to(next(iter(self.targets.values())).device)
        return index + self.first, {n: t[index] for n, t in self.targets.items()}


class FixedStylesTask(PaintingTask):
    """Photographs, each in a random style out of the table.

    Args:
        network: what is trained; after `with_styles`, only its new styles are.
        photos, held_out, encoder, loss, batch, side, seed, workers: see `PaintingTask`.
        paintings: one for each style, in the table's order; for new styles, theirs alone.
        style_size: long side of the paintings when they are measured.

    Raises:
        InputError: if there are more paintings than styles, or none, or one cannot be read.
    """

    def __init__(
        self,
        network: StyledNetwork,
        photos: Sequence[Path],
        paintings: Sequence[Path],
        held_out: Sequence[Path],
        encoder: Encoder,
        loss: LossSettings,
        *,
        style_size: int = 512,
        **options: int,
    ) -> None:
        super().__init__(network, photos, held_out, encoder, loss, **options)
        self.styles = _Styles(network, encoder, loss, paintings, style_size, self.size, self.seed)

    def chosen(self, number: int) -> tuple[Tensor, dict[str, Tensor]]:
        return self.styles.chosen(number)


class TextureTask:
    """Textures out of noise, each in a random style out of the table (Ulyanov et al. 2016, "Texture networks", §4.2).

    Args:
        network: what is trained; its generator is a `Pyramid` with `source="noise"`.
        paintings: one for each texture, in the table's order; for new ones, theirs alone.
        encoder: of the objective.
        loss: layers and weights; there is no content.
        batch, side: textures at a time, and their size.
        style_size: long side of the paintings when they are measured.
        seed: of every choice.

    Raises:
        InputError: if the generator takes pictures, or the paintings do not fit the table.
    """

    def __init__(
        self,
        network: StyledNetwork,
        paintings: Sequence[Path],
        encoder: Encoder,
        loss: LossSettings,
        *,
        batch: int = 4,
        side: int = 256,
        style_size: int = 512,
        seed: int = 0,
    ) -> None:
        if not network.generator.from_noise:
            raise InputError("textures need a network that takes noise; build a pyramid with source='noise'")
        self.network: nn.Module = network
        self.generator, self.side, self.seed = network.generator, side, seed
        self.encoder, self.loss = encoder, loss
        self.styles = _Styles(network, encoder, loss, paintings, style_size, batch, seed)

    def batch(self, number: int) -> NoiseBatch:
        styles, targets = self.styles.chosen(number)
        # Held-out noise has odd seeds.
        generator = torch.Generator().manual_seed((self.seed << 40) + 2 * abs(number) + (number < 0))
        blank = torch.zeros(self.styles.batch, 3, self.side, self.side, device=styles.device)
        return NoiseBatch(self.generator.inputs(blank, generator), styles, targets, random_shift(self.seed, number))

    def output(self, batch: NoiseBatch) -> Tensor:
        return shown(shifted(self.network(batch.noise, batch.styles), batch.shift))

    def goal(self, batch: NoiseBatch) -> Objective:
        return Objective(self.encoder, self.loss.style_terms(batch.targets))
