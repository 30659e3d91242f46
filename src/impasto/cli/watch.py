"""What a terminal shows of a job, and Ctrl-C."""

from __future__ import annotations

from impasto.errors import Interrupted
from impasto.jobs.base import Job
from impasto.jobs.live import Live
from impasto.memory import keep_freed_memory
from impasto.progress import progress_bar


def watch(job: Job, *, quiet: bool) -> int:
    """Run a job and show it; returns the exit code."""
    keep_freed_memory(also_large=job.mode != "one pass")
    if isinstance(job, Live) and job.output is None:
        from impasto.cli.window import show_live

        return show_live(job, quiet)
    with progress_bar(quiet=quiet) as show:
        records = job.records(show)
        try:
            for record in records:
                show(record)
        except Interrupted:  # it came from the job, which has ended
            raise
        except KeyboardInterrupt as stop:  # while a record was shown: it is one in the job
            records.throw(stop)
    return 0
