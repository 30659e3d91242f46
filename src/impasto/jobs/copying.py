"""How jobs run that copy pixels: `texture` and `stylize` by the methods of `impasto.methods.patches`."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import TypeVar

from impasto.jobs.base import PictureJob
from impasto.jobs.records import Progress, Record, Tell, Wrote
from impasto.jobs.report import manifest
from impasto.jobs.result import Result
from impasto.jobs.running import resolved, written
from impasto.media import write_image
from impasto.methods.patches.synthesis import Progress as Told
from impasto.methods.patches.synthesis import Synthesis

J = TypeVar("J", bound=PictureJob)


def copying_records(
    asked: J, tell: Tell, make: Callable[[Told], Synthesis], where: str | None = None
) -> Generator[Record, None, Result[J]]:
    """Make a picture of copied pixels.

    Args:
        asked: the job.
        tell: told how much is done.
        make: the picture; it is given what it tells its progress.
        where: file for the picture of where each pixel is from.
    """
    job, _ = resolved(asked.changed(device="cpu"))
    yield Progress("copying", 0, 0)
    began = time.perf_counter()
    made = make(lambda done, total: tell(Progress("copying", done, total)))
    result = Result(made.pixels, job, made.alpha, (), manifest(job))
    yield from written(result, time.perf_counter() - began)
    if where is not None:
        write_image(where, made.coherence())
        yield Wrote(where)
    return result
