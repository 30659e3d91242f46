"""How a batch runs: what is made already is left alone, the rest goes to workers, and one that dies costs one picture's
time. Every item has a line in the report."""

from __future__ import annotations

import json
import math
import os
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from impasto.devices import GPU_BATCH, cores, resolve_device
from impasto.errors import InputError, Interrupted
from impasto.files import check_target, remove_unfinished
from impasto.jobs.base import Job
from impasto.jobs.batch import Batch
from impasto.jobs.paint import Brush
from impasto.jobs.pool import Executor, Here, Outcome, Processes
from impasto.jobs.records import Note, Progress, Record, Tell
from impasto.jobs.report import identity
from impasto.jobs.running import computing, resolved
from impasto.jobs.stylize import ONE_PASS, Stylize
from impasto.jobs.work import Made, Task, all_made, all_made_apart
from impasto.jobs.worklist import Item, Manner, items_of, state_of
from impasto.memory import allowance
from impasto.options import AUTO, known

#: Failures and notes that are shown; the others are in the report alone.
SHOWN = 20
#: Bytes that a worker takes before it paints anything larger; decides how many there are if nobody says so.
WORKER = 1.5e9
PAINTED, SKIPPED, FAILED = "painted", "skipped", "failed"


@dataclass
class Summary:
    """What became of a batch.

    Attributes:
        total: items of the batch, or of its shard.
        painted, skipped, failed: how many; skipped ones were made before.
        anew: how many of the painted replaced what another job had made, or a damaged file.
        died: how often a process ended.
        seconds: that it took.
        pixels: of all pictures.
        cpu: seconds of processors.
        report: the file with a line for each item.
    """

    total: int
    report: str
    painted: int = 0
    skipped: int = 0
    failed: int = 0
    anew: int = 0
    died: int = 0
    seconds: float = 0.0
    pixels: int = 0
    cpu: float = 0.0

    def __str__(self) -> str:
        parts = [f"painted {self.painted} of {self.total}"]
        parts += [f"{self.skipped} were there already"] if self.skipped else []
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [f"{self.anew} made by another job were painted anew"] if self.anew else []
        parts += [f"{self.died} times a worker died"] if self.died else []
        if self.painted:
            rate, area = self.painted / self.seconds, self.pixels / 1e6 / self.seconds
            speed = f"{rate:.3g} pictures/s, {area:.3g} Mpx/s, {self.cpu / self.painted:.3g} CPU seconds a picture"
            parts.append(f"{self.seconds:.1f} s: {speed}")
        return f"{'; '.join(parts)}; {self.report}"


@dataclass
class Flight:
    """An item that is to be made.

    Attributes:
        item: what.
        began: when, by the clock of `time.perf_counter`.
        deaths: how often its worker died.
        replaces: whether there is a file already.
        alone: whether it must be painted by itself.
    """

    item: Item
    began: float = 0.0
    deaths: int = 0
    replaces: bool = False
    alone: bool = False


@dataclass(frozen=True)
class Plan:
    """What each worker may take.

    Attributes:
        threads: of each.
        share: how many of them share a machine's memory.
        memory: bytes for each; its share of what is free there if None.
        batch: pictures that are painted at once.
    """

    threads: int
    share: int
    memory: float | None = None
    batch: int = 1


class Report:
    """The lines of the report: each is written as soon as something is known.

    Args:
        path: of the file, which is begun anew.
    """

    def __init__(self, path: str) -> None:
        self.path, self.error = path, ""
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "w", buffering=1)  # noqa: SIM115
        except OSError as error:
            raise InputError(f"cannot write {path!r}: {error.strerror}; choose another folder") from error

    def write(self, item: Item, state: str, **about: Any) -> None:
        """A full disk is no reason to stop."""
        line = {"picture": item.name, "output": item.target, "state": state, **about}
        try:
            self._file.write(json.dumps({n: v for n, v in line.items() if v not in ("", ())}) + "\n")
        except OSError as error:
            self.error = error.strerror or str(error)

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            self.error = error.strerror or str(error)


def report_path(job: Batch) -> str:
    """Where the report goes; each shard has its own."""
    shard = "" if job.shard is None else f"-{job.shard[0]}-of-{job.shard[1]}"
    return job.report or os.path.join(job.output, f"report{shard}.jsonl")


def batch_records(job: Batch, tell: Tell) -> Generator[Record, None, Summary]:
    """Run a batch."""
    if job.report is not None:
        check_target(job.report, force=True, suffixes=(".jsonl",))
    yield Progress("listing", 0, 0)
    items = items_of(job)
    run = Run(job, items, Report(report_path(job)))
    try:
        yield from run.records()
    finally:
        run.close()
    return run.summary


