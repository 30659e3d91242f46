"""`train`: networks that stylize in one pass, or enlarge pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from impasto.cli.common import (
    Device,
    Force,
    Quiet,
    Report,
    Weights,
    check_text_output,
    choose_device,
    choose_precision,
    console,
)
from impasto.errors import InputError, NonFiniteError, unknown
from impasto.features import load_encoder
from impasto.media import sheet, write_image
from impasto.methods.instant import open_model
from impasto.networks.models import save_model
from impasto.networks.registry import NETWORKS
from impasto.networks.superres import FACTORS
from impasto.report import file_hash, write_text
from impasto.training.loop import OPTIMIZERS, TrainSettings, TrainStep, sample, train
from impasto.training.loop import Device as Trainer
from impasto.training.loss import LossSettings
from impasto.training.photos import pictures_in
from impasto.training.recipes import (
    Material,
    Recipe,
    any_recipe,
    apart,
    styles_recipe,
    texture_recipe,
    upscale_recipe,
)

TASKS = ("style", "any-style", "texture", "super-resolution")
#: Options that only some tasks have.
ONLY = {"--body": ("style", "any-style"), "--add": ("style",), "--network": ("style",), "--held-out": ("any-style",)}


def train_command(
    output: Annotated[Path, typer.Option("-o", "--output", help="The model to write: .safetensors.")],
    painting: Annotated[
        list[Path] | None, typer.Argument(help="A painting for each style; a folder stands for its pictures.")
    ] = None,
    photos: Annotated[
        list[Path] | None, typer.Option(help="A folder of photographs; made-up scenes serve without one.")
    ] = None,
    task: Annotated[str, typer.Option(help=f"One of {', '.join(TASKS)}.")] = "style",
    network: Annotated[str, typer.Option(help=f"One of {', '.join(NETWORKS)}.")] = "quarter",
    option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Of the network, such as width=32; several times.")
    ] = None,
    body: Annotated[
        str | None, typer.Option(help="A model to begin with: a file, any, or none; any if it fits and not given.")
    ] = None,
    add: Annotated[
        str | None, typer.Option(help="A model whose styles stay; only the new ones' vectors learn.")
    ] = None,
    steps: Annotated[int, typer.Option(help="At most.")] = 4000,
    minutes: Annotated[float, typer.Option(help="At most; 0 for no limit.")] = 0.0,
    batch: Annotated[int, typer.Option(help="Photographs at a time.")] = 4,
    side: Annotated[int, typer.Option(help="Of the square crops, pixels.")] = 256,
    optimizer: Annotated[str, typer.Option(help=f"One of {', '.join(OPTIMIZERS)}.")] = "muon",
    rate: Annotated[
        float | None, typer.Option(help="Highest learning rate; 0.01 for styles by muon, 0.003 for all else.")
    ] = None,
    loss_encoder: Annotated[str, typer.Option(help="Whose features are compared: lite, vgg19, vgg16.")] = "lite",
    weights: Weights = None,
    content_weight: Annotated[float, typer.Option(help="How much of the content is kept.")] = 1.0,
    style_weight: Annotated[float, typer.Option(help="How strong the style is.")] = 5.0,
    tv_weight: Annotated[float, typer.Option(help="How smooth the pictures are.")] = 0.0,
    grid_weight: Annotated[
        float, typer.Option(help="Against a pattern that is repeated in every cell of the network.")
    ] = LossSettings.grid_weight,
    blocks_weight: Annotated[
        float, typer.Option(help="Against borders of the network's cells.")
    ] = LossSettings.blocks_weight,
    spectrum_weight: Annotated[
        float, typer.Option(help="For fine detail as strong as the painting's.")
    ] = LossSettings.spectrum_weight,
    scale: Annotated[int, typer.Option(help="Of super-resolution: 2, 4 or 8.")] = 4,
    loss: Annotated[str, typer.Option(help="Of super-resolution: feature or pixel.")] = "feature",
    held_out: Annotated[list[Path] | None, typer.Option(help="Any style: a folder of paintings kept apart.")] = None,
    look_every: Annotated[int, typer.Option(help="Steps between looks at what is held out, with a sheet.")] = 200,
    patience: Annotated[int, typer.Option(help="Looks without improvement until it stops; 0: never.")] = 0,
    save_every: Annotated[int, typer.Option(help="Steps between checkpoints.")] = 100,
    workers: Annotated[int, typer.Option(help="Processes that decode photographs.")] = 0,
    seed: Annotated[int, typer.Option(help="Of every choice.")] = 0,
    precision: Annotated[
        str, typer.Option(help="fp32, bf16, or auto: bf16 where the processor has instructions for it.")
    ] = "auto",
    accelerate: Annotated[
        bool, typer.Option("--accelerate", help="Several devices, as `accelerate launch` sets them up.")
    ] = False,
    report: Report = None,
    device: Device = "auto",
    quiet: Quiet = False,
    force: Force = False,
) -> None:
    """Train a network to paint in one pass, on your paintings.

    [bold]impasto train painting.jpg --photos holidays/ --minutes 15 -o painting.safetensors[/bold]

    Interrupted, the same command goes on from its checkpoint.
    """
    if task not in TASKS:
        raise unknown("task", task, TASKS)
    checkpoint = _checked_output(output, force)
    check_text_output(report, force=force)
    where = choose_device(device)
    precision = choose_precision(precision, where)
    settings = TrainSettings(
        steps=steps,
        minutes=minutes,
        optimizer=optimizer,
        rate=_default_rate(task, optimizer, add) if rate is None else rate,
        look_every=look_every,
        patience=patience,
        save_every=save_every,
        precision=precision,
        seed=seed,
    )
    paintings = [p for given in painting or [] for p in (pictures_in(given) if given.is_dir() else [given])]
    if not paintings and task != "super-resolution":
        raise InputError("give at least one painting to learn")
    files = [p for folder in photos or [] for p in pictures_in(folder)]
    if not files and task != "texture" and not quiet:
        console.print("note: no --photos: made-up scenes serve instead, which is second best", soft_wrap=True)
    trainer = _accelerator(precision) if accelerate else None
    where = where if trainer is None else str(trainer.device)  # type: ignore[attr-defined]
    kept, look_at = apart(files)
    encoder = load_encoder(loss_encoder, weights=weights, precision=precision, device=where)
    strengths = LossSettings(
        content_weight=content_weight,
        style_weight=style_weight,
        tv_weight=tv_weight,
        grid_weight=grid_weight,
        blocks_weight=blocks_weight,
        spectrum_weight=spectrum_weight,
        soft=task == "any-style",
    )
    material = Material(kept, look_at, encoder, strengths, batch, side, seed, workers, where)
    recipe = _recipe(
        task,
        paintings,
        material,
        network=network,
        options=_options(option),
        body=body,
        add=add,
        held_out=held_out or [],
        scale=scale,
        loss=loss,
    )
    about = {
        "task": task,
        "settings": asdict(settings),
        "loss": asdict(strengths),
        "loss_encoder": loss_encoder,
        "photos": len(kept),
        "paintings": {p.name: file_hash(p) for p in paintings} if len(paintings) <= 64 else len(paintings),
        "licence": "that of whoever trained it",
    }
    raise typer.Exit(Training(recipe, settings, output, checkpoint, about, report, quiet)(trainer))


def _recipe(
    task: str,
    paintings: list[Path],
    material: Material,
    *,
    network: str,
    options: dict[str, Any],
    body: str | None,
    add: str | None,
    held_out: list[Path],
    scale: int,
    loss: str,
) -> Recipe:
    """The training that the options of the command line ask for."""
    given = {
        "--body": None if body == "none" else body,
        "--add": add,
        "--network": network if network != "quarter" else None,
        "--held-out": held_out,
    }
    for option, value in given.items():
        if value and task not in ONLY[option]:
            raise InputError(f"{option} is for --task {' and '.join(ONLY[option])}, not for {task}")
    if task == "super-resolution":
        if scale not in FACTORS:
            raise InputError(f"scale is {scale}; it must be one of {', '.join(map(str, FACTORS))}")
        return upscale_recipe(material, scale, loss, options)  # type: ignore[arg-type]
    if task == "texture":
        return texture_recipe(paintings, material, options)
    if task == "any-style":
        apart_files = [p for folder in held_out for p in pictures_in(folder)]
        start = None if body in (None, "none") else open_model(body)
        return any_recipe(paintings, material, held_out=apart_files, options=options, body=start)
    first = add or _default_body(body, network, options)
    start = None if first is None else open_model(first)
    return styles_recipe(paintings, material, kind=network, options=options, body=start, add=add is not None)


class Training:
    """One training on the command line: progress, sheets of samples, and the model at the end."""

    def __init__(
        self,
        recipe: Recipe,
        settings: TrainSettings,
        output: Path,
        checkpoint: Path,
        about: dict[str, Any],
        report: Path | None,
        quiet: bool,
    ) -> None:
        self.recipe, self.settings, self.output, self.checkpoint = recipe, settings, output, checkpoint
        self.about, self.report, self.quiet = about, report, quiet
        self.curve: list[dict[str, Any]] = []

    def __call__(self, trainer: Trainer | None) -> int:
        """Train to the end; returns the exit code."""
        identity = self.recipe.identity
        steps = train(self.recipe.task, self.settings, checkpoint=self.checkpoint, device=trainer, identity=identity)
        try:
            last = self._watch(steps)
        except KeyboardInterrupt:
            steps.close()  # type: ignore[attr-defined]
            console.print(
                f"interrupted: the state is in {self.checkpoint}; the same command goes on from it", soft_wrap=True
            )
            return 130
        except NonFiniteError:
            console.print(f"the last good state is in {self.checkpoint}", soft_wrap=True)
            raise
        model = self.recipe.model(self.recipe.task.network)
        model.about = self.about | {"steps": last.step if last else 0, "seconds": round(last.seconds) if last else 0}
        save_model(model, self.output)
        self.checkpoint.unlink(missing_ok=True)
        if self.report is not None:
            write_text(self.report, json.dumps(model.about | {"curve": self.curve}, indent=1))
        if not self.quiet:
            console.print(f"wrote {self.output}", soft_wrap=True)
        return 0

    def _watch(self, steps: Iterator[TrainStep]) -> TrainStep | None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[loss]}"),
            TimeElapsedColumn(),
        )
        last, recent = None, 0.0
        with Progress(*columns, console=console, disable=self.quiet) as progress:
            bar = progress.add_task("training", total=1.0, loss="")
            for last in steps:
                recent = last.loss if not recent else 0.95 * recent + 0.05 * last.loss
                progress.update(
                    bar, completed=last.done, description=f"step {last.step}", loss=f"loss {recent:.4g}{_held(last)}"
                )
                if last.step % 10 == 0 or last.held_out is not None:
                    self.curve.append({"step": last.step, "seconds": round(last.seconds, 1), "losses": last.losses})
                if last.held_out is not None:
                    self.curve[-1]["held_out"] = last.held_out
                    self._sheet(last)
                    if not self.quiet:
                        parts = ", ".join(f"{n} {v:.4g}" for n, v in last.held_out.items())
                        console.print(f"step {last.step}, {last.seconds:.0f} s, held out: {parts}", soft_wrap=True)
        return last

    def _sheet(self, step: TrainStep) -> None:
        """What the network makes of the first held-out batch now, below the photographs."""
        images, made = sample(self.recipe.task, step.network())
        rows = (
            [[x[None].cpu() for x in made]] if images is None else [[x[None].cpu() for x in y] for y in (images, made)]
        )
        page = sheet(rows, ["photo", "network"][-len(rows) :], [""] * len(made))
        write_image(self.output.with_name(f"{self.output.stem}-samples.png"), page)


def _held(step: TrainStep) -> str:
    return "" if step.held_out is None else f", held out {step.held_out['loss']:.4g}"


def _checked_output(output: Path, force: bool) -> Path:
    """The checkpoint beside the output.

    Raises:
        InputError: if the output cannot be what is asked for.
    """
    if output.suffix != ".safetensors":
        raise InputError(f"{output} is no name for a model; it must end in .safetensors")
    if output.is_dir():
        raise InputError(f"{output} is a folder; name a file")
    if output.exists() and not force:
        raise InputError(f"{output} exists; overwrite it with --force")
    return output.with_name(f"{output.stem}.checkpoint.pt")


def _options(given: list[str] | None) -> dict[str, Any]:
    """`width=32` as a mapping; whole numbers as such, everything else as words."""
    found: dict[str, Any] = {}
    for text in given or []:
        name, _, value = text.partition("=")
        if not (name and value):
            raise InputError(f"an option of a network is NAME=VALUE, such as width=32; got {text!r}")
        found[name] = int(value) if value.isdecimal() else value
    return found


def _default_body(body: str | None, network: str, options: dict[str, Any]) -> str | None:
    """The packaged any-style network for one of its kind, unless another shape is asked for."""
    if body is None:
        return "any" if network == "quarter" and not options else None
    return None if body == "none" else body


def _default_rate(task: str, optimizer: str, add: str | None) -> float:
    """As far as networks of each kind were seen to learn well."""
    return 1e-2 if task == "style" and optimizer == "muon" and add is None else 3e-3


def _accelerator(precision: str) -> Trainer:
    try:
        from accelerate import Accelerator  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        raise InputError("--accelerate needs the package accelerate: pip install 'impasto[train]'") from None
    found: Trainer = Accelerator(mixed_precision="bf16" if precision == "bf16" else "no")
    return found
