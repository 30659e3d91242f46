"""Commands made from jobs: each field is an option, and help texts are grouped as the fields are."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from itertools import islice
from pathlib import Path
from typing import Any

import click

from impasto.errors import InputError
from impasto.files import check_target, write_text
from impasto.jobs.base import Job
from impasto.options import SIDES, Option, options_of

QUIET = click.Option(["--quiet", "-q"], is_flag=True, help="No progress; errors only.")
SAVE_JOB = click.Option(["--save-job"], metavar="FILE", help="Write the job as JSON, for `impasto run`, and stop.")


class Grouped(click.Command):
    """A command whose help shows options under the headings of their groups."""

    def __init__(
        self, *args: Any, groups: dict[str, str] | None = None, renamed: dict[str, str] | None = None, **about: Any
    ) -> None:
        super().__init__(*args, **about)
        self.groups, self.renamed = groups or {}, renamed or {}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Raises:
        InputError: if an option has another name now, or its value is another option, which click takes for it.
        """
        known = {flag: p for p in self.get_params(ctx) if isinstance(p, click.Option) for flag in p.opts}
        words = iter(args)
        for word in words:
            flag, _, value = word.partition("=")
            option = known.get(flag)
            if word == "--":
                break
            if flag in self.renamed:
                raise InputError(f"{flag} is called {self.renamed[flag]} now")
            for following in islice(words, 0 if option is None or option.is_flag else option.nargs - bool(value)):
                if option is not None and following in known:
                    raise InputError(f"{flag} is followed by the option {following}: give its {option.metavar} first")
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        headings: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            if isinstance(parameter, click.Argument):
                row = (parameter.make_metavar(ctx), self.groups.get(f"help {parameter.name}", ""))
            else:
                row = parameter.get_help_record(ctx) or ("", "")
            if row[1]:
                headings.setdefault(self.groups.get(parameter.name or "", "general"), []).append(row)
        for heading, rows in headings.items():
            with formatter.section(heading.capitalize()):
                formatter.write_dl(rows)


def command_of(job: type[Job], *, saved: bool = True) -> click.Command:
    """The command that makes and runs a job, or writes it where it can be `saved`."""
    options = options_of(job)
    defaults = job.defaults()
    parameters: list[click.Parameter] = [parameter(name, o, defaults[name]) for name, o in options.items()]
    groups = {name: option.group for name, option in options.items()}
    groups |= {f"help {name}": option.help for name, option in options.items() if option.positional}
    return Grouped(
        job.name.split()[-1],
        params=[*parameters, *([SAVE_JOB] if saved else []), QUIET],
        callback=_callback(job),
        help=f"{job.__doc__}\n\n    {job.example}",
        short_help=(job.__doc__ or "").split("\n")[0],
        groups=groups,
        renamed={"--" + old.replace("_", "-"): _flag(new, options[new]) for old, new in job.renamed.items()},
    )


def _flag(name: str, option: Option) -> str:
    """How a field is spelled on the command line."""
    return option.metavar if option.positional else option.flag or "--" + name.replace("_", "-")


def parameter(name: str, option: Option, default: Any) -> click.Parameter:
    """A field as click has it; values are converted by the job."""
    kind = option.kind
    if option.positional:
        metavar = (option.metavar or kind.metavar) + ("…" if kind.several else "")
        return click.Argument([name], nargs=-1 if kind.several else 1, required=False, metavar=metavar)
    flag = _flag(name, option)
    if kind.is_flag and default:
        flag = flag.replace("--", "--no-", 1)
    names = ["-o", flag, name] if flag == "--output" else [flag, name]
    if kind.is_flag:
        return click.Option(names, is_flag=True, default=None, flag_value=not default, help=option.help)
    metavar = option.metavar or kind.metavar
    return click.Option(
        names,
        multiple=kind.several,
        nargs=len(metavar.split()) if kind.several else 1,
        metavar=metavar,
        help=option.help + _default(option, default),
        shell_complete=lambda ctx, param, typed: [n for n in option.names() if n.startswith(typed)],
    )


def _default(option: Option, default: Any) -> str:
    if option.auto and default == "auto":
        return f"  [default: {option.auto}]"
    if default in (None, "", ()) or option.required:
        return ""
    between = "x" if option.kind is SIDES else ","
    shown = default if not isinstance(default, tuple) else between.join(map(str, default))
    return f"  [default: {shown:.4g}]" if isinstance(shown, float) else f"  [default: {shown}]"


def given(job: type[Job], values: dict[str, Any]) -> dict[str, Any]:
    """What was typed, by field."""
    found = {name: value for name, value in values.items() if value not in (None, ())}
    for name, value in found.items():
        option = options_of(job)[name]
        if option.kind.several and not option.positional and option.metavar.count(" "):  # pairs of maps
            found[name] = tuple(word for pair in value for word in pair)
    return found


def _callback(job: type[Job]) -> Callable[..., int]:
    def callback(quiet: bool, save_job: str | None = None, **values: Any) -> int:
        from impasto.cli.watch import watch

        typed = given(job, values)
        if typed.get("resume") is not None:
            from impasto.jobs.report import resumed_job

            made = resumed_job(typed.pop("resume"), typed)
        else:
            made = job(**typed)
        return watch(made, quiet=quiet) if save_job is None else save(made, save_job)

    return callback


def save(job: Job, path: str) -> int:
    """Write a job as JSON, with whole paths, so that it runs from everywhere."""
    check_target(path, force=False, suffixes=(".json",))
    data = job.as_json()
    for name, option in options_of(type(job)).items():
        if name in data and (option.kind.read or option.kind.path):
            data[name] = _absolute(data[name])
    write_text(path, json.dumps(data, indent=1) + "\n")
    return 0


def _absolute(value: Any) -> Any:
    if isinstance(value, list):
        return [_absolute(item) for item in value]
    return str(Path(value).resolve()) if isinstance(value, str) and Path(value).exists() else value


def read_job(path: str, trusted: Collection[str] = ()) -> Job:
    """The job in a JSON file; encoders that are import paths must be trusted.

    Raises:
        InputError: if it cannot be read, or is none.
    """
    from impasto.jobs.base import job_of

    try:
        return job_of(json.loads(Path(path).read_text()), trusted=trusted)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read as a job in JSON: {error}") from error
