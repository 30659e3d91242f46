"""How jobs run: checked before the work, watched, written at the end, saved when interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import torch
from torch import Tensor

from impasto.devices import resolve_device
from impasto.errors import InputError, Interrupted, NonFiniteError
from impasto.features import Encoder, is_imported, load_encoder, resolve, resolve_precision, stands_in
from impasto.files import check_apart, check_target, write_text
from impasto.jobs.base import Job, OptimizingJob, PictureJob
from impasto.jobs.records import Note, Progress, Record, Wrote
from impasto.jobs.report import load_state, manifest, save_state
from impasto.jobs.result import Result
from impasto.media import check_output, gallery, sheet, write_image
from impasto.memory import allowance
from impasto.optimize import State, Step
from impasto.options import AUTO, known
from impasto.pictures.resample import lanczos

T = TypeVar("T")
R = TypeVar("R")
J = TypeVar("J", bound=PictureJob)
Run = TypeVar("Run", bound=OptimizingJob)
#: Options that name a file to write -> the suffixes that it may have; none: those of pictures.
WRITTEN: Mapping[str, tuple[str, ...]] = {
    "output": (),
    "report": (".json", ".csv"),
    "plot": (".png", ".svg", ".pdf"),
    "coherence": (),
}


def check_outputs(job: PictureJob) -> None:
    """Raise InputError if what the job will write cannot be written, or is what it reads."""
    files = {role: path for role in WRITTEN if (path := job.as_dict().get(role)) is not None}
    for role, path in files.items():
        if Path(path).resolve() in _pictures_read(job):
            raise InputError(f"the {role} {path!r} is a picture that is read: give another name")
    check_apart(**files)
    for role, path in files.items():
        if WRITTEN[role]:
            check_target(path, force=job.force, suffixes=WRITTEN[role])
        else:
            check_output(path, force=job.force)


def _pictures_read(job: Job) -> set[Path]:
    """The files of the job's photographs, paintings, masks and maps."""
    values = [getattr(job, name) for name, about in job.active().items() if about.kind.read == "picture"]
    return {Path(item).resolve() for item in _flat(values) if isinstance(item, str)}


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from _flat(item)
    else:
        yield value


@contextmanager
def computing(job: Job) -> Iterator[None]:
    """With the job's number of threads, and outside of inference mode."""
    before, threads = torch.get_num_threads(), job.as_dict().get("threads", AUTO)
    if threads not in (AUTO, before):
        torch.set_num_threads(threads)
    try:
        with torch.inference_mode(False):
            yield
    finally:
        if threads not in (AUTO, before):
            torch.set_num_threads(before)


def within(
    context: Callable[[], AbstractContextManager[None]], records: Generator[T, None, R]
) -> Generator[T, None, R]:
    """The same records; each is made within a context, which is left while the caller has the word."""
    go_on: Callable[[], T] = records.__next__
    while True:
        with context():
            try:
                record = go_on()
            except StopIteration as end:
                return cast(R, end.value)
        try:
            yield record
            go_on = records.__next__
        except GeneratorExit:
            with context():
                records.close()
            raise
        except BaseException as error:
            go_on = partial(records.throw, error)


def allow_tf32(job: Job) -> None:
    """GPUs may round float32 to TensorFloat-32 in convolutions, as torch lets them, unless the precision is `fp32`: a
    switch of the whole process, so a process of our own sets it and the library does not. Statistics stay in float32.
    """
    if "precision" in job.active():
        torch.backends.cudnn.allow_tf32 = job.as_dict()["precision"] != "fp32"


def memory_limit(job: PictureJob) -> float | None:
    """Bytes that the job may take."""
    return allowance(job.device) if job.max_memory == AUTO else known(job.max_memory)


def resolved(asked: J) -> tuple[J, list[Note]]:
    """The job with device, threads, precision and the encoder's name instead of `auto`, after a look at where its
    results go; and what is to be said about it."""
    check_outputs(asked)
    options, notes = asked.as_dict(), list[Note]()
    changes: dict[str, Any] = {"device": resolve_device(asked.device)}
    if asked.threads == AUTO:
        changes["threads"] = torch.get_num_threads()
    if "precision" in asked.active():
        imported = is_imported(options.get("encoder")) and options["precision"] == AUTO
        changes["precision"] = "fp32" if imported else resolve_precision(options["precision"], changes["device"])
    if isinstance(options.get("encoder"), str) and "encoder" in asked.active():
        changes["encoder"] = resolve(options["encoder"], options["weights"])
        if text := stands_in(options["encoder"], changes["encoder"]):
            notes.append(Note(text))
        if is_imported(changes["encoder"]) and options["weights"] is None:
            notes.append(Note(f"{changes['encoder']} has the weights that it comes with, as none are given"))
    return asked.changed(**changes), notes


