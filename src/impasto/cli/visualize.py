"""Looking inside a network: `visualize` filters, activations, saliency, deconv, guided, smoothgrad, unit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from torch import Tensor

from impasto.cli.common import (
    Device,
    EncoderName,
    Force,
    Output,
    Quiet,
    Run,
    Seed,
    Steps,
    Weights,
    choose_device,
    chosen_encoder,
    console,
    open_encoder,
    with_encoder,
)
from impasto.errors import InputError, unknown
from impasto.features import Encoder, load_encoder
from impasto.features.classifier import CLASSES
from impasto.media import check_output, gallery, read_image, write_image
from impasto.methods import attribution
from impasto.methods.ascent import ASCENT_PRESETS, ascend
from impasto.methods.attribution import Unit
from impasto.methods.styles import check_sides, scaled
from impasto.optimize import Step
from impasto.report import manifest

app = typer.Typer(no_args_is_help=True, help="Look inside a network.")

Image = Annotated[Path, typer.Argument(help="The picture.")]
UnitName = Annotated[str | None, typer.Option("--unit", help="LAYER:CHANNEL or LAYER:CHANNEL:Y,X, such as relu5_1:17.")]
ClassIndex = Annotated[int | None, typer.Option("--class", help="Of ImageNet, 0 to 999; needs a whole VGG.")]
Side = Annotated[int, typer.Option("--size", help="Long side that the picture is looked at, in pixels.")]


def write(output: Path, picture: Tensor, quiet: bool, **about: Any) -> None:
    """Write a picture with what made it."""
    write_image(output, picture.cpu(), metadata={"impasto": json.dumps(about, default=str)})
    if not quiet:
        console.print(f"wrote {output}", soft_wrap=True)


def chosen_unit(unit: str | None, index: int | None) -> Unit:
    """The unit or the class that was asked for."""
    if (unit is None) == (index is None):
        raise InputError("name what to look for: either --unit LAYER:CHANNEL or --class N")
    if index is not None:
        if not 0 <= index < CLASSES:
            raise InputError(f"class is {index}; ImageNet has classes 0 to {CLASSES - 1}")
        return Unit("logits", index)
    assert unit is not None
    return Unit.named(unit)


def open_network(
    encoder: str | None, weights: str | None, device: str, quiet: bool, *, classifier: bool = False
) -> Encoder:
    """The encoder of that name on a device."""
    name, where = chosen_encoder(encoder, weights, quiet), choose_device(device)
    return load_encoder(name, weights=weights, classifier=classifier, device=where)


@app.command()
def filters(
    output: Output,
    encoder: EncoderName = None,
    weights: Weights = None,
    quiet: Quiet = False,
    force: Force = False,
) -> None:
    """The filters of the first layer as a labeled sheet."""
    check_output(output, force=force)
    network = open_network(encoder, weights, "cpu", quiet)
    found = attribution.filters(network)
    pictures = [f[None] for f in found]
    write(output, gallery(pictures, [str(i) for i in range(len(pictures))], least=48), quiet, filters=network.name)


@app.command()
def activations(
    image: Image,
    output: Output,
    layer: Annotated[str, typer.Option(help="Such as relu3_1.")],
    count: Annotated[int, typer.Option(help="How many maps, the strongest first.")] = 16,
    size: Side = 512,
    encoder: EncoderName = None,
    weights: Weights = None,
    device: Device = "auto",
    quiet: Quiet = False,
    force: Force = False,
) -> None:
    """The strongest maps of a layer as a labeled sheet."""
    if count < 1:
        raise InputError(f"count is {count}; it must be at least 1")
    check_output(output, force=force)
    picture = looked_at(image, size)
    network = open_network(encoder, weights, device, quiet)
    maps, channels = attribution.activations(network, picture.to(choose_device(device)), layer, count)
    write(output, gallery([m[None] for m in maps], [str(c) for c in channels]), quiet, image=image, layer=layer)


def looked_at(image: Path, size: int) -> Tensor:
    """A picture at the size at which a network looks at it."""
    if size < 1:
        raise InputError(f"size is {size}; it must be at least 1")
    pixels = read_image(image).pixels
    picture = scaled(pixels, size)
    check_sides("picture", pixels, picture)
    return picture


def attribute(
    kind: str,
    image: Path,
    output: Path,
    unit: str | None,
    index: int | None,
    size: int,
    encoder: str | None,
    weights: str | None,
    device: str,
    quiet: bool,
    force: bool,
    **options: Any,
) -> None:
    """One of the gradient pictures."""
    wanted = chosen_unit(unit, index)
    check_output(output, force=force)
    picture = looked_at(image, size).to(choose_device(device))
    network = open_network(encoder, weights, device, quiet, classifier=wanted.classifier)
    shown = attribution.attribution(network, picture, wanted, kind, **options)
    write(output, shown, quiet, kind=kind, image=image, unit=wanted, encoder=network.name)


@app.command()
def saliency(
    image: Image, output: Output, unit: UnitName = None, index: ClassIndex = None, size: Side = 224,
    encoder: EncoderName = None, weights: Weights = None, device: Device = "auto", quiet: Quiet = False,
    force: Force = False,
) -> None:  # fmt: skip
    """Where a unit or a class is sensitive: the gradient's magnitude (Simonyan et al. 2014)."""
    attribute("saliency", image, output, unit, index, size, encoder, weights, device, quiet, force)


