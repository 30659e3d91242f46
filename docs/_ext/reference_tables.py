"""Directives that write the reference from the code, so that it is never stale: `options`, `qualities`, `api`, `tree`.

Each makes Markdown, which is parsed in its place.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList


class Written(Directive):
    """Base: the Markdown of `lines`, in place of the directive."""

    has_content = False
    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        about = self.state.document.settings.env.docname
        found = nodes.Element()
        text = StringList([part for line in self.lines() for part in line.split("\n")], about)
        self.state.nested_parse(text, self.content_offset, found)
        return list(found.children)

    def lines(self) -> Iterable[str]:
        raise NotImplementedError


def cell(text: str) -> str:
    """A text in a table."""
    return " ".join(text.split()).replace("|", "\\|") or " "


def range_of(option: Any) -> str:
    """What values an option takes."""
    kind = option.kind
    if option.choices:
        return ", ".join(f"`{name}`" for name in option.names())
    bounds = (("at least {:g}", option.least), ("above {:g}", option.above), ("at most {:g}", option.most))
    bounds = (*bounds, ("below {:g}", option.below))
    said = [text.format(value) for text, value in bounds if abs(value) != float("inf")]
    return ", ".join([kind.rule, *said])


class Options(Written):
    """The options of a job by group: `{options} stylize`."""

    def lines(self) -> Iterator[str]:
        from impasto.cli.command import parameter
        from impasto.jobs.every import JOBS
        from impasto.options import options_of
        from impasto.web.settings import Studio

        job = (JOBS | {Studio.name: Studio})[self.arguments[0]]
        defaults = job.defaults()
        groups: dict[str, list[str]] = {}
        for name, option in options_of(job).items():
            made = parameter(name, option, defaults[name])
            flag = f"`{made.make_metavar(None)}`" if option.positional else "<br>".join(f"`{o}`" for o in made.opts)
            default = option.auto if option.auto and defaults[name] == "auto" else defaults[name]
            shown = "" if default in (None, "", ()) or option.required else str(default).strip("()").rstrip(",")
            row = (flag, f"`{name}`", option.help, range_of(option), shown)
            groups.setdefault(option.group, []).append("| " + " | ".join(map(cell, row)) + " |")
        yield f"{job.__doc__}\n\n```text\n{job.example}\n```\n"
        for group, rows in groups.items():
            yield f"**{group.capitalize()}**\n"
            yield "| option | in Python and JSON | what it is | takes | default |\n|---|---|---|---|---|"
            yield from rows
            yield ""


class Qualities(Written):
    """The values of `--quality` with what they set and their source."""

    def lines(self) -> Iterator[str]:
        from impasto import StylizeSettings
        from impasto.methods.presets import QUALITIES

        plain = StylizeSettings().as_dict()
        yield "| `--quality` | what it is | what it sets |\n|---|---|---|"
        for name, make in QUALITIES.items():
            changed = {n: v for n, v in make().as_dict().items() if v != plain[n]}
            shown = ", ".join(f"`{n}={shortly(v)}`" for n, v in changed.items())
            yield f"| `{name}` | {cell(make.__doc__ or '')} | {cell(shown or 'the defaults')} |"


def shortly(value: Any) -> str:
    """A value in a table."""
    if isinstance(value, tuple):
        return ",".join(map(shortly, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


class Api(Written):
    """Signature and documentation of public names: `{api} impasto`."""

    def lines(self) -> Iterator[str]:
        import impasto

        for name in sorted(impasto.__all__, key=str.lower):
            thing = getattr(impasto, name)
            if not callable(thing):
                continue
            kind = "class" if isinstance(thing, type) else "function"
            yield f"(api-{kind}-{name.lower()})=\n**{kind} `impasto.{name}`**\n"
            if kind == "function":
                yield f"```python\n{signature(name, thing)}\n```\n"
            yield from markdown(inspect.getdoc(thing) or "")
            yield ""


def signature(name: str, function: Any) -> str:
    """`name(arguments)`; the options of jobs, which have a page of their own, are left out."""
    parameters = list(inspect.signature(function).parameters.values())
    shown = [re.sub(r":.*?(?= = |$)", "", str(p)) for p in parameters[:6]]
    return f"{name}({', '.join(shown)}{', …' if len(parameters) > 6 else ''})"


def markdown(text: str) -> Iterator[str]:
    """A docstring with `Args:` and the like as lists; options, which are in tables, are left out."""
    inside, blank, code = False, True, False
    for line in text.split("\n"):
        if re.fullmatch(r"[A-Z][a-z]+:", line):
            inside = True
            yield f"\n{line}\n"
        elif inside and re.match(r"    \S", line):
            yield (
                re.sub(r"^    ([\w, ]+):", r"- `\1`:", line) if re.match(r"    [\w, ]+:", line) else f"- {line.strip()}"
            )
        elif inside:
            yield line.strip()
        else:
            starts = bool(re.match(r"    \S", line)) and blank and not code
            if starts:
                yield "```text"
            if code and line and not line.startswith("    "):
                yield "```\n"
            code = starts or (code and (not line or line.startswith("    ")))
            yield line
        blank = not line
    if code:
        yield "```"


class Tree(Written):
    """The tree of errors."""

    def lines(self) -> Iterator[str]:
        import impasto.errors

        parts = (impasto.errors.__doc__ or "").split("\n\n")
        yield f"```text\n{inspect.cleandoc(parts[1])}\n```"


def setup(app: Any) -> dict[str, Any]:
    for directive in (Options, Qualities, Api, Tree):
        app.add_directive(directive.__name__.lower(), directive)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
