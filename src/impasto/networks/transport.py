"""Features carried over to a style: the encoder's first layers, and the map between two Gaussians of features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.errors import InputError
from impasto.features.vgg import VGG
from impasto.networks.conditioning import OfWhole, Recorder, Slots, edged, mixed
from impasto.objective.statistics import positions

#: Positions whose features are in float32 at a time, where they are not already.
PART = 2**16


def front_widths(encoder: VGG) -> list[int]:
    """Of the convolutions up to relu3_1 of `lite`."""
    return [cast(nn.Conv2d, conv).out_channels for conv in list(encoder.convs.values())[:5]]


class Front(nn.Module):
    """The packaged encoder up to relu3_1, frozen, at a quarter of the resolution.

    A copy of its weights goes with the network, so that a network does not change when the encoder does.

    Args:
        widths: of its convolutions, in two blocks of two and a last one.
    """

    mean: Tensor
    std: Tensor
    scale: Tensor

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        inward = (3, *widths[:-1])
        self.convs = nn.ModuleList([nn.Conv2d(a, b, 3) for a, b in zip(inward, widths, strict=True)])
        self.projection = nn.Conv2d(widths[-1], widths[-1], 1, bias=False)
        self.channels = widths[-1]
        self.register_buffer("mean", torch.zeros(1, 3, 1, 1))
        self.register_buffer("std", torch.ones(1, 3, 1, 1))
        self.register_buffer("scale", torch.ones(()))
        self.requires_grad_(False)

    @torch.no_grad()
    def copy_from(self, encoder: VGG, pictures: Tensor) -> None:
        """Take the weights of `lite`, and its usual size on `pictures`, `(B, 3, H, W)`."""
        for ours, theirs in zip(self.convs, encoder.convs.values(), strict=False):
            ours.load_state_dict(theirs.state_dict())
        self.projection.weight.copy_(encoder.projections["relu3_1"])
        self.mean.copy_(encoder.mean)
        self.std.copy_(encoder.std)
        self.scale.copy_(encoder(pictures, ["relu3_1"])["relu3_1"].square().mean().sqrt())

    def train(self, mode: bool = True) -> Front:
        return super().train(False)

    def forward(self, images: Tensor) -> Tensor:
        """`(B, 3, H, W)`, sides multiples of 4, to `(B, C, H/4, W/4)` of about unit size."""
        x = mixed((images - self.mean) / self.std)
        for first in (0, 2, 4):
            convs = self.convs[first : first + 2]
            # As wide as a block looks; zeros, which the encoder itself has there, end in a dark frame.
            x = edged(x if first == 0 else halved(x), (len(convs),) * 4)
            x = x.contiguous(memory_format=torch.channels_last)  # a first convolution takes a tenth of the time
            for conv in convs:
                x = F.relu(conv(x), inplace=True)  # its maps are by far the largest
        return F.conv2d(x, self.projection.weight / self.scale)


def halved(x: Tensor) -> Tensor:
    """The maximum of each 2×2 positions, `(B, C, H, W)` to half of both; a third of the time of torch's pooling."""
    rows = torch.maximum(x[:, :, ::2], x[:, :, 1::2])
    return torch.maximum(rows[..., ::2], rows[..., 1::2])


def roots(matrices: Tensor, least: float) -> tuple[Tensor, Tensor]:
    """`A^½` and `A^{-½}` of symmetric positive definite matrices `(B, n, n)`, by products alone, since formats for
    exchange know no eigenvalues (coupled Newton and Schulz: Higham 2008, "Functions of matrices", eq. 6.35).

    Args:
        matrices: `A`.
        least: part of the Frobenius norm; smaller eigenvalues only come near to their roots, as they would take most of
            the steps. Each is scaled so that the smallest grows as fast as the others stay bounded (Chen and Chow 2014,
            "A stable scaling of Newton-Schulz for improving the sign function computation of a Hermitian matrix").

    Raises:
        InputError: if a matrix is not positive definite, or has values that are not finite. On processors only: other
            devices would have to be waited for at each picture; there, as in exported graphs, the picture is NaN.
    """
    size = matrices.square().sum((1, 2), keepdim=True).sqrt()
    eye = torch.eye(matrices.shape[1], dtype=matrices.dtype, device=matrices.device)
    y, z, low = matrices / size, eye.expand_as(matrices), math.sqrt(least)
    while low < 1 - 1e-9:
        scale = math.sqrt(3 / (1 + low + low**2))
        low *= scale * (1.5 - 0.5 * (scale * low) ** 2)
        step = torch.baddbmm(eye, z, y, beta=1.5 * scale, alpha=-0.5 * scale**3)
        y, z = y @ step, step @ z
    if matrices.device.type == "cpu" and not torch.compiler.is_exporting():
        missed = (y.detach() @ y.detach() - matrices.detach() / size.detach()).square().sum((1, 2)).sqrt().max().item()
        if not missed < 0.5:  # of 1; rounding to bfloat16 misses by 0.07
            raise InputError(
                "a covariance of features has no root: it has negative eigenvalues or values that are not finite; give "
                "pictures without NaN, and a style vector that was measured, blended or drawn by the model"
            )
    return y * size.sqrt(), z * size.rsqrt()


