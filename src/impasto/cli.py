"""The command `impasto`."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from torch import Tensor

from impasto.errors import ImpastoError, InputError, NonFiniteError, unknown
from impasto.features import ENCODERS, Encoder, encoder_source, load_encoder
from impasto.features import weights as weight_files
from impasto.media import Picture, check_output, read_image, sheet, write_image
from impasto.methods import gatys
from impasto.methods.presets import preset as preset_settings
from impasto.optimize import State, Step
from impasto.report import load_state, manifest, save_state, write_text
from impasto.settings import StylizeSettings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Neural artistic style transfer: a photo and a painting become a picture.",
)
weights_app = typer.Typer(no_args_is_help=True, help="Find, fetch and check the weights of encoders.")
app.add_typer(weights_app, name="weights")
console = Console(stderr=True)

STARTS = ("content", "noise", "style")

Output = Annotated[Path, typer.Option("-o", "--output", help="The picture to write: .png, .jpg, .webp or .tif.")]
Size = Annotated[int | None, typer.Option(help="Long side of the result in pixels.")]
EncoderName = Annotated[str | None, typer.Option("--encoder", help=f"One of {', '.join(ENCODERS)}.")]
Weights = Annotated[str | None, typer.Option(help="The encoder's weights: a file or a folder.")]
Layers = Annotated[list[str] | None, typer.Option(help="May be given several times.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress; errors only.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite an existing output.")]


def main() -> None:
    """Entry point: an error on purpose is one line and exit code 2, an interruption exit code 130."""
    try:
        app()
    except ImpastoError as error:
        print(f"impasto: {error}", file=sys.stderr)
        sys.exit(2)


def choose_device(name: str) -> str:
    """The device of that name; `auto` takes a GPU if there is one.

    Raises:
        InputError: if it is not there.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return next(n for n in ("cuda", "mps", "cpu") if there[n])
    if name not in there:
        raise unknown("device", name, ["auto", *there])
    if not there[name]:
        raise InputError(f"this machine has no {name} device that torch can use; choose auto or cpu")
    return name


def open_encoder(settings: StylizeSettings, weights: str | None, device: str) -> Encoder:
    network = load_encoder(settings.encoder, weights=weights, pooling=settings.pooling)  # type: ignore[arg-type]
    if isinstance(network, torch.nn.Module):
        network.to(device)
    return network


class Run:
    """One run of the loop on the command line: progress, snapshots, and what is written at the end."""

    def __init__(
        self,
        output: Path,
        about: dict[str, Any],
        *,
        alpha: Tensor | None = None,
        quiet: bool = False,
        save_every: int = 0,
        report: Path | None = None,
    ) -> None:
        self.output = output
        self.about = about
        self.alpha = alpha
        self.quiet = quiet
        self.save_every = save_every
        self.report = report
        self.curve: list[dict[str, Any]] = []
        self.last: Step | None = None

    def __call__(self, steps: Iterator[Step]) -> int:
        """Run to the end; returns the exit code."""
        try:
            self._watch(steps)
        except KeyboardInterrupt:
            if self.last is None:
                console.print("interrupted before the first step: nothing was written")
                return 130
            self._finish()
            state = self._save_state()
            console.print(f"interrupted: wrote {self.output} as it is; go on with --resume {state}", soft_wrap=True)
            return 130
        except NonFiniteError:
            if self.last is not None:
                self._finish()
                console.print(f"the last good picture is in {self.output}", soft_wrap=True)
            raise
        self._finish()
        if not self.quiet:
            console.print(f"wrote {self.output}", soft_wrap=True)
        return 0

    def _watch(self, steps: Iterator[Step]) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[loss]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, disable=self.quiet) as progress:
            task = progress.add_task("stylizing", loss="")
            for step in steps:
                self.last = step
                self.curve.append(
                    {"scale": step.scale, "step": step.step, "loss": step.loss, "losses": dict(step.losses)}
                )
                height, width = step.size
                scale = f" scale {step.scale}/{step.scales}" if step.scales > 1 else ""
                progress.update(
                    task,
                    total=step.steps * step.scales,
                    completed=step.steps * (step.scale - 1) + step.step,
                    description=f"{width}x{height}{scale}",
                    loss=f"loss {step.loss:.4g}",
                )
                if self.save_every and step.step % self.save_every == 0:
                    self._picture(
                        self.output.with_name(f"{self.output.stem}-{step.scale}-{step.step:04d}{self.output.suffix}")
                    )
                    self._save_state()

    def _picture(self, path: Path) -> None:
        assert self.last is not None
        pixels = self.last.image().cpu()
        alpha = self.alpha
        if alpha is not None:
            alpha = torch.nn.functional.interpolate(alpha, size=pixels.shape[-2:], mode="bilinear", antialias=True)
        write_image(path, pixels, alpha=alpha, metadata={"impasto": json.dumps(self.about)})

    def _save_state(self) -> Path:
        assert self.last is not None
        path = self.output.with_name(self.output.name + ".state.safetensors")
        save_state(path, self.last.state(), self.about)
        return path

    def _finish(self) -> None:
        self._picture(self.output)
        if self.report is not None and self.last is not None:
            result = {**self.about, "seconds": round(self.last.seconds, 3), "loss_curve": self.curve}
            write_text(self.report, json.dumps(result, indent=1))


