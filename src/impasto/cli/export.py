"""`export`: networks for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from impasto.cli.common import Force, Quiet, check_text_output, console, open_network
from impasto.errors import InputError
from impasto.export import OPSET, export_onnx


def export(
    model: Annotated[str, typer.Argument(help="A model file, or the name of a packaged one: any, gallery, live.")],
    output: Annotated[Path, typer.Argument(help="The ONNX file to write.")],
    style: Annotated[
        str | None, typer.Option(help="Build in this one of its styles; the file then takes pictures only.")
    ] = None,
    quiet: Quiet = False,
    force: Force = False,
) -> None:
    """Write MODEL as an ONNX file, for ONNX Runtime and the many programs that read it.

    [bold]impasto export any model.onnx[/bold]
    """
    if output.suffix.lower() != ".onnx":
        raise InputError(f"cannot write {str(output)!r}: its suffix is {output.suffix!r}; expected .onnx")
    check_text_output(output, force=force)
    export_onnx(open_network(model, "cpu").model, output, style)
    if not quiet:
        megabytes = output.stat().st_size / 1e6
        console.print(f"wrote {output}, opset {OPSET}, {megabytes:.1f} MB", soft_wrap=True)
