"""The command `impasto`. Help, versions, usage errors and completion import no torch."""

from __future__ import annotations

import platform
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import click

from impasto.cli.command import QUIET, command_of, read_job
from impasto.cli.weights import weights
from impasto.errors import ImpastoError, Interrupted
from impasto.jobs.every import JOBS
from impasto.web.settings import Studio

HELP = {"help_option_names": ["-h", "--help"]}


@click.group(context_settings=HELP | {"max_content_width": 120})
@click.version_option(None, "-V", "--version", package_name="impasto", prog_name="impasto")
def app() -> None:
    """Neural artistic style transfer: a photo and a painting become a picture."""


@app.group()
def visualize() -> None:
    """Look inside a network."""


for job in JOBS.values():
    (visualize if job.name.startswith("visualize ") else app).add_command(command_of(job))
app.add_command(command_of(Studio, saved=False))
app.add_command(weights)


TRUSTED = click.option(
    "--encoder", multiple=True, metavar="NAME", help="An encoder of the job that is an import path: its code is run."
)


@app.command(params=[QUIET])
@click.argument("job")
@TRUSTED
def run(job: str, encoder: tuple[str, ...], quiet: bool) -> int:
    """Run the job in a JSON file, which --save-job wrote or a person.

    impasto run job.json
    """
    from impasto.cli.watch import watch

    return watch(read_job(job, encoder), quiet=quiet)


@app.command(params=[QUIET])
@click.argument("picture")
@click.option("-o", "--output", required=True, metavar="FILE", help="Picture to write.")
@click.option(
    "--inputs", multiple=True, metavar="FOLDER", help="Folder with the inputs, if they are not here; several."
)
@click.option("--force", is_flag=True, help="Overwrite files that exist.")
@TRUSTED
def again(
    picture: str, output: str, inputs: tuple[str, ...], force: bool, encoder: tuple[str, ...], quiet: bool
) -> int:
    """Make PICTURE again from the manifest in it, which has names and hashes of its inputs.

    impasto again out.png -o again.png
    """
    from impasto.api import job_again
    from impasto.cli.watch import watch

    return watch(job_again(picture, inputs, {"output": output, "force": force}, encoder), quiet=quiet)


@app.command()
@click.argument("picture", required=False)
def info(picture: str | None) -> int:
    """The manifest of PICTURE; or versions, devices, and the encoders found."""
    if picture is not None:
        import json

        from impasto.jobs.report import manifest_of

        print(json.dumps(manifest_of(picture), indent=1))
        return 0
    import torch

    from impasto.devices import resolve_device
    from impasto.features import ENCODERS, encoder_source

    print(f"impasto  {version('impasto')}\npython   {platform.python_version()}")
    print(f"torch    {torch.__version__}, {torch.get_num_threads()} threads\ndevice   {resolve_device('auto')}")
    for name in ENCODERS:
        print(f"encoder  {name}: {encoder_source(name) or 'no weights found'}")
    return 0


def message_and_code(error: BaseException) -> tuple[str, int] | None:
    """The one line of an error that is the user's to mend, and the exit code; None of any other."""
    if isinstance(error, click.Abort):  # click's, of any KeyboardInterrupt
        error = error.__cause__ or error
    if isinstance(error, ImpastoError):
        return f"impasto: {error}", 2
    if isinstance(error, Interrupted):
        return str(error), 130
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return "interrupted", 130
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error.format_message(), 2
    if isinstance(error, click.ClickException):
        return f"impasto: {' '.join(error.format_message().split())}", 2
    from impasto.errors import is_out_of_memory

    if is_out_of_memory(error):
        return "impasto: there is not enough memory for this: choose a smaller size, or a lower --max-memory", 2
    return None


@contextmanager
def ending_as_by_ctrl_c() -> Iterator[None]:
    """`docker stop` and a closed terminal end a command as Ctrl-C does, so that what was made is kept."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = [getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")]
    before = {number: signal.getsignal(number) for number in names if number is not None}
    before = {number: handler for number, handler in before.items() if handler is signal.SIG_DFL}  # not under nohup
    for number in before:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main() -> None:
    """Entry point: an error on purpose is one line and exit code 2, an interruption exit code 130."""
    warnings.filterwarnings("ignore", module="PIL")
    code: Any = 0
    try:
        with ending_as_by_ctrl_c():
            code = app(standalone_mode=False)
    except BaseException as error:
        ending = message_and_code(error)
        if ending is None:
            raise
        line, code = ending
        print(line, file=sys.stderr)
    sys.exit(code or 0)


__all__ = ["app", "main"]
