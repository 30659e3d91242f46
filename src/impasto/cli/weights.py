"""The weights of encoders: `weights list`, `path`, `fetch`, `verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from impasto.cli.common import console
from impasto.features import check_weights
from impasto.features import weights as weight_files

app = typer.Typer(no_args_is_help=True, help="Find, fetch and check the weights of encoders.")


@app.command("list")
def weights_list() -> None:
    """Which weights there are, and where they were found."""
    table = Table("encoder", "found", "license", "home")
    for row in weight_files.status():
        table.add_row(row.name, str(row.path) if row.path else "no", row.license, row.url)
    Console().print(table)


@app.command("path")
def weights_path(name: str) -> None:
    """Where the weights of an encoder are."""
    print(weight_files.locate(name))


@app.command("fetch")
def weights_fetch(name: str) -> None:
    """Download the weights of an encoder into impasto's cache, and check them."""
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


@app.command("verify")
def weights_verify(
    name: str, path: Annotated[Path | None, typer.Option(help="The file, if it is elsewhere.")] = None
) -> None:
    """Check the weights of an encoder: hash where it is known, names, shapes, finite values."""
    found, digest = check_weights(name, path)
    print(f"{found}: {'SHA-256 ' + digest if digest else 'no hash is known for this file; names and shapes'} ok")
