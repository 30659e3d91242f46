"""3×3 convolutions by Winograd's algorithm (Lavin and Gray 2016), where this machine has them right and faster.

torch's wheels for CPUs bring NNPACK, whose entry is private, so that nothing relies on it: whether it is there, right
and faster is tried once a process on a small convolution, and torch's own serves otherwise. Gradients are to the input
only; an encoder's weights are frozen.

NNPACK wants plain memory layout, `(B, C, H, W)` in that order, in which torch's max pooling is slow: `max_pool` is not.
"""

from __future__ import annotations

import functools
import time
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.features.frozen import kept_beside

#: Below these the transforms cost more than they save.
LEAST_CHANNELS, LEAST_SIDE = 64, 24


def wide(conv: nn.Module) -> bool:
    """Whether it is a convolution with channels enough; from three colors, its gradient has."""
    return (
        isinstance(conv, nn.Conv2d)
        and conv.out_channels >= LEAST_CHANNELS
        and (conv.in_channels >= LEAST_CHANNELS or conv.in_channels == 3)
    )


def serves(x: Tensor, conv: nn.Module) -> bool:
    """Whether `winograd(x, conv)` should be used for `conv(x)`: kind, sizes, and what `available` found."""
    return (
        wide(conv)
        and x.dtype == torch.float32
        and x.device.type == "cpu"
        and min(x.shape[-2:]) >= LEAST_SIDE
        and not cast(nn.Conv2d, conv).weight.requires_grad
        and available()
    )


def winograd(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """`conv(x)`, zero-padded by 1, for `x` of `(B, C, H, W)`; a result in plain memory layout."""
    out: Tensor = _Winograd.apply(x, conv)  # type: ignore[no-untyped-call]
    return out


class _Winograd(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, conv: nn.Conv2d) -> Tensor:
        ctx.conv = conv
        weight = _weights(conv)[0]
        if conv.in_channels == 3:  # too few to transform; the gradient has many
            return F.conv2d(x.contiguous(), weight, conv.bias, padding=1)
        return _convolve(x, weight, conv.bias)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        # The gradient of a convolution is one with the kernels turned round and channels exchanged.
        return _convolve(grads[0], _weights(ctx.conv)[1], None), None


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    parts = [torch._nnpack_spatial_convolution(one, weight, bias, 1) for one in torch.split(x.contiguous(), 1)]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _weights(conv: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """The weights and those of the gradient in plain layout, kept beside the convolution."""

    def made() -> tuple[Tensor, Tensor]:
        plain = conv.weight.detach().contiguous()
        return plain, plain.flip(2, 3).transpose(0, 1).contiguous()

    return kept_beside(conv, "_winograd", made)


def max_pool(x: Tensor) -> Tensor:
    """`max_pool2d(x, 2)` for `x` of `(B, C, H, W)` in plain memory layout, in a third of the time of torch's."""
    height, width = x.shape[-2] // 2 * 2, x.shape[-1] // 2 * 2
    whole = x if x.shape[-2:] == (height, width) else x[..., :height, :width]
    out: Tensor = _MaxPool.apply(whole)  # type: ignore[no-untyped-call]
    return out


class _MaxPool(torch.autograd.Function):
    """Rows two by two, then columns two by two: where two are equal, the gradient goes to the first."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        rows = torch.maximum(x[..., 0::2, :], x[..., 1::2, :])
        return torch.maximum(rows[..., 0::2], rows[..., 1::2])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        upper, lower = x[..., 0::2, :], x[..., 1::2, :]
        rows = torch.maximum(upper, lower)
        left, right = _divided(grads[0], rows[..., 0::2], rows[..., 1::2])
        row = torch.view_as_real(torch.complex(left, right)).flatten(-2)  # interleaved
        return torch.stack(_divided(row, upper, lower), -2).flatten(-3, -2)


def _divided(grad: Tensor, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient of `maximum(first, second)` to both; where they are equal, to the first."""
    to_second = torch.ops.aten.threshold_backward(grad, second - first, 0)  # where the difference is above 0
    return grad - to_second, to_second


@functools.cache
def available() -> bool:
    """Whether Winograd convolutions are there, right to 1e-4 and worth it: tried once, in about 0.3 s.

    That is, in two thirds of the time. Where they are as fast as the others, a run of noise may show them a quarter
    faster, and the layers that are not of this one's size lose by them.
    """
    try:
        if not torch._nnpack_available():
            return False
        generator = torch.Generator().manual_seed(0)
        x, weight = torch.rand(1, 128, 96, 96, generator=generator), torch.randn(128, 128, 3, 3, generator=generator)
        layout = torch.channels_last
        theirs = (x.contiguous(memory_format=layout), weight.contiguous(memory_format=layout))
        with torch.no_grad():
            expected, found = F.conv2d(*theirs, padding=1), _convolve(x, weight, None)
            right = bool(torch.allclose(found, expected, atol=1e-4 * expected.abs().max().item(), rtol=0))
            plain = _seconds(lambda: F.conv2d(*theirs, padding=1))
            fast = _seconds(lambda: _convolve(x, weight, None))
    except (AttributeError, RuntimeError, TypeError):
        return False
    return right and any(own < 0.67 * other for own, other in zip(fast, plain, strict=True))


def _seconds(run: Any) -> tuple[float, float]:
    """The least of five times, of this process alone and by the clock. On a busy machine the clock decides against what
    is twice as fast; the process's own time counts its threads that wait for work."""
    times = []
    for _ in range(5):
        start = time.process_time(), time.perf_counter()
        run()
        times.append((time.process_time() - start[0], time.perf_counter() - start[1]))
    return min(own for own, _ in times), min(clock for _, clock in times)
