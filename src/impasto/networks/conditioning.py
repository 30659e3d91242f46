"""How a network is given a style: by one vector, from which its layers take their parts.

A generator is a network `(images, style) -> images`, whose style is a vector `(B or 1, P)` that holds every γ and β
of its normalizations (Dumoulin et al. 2017, "A learned representation for artistic style", eq. 5) and whatever else a
style decides. So there is one generator and three ways to have its vector: a parameter (one style), a table of them
(many), and another network's output (any style). Blending styles is averaging vectors; a new style is a new vector.
Vectors are centered: zero is the plain network.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.objective.statistics import positions, resized_mask

Norm = Literal["instance", "batch"]
Padding = Literal["zeros", "reflect", "replicate", "circular"]


class Slots:
    """Hands out parts of the style vector while a generator is built; `size` is its length so far."""

    def __init__(self) -> None:
        self.size = 0

    def take(self, count: int) -> slice:
        """The next `count` numbers."""
        self.size += count
        return slice(self.size - count, self.size)


M = TypeVar("M", bound=Callable[..., Tensor])


def in_float32(method: M) -> M:
    """For a layer's method that takes a map first: out of mixed precision, as roots of matrices need the digits."""

    @functools.wraps(method)
    def run(layer: nn.Module, x: Tensor, *rest: Any) -> Tensor:
        if not torch.is_autocast_enabled(x.device.type):
            return method(layer, x, *rest)
        with torch.autocast(x.device.type, enabled=False):
            return method(layer, x.float(), *rest).to(x.dtype)

    return cast(M, run)


class OfWhole(nn.Module):
    """A layer that looks at statistics of the whole picture, and can keep them for one that comes in pieces.

    Attributes:
        where: its part of the style vector.
        kept: by name; None where each picture has its own. What is not there yet is measured at the first pass, with
            the batch as parts of one picture.
    """

    where: slice

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, Tensor] | None = None

    def of_whole(self, name: str, x: Tensor, measure: Callable[[Tensor], Tensor]) -> Tensor:
        """A statistic of `x`, `(B, C, H, W)`: `measure(x)`, or what is kept."""
        if self.kept is None:
            return measure(x)
        if name not in self.kept:
            self.kept[name] = measure(x.transpose(0, 1).flatten(1, 2)[None])
        return self.kept[name]

    def unbounded(self, part: Tensor) -> Tensor:
        """Its part `(B, n)` of paintings' style vectors in coordinates that may have any value: logarithms of what
        cannot be negative."""
        return part

    def bounded(self, part: Tensor) -> Tensor:
        """The inverse of `unbounded`: whatever the numbers, a part that a painting could have."""
        return part


