"""`upscale`: larger pictures by a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from impasto.cli.common import Device, Force, Output, Quiet, choose_device, console
from impasto.errors import InputError
from impasto.media import check_output, read_image, write_image
from impasto.methods.instant import open_model
from impasto.networks.models import UPSCALE
from impasto.networks.superres import SuperResolution, enlarge
from impasto.networks.superres import upscale as upscaled


def upscale(
    picture: Annotated[Path, typer.Argument(help="The picture to enlarge.")],
    output: Output,
    model: Annotated[str, typer.Option(help="A model of `impasto train --task super-resolution`.")],
    tile: Annotated[
        int, typer.Option(help="Side of the squares that are worked on, pixels; decides the memory.")
    ] = 256,
    device: Device = "auto",
    quiet: Quiet = False,
    force: Force = False,
) -> None:
    """Enlarge a picture by a trained network (Johnson et al. 2016).

    [bold]impasto upscale small.jpg -o large.png --model x4.safetensors[/bold]
    """
    check_output(output, force=force)
    opened = open_model(model)
    if opened.kind != UPSCALE:
        raise InputError(f"{model} paints and does not enlarge; train one with impasto train --task super-resolution")
    where = choose_device(device)
    found = read_image(picture)
    network = cast(SuperResolution, opened.to(where).generator)
    pixels = upscaled(network, found.pixels.to(where), tile).cpu()
    alpha = found.alpha
    if alpha is not None:
        alpha = enlarge(alpha, network.factor).clamp(0, 1)
    write_image(output, pixels, alpha=alpha)
    if not quiet:
        height, width = pixels.shape[-2:]
        console.print(f"wrote {output}, {width}x{height}", soft_wrap=True)
