"""Forms made from the jobs' fields, and jobs made from filled-in forms: no option is declared here."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from impasto.errors import InputError, unknown
from impasto.features.registry import ENCODERS
from impasto.jobs.base import COMPUTING, FILES, Job
from impasto.jobs.every import JOBS
from impasto.methods.settings import OPTIMIZE, STARTS, StylizeSettings
from impasto.options import AUTO, SIDES, Option, label_of, options_of

#: Job -> the fields that its form shows first; all others are behind "more".
FORMS: Mapping[str, tuple[str, ...]] = {
    "stylize": ("content", "style", "style_name", "quality", "size", "strength", "content_weight", "style_weight",
                "color", "masks"),
    "texture": ("sample", "method", "size", "own_size", "tileable", "steps"),
    "doodle": ("map", "style", "style_map", "size", "steps"),
    "dream": ("image", "guide", "layer", "size", "octaves", "steps"),
}  # fmt: skip
#: Words of the page where those of the command line speak of folders and numbers: (job, field) -> label and help.
WORDS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("stylize", "content"): ("Photograph", "What is painted."),
    ("stylize", "style"): ("Paintings", "In whose manner; several are blended by their shares."),
    ("stylize", "style_name"): ("Or styles of the package", "Painted in one pass of a network; several are blended."),
    ("stylize", "masks"): ("Regions", "What goes where: a painting for each region, or the photograph as it is."),
    ("stylize", "style_masks"): ("Parts of paintings", "Of a painting only what its mask has white counts."),
    ("stylize", "semantic"): ("Semantic maps", "In flat colors: of the photograph, then of each painting in turn."),
    ("stylize", "init"): ("First picture", "What the optimization begins with."),
    ("stylize", "model"): ("Network", "What paints in one pass."),
}
#: Job -> the field that decides which options have an effect, and what its `auto` stands for.
SELECTORS: Mapping[str, tuple[str, str]] = {"stylize": ("quality", "best"), "texture": ("method", "gatys")}
#: Fields that make many files or name one of this machine; and maps that `semantic` takes.
LEFT_OUT = frozenset((("dream", "zoom"), ("stylize", "runtime"), ("stylize", "style_map")))
#: The choice that needs a file of this machine: a texture's own network.
BY_FILE = "network"
#: Pictures in a job at most.
MOST_PICTURES = 64
#: From the number of a picture that was dropped to its path.
Locate = Callable[[str], str]


def modes_of(job: type[Job]) -> dict[str, str]:
    """Value of the job's selector -> its mode; that of `auto` under an empty name."""
    name, auto = SELECTORS.get(job.name, ("", ""))
    values = options_of(job)[name].names() if name in options_of(job) else []
    found = {"": auto} | {value: value for value in values if value != BY_FILE}
    return {key: _blank(job, name, value).mode for key, value in found.items()}


def decided_of(job: type[Job]) -> set[str]:
    """The options whose usual value depends on the job's selector."""
    name = SELECTORS.get(job.name, ("", ""))[0]
    return {option for value in modes_of(job) if value for option in _blank(job, name, value).usual()}


def _blank(job: type[Job], name: str, value: str) -> Job:
    """A job whose selector has that value, and nothing else, as its checks read torch."""
    blank = job.__new__(job)
    object.__setattr__(blank, name or "_", value)
    return blank


def shown(job: type[Job], name: str, about: Option) -> bool:
    """Whether a form has the option: not where things go, nor how the server computes, nor what has no effect in any
    mode that a form leads to, such as those of a texture's own network."""
    is_ours = about.group in (FILES, COMPUTING) or name == "weights" or (job.name, name) in LEFT_OUT
    return not is_ours and (not about.modes or not set(about.modes).isdisjoint(modes_of(job).values()))


def fields_of(job: type[Job]) -> dict[str, Option]:
    """The options that a form has."""
    return {name: about for name, about in options_of(job).items() if shown(job, name, about)}


def choices_of(name: str, about: Option) -> list[str]:
    """Names that a field takes. What could be a path on the command line is one of the known names here."""
    if about.kind.read == "encoder":
        return [AUTO, *ENCODERS] if about.auto else [*ENCODERS]
    if name == "init":
        return list(STARTS)
    if about.kind.read == "file":
        return ["any", "gallery", "live"]
    auto = [AUTO] if about.auto and about.choices else []
    return list(dict.fromkeys((*auto, *(value for value in about.names() if value != BY_FILE))))


def _widget(about: Option) -> str:
    """What a form shows for a field."""
    if about.kind.read == "picture":
        return "masks" if about.kind.words == 2 else "pictures" if about.kind.several else "picture"
    if about.kind.is_flag:
        return "flag"
    return "number" if about.kind.numeric and not about.kind.several and about.kind.metavar in ("N", "X") else "text"


def _finite(bound: float) -> float | None:
    return bound if abs(bound) != float("inf") else None


def _field(job: type[Job], name: str, about: Option, default: Any) -> dict[str, Any]:
    choices = choices_of(name, about)
    label, help_ = WORDS.get((job.name, name), (label_of(name).capitalize(), about.help))
    return {
        "name": name,
        "label": label,
        "help": help_,
        "group": about.group,
        "widget": "choice" if choices and not about.kind.several else _widget(about),
        "choices": choices,
        "whole": about.kind.metavar == "N",
        "default": default if isinstance(default, str | int | float | bool) else None,
        "sides": about.kind is SIDES,
        "shown": ("x" if about.kind is SIDES else ",").join(map(str, default)) if isinstance(default, tuple) else "",
        "auto": about.auto,
        "least": _finite(max(about.least, about.above)),
        "most": _finite(min(about.most, about.below)),
        "modes": list(about.modes),
        "required": about.required,
        "first": FORMS[job.name].index(name) if name in FORMS[job.name] else None,
    }


