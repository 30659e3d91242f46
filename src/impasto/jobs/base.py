"""What all jobs share: options of running, defaults that depend on the quality, and JSON.

A job is made by its class (`Stylize("photo.jpg", "painting.jpg", steps=40)`), by the command line, or out of JSON, all
the same: values are converted and checked, and an option that has no effect in the job's mode is refused. It can
be compared, pickled, written as JSON and read back equal. `records` runs it.
"""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import sys
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from impasto.errors import InputError, unknown
from impasto.files import file_hash
from impasto.options import (
    AUTO,
    DEVICE,
    FILE,
    FLAG,
    MEMORY,
    WHOLE,
    Auto,
    Option,
    Settings,
    defaults_of,
    label_of,
    option,
    options_of,
    shown,
)

if TYPE_CHECKING:
    from impasto.jobs.records import Record, Tell

#: Groups of options: what a job is made of, how it is computed, and where things go, which no manifest tells.
INPUT, COMPUTING, FILES = "input", "computing", "files"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Job(Settings):
    """Base of all jobs."""

    #: In JSON and on the command line; words are subcommands.
    name: ClassVar[str] = ""
    #: Typed on the command line, for help texts.
    example: ClassVar[str] = ""

    def __new__(cls, *args: Any, **given: Any) -> Self:
        self = super().__new__(cls)
        cls.check_names(name for name in given if name not in cls.left_out)
        positional = [f.name for f in dataclasses.fields(cls) if f.init and not f.kw_only]
        object.__setattr__(self, "_given", frozenset(given) | frozenset(positional[: len(args)]))
        return self

    def __post_init__(self) -> None:
        for name, value in self.usual().items():
            if name not in self.given:
                object.__setattr__(self, name, value)
        for name, about in options_of(type(self)).items():
            if about.required and _is_empty(getattr(self, name)):
                raise InputError(f"{label_of(name)} is missing: {about.help[0].lower()}{about.help[1:].rstrip('.')}")
        super().__post_init__()
        for name, about in options_of(type(self)).items():
            if name in self.given and about.modes and self.mode not in about.modes:
                raise InputError(f"{label_of(name)} has no effect {self.mode_shown}: leave it out")

    @property
    def given(self) -> frozenset[str]:
        """Names of the options that were given; all others have their usual values."""
        found: frozenset[str] = self.__dict__["_given"]
        return found

    def settle(self, **values: Any) -> None:
        """Bring options that can be given in two ways into one form, while the job is made."""
        for name, value in values.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_given", self.given | set(values))

    @property
    def mode(self) -> str:
        """Which options have an effect; see `Option.modes`."""
        return ""

    @property
    def mode_shown(self) -> str:
        """The mode in a message."""
        return f"in mode {self.mode}"

    def usual(self) -> Mapping[str, Any]:
        """Values of options that are not given, where they are not the fields' defaults."""
        return {}

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Option -> its value where no option at all is given."""
        return defaults_of(cls) | dict(cls.usual(cls.__new__(cls)))

    def changed(self, **changes: Any) -> Self:
        self.check_names(name for name in changes if name not in self.left_out)
        return type(self)(**{name: getattr(self, name) for name in self.given} | changes)

    def records(self, tell: Tell = lambda record: None) -> Generator[Record, None, Any]:
        """Run the job: records of what happens, and the result at the end. To stop, close it or raise in it.

        Args:
            tell: told of what happens within a step, such as how much of a folder of paintings has been read.

        Raises:
            InputError: if something cannot be used.
        """
        from impasto.jobs.running import computing, within

        return within(lambda: computing(self), self.work(tell))

    def work(self, tell: Tell) -> Generator[Record, None, Any]:
        """What `records` runs."""
        raise NotImplementedError

    def active(self) -> dict[str, Option]:
        """The options that have an effect in the job's mode."""
        mode = self.mode
        return {n: o for n, o in options_of(type(self)).items() if not o.modes or mode in o.modes}

    def as_json(self, *, portable: bool = False) -> dict[str, Any]:
        """The job for JSON.

        Args:
            portable: as in manifests: names, and hashes of what is read, instead of paths, and not where results go or
                an encoder's weights lie.
        """
        found: dict[str, Any] = {"job": self.name}
        for name, about in self.active().items():
            value = getattr(self, name)
            here = portable and about.kind.path
            private = portable and (about.group == FILES or (here and not about.decides))
            if not _is_empty(value) and about.in_json and not private:
                found[name] = _encoded(_name(value) if here else value, about.kind.read, portable)
        return found

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={shown(getattr(self, n))}' for n in sorted(self.given))})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Job) and self.as_json() == other.as_json()

    def __hash__(self) -> int:
        return hash(json.dumps(self.as_json(), sort_keys=True))


