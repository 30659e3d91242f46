"""What a batch is to make: its items, where each goes, which shard it is in, and whether it is made already."""

from __future__ import annotations

import hashlib
import json
import os
import unicodedata
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import Any

from impasto.errors import InputError
from impasto.files import file_hash
from impasto.jobs.base import Job, PictureJob, encoders_in, job_of
from impasto.jobs.batch import Batch
from impasto.jobs.every import JOBS
from impasto.jobs.live import Live
from impasto.jobs.report import identity
from impasto.jobs.stylize import Stylize
from impasto.jobs.video import Video
from impasto.media import pictures_in, read_image, read_metadata
from impasto.options import options_of


@dataclass(frozen=True)
class Manner:
    """How all photographs of a folder are painted.

    Attributes:
        given: of a single picture's options.
        name: of its folder in the output; may be empty.
    """

    given: Mapping[str, Any]
    name: str = ""

    @cached_property
    def identity(self) -> str:
        """Of all that decides its pictures, but for the photographs."""
        return identity(Stylize(**{**self.given, "content": b""}))

    def job(self, photo: str) -> Stylize:
        return Stylize(**{**self.given, "content": photo})


@dataclass(frozen=True, slots=True)
class Item:
    """A picture, or what else a job makes.

    Attributes:
        name: of the photograph in its folder, or of the line in the list.
        target: the file to write.
        source: the photograph, or the job.
        manner: how the photograph is painted; None for a job of its own.
        error: why it cannot be made, if that is known beforehand.
    """

    name: str
    target: str
    source: str | Job = ""
    manner: Manner | None = None
    error: str = ""

    def job(self) -> Job:
        """The job, without where it goes.

        Raises:
            InputError: if it cannot be made.
        """
        return self.manner.job(str(self.source)) if self.manner is not None else self._own()

    def _own(self) -> Job:
        if isinstance(self.source, str):
            raise InputError(self.error)
        return self.source

    def identity(self) -> str:
        """Of all that decides what is made: inputs, styles, settings and versions.

        Raises:
            InputError: if an input cannot be read.
        """
        if self.manner is None:
            return identity(self._own())
        return hashlib.sha256(f"{self.manner.identity} {file_hash(str(self.source))}".encode()).hexdigest()


def makes_pictures(kind: type[Job]) -> bool:
    """Whether jobs of a kind give back a picture, which the batch writes; others write their own file."""
    return issubclass(kind, PictureJob) and not issubclass(kind, Video)


# Names


def folded(name: str) -> str:
    """What names are one file by, where upper and lower case are not told apart."""
    return unicodedata.normalize("NFC", name).casefold()


def apart(names: Sequence[str], suffix: str) -> list[str]:
    """Names of files with another suffix, all of which differ: `a.jpg` and `a.png` become `a.jpg.png` and `a.png.png`.

    Args:
        names: relative paths, no two equal.
        suffix: such as `.png`.
    """
    stems = [str(PurePath(name).with_suffix("")) if PurePath(name).name else name for name in names]
    counts = Counter(map(folded, stems))
    found = [f"{stem if counts[folded(stem)] == 1 else name}{suffix}" for stem, name in zip(stems, names, strict=True)]
    counts = Counter(map(folded, found))
    for number, name in enumerate(found):
        if counts[folded(name)] > 1:
            digest = hashlib.sha256(os.fsencode(names[number])).hexdigest()[:10]
            found[number] = f"{name[: len(name) - len(suffix)]}-{digest}{suffix}"
    return found


def in_shard(name: str, shard: tuple[int, int] | None) -> bool:
    """Whether a relative path belongs to a shard; each to exactly one of those of a number."""
    if shard is None:
        return True
    number, of = shard
    digest = hashlib.sha256(os.fsencode(PurePath(name).as_posix())).digest()
    return int.from_bytes(digest[:8], "big") % of == number - 1


# Items


def items_of(job: Batch) -> list[Item]:
    """All that the batch is to make, in order; names are given before shards are taken.

    Raises:
        InputError: if there is no such folder or list, or it is empty.
    """
    items = list(_listed(job)) if job.is_list else _photographs(job)
    if not items:
        raise InputError(f"{job.content} lists no jobs: give an object in each line")
    return [item for item in items if in_shard(item.name, job.shard)]


def _photographs(job: Batch) -> list[Item]:
    folder, output = Path(job.content), Path(job.output)
    if output.is_file() or output.resolve() == folder.resolve():
        raise InputError(f"{folder} is a folder, so the output must be another one: {output} is not")
    files = pictures_in(folder, recursive=True)
    if folder.resolve() in output.resolve().parents:  # what was painted is no photograph
        inside = str(output.resolve()) + os.sep
        files = [p for p in files if not str(p.resolve()).startswith(inside)]
    if not files:
        raise InputError(f"{folder} holds no pictures: give a photograph, or a folder of some")
    names = [str(p.relative_to(folder)) for p in files]
    targets = apart(names, f".{job.format}")
    manners = [Manner(given, name) for name, given in job.singles().items()]
    originals = {os.path.abspath(path) for path in files}
    if any(os.path.abspath(output / m.name / t) in originals for m in manners for t in targets):
        raise InputError(f"pictures in {output} would replace photographs of {folder}: choose another output")
    return [
        Item(name, os.path.join(job.output, manner.name, target), str(path), manner)
        for manner in manners
        for name, target, path in zip(names, targets, files, strict=True)
    ]