def _form(job: type[Job]) -> dict[str, Any]:
    defaults = job.defaults()
    fields = [_field(job, name, about, defaults[name]) for name, about in fields_of(job).items()]
    labels = {field["name"]: f"the {field['label'].lower()}" for field in fields}
    about = re.sub(r"\b[A-Z_]{3,}\b", lambda m: labels.get(m[0].lower(), m[0]), (job.__doc__ or "").splitlines()[0])
    return {"name": job.name, "about": about, "fields": fields, "modes": modes_of(job)} | {
        "selector": SELECTORS.get(job.name, ("", ""))[0]
    }


@cache
def forms() -> dict[str, Any]:
    """All that the page needs to draw its forms, for JSON."""
    return {"forms": [_form(JOBS[name]) for name in FORMS], "styles": styles()}


def styles() -> list[dict[str, str]]:
    """The packaged styles: name, and a small JPEG in base64. Read from the file's head, as torch takes seconds."""
    path = files("impasto") / "data" / "gallery.safetensors"
    if not path.is_file():
        return []
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        about = json.loads(json.loads(file.read(length))["__metadata__"]["impasto-model"])
    return [{"name": style["name"], "thumbnail": style.get("thumbnail", "")} for style in about["styles"]]


def job_from(data: Any, locate: Locate) -> Job:
    """The job that a form describes.

    Args:
        data: `{"job": name, option: value, …}`, a picture being `{"file": number}`.
        locate: finds the pictures.

    Raises:
        InputError: if it is no such job, an option does not fit, or names something of this machine.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("job"), str):
        raise InputError('this is no job: it is an object such as {"job": "stylize", …}')
    if data["job"] not in FORMS:
        raise unknown("job", data["job"], FORMS)
    kind = JOBS[data["job"]]
    given = {name: value for name, value in data.items() if name != "job"}
    known = fields_of(kind)
    for name in given:
        if name not in known:
            raise unknown("option", name, known)
    if len(pictures_of(data)) > MOST_PICTURES:
        raise InputError(f"there are {len(pictures_of(data))} pictures; a job takes {MOST_PICTURES}")
    return kind(**{name: _value(name, value, known[name], locate) for name, value in given.items()})


def pictures_of(data: Any) -> list[str]:
    """The numbers of the pictures in a form."""
    if isinstance(data, Mapping):
        if isinstance(data.get("file"), str):
            return [data["file"]]
        return [number for value in data.values() for number in pictures_of(value)]
    return [number for item in data for number in pictures_of(item)] if isinstance(data, list) else []


def plainer(form: Mapping[str, Any], locate: Locate) -> dict[str, Any]:
    """A manifest's form without the values that options have anyway, so that another quality still decides them."""
    kind = JOBS[form["job"]]
    options = fields_of(kind)
    own = {name for name, about in options.items() if about.kind.read and about.kind.read != "encoder"}
    own |= {"job", "style_name", SELECTORS.get(kind.name, ("",))[0]}
    try:
        usual = _resolved(job_from({n: v for n, v in form.items() if n in own}, locate), form)
        kept = {n: v for n, v in form.items() if n in own or n == "encoder" or usual.get(n) != v}
        told = {n: v for n, v in kept.items() if n in own or n == "encoder" or not options[n].auto}
        decided = _resolved(job_from(told, locate), form)
        plain = told | {n: v for n, v in kept.items() if decided.get(n) != v}
        whole = _resolved(job_from(form, locate), form)
        return next(f for f in (plain, kept, dict(form)) if _resolved(job_from(f, locate), form) == whole)
    except InputError:  # a picture is lost
        return dict(form)


def _resolved(job: Job, form: Mapping[str, Any]) -> dict[str, Any]:
    """A job in JSON, with what `auto` stands for where its method tells."""
    if isinstance(job, StylizeSettings) and job.mode in OPTIMIZE:
        job = job.resolved(str(form.get("encoder")))
    found: dict[str, Any] = json.loads(json.dumps(job.as_json()))
    return found


def cleaned(value: Any) -> Any:
    """A form with nothing of a picture but its number and name."""
    if isinstance(value, Mapping) and "file" in value:
        return {key: str(value[key])[:100] for key in ("file", "name") if key in value}
    if isinstance(value, Mapping):
        return {key: cleaned(item) for key, item in value.items()}
    return [cleaned(item) for item in value] if isinstance(value, list) else value


def _value(name: str, value: Any, about: Option, locate: Locate) -> Any:
    if about.kind.read == "picture":
        return _located(name, value, locate)
    choices = choices_of(name, about)
    for word in _words(value):
        if choices and word not in choices:
            raise unknown(label_of(name), word, choices)
        if "/" in word or "\\" in word or not word.isprintable():
            raise InputError(
                f"{label_of(name)} has a slash or an invisible sign in it; from the page no file can be named"
            )
    return value


def _words(value: Any) -> list[str]:
    if isinstance(value, list):
        return [word for item in value for word in _words(item)]
    return [value] if isinstance(value, str) else list(value) if isinstance(value, Mapping) else []


def _located(name: str, value: Any, locate: Locate) -> Any:
    if isinstance(value, list):
        return [_located(name, item, locate) for item in value]
    if isinstance(value, int):  # the number of a mask's style
        return value
    if isinstance(value, Mapping) and isinstance(value.get("file"), str):
        return locate(value["file"])
    raise InputError(f"{label_of(name)} is no picture that was given to the studio: drop it into the page")
