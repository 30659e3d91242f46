"""Convolutions and pools of a frozen network, whose backward passes need next to nothing of the forward pass.

torch keeps a convolution's input, for the weights' gradient, and of a pool its input and an integer of 8 bytes for each
maximum. The gradient to the input needs the weights, and 2 bytes that tell where in its square a maximum was.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Offsets of maxima, up to a row and a column, are kept in 16 bits.
WIDEST = 2**15 - 2


def is_frozen(conv: nn.Module) -> bool:
    """Whether it is a plain convolution of 3×3 whose weights want no gradient."""
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
    """Weights and bias of a type, kept beside the convolution until it changes."""
    weight, bias = conv.weight.detach(), None if conv.bias is None else conv.bias.detach()
    if weight.dtype == dtype:
        return weight, bias
    key = dtype, weight.data_ptr(), weight._version
    kept: tuple[Any, tuple[Tensor, Tensor | None]] | None = conv.__dict__.get("_frozen")
    if kept is None or kept[0] != key:
        kept = conv.__dict__["_frozen"] = key, (weight.to(dtype), None if bias is None else bias.to(dtype))
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
        out, where = F.max_pool2d(x, 2, return_indices=True)
        if ctx.needs_input_grad[0]:
            ctx.size = x.shape[-2:]
            ctx.save_for_backward(where.to(torch.int16) - _corners(ctx.size, where).to(torch.int16))
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        offsets: Tensor = ctx.saved_tensors[0]
        return F.max_unpool2d(grads[0], _corners(ctx.size, offsets) + offsets, [2, 2], output_size=ctx.size)


def _corners(size: tuple[int, int], like: Tensor) -> Tensor:
    """The index of the first cell of each square of 2×2 in a map of `(H, W)`: `(H // 2, W // 2)`."""
    (height, width), device = size, like.device
    rows, columns = (torch.arange(side // 2, device=device) for side in (height, width))
    return 2 * width * rows[:, None] + 2 * columns