class Recorder:
    """Stands in for a style vector while a painting itself goes through the network: normalizations leave it as it is,
    and note its mean and deviation, which are the `β` and `γ` that give any other picture the same ones (adaptive
    instance normalization: Huang and Belongie 2017, eq. 8, in every layer).

    Args:
        mask: which part of the painting counts, `(B or 1, 1, H, W)`; all of it if None.
    """

    def __init__(self, mask: Tensor | None = None) -> None:
        self.mask = mask
        self._notes: list[tuple[slice, Tensor]] = []

    def centered(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Of a map `(B, C, H, W)`: its mean `(B, C)`, the map without it, and the positions' weights
        `(B or 1, 1, H, W)`, which sum to 1, where a mask gives some; all in float32."""
        x = x if x.dtype == torch.float64 else x.float()
        if self.mask is None:
            mean = x.mean((2, 3))
            return mean, x - mean[:, :, None, None], None
        weights = resized_mask(self.mask, (int(x.shape[2]), int(x.shape[3])))
        weights = weights / weights.sum((2, 3), keepdim=True).clamp_min(1e-6)
        mean = (weights * x).sum((2, 3))
        return mean, x - mean[:, :, None, None], weights

    def note(self, where: slice, values: Tensor) -> None:
        """Numbers `(B, n)` for a part of the vector."""
        self._notes.append((where, values))

    def vector(self, size: int) -> Tensor:
        """The style vector `(B, size)`; what nothing was noted for is 0."""
        parts, end = [], 0
        for where, values in sorted(self._notes, key=lambda n: n[0].start):
            parts += [values.new_zeros(len(values), where.start - end), values]
            end = where.stop
        parts.append(parts[-1].new_zeros(len(parts[-1]), size - end))
        return torch.cat(parts, 1)


class ConditionalNorm(OfWhole):
    """Instance normalization (Ulyanov et al. 2017), or batch normalization, scaled by `1 + γ` and shifted by `β`.

    Args:
        channels: of the map; the style vector gives `γ` and `β` of each.
        slots: of the vector.
        norm: `instance`: over the positions of each picture, also at test time; `batch`: over the batch.
    """

    def __init__(self, channels: int, slots: Slots, norm: Norm = "instance") -> None:
        super().__init__()
        self.channels, self.where = channels, slots.take(2 * channels)
        self.batch = nn.BatchNorm2d(channels, affine=False) if norm == "batch" else None

    def forward(self, x: Tensor, style: Tensor | Recorder) -> Tensor:
        if isinstance(style, Recorder):
            mean, centered, weights = style.centered(x)
            square = centered.square()
            variance = square.mean((2, 3)) if weights is None else (weights * square).sum((2, 3))
            style.note(self.where, torch.cat([(variance + 1e-5).sqrt() - 1, mean], 1))
            return x
        scale, shift = style[:, self.where, None, None].chunk(2, 1)
        if self.batch is not None:
            return torch.addcmul(shift, self.batch(x), 1 + scale)
        if self.kept is None:
            return _normalized(x, 1 + scale, shift)
        centered = x - self.of_whole("mean", x, lambda y: y.mean((2, 3), keepdim=True))
        variance = self.of_whole("variance", centered, lambda y: y.square().mean((2, 3), keepdim=True))
        return torch.addcmul(shift, centered, (1 + scale) * (variance + 1e-5).rsqrt())

    def unbounded(self, part: Tensor) -> Tensor:
        scale, shift = part.chunk(2, 1)
        return torch.cat([(1 + scale).clamp_min(1e-6).log(), shift], 1)

    def bounded(self, part: Tensor) -> Tensor:
        scale, shift = part.chunk(2, 1)
        return torch.cat([scale.exp() - 1, shift], 1)


def _normalized(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Instance normalization of `(B, C, H, W)`, scaled and shifted by `(B or 1, C, 1, 1)`.

    By other names: torch's `instance_norm` takes four times as long, forward and backward. `batch_norm` has a wrong
    gradient (torch 2.13) where a batch of one has a stride that is not its size, as in `x[:, None][0]`.
    """
    batch, channels, height, width = x.shape
    last = (channels * height * width, 1, channels * width, channels)
    if torch.compiler.is_exporting() or x.stride() != last:
        return torch.addcmul(shift, torch.group_norm(x, channels), scale)
    scales, shifts = (v.flatten(1).expand(batch, -1) for v in (scale, shift))
    each = zip(x.chunk(batch), scales, shifts, strict=True)
    found = [torch.batch_norm(y, a, b, None, None, True, 0.0, 1e-5, True) for y, a, b in each]
    return found[0] if batch == 1 else torch.cat(found)


class Mixing(nn.Module):
    """`x + U (I + M) V x` at each position, where the style decides the `r × r` matrix `M`: the style's say in how
    channels go together, which γ and β alone cannot have (as the transformation of Li et al. 2019, "Learning linear
    transformations for fast image and video style transfer", in a residual branch).

    Args:
        channels: of the map.
        slots: of the style vector; takes `rank²`.
        rank: `r`.
    """

    def __init__(self, channels: int, slots: Slots, rank: int) -> None:
        super().__init__()
        self.rank, self.where = rank, slots.take(rank * rank)
        self.inward = nn.Conv2d(channels, rank, 1, bias=False)
        self.outward = nn.Conv2d(rank, channels, 1, bias=False)
        nn.init.zeros_(self.outward.weight)

    def forward(self, x: Tensor, style: Tensor | Recorder) -> Tensor:
        matrix = torch.eye(self.rank, dtype=x.dtype, device=x.device)
        if not isinstance(style, Recorder):
            matrix = matrix + style[:, self.where].reshape(-1, self.rank, self.rank)  # (B or 1, r, r)
        # All three in one matrix for each style: a map is read and written once.
        inward, outward = self.inward.weight[:, :, 0, 0], self.outward.weight[:, :, 0, 0]
        whole = torch.eye(x.shape[1], dtype=inward.dtype, device=x.device) + outward @ (matrix.to(inward) @ inward)
        rows = positions(x)
        found = rows @ whole.mT.to(x.dtype).expand(x.shape[0], -1, -1)
        return found.view(x.shape[0], *x.shape[2:], -1).permute(0, 3, 1, 2)


class Grain(nn.Module):
    """Adds fixed noise, weighted for each channel: where a picture is flat, a network has nothing else to make an
    irregular texture from, and repeats itself in a grid (noise as an input: Ulyanov et al. 2016, "Texture networks").

    The noise is a function of the position alone, made of integers below 2⁸, so that it is the same on every machine,
    in every format and in half precision, too; a picture and its parts get the same. While training it begins at a
    random position: a network that always saw the same noise at the same place learned to paint one patch there, and
    left the rest a photograph.

    Args:
        channels: of the map.
        cell: pixels from one position to the next.
        count: of independent noises.

    Attributes:
        origin: row and column of the map's first position, for a piece of a picture; while training, beyond the random
            one.
    """

    def __init__(self, channels: int, cell: int, count: int = 4) -> None:
        super().__init__()
        self.cell, self.count, self.origin = cell, count, (0, 0)
        self.weights = nn.Conv2d(count, channels, 1, bias=False)
        nn.init.normal_(self.weights.weight, std=0.1)
        self.odd: Tensor
        self.even: Tensor
        for name, tile in zip(("odd", "even"), noise_tiles(count), strict=True):
            self.register_buffer(name, tile, persistent=False)
        # The last place and its noise: the frames of a video share them.
        self._known: tuple[Any, Tensor] = None, torch.empty(0)

    def forward(self, x: Tensor) -> Tensor:
        top, left = self.origin
        if self.training:
            down, right = torch.randint(0, 1 << 15, (2,)).tolist()
            top, left = top + down, left + right
        place = (top, left, *x.shape[2:], x.dtype, x.device)
        known = self._known
        if torch.compiler.is_exporting():  # each picture its own: programs take a batch of one for a fused residual
            known = place, self._noises(*place).expand(x.shape[0], -1, -1, -1)
        elif self.training:
            known = place, self._noises(*place)
        elif known[0] != place:
            with torch.inference_mode(False):
                self._known = known = place, self._noises(*place)
        added: Tensor = self.weights(known[1])
        return x + added

    def _noises(self, top: int, left: int, height: int, width: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        odd, even = (tile.to(device) for tile in (self.odd, self.even))
        return noise((odd, even), top, left, height, width).to(dtype)[None]


def begin_at(network: nn.Module, top: int, left: int) -> None:
    """Have the grain begin at a row and a column, in pixels, of what a picture is a piece of; whole cells count."""
    for module in network.modules():
        if isinstance(module, Grain):
            module.origin = top // module.cell, left // module.cell


#: Sides of the tiles of noise, in positions; without a common divisor, so that their sum repeats after 4032 only.
NOISE_SIDES = (64, 63)


def noise_tiles(count: int) -> list[Tensor]:
    """What `noise` is made of: `(count, 64, 64)` odd numbers from -127 to 127, and `(count, 63, 63)` even ones from
    -128 to 126, evenly distributed. They are drawn by a function that is a standard (SHAKE256), and so never change.
    """
    tiles = []
    for name, side in zip(("odd", "even"), NOISE_SIDES, strict=True):
        drawn = hashlib.shake_256(f"impasto {name}".encode()).digest(count * side * side)
        values = torch.tensor(list(drawn), dtype=torch.int16).view(count, side, side) % 128
        tiles.append((2 * values - (127 if name == "odd" else 128)).to(torch.int8))
    return tiles


def noise(tiles: Sequence[Tensor], top: int, left: int, height: int, width: int) -> Tensor:
    """White noises of deviation 1, evenly distributed over 64 values, `(count, height, width)`, float32.

    All numbers but those of the last product are whole and have at most eight binary digits, which no type rounds.

    Args:
        tiles: of `noise_tiles`; both are repeated beside each other, and added.
        top: row of the first position.
        left: column of the first position.
        height: rows.
        width: columns.
    """
    parts = []
    for tile in tiles:
        side = tile.shape[1]
        rows, columns = (
            (torch.arange(count, device=tile.device) + first) % side for first, count in ((top, height), (left, width))
        )
        parts.append(tile.index_select(1, rows).float().index_select(2, columns))  # no quotients: soon exported
    # The sum, odd and from -255 to 253, taken in a circle and folded: again evenly distributed, from -63 to 63.
    folded = ((parts[0] + parts[1]).abs() - 128).abs() - 64
    return folded * math.sqrt(3 / 4095)


def mixed(x: Tensor) -> Tensor:
    """`x` in the type that a convolution takes it in: before it is moved about, so that half as much is moved."""
    kind = x.device.type
    return x.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else x


def edged(x: Tensor, sides: Sequence[int], mode: Padding = "replicate") -> Tensor:
    """`torch.nn.functional.pad` that keeps the type: mixed precision would pad in float32, and the convolution that
    follows turn it back."""
    if not torch.is_autocast_enabled(x.device.type):
        return F.pad(x, list(sides), mode)
    with torch.autocast(x.device.type, enabled=False):
        return F.pad(x, list(sides), mode)


class Conv(nn.Conv2d):
    """torch's, with `edged` borders: a tenth less time for a whole network in mixed precision."""

    def forward(self, x: Tensor) -> Tensor:
        if self.padding_mode == "zeros":
            return super().forward(x)
        down, across = (int(n) for n in self.padding)
        x = edged(x, (across, across, down, down), cast(Padding, self.padding_mode))
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


class Residual(nn.Module):
    """`x + norm(conv(relu(norm(conv(x)))))` (He et al. 2016; Johnson et al. 2016 leave out the last ReLU).

    Args:
        channels: of the map.
        slots: of the style vector.
        norm: of both normalizations.
        padding: torch's name of the padding mode.
    """

    def __init__(self, channels: int, slots: Slots, norm: Norm = "instance", padding: Padding = "zeros") -> None:
        super().__init__()
        self.first = Conv(channels, channels, 3, padding=1, padding_mode=padding)
        self.first_norm = ConditionalNorm(channels, slots, norm)
        self.second = Conv(channels, channels, 3, padding=1, padding_mode=padding)
        self.second_norm = ConditionalNorm(channels, slots, norm)

    def forward(self, x: Tensor, style: Tensor | Recorder) -> Tensor:
        inside = torch.relu(self.first_norm(self.first(x), style))
        added: Tensor = self.second_norm(self.second(inside), style)
        return x + added


def padded(images: Tensor, divisor: int, least: int = 1) -> Tensor:
    """`images` with their last row and column repeated until both sides are multiples of `divisor`, at least `least`
    (itself a multiple)."""
    height, width = images.shape[-2:]
    # Divided without a negative number: ONNX rounds toward zero, Python down.
    below, after = (max(least, (n + divisor - 1) // divisor * divisor) - n for n in (height, width))
    if not torch.compiler.is_exporting() and below == after == 0:
        return images
    return edged(images, (0, after, 0, below))


def whole_cells(reach: int, divisor: int) -> int:
    """A halo: `reach` pixels in whole cells, and one more for what is begun at each change of resolution."""
    return (-(-reach // divisor) + 1) * divisor
