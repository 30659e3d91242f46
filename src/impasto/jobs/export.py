"""Networks for other programs: `export`."""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from impasto.errors import InputError
from impasto.jobs.base import COMPUTING, FILES, INPUT, Job
from impasto.options import FILE, FLAG, FOLDER, MODEL, TEXT, option

if TYPE_CHECKING:
    from impasto.jobs.records import Record, Tell


@dataclass(frozen=True, eq=False, repr=False)
class Export(Job):
    """Write MODEL as an ONNX file, for ONNX Runtime and the many programs that read it, or as a page for browsers."""

    name: ClassVar[str] = "export"
    example: ClassVar[str] = "impasto export any model.onnx"

    # fmt: off
    model: str = option(None, MODEL, "A model file, or the name of a packaged one: any, gallery, live.", group=INPUT,
        positional=True, required=True, metavar="MODEL")
    output: str | None = option(None, FILE, "The ONNX file to write.", group=FILES, positional=True, decides=False,
        metavar="OUTPUT", modes=("paint", "measure"))
    _: KW_ONLY
    style_name: str | None = option(None, TEXT,
        "Name of the model's style to build in; the file then takes pictures only.", group=INPUT, flag="--style",
        modes=("paint",))
    measure: bool = option(False, FLAG,
        "Write the graph that measures paintings, and makes the vectors that the model's own file takes.", group=INPUT,
        modes=("paint", "measure"))
    web: str | None = option(None, FOLDER,
        "Folder to write a page into that paints in a browser, from any web server, and uploads nothing; "
        "with any, it has the packaged styles and a camera, too.", group=FILES, decides=False)
    runtime: str | None = option(None, FOLDER,
        "Folder with what npm installs for the page: onnxruntime-web and xz-decompress. Fetched by npm if not given.",
        group=FILES, decides=False, modes=("web",))
    half: bool = option(False, FLAG, "Convolutions and their weights in float16: a file of half the size.",
        group=COMPUTING, modes=("paint",))
    force: bool = option(False, FLAG, "Overwrite files that exist.", group=FILES, decides=False)
    # fmt: on

    @property
    def mode(self) -> str:
        return "web" if self.web is not None else "measure" if self.measure else "paint"

    @property
    def mode_shown(self) -> str:
        return "without --web" if self.mode == "paint" else f"with --{self.mode}"

    def check(self) -> None:
        if self.model.lower().endswith(".onnx"):
            raise InputError(f"{self.model} is an ONNX file already; give the model file that it was made of")
        if self.output is None and self.web is None:
            raise InputError("output is missing: the ONNX file to write, or --web FOLDER for a page")

    def work(self, tell: Tell) -> Generator[Record, None, Any]:
        from impasto.export import OPSET, export_measure, export_onnx
        from impasto.files import check_target
        from impasto.jobs.records import Progress, Wrote
        from impasto.methods.instant import open_painter

        if self.output is None:
            yield from self._page()
            return
        check_target(self.output, force=self.force, suffixes=(".onnx",))
        yield Progress("exporting", 0, 0, "about half a minute")
        model = open_painter(self.model, "cpu").model
        if self.measure:
            export_measure(model, self.output)
        else:
            export_onnx(model, self.output, self.style_name, half=self.half)
        size = Path(self.output).stat().st_size
        yield Wrote(self.output, f"opset {OPSET}, {size / 1e6:.1f} MB")

    def _page(self) -> Generator[Record, None, None]:
        from impasto.files import check_target
        from impasto.jobs.records import Progress, Wrote
        from impasto.methods.instant import open_painter
        from impasto.networks.models import PACKAGED
        from impasto.tab.site import write_site

        folder = Path(str(self.web))
        check_target(folder / "index.html", force=self.force)
        names = PACKAGED if self.model == "any" else (self.model,)
        called = self.as_json(portable=True)["model"]
        models = {
            name if name in PACKAGED else re.sub(r"[^a-z0-9-]", "-", Path(name).stem.lower()): (
                open_painter(name, "cpu").model,
                name if name in PACKAGED else called,
            )
            for name in names
        }
        for done, total, part in write_site(models, folder, self.runtime):
            yield Progress("exporting", done, total, part)
        size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
        yield Wrote(str(folder / "index.html"), f"{size / 1e6:.1f} MB in the folder")
