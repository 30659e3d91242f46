"""Networks for other programs: `export`."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from impasto.errors import InputError
from impasto.jobs.base import COMPUTING, FILES, INPUT, Job
from impasto.options import FILE, FLAG, MODEL, TEXT, option

if TYPE_CHECKING:
    from impasto.jobs.records import Record, Tell


@dataclass(frozen=True, eq=False, repr=False)
class Export(Job):
    """Write MODEL as an ONNX file, for ONNX Runtime and the many programs that read it."""

    name: ClassVar[str] = "export"
    example: ClassVar[str] = "impasto export any model.onnx"

    # fmt: off
    model: str = option(None, MODEL, "A model file, or the name of a packaged one: any, gallery, live.", group=INPUT,
        positional=True, required=True, metavar="MODEL")
    output: str = option(None, FILE, "The ONNX file to write.", group=FILES, positional=True, required=True,
        decides=False, metavar="OUTPUT")
    _: KW_ONLY
    style_name: str | None = option(None, TEXT,
        "Name of the model's style to build in; the file then takes pictures only.", group=INPUT, flag="--style")
    half: bool = option(False, FLAG, "Convolutions and their weights in float16: a file of half the size.",
        group=COMPUTING)
    force: bool = option(False, FLAG, "Overwrite files that exist.", group=FILES, decides=False)
    # fmt: on

    def check(self) -> None:
        if self.model.lower().endswith(".onnx"):
            raise InputError(f"{self.model} is an ONNX file already; give the model file that it was made of")

    def work(self, tell: Tell) -> Generator[Record, None, Any]:
        from impasto.export import OPSET, export_onnx
        from impasto.files import check_target
        from impasto.jobs.records import Progress, Wrote
        from impasto.methods.instant import open_painter

        check_target(self.output, force=self.force, suffixes=(".onnx",))
        yield Progress("exporting", 0, 0, "about half a minute")
        export_onnx(open_painter(self.model, "cpu").model, self.output, self.style_name, half=self.half)
        size = Path(self.output).stat().st_size
        yield Wrote(self.output, f"opset {OPSET}, {size / 1e6:.1f} MB")
