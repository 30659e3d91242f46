"""`live`: a camera or a video, painted frame by frame."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.live import Live
from rich.text import Text
from torch import Tensor

from impasto.cli.common import (
    Device,
    Force,
    Precision,
    Quiet,
    choose_device,
    choose_precision,
    console,
    numbers,
    open_network,
)
from impasto.cli.window import Window
from impasto.errors import InputError
from impasto.media.video import Frame, Video, VideoWriter, check_video_output
from impasto.methods.gatys import recolor
from impasto.methods.instant import Painter, painting_vector, with_chroma
from impasto.networks.models import Model, default_model
from impasto.scene import Scene
from impasto.settings import COLORS, StylizeSettings

#: Takes a painted frame and the time it is shown at; False to end.
Sink = Callable[[Tensor, float], bool]


def live(
    source: Annotated[str, typer.Argument(help="The number of a camera, a video, or a pattern: frames/%04d.png.")],
    paintings: Annotated[
        list[Path] | None, typer.Argument(metavar="PAINTING", help="The painting; several are blended.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The video to write: .mp4, .mov or .mkv; else a window.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="A model file, .onnx too, or the name of a packaged one.")] = None,
    style: Annotated[list[str] | None, typer.Option(help="A style of the model's own; several are blended.")] = None,
    blend: Annotated[str | None, typer.Option(help="A weight for each style: 0.3,0.7.")] = None,
    strength: Annotated[float, typer.Option(help="From 0, the frames as they are, to 1.")] = 1.0,
    size: Annotated[int, typer.Option(help="Long side of the frames in pixels.")] = 320,
    color: Annotated[str | None, typer.Option(help=f"Whose colors: {', '.join(COLORS)}.")] = None,
    mirror: Annotated[bool, typer.Option("--mirror", help="Left and right changed, for cameras.")] = False,
    frames: Annotated[int | None, typer.Option(help="Stop after so many.")] = None,
    precision: Precision = None,
    device: Device = "auto",
    quiet: Quiet = False,
    force: Force = False,
) -> None:
    """Paint a camera's pictures or a video while they come. Ctrl-C ends it.

    [bold]impasto live 0 painting.jpg[/bold]
    """
    if not 0 <= strength <= 1:
        raise InputError(f"strength is {strength:g}; it must be between 0, the frames, and 1, the style")
    if frames is not None and frames < 1:
        raise InputError(f"frames is {frames}; it must be at least 1")
    if output is not None:
        check_video_output(output, force=force, source=source)
    where = choose_device(device)
    settings = StylizeSettings().changed(size=size, color=color, precision=choose_precision(precision, where))
    window = Window(f"impasto {source}") if output is None else None
    try:
        painter = open_network(model or _default(bool(paintings), style or []), where, precision=settings.precision)
        video = Video(source, settings.size)
        pictures = video.frames()
        first = next(pictures)
        look = _look(painter, paintings or [], style or [], numbers("blend", blend) or (), settings, first, where)
        brush = Brush(painter, look, strength, settings.color == "content-luminance", mirror, where)
        run = Watch(brush, quiet)
        coming = islice(chain([first], pictures), frames)
        if window is not None:
            code = _shown(run, coming, window, waits=not video.is_camera)
        else:
            assert output is not None
            code = _written(run, coming, output, video)
    finally:
        if window is not None:
            window.close()
    raise typer.Exit(code)


def _default(paintings: bool, styles: Sequence[str]) -> str:
    """The packaged network that is meant where none is named: the fastest that can do it."""
    return default_model(styles, ("live", "gallery")) if paintings or styles else "live"


def _look(
    painter: Painter,
    paintings: Sequence[Path],
    names: Sequence[str],
    blend: Sequence[float],
    settings: StylizeSettings,
    first: Frame,
    device: str,
) -> Tensor:
    """The style vector `(1, P)` of all frames: of paintings, or of the model's own styles."""
    if paintings:
        if names:
            raise InputError("there are paintings and --style; give one or the other")
        styles = Scene(paintings, blend, device=device).regions(None)[0].styles
        return painting_vector(painter, styles, recolor(settings, first.pixels.to(device)))
    if settings.color in ("content-match", "histogram"):
        raise InputError(f"--color {settings.color} changes paintings, and there is none; give one after the source")
    names = names or _first_style(painter.model)
    if blend and len(blend) != len(names):
        raise InputError(f"the blend has {len(blend)} weights for {len(names)} styles; give one for each")
    return painter.model.blended(dict(zip(names, blend or [1.0] * len(names), strict=True))).to(device)