def open_encoder(job: OptimizingJob, encoder: str | Encoder | None = None, **options: Any) -> Encoder:
    """The job's encoder, or another one with its settings; `options` as for `load_encoder`."""
    chosen = job.as_dict()
    network = chosen["encoder"] if encoder is None else encoder
    if not isinstance(network, str):
        return cast(Encoder, network)
    weights = job.weights if encoder is None else None
    options = {"precision": chosen.get("precision", "fp32"), "pooling": chosen["pooling"]} | options
    return load_encoder(network, weights=weights, device=job.device, **options)


def open_named(job: Any, *, classifier: bool = False) -> Encoder:
    """The encoder of a job that only looks."""
    if not isinstance(job.encoder, str):
        return cast(Encoder, job.encoder)
    return load_encoder(job.encoder, weights=job.weights, classifier=classifier, device=job.device)


def fitted(alpha: Tensor | None, pixels: Tensor) -> Tensor | None:
    """A photograph's opacity, `(1, 1, h, w)`, at the size of the result."""
    return None if alpha is None else lanczos(alpha.cpu(), (int(pixels.shape[-2]), int(pixels.shape[-1])))


def state_of(job: OptimizingJob) -> State | None:
    """The state to go on from, if the job names one; the job is resolved."""
    return None if job.resume is None else load_state(job.resume, job, job.device)


def state_path(output: str) -> Path:
    """Of the state of an unfinished picture."""
    return Path(output).with_name(Path(output).name + ".state.safetensors")


class _Course(Generic[Run]):
    """An optimization on its way: its losses so far, and the files that it leaves when it does not come to its end.

    Args:
        job, asked, alpha, picture, more: see `optimized`.
    """

    def __init__(
        self,
        job: Run,
        asked: Run | None,
        alpha: Tensor | None,
        picture: Callable[[Step], Tensor],
        more: Mapping[str, Any] | None,
    ) -> None:
        self.job, self.asked, self.alpha, self.picture = job, asked, alpha, picture
        self.about = manifest(job) | dict(more or {})
        self.curve: list[dict[str, Any]] = []
        self.last: Step | None = None

    def add(self, step: Step) -> None:
        self.last = step
        self.curve.append(entry_of(step))

    def result(self, step: Step) -> Result[Run]:
        pixels = self.picture(step)
        return Result(pixels, self.job, fitted(self.alpha, pixels), self.curve, self.about)

    def save_now_and_then(self, step: Step) -> None:
        """Write picture and state every so many steps, if the job wants it and can go on from them."""
        job = self.job
        if self.asked is None or not job.save_every or job.output is None or step.step % job.save_every:
            return
        output, found = Path(job.output), self.result(step)
        snapshot = output.with_name(f"{output.stem}-{step.scale}-{step.step:04d}{output.suffix}")
        write_image(snapshot, found.pixels, alpha=found.alpha, metadata=found.metadata())
        save_state(state_path(job.output), step.state(), self.asked, self.about)

    def leave(self) -> str | None:
        """Write picture, state and report as they are, where the job names an output and a step was made.

        Returns:
            Words for where they are and how to go on; None if nothing was written.
        """
        if self.job.output is None or self.last is None:
            return None
        write(self.result(self.last), self.last.seconds)
        if self.asked is None:
            return f"{self.job.output} as it is"
        save_state(state_path(self.job.output), self.last.state(), self.asked, self.about)
        return f"{self.job.output} as it is; go on with --resume {state_path(self.job.output)}"


