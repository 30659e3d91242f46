"""The command `impasto`."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version

import torch
import typer
from rich.console import Console
from rich.table import Table

from impasto.cli import stylize, weights
from impasto.cli.common import choose_device
from impasto.errors import ImpastoError
from impasto.features import ENCODERS, encoder_source
from impasto.memory import keep_freed_memory

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Neural artistic style transfer: a photo and a painting become a picture.",
)
for command in (stylize.stylize, stylize.reconstruct, stylize.grid):
    app.command()(command)
app.add_typer(weights.app, name="weights")


def main() -> None:
    """Entry point: an error on purpose is one line and exit code 2, an interruption exit code 130."""
    keep_freed_memory()
    try:
        app()
    except ImpastoError as error:
        print(f"impasto: {error}", file=sys.stderr)
        sys.exit(2)


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