def _first_style(model: Model) -> list[str]:
    if not model.styles:
        raise InputError("this model has no styles of its own; give a painting after the source")
    return [next(iter(model.styles))]


@dataclass(frozen=True)
class Brush:
    """What is done to each frame.

    Attributes:
        painter: the network.
        style: its vector, `(1, P)`, the same for all frames.
        strength: of the painted against the plain frame.
        keeps_color: whether the frame's chroma is kept.
        mirror: whether left and right are changed.
        device: where it is done.
    """

    painter: Painter
    style: Tensor
    strength: float = 1.0
    keeps_color: bool = False
    mirror: bool = False
    device: str = "cpu"

    @torch.inference_mode()
    def __call__(self, pixels: Tensor) -> Tensor:
        """`(1, 3, H, W)`, RGB, [0, 1], to the same."""
        plain = pixels.to(self.device)
        plain = plain.flip(3) if self.mirror else plain
        painted = self.painter(plain, self.style)
        if self.strength < 1:
            painted = torch.lerp(plain, painted, self.strength)
        return (with_chroma(painted, plain) if self.keeps_color else painted).cpu()


class Meter:
    """How fast it goes: frames in the last second, and how long the network takes for one."""

    def __init__(self) -> None:
        self.count, self.line = 0, "0 frames"
        self._times: deque[float] = deque()

    def tick(self, now: float, milliseconds: float) -> str:
        """One frame more, done at `now` seconds; returns the line to show."""
        self.count += 1
        self._times.append(now)
        while len(self._times) > 2 and now - self._times[0] > 1:
            self._times.popleft()
        span = now - self._times[0]
        rate = (len(self._times) - 1) / span if span > 0 else 0.0
        self.line = f"{self.count} frames, {rate:.1f} a second, network {milliseconds:.0f} ms"
        return self.line


class Watch:
    """Paints frames, and shows how fast.

    Args:
        brush: what is done to each.
        quiet: show nothing.
    """

    def __init__(self, brush: Brush, quiet: bool) -> None:
        self.brush, self.quiet, self.meter = brush, quiet, Meter()

    def __call__(self, frames: Iterator[Frame], sink: Sink) -> bool:
        """Paint all of them, or as far as the sink wants them; True if Ctrl-C ended it."""
        shown = Live(console=console, refresh_per_second=4, transient=True) if not self.quiet else nullcontext()
        try:
            with shown as line:
                for frame in frames:
                    began = time.perf_counter()
                    painted = self.brush(frame.pixels)
                    now = time.perf_counter()
                    told = self.meter.tick(now, 1000 * (now - began))
                    if line is not None:
                        line.update(Text(told))
                    if not sink(painted, frame.seconds):
                        break
        except KeyboardInterrupt:
            return True
        return False


def _shown(run: Watch, frames: Iterator[Frame], window: Window, *, waits: bool) -> int:
    """Show frames in a window, those of a file no sooner than their time; returns the exit code."""
    began = time.perf_counter()

    def show(pixels: Tensor, seconds: float) -> bool:
        if waits:
            time.sleep(max(0.0, began + seconds - time.perf_counter()))
        return window.show(pixels)

    run(frames, show)
    if not run.quiet:
        console.print(run.meter.line)
    return 0


def _written(run: Watch, frames: Iterator[Frame], output: Path, video: Video) -> int:
    """Write a video; returns the exit code, which is that of an interruption only where frames were still to come."""
    sound = None if video.is_camera or "%" in video.source else video.source
    with VideoWriter(output, video.rate(), sound) as writer:

        def write(pixels: Tensor, seconds: float) -> bool:
            writer.write(pixels, seconds)
            return True

        interrupted = run(frames, write)
    if not run.quiet:
        console.print(f"{'interrupted: ' * interrupted}wrote {output}: {run.meter.line}", soft_wrap=True)
    return 130 if interrupted and not video.is_camera else 0
