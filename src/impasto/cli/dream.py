"""`dream`: DeepDream, and zooms into it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer
from torch import Tensor

from impasto.cli.common import (
    Device,
    EncoderName,
    Force,
    Output,
    Quiet,
    Report,
    Run,
    Seed,
    Steps,
    Weights,
    check_text_output,
    choose_device,
    console,
    open_encoder,
    with_encoder,
)
from impasto.errors import InputError
from impasto.media import check_output, read_image
from impasto.media.video import VideoWriter, check_video_output
from impasto.methods.dream import DreamSettings
from impasto.methods.dream import dream as dreaming
from impasto.report import manifest
from impasto.resample import lanczos


def dream(
    image: Annotated[Path, typer.Argument(help="The picture.")],
    output: Output,
    layer: Annotated[str | None, typer.Option(help="Whose activation grows, such as relu4_2.")] = None,
    channel: Annotated[int | None, typer.Option(help="One channel of it.")] = None,
    octaves: Annotated[int | None, typer.Option(help="How many sizes.")] = None,
    octave_scale: Annotated[float | None, typer.Option(help="Ratio between them.")] = None,
    guide: Annotated[Path | None, typer.Option(help="A picture to dream of.")] = None,
    rate: Annotated[float | None, typer.Option(help="Mean change by one step, in units of the range.")] = None,
    jitter: Annotated[int | None, typer.Option(help="Pixels that the picture is rolled by at random.")] = None,
    size: Annotated[int | None, typer.Option(help="Long side in pixels; the picture's own if not given.")] = None,
    zoom: Annotated[int, typer.Option(help="So many frames, each 5 % into the one before.")] = 0,
    steps: Steps = None,
    seed: Seed = None,
    encoder: EncoderName = None,
    weights: Weights = None,
    report: Report = None,
    device: Device = "auto",
    quiet: Quiet = False,
    force: Force = False,
) -> None:
    """Make what a layer sees in IMAGE stronger (DeepDream, Mordvintsev 2015).

    [bold]impasto dream photo.jpg -o dream.png --encoder vgg19[/bold]
    """
    settings = DreamSettings().changed(
        layer=layer,
        channel=channel,
        octaves=octaves,
        octave_scale=octave_scale,
        rate=rate,
        jitter=jitter,
        size=size,
        steps=steps,
        seed=seed,
        encoder=encoder,
    )
    if zoom < 0:
        raise InputError(f"zoom is {zoom}; it must be at least 0 frames")
    where = choose_device(device)
    names = [output] if not zoom else [output.with_name(f"{output.stem}-{i:04d}{output.suffix}") for i in range(zoom)]
    for name in names:
        check_output(name, force=force)
    check_text_output(report, force=force)
    picture = read_image(image)
    inputs = {"image": str(image)} | ({} if guide is None else {"guide": str(guide)})
    wanted = None if guide is None else read_image(guide).pixels.to(where)
    settings = with_encoder(settings, weights, quiet)
    about = manifest(settings, inputs, weights)
    network = open_encoder(settings, weights, where)
    pixels, alpha = picture.pixels.to(where), picture.alpha
    for name in names:
        run = Run(name, about, alpha=alpha, quiet=quiet, report=report if name == names[-1] else None)
        code = run(dreaming(network, pixels, settings, guide=wanted))
        if code:
            raise typer.Exit(code)
        assert run.last is not None
        pixels, alpha = nearer(run.last.image()), None
    if zoom:
        film(output.with_suffix(".mp4"), names, quiet=quiet, force=force)


def nearer(picture: Tensor, ratio: float = 0.05) -> Tensor:
    """A picture enlarged about its center and cut to its size."""
    height, width = (int(side) for side in picture.shape[-2:])
    dy, dx = round(height * ratio / 2), round(width * ratio / 2)
    return lanczos(picture[..., dy : height - dy, dx : width - dx], (height, width))


def film(output: Path, frames: list[Path], *, quiet: bool, force: bool) -> None:
    """A video file of the frames, if PyAV is installed and nothing is in the way."""
    if importlib.util.find_spec("av") is None:
        if not quiet:
            console.print("the frames are written; for a video file too: pip install 'impasto[video]'", markup=False)
        return
    with VideoWriter(check_video_output(output, force=force), 15) as writer:
        for path in frames:
            writer.write(read_image(path).pixels)