def _check_text_output(path: Path | None, *, force: bool) -> None:
    if path is not None and path.is_dir():
        raise InputError(f"{path} is a folder, not a file to write the report to")
    if path is not None and path.exists() and not force:
        raise InputError(f"{path} exists; overwrite it with --force")


@app.command()
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
    _check_text_output(report, force=force)
    photo, painting = read_image(content), read_image(style)
    first: Tensor | None = None
    inputs = {"content": str(content), "style": str(style)}
    if settings.init not in STARTS:
        first, inputs["init"] = read_image(settings.init).pixels.to(where), settings.init
    about = manifest(settings, inputs, weights)
    state = None if resume is None else load_state(resume, about)
    network = open_encoder(settings, weights, where)
    steps_ = gatys.stylize(
        network, photo.pixels.to(where), painting.pixels.to(where), settings, init=first, resume=_moved(state, where)
    )
    run = Run(output, about, alpha=photo.alpha, quiet=quiet, save_every=save_every, report=report)
    raise typer.Exit(run(steps_))


def _moved(state: State | None, device: str) -> State | None:
    if state is None:
        return None
    return State(
        state.scale, state.step, state.parameters.to(device), {k: v.to(device) for k, v in state.optimizer.items()}
    )


@app.command()
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


@app.command()
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


@weights_app.command("list")
def weights_list() -> None:
    """Which weights there are, and where they were found."""
    table = Table("encoder", "found", "license", "home")
    table.add_row("lite", "packaged", "Apache-2.0", "-")
    for row in weight_files.status():
        table.add_row(row.name, str(row.path) if row.path else "no", row.license, row.url)
    Console().print(table)


@weights_app.command("path")
def weights_path(name: str) -> None:
    """Where the weights of an encoder are."""
    _known(name)
    found = weight_files.find(name)
    if found is None:
        raise InputError(weight_files.missing_message(name))
    print(found)


@weights_app.command("fetch")
def weights_fetch(name: str) -> None:
    """Download the weights of an encoder into impasto's cache, and check them."""
    _known(name)
    with _Download(name) as bar:
        path = weight_files.fetch(name, progress=bar)
    print(path)


class _Download:
    """A progress bar of the shape that the downloader reports to (see `impasto.features.weights.Progress`)."""

    def __init__(self, name: str) -> None:
        self.progress = Progress(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn(), console=console
        )
        self.task = self.progress.add_task(name, total=None)

    def __enter__(self) -> _Download:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    @property
    def total(self) -> int:
        return int(self.progress.tasks[0].total or 0)

    @total.setter
    def total(self, size: int) -> None:
        self.progress.update(self.task, total=size)

    def update(self, count: int, /) -> None:
        self.progress.advance(self.task, count)

    def reset(self) -> None:
        self.progress.update(self.task, completed=0)

    def close(self) -> None:
        """Nothing: the bar is closed when the command ends."""


@weights_app.command("verify")
def weights_verify(
    name: str, path: Annotated[Path | None, typer.Option(help="The file, if it is elsewhere.")] = None
) -> None:
    """Check the weights of an encoder: hash where it is known, names, shapes, finite values."""
    _known(name)
    entry = weight_files.WEIGHTS[name]
    found = weight_files.find(name, path)
    if found is None:
        raise InputError(weight_files.missing_message(name))
    digest = weight_files.verify(found, entry)
    weight_files.load_state(found, entry)
    print(f"{found}: {'SHA-256 ' + digest if digest else 'no hash is known for this file; names and shapes'} ok")


def _known(name: str) -> None:
    if name not in weight_files.WEIGHTS:
        raise unknown("encoder", name, weight_files.WEIGHTS)


@app.command()
def info() -> None:
    """Versions, devices, and the encoders found."""
    table = Table("what", "is")
    table.add_row("impasto", version("impasto"))
    table.add_row("python", platform.python_version())
    table.add_row("torch", f"{torch.__version__}, {torch.get_num_threads()} threads")
    table.add_row("device", choose_device("auto"))
    for name in ENCODERS:
        table.add_row(f"encoder {name}", encoder_source(name) or "no weights found")
    Console().print(table)


__all__ = ["app", "main"]
