"""Convolutions and pools of a frozen network, whose backward passes need next to nothing of the forward pass.

torch keeps a convolution's input, for the weights' gradient, and of a pool its input and an integer of 8 bytes for each
maximum. The gradient to the input needs the weights, and 2 bytes that tell where in its square a maximum was.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

T = TypeVar("T")
#: Numbers of a map that are pooled at a time: the integers of a whole one would be as large as itself.
STRIP = 2**22
#: Offsets of maxima, up to a row and a column, are kept in 16 bits.
WIDEST = 2**15 - 2


def is_frozen(conv: nn.Module) -> bool:
    """Whether it is a convolution whose weights want no gradient."""
    return isinstance(conv, nn.Conv2d) and not conv.weight.requires_grad


def frozen_convolution(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """`conv(x)` with weights of `x`'s type, zero-padded by 1, for `x` of `(B, C, H, W)`."""
    out: Tensor = _Convolution.apply(x, conv)  # type: ignore[no-untyped-call]
    return out


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, conv: nn.Conv2d) -> Tensor:
        ctx.conv = conv
        return F.conv2d(x, *_weights(conv, x.dtype), padding=1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return F.conv_transpose2d(grads[0], _weights(ctx.conv, grads[0].dtype)[0], padding=1), None


def _weights(conv: nn.Conv2d, dtype: torch.dtype) -> tuple[Tensor, Tensor | None]:
    """Weights and bias of a type, kept beside the convolution."""
    weight, bias = conv.weight.detach(), None if conv.bias is None else conv.bias.detach()
    if weight.dtype == dtype:
        return weight, bias
    return kept_beside(conv, f"_as_{dtype}", lambda: (weight.to(dtype), None if bias is None else bias.to(dtype)))


def kept_beside(conv: nn.Conv2d, name: str, make: Callable[[], T]) -> T:
    """What `make` makes of a convolution's weights, kept as its attribute `name` until they change."""
    key = conv.weight.data_ptr(), conv.weight._version
    kept: tuple[tuple[int, int], T] | None = conv.__dict__.get(name)
    if kept is None or kept[0] != key:
        kept = conv.__dict__[name] = key, make()
    return kept[1]


def frozen_pool(x: Tensor) -> Tensor:
    """`max_pool2d(x, 2)` for `x` of `(B, C, H, W)`."""
    if x.shape[-1] > WIDEST:
        return F.max_pool2d(x, 2)
    out: Tensor = _MaxPool.apply(x)  # type: ignore[no-untyped-call]
    return out


class _MaxPool(torch.autograd.Function):
    """What is kept is how far each maximum is from its square's first cell, in cells of the whole map, row by row."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        if not ctx.needs_input_grad[0]:
            return F.max_pool2d(x, 2)
        parts, offsets = [], []
        for rows in _strips(x.shape):
            out, where = F.max_pool2d(x[..., rows, :], 2, return_indices=True)
            parts.append(out)
            offsets.append(where.to(torch.int16) - _corners(x[..., rows, :], where.device).to(torch.int16))
        ctx.last = x.is_contiguous(memory_format=torch.channels_last)
        ctx.size = x.shape
        ctx.save_for_backward(_joined(offsets))
        return _joined(parts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (grad,), offsets = grads, ctx.saved_tensors[0]
        layout = torch.channels_last if ctx.last else torch.contiguous_format
        found = torch.empty(ctx.size, dtype=grad.dtype, device=grad.device, memory_format=layout)
        for rows in _strips(ctx.size):
            part, half = found[..., rows, :], slice(rows.start // 2, rows.stop // 2)
            where = _corners(part, grad.device) + offsets[..., half, :]
            part.copy_(F.max_unpool2d(grad[..., half, :], where, [2, 2], output_size=part.shape[-2:]))
        return found


def _strips(size: Sequence[int]) -> list[slice]:
    """Rows of a map `(B, C, H, W)`, two by two, that have about `STRIP` numbers; all of more than one map."""
    batch, channels, height, width = size
    step = 2 * max(1, STRIP // (2 * channels * width)) if batch == 1 else height
    starts = range(0, height - 1, step)
    return [slice(start, stop) for start, stop in itertools.pairwise([*starts, height])]


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat([*parts], 2)


def _corners(maps: Tensor, device: torch.device) -> Tensor:
    """The index of the first cell of each square of 2×2 in maps `(B, C, H, W)`: `(H // 2, W // 2)`."""
    rows, columns = (torch.arange(side // 2, device=device) for side in maps.shape[-2:])
    return 2 * maps.shape[-1] * rows[:, None] + 2 * columns
