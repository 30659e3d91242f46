"""How much memory a method takes, counted before it begins, and how it is computed in less.

Every method counts what it holds besides the encoder's maps (`held`); `fitted` adds the maps and decides whether the
picture is computed at once or in tiles, or is too large. `docs/lab/prints.md` has the numbers.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.features.encoder import Encoder
from impasto.features.spans import Span, Spanned
from impasto.memory import too_large
from impasto.methods.regions import Region, check_sides, scaled_size
from impasto.methods.settings import StylizeSettings
from impasto.methods.solvers import solver
from impasto.objective import style_loss
from impasto.options import known

#: Bytes that are there whatever the picture's size: interpreter, torch, the weights twice over, gaps in the heap.
OVERHEAD = 0.8e9
#: Bytes held for each number of an encoder's maps when a whole picture is computed at once, with its gradient and
#: without.
BYTES_WHOLE, BYTES_FORWARD = 14, 8
#: Bytes for the maps of one tile: more makes nothing faster, less costs more work at the halos.
MOST, LEAST = 0.6e9, 0.05e9
#: Bytes of one float32 picture, for each pixel.
PICTURE = 12
#: Bytes a pixel of a painting that is being read: itself, and what resizing it takes.
READING = 2 * PICTURE
#: Bytes a pixel that a canvas takes besides the picture, and those of a VGG's fully connected layers.
SPECTRUM = {"pixels": 0, "fourier": 6 * PICTURE, "natural": 900, "taef2": 4200}
FULLY_CONNECTED = 0.5e9
#: Bytes held for each number of the patches that a style loss compares.
BYTES_PATCH = 20
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
        held: bytes of everything but maps.
        limit: bytes that the process may take; None for no limit.
    """

    size: tuple[int, int]
    steps: int
    memory: float
    workspace: float | None = None
    held: float = 0.0
    limit: float | None = None

    def seconds(self, per_pixel: float) -> float:
        """How long a step takes, with a gradient that takes so long for each pixel of a small picture."""
        cost = EVALUATIONS * (1 if self.workspace is None else TILED_COST)
        return cost * per_pixel * math.prod(self.size)

    def reader(self, encoder: Encoder, layers: Sequence[str]) -> Callable[[tuple[int, int]], float | None]:
        """What tells of a painting of `(H, W)` in how many bytes a tile it is measured; None for all at once."""
        return lambda size: read(encoder, layers, size, self.held, self.limit)[1]


def fitted(
    encoder: Encoder,
    layers: Sequence[str],
    size: tuple[int, int],
    held: float,
    max_memory: float | None,
    *,
    batch: int = 1,
    gradient: bool = True,
    whole: str = "",
    what: str = "a picture of",
    fix: str = "choose a smaller size or allow more",
) -> tuple[float, float | None]:
    """Bytes at the peak of the process, and those for the maps of one tile: None if the picture is computed at once, as
    it is where that fits.

        at once: OVERHEAD + held + pixels · numbers of all maps · 14, or 8 without a gradient
        tiled:   OVERHEAD + held + pixels · spans + workspace

    Args:
        encoder: one that has no spans does not tell what it takes: 0, at once.
        layers: that are read.
        size: `(H, W)`.
        held: bytes of everything but maps.
        max_memory: bytes that the process may take; None for no limit.
        batch: how many pictures.
        gradient: of the maps is computed, too.
        whole: why it cannot be computed in tiles; empty if it can.
        what, fix: words of the error.

    Raises:
        InputError: if it does not fit.
    """
    spans = encoder.spans(layers, size) if layers and isinstance(encoder, Spanned) else []
    if not spans:
        return 0.0, None
    pixels, held = batch * math.prod(size), OVERHEAD + held
    at_once = held + (BYTES_WHOLE if gradient else BYTES_FORWARD) * pixels * _numbers(spans)
    if max_memory is None or at_once <= max_memory:
        return at_once, None
    tiled = held + pixels * (_outputs(spans) if gradient else sum(_kept(spans)))
    if not all(span.apart for span in spans):
        whole = whole or f"{encoder.name} cannot be run on a part of it"
    if whole or tiled + LEAST > max_memory:
        needs, fix = (at_once, f"{whole}: {fix}") if whole else (tiled + LEAST, fix)
        raise too_large(what, size, needs, max_memory, fix)
    workspace = min(MOST, max_memory - tiled)
    return tiled + workspace, workspace


