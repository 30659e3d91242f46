"""Options: what every front needs to know of a field, declared once, with the field.

A class of settings is a frozen dataclass whose fields are made by `option`: default, help, kind, range, choices and
group stand there, and the command line, Python, JSON files, pages and tables in the docs are made from them.

    @dataclass(frozen=True, kw_only=True)
    class Blur(Settings):
        radius: float = option(2.0, NUMBER, "Deviation of the Gaussian in pixels.", above=0)

    Blur(radius="3").radius       # 3.0: each kind takes what people type, write in JSON, or compute
    Blur(radius=0)                # InputError: radius is 0; it must be a number above 0
    Blur().changed(radus=1)       # InputError: unknown option 'radus'; did you mean radius?
"""

from __future__ import annotations

import dataclasses
import math
import operator
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Final, Literal, Self, TypeAlias, TypeVar

from impasto.errors import InputError, unknown

#: The one spelling of "decide for me", in Python, on the command line and in JSON.
Auto: TypeAlias = Literal["auto"]
AUTO: Final[Auto] = "auto"
T = TypeVar("T")


def known(value: T | Auto) -> T:
    """The value of an option after it was decided what `auto` stands for."""
    if isinstance(value, str) and value == AUTO:
        raise InputError("an option is still auto; call resolved() before the settings are used")
    return value


@dataclass(frozen=True)
class Kind:
    """What values an option takes.

    Attributes:
        rule: for people, as in "it must be …".
        convert: from what was given to the canonical value; ValueError or TypeError if it is something else.
        metavar: stands for the value in help texts.
        several: given several times on a command line, it takes all of them.
        words: on a command line, so many follow the option.
        is_flag: on a command line it takes no value.
        numeric: ranges apply to it, or to each of its items.
        read: its values are pictures that are read: "picture", or "" if not.
        path: its values are places on this machine.
    """

    rule: str
    convert: Callable[[Any], Any]
    metavar: str = "TEXT"
    several: bool = False
    words: int = 1
    is_flag: bool = False
    numeric: bool = False
    read: str = ""
    path: bool = False


def _whole(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError
    if isinstance(value, float) and value.is_integer():
        return int(value)
    found = int(value) if isinstance(value, str) else operator.index(value)
    float(found)  # an OverflowError: ranges and messages compare it with floats
    return found


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str | os.PathLike):
        raise TypeError
    return os.fspath(value)


def _device(value: Any) -> str:
    if value is None:
        raise TypeError
    return str(value)  # or a torch.device