def device_option() -> Any:
    text = "Where to compute: cpu, cuda or mps."
    return option(AUTO, DEVICE, text, group=COMPUTING, auto="a GPU if there is one", decides=False)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PictureJob(Job):
    """A job that makes a picture."""

    # fmt: off
    device: str = device_option()
    threads: int | Auto = option(AUTO, WHOLE,
        "Processor threads; a picture is the same only with the same number of them, as others round differently.",
        group=COMPUTING, least=1, auto="as torch chooses", decides=False)
    max_memory: float | Auto = option(AUTO, MEMORY,
        "Memory that the process may take, such as 4GB; larger pictures are computed in tiles where that can be.",
        group=COMPUTING, above=0, auto="three quarters of what is free", decides=False)
    output: str | None = option(None, FILE, "Picture to write: .png, .jpg, .webp or .tif.", group=FILES, decides=False)
    report: str | None = option(None, FILE,
        "File to write settings, versions, hashes and losses to: .json, or .csv for the losses alone.", group=FILES,
        decides=False)
    force: bool = option(False, FLAG, "Overwrite files that exist.", group=FILES, decides=False)
    # fmt: on


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class OptimizingJob(PictureJob):
    """A job that optimizes one picture, step by step, and can be stopped and resumed."""

    # fmt: off
    weights: str | None = option(None, FILE, "The encoder's weights: a file, or a folder that holds it.",
        group="encoder", metavar="PATH", decides=False, modes=("optimize", "refined", ""))
    save_every: int = option(0, WHOLE, "Steps between snapshots of picture and state; 0: none.", group=FILES, least=0,
        decides=False, modes=("optimize", "refined", ""))
    resume: str | None = option(None, FILE, "State to go on from, which an interrupted run left.", group=FILES,
        decides=False, modes=("optimize", "refined", ""))
    plot: str | None = option(None, FILE, "Picture to draw the losses into.", group=FILES, decides=False,
        modes=("optimize", "refined", ""))
    # fmt: on


# JSON


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | tuple | list) and not value)


def _name(value: Any) -> Any:
    """The last part of a path, or of each of several."""
    return [_name(item) for item in value] if isinstance(value, tuple | list) else Path(value).resolve().name


def _encoded(value: Any, read: str, portable: bool) -> Any:
    if isinstance(value, Mapping):
        return {key: _encoded(item, read, portable) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_encoded(item, read, portable) for item in value]
    if not read or isinstance(value, int | float):
        return value
    if read in ("encoder", "file") and not isinstance(value, str):
        return value.name if read == "encoder" else "a model in memory"
    if read == "encoder":
        return value
    return _portable(value, read) if portable else _stored(value)


def _portable(value: Any, read: str) -> Any:
    """Name and hash of what is read; what is no file, such as a packaged model, as it is."""
    if not isinstance(value, str):
        import hashlib

        return {"sha256": hashlib.sha256(json.dumps(_stored(value), sort_keys=True).encode()).hexdigest()}
    path = Path(value)
    if path.is_dir():
        from impasto.media import pictures_in

        return {"folder": path.name, "files": {p.name: file_hash(p) for p in pictures_in(path, recursive=False)}}
    if read != "picture" and not path.is_file():
        return value
    return {"file": path.name, "sha256": file_hash(path)}


