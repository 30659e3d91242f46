"""Small networks from latents to pictures: the priors of the canvas `natural`.

Latents are those of TAEF2, a tiny public autoencoder (madebyollin/taesd, MIT) of the latents of FLUX.2: 32 numbers for
each cell of 8×8 pixels.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from impasto.canvas.names import PRIORS
from impasto.errors import unknown
from impasto.features.states import read_tensors
from impasto.features.weights import DECODERS, locate, verify, weights_error

Module = TypeVar("Module", bound=nn.Module)

#: Numbers of a latent, and pixels along the side of its cell.
CHANNELS, CELL = 32, 8
#: Where latents are bent to: the largest that decoders answer to.
LARGEST = 3.0
#: The canvas whose decoder is packaged.
PACKAGED = "natural"
#: Its decoder: channels, and residual blocks, from a cell's resolution to a pixel's.
WIDTHS, BLOCKS = (96, 64, 32, 16), (3, 2, 1, 0)


def conv(inward: int, outward: int, *, bias: bool = True, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inward, outward, 3, stride, padding=1, bias=bias)


class Bend(nn.Module):
    """Latents kept within `LARGEST` of 0."""

    def forward(self, x: Tensor) -> Tensor:
        return (x / LARGEST).tanh() * LARGEST


class Block(nn.Module):
    """Convolutions beside a shortcut.

    Args:
        width: channels.
        depth: convolutions.
        pool: whether channels are compared over the whole map before (a group normalization between 1×1 convolutions).
    """

    def __init__(self, width: int, depth: int, *, pool: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = [conv(width, width)]
        for _ in range(depth - 1):
            layers += [nn.ReLU(), conv(width, width)]
        self.conv = nn.Sequential(*layers)
        self.pool: nn.Module | None = None
        if pool:
            inner, outer = nn.Conv2d(width, 4 * width, 1, bias=False), nn.Conv2d(4 * width, width, 1, bias=False)
            self.pool = nn.Sequential(inner, nn.GroupNorm(4, 4 * width), nn.ReLU(), outer)

    def forward(self, x: Tensor) -> Tensor:
        if self.pool is not None:
            x = x + self.pool(x)
        found: Tensor = (self.conv(x) + x).relu()
        return found


def taef2_decoder(width: int = 64) -> nn.Sequential:
    """TAEF2's decoder, `(B, 32, h, w)` to `(B, 3, 8 h, 8 w)`, its weights named as in the published file."""
    layers: list[nn.Module] = [Bend(), conv(CHANNELS, width), nn.ReLU()]
    for level in range(3):
        layers += [Block(width, 3, pool=level == 0) for _ in range(3)]
        layers += [nn.Upsample(scale_factor=2), conv(width, width, bias=False)]
    return nn.Sequential(*layers, Block(width, 3), conv(width, 3))


def student(widths: Sequence[int] = WIDTHS, blocks: Sequence[int] = BLOCKS) -> nn.Sequential:
    """The packaged decoder's network, of 0.8 million weights: what it does at a place depends on the latents about it.

    Args:
        widths: channels at 8, 4, 2 and 1 pixels.
        blocks: residual blocks there.
    """
    layers: list[nn.Module] = [Bend(), conv(CHANNELS, widths[0]), nn.ReLU()]
    for level, (width, count) in enumerate(zip(widths, blocks, strict=True)):
        if level:
            layers += [nn.Upsample(scale_factor=2), conv(widths[level - 1], width), nn.ReLU()]
        layers += [Block(width, 2) for _ in range(count)]
    return nn.Sequential(*layers, conv(widths[-1], 3))


class Prior(nn.Module):
    """A decoder, and how photographs' latents are spread.

    Args:
        network: `(B, 32, h, w)` to `(B, 3, 8 h, 8 w)`.

    Attributes:
        mean: of photographs' latents, `(32,)`.
        root: the lower triangular root of their covariance, `(32, 32)`.
    """

    mean: Tensor
    root: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.zeros(CHANNELS))
        self.register_buffer("root", torch.eye(CHANNELS))

    def latents(self, white: Tensor) -> Tensor:
        """White numbers `(B, 32, h, w)` as latents."""
        return torch.einsum("ij,bjhw->bihw", self.root, white) + self.mean.view(1, -1, 1, 1)

    def white(self, latents: Tensor) -> Tensor:
        """The opposite of `latents`."""
        flat = (latents - self.mean.view(1, -1, 1, 1)).flatten(2)
        found: Tensor = torch.linalg.solve_triangular(self.root, flat, upper=False)
        return found.view_as(latents)

    def forward(self, white: Tensor) -> Tensor:
        """`(B, 3, 8 h, 8 w)`, about in [0, 1]."""
        found: Tensor = self.network(self.latents(white))
        return found


def open_prior(name: str = PACKAGED, path: str | os.PathLike[str] | None = None) -> Prior:
    """The decoder of a canvas.

    Args:
        name: `natural`, which is packaged, or `taef2`, which `impasto weights fetch taef2` gets; both read the same
            latents.
        path: a file or folder of `taef2`'s weights, if they are elsewhere.

    Raises:
        InputError: if there is no such decoder.
        WeightsError: if its weights are not on this machine, damaged, or of another network.
    """
    if name not in PRIORS:
        raise unknown("decoder", name, PRIORS)
    packaged = Path(str(files("impasto"))) / "data" / f"{PACKAGED}.safetensors"
    prior = _filled(Prior(student()), packaged)
    if name != PACKAGED:
        file = locate(name, path)
        verify(file, DECODERS[name])
        prior.network = _filled(taef2_decoder(), file)
    prior.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return prior.eval().requires_grad_(False)


def check_decoder(name: str, path: str | os.PathLike[str] | None = None) -> tuple[Path, str | None]:
    """Check a fetched decoder as `impasto.features.check_weights` does an encoder."""
    file = locate(name, path)
    open_prior(name, file)
    return file, verify(file, DECODERS[name])


def _filled(network: Module, path: Path) -> Module:
    """A network with the weights of a file, in single precision.

    Raises:
        WeightsError: if they are damaged, or of another network.
    """
    state = {name: values.float() for name, values in read_tensors(path).items()}
    bad = next((name for name, values in state.items() if not values.isfinite().all()), None)
    try:
        if bad is not None:
            raise RuntimeError(f"{bad} has values that are not finite")
        network.load_state_dict(state)
    except RuntimeError as error:
        detail = str(error).splitlines()[-1].strip()
        raise weights_error(f"{path} does not hold the weights of this decoder: {detail}") from error
    return network
