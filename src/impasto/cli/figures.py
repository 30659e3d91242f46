"""The figures of the paper: `reconstruct` and `grid`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from torch import Tensor

from impasto.cli.common import (
    Device,
    EncoderName,
    Force,
    Output,
    Quiet,
    Run,
    Size,
    Weights,
    choose_device,
    console,
    open_encoder,
    with_encoder,
)
from impasto.errors import InputError, unknown
from impasto.media import Picture, check_output, read_image, sheet, write_image
from impasto.methods import gatys
from impasto.methods.presets import preset as preset_settings
from impasto.optimize import Step
from impasto.report import manifest


def reconstruct(
    image: Annotated[Path, typer.Argument(help="The picture to reconstruct.")],
    output: Output,
    source: Annotated[str, typer.Option("--from", help="content or style.")] = "content",
    layer: Annotated[list[str] | None, typer.Option(help="Layers to reconstruct from; several --layer.")] = None,
    size: Size = None,
    encoder: EncoderName = None,
    weights: Weights = None,
    steps: Annotated[int | None, typer.Option(help="How many.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the noise.")] = None,
    device: Device = "auto",
    quiet: Quiet = False,
    force: Force = False,
) -> None:
    """What an encoder keeps of IMAGE: reconstruct it from noise, from its content or its style alone."""
    if source not in ("content", "style"):
        raise unknown("source", source, ("content", "style"))
    chosen = {f"{source}_layers": layer} if layer else {}
    settings = preset_settings("default").changed(
        size=size, encoder=encoder, steps=steps, seed=seed, init="noise", **chosen
    )
    where = choose_device(device)
    check_output(output, force=force)
    picture: Picture = read_image(image)
    settings = with_encoder(settings, weights, quiet)
    settings = settings.resolved(settings.encoder)
    network = open_encoder(settings, weights, where)
    pixels = picture.pixels.to(where)
    is_style = source == "style"
    steps_ = gatys.stylize(network, pixels, pixels if is_style else None, settings, keep_content=not is_style)
    run = Run(output, manifest(settings, {source: str(image)}, weights), quiet=quiet)
    raise typer.Exit(run(steps_))


def grid(
    content: Annotated[Path, typer.Argument(help="The photograph.")],
    style: Annotated[Path, typer.Argument(help="The painting.")],
    output: Output,
    ratio: Annotated[
        list[float] | None, typer.Option(help="Content to style weights, one column each; several --ratio.")
    ] = None,
    size: Annotated[int, typer.Option(help="Long side of each picture in pixels.")] = 256,
    encoder: EncoderName = None,
    weights: Weights = None,
    steps: Annotated[int | None, typer.Option(help="For each picture.")] = None,
    device: Device = "auto",
    quiet: Quiet = False,
    force: Force = False,
) -> None:
    """The figure of the paper: content/style ratio (columns) by depth of the style layers (rows), labeled.

    Ratios are of relative losses: 0.1 is the default balance. Gatys et al. 2015, figure 3.
    """
    ratios = ratio or [0.01, 0.03, 0.1, 0.3]
    if any(not 0 < r < float("inf") for r in ratios):
        raise InputError(f"a ratio is {min(ratios)}; it must be a finite number above 0")
    base = preset_settings("default").changed(size=size, encoder=encoder, steps=steps, content_weight=1.0)
    where = choose_device(device)
    check_output(output, force=force)
    photo, painting = (read_image(p).pixels.to(where) for p in (content, style))
    base = with_encoder(base, weights, quiet)
    base = base.resolved(base.encoder)
    network = open_encoder(base, weights, where)
    rows: list[list[Tensor]] = []
    with Progress(console=console, disable=quiet) as progress:
        task = progress.add_task("grid", total=len(base.style_layers) * len(ratios) * base.steps * len(base.sizes()))
        for depth in range(1, len(base.style_layers) + 1):
            rows.append([])
            for r in ratios:
                settings = base.changed(style_weight=1 / r, style_layers=base.style_layers[:depth])
                last: Step | None = None
                for last in gatys.stylize(network, photo, painting, settings):  # noqa: B007
                    progress.advance(task)
                assert last is not None
                rows[-1].append(last.image().cpu())
    about = manifest(base, {"content": str(content), "style": str(style)}, weights) | {"ratios": ratios}
    labels = [f"to {layer.removeprefix('relu')}" for layer in base.style_layers]
    page = sheet(rows, labels, [f"content/style {r:g}" for r in ratios])
    write_image(output, page, metadata={"impasto": json.dumps(about)})
    if not quiet:
        console.print(f"wrote {output}", soft_wrap=True)
