"""`invert`: what a layer knows of a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from impasto.cli.common import (
    Device,
    EncoderName,
    Force,
    Output,
    Quiet,
    Report,
    Resume,
    Run,
    SaveEvery,
    Seed,
    Steps,
    Weights,
    check_text_output,
    choose_device,
    console,
    moved,
    open_encoder,
    with_encoder,
)
from impasto.errors import InputError, WeightsError
from impasto.features.classifier import CLASSIFIER_LAYERS, load_classifier
from impasto.features.weights import WEIGHTS, find
from impasto.media import check_output, read_image, sheet, write_image
from impasto.methods.inversion import InversionSettings
from impasto.methods.inversion import invert as inversion
from impasto.optimize import Step
from impasto.report import load_state, manifest
from impasto.resample import lanczos


def invert(
    image: Annotated[Path, typer.Argument(help="The picture.")],
    output: Output,
    layer: Annotated[
        str | None,
        typer.Option(help="Any layer, such as relu4_2 or pool5; with a whole VGG also fc6, fc7, logits, prob."),
    ] = None,
    all_layers: Annotated[
        bool, typer.Option("--all-layers", help="A labeled strip of reconstructions, from shallow to deep.")
    ] = False,
    size: Annotated[int | None, typer.Option(help="Long side in pixels.")] = None,
    beta: Annotated[float | None, typer.Option(help="Exponent of the total variation.")] = None,
    alpha: Annotated[float | None, typer.Option(help="Exponent of the norm.")] = None,
    tv_weight: Annotated[float | None, typer.Option(help="How smooth the picture is.")] = None,
    norm_weight: Annotated[float | None, typer.Option(help="How far from black and white it stays.")] = None,
    canvas: Annotated[str | None, typer.Option(help="pixels or fourier.")] = None,
    encoder: EncoderName = None,
    weights: Weights = None,
    pooling: Annotated[str | None, typer.Option(help="max or avg.")] = None,
    optimizer: Annotated[str | None, typer.Option(help="lbfgs or adam.")] = None,
    steps: Steps = None,
    seed: Seed = None,
    save_every: SaveEvery = 0,
    resume: Resume = None,
    report: Report = None,
    device: Device = "auto",
    quiet: Quiet = False,
    force: Force = False,
) -> None:
    """Reconstruct IMAGE from its features at one layer (Mahendran and Vedaldi 2015).

    [bold]impasto invert photo.jpg --layer relu4_2 -o out.png[/bold]
    """
    settings = InversionSettings().changed(
        layer=layer,
        size=size,
        encoder=encoder,
        pooling=pooling,
        beta=beta,
        alpha=alpha,
        tv_weight=tv_weight,
        norm_weight=norm_weight,
        canvas=canvas,
        optimizer=optimizer,
        steps=steps,
        seed=seed,
    )
    if all_layers and (layer or resume or save_every or report):
        raise InputError(
            "--all-layers goes through every layer; leave out --layer, --resume, --save-every and --report"
        )
    where = choose_device(device)
    check_output(output, force=force)
    check_text_output(report, force=force)
    pixels = read_image(image).pixels.to(where)
    settings = with_encoder(settings, weights, quiet)
    about = manifest(settings, {"image": str(image)}, weights)
    state = None if resume is None else load_state(resume, about)
    whole = settings.classifier or (all_layers and has_classifier(settings.encoder, weights))
    network = open_encoder(settings, weights, where, classifier=whole)
    if not all_layers:
        steps_ = inversion(network, pixels, settings, resume=moved(state, where))
        raise typer.Exit(Run(output, about, quiet=quiet, save_every=save_every, report=report)(steps_))
    layers = [n for n in network.layers if n.startswith(("relu", "pool")) or n in CLASSIFIER_LAYERS]
    pictures = []
    with Progress(console=console, disable=quiet) as progress:
        task = progress.add_task("inverting", total=len(layers) * settings.steps)
        for name in layers:
            last: Step | None = None
            for last in inversion(network, pixels, settings.changed(layer=name)):  # noqa: B007
                progress.advance(task)
            assert last is not None
            pictures.append(last.image().cpu())
    height, width = pictures[0].shape[-2:]
    page = sheet([[lanczos(pixels.cpu(), (height, width)), *pictures]], [""], ["the picture", *layers])
    write_image(output, page, metadata={"impasto": json.dumps(about | {"layers": layers})})
    if not quiet:
        console.print(f"wrote {output}", soft_wrap=True)


def has_classifier(encoder: str, weights: str | None) -> bool:
    """Whether the encoder's fully connected layers are on this machine."""
    file = find(encoder, weights) if encoder in WEIGHTS else None
    try:
        return file is not None and bool(load_classifier(file, encoder))
    except WeightsError:
        return False