def read(
    encoder: Encoder, layers: Sequence[str], size: tuple[int, int], held: float, max_memory: float | None
) -> tuple[float, float | None]:
    """As `fitted`, for a painting of `(H, W)` whose statistics are measured."""
    held, fix = held + READING * math.prod(size), "choose a smaller size or style scale, or allow more"
    return fitted(encoder, layers, size, held, max_memory, gradient=False, what="a painting read at", fix=fix)


def layers_read(settings: StylizeSettings, content: bool) -> list[str]:
    """The layers that the terms read; the content's only if there is one."""
    return [
        *(known(settings.style_layers) if settings.style_weight else ()),
        *(known(settings.content_layers) if content and settings.content_weight else ()),
        *([settings.dream.partition(":")[0]] if settings.dream_strength else ()),
    ]


def plans(
    encoder: Encoder,
    settings: StylizeSettings,
    shape: Tensor,
    max_memory: float | None,
    *,
    content: bool = True,
    regions: Sequence[Region] = (),
) -> list[Plan]:
    """How each scale of a picture of the shape of `shape` is computed, from coarse to fine; see `plan`.

    Args:
        regions: with their paintings. One that is read when it is wanted is taken to be square.

    Raises:
        InputError: if a painting is too small, or does not fit; see `plan`.
    """
    counts = [known(settings.first_steps)] + [settings.steps] * (len(settings.sizes()) - 1)
    paintings = [s.picture for r in regions for s in r.styles if isinstance(s.picture, Tensor)]
    given = sum(4.0 * x.numel() for x in (shape, *paintings))
    smallest = max(1, round(settings.sizes()[0] * min(settings.style_scales)))
    for style in (s for r in regions for s in r.styles):
        if isinstance(style.picture, Tensor):
            read_at = scaled_size(style.picture, smallest)
            check_sides(style.name, style.picture, shape.new_empty(read_at, device="meta"))
    return [
        plan(
            encoder,
            settings,
            scaled_size(shape, size),
            steps,
            max_memory,
            content=content,
            paintings=copies(regions, size, settings),
            given=given,
        )
        for size, steps in zip(settings.sizes(), counts, strict=True)
    ]


def copies(regions: Sequence[Region], size: int, settings: StylizeSettings) -> list[tuple[int, int]]:
    """`(H, W)` of each painting at each scale and rotation that it is read at, for a picture of a long side `size`."""
    found = []
    for style in (s for r in regions for s in r.styles):
        for scale in settings.style_scales:
            side = max(1, round(size * scale))
            found.append(scaled_size(style.picture, side) if isinstance(style.picture, Tensor) else (side, side))
    return found * (1 if style_loss(settings.style_loss).additive else len(settings.style_rotations))


def plan(
    encoder: Encoder,
    settings: StylizeSettings,
    size: tuple[int, int],
    steps: int,
    max_memory: float | None,
    *,
    content: bool = True,
    paintings: Sequence[tuple[int, int]] = (),
    given: float = 0.0,
) -> Plan:
    """How a picture of `(H, W)` is computed in `max_memory` bytes (no limit if None): at once if it fits, or in tiles
    with what the rest leaves; see `fitted`. Only what is fast or slow depends on it, not the result.

    Held are the pictures, gradients and pairs of the optimizer, and the content's maps. A painting is measured before
    the first step, at once or in tiles by itself.

    Args:
        content: whether there is one.
        paintings: `(H, W)` of each that is read.
        given: bytes of what was read before.

    Raises:
        InputError: if it cannot be done in so little, or not in tiles.
    """
    layers = layers_read(settings, content)
    spans = encoder.spans(layers, size) if layers and isinstance(encoder, Spanned) else []
    if not spans:
        return Plan(size, steps, 0.0)
    pixels, numbers = math.prod(size), _densities(spans)
    held, whole = given + pixels * optimizer_bytes(settings, pixels), ""
    if content and settings.content_weight:
        held += 4 * pixels * sum(numbers[n] for n in {*known(settings.content_layers)})
    if settings.style_weight and not style_loss(settings.style_loss).additive:
        whole = f"the style loss {settings.style_loss} compares whole maps and cannot be computed in tiles"
        held += _matched(settings, pixels, spans)
    fix = "choose gram, moments or wasserstein, a smaller size, or allow more"
    more = {"whole": whole, "fix": fix} if whole else {}
    memory, workspace = fitted(encoder, layers, size, held, max_memory, **more)  # type: ignore[arg-type]
    if settings.style_weight and paintings:
        if whole:
            read_in = OVERHEAD + held + _banks(settings, paintings, numbers, BYTES_FORWARD * _numbers(spans))
            if max_memory is not None and read_in > max_memory:
                largest = max(paintings, key=math.prod)
                raise too_large("a painting read at", largest, read_in, max_memory, f"{whole}: {fix}")
        else:
            read_in = max(read(encoder, known(settings.style_layers), one, held, max_memory)[0] for one in {*paintings})
        memory = max(memory, read_in)
    return Plan(size, steps, memory, workspace, held, max_memory)