def _yes(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _items(value: Any) -> list[Any]:
    """The items of a list, of words with commas, or of several of those."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, list | tuple):
        return [item for part in value for item in (_items(part) if isinstance(part, str) else [part])]
    return [value]


def _numbers(value: Any) -> tuple[float, ...]:
    return tuple(_number(item) for item in _items(value))


def _names(value: Any) -> tuple[str, ...]:
    return tuple(_text(item) for item in _items(value))


def _sides(value: Any) -> tuple[int, int]:
    parts = value.lower().split("x") if isinstance(value, str) else value
    parts = list(parts) if isinstance(parts, list | tuple) else [parts]
    width, height = parts if len(parts) > 1 else parts * 2
    return _whole(width), _whole(height)


def _memory(value: Any) -> float:
    """`4GB`, `3500M` or `4e9` in bytes; units are powers of 1000."""
    if not isinstance(value, str):
        return _number(value)
    found = re.fullmatch(r"\s*([0-9.]+(?:e[0-9]+)?)\s*([KMGT]?)B?\s*", value, re.IGNORECASE)
    if found is None:
        raise ValueError
    return float(found[1]) * {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}[found[2].upper()]


def _picture(value: Any) -> Any:
    if isinstance(value, str) and not value:
        raise ValueError
    if value is None or isinstance(value, bool | int | float):
        raise TypeError
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _name_or_object(value: Any) -> Any:
    return _picture(value)  # a name, a path, or what it would open


def _units(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list | tuple) else [value]  # a place in a unit has a comma
    return tuple(str(_whole(item)) if isinstance(item, int) else _text(item) for item in items)


def _pictures(value: Any) -> tuple[Any, ...]:
    return tuple(_picture(item) for item in (value if isinstance(value, list | tuple) else [value]))


def _places(value: Any) -> tuple[tuple[Any, int], ...]:
    if isinstance(value, Mapping):  # number of a style -> its mask
        value = [(mask, number) for number, mask in value.items()]
    if not isinstance(value, list | tuple):
        raise TypeError
    pairs = [value] if len(value) == 2 and not isinstance(value[0], list | tuple) else value
    return tuple((_picture(mask), _whole(number)) for mask, number in pairs)


def _blend(value: Any) -> tuple[float, ...] | dict[str, float]:
    """Weights in order, or by name: `0.3,0.7` or `a=0.3,b=0.7`."""
    if isinstance(value, Mapping):
        return {str(name): _number(share) for name, share in value.items()}
    items = _items(value)
    if items and all(isinstance(item, str) and "=" in item for item in items):
        return {name.strip(): _number(share) for name, _, share in (item.rpartition("=") for item in items)}
    return _numbers(items)


def _wholes(value: Any) -> tuple[int, ...]:
    return tuple(_whole(item) for item in _items(value))


def _seconds(value: Any) -> float:
    """`3`, `3s`, `250ms`, `1:02.5` or `1:00:00` in seconds."""
    if not isinstance(value, str):
        return _number(value)
    found = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)(m?s)?", value.strip())
    if found is None or (found[4] and found[2]):
        raise ValueError
    hours, minutes, seconds = (float(part or 0) for part in found.groups()[:3])
    return seconds / 1000 if found[4] == "ms" else 3600 * hours + 60 * minutes + seconds


def _keyframes(value: Any) -> tuple[tuple[float, tuple[float, ...]], ...]:
    """Times and weights in order: `3s=0.2,0.8`, `{3: (0.2, 0.8)}` or pairs."""
    items = list(value.items()) if isinstance(value, Mapping) else value
    items = [items] if isinstance(items, str) else items
    pairs = [item.split("=") if isinstance(item, str) else item for item in items]
    return tuple(sorted((_seconds(time), _numbers(weights)) for time, weights in pairs))


WHOLE = Kind("a whole number", _whole, "N", numeric=True)
NUMBER = Kind("a number", _number, "X", numeric=True)
TEXT = Kind("a word", _text)
DEVICE = Kind("a device, such as cpu or cuda:1", _device)
FLAG = Kind("True or False", _yes, "", is_flag=True)
FILE = Kind("the path of a file", _text, "FILE", path=True)
FOLDER = Kind("the path of a folder", _text, "FOLDER", path=True)
FILES = Kind("one or more paths", _pictures, "FILE", several=True, path=True)
NUMBERS = Kind("one or more numbers, such as 0.5,1", _numbers, "X,Y,…", several=True, numeric=True)
WHOLES = Kind("one or more whole numbers, such as 1,2,4", _wholes, "N,M,…", several=True, numeric=True)
SECONDS = Kind("a time, such as 2.5, 3s or 1:02.5", _seconds, "TIME", numeric=True)
KEYFRAMES = Kind("times with a weight for each style, such as 3s=0.2,0.8", _keyframes, "TIME=X,Y,…", several=True)
NAMES = Kind("one or more names", _names, "NAME", several=True)
SIDES = Kind("WIDTHxHEIGHT in pixels, such as 640x480, or one number for a square", _sides, "WxH", numeric=True)
MEMORY = Kind("a size above 0 with its unit, such as 4GB", _memory, "SIZE", numeric=True)
PICTURE = Kind("a picture: a path, bytes, a Pillow image, an array or a tensor", _picture, "FILE", read="picture")
PICTURES = Kind("one or more pictures", _pictures, "FILE", several=True, read="picture")
PLACES = Kind(
    "pairs of a mask and the number of a style, such as ('sky.png', 2)",
    _places,
    "MASK NUMBER",
    several=True,
    words=2,
    read="picture",
)
MODEL = Kind("the path of a file, a name, or a model", _name_or_object, "NAME", read="file")
MODELS = Kind("one or more paths of files", _names, "FILE", several=True, read="file")
ENCODER = Kind("the name of an encoder, or an Encoder", _name_or_object, "NAME", read="encoder")
ENCODERS = Kind("one or more names of encoders", _names, "NAME", several=True, read="encoder")
UNITS = Kind("one or more units, such as relu4_1:17, or numbers of classes", _units, "UNIT", several=True)
BLEND = Kind("a weight for each style, such as 0.3,0.7, or by name, such as a=0.3,b=0.7", _blend, "X,Y,…", several=True)


@dataclass(frozen=True)
class Option:
    """All that fronts know of a field; arguments of `option`.

    Attributes:
        kind: of values.
        help: a sentence that is readable without its neighbors.
        group: under which help texts, tables and forms show it.
        choices: the names that it takes; a function where they grow.
        least, most, above, below: range of a number, or of each item.
        auto: what `auto` stands for; empty if it is not taken.
        modes: of the job, in which it has an effect; all if empty.
        flag: on the command line, if it is not `--` and the field's name.
        metavar: on the command line, if it is not the kind's.
        decides: whether the result depends on it; else it says where things go, or how they are shown.
        positional: on the command line it has no name.
        required: whether something must be given.
        in_json: whether it can stand in a file.
    """

    kind: Kind
    help: str
    group: str = "options"
    choices: Sequence[str] | Callable[[], Iterable[str]] = ()
    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf
    auto: str = ""
    modes: tuple[str, ...] = ()
    flag: str = ""
    metavar: str = ""
    decides: bool = True
    positional: bool = False
    required: bool = False
    in_json: bool = True

    def names(self) -> list[str]:
        """The choices there are now."""
        return list(self.choices() if callable(self.choices) else self.choices)

    def checked(self, label: str, value: Any, default: Any) -> Any:
        """The canonical form of a value.

        Raises:
            InputError: value, rule, fix.
        """
        if value is None and default is None:
            return None
        if self.auto and isinstance(value, str) and value == AUTO:
            return AUTO
        try:
            found = self.kind.convert(value)
        except InputError:
            raise
        except (TypeError, ValueError, OverflowError):
            also = ", or auto" if self.auto else ""
            raise InputError(f"{label} is {shown(value)}; it must be {self.kind.rule}{also}") from None
        for item in found if isinstance(found, tuple) else (found,):
            self._fits(label, item)
        return found

    def _fits(self, label: str, item: Any) -> None:
        choices = self.names() if self.choices and isinstance(item, str) else []
        if choices and item not in choices:
            raise unknown(label, item, choices)
        if not self.kind.numeric or isinstance(item, str):
            return
        rules = (
            (self.least, item >= self.least, "at least {:g}"),
            (self.above, item > self.above, "above {:g}"),
            (self.most, item <= self.most, "at most {:g}"),
            (self.below, item < self.below, "below {:g}"),
        )
        if not (math.isfinite(item) and all(fits for _, fits, _ in rules)):
            bounds = [text.format(bound) for bound, _, text in rules if math.isfinite(bound)]
            rule = " and ".join(bounds) if math.isfinite(item) else ", ".join(("a finite number", *bounds))
            raise InputError(f"{label} is {item:g}; it must be {rule}")


def shown(value: Any) -> str:
    """A value for a message, in little room."""
    text = repr(value)
    return text if len(text) <= 60 and "\n" not in text else f"a {type(value).__name__}"


def option(default: Any, kind: Kind, help: str, **about: Any) -> Any:
    """A field of `Settings`.

    Args:
        default: its value if none is given.
        kind, help, about: see `Option`.
    """
    return field(default=default, metadata={"option": Option(kind, help, **about)})


_TABLES: dict[type, Mapping[str, Option]] = {}


def options_of(settings: type[Settings]) -> Mapping[str, Option]:
    """Name -> option, in the order of the fields; what is positional first."""
    if settings not in _TABLES:
        fields = [f for f in dataclasses.fields(settings) if f.name not in settings.left_out]
        found = {f.name: f.metadata["option"] for f in fields}
        _TABLES[settings] = MappingProxyType(dict(sorted(found.items(), key=lambda item: not item[1].positional)))
    return _TABLES[settings]


def defaults_of(settings: type[Settings]) -> dict[str, Any]:
    """Name -> default."""
    return {f.name: f.default for f in dataclasses.fields(settings)}


def label_of(name: str) -> str:
    """A field's name in a message."""
    return name.replace("_", " ")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Base of all settings: values are converted and checked when one is made."""

    #: Former name -> present one, for messages.
    renamed: ClassVar[Mapping[str, str]] = {}
    #: Fields of a base that are no options here.
    left_out: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        defaults = defaults_of(type(self))
        for name, about in options_of(type(self)).items():
            value = about.checked(label_of(name), getattr(self, name), defaults[name])
            object.__setattr__(self, name, value)
        self.check()

    def check(self) -> None:
        """Raise InputError where options do not go together."""

    @classmethod
    def check_names(cls, names: Iterable[str]) -> None:
        """Raise InputError, with the nearest names, if one is no option."""
        for name in names:
            if name in cls.renamed:
                raise InputError(f"{label_of(name)} is called {label_of(cls.renamed[name])} now")
            if name not in options_of(cls):
                raise unknown("option", name, options_of(cls))

    def changed(self, **changes: Any) -> Self:
        """A copy with some options changed.

        Raises:
            InputError: if there is no such option, or a value does not fit.
        """
        type(self).check_names(changes)
        return dataclasses.replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        """Option -> value, as in a report."""
        return {name: getattr(self, name) for name in options_of(type(self))}