@dataclass
class Run:
    """A batch that runs.

    Attributes:
        job: the batch.
        items: of it.
        report: of them.
    """

    job: Batch
    items: Sequence[Item]
    report: Report

    def __post_init__(self) -> None:
        self.summary, self.began = Summary(len(self.items), self.report.path), time.perf_counter()
        self.crew: Executor | None = None
        self.flying: dict[int, list[Flight]] = {}
        self.again: deque[Flight] = deque()
        self.said: deque[Record] = deque()
        self.shown: set[str] = set()
        self.looks: dict[str, tuple[Tensor, ...]] = {}
        self.stopping, self.submitted, self.plan = False, 0, Plan(1, 1)

    def close(self) -> None:
        """End all workers, and the report."""
        if self.crew is not None:
            self.crew.close()
        self.report.close()

    def records(self) -> Generator[Record, None, None]:
        """Until nothing is left. After Ctrl-C what is being painted is finished; after another one it is not."""
        left = self.to_make()
        while True:
            try:
                more = self.turn(left)
                while self.said:
                    yield self.said.popleft()
                yield self.progress()
                if not more:
                    break
            except KeyboardInterrupt:
                if self.stopping or not self.flying or isinstance(self.crew, Here):
                    raise self.interrupted() from None
                self.stopping = True
                count = sum(map(len, self.flying.values()))
                self.said.append(Note(f"finishing {count} in flight; Ctrl-C again gives them up"))
        self.summary.seconds = time.perf_counter() - self.began
        if self.stopping:
            raise self.interrupted()
        if self.report.error:
            yield Note(f"the report {self.report.path} is not whole: {self.report.error}", lost=True)
        yield Note(str(self.summary), lost=self.summary.failed > 0)

    def progress(self) -> Progress:
        found = self.summary
        rate = found.painted / (time.perf_counter() - self.began)
        done = found.painted + found.skipped + found.failed
        return Progress("painting", done, found.total, f"{rate:.3g} a second")

    def interrupted(self) -> Interrupted:
        self.summary.seconds = time.perf_counter() - self.began
        return Interrupted(f"interrupted: {self.summary}; the same command goes on")

    def turn(self, left: Iterator[Flight | None]) -> bool:
        """Wait for one of the workers, and give them what they can take; False if nothing is left."""
        patience = self.fill(left)
        if self.crew is None or not self.flying:
            return not patience
        ended = self.crew.wait(patience)
        if ended is not None:
            self.ended(self.flying.pop(ended[0]), ended[1])
            self.fill(left)
        return True

    def fill(self, left: Iterator[Flight | None]) -> float:
        """Submit what the workers can take; returns seconds to wait for one of them."""
        group: list[Flight] = []
        patience = 0.5
        while not self.stopping and (self.crew is None or len(self.flying) < self.crew.width):
            try:
                flight = self.again.popleft() if self.again else next(left)
            except StopIteration:
                break
            if flight is None:  # nothing to paint for a while
                patience = 0.0
                break
            if self.crew is None:
                self.crew, self.plan = opened(self.job, len(self.items))
            alone = flight.alone or flight.item.manner is None or self.plan.batch == 1
            if group and (alone or flight.item.manner is not group[0].item.manner):
                self.submit(group)
                group = []
            group.append(flight)
            if alone or len(group) == self.plan.batch:
                self.submit(group)
                group = []
        if group:
            self.submit(group)
        return patience

    def to_make(self) -> Iterator[Flight | None]:
        """What is not done, and None now and then."""
        looked = time.perf_counter()
        for item in self.items:
            flight = self.missing(item)
            if flight is not None:
                yield flight
            elif time.perf_counter() > looked + 0.2:
                looked = time.perf_counter()
                yield None

    def missing(self, item: Item) -> Flight | None:
        """An item that must be made; None if it need not or cannot be."""
        flight = Flight(item)
        try:
            state = "error" if item.error else state_of(item)
        except InputError as error:
            self.fail(flight, str(error))
            return None
        if state == "done" and not self.job.force:
            self.summary.skipped += 1
            self.report.write(item, SKIPPED)
        elif item.error:
            self.fail(flight, item.error)
        elif state == "foreign" and not self.job.force:
            self.fail(flight, f"{item.target} is there and is none of impasto's: add --force to replace it")
        else:
            flight.replaces = state != "missing"
            return flight
        return None

    # One item

    def submit(self, group: Sequence[Flight]) -> None:
        """Hand items to a worker, to be painted together."""
        assert self.crew is not None
        tasks, flying = list[Task](), list[Flight]()
        for flight in group:
            try:
                tasks.append(self.task(flight.item))
                flying.append(flight)
            except InputError as error:
                if flight.item.manner is not None and not flight.item.manner.name and not self.submitted:
                    raise  # no picture can be painted like this
                self.fail(flight, str(error))
        if not tasks:
            return
        self.submitted += 1
        self.flying[self.submitted] = flying
        for flight in flying:
            flight.began = time.perf_counter()
        self.crew.submit(self.submitted, all_made if isinstance(self.crew, Here) else all_made_apart, tasks)

    def task(self, item: Item) -> Task:
        """Raises:
        InputError: if the job cannot be made, or a painting cannot be read.
        """
        job = item.job()
        if job.as_dict().get("threads") == AUTO:
            job = job.changed(threads=self.plan.threads)
        manner = ""  # what one network paints, kept for the next picture
        if item.manner is not None:
            manner = item.manner.identity
        elif type(job) is Stylize and job.mode == ONE_PASS:
            manner = identity(job.changed(content=b""))
        return Task(
            job, item.target, item.identity(), manner,
            self.looks_of(item.manner, job), self.plan.share, self.plan.memory, self.job.limit_seconds, os.getcwd(),
        )  # fmt: skip

    def looks_of(self, manner: Manner | None, job: Job) -> tuple[Tensor, ...]:
        """Paintings are measured here, once, and looked at before the first picture.

        Raises:
            InputError: if one cannot be read.
        """
        if manner is None or not isinstance(job, Stylize):
            return ()
        if manner.name not in self.looks:
            notes = list[Note]()
            with computing(job):
                ready = resolved(job)[0]
                scene = Brush(ready, notes).scene if job.mode == ONE_PASS else ready.scene(notes)
                if job.style and job.mode != ONE_PASS:
                    scene.regions(None)
            self.looks[manner.name] = tuple(look.cpu() for look in scene.looks)
        return self.looks[manner.name]

    def ended(self, group: Sequence[Flight], outcome: Outcome) -> None:
        """What became of items that were handed to a worker together."""
        if outcome.died:
            self.summary.died += 1
            for flight in group:
                remove_unfinished(flight.item.target)
            if len(group) == 1:
                return self.died(group[0], outcome.error)
            for flight in group:  # each by itself, to find out which one it was
                flight.alone = True
            self.again.extend(group)
            return None
        each = [outcome] * len(group) if outcome.error else outcome.value
        for flight, one in zip(group, each, strict=True):
            if isinstance(one.value, Made):
                self.painted(flight, one.value)
            else:
                self.fail(flight, one.error)
        return None

    def died(self, flight: Flight, error: str) -> None:
        flight.deaths += 1
        limit = self.job.limit_seconds
        if limit is not None and time.perf_counter() - flight.began >= limit:
            self.fail(flight, f"it took longer than {limit:g} seconds")
        elif flight.deaths > self.job.retries:
            self.fail(flight, f"its worker died, {flight.deaths} times ({error})")
        else:
            self.again.append(flight)

    def painted(self, flight: Flight, made: Made) -> None:
        self.summary.painted += 1
        self.summary.anew += flight.replaces
        self.summary.pixels += made.width * made.height
        self.summary.cpu += made.cpu
        about = {"width": made.width, "height": made.height} if made.width else {}
        self.report.write(
            flight.item, PAINTED, seconds=round(made.seconds, 3), cpu_seconds=round(made.cpu, 3),
            retries=flight.deaths, notes=made.notes, **about,
        )  # fmt: skip
        for text in made.notes:
            self.say(text, text)

    def fail(self, flight: Flight, error: str) -> None:
        self.summary.failed += 1
        self.report.write(flight.item, FAILED, error=error, retries=flight.deaths)
        self.say(f"{flight.item.name} failed: {error}", error, lost=True)

    def say(self, text: str, about: str, *, lost: bool = False) -> None:
        """A note, unless there were many."""
        if about in self.shown or len(self.shown) > SHOWN:
            return
        self.shown.add(about)
        if len(self.shown) > SHOWN:
            text = f"there are more; {self.report.path} has all"
        self.said.append(Note(text, lost=lost))


