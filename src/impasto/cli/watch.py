"""What a terminal shows of a job, and Ctrl-C."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from inspect import GEN_CLOSED, getgeneratorstate

from impasto.cli.signals import heeding_afterwards
from impasto.errors import InputError
from impasto.jobs.base import Job, PictureJob
from impasto.jobs.live import Live
from impasto.jobs.records import Note, Record
from impasto.jobs.video import Video
from impasto.memory import keep_freed_memory
from impasto.progress import progress_bar


@contextmanager
def without_libtiff(job: Job) -> Iterator[None]:
    """What libtiff itself writes to the terminal of a strange file is left out beside our one line."""
    if ".tif" not in json.dumps(job.as_json()).lower() or sys.stderr is not sys.__stderr__:
        yield
        return
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    with os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace") as ours:
        os.dup2(nothing, 2)
        sys.stderr = ours
        try:
            yield
        finally:
            sys.stderr = sys.__stderr__
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nothing)


def watch(job: Job, *, quiet: bool) -> int:
    """Run a job and show it; returns the exit code."""
    if isinstance(job, PictureJob) and job.output is None and not (isinstance(job, Video) and job.shots):
        raise InputError("output is missing: name the picture to write with -o")
    if job.mode == "one pass":
        # Threads that wait for work without spinning: half of the processor's time, or more where it is shared.
        os.environ.setdefault("GOMP_SPINCOUNT", "0")
    with heeding_afterwards():
        import torch  # noqa: F401  numpy, which it imports, raises an error of its own where its import is cut
    if "precision" in job.active():
        from impasto.jobs.running import allow_tf32

        allow_tf32(job)
    keep_freed_memory(also_large=job.mode != "one pass")
    if isinstance(job, Live) and job.output is None:
        from impasto.cli.window import show_live

        return show_live(job, quiet)
    code = 0
    with without_libtiff(job), progress_bar(quiet=quiet) as bar:

        def show(record: Record) -> None:
            nonlocal code
            code = 1 if isinstance(record, Note) and record.lost else code
            bar(record)

        records = job.records(show)
        go_on: Callable[[], Record] = records.__next__
        while True:
            try:
                show(go_on())
                go_on = records.__next__
            except StopIteration:
                return code
            except KeyboardInterrupt as stop:
                if getgeneratorstate(records) == GEN_CLOSED:  # it came from the job, which has ended
                    raise
                go_on = partial(records.throw, stop)  # while a record was shown: it is one in the job
