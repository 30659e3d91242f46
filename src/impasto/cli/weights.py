"""The weights of encoders: `weights list`, `path`, `fetch`, `verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from impasto.cli.common import console
from impasto.errors import InputError, unknown
from impasto.features import weights as weight_files

app = typer.Typer(no_args_is_help=True, help="Find, fetch and check the weights of encoders.")


@app.command("list")
def weights_list() -> None:
    """Which weights there are, and where they were found."""
    table = Table("encoder", "found", "license", "home")
    table.add_row("lite", "packaged", "Apache-2.0", "-")
    for row in weight_files.status():
        table.add_row(row.name, str(row.path) if row.path else "no", row.license, row.url)
    Console().print(table)


@app.command("path")
def weights_path(name: str) -> None:
    """Where the weights of an encoder are."""
    _known(name)
    found = weight_files.find(name)
    if found is None:
        raise InputError(weight_files.missing_message(name))
    print(found)


@app.command("fetch")
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


@app.command("verify")
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