@app.command()
def deconv(
    image: Image, output: Output, unit: UnitName = None, index: ClassIndex = None, size: Side = 224,
    encoder: EncoderName = None, weights: Weights = None, device: Device = "auto", quiet: Quiet = False,
    force: Force = False,
) -> None:  # fmt: skip
    """The deconvolution of a unit or a class (Zeiler and Fergus 2014)."""
    attribute("deconv", image, output, unit, index, size, encoder, weights, device, quiet, force)


@app.command()
def guided(
    image: Image, output: Output, unit: UnitName = None, index: ClassIndex = None, size: Side = 224,
    encoder: EncoderName = None, weights: Weights = None, device: Device = "auto", quiet: Quiet = False,
    force: Force = False,
) -> None:  # fmt: skip
    """The guided gradient of a unit or a class (Springenberg et al. 2014)."""
    attribute("guided", image, output, unit, index, size, encoder, weights, device, quiet, force)


@app.command()
def smoothgrad(
    image: Image, output: Output, unit: UnitName = None, index: ClassIndex = None, size: Side = 224,
    samples: Annotated[int, typer.Option(help="How many noisy copies.")] = 25,
    noise: Annotated[float, typer.Option(help="Their noise, as a fraction of the range.")] = 0.15,
    seed: Annotated[int, typer.Option(help="Of the noise.")] = 0,
    encoder: EncoderName = None, weights: Weights = None, device: Device = "auto", quiet: Quiet = False,
    force: Force = False,
) -> None:  # fmt: skip
    """The mean gradient under noise (Smilkov et al. 2017)."""
    if samples < 1 or not 0 <= noise < 10:
        raise InputError(f"samples is {samples} and noise {noise}; there must be a sample, and a noise of at least 0")
    options = {"samples": samples, "noise": noise, "seed": seed}
    attribute("smoothgrad", image, output, unit, index, size, encoder, weights, device, quiet, force, **options)


@app.command()
def unit(
    output: Output,
    name: Annotated[
        str | None, typer.Argument(metavar="LAYER:CHANNEL[:Y,X]", help="Or a layer, with --channels.")
    ] = None,
    index: ClassIndex = None,
    channels: Annotated[str | None, typer.Option(help="A sheet of many: 0-15, or 3,7,9.")] = None,
    diversity: Annotated[int, typer.Option(help="How many different answers for one unit.")] = 1,
    preset: Annotated[str, typer.Option(help=f"{', '.join(ASCENT_PRESETS)}.")] = "olah",
    canvas: Annotated[str | None, typer.Option(help="pixels or fourier.")] = None,
    size: Annotated[int | None, typer.Option(help="Side of a picture in pixels.")] = None,
    steps: Steps = None,
    seed: Seed = None,
    encoder: EncoderName = None,
    weights: Weights = None,
    device: Device = "auto",
    quiet: Quiet = False,
    force: Force = False,
) -> None:
    """A picture that excites a unit, a channel, or a class, by gradient ascent.

    [bold]impasto visualize unit relu4_1:17 -o out.png[/bold]
    """
    if preset not in ASCENT_PRESETS:
        raise unknown("preset", preset, ASCENT_PRESETS)
    settings = ASCENT_PRESETS[preset]().changed(encoder=encoder, canvas=canvas, size=size, steps=steps, seed=seed)
    if diversity < 1:
        raise InputError(f"diversity is {diversity}; it must be at least 1")
    if channels is None:
        units = [chosen_unit(name, index)] * diversity
    elif name is None or index is not None or ":" in name or diversity > 1:
        raise InputError("--channels goes with a layer alone, such as: visualize unit relu4_1 --channels 0-15")
    else:
        units = [Unit(name, channel) for channel in listed(channels)]
    check_output(output, force=force)
    settings = with_encoder(settings, weights, quiet)
    network = open_encoder(settings, weights, choose_device(device), classifier=units[0].classifier)
    about = manifest(settings, {}, weights) | {"units": [vars(u) for u in units]}
    run = Excited(output, about, units=units, quiet=quiet)
    raise typer.Exit(run(ascend(network, units, settings, device=choose_device(device))))


class Excited(Run):
    """A run whose picture is a sheet, if there are several."""

    def __init__(self, output: Path, about: dict[str, Any], *, units: list[Unit], quiet: bool) -> None:
        super().__init__(output, about, quiet=quiet)
        self.units = units

    def pixels(self, step: Step) -> Tensor:
        pictures = step.image().cpu()
        if len(self.units) == 1:
            return pictures
        return gallery([p[None] for p in pictures], [f"{u.layer}:{u.channel}" for u in self.units])


def listed(text: str) -> list[int]:
    """`0-3,7` as numbers."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not (first.isdecimal() and (not last or last.isdecimal())):
            raise InputError(f"channels is {text!r}; write numbers and ranges, such as 0-15 or 3,7,9")
        found += range(int(first), int(last or first) + 1)
    if not found:
        raise InputError(f"channels is {text!r}, which names none")
    return found
