"""Progress of jobs in a terminal or a notebook."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from impasto.jobs import records

console = Console(stderr=True)


def say(text: str) -> None:
    """A line, whatever brackets are in it."""
    console.print(text, soft_wrap=True, markup=False, highlight=False)


class _Left(TimeRemainingColumn):
    """The time left, where it is known."""

    def render(self, task: Task) -> Text:
        left = super().render(task)
        return Text("left ").append_text(left) if task.total is not None else Text()


@contextmanager
def progress_bar(*, quiet: bool = False) -> Iterator[Watcher]:
    """What shows a job's records, for `watch`:

        with impasto.progress_bar() as watch:
            impasto.stylize("photo.jpg", "painting.jpg", watch=watch)

    Args:
        quiet: show nothing but what was lost.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[text]}"),
        TimeElapsedColumn(),
        _Left(),
    )
    hidden = quiet or not (console.is_terminal or console.is_jupyter)
    with Progress(*columns, console=console, disable=hidden, transient=True) as bar:
        yield Watcher(bar, quiet)


class Watcher:
    """Shows records.

    Args:
        bar: of progress.
        quiet: show nothing but what was lost.
    """

    def __init__(self, bar: Progress, quiet: bool) -> None:
        self.bar, self.quiet = bar, quiet
        self.task = bar.add_task("", total=None, visible=False, text="")

    def __call__(self, record: records.Record) -> None:
        if self.quiet and not (isinstance(record, records.Note) and record.lost):
            return
        if isinstance(record, records.Note):
            say(f"note: {record.text}")
        elif isinstance(record, records.Wrote):
            say(f"wrote {record.path}{', ' if record.text else ''}{record.text}")
        elif isinstance(record, records.Measured):
            self._table(record)
        elif isinstance(record, records.Progress):
            self._show(record.what, record.done, record.total or None, record.text)
        elif isinstance(record, records.Learnt):
            self._learnt(record)
        elif isinstance(record, records.Painted):
            self._show("painting", self.bar.tasks[0].completed + 1, None, f"{1000 * record.took:.0f} ms a frame")
        else:
            height, width = record.size
            scale = f" scale {record.scale}/{record.scales}" if record.scales > 1 else ""
            done = record.steps * (record.scale - 1) + (record.steps if record.done else record.step)
            self._show(f"{width}x{height}{scale}", done, record.steps * record.scales, f"loss {record.loss:.4g}")

    def _show(self, what: str, done: float, total: float | None, text: str) -> None:
        self.bar.update(self.task, description=what, completed=done, total=total, text=text, visible=True)

    def _learnt(self, record: records.Learnt) -> None:
        self._show(f"step {record.step}", record.done, 1.0, f"loss {record.loss:.4g}")
        if record.held_out is not None:
            parts = ", ".join(f"{name} {value:.4g}" for name, value in record.held_out.items())
            say(f"step {record.step}, {record.seconds:.0f} s, held out: {parts}")

    def _table(self, record: records.Measured) -> None:
        columns = dict.fromkeys(name for row in record.rows.values() for name in row)
        table = Table("", *columns)
        for name, row in record.rows.items():
            table.add_row(name, *(f"{row[c]:.4g}" if c in row else "" for c in columns))
        Console().print(table)
