"""Pictures from a photograph and a painting: `stylize`, `reconstruct`, `grid`."""

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
    Layers,
    Output,
    Quiet,
    Run,
    Size,
    Weights,
    check_text_output,
    choose_device,
    console,
    moved,
    open_encoder,
)
from impasto.errors import InputError, unknown
from impasto.media import Picture, check_output, read_image, sheet, write_image
from impasto.methods import gatys
from impasto.methods.presets import preset as preset_settings
from impasto.optimize import Step
from impasto.report import load_state, manifest

STARTS = ("content", "noise", "style")


def stylize(
    content: Annotated[Path, typer.Argument(help="The photograph.")],
    style: Annotated[Path, typer.Argument(help="The painting.")],
    output: Output,
    size: Size = None,
    encoder: EncoderName = None,
    weights: Weights = None,
    preset: Annotated[str, typer.Option(help="Settings to begin with: default, gatys, johnson-lecture.")] = "default",
    content_weight: Annotated[float | None, typer.Option(help="How much of the content is kept.")] = None,
    style_weight: Annotated[float | None, typer.Option(help="How strong the style is.")] = None,
    tv_weight: Annotated[float | None, typer.Option(help="How smooth the picture is.")] = None,
    content_layer: Layers = None,
    style_layer: Layers = None,
    style_layer_weight: Annotated[list[float] | None, typer.Option(help="One for each style layer.")] = None,
    pooling: Annotated[str | None, typer.Option(help="max or avg.")] = None,
    optimizer: Annotated[str | None, typer.Option(help="lbfgs or adam.")] = None,
    steps: Annotated[int | None, typer.Option(help="At each scale.")] = None,
    scales: Annotated[int | None, typer.Option(help="Coarse to fine: how many, each twice the one before.")] = None,
    init: Annotated[str | None, typer.Option(help="content, noise, style, or the path of a picture.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the noise.")] = None,
    save_every: Annotated[int, typer.Option(help="Write a snapshot and a state every N steps; 0: never.")] = 0,
    resume: Annotated[Path | None, typer.Option(help="A state that an interrupted run left.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write settings, versions, hashes and loss curve (JSON).")] = None,
    device: Device = "auto",
    quiet: Quiet = False,
    force: Force = False,
) -> None:
    """Paint CONTENT in the manner of STYLE.

    [bold]impasto stylize photo.jpg painting.jpg -o out.png[/bold]
    """
    settings = preset_settings(preset).changed(
        size=size,
        encoder=encoder,
        content_weight=content_weight,
        style_weight=style_weight,
        tv_weight=tv_weight,
        content_layers=content_layer or None,
        style_layers=style_layer or None,
        style_layer_weights=style_layer_weight or None,
        pooling=pooling,
        optimizer=optimizer,
        steps=steps,
        scales=scales,
        init=init,
        seed=seed,
    )
    if save_every < 0:
        raise InputError(f"save-every is {save_every}; it must be at least 0")
    where = choose_device(device)
    check_output(output, force=force)
    check_text_output(report, force=force)
    photo, painting = read_image(content), read_image(style)
    first: Tensor | None = None
    inputs = {"content": str(content), "style": str(style)}
    if settings.init not in STARTS:
        first, inputs["init"] = read_image(settings.init).pixels.to(where), settings.init
    about = manifest(settings, inputs, weights)
    state = None if resume is None else load_state(resume, about)
    network = open_encoder(settings, weights, where)
    steps_ = gatys.stylize(
        network, photo.pixels.to(where), painting.pixels.to(where), settings, init=first, resume=moved(state, where)
    )
    run = Run(output, about, alpha=photo.alpha, quiet=quiet, save_every=save_every, report=report)
    raise typer.Exit(run(steps_))


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
    network = open_encoder(base, weights, where)
    rows: list[list[Tensor]] = []
    with Progress(console=console, disable=quiet) as progress:
        task = progress.add_task("grid", total=len(base.style_layers) * len(ratios) * base.steps)
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
