"""`stylize --quality instant` and `--model`: pictures in one pass, one or a folder of them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.progress import Progress
from torch import Tensor

from impasto.cli.common import check_text_output, console, fitted
from impasto.errors import InputError
from impasto.media import check_output, read_image, write_image
from impasto.media.image import Picture
from impasto.methods.instant import Painter, instant, painting_vector
from impasto.methods.styles import Progress as Tiles
from impasto.methods.styles import Region
from impasto.report import manifest, write_text
from impasto.scene import Scene
from impasto.settings import StylizeSettings
from impasto.training.photos import pictures_in


def shares(text: str | None, names: Sequence[str]) -> dict[str, float]:
    """The model's own styles that are asked for: `--style NAME`, several equally, or `--blend a=0.3,b=0.7`.

    Raises:
        InputError: if `text` is something else.
    """
    found = dict.fromkeys(names, 1.0)
    for part in [] if text is None else text.split(","):
        name, _, number = part.rpartition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            name = ""
        if not name:
            raise InputError(f"--blend is {text!r}; name styles with their shares, such as a=0.3,b=0.7")
    return found


def chosen_styles(painter: Painter, scene: Scene, named: Mapping[str, float]) -> Mapping[str, float]:
    """Shares of the model's own styles; none where paintings are given.

    Raises:
        InputError: if the model cannot do what is asked.
    """
    known = painter.model.styles
    if scene.styles:
        if named:
            raise InputError("give paintings, or styles of the model by name, not both")
        return {}
    if not named and len(known) == 1:
        return dict.fromkeys(known, 1.0)
    if not named:
        raise InputError(
            f"name a style of the model with --style: {', '.join(known)}" if known else "give a painting for the style"
        )
    painter.model.blended(named)  # names and shares are checked before anything is read
    return named


class Instant:
    """What paints each picture: the painter, what with, and how much of it.

    Args:
        painter: the network.
        scene: paintings, masks and maps.
        own: shares of the model's own styles instead of paintings.
        settings: size, color and feather.
        strength: of the style.
    """

    def __init__(
        self, painter: Painter, scene: Scene, own: Mapping[str, float], settings: StylizeSettings, strength: float
    ) -> None:
        self.painter, self.scene, self.own = painter, scene, own
        self.settings, self.strength = settings, strength
        self._vector: Tensor | None = painter.model.blended(own) if own else None

    def _styles(self, pixels: Tensor) -> Sequence[Region] | Tensor:
        """Regions, or the one vector that serves all pictures alike, which is made once."""
        if self._vector is not None:
            return self._vector
        regions = self.scene.regions(pixels)
        if not self.scene.masks and not self.scene.semantic and self.settings.color == "style":
            self._vector = painting_vector(self.painter, regions[0].styles)
            return self._vector
        return regions

    def __call__(
        self, photo: Picture, output: Path, about: Mapping[str, Any], told: Tiles = lambda done, total: None
    ) -> float:
        """Paint and write one picture; returns seconds of painting."""
        began = time.perf_counter()
        pixels = photo.pixels.to(self.scene.device)
        guide = None if self.own else self.scene.guide()
        painted = instant(
            self.painter,
            pixels,
            self._styles(pixels),
            self.settings,
            strength=self.strength,
            guide=guide,
            progress=told,
        )
        seconds = time.perf_counter() - began
        alpha = fitted(photo.alpha, painted)
        write_image(output, painted.cpu(), alpha=alpha, metadata={"impasto": json.dumps(about)})
        return seconds


def paint_instantly(
    paint: Instant, content: Path, output: Path, model: str | None, report: Path | None, quiet: bool, force: bool
) -> int:
    """One picture, or all of a folder into a folder; returns the exit code."""
    check_text_output(report, force=force)
    inputs = paint.scene.files()
    more = {"method": "instant", "model": model or "any", "strength": paint.strength, "styles": dict(paint.own)}
    if not content.is_dir():
        check_output(output, force=force)
        photo = read_image(content)
        about = manifest(paint.settings, {"content": str(content)} | inputs) | more
        with Progress(console=console, disable=quiet) as progress:
            task = progress.add_task("painting", visible=False)
            tiles = partial(progress.update, task, visible=True)
            seconds = paint(photo, output, about, lambda done, total: tiles(completed=done, total=total))
        if report is not None:
            write_text(report, json.dumps({**about, "seconds": round(seconds, 3)}, indent=1))
        if not quiet:
            console.print(f"wrote {output} after {seconds:.2f} s", soft_wrap=True)
        return 0
    return _paint_folder(paint, content, output, manifest(paint.settings, inputs) | more, report, quiet, force)


def _paint_folder(
    paint: Instant,
    content: Path,
    output: Path,
    about: dict[str, Any],
    report: Path | None,
    quiet: bool,
    force: bool,
) -> int:
    """What is there already is skipped, so that an interrupted folder goes on; unreadable pictures are named."""
    if output.suffix or output.is_file():
        raise InputError(f"{content} is a folder, so the output must be one: {output} is not")
    files, failed, total = pictures_in(content), [], 0.0
    with Progress(console=console, disable=quiet) as progress:
        task = progress.add_task("painting", total=len(files))
        for path in files:
            target = output / path.relative_to(content).with_suffix(".png")
            if force or not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                try:
                    total += paint(read_image(path), target, about)
                except InputError as error:
                    failed.append(str(path))
                    console.print(f"skipped: {error}", soft_wrap=True)
            progress.advance(task)
    if report is not None:
        result = {**about, "pictures": len(files), "failed": failed, "seconds": round(total, 3)}
        write_text(report, json.dumps(result, indent=1))
    if not quiet:
        console.print(f"wrote {len(files) - len(failed)} pictures to {output}", soft_wrap=True)
    return 2 if failed else 0
