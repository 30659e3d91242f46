"""The command `impasto`."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from typing import Any

import torch
import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperCommand

from impasto.cli import dream, export, figures, invert, live, stylize, texture, train, upscale, visualize, weights
from impasto.cli.common import choose_device
from impasto.errors import ImpastoError, InputError
from impasto.features import ENCODERS, encoder_source
from impasto.memory import keep_freed_memory

#: Options of two words, and how they are handed on: joined to one word, or as the option twice.
PAIRS = {"--mask": "=", "--style-mask": "=", "--semantic": None}


class Pairs(TyperCommand):
    """A command with options of two words each, any number of times, which Typer itself does not know."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        words, found = iter(args), []
        for word in words:
            found.append(word)
            if word in PAIRS:
                first, second = next(words, ""), next(words, "")
                if not second or second.startswith("-"):
                    raise InputError(
                        f"{word} is followed by two words: {'MASK INDEX' if PAIRS[word] else 'CONTENT_MAP STYLE_MAP'}"
                    )
                found += [first, word, second] if PAIRS[word] is None else [f"{first}{PAIRS[word]}{second}"]
        return super().parse_args(ctx, found)


app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Neural artistic style transfer: a photo and a painting become a picture.",
)
app.command(cls=Pairs)(stylize.stylize)
for command in (
    stylize.doodle,
    live.live,
    texture.texture,
    invert.invert,
    dream.dream,
    figures.reconstruct,
    figures.grid,
    export.export,
):
    app.command()(command)
app.command("train")(train.train_command)
app.command()(upscale.upscale)
app.add_typer(visualize.app, name="visualize")
app.add_typer(weights.app, name="weights")


def _meant(error: Exception) -> str | None:
    """The one line of an error that is the user's to mend; None of any other.

    Typer's own errors are known by their shape: some versions bring their own copy of click.
    """
    if isinstance(error, ImpastoError):
        return f"impasto: {error}"
    if type(error).__name__ == "NoArgsIsHelpError":
        return str(error)
    if type(error).__name__ == "Abort":
        return "impasto: interrupted"
    told = getattr(error, "format_message", None)
    return f"impasto: {' '.join(told().split())}" if told is not None else None


def main() -> None:
    """Entry point: an error on purpose is one line and exit code 2, an interruption exit code 130."""
    keep_freed_memory()
    try:
        code = app(standalone_mode=False)
    except KeyboardInterrupt:
        code = 130
    except Exception as error:
        message = _meant(error)
        if message is None:
            raise
        print(message, file=sys.stderr)
        code = 2
    sys.exit(code or 0)


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
