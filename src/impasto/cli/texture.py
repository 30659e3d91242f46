"""`texture`: more of a sample."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from impasto.cli.common import (
    Device,
    EncoderName,
    Force,
    Output,
    Precision,
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
    choose_precision,
    moved,
    open_encoder,
    with_encoder,
)
from impasto.errors import InputError
from impasto.features.encoder import check_layers
from impasto.media import check_output, read_image
from impasto.methods.texture import TextureSettings
from impasto.methods.texture import texture as synthesize
from impasto.objective import STYLE_LAYERS, STYLE_LOSSES
from impasto.report import load_state, manifest


def texture(
    sample: Annotated[Path, typer.Argument(help="A picture of the texture.")],
    output: Output,
    size: Annotated[
        str, typer.Option(help="WIDTHxHEIGHT of the texture in pixels, or one number for a square.")
    ] = "512x512",
    sample_size: Annotated[
        int | None, typer.Option(help="Read the sample at this long side; the texture's if not given.")
    ] = None,
    own_size: Annotated[
        bool, typer.Option("--own-size", help="Read the sample as it is: a larger texture has more of the same.")
    ] = False,
    statistic: Annotated[
        str | None, typer.Option(help=f"How textures are compared: {', '.join(STYLE_LOSSES)}.")
    ] = None,
    layers_up_to: Annotated[
        str | None, typer.Option(help="The deepest layer that is compared, such as relu3_1.")
    ] = None,
    tileable: Annotated[bool, typer.Option("--tileable", help="Opposite sides fit together.")] = False,
    encoder: EncoderName = None,
    weights: Weights = None,
    pooling: Annotated[str | None, typer.Option(help="max or avg.")] = None,
    precision: Precision = None,
    optimizer: Annotated[str | None, typer.Option(help="lbfgs, adam, or auto.")] = None,
    steps: Steps = None,
    scales: Annotated[int | None, typer.Option(help="Coarse to fine: how many, each twice the one before.")] = None,
    seed: Seed = None,
    save_every: SaveEvery = 0,
    resume: Resume = None,
    report: Report = None,
    device: Device = "auto",
    quiet: Quiet = False,
    force: Force = False,
) -> None:
    """A texture like SAMPLE, of any size, from noise (Gatys, Ecker, Bethge 2015).

    [bold]impasto texture bricks.jpg -o wall.png --size 1024x512 --tileable[/bold]
    """
    where = choose_device(device)
    settings = TextureSettings().changed(
        size=sides(size),
        sample_size=sample_size,
        encoder=encoder,
        pooling=pooling,
        precision=choose_precision(precision, where),
        statistic=statistic,
        tileable=tileable,
        optimizer=optimizer,
        steps=steps,
        scales=scales,
        seed=seed,
    )
    check_output(output, force=force)
    check_text_output(report, force=force)
    picture = read_image(sample)
    if own_size:
        if sample_size is not None:
            raise InputError("give --sample-size or --own-size, not both")
        settings = settings.changed(sample_size=max(picture.pixels.shape[-2:]))
    settings = with_encoder(settings, weights, quiet)
    padding = "circular" if tileable else "zeros"
    network = open_encoder(settings, weights, where, padding=padding, precision=settings.precision)
    if layers_up_to is not None:
        settings = settings.changed(layers=up_to(layers_up_to, STYLE_LAYERS[settings.statistic], network.layers))
    about = manifest(settings, {"sample": str(sample)}, weights)
    state = None if resume is None else load_state(resume, about)
    steps_ = synthesize(network, picture.pixels.to(where), settings, resume=moved(state, where))
    raise typer.Exit(Run(output, about, quiet=quiet, save_every=save_every, report=report)(steps_))


def sides(text: str) -> tuple[int, int]:
    """`640x480` or `512` as width and height."""
    parts = text.lower().split("x")
    if not (len(parts) in (1, 2) and all(p.isdecimal() for p in parts)):
        raise InputError(f"size is {text!r}; write WIDTHxHEIGHT, such as 512x512")
    return int(parts[0]), int(parts[-1])


def up_to(layer: str, chosen: tuple[str, ...], known: Sequence[str]) -> tuple[str, ...]:
    """Those of the `chosen` layers that are not deeper than `layer`, and `layer` itself.

    Args:
        known: the encoder's layers, from shallow to deep.

    Raises:
        InputError: if `layer` is none of them.
    """
    (last,) = check_layers([layer], known)
    wanted = {*chosen, last}
    return tuple(name for name in known[: known.index(last) + 1] if name in wanted)
