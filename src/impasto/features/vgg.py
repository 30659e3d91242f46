"""VGG-shaped networks: 3×3 convolutions in five blocks, with the layer names of the papers."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import skip_init

from impasto.errors import InputError
from impasto.features.encoder import check_layers
from impasto.features.fastconv import max_pool, serves, wide, winograd
from impasto.features.fingerprint import digest
from impasto.features.frozen import frozen_convolution, frozen_pool, is_frozen
from impasto.features.precision import Precision
from impasto.features.spans import Level, Span
from impasto.features.variants import Normalization

Pooling = Literal["max", "avg"]
Padding = Literal["zeros", "circular"]

#: Memory of maps in bfloat16 that are streamed, and of those that are not, to that of float32's maps.
STREAMED_SHARE, BF16_SHARE = 0.33, 0.7


class VGG(nn.Module):
    """A VGG-shaped encoder without its fully connected layers (see `Encoder`).

    Layers are `conv1_1`, `relu1_1`, …, `pool1`, `conv2_1`, …, to the last block's `pool`. Where a layer has a
    projection (a `C × C` matrix, see `impasto.features.lite`), its map is multiplied by it on the way out.

    Args:
        widths: channels of each convolution, one sequence a block.
        normalization: what the weights expect of an image.
        pooling: `"max"` as trained, or `"avg"`, which Gatys et al. found to give smoother pictures.
        projected: names of the `relu` layers that have a projection; only those (and the pools behind them) can be
            asked for then.
        name: how users call it.
        drawn: its weights are drawn at random; if not, they are whatever the memory holds, to be loaded.

    Attributes:
        padding: `"zeros"` as trained, or `"circular"`: opposite sides of the picture are neighbors, for textures that
            tile. May be changed at any time.
        precision: `"bf16"` computes the maps in bfloat16, which has float32's range, and hands them out as float32, so
            that statistics and losses are summed in it; `"fp32"` and `"tf32"` are one here: whether a GPU may round
            float32 to TensorFloat-32 is a switch of torch's whole process.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        widths: Sequence[Sequence[int]],
        normalization: Normalization,
        *,
        pooling: Pooling = "max",
        projected: Sequence[str] = (),
        name: str = "vgg",
        drawn: bool = True,
    ) -> None:
        super().__init__()
        if pooling not in ("max", "avg"):
            raise InputError(f"pooling is {pooling!r}; it must be max or avg")
        self.name = name
        self.pooling = pooling
        self.padding: Padding = "zeros"
        self.precision: Precision = "fp32"
        self.convs = nn.ModuleDict()
        self.projections = nn.ParameterDict()
        self._steps: list[str] = []
        channels = 3
        for block, block_widths in enumerate(widths, 1):
            for index, width in enumerate(block_widths, 1):
                shape = (channels, width, 3, 1, 1)
                conv = nn.Conv2d(*shape) if drawn else skip_init(nn.Conv2d, *shape)  # type: ignore[no-untyped-call]
                self.convs[f"conv{block}_{index}"] = conv
                channels = width
                relu = f"relu{block}_{index}"
                self._steps += [f"conv{block}_{index}", relu]
                if relu in projected:
                    self.projections[relu] = nn.Parameter(torch.eye(width).view(width, width, 1, 1))
            self._steps.append(f"pool{block}")
        self.layers = tuple(n for n in self._steps if not projected or self._projection_of(n) is not None)
        self.register_buffer("mean", torch.tensor(normalization.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(normalization.std).view(1, 3, 1, 1), persistent=False)

    def fingerprint(self) -> str:
        """See `Fingerprinted`."""
        return digest(
            self, self.name, self.pooling, self.padding, self.precision, self.mean.tolist(), self.std.tolist()
        )

    def _projection_of(self, layer: str) -> str | None:
        """The relu layer whose projection `layer` uses: itself, or for a pool the relu before it."""
        relu = self._steps[self._steps.index(layer) - 1] if layer.startswith("pool") else layer
        return relu if relu in self.projections else None

    def forward(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        chosen = check_layers(layers, self.layers)
        self._check_size((int(images.shape[-2]), int(images.shape[-1])), chosen[-1])
        x, steps = self._normalized(images), self._steps_to(chosen[-1])
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            found = dict(self._maps(x, steps, chosen))
        return {name: maps.to(x.dtype) for name, maps in found.items() if name}

    def stream(self, images: Tensor, layers: Iterable[str]) -> Iterator[tuple[str, Tensor]]:
        """See `Streaming`."""
        chosen = check_layers(layers, self.layers)
        self._check_size((int(images.shape[-2]), int(images.shape[-1])), chosen[-1])
        found = self._lean_maps(self._normalized(images), self._steps_to(chosen[-1]), chosen)
        return ((name, maps) for name, maps in found if name)

    def spans(self, layers: Iterable[str], size: tuple[int, int]) -> list[Span]:
        """See `Spanned`. A span is a block, but the first two are one: what lies between them, 64 channels at half the
        picture's size, would be the largest of all maps kept.
        Padded in a circle, where the last column is a neighbor of the first, no part can be run by itself.
        """
        chosen = check_layers(layers, self.layers)
        self._check_size(size, chosen[-1])
        steps = self._steps_to(chosen[-1])
        ends = [i for i, step in enumerate(steps, 1) if step.startswith("pool") and step != "pool1"]
        cuts = [0, *(end for end in ends if end < len(steps)), len(steps)]
        return [self._span(steps[a:b], chosen) for a, b in itertools.pairwise(cuts)]

    def _span(self, steps: Sequence[str], chosen: Sequence[str]) -> Span:
        levels: dict[str, Level] = {}
        halvings, halo, held = 0, 0, 0.0
        narrow = STREAMED_SHARE if self.padding == "zeros" else BF16_SHARE
        share = narrow if self.precision == "bf16" else 1.0
        channels = cast(nn.Conv2d, self.convs[steps[0]]).in_channels
        for step in steps:
            if step.startswith("conv"):
                channels = cast(nn.Conv2d, self.convs[step]).out_channels
                halo, held = halo + 2**halvings, held + share * channels / 4**halvings
            halvings += step.startswith("pool")
            levels[step] = Level(halvings, channels)
        unit = 2**halvings
        first = steps[0] == self._steps[0]

        def run(x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            return self._run(self._normalized(x) if first else x, steps, chosen)

        asked = {name: level for name, level in levels.items() if name in chosen}
        return Span(run, asked, levels[steps[-1]], -(-halo // unit) * unit, held, self.padding == "zeros")

    def _steps_to(self, layer: str) -> list[str]:
        return self._steps[: self._steps.index(layer) + 1]

    def _normalized(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std

    def _run(self, x: Tensor, steps: Sequence[str], chosen: Sequence[str]) -> tuple[Tensor, dict[str, Tensor]]:
        """Some successive steps: what comes out of the last, and the maps of those that are chosen, in `precision`."""
        found = dict(self._lean_maps(x, steps, chosen))
        return found.pop("").to(x.dtype), found

    def _lean_maps(self, x: Tensor, steps: Sequence[str], chosen: Sequence[str]) -> Iterator[tuple[str, Tensor]]:
        """As `_maps`, in `precision`, in little memory where the weights are frozen."""
        if self.padding == "zeros" and all(is_frozen(conv) for conv in self.convs.values()):
            return self._maps(x.bfloat16() if self.precision == "bf16" else x, steps, chosen, lean=True)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            return iter(list(self._maps(x, steps, chosen)))

    def _maps(
        self, x: Tensor, steps: Sequence[str], chosen: Sequence[str], *, lean: bool = False
    ) -> Iterator[tuple[str, Tensor]]:
        """The maps of the steps that are chosen, one after the other, and what comes out of the last, without name.

        Args:
            lean: keep little of it for the backward pass (`impasto.features.frozen`). What wants other rules of
                gradients (`relu_rule`) wants torch's own functions.
        """
        # Plain layout from where on Winograd's convolutions serve to the end, channels last for torch's own before.
        plain = self._plain_from(steps[0], x)
        x = x.contiguous(memory_format=torch.contiguous_format if plain else torch.channels_last)
        pooled = ""  # which pool has been done before its ReLU
        for before, step, after in zip(["", *steps[:-1]], steps, [*steps[1:], ""], strict=True):
            if step.startswith("conv"):
                if not plain and self._plain_from(step, x):
                    plain, x = True, x.contiguous()
                x = self._convolve(step, x, plain, lean)
            elif step.startswith("pool"):
                x = x if step == pooled else self._pool(x, plain, lean)
            elif after.startswith("pool") and self.pooling == "max" and step not in chosen:
                # The largest of positives, or 0: the same, at a quarter of the positions.
                x, pooled = F.relu(self._pool(x, plain, lean), inplace=True), after
            else:
                # In place, unless the convolution's own output was asked for.
                x = F.relu(x, inplace=before not in chosen)
            if step in chosen:
                relu = self._projection_of(step)
                yield step, x if relu is None else F.conv2d(x, self.projections[relu].to(x.dtype))
        yield "", x

    def _plain_from(self, step: str, x: Tensor) -> bool:
        """Whether a convolution and all after it are wide enough for Winograd's, and this one is served."""
        if self.padding != "zeros" or self.precision == "bf16":
            return False
        names = list(self.convs)
        return all(wide(c) for c in list(self.convs.values())[names.index(step) :]) and serves(x, self.convs[step])

    def _convolve(self, step: str, x: Tensor, plain: bool, lean: bool) -> Tensor:
        conv = cast(nn.Conv2d, self.convs[step])  # or what stands in for one, in training
        if self.padding == "circular":
            return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="circular"), conv.weight, conv.bias)
        if plain and serves(x, conv):
            return winograd(x, conv)
        return frozen_convolution(x, conv) if lean else conv(x)

    def _pool(self, x: Tensor, plain: bool, lean: bool) -> Tensor:
        if self.pooling == "avg":
            return F.avg_pool2d(x, 2)
        if plain:
            return max_pool(x)
        return frozen_pool(x) if lean else F.max_pool2d(x, 2)

    def _check_size(self, size: tuple[int, int], deepest: str) -> None:
        """A picture must leave at least one position in the deepest layer."""
        pools = sum(n.startswith("pool") for n in self._steps_to(deepest))
        height, width = size
        if min(height, width) < 2**pools:
            raise InputError(
                f"a picture of {width}x{height} is too small for {deepest}, which needs at least "
                f"{2**pools} pixels each way"
            )
