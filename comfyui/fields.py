"""Inputs of nodes, made from the fields of impasto's jobs: no option is declared here.

A field whose value depends on something else (`auto`, or what a quality decides) is typed, and left out of the job
while it says `auto`; pictures are batches, and masks are MASKs. Workflows save values by position, so the order of
inputs, once published, is kept in `order.json`: new fields come last.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from comfy_api.v0_0_2 import io

from impasto.jobs.base import Job
from impasto.options import AUTO, SIDES, Option, label_of, options_of
from impasto.web.forms import WORDS, choices_of, decided_of, fields_of, modes_of, styles

#: What nodes hand on: a network that `impasto.load_model` opened.
Network = io.Custom("IMPASTO_MODEL")
#: What a node of further options hands to the node that they are of.
Options = io.Custom("IMPASTO_OPTIONS")
#: Of a choice that is not made.
NONE = "none"
#: Words of MASKs, which are the job's pairs of a mask and a number: field -> label and help.
MASKS = {
    "masks": ("mask", "What is painted (white); the rest stays the photograph. One, or one for each picture."),
    "style_masks": ("style mask", "Of a painting only what is white counts; the first mask is the first painting's."),
}
#: Job and what is fixed -> its inputs in the order in which they were published.
ORDER: Mapping[str, list[str]] = json.loads(Path(__file__).with_name("order.json").read_text())
#: Beyond it, a page's numbers are not whole.
LARGEST = 2**53


@dataclass(frozen=True)
class Face:
    """What a node shows of a job.

    Attributes:
        name: of the node.
        job: that it runs.
        first: the fields that the node shows, beside those without a widget; the others are in a node of options.
        fixed: values that it does not show.
        without: values of the job's selector that it does not offer.
        left_out: fields that it does not show.
    """

    name: str
    job: type[Job]
    first: tuple[str, ...]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    without: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()

    def fields(self) -> dict[str, Option]:
        """The fields that have an effect in some mode of the node, in order."""
        chosen = set(self.fixed.values())
        modes = {m for v, m in modes_of(self.job).items() if v not in self.without and (not chosen or v in chosen)}
        found = {n: o for n, o in fields_of(self.job).items() if not o.modes or modes & set(o.modes)}
        # A network's file can be named where nodes are made, not where they are used.
        found |= {n: o for n, o in options_of(self.job).items() if n == "model"}
        order = dict.fromkeys((*ORDER.get(self.name, ()), *self.first, *found))
        return {n: found[n] for n in order if n in found and n not in self.fixed and n not in self.left_out}

    def inputs(self) -> list[Any]:
        """The node's inputs."""
        return [i for i in self._made() if i.id in self.first or _default(i) is None] + [
            Options.Input("options", optional=True, tooltip=f"All other options, of impasto {self.name} options.")
        ]

    def options(self) -> list[Any]:
        """The inputs of the node of further options."""
        shown = {i.id for i in self.inputs()}
        return [i for i in self._made() if i.id not in shown]

    def _made(self) -> list[Any]:
        decided = set() if self.fixed else decided_of(self.job)
        defaults = self.job.defaults()
        return [_input(self, name, o, defaults[name], name in decided) for name, o in self.fields().items()]

    def given(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The options that a job is given for the values of the node's inputs: those that were changed."""
        usual = {i.id: _default(i) for i in self._made()}
        found = {n: v for n, v in values.items() if n != "options" and (torch.is_tensor(v) or v not in ("", usual[n]))}
        return found | values.get("options", {})


def _default(made: Any) -> Any:
    """The value of an untouched input; None of one without a widget."""
    widget = made.input_override if isinstance(made, io.MultiType.Input) else made
    return getattr(widget, "default", None)


def _input(face: Face, name: str, about: Option, default: Any, decided: bool) -> Any:
    label, help_ = MASKS.get(name) or (label_of(name), WORDS.get((face.job.name, name), ("", about.help))[1])
    auto = f" auto: {about.auto}." if about.auto else " auto: as the quality says." if decided else ""
    common = {"display_name": label, "optional": not about.required, "tooltip": help_ + auto}
    if about.kind.words == 2 or name == "mask":
        return io.Mask.Input(name, **common)
    if about.kind.read == "picture":
        return io.Image.Input(name, **common)
    if name == "model":
        return Network.Input(name, **common)
    return _widget(face, name, about, default, decided, common)


def _widget(face: Face, name: str, about: Option, default: Any, decided: bool, common: dict[str, Any]) -> Any:
    """A widget that shows the field's default, or `auto` where something else decides."""
    open_ = decided or (default == AUTO and bool(about.auto))
    choices = [c for c in choices_of(name, about) if c not in face.without]
    if name == "style_name":
        choices = [NONE, *(style["name"] for style in styles())]
    if choices and (not about.kind.several or name == "style_name"):
        extra = [AUTO] if open_ and AUTO not in choices else []
        known = [*extra, *choices]
        usual = AUTO if open_ else default if default in known else known[0]
        return io.Combo.Input(name, known, default=usual, **common)
    if about.kind.is_flag:
        return io.Boolean.Input(name, default=default, **common)
    if about.kind.numeric and not about.kind.several and about.kind is not SIDES:
        return _number(name, about, default, open_, common)
    return io.String.Input(name, default=AUTO if open_ else _shown(about, default), **common)


def _number(name: str, about: Option, default: Any, open_: bool, common: dict[str, Any]) -> Any:
    whole = about.kind.metavar == "N"
    if open_:
        typed = io.String.Input(name, default=AUTO, **common)
        return io.MultiType.Input(typed, [io.Int] if whole else [io.Float, io.Int])
    bounds = {"min": max(about.least, about.above, -LARGEST), "max": min(about.most, about.below, LARGEST)}
    if whole:
        least, most = int(bounds["min"]), int(bounds["max"])
        # Else a page draws another seed after each picture.
        return io.Int.Input(name, default=default, min=least, max=most, control_after_generate=False, **common)
    return io.Float.Input(name, default=default, step=0.01, round=False, **bounds, **common)


def _shown(about: Option, default: Any) -> str:
    items: Iterable[Any] = default if isinstance(default, tuple) else () if default is None else (default,)
    return ("x" if about.kind is SIDES else ",").join(map(str, items))
