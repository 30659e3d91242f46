"""The weights of encoders: `weights list`, `path`, `fetch`, `verify`."""

from __future__ import annotations

from typing import Any

import click

from impasto.errors import InputError, unknown
from impasto.features import weights as weight_files


@click.group()
def weights() -> None:
    """Find, fetch and check the weights of encoders."""


@weights.command("list")
def weights_list() -> None:
    """Which weights there are, and where they were found."""
    print("lite\tpackaged\tApache-2.0")
    for row in weight_files.status():
        print(f"{row.name}\t{row.path or 'not found'}\t{row.license}\t{row.url}")


@weights.command("path")
@click.argument("name")
def weights_path(name: str) -> None:
    """Where the weights of an encoder are."""
    _known(name)
    found = weight_files.find(name)
    if found is None:
        raise InputError(weight_files.missing_message(name))
    print(found)


@weights.command("fetch")
@click.argument("name")
def weights_fetch(name: str) -> None:
    """Download the weights of an encoder into impasto's cache, and check them."""
    _known(name)
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
