"""Pictures from photographs, paintings, masks and maps: `stylize` and `doodle`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from torch import Tensor

from impasto.cache import StatisticsCache
from impasto.cli.common import (
    Device,
    EncoderName,
    Force,
    Layers,
    Output,
    Precision,
    Quiet,
    Report,
    Resume,
    Run,
    SaveEvery,
    Seed,
    Size,
    Steps,
    Weights,
    check_text_output,
    choose_device,
    choose_precision,
    console,
    moved,
    numbers,
    open_encoder,
    open_network,
    with_encoder,
)
from impasto.cli.instant import Instant, chosen_styles, paint_instantly, shares
from impasto.errors import InputError, unknown
from impasto.features import Encoder
from impasto.media import check_output, read_image
from impasto.memory import allowance, bytes_of, keep_freed_memory
from impasto.methods import gatys
from impasto.methods.plan import layers_read, plans, seconds_per_pixel
from impasto.methods.presets import METHODS, PRESETS
from impasto.methods.presets import preset as preset_settings
from impasto.methods.styles import Region
from impasto.networks.models import default_model
from impasto.objective import STYLE_LOSSES
from impasto.optimize import State
from impasto.report import load_state, manifest
from impasto.scene import Scene, statistics_folder
from impasto.settings import COLORS, STARTS, StylizeSettings

Preset = Annotated[str, typer.Option(help=f"Settings to begin with: {', '.join(PRESETS)}.")]
Loss = Annotated[str | None, typer.Option("--style-loss", help=f"How styles are compared: {', '.join(STYLE_LOSSES)}.")]
Scale = Annotated[
    str | None, typer.Option(help="Size of the strokes relative to the picture; several, as 0.5,1,2, are averaged.")
]
Rotation = Annotated[str | None, typer.Option(help="Degrees; turned copies of the style join the patches: -15,0,15.")]
QUALITIES = ("best", "quick", "refined", "instant")
MaxMemory = Annotated[
    str | None, typer.Option(help="What the run may take, such as 4GB; larger pictures are computed in tiles.")
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Keep no statistics of paintings on disk.")]


def stylize(
    content: Annotated[Path, typer.Argument(help="The photograph.")],
    output: Output,
    style: Annotated[list[Path] | None, typer.Argument(help="The painting; several are blended.")] = None,
    style_folder: Annotated[list[Path] | None, typer.Option(help="A folder of paintings as one more style.")] = None,
    blend: Annotated[
        str | None, typer.Option(help="A weight for each style: 0.3,0.7; of a model's own: a=0.3,b=0.7.")
    ] = None,
    size: Size = None,
    encoder: EncoderName = None,
    weights: Weights = None,
    preset: Preset = "default",
    quality: Annotated[
        str,
        typer.Option(
            help="best: optimize the picture; quick: in fewer steps, by lite; instant: one pass of a network, for any "
            "painting; refined: a few steps from there."
        ),
    ] = "best",
    model: Annotated[str | None, typer.Option(help="A network for one pass: a file, or any, gallery, live.")] = None,
    style_name: Annotated[
        list[str] | None, typer.Option("--style", help="A style of the model's own; several are blended.")
    ] = None,
    strength: Annotated[float, typer.Option(help="Of one pass: from 0, the photograph, to 1, the style.")] = 1.0,
    runtime: Annotated[
        str | None, typer.Option(help="Of one pass: torch, or onnx for a file from impasto export; by the file.")
    ] = None,
    method: Annotated[str, typer.Option(help=f"One of {', '.join(METHODS)}.")] = "gatys",
    style_loss: Loss = None,
    content_weight: Annotated[float | None, typer.Option(help="How much of the content is kept.")] = None,
    style_weight: Annotated[float | None, typer.Option(help="How strong the style is.")] = None,
    tv_weight: Annotated[float | None, typer.Option(help="How smooth the picture is.")] = None,
    content_layer: Layers = None,
    style_layer: Layers = None,
    style_layer_weight: Annotated[list[float] | None, typer.Option(help="One for each style layer.")] = None,
    style_scale: Scale = None,
    style_rotation: Rotation = None,
    color: Annotated[str | None, typer.Option(help=f"Whose colors: {', '.join(COLORS)}.")] = None,
    color_form: Annotated[str | None, typer.Option(help="Of content-match: cholesky or symmetric.")] = None,
    mask: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MASK INDEX", help="Where (white) the style of that number goes; 0 leaves a region as it is."
        ),
    ] = None,
    style_mask: Annotated[
        list[str] | None, typer.Option(metavar="MASK INDEX", help="Which part of the style of that number counts.")
    ] = None,
    feather: Annotated[float | None, typer.Option(help="Blur of masks as a fraction of the long side.")] = None,
    semantic: Annotated[
        list[Path] | None,
        typer.Option(metavar="CONTENT_MAP STYLE_MAP", help="Maps of what is what; further styles: --style-map."),
    ] = None,
    style_map: Annotated[
        list[Path] | None, typer.Option(help="Semantic map of the second style, the third, ….")
    ] = None,
    semantic_weight: Annotated[
        float | None, typer.Option(help="Say of semantic maps when patches are matched.")
    ] = None,
    dream: Annotated[str | None, typer.Option(help="LAYER or LAYER:CHANNEL to dream of at the same time.")] = None,
    dream_weight: Annotated[float | None, typer.Option(help="How much.")] = None,
    pooling: Annotated[str | None, typer.Option(help="max or avg.")] = None,
    optimizer: Annotated[str | None, typer.Option(help="lbfgs, adam, or auto.")] = None,
    jitter: Annotated[
        int | None,
        typer.Option(help="Pixels by which the encoder sees the picture displaced at random, for adam; 0 for none."),
    ] = None,
    steps: Steps = None,
    scales: Annotated[
        int | None,
        typer.Option(help="Coarse to fine: how many, each twice the one before; begins at 256 if not given."),
    ] = None,
    warmup_steps: Annotated[
        int | None, typer.Option(help="At each scale by lite, before those of a slower encoder.")
    ] = None,
    init: Annotated[
        str | None, typer.Option(help=f"{', '.join(STARTS)}, or the path of a picture or of a trained network.")
    ] = None,
    seed: Seed = None,
    save_every: SaveEvery = 0,
    resume: Resume = None,
    report: Report = None,
    no_cache: NoCache = False,
    precision: Precision = None,
    max_memory: MaxMemory = None,
    device: Device = "auto",
    quiet: Quiet = False,
    force: Force = False,
) -> None:
    """Paint CONTENT in the manner of STYLE.

    [bold]impasto stylize photo.jpg painting.jpg -o out.png[/bold]
    """
    if quality not in QUALITIES:
        raise unknown("quality", quality, QUALITIES)
    is_preset = quality in PRESETS
    if is_preset and preset != "default":
        raise InputError(f"--quality {quality} is a preset of its own; leave out --preset, or give --steps")
    if quality == "refined" and model is not None:
        init, model = start_of(model, init), None
    where = choose_device(device)
    settings = preset_settings(quality if is_preset else preset, method).changed(
        size=size,
        encoder=encoder,
        style_loss=style_loss,
        content_weight=content_weight,
        style_weight=style_weight,
        tv_weight=tv_weight,
        content_layers=content_layer or None,
        style_layers=style_layer or None,
        style_layer_weights=style_layer_weight or None,
        style_scales=numbers("style-scale", style_scale),
        style_rotations=numbers("style-rotation", style_rotation),
        color=color,
        color_form=color_form,
        feather=feather,
        semantic_weight=semantic_weight,
        dream=dream,
        dream_weight=dream_weight if dream_weight is not None or dream is None else 1.0,
        pooling=pooling,
        precision=choose_precision(precision, where),
        optimizer=optimizer,
        jitter=jitter,
        steps=steps,
        scales=scales,
        warmup_steps=warmup_steps,
        init=init,
        seed=seed,
    )
    one_pass = quality == "instant" or model is not None or bool(style_name)
    if one_pass and is_preset:
        other = "--style" if quality == "refined" else "--model and --style"
        raise InputError(f"--quality {quality} optimizes the picture; leave it out, or {other}")
    for option, given in (
        ("--strength", strength != 1),
        ("--runtime", runtime is not None),
    ):
        if given and not one_pass:
            raise InputError(f"{option} is for pictures in one pass: add --quality instant, or --model FILE")
    paintings = [*(style or []), *(style_folder or [])]
    scene = Scene(
        paintings,
        (numbers("blend", blend) or ()) if paintings or not one_pass else (),
        [(path, number) for path, number in map(indexed, mask or [])],
        {number: path for path, number in map(indexed, style_mask or [])},
        [*(semantic or []), *(style_map or [])],
        where,
        lambda text: console.print(f"note: {text}", soft_wrap=True),
    )
    for folder in style_folder or []:
        if not folder.is_dir():
            raise InputError(f"{folder} is no folder of paintings")
    if one_pass:
        keep_freed_memory(also_large=False)
        named = shares(blend if not scene.styles else None, style_name or [])
        model = model or default_model(named if not scene.styles else ())
        painter = open_network(model, where, runtime, settings.precision)
        settings = settings.changed(precision=painter.precision)
        own = chosen_styles(painter, scene, named)
        paint_one = Instant(painter, scene, own, settings, strength)
        raise typer.Exit(paint_instantly(paint_one, content, output, model, report, quiet, force))
    raise typer.Exit(
        paint(scene, content, output, settings, weights, save_every, resume, report, no_cache, quiet, force, max_memory)
    )


def start_of(model: str, init: str | None) -> str:
    """The `init` of `--quality refined` with `--model`.

    Raises:
        InputError: if the picture cannot begin with that.
    """
    if init is not None:
        raise InputError("--quality refined begins with what --model makes of the photograph; leave out --init")
    if model == "any":
        return "instant"
    if not model.lower().endswith(".safetensors"):
        raise InputError(f"--quality refined begins with any or with a network's .safetensors file, not with {model}")
    return model


def doodle(
    map_: Annotated[Path, typer.Argument(metavar="MAP", help="What goes where, in flat colors.")],
    style: Annotated[Path, typer.Argument(help="The painting.")],
    style_map: Annotated[Path, typer.Argument(help="What is what in the painting, in the same colors.")],
    output: Output,
    size: Size = None,
    encoder: EncoderName = None,
    weights: Weights = None,
    style_loss: Loss = None,
    style_scale: Scale = None,
    semantic_weight: Annotated[float | None, typer.Option(help="Say of the maps when patches are matched.")] = None,
    tv_weight: Annotated[float | None, typer.Option(help="How smooth the picture is.")] = None,
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
    """A picture from a doodle: the parts of STYLE put where MAP wants them (Champandard 2016).

    [bold]impasto doodle map.png painting.jpg painting_map.png -o out.png[/bold]
    """
    settings = preset_settings("default").changed(
        size=size,
        encoder=encoder,
        content_weight=0.0,
        style_loss=style_loss,
        style_scales=numbers("style-scale", style_scale),
        semantic_weight=semantic_weight,
        tv_weight=tv_weight,
        steps=steps,
        scales=scales if scales is not None else 3,
        init="noise",
        seed=seed,
    )
    scene = Scene([style], semantic=[map_, style_map], device=choose_device(device))
    raise typer.Exit(paint(scene, None, output, settings, weights, save_every, resume, report, True, quiet, force))


def paint(
    scene: Scene,
    content: Path | None,
    output: Path,
    settings: StylizeSettings,
    weights: str | None,
    save_every: int,
    resume: Path | None,
    report: Path | None,
    no_cache: bool,
    quiet: bool,
    force: bool,
    max_memory: str | None = None,
) -> int:
    """Check, read, paint, write; returns the exit code."""
    limit = allowance(scene.device) if max_memory is None else bytes_of(max_memory)
    if save_every < 0:
        raise InputError(f"save-every is {save_every}; it must be at least 0")
    check_output(output, force=force)
    check_text_output(report, force=force)
    inputs = scene.files()
    photo = None
    if content is not None:
        photo, inputs = read_image(content), {"content": str(content)} | inputs
    picture = None if photo is None else photo.pixels.to(scene.device)
    regions = scene.regions(picture)
    first = scene.first(picture, regions, settings)
    if settings.init not in STARTS:
        inputs["init"] = settings.init
    settings = with_encoder(settings, weights, quiet)
    settings = settings.resolved(settings.encoder)
    about = manifest(settings, inputs, weights) | {
        "blend": list(scene.blend),
        "masks": [n for _, n in scene.masks],
        "style_masks": list(scene.style_masks),
    }
    state = None if resume is None else moved(load_state(resume, about), scene.device)
    network = open_encoder(settings, weights, scene.device, precision=settings.precision)
    warmup: Encoder | None = None
    if settings.warms_up:
        other = settings.changed(encoder=settings.warmup_encoder)
        warmup = open_encoder(other, None, scene.device, precision=settings.precision)
    guide = scene.guide()
    shape = picture if picture is not None else guide
    if shape is not None and not quiet:
        told = estimate(network, settings, shape, limit, regions, content=picture is not None, state=state)
        console.print(told, soft_wrap=True, end="\n" if told else "")
    with Progress(console=console, disable=quiet, transient=True) as bar:
        task = bar.add_task("reading styles", visible=False)

        def read(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, visible=1 < total != done)

        steps = gatys.stylize(
            network,
            picture,
            regions,
            settings,
            init=first,
            guide=guide,
            resume=state,
            cache=None if no_cache else StatisticsCache(statistics_folder()),
            progress=read,
            warmup=warmup,
            max_memory=limit,
        )
        del state  # a large picture's takes memory, and the loop has it now
        run = Run(
            output,
            about,
            alpha=None if photo is None else photo.alpha,
            quiet=quiet,
            save_every=save_every,
            report=report,
        )
        return run(steps)


#: Long side from which a run says beforehand what it takes.
LARGE_SIDE = 2048


def estimate(
    encoder: Encoder,
    settings: StylizeSettings,
    shape: Tensor,
    limit: float | None,
    regions: Sequence[Region],
    *,
    content: bool,
    state: State | None,
) -> str:
    """What a large picture, or one in tiles, will take: memory and time; nothing of others."""
    scales = plans(encoder, settings, shape, limit, content=content, regions=regions)
    last = scales[-1]
    if not last.memory or (last.workspace is None and max(last.size) < LARGE_SIDE):
        return ""
    each = seconds_per_pixel(encoder, layers_read(settings, content))
    left = sum(at.seconds(each) * at.steps for at in scales)
    if state is not None:
        left -= sum(at.seconds(each) * at.steps for at in scales[: state.scale])
        left -= scales[state.scale].seconds(each) * state.step
    return (
        f"{last.size[1]}x{last.size[0]} {'at once' if last.workspace is None else 'in tiles'}: about "
        f"{last.memory / 1e9:.1f} GB, {last.seconds(each):.3g} s a step x {last.steps} steps at this size, "
        f"{spoken(left)} in all"
    )


def spoken(seconds: float) -> str:
    """`2 h 5 min`."""
    minutes = max(1, round(seconds / 60))
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def indexed(text: str) -> tuple[Path, int]:
    """`MASK=INDEX` in its parts; the command line joins the two words that a user writes."""
    path, _, number = text.rpartition("=")
    if not (path and number.isdecimal()):
        raise InputError(f"a mask is followed by the number of a style, such as --mask sky.png 2; got {text!r}")
    return Path(path), int(number)