def products(x: Tensor) -> Tensor:
    """Mean products of channels: `(B, C, H, W)` to `(B, C, C)`, in float32 at least: products that are rounded further
    have negative eigenvalues, and no root."""
    rows = positions(x)
    with torch.autocast(x.device.type, enabled=False):
        if x.dtype.itemsize >= 4:
            return rows.mT @ rows / rows.shape[1]
        total = torch.zeros(x.shape[0], x.shape[1], x.shape[1], device=x.device)
        for start in range(0, rows.shape[1], PART):
            exact = rows[:, start : start + PART].float()
            total = total.baddbmm(exact.mT, exact)
        return total / rows.shape[1]


class Transport(OfWhole):
    """Gives features the mean and covariance of a style's, with the least change (the optimal map between Gaussians;
    Lu et al. 2019, "A closed-form solution to universal style transfer"):

        x ← T (x − μ_c) + μ_s,   T = Σ_c^{-½} (Σ_c^½ Σ_s Σ_c^½)^½ Σ_c^{-½}

    Args:
        channels: `C` of the map.
        slots: of the style vector; takes `C + C (C + 1) / 2` numbers, mean and covariance.
        ridge: added to covariances, as a fraction of their mean variance: what varies less in the content is noise.
        least: see `roots`. Both bear rounding to bfloat16, which OpenVINO does where the processor can: eigenvalues
            that it makes negative would grow without bound in more steps (docs/decisions/0019-runtimes.md).
    """

    def __init__(self, channels: int, slots: Slots, ridge: float = 0.01, least: float = 1e-3) -> None:
        super().__init__()
        self.channels, self.ridge, self.least = channels, ridge, least
        self.where = slots.take(channels + channels * (channels + 1) // 2)
        rows, columns = torch.tril_indices(channels, channels)
        index = torch.zeros(channels, channels, dtype=torch.long)
        index[rows, columns] = index[columns, rows] = torch.arange(len(rows))
        self.index: Tensor
        self.register_buffer("index", index, persistent=False)
        self._lower = rows, columns

    def forward(self, x: Tensor, style: Tensor | Recorder, then: nn.Conv2d) -> Tensor:
        """`then`, a 1×1 convolution, of the features carried over: both in one product of matrices."""
        if isinstance(style, Recorder):
            self._note(x, style)
            return F.conv2d(x, then.weight, then.bias)
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        centered = (exact - self.of_whole("mean", exact, lambda y: y.mean((2, 3), keepdim=True))).to(x.dtype)
        covariance = self.of_whole("covariance", centered, products)
        # A style that learns keeps its covariance: a step away from it may be none, and have no root.
        own = style[:, self.where].detach()
        weight = then.weight[:, :, 0, 0]
        with torch.autocast(x.device.type, enabled=False):  # roots of matrices need the digits
            matrix = self._map(covariance, own[:, self.channels :][:, self.index]) @ weight.T
        shift = F.linear(own[:, None, : self.channels], weight, then.bias)
        carried: Tensor = torch.baddbmm(shift, positions(centered), matrix.expand(x.shape[0], -1, -1))
        return carried.view(x.shape[0], *x.shape[2:], -1).permute(0, 3, 1, 2)

    def unbounded(self, part: Tensor) -> Tensor:
        """With the logarithm of the covariance, whose small eigenvalues are raised as `ridge` would."""
        values, vectors = torch.linalg.eigh(part[:, self.channels :][:, self.index])
        least = (self.ridge * values.mean(1, keepdim=True)).clamp_min(1e-6)
        return self._with(part, vectors * values.maximum(least).log()[:, None] @ vectors.mT)

    def bounded(self, part: Tensor) -> Tensor:
        return self._with(part, torch.linalg.matrix_exp(part[:, self.channels :][:, self.index]))

    def _with(self, part: Tensor, matrix: Tensor) -> Tensor:
        return torch.cat([part[:, : self.channels], matrix[:, self._lower[0], self._lower[1]]], 1)

    def _map(self, ours: Tensor, theirs: Tensor) -> Tensor:
        """`T` for two covariances `(B, C, C)`; it is symmetric."""
        root, inverse = roots(self._ridged(ours), self.least)
        middle, _ = roots(self._ridged(root @ theirs @ root), self.least)
        return inverse @ middle @ inverse

    def _note(self, x: Tensor, recorder: Recorder) -> None:
        mean, centered, weights = recorder.centered(x)
        with torch.autocast(x.device.type, enabled=False):
            mine = products(centered) if weights is None else positions(centered * weights).mT @ positions(centered)
        recorder.note(self.where, torch.cat([mean, mine[:, self._lower[0], self._lower[1]]], 1))

    def _ridged(self, covariance: Tensor) -> Tensor:
        eye = torch.eye(self.channels, dtype=covariance.dtype, device=covariance.device)
        size = covariance.diagonal(dim1=1, dim2=2).mean(1)[:, None, None].clamp_min(1e-6)
        return covariance + self.ridge * size * eye