def _listed(job: Batch) -> Iterator[Item]:
    """The jobs of a list; a line that is none is an item with an error."""
    try:
        lines = Path(job.content).read_text().splitlines()
    except (OSError, ValueError) as error:
        raise InputError(f"{job.content} cannot be read as a list of jobs: {error}") from error
    defaults, taken = job.inner(), dict[str, int]()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            item = _in_line(line, number, job, defaults, taken)
        except (InputError, ValueError) as error:
            yield Item(f"line {number}", "", error=" ".join(str(error).split()))
            continue
        first = taken.setdefault(folded(item.target), number)
        if first != number:
            said = f"it would write {item.target}, as line {first} does: give it an output of its own"
            item = replace(item, source="", error=said)
        yield item


def _in_line(line: str, number: int, batch: Batch, defaults: Mapping[str, Any], taken: Container[str]) -> Item:
    data = json.loads(line)
    if not isinstance(data, dict):
        raise InputError('it is no job: a job is an object, such as {"content": "photo.jpg"}')
    kind = JOBS.get(str(data.setdefault("job", Stylize.name)), Job)
    if issubclass(kind, Batch | Live):
        raise InputError(f"{kind.name} is no job for a batch: give one that ends by itself")
    own = {"style", "style_name", "model", "quality"} & data.keys()
    usual = {n: v for n, v in defaults.items() if n in options_of(kind) and not (own and n in ("style", "style_name"))}
    given = data.pop("output", None)
    file = str(given or _file_of(data, number, kind, batch.format))
    if given is None and folded(os.path.join(batch.output, file)) in taken:
        file = str(PurePath(file).with_stem(f"{PurePath(file).stem}-{number}"))
    made = job_of(
        {**usual, **data, **({} if makes_pictures(kind) else {"output": file})}, trusted=encoders_in(defaults)
    )
    return Item(file, os.path.join(batch.output, file), made)


def _file_of(data: Mapping[str, Any], number: int, kind: type[Job], format: str) -> str:
    """Where a job without an output goes: as its first input, in the same folders."""
    inputs = [data.get(name) for name, about in options_of(kind).items() if about.positional]
    first = next((Path(value) for value in inputs if isinstance(value, str)), Path(f"line-{number:06d}"))
    suffix = f".{format}" if makes_pictures(kind) else first.suffix
    return str(Path(*(part for part in first.parts if part not in ("..", first.anchor))).with_suffix(suffix))


# Done


def proof_of(target: str) -> Path:
    """The file that proves what is in no picture."""
    path = Path(target)
    return path.with_name(f".{path.name}.impasto.json")


def proof(target: str, key: str) -> str:
    """What is written there."""
    return json.dumps({"key": key, "sha256": file_hash(target), "impasto": version("impasto")})


def state_of(item: Item) -> str:
    """What there is of an item: `done`, if it was made of the same inputs by the same job; `missing`; `other`: what
    another job made, or a damaged file; or `foreign`: a picture of another program.

    Raises:
        InputError: if an input cannot be read.
    """
    if not os.path.lexists(item.target):
        return "missing"
    if item.manner is None and not makes_pictures(type(item.job())):
        try:
            found = json.loads(proof_of(item.target).read_text())
            same = found["key"] == item.identity() and found["sha256"] == file_hash(item.target)
        except (OSError, ValueError, KeyError, TypeError):
            return "other" if proof_of(item.target).exists() else "foreign"
        return "done" if same else "other"
    try:
        about = read_metadata(item.target).get("impasto")
        found = None if about is None else json.loads(about)
    except (InputError, ValueError):
        return "other"
    if not isinstance(found, dict) or "job" not in found:
        return "foreign"
    return "done" if found.get("key") == item.identity() and is_whole(item.target) else "other"


#: How files end that are whole.
ENDS = {".png": b"\0\0\0\0IEND\xaeB`\x82", ".jpg": b"\xff\xd9", ".jpeg": b"\xff\xd9"}


def is_whole(path: str) -> bool:
    """Whether nothing is missing at a picture's end."""
    end = ENDS.get(Path(path).suffix.lower())
    try:
        if end is None:
            read_image(path)
            return True
        with open(path, "rb") as file:
            file.seek(-len(end), os.SEEK_END)
            return file.read() == end
    except (OSError, InputError):
        return False