def _cells(spans: Sequence[Span]) -> list[float]:
    """Pixels that a cell of each span's input stands for."""
    return [4.0 ** sum(s.output.halvings for s in spans[:i]) for i in range(len(spans))]


def _numbers(spans: Sequence[Span]) -> float:
    """Numbers of all maps, for each pixel."""
    return sum(span.held / cells for span, cells in zip(spans, _cells(spans), strict=True))


def _densities(spans: Sequence[Span]) -> dict[str, float]:
    """Layer -> the numbers of its map, for each pixel."""
    return {
        name: level.channels / (cells * 4.0**level.halvings)
        for span, cells in zip(spans, _cells(spans), strict=True)
        for name, level in span.layers.items()
    }


def map_bytes(encoder: Encoder, layer: str, size: tuple[int, int]) -> float:
    """Bytes of a layer's map of a picture of `(H, W)`; 0 if the encoder does not tell."""
    spans = encoder.spans([layer], size) if isinstance(encoder, Spanned) else []
    return 4 * math.prod(size) * _densities(spans).get(layer, 0.0)


def optimizer_bytes(settings: StylizeSettings, pixels: int) -> float:
    """Bytes a pixel of pictures (now, at the step's start, the content, an average), gradients (old and new), and what
    the optimizer keeps; of a jittered picture and its gradient once more, displaced."""
    pictures = 5 + (settings.average > 0) + 2 * (known(settings.jitter) > 0)
    return PICTURE * pictures + 3 * solver(settings, settings.steps).bytes_per_value(3 * pixels)


def _patches(settings: StylizeSettings, numbers: dict[str, float]) -> list[float]:
    """Numbers of the patches that are cut at each layer, for each pixel."""
    cut = style_loss(settings.style_loss).cut
    return [numbers[n] * cut for n in known(settings.style_layers)]


def _matched(settings: StylizeSettings, pixels: int, spans: Sequence[Span]) -> float:
    """Bytes of the picture's patches, and of the style's with their keys."""
    channels = sum(lv.channels for s in spans for n, lv in s.layers.items() if n in known(settings.style_layers))
    patches = sum(_patches(settings, _densities(spans)))
    return BYTES_PATCH * pixels * patches + 8.0 * style_loss(settings.style_loss).held * channels


def _banks(
    settings: StylizeSettings, paintings: Sequence[tuple[int, int]], numbers: dict[str, float], forward: float
) -> float:
    """Bytes for the patches of all paintings: every copy and its maps, the patches of a layer, one forward pass."""
    pixels, largest = sum(map(math.prod, paintings)), max(map(math.prod, paintings))
    maps = 4 * sum(numbers[n] for n in known(settings.style_layers))
    return pixels * (PICTURE + maps + 12 * max(_patches(settings, numbers))) + largest * forward


def _kept(spans: Sequence[Span]) -> list[float]:
    """Bytes a pixel of the outputs of all spans but the last."""
    return [
        4 * s.output.channels / (cells * 4.0**s.output.halvings) for s, cells in zip(spans, _cells(spans), strict=True)
    ][:-1]


def _outputs(spans: Sequence[Span]) -> float:
    """Bytes a pixel of the spans' outputs and their gradients, at the worst moment of the backward pass: the inputs up
    to a span, the gradient of its output and the one of its input."""
    kept = _kept(spans)
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
