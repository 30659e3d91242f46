"""The functions that most people need: each makes a job and runs it."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from torch import Tensor

from impasto.errors import unknown
from impasto.jobs.base import Job, OptimizingJob, PictureJob, encoders_in, job_of, locate_in
from impasto.jobs.batch import Batch
from impasto.jobs.dream import Dream
from impasto.jobs.invert import Invert, Reconstruct
from impasto.jobs.look import GRADIENTS, Excite
from impasto.jobs.many import Summary
from impasto.jobs.records import Note, Painted, Progress, Record, Tell
from impasto.jobs.report import manifest_of, resumed_job
from impasto.jobs.result import Result
from impasto.jobs.stylize import Doodle, Stylize
from impasto.jobs.texture import Texture
from impasto.jobs.video import Video
from impasto.media.image import Source
from impasto.optimize import Step
from impasto.options import options_of

P = ParamSpec("P")
J = TypeVar("J", bound=PictureJob)


def _log(record: Record) -> None:
    """Notes, where nobody watches."""
    if isinstance(record, Note):
        logging.getLogger("impasto").warning(record.text)


def run(job: Job, watch: Tell | None = None) -> Any:
    """Run a job to its end.

        impasto.run(impasto.Stylize("photo.jpg", "painting.jpg", output="out.png"), print)

    Args:
        job: any.
        watch: called with a record of whatever happens: `Step`, `Progress`, `Note`, `Wrote`, …. An exception that it
            raises stops the job, as Ctrl-C does.

    Returns:
        A `Result` of a job that makes a picture.

    Raises:
        InputError: if something cannot be used; the message says why in one line.
        NonFiniteError: if a loss stops being finite.
    """
    tell: Tell = watch or _log
    records = job.records(tell)
    while True:
        try:
            tell(next(records))
        except StopIteration as end:
            return end.value


def _function(job: Callable[P, J], name: str, **fixed: Any) -> Callable[P, Result[J]]:
    """A function with a job's options for arguments, and `watch` (see `run`)."""

    def function(*args: P.args, **options: P.kwargs) -> Result[J]:
        watch = cast(Any, options.pop("watch", None))
        if "preset" in options:  # the older name
            options["quality"] = {"default": "best"}.get(str(options["preset"]), options.pop("preset"))
        return cast(Result[J], run(job(*args, **fixed | options), watch))

    return cast(Callable[P, Result[J]], _described(function, job, name))


def _described(function: Any, job: Any, name: str) -> Any:
    """With the name, signature and documentation that the job gives it."""
    function.__name__ = function.__qualname__ = name
    function.__signature__ = inspect.signature(job)
    options = "\n".join(f"    {n}: {o.help}" for n, o in options_of(job).items())
    function.__doc__ = f"{job.__doc__}\n\nArgs:\n{options}\n\nReturns:\n    A `Result`."
    return function


stylize = _function(Stylize, "stylize")
instant = _function(Stylize, "instant", quality="instant")
doodle = _function(Doodle, "doodle")
texture = _function(Texture, "texture")
invert = _function(Invert, "invert")
reconstruct = _function(Reconstruct, "reconstruct")
dream = _function(Dream, "dream")


def batch(content: str | os.PathLike[str], *style: Source, watch: Tell | None = None, **options: Any) -> Summary:
    """All photographs of a folder, painted, or a list of jobs run; what is proved to be there is left alone.

        impasto.batch("photos/", "painting.jpg", output="out/", quality="instant").failed

    Args:
        content: the folder, or the list, `.jsonl`.
        style: paintings; see `impasto.Batch`.
        watch: see `run`.
        options: of `impasto.Batch`.

    Returns:
        Counts, seconds and pixels; what became of each picture is in the report.
    """
    return cast(Summary, run(Batch(cast(str, content), cast(Any, style), **options), watch))


