"""One item of a batch, made in whatever process: networks are loaded once in each, and paintings not at all."""

from __future__ import annotations

import faulthandler
import json
import os
import shutil
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

from torch import Tensor

from impasto.errors import InputError
from impasto.files import write_text
from impasto.jobs.base import Job
from impasto.jobs.paint import Brush, paint_records
from impasto.jobs.pool import Outcome, called
from impasto.jobs.records import Note, Record, Tell
from impasto.jobs.result import Result
from impasto.jobs.running import allow_tf32, computing, resolved
from impasto.jobs.stylize import ONE_PASS, Stylize
from impasto.jobs.worklist import makes_pictures, proof, proof_of
from impasto.media import Picture, read_image, write_image
from impasto.memory import allowance, keep_freed_memory, limit_to

T = TypeVar("T")

#: Bytes that must be free on a disk before anything is painted for it.
LEAST_FREE = 16 * 2**20
#: Networks, with their styles, that a process keeps.
BRUSHES = 4


@dataclass(frozen=True)
class Task:
    """What a process is to make.

    Attributes:
        job: without where it goes.
        target: the file to write.
        identity: of the job, for its manifest.
        manner: what jobs of one network and the same styles have in common; "" for a job of its own.
        looks: of the paintings, each `(1, P)`; empty if they are not measured beforehand.
        share: how many processes share a machine's memory.
        memory: bytes that it may take; its share of what is free if None.
        limit: seconds after which the process is ended.
        folder: to which relative paths belong.
        painted: the photograph and its picture, if it was painted with others.
    """

    job: Job
    target: str
    identity: str
    manner: str = ""
    looks: tuple[Tensor, ...] = ()
    share: int = 1
    memory: float | None = None
    limit: float | None = None
    folder: str = ""
    painted: tuple[Picture, Tensor] | None = None


@dataclass(frozen=True)
class Made:
    """What a process tells of an item.

    Attributes:
        width, height: of the picture; 0 if it is none.
        seconds: that it took.
        cpu: seconds of processors.
        notes: what a user should know.
    """

    width: int
    height: int
    seconds: float
    cpu: float
    notes: tuple[str, ...]


_prepared: list[bool] = []
#: By manner, each with the list of what it has to say.
_brushes: dict[str, tuple[Brush, list[Note]]] = {}


def brush_of(task: Task) -> tuple[Brush, list[Note]]:
    """What paints in one pass, kept for the next task."""
    if task.manner not in _brushes:
        while len(_brushes) >= BRUSHES:
            del _brushes[next(iter(_brushes))]
        assert isinstance(task.job, Stylize)
        notes = list[Note]()
        _brushes[task.manner] = Brush(resolved(task.job)[0], notes, task.looks), notes
    return _brushes[task.manner]


def made(task: Task) -> Made:
    """Make an item, and write it with what proves it.

    Raises:
        InputError: if something cannot be used or written.
    """
    began, cpu = time.perf_counter(), time.process_time()
    notes = list[Note]()

    def tell(record: Record) -> None:
        if isinstance(record, Note):
            notes.append(record)

    check_space(task.target)
    with ended_after(task.limit):
        size = _picture(task, tell) if makes_pictures(type(task.job)) else _file(task, tell)
    took = time.perf_counter() - began, time.process_time() - cpu
    return Made(*size, *took, tuple(dict.fromkeys(note.text for note in notes)))


def _picture(task: Task, tell: Tell) -> tuple[int, int]:
    job, notes = task.job, list[Note]()
    with computing(job):
        if task.manner and isinstance(job, Stylize) and job.mode == ONE_PASS:
            brush, notes = brush_of(task)
            records = paint_records(job, tell, brush, task.painted)
        else:
            records = job.records(tell)
        result: Result[Any] = _last(records, tell)
        while notes:
            tell(notes.pop(0))
        about = json.dumps({**result.about, "key": task.identity})
        write_image(task.target, result.pixels, alpha=result.alpha, metadata={"impasto": about})
    return int(result.pixels.shape[-1]), int(result.pixels.shape[-2])


def _file(task: Task, tell: Tell) -> tuple[int, int]:
    """What writes its own file goes on where it was interrupted, if it can."""
    Path(task.target).parent.mkdir(parents=True, exist_ok=True)
    _last(task.job.changed(output=task.target, force=True).records(tell), tell)
    if os.path.isfile(task.target):
        write_text(proof_of(task.target), proof(task.target, task.identity))
    return 0, 0


def _last(records: Generator[Record, None, T], tell: Tell) -> T:
    while True:
        try:
            tell(next(records))
        except StopIteration as end:
            return cast(T, end.value)


def check_space(target: str) -> None:
    """Raise InputError if the disk is full: what is painted could not be written."""
    folder = next((parent for parent in Path(target).parents if parent.exists()), Path())
    if (free := shutil.disk_usage(folder).free) < LEAST_FREE:
        raise InputError(f"the disk of {folder} is full: {free // 2**20} MB are free; make room, and start again")


@contextmanager
def ended_after(limit: float | None) -> Iterator[None]:
    """The process ends if the block takes longer, whatever it is doing."""
    if limit is None:
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    faulthandler.dump_traceback_later(limit, exit=True, file=nowhere)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        os.close(nowhere)


def together(tasks: Sequence[Task]) -> list[Task]:
    """The tasks, of one manner, each with its picture where several are painted at once."""
    found, photos = list(tasks), dict[int, Picture]()
    for number, task in enumerate(tasks):
        with suppress(InputError):  # told when it is made
            photos[number] = read_image(cast(Stylize, task.job).content)
    if not photos:
        return found
    limit = tasks[0].limit
    with computing(tasks[0].job), ended_after(limit and limit * len(tasks)):
        painted = brush_of(tasks[0])[0].together(list(photos.values()))
    for (number, photo), pixels in zip(photos.items(), painted, strict=True):
        if pixels is not None:
            found[number] = replace(tasks[number], painted=(photo, pixels))
    return found


def all_made(tasks: Sequence[Task]) -> list[Outcome]:
    """What becomes of items, each by itself."""
    return [called(made, task) for task in (together(tasks) if len(tasks) > 1 else tasks)]


def all_made_apart(tasks: Sequence[Task]) -> list[Outcome]:
    """`all_made` in a process of our own, which is set up as the command line's."""
    task = tasks[0]
    if not _prepared:
        with suppress(OSError):  # another machine, where all paths are whole
            os.chdir(task.folder)
        keep_freed_memory(also_large=task.job.mode != ONE_PASS)
        limit = task.memory or allowance()
        if limit is not None:
            limit_to(limit if task.memory else limit / task.share)
        _prepared.append(True)
    allow_tf32(task.job)
    return all_made(tasks)
