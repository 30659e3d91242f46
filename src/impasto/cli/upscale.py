"""`upscale`: larger pictures by a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from torch import Tensor

from impasto.cli.common import Device, Force, Output, Quiet, choose_device, console
from impasto.errors import InputError
from impasto.media import check_output, read_image, sheet, write_image
from impasto.metrics import psnr, ssim
from impasto.networks.models import load_upscaler
from impasto.networks.superres import SuperResolution, enlarge, shrink
from impasto.networks.superres import upscale as upscaled
from impasto.training.recipes import style_names


def upscale(
    picture: Annotated[Path, typer.Argument(help="The picture to enlarge.")],
    output: Output,
    model: Annotated[
        list[str], typer.Option(help="A model of `impasto train --task super-resolution`; several to compare.")
    ],
    compare: Annotated[
        bool, typer.Option("--compare", help="Shrink PICTURE first; draw and measure what each model makes of that.")
    ] = False,
    tile: Annotated[
        int, typer.Option(help="Side of the squares that are worked on, pixels; decides the memory.")
    ] = 256,
    device: Device = "auto",
    quiet: Quiet = False,
    force: Force = False,
) -> None:
    """Enlarge a picture by a trained network (Johnson et al. 2016).

    [bold]impasto upscale small.jpg -o large.png --model x4.safetensors[/bold]

    [bold]impasto upscale photo.jpg -o figure.png --compare --model feature.safetensors --model pixel.safetensors[/bold]
    """
    check_output(output, force=force)
    if len(model) > 1 and not compare:
        raise InputError(f"there are {len(model)} models; give one, or add --compare")
    where = choose_device(device)
    names = style_names([Path(name) for name in model])  # of their files; two of one name are told apart
    networks = {name: load_upscaler(given).to(where).generator for name, given in zip(names, model, strict=True)}
    found = read_image(picture)
    if compare:
        page, measured = _compared(found.pixels.to(where), networks, tile)
        write_image(output, page)
        if not quiet:
            for name, (noise, likeness) in measured.items():
                console.print(f"{name}: PSNR {noise:.2f} dB, SSIM {likeness:.4f}", soft_wrap=True)
        return
    (network,) = networks.values()
    pixels = upscaled(network, found.pixels.to(where), tile).cpu()
    alpha = found.alpha
    if alpha is not None:
        alpha = enlarge(alpha, network.factor).clamp(0, 1)
    write_image(output, pixels, alpha=alpha)
    if not quiet:
        height, width = pixels.shape[-2:]
        console.print(f"wrote {output}, {width}x{height}", soft_wrap=True)


def _compared(
    picture: Tensor, networks: Mapping[str, SuperResolution], tile: int
) -> tuple[Tensor, dict[str, tuple[float, float]]]:
    """A sheet of the picture, and of what bicubic interpolation and each network make of it shrunk (as Johnson et al.
    2016, fig. 8); and PSNR in dB and SSIM of each, by luma, without as many pixels at the border as the factor.
    """
    factors = {network.factor for network in networks.values()}
    if len(factors) > 1:
        raise InputError(f"the models enlarge by {' and '.join(map(str, sorted(factors)))}; give models of one factor")
    (factor,) = factors
    height, width = (n // factor * factor for n in picture.shape[-2:])
    if min(height, width) < 11 + 2 * factor:
        raise InputError(f"the picture is too small to compare; both sides must be at least {11 + 2 * factor} pixels")
    original = picture[..., :height, :width]
    small = shrink(original, factor)
    made = {"bicubic": enlarge(small, factor).clamp(0, 1)}
    made |= {name: upscaled(network, small, tile) for name, network in networks.items()}
    measured = {name: (psnr(x, original, factor).item(), ssim(x, original, factor).item()) for name, x in made.items()}
    labels = [f"{name} {noise:.2f} dB {likeness:.3f}" for name, (noise, likeness) in measured.items()]
    return sheet([[x.cpu() for x in (original, *made.values())]], [""], ["original", *labels]), measured
