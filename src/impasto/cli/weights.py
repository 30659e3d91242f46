"""The weights of encoders and decoders: `weights list`, `path`, `fetch`, `verify`."""

from __future__ import annotations

from typing import Any

import click

from impasto.features import weights as weight_files


@click.group()
def weights() -> None:
    """Find, fetch and check the weights of encoders and decoders."""


@weights.command("list")
def weights_list() -> None:
    """Which weights there are, and where they were found."""
    for row in weight_files.status():
        print(f"{row.name}\t{row.path or 'not found'}\t{row.license}\t{row.url}")


@weights.command("layers")
@click.argument("name", required=False, default="auto")
def weights_layers(name: str) -> None:
    """The layers of an encoder, from shallow to deep: NAME, or the import path of a module, whose code is run."""
    from impasto.features import layers_of

    print("\n".join(layers_of(name)))


@weights.command("path")
@click.argument("name")
def weights_path(name: str) -> None:
    """Where the weights of an encoder or a decoder are."""
    print(weight_files.locate(name))


@weights.command("fetch")
@click.argument("name")
def weights_fetch(name: str) -> None:
    """Download the weights of an encoder or a decoder into impasto's cache, and check them."""
    with Download(name) as bar:
        path = weight_files.fetch(name, progress=bar)
    print(path)


class Download:
    """A progress bar of the shape that the downloader reports to (see `impasto.features.weights.Progress`)."""

    def __init__(self, name: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        console = Console(stderr=True)
        self.progress: Any = Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
        self.task = self.progress.add_task(name, total=None)

    def __enter__(self) -> Download:
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


@weights.command("verify")
@click.argument("name")
@click.option("--path", metavar="FILE", help="The file, if it is elsewhere.")
def weights_verify(name: str, path: str | None) -> None:
    """Check weights: hash where it is known, names, shapes, finite values."""
    if name in weight_files.DECODERS:
        from impasto.canvas.decoder import check_decoder as check
    else:
        from impasto.features import check_weights as check

    found, digest = check(name, path)
    print(f"{found}: {'SHA-256 ' + digest if digest else 'no hash is known for this file; names and shapes'} ok")
