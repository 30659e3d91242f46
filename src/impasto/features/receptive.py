"""Which pixels a unit sees: the receptive field of a layer's cells, of any network.

Every convolution is replaced by a mean, every maximum by a mean, every ReLU and normalization by nothing. Then no
gradient is hidden by a weight of 0 or a dead unit, and where a cell's gradient is not 0, there is its receptive field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from impasto.errors import InputError
from impasto.features.encoder import Encoder

#: Sides of the pictures with which networks are tried: a field that is larger than half of the last is taken for all.
SIDES = (64, 128, 256, 512, 1024)

_CONVOLUTIONS = {torch.conv2d, F.conv2d}
_LARGEST = {F.max_pool2d, torch.max_pool2d}
_PLAIN = {F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_, F.batch_norm, torch.batch_norm,
          F.leaky_relu, F.elu, F.gelu, F.silu, F.hardtanh, F.relu6, F.hardswish, F.prelu, torch.prelu, F.dropout,
          F.local_response_norm}  # fmt: skip
#: What looks at a whole map.
_WHOLE = {F.group_norm, torch.group_norm, F.instance_norm, torch.instance_norm, F.layer_norm, torch.layer_norm}


@dataclass(frozen=True)
class ReceptiveField:
    """The pixels that the cells of a layer see: `size` each way from `start + stride * cell`, rows and columns.

    Attributes:
        start: of the cell (0, 0); below 0 where it sees padding.
        stride: pixels between cells.
        size: of the field.
    """

    start: tuple[int, int]
    stride: tuple[int, int]
    size: tuple[int, int]

    def of(self, cell: tuple[int, int]) -> tuple[slice, slice]:
        """Rows and columns that a cell sees, also those outside of a picture."""
        first = [s + d * c for s, d, c in zip(self.start, self.stride, cell, strict=True)]
        rows, columns = (slice(f, f + n) for f, n in zip(first, self.size, strict=True))
        return rows, columns


class _NoGrid(Exception):
    """Neighbors do not see equal parts at equal distances, such as those of enlarged maps."""


class _Spread(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in _CONVOLUTIONS:
            return _mean(*args, **kwargs)
        if func in _LARGEST:
            return _mean_pool(*args, **kwargs)
        if func in _PLAIN:
            return args[0]
        if func in _WHOLE:
            return args[0] + args[0].mean()
        return func(*args, **kwargs)


def _mean(
    input: Tensor, weight: Tensor, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Tensor:  # fmt: skip
    """A convolution whose weights are all alike; all channels of the result are one."""
    kernel = torch.full((1, 1, *weight.shape[2:]), 1 / weight[0, 0].numel(), dtype=input.dtype, device=input.device)
    spread = torch.conv2d(input.mean(1, keepdim=True), kernel, None, stride, padding, dilation)
    return spread.expand(-1, len(weight), -1, -1)


def _mean_pool(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:  # fmt: skip
    return F.avg_pool2d(input, kernel_size, stride or kernel_size, padding, ceil_mode)


@torch.inference_mode(False)
def receptive_field(encoder: Encoder, layer: str, device: str = "cpu") -> ReceptiveField | None:
    """The receptive field of a layer's cells; None where a cell sees all of a picture, or too much to tell.

    Args:
        encoder: with the layer.
        layer: its name.
        device: where the encoder is.
    """
    try:
        for side in SIDES:
            field = _field_at(side, encoder, layer, device)
            if field is not None:  # that of a larger picture is another where the network fits maps to a size
                return field if field == _field_at(side + side // 4, encoder, layer, device) else None
    except _NoGrid:
        return None
    return None


def _field_at(side: int, encoder: Encoder, layer: str, device: str) -> ReceptiveField | None:
    """The field as a square picture shows it; None where that is too small."""
    image = torch.ones(1, 3, side, side, dtype=torch.float64, device=device, requires_grad=True)
    try:
        with torch.enable_grad(), _Spread():
            maps = encoder(image, [layer])[layer]
    except (InputError, RuntimeError, TypeError):  # too small a picture, or no network of convolutions
        return None
    middle = [n // 2 for n in maps.shape[-2:]]
    if min(maps.shape[-2:]) < 3:
        return None
    seen = [_seen(maps, image, (middle[0] + i, middle[1] + i)) for i in (-1, 0, 1)]
    if None in seen:
        return None
    before, here, after = (torch.tensor(s) for s in seen)
    stride = (after - here)[:2]
    if not torch.equal(here - before, after - here) or stride.min() < 1 or (after - here)[2:].any():
        raise _NoGrid
    start = here[:2] - stride * torch.tensor(middle)
    return ReceptiveField(*(tuple(x.tolist()) for x in (start, stride, here[2:])))


def _seen(maps: Tensor, image: Tensor, cell: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """First row and column, height and width of what a cell sees; None if that touches a border."""
    (slope,) = torch.autograd.grad(maps[0, :, cell[0], cell[1]].sum(), image, retain_graph=True)
    where = slope[0].abs().amax(0) > 0
    rows, columns = where.any(1).nonzero()[:, 0], where.any(0).nonzero()[:, 0]
    if not len(rows):
        return None
    (top, bottom), (left, right) = ((int(x[0]), int(x[-1]) + 1) for x in (rows, columns))
    if min(top, left) == 0 or bottom == image.shape[-2] or right == image.shape[-1]:
        return None
    return top, left, bottom - top, right - left
