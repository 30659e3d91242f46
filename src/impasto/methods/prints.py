"""Large pictures: how much memory they take, and how they are computed in less."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.errors import InputError
from impasto.features.encoder import Encoder
from impasto.features.spans import Span, Spanned
from impasto.methods.solvers import solver
from impasto.methods.styles import scaled_size
from impasto.objective import MATCHINGS
from impasto.options import known
from impasto.settings import StylizeSettings

#: Bytes that are there whatever the picture's size: interpreter, torch, the weights twice over, gaps in the heap.
OVERHEAD = 0.8e9
#: Bytes held for each number of an encoder's maps when a whole picture is computed at once.
BYTES_WHOLE = 14
#: Bytes for the maps of one tile: more makes nothing faster, less costs more work at the halos.
MOST, LEAST = 0.6e9, 0.05e9
#: Time of a tiled gradient to a whole one's: twice forward instead of once, and the halos.
TILED_COST = 1.7
#: Evaluations of the objective for each step.
EVALUATIONS = 1.05


@dataclass(frozen=True)
class Plan:
    """How the picture is computed at one scale.

    Attributes:
        size: `(H, W)`.
        steps: at this scale.
        memory: bytes at the peak, of the whole process; 0 if the encoder does not tell.
        workspace: bytes for the maps of one tile; None if the picture is computed at once.
    """

    size: tuple[int, int]
    steps: int
    memory: float
    workspace: float | None = None

    def seconds(self, per_pixel: float) -> float:
        """How long a step takes, with a gradient that takes so long for each pixel of a small picture."""
        cost = EVALUATIONS * (1 if self.workspace is None else TILED_COST)
        return cost * per_pixel * math.prod(self.size)


def layers_read(settings: StylizeSettings, content: bool) -> list[str]:
    """The layers that the terms read; the content's only if there is one."""
    return [
        *(known(settings.style_layers) if settings.style_weight else ()),
        *(known(settings.content_layers) if content and settings.content_weight else ()),
        *([settings.dream.partition(":")[0]] if settings.dream_strength else ()),
    ]


def plans(
    encoder: Encoder, settings: StylizeSettings, shape: Tensor, max_memory: float | None, *, content: bool = True
) -> list[Plan]:
    """How each scale of a picture of the shape of `shape` is computed, from coarse to fine; see `plan`."""
    counts = [known(settings.first_steps)] + [settings.steps] * (len(settings.sizes()) - 1)
    return [
        plan(encoder, settings, scaled_size(shape, size), steps, max_memory, content=content)
        for size, steps in zip(settings.sizes(), counts, strict=True)
    ]


def plan(
    encoder: Encoder,
    settings: StylizeSettings,
    size: tuple[int, int],
    steps: int,
    max_memory: float | None,
    *,
    content: bool = True,
) -> Plan:
    """How a picture of `(H, W)` is computed in `max_memory` bytes (no limit if None): at once if it fits, or in tiles
    with what the rest leaves.

        at once: OVERHEAD + pixels · (loop + 14 · numbers of all maps)
        tiled:   OVERHEAD + pixels · (loop + spans) + workspace

    `loop` is the pictures, gradients and pairs of the optimizer and the content's maps, `spans` the outputs and
    gradients of spans (`docs/lab/prints.md` has the numbers). Only what is fast or slow depends on it, not the result.

    Raises:
        InputError: if it cannot be done in so little, or not in tiles.
    """
    layers = layers_read(settings, content)
    if not isinstance(encoder, Spanned) or not layers:
        return Plan(size, steps, 0.0)
    pixels, spans = math.prod(size), encoder.spans(layers, size)
    loop = OVERHEAD + pixels * (_optimizer(settings, pixels) + _targets(spans, settings, content))
    held = sum(span.held / cells for span, cells in zip(spans, _cells(spans), strict=True))
    at_once = loop + BYTES_WHOLE * pixels * held
    if max_memory is None or at_once <= max_memory:
        return Plan(size, steps, at_once)
    shown = f"a picture of {size[1]}x{size[0]} needs"
    if settings.style_loss in MATCHINGS:
        raise InputError(
            f"{shown} {at_once / 1e9:.1f} GB and --max-memory is {max_memory / 1e9:.1f} GB; the style loss "
            f"{settings.style_loss} compares whole maps and cannot be computed in tiles: choose gram, moments or "
            "wasserstein, a smaller size, or allow more"
        )
    tiled = loop + pixels * _outputs(spans)
    if tiled + LEAST > max_memory:
        raise InputError(
            f"{shown} {(tiled + LEAST) / 1e9:.1f} GB even in tiles and --max-memory is {max_memory / 1e9:.1f} GB; "
            "choose a smaller size or allow more"
        )
    workspace = min(MOST, max_memory - tiled)
    return Plan(size, steps, tiled + workspace, workspace)


def _cells(spans: Sequence[Span]) -> list[float]:
    """Pixels that a cell of each span's input stands for."""
    return [4.0 ** sum(s.output.halvings for s in spans[:i]) for i in range(len(spans))]


def _optimizer(settings: StylizeSettings, pixels: int) -> float:
    """Bytes a pixel of pictures (now, at the step's start, the content, an average), gradients (old and new), and what
    the optimizer keeps; of a jittered picture and its gradient once more, displaced."""
    pictures = 5 + (settings.average > 0) + 2 * (known(settings.jitter) > 0)
    return 12 * pictures + 3 * solver(settings, settings.steps).bytes_per_value(3 * pixels)


def _targets(spans: Sequence[Span], settings: StylizeSettings, content: bool) -> float:
    """Bytes a pixel of the content's maps."""
    if not content or not settings.content_weight:
        return 0.0
    return sum(
        4 * level.channels / (cells * 4.0**level.halvings)
        for span, cells in zip(spans, _cells(spans), strict=True)
        for name, level in span.layers.items()
        if name in known(settings.content_layers)
    )


def _outputs(spans: Sequence[Span]) -> float:
    """Bytes a pixel of the spans' outputs and their gradients, at the worst moment of the backward pass: the inputs up
    to a span, the gradient of its output and the one of its input."""
    kept = [
        4 * s.output.channels / (cells * 4.0**s.output.halvings) for s, cells in zip(spans, _cells(spans), strict=True)
    ][:-1]
    moments = [sum(kept[:i]) + sum(kept[i - 1 : i + 1]) for i in range(1, len(kept) + 1)]
    return max([*moments, *kept[:1], 0.0])


@torch.no_grad()
def seconds_per_pixel(encoder: Encoder, layers: Sequence[str], side: int = 224) -> float:
    """How long a gradient of a small picture takes here, for each of its pixels."""
    device = next(encoder.parameters()).device if isinstance(encoder, torch.nn.Module) else "cpu"
    image = torch.rand(1, 3, side, side, device=device)
    seconds = 0.0
    for _ in range(2):  # the first time things are set up
        began = time.perf_counter()
        with torch.enable_grad():
            pixels = image.detach().requires_grad_()
            total = torch.stack([maps.sum() for maps in encoder(pixels, layers).values()]).sum()
            torch.autograd.grad(total, pixels)[0].sum().item()
        seconds = time.perf_counter() - began
    return seconds / side**2