def opened(job: Batch, count: int) -> tuple[Executor, Plan]:
    """The workers for so many items, and what each may take."""
    if job.ray is not None:
        from impasto.jobs.cluster import opened_cluster

        return opened_cluster(job, count)
    gpus = gpus_of(job)
    batch = batch_of(job, gpu=resolve_device(job.device) == "cuda" or bool(gpus))
    if job.workers == 0:
        return Here(), Plan(torch.get_num_threads(), 1, batch=batch)
    free, own = allowance() or math.inf, 1 if job.threads == AUTO else known(job.threads)
    usual = len(gpus) or max(1, min(cores() // own, int(free / WORKER)))
    workers = min(count, usual if job.workers == AUTO else known(job.workers))
    threads = min(torch.get_num_threads(), max(1, cores() // workers))
    memory = None if math.isinf(free) else free / workers

    def environment(number: int) -> dict[str, str]:
        found = {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": str(threads)}
        return found | ({"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {})

    return Processes(workers, environment, all_made.__module__), Plan(threads, workers, memory, batch)


def batch_of(job: Batch, *, gpu: bool) -> int:
    """Pictures that are painted at once."""
    if job.batch != AUTO:
        return known(job.batch)
    return GPU_BATCH if gpu else 1


def gpus_of(job: Batch) -> list[str]:
    """The GPUs that the job may use, as CUDA calls them; none if it computes elsewhere, or on a certain one."""
    if job.device not in (AUTO, "cuda") or resolve_device(job.device) != "cuda":
        return []
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return named.split(",") if named else [str(i) for i in range(torch.cuda.device_count())]
