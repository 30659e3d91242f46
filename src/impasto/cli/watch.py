"""What a terminal shows of a job: progress, notes, what was written."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from impasto.errors import Interrupted
from impasto.jobs import records
from impasto.jobs.base import Job
from impasto.jobs.live import Live
from impasto.memory import keep_freed_memory

console = Console(stderr=True)


def say(text: str) -> None:
    """A line, whatever brackets are in it."""
    console.print(text, soft_wrap=True, markup=False, highlight=False)


class Watcher:
    """Shows records.

    Args:
        bar: of progress.
        quiet: show nothing.
    """

    def __init__(self, bar: Progress, quiet: bool) -> None:
        self.bar, self.quiet = bar, quiet
        self.task = bar.add_task("", total=None, visible=False, text="")

    def __call__(self, record: records.Record) -> None:
        if self.quiet:
            return
        if isinstance(record, records.Note):
            say(f"note: {record.text}")
        elif isinstance(record, records.Wrote):
            say(f"wrote {record.path}{', ' if record.text else ''}{record.text}")
        elif isinstance(record, records.Measured):
            self._table(record)
        elif isinstance(record, records.Progress):
            total = record.total or None
            self._show(record.what, record.done, total, record.text)
        elif isinstance(record, records.Learnt):
            self._learnt(record)
        elif isinstance(record, records.Painted):
            self._show("painting", self.bar.tasks[0].completed + 1, None, f"{1000 * record.took:.0f} ms a frame")
        else:
            height, width = record.size
            scale = f" scale {record.scale}/{record.scales}" if record.scales > 1 else ""
            done = record.steps * (record.scale - 1) + record.step
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


def watch(job: Job, *, quiet: bool) -> int:
    """Run a job and show it; returns the exit code."""
    keep_freed_memory(also_large=job.mode != "one pass")
    if isinstance(job, Live) and job.output is None:
        from impasto.cli.window import show_live

        return show_live(job, quiet)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[text]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as bar:
        show = Watcher(bar, quiet)
        drain(job.records(show), show)
    return 0


def drain(found: Generator[records.Record, None, Any], show: Watcher) -> None:
    """Show all records; Ctrl-C while one is shown is Ctrl-C in the job."""
    try:
        for record in found:
            show(record)
    except KeyboardInterrupt as stop:
        if isinstance(stop, Interrupted):  # it came from the job, which has ended
            raise
        found.throw(stop)
