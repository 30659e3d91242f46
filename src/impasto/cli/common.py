"""What the commands share: their options, the encoder they open, and the run that they watch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Protocol, Self, TypeVar

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor

from impasto.errors import InputError, NonFiniteError, unknown
from impasto.export import load_onnx
from impasto.features import ENCODERS, PRECISIONS, Encoder, load_encoder, resolve, resolve_precision
from impasto.media import write_image
from impasto.methods.instant import Painter, open_painter
from impasto.optimize import State, Step
from impasto.report import save_state, write_text

console = Console(stderr=True)

#: What computes trained networks.
RUNTIMES = ("torch", "onnx")

Output = Annotated[Path, typer.Option("-o", "--output", help="The picture to write: .png, .jpg, .webp or .tif.")]
Size = Annotated[int | None, typer.Option(help="Long side of the result in pixels.")]
EncoderName = Annotated[
    str | None,
    typer.Option("--encoder", help=f"auto (VGG-19 if it is found, else lite) or one of {', '.join(ENCODERS)}."),
]
Weights = Annotated[str | None, typer.Option(help="The encoder's weights: a file or a folder.")]
Precision = Annotated[
    str | None,
    typer.Option(
        help=f"Of encoder or network: {', '.join(PRECISIONS)}; auto is bf16 on processors with instructions for it."
    ),
]
Layers = Annotated[list[str] | None, typer.Option(help="May be given several times.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress; errors only.")]
Steps = Annotated[int | None, typer.Option(help="At each scale.")]
Seed = Annotated[int | None, typer.Option(help="Of the noise.")]
SaveEvery = Annotated[int, typer.Option(help="Write a snapshot and a state every N steps; 0: never.")]
Resume = Annotated[Path | None, typer.Option(help="A state that an interrupted run left.")]
Report = Annotated[Path | None, typer.Option(help="Write settings, versions, hashes and loss curve (JSON).")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite an existing output.")]


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


def choose_precision(name: str | None, device: str) -> str:
    """The precision of that name, never `auto`.

    GPUs may round float32 to TensorFloat-32 in convolutions, as torch lets them, unless it is `fp32`: a switch of the
    whole process, so the command line sets it and the library does not. Statistics are products of matrices, which
    stay in float32 either way.
    """
    precision = resolve_precision(name or "auto", device)
    torch.backends.cudnn.allow_tf32 = precision != "fp32"
    return precision


class EncoderSettings(Protocol):
    """Settings of a method that reads features."""

    @property
    def encoder(self) -> str: ...
    @property
    def pooling(self) -> str: ...
    def changed(self, **changes: Any) -> Self: ...


S = TypeVar("S", bound=EncoderSettings)


def with_encoder(settings: S, weights: str | None, quiet: bool) -> S:
    """Settings that name the encoder where they had `auto`; if `lite` stands in for VGG-19, that is said."""
    return settings.changed(encoder=chosen_encoder(settings.encoder, weights, quiet))


def chosen_encoder(name: str | None, weights: str | None, quiet: bool) -> str:
    """The encoder that a name stands for (see `impasto.features.resolve`); a stand-in is said."""
    found = resolve(name or "auto", weights)
    if found != name and found == "lite" and not quiet:
        console.print(
            "lite stands in for VGG-19, which is not on this machine; `impasto weights fetch vgg19` gets it",
            soft_wrap=True,
        )
    return found


def open_encoder(settings: EncoderSettings, weights: str | None, device: str, **options: Any) -> Encoder:
    """The encoder that `settings` name, on `device`; `options` as for `load_encoder`."""
    return load_encoder(settings.encoder, weights=weights, pooling=settings.pooling, device=device, **options)  # type: ignore[arg-type]


def fitted(alpha: Tensor | None, pixels: Tensor) -> Tensor | None:
    """A photograph's transparency, `(1, 1, h, w)`, at the size of the result."""
    if alpha is None:
        return None
    return torch.nn.functional.interpolate(alpha, size=pixels.shape[-2:], mode="bilinear", antialias=True)


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
                    completed=step.steps * (step.scale - 1) + (step.steps if step.done else step.step),
                    description=f"{width}x{height}{scale}",
                    loss=f"loss {step.loss:.4g}",
                )
                if self.save_every and step.step % self.save_every == 0:
                    self._picture(
                        self.output.with_name(f"{self.output.stem}-{step.scale}-{step.step:04d}{self.output.suffix}")
                    )
                    self._save_state()

    def pixels(self, step: Step) -> Tensor:
        """What is written of a step."""
        return step.image().cpu()

    def _picture(self, path: Path) -> None:
        assert self.last is not None
        pixels = self.pixels(self.last)
        write_image(path, pixels, alpha=fitted(self.alpha, pixels), metadata={"impasto": json.dumps(self.about)})

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


def open_network(model: str | None, device: str, runtime: str | None = None, precision: str = "auto") -> Painter:
    """The painter of a trained network.

    Args:
        model: a model file, an ONNX file that `impasto export` wrote, or the name of a packaged model; `any` if None.
        device: as torch names it; ONNX files are computed on the CPU.
        runtime: `torch` or `onnx`; by the kind of the file if None.
        precision: see `impasto.features.resolve_precision`; ONNX files have their own.

    Raises:
        InputError: if there is no such model or runtime, or they do not go together.
    """
    is_onnx = model is not None and Path(model).suffix.lower() == ".onnx"
    if runtime not in (None, *RUNTIMES):
        raise unknown("runtime", runtime, RUNTIMES)
    if runtime == "onnx" and not is_onnx:
        raise InputError(f"--runtime onnx takes an ONNX file; make one: impasto export {model or 'any'} model.onnx")
    if runtime == "torch" and is_onnx:
        raise InputError(f"--runtime torch cannot compute {model}; give the model file, or --runtime onnx")
    if is_onnx and model is not None:
        return open_painter(load_onnx(model), device, "fp32")
    return open_painter(model, device, precision)


def check_text_output(path: Path | None, *, force: bool) -> None:
    if path is not None and path.is_dir():
        raise InputError(f"{path} is a folder, not a file to write to")
    if path is not None and path.exists() and not force:
        raise InputError(f"{path} exists; overwrite it with --force")


def moved(state: State | None, device: str) -> State | None:
    """The state on another device."""
    return None if state is None else state.to(device)


def numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    """`0.3,0.7` as numbers.

    Raises:
        InputError: if it is something else.
    """
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{option} is {text!r}; write numbers with commas between them, such as 0.3,0.7") from None
