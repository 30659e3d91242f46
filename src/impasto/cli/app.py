"""The commands of `impasto`. Help, versions, usage errors and completion import no torch."""

from __future__ import annotations

import platform
from importlib.metadata import version

import click

from impasto.cli.command import QUIET, command_of, read_job
from impasto.cli.weights import weights
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
@click.option("--weights", metavar="PATH", help="The encoder's weights, if they are not where they are looked for.")
@click.option("--force", is_flag=True, help="Overwrite files that exist.")
@TRUSTED
def again(
    picture: str,
    output: str,
    inputs: tuple[str, ...],
    weights: str | None,
    force: bool,
    encoder: tuple[str, ...],
    quiet: bool,
) -> int:
    """Make PICTURE again from the manifest in it, which has names and hashes of its inputs.

    impasto again out.png -o again.png
    """
    from impasto.api import job_again
    from impasto.cli.watch import watch

    changes = {"output": output, "force": force} | ({} if weights is None else {"weights": weights})
    return watch(job_again(picture, inputs, changes, encoder), quiet=quiet)


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