def excite(*units: str | int, watch: Tell | None = None, **options: Any) -> Result[Excite]:
    """Pictures that excite units, one each, `(N, 3, H, W)`: gradient ascent.

        impasto.excite("relu4_1:17", "relu4_1:18").pixels

    Args:
        units: `LAYER:CHANNEL`, `LAYER:CHANNEL:Y,X`, or the number of an ImageNet class; all of one layer. One given
            several times has several answers.
        watch: see `run`.
        options: of `impasto.Excite`.
    """
    return cast(Result[Excite], run(Excite(cast(Any, units), **options), watch))


def _stepwise(job: Callable[P, OptimizingJob], name: str) -> Callable[P, Generator[Step, None, None]]:
    def steps(*args: P.args, **options: P.kwargs) -> Generator[Step, None, None]:
        records = job(*args, **options).records()
        for record in records:  # what cannot be used is told now, and not at the first step
            if isinstance(record, Progress):
                break
        return (record for record in records if isinstance(record, Step))

    return cast(Callable[P, Generator[Step, None, None]], _described(steps, job, name))


#: As `stylize`, but a generator of `Step` records: to watch, to show, or to stop by `close()`.
stylize_steps = _stepwise(Stylize, "stylize_steps")


def _framewise(job: Callable[P, Video], name: str) -> Callable[P, Generator[Painted, None, None]]:
    def frames(*args: P.args, **options: P.kwargs) -> Generator[Painted, None, None]:
        return (record for record in job(*args, **options).records() if isinstance(record, Painted))

    return cast(Callable[P, Generator[Painted, None, None]], _described(frames, job, name))


#: A video, painted so that it holds still: a generator of its frames, `Painted`, which are written to `output`, too, if
#: there is one.
video = _framewise(Video, "video")


def saliency(image: Source, unit: str | int, kind: str = "saliency", **options: Any) -> Tensor:
    """A picture `(1, 3, H, W)` of what in `image` a unit answers to.

    Args:
        image: as for `stylize`.
        unit: `LAYER:CHANNEL`, `LAYER:CHANNEL:Y,X`, or the number of an ImageNet class.
        kind: `saliency`, `smoothgrad`, `deconv` or `guided`.
        options: of `impasto visualize`.
    """
    if kind not in GRADIENTS:
        raise unknown("kind", kind, GRADIENTS)
    return cast(Result[Any], run(GRADIENTS[kind](image, unit, **options))).pixels


def resume(state: str | os.PathLike[str], watch: Tell | None = None, **changes: Any) -> Result[Any]:
    """Go on with an interrupted run, whose options are in its state.

    Args:
        state: the file.
        watch: see `run`.
        changes: options that are given anew, such as more `steps` or another `output`.
    """
    return cast(Result[Any], run(resumed_job(os.fspath(state), changes), watch))


def again(
    picture: str | os.PathLike[str],
    *,
    folders: Sequence[str | os.PathLike[str]] = (),
    watch: Tell | None = None,
    **changes: Any,
) -> Result[Any]:
    """Make a picture again from its own manifest.

    Args:
        picture: that impasto made, or its report.
        folders: where its inputs are looked for, by name and hash, after here and the picture's folder.
        watch: see `run`.
        changes: options that are given anew.
    """
    return cast(Result[Any], run(job_again(picture, folders, changes), watch))


def job_again(
    picture: str | os.PathLike[str],
    folders: Sequence[str | os.PathLike[str]] = (),
    changes: Mapping[str, Any] = {},
    trusted: Sequence[str] = (),
) -> Job:
    """The job of a picture's manifest; arguments as for `again`, and the encoders whose code may be run."""
    path = Path(picture)
    places = [Path(), path.parent, *(Path(f) for f in folders)]
    about = manifest_of(path)["job"]
    return job_of(about, locate_in(places), trusted=[*trusted, *encoders_in(changes)]).changed(**changes)


__all__ = ["Record", "again", "run"]