def optimized(
    job: Run,
    asked: Run | None,
    steps: Iterator[Step],
    *,
    alpha: Tensor | None = None,
    picture: Callable[[Step], Tensor] = lambda step: step.image().cpu(),
    more: Mapping[str, Any] | None = None,
) -> Generator[Record, None, Result[Run]]:
    """Run an optimization to the end, to the files that the job names.

    Args:
        job: resolved, as manifests tell it.
        asked: as it was given, for the state; None for a run that cannot go on from one.
        steps: of the method.
        alpha: of the photograph, kept in the result.
        picture: what is shown of a step.
        more: of the manifest.

    Raises:
        Interrupted: after Ctrl-C; picture and state are written where the job names an output.
        NonFiniteError: the last good picture is written.
    """
    course = _Course(job, asked, alpha, picture, more)
    yield Progress("painting", 0, 0)  # from here on it is painted, and can be stopped
    try:
        for step in steps:
            course.add(step)
            yield step
            course.save_now_and_then(step)
    except KeyboardInterrupt:
        if job.output is None:
            raise
        left = course.leave()
        said = " before the first step: nothing was written" if left is None else f": wrote {left}"
        raise Interrupted(f"interrupted{said}") from None
    except GeneratorExit:
        course.leave()
        raise
    except NonFiniteError as error:
        if course.leave() is not None:
            error.args = (f"{error}; the last good picture is in {job.output}",)
        raise
    if course.last is None:
        raise InputError("no step was made: ask for at least one")
    finished = course.result(course.last)
    yield from written(finished, course.last.seconds)
    if job.output is not None and job.resume is not None:
        mine = state_path(job.output)
        if Path(job.resume).resolve() == mine.resolve() and not job.save_every:
            mine.unlink(missing_ok=True)  # of a run that is finished now
    return finished


def entry_of(step: Step) -> dict[str, Any]:
    """A step as the curve of losses keeps it."""
    return {
        "scale": step.scale,
        "step": step.step,
        "seconds": round(step.seconds, 3),
        "loss": step.loss,
        "losses": dict(step.losses),
    }


def write(result: Result[J], seconds: float) -> None:
    """What the job names: picture, report, plot."""
    job = result.job
    if job.output is not None:
        write_image(job.output, result.pixels, alpha=result.alpha, metadata=result.metadata())
    if job.report is not None and job.report.lower().endswith(".csv"):
        write_text(job.report, result.csv())
    elif job.report is not None:
        whole = {**result.about, "seconds": round(seconds, 3), "loss_curve": list(result.curve)}
        write_text(job.report, json.dumps(whole, indent=1))
    if isinstance(job, OptimizingJob) and job.plot is not None:
        result.plot(job.plot)


def written(result: Result[J], seconds: float, text: str = "") -> Generator[Record, None, None]:
    """Write what the job names, and tell."""
    write(result, seconds)
    if result.job.output is not None:
        yield Wrote(result.job.output, text)


def in_turn(
    job: J,
    cells: Mapping[str, Tensor | Iterator[Step] | Callable[[], Tensor]],
    *,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
) -> Generator[Record, None, Result[J]]:
    """Several optimizations, one after the other, into one labeled sheet.

    Args:
        job: resolved.
        cells: label -> a picture, or the steps or the function that make one; the last one's size is that of all.
        rows, columns: labels of a table, row by row; without them a gallery.
    """
    pictures: list[Tensor] = []
    curve: list[dict[str, Any]] = []
    for number, (label, cell) in enumerate(cells.items()):
        if isinstance(cell, Tensor):
            pictures.append(cell.cpu())
            continue
        if callable(cell):
            yield Progress(label, number, len(cells))
            pictures.append(cell())
            continue
        last: Step | None = None
        for last in cell:
            curve.append(entry_of(last) | {"cell": label})
            part = (last.scale - 1 + last.step / last.steps) / last.scales
            yield Progress(label, number + part, len(cells), f"loss {last.loss:.4g}")
        if last is None:
            raise InputError("no step was made: ask for at least one")
        pictures.append(last.image().cpu())
    size = (int(pictures[-1].shape[-2]), int(pictures[-1].shape[-1]))
    pictures = [p if p.shape[-2:] == size else lanczos(p, size) for p in pictures]
    width = max(1, len(columns))
    table = [pictures[i : i + width] for i in range(0, len(pictures), width)]
    page = sheet(table, rows, columns) if columns else gallery(pictures, list(cells))
    result = Result(page, job, None, curve, manifest(job))
    yield from written(result, sum(e["seconds"] for e in curve if e["step"] == 1))
    return result