def _stored(value: Any) -> Any:
    """A path as it is; bytes, images, arrays and tensors in base64."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, io.BytesIO):
        return _stored(value.getvalue())
    import numpy
    from PIL import Image

    buffer = io.BytesIO()
    if isinstance(value, Image.Image):
        value.save(buffer, "PNG", icc_profile=value.info.get("icc_profile"), exif=value.getexif())
        return _stored(buffer.getvalue())
    torch = sys.modules.get("torch")
    is_tensor = torch is not None and isinstance(value, torch.Tensor)
    if not is_tensor and not isinstance(value, numpy.ndarray):
        raise InputError(f"a {type(value).__name__} cannot be written into a job: give it as a picture file")
    numpy.save(buffer, value.detach().cpu().numpy() if is_tensor else value, allow_pickle=False)
    return {"tensor" if is_tensor else "array": base64.b64encode(buffer.getvalue()).decode()}


#: From an entry of a manifest, name and hash, to the file's path.
Locate = Callable[[Mapping[str, Any]], str]


def decoded(value: Any, locate: Locate) -> Any:
    """What `as_json` encoded.

    Raises:
        InputError: if it is something else, or a file is not found.
    """
    if isinstance(value, list):
        return [decoded(item, locate) for item in value]
    if not isinstance(value, Mapping):
        return value
    if "base64" in value:
        return base64.b64decode(value["base64"])
    if "sha256" in value or "folder" in value:
        return locate(value)
    for kind in ("array", "tensor"):
        if kind in value:
            import numpy

            array = numpy.load(io.BytesIO(base64.b64decode(value[kind])), allow_pickle=False)
            if kind == "array":
                return array
            import torch

            return torch.from_numpy(array)
    return value


def locate_in(folders: Iterable[Path]) -> Locate:
    """What finds files by name and hash in some folders."""

    def locate(entry: Mapping[str, Any]) -> str:
        name = entry.get("file") or entry.get("folder")
        if name is None:
            raise InputError("an input of this picture was given in memory and is in no file: give it with the job")
        for folder in folders:
            path = folder / str(name)
            files = entry.get("files", {}).items()
            if path.is_dir() and all((path / n).is_file() and file_hash(path / n) == h for n, h in files):
                return str(path)
            if path.is_file() and file_hash(path) == entry.get("sha256"):
                return str(path)
        places = " or ".join(dict.fromkeys(str(folder.resolve()) for folder in folders))
        raise InputError(
            f"the input {name} with the hash of this picture's manifest is not in {places}: "
            "name its folder with --inputs"
        )

    return locate


def job_of(data: Any, locate: Locate | None = None, *, trusted: Collection[str] = ()) -> Job:
    """The job that JSON describes.

    Args:
        data: as `Job.as_json` gives it, or as people write it: `{"job": "stylize", "content": …}`.
        locate: finds the files of a manifest; those beside here if None.
        trusted: the encoders that whoever starts the job names as well: import paths of others, which run code, are
            refused.

    Raises:
        InputError: if it is no job, an option is unknown or does not fit, or an encoder is not trusted.
    """
    from impasto.jobs.every import JOBS

    if not isinstance(data, Mapping) or not isinstance(data.get("job"), str):
        raise InputError('this is no job: it is an object with the name of a job, such as {"job": "stylize", …}')
    if data["job"] not in JOBS:
        raise unknown("job", data["job"], JOBS)
    kind = JOBS[data["job"]]
    given = {name: value for name, value in data.items() if name != "job"}
    kind.check_names(given)
    for name, value in given.items():
        if options_of(kind)[name].kind.read == "encoder":
            _check_trusted(value, trusted)
    find = locate or locate_in([Path()])
    read = {name: decoded(v, find) if options_of(kind)[name].kind.read else v for name, v in given.items()}
    return kind(**read)


def encoders_in(given: Mapping[str, Any]) -> list[str]:
    """The names of encoders in options that were given by whoever starts a job."""
    return [value for value in (given.get("encoder"), given.get("warmup_encoder")) if isinstance(value, str)]


def _check_trusted(value: Any, trusted: Collection[str]) -> None:
    """Raise InputError if an encoder in a file, or one of several, is an import path that is not trusted."""
    for item in value if isinstance(value, list | tuple) else [value]:
        path = str(item).partition("=")[0]
        if ":" in path and path not in trusted:
            raise InputError(f"{path} is an import path of code, which no file may run: give --encoder {path} as well")
