"""Many pictures: a folder of them, or a list of jobs: `batch`."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import KW_ONLY, dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, ClassVar

from impasto.errors import InputError
from impasto.jobs.base import COMPUTING, FILES, INPUT
from impasto.jobs.stylize import Stylize
from impasto.options import AUTO, FILE, FLAG, FOLDER, NUMBER, TEXT, WHOLE, Auto, Kind, option, options_of

if TYPE_CHECKING:
    from impasto.jobs.many import Summary
    from impasto.jobs.records import Record, Tell

#: What a picture can be stored as.
FORMATS = ("png", "jpg", "webp", "tif")


def _shard(value: Any) -> tuple[int, int]:
    number, of = (int(part) for part in (value.split("/") if isinstance(value, str) else value))
    if not 1 <= number <= of:
        raise ValueError
    return number, of


SHARD = Kind("a number of a shard, from 1, and how many there are, such as 2/8", _shard, "N/M")
LIST = Kind("the path of a folder, or of a list of jobs, .jsonl", FILE.convert, "IN")


@dataclass(frozen=True, eq=False, repr=False)
class Batch(Stylize):
    """Paint all photographs of a folder, or run a list of jobs; what is there already is left alone."""

    name: ClassVar[str] = "batch"
    example: ClassVar[str] = "impasto batch photos/ painting.jpg -o out/ --quality instant"
    left_out: ClassVar[frozenset[str]] = frozenset(("save_every", "resume", "plot", "layer_losses"))

    # fmt: off
    content: str = option(None, LIST,
        "Folder of photographs, those in folders below too; or a .jsonl file with a job in each line, for which the "
        "other options are the defaults.", group=INPUT, positional=True, required=True, metavar="IN")
    _: KW_ONLY
    each: bool = option(False, FLAG, "Each style by itself, in a folder of its name, and not their blend.", group=INPUT)
    format: str = option("png", TEXT, "Format of the pictures: png, jpg, webp or tif.", group=FILES, choices=FORMATS)
    workers: int | Auto = option(AUTO, WHOLE,
        "Processes that paint, one picture each; 0: in this one, which a picture that ends it takes along.",
        group=COMPUTING, least=0, auto="one for each GPU; else for each core, as far as memory goes", decides=False)
    batch: int | Auto = option(AUTO, WHOLE,
        "Pictures of one size that a network paints at once; other numbers round otherwise.", group=COMPUTING, least=1,
        auto="8 on a GPU, as memory goes, else 1", decides=False)
    shard: tuple[int, int] | None = option(None, SHARD,
        "Only a part of the pictures, such as 2/8: the second of eight, each for another machine.", group=INPUT,
        decides=False)
    retries: int = option(1, WHOLE, "How often a picture is begun again whose process died.", group=COMPUTING, least=0,
        decides=False)
    limit_seconds: float | None = option(None, NUMBER, "Seconds after which a picture is given up.", group=COMPUTING,
        above=0, decides=False)
    ray: str | None = option(None, TEXT,
        "Paint on a Ray cluster: its address, or auto: the one that runs here, or one that is started.",
        group=COMPUTING, metavar="ADDRESS", decides=False)
    output: str = option(None, FOLDER, "Folder to write into.", group=FILES, required=True, decides=False)
    report: str | None = option(None, FILE,
        "File to write a line for each picture to, .jsonl; report.jsonl in the folder if not given.", group=FILES,
        decides=False)
    force: bool = option(False, FLAG, "Paint everything anew, and replace pictures of other programs.", group=FILES,
        decides=False)
    # fmt: on

    @property
    def is_list(self) -> bool:
        """Whether jobs are listed, and not photographs."""
        return self.content.lower().endswith(".jsonl")

    def check(self) -> None:
        super().check()
        if self.each and self.blend:
            raise InputError("each style by itself has no blend: leave one of them out")
        if self.limit_seconds is not None and self.workers == 0:
            raise InputError("a picture that takes too long cannot be given up in this process: ask for workers")
        if self.ray is not None and self.workers == 0:
            raise InputError("workers is 0, which is this process: leave out ray, or ask for at least 1")

    def check_style(self) -> None:
        if not self.is_list:
            super().check_style()

    def inner(self) -> dict[str, Any]:
        """What was given of the options of a single picture; where it goes is none of these."""
        own = options_of(Stylize).keys() - {"content", "output", "report", "force"}
        return {name: getattr(self, name) for name in self.given if name in own}

    def singles(self) -> dict[str, Mapping[str, Any]]:
        """Folder in the output -> what a photograph is painted by; one of no name, unless each style has its own."""
        from impasto.jobs.worklist import apart, folded

        inner = self.inner()
        if not self.each:
            return {"": inner}
        inner = {name: value for name, value in inner.items() if name not in ("style", "style_name")}
        if self.style_name:
            return {name: inner | {"style_name": name} for name in self.style_name}
        names = apart([PurePath(s).name if isinstance(s, str) else "style" for s in self.style], "")
        if len({folded(name) for name in names}) < len(names):  # of different folders
            names = [f"{number}-{name}" for number, name in enumerate(names, 1)]
        return {name: inner | {"style": style} for name, style in zip(names, self.style, strict=True)}

    def work(self, tell: Tell) -> Generator[Record, None, Summary]:
        from impasto.jobs.many import batch_records

        return batch_records(self, tell)
