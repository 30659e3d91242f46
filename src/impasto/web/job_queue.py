"""One painter and its queue: jobs are painted one after the other in a thread, watched, stopped, found again."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

from impasto.errors import ImpastoError, InputError, is_out_of_memory
from impasto.memory import give_back_memory
from impasto.web.forms import cleaned, job_from, pictures_of
from impasto.web.store import RESULT, THUMBNAIL_SIDE, FullError, MissingError, Store, jpeg

if TYPE_CHECKING:
    from pathlib import Path

    from impasto.jobs.base import Job
    from impasto.jobs.records import Record
    from impasto.optimize import Step
    from impasto.web.settings import Studio

Status = Literal["waiting", "painting", "done", "stopped", "failed"]
#: Seconds between previews at least, and their long side in pixels.
PREVIEW_EVERY, PREVIEW_SIDE = 0.5, 768
#: Seconds after the page was opened until torch is read, which slows its first answers.
READY_AFTER = 1.0
#: Servers that may be killed by a job.
MOST_TRIES = 2
#: Pictures that no job uses, at most.
MOST_UNUSED = 500
STATE = f"{RESULT}.state.safetensors"


@dataclass
class Ticket:
    """A job of the studio and what has become of it.

    Attributes:
        id: in the page's address.
        job: as the form gave it.
        title: for people.
        created: in seconds since 1970.
        status: of `Status`.
        seconds: that painting took.
        error: the one line of a job that failed.
        notes: lines that a user should know.
        curve: the loss of each step.
        size: of the result, width and height.
        progress: what is done now, how much of how much.
        left: seconds, about; None while that is not known.
        tries: servers that ended for another reason than Ctrl-C while they painted it.
        preview: the picture as it is, a JPEG, and its number.
    """

    id: str
    job: dict[str, Any]
    title: str
    created: float = field(default_factory=time.time)
    status: Status = "waiting"
    seconds: float = 0.0
    error: str = ""
    notes: list[str] = field(default_factory=list)
    curve: list[float] = field(default_factory=list)
    size: tuple[int, int] | None = None
    progress: tuple[str, float, float] = ("", 0.0, 0.0)
    left: float | None = None
    preview: tuple[int, bytes] = (0, b"")
    tries: int = 0
    version: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    #: Those of a running job, which are not kept.
    PASSING = ("preview", "version", "stop", "progress", "left")

    def kept(self) -> dict[str, Any]:
        """What is written to the folder."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in self.PASSING}

    def shown(self) -> dict[str, Any]:
        """What the page is told of it, without the curve."""
        what, done, total = self.progress
        about = {name: value for name, value in self.kept().items() if name != "curve"}
        return about | {
            "progress": {"what": what, "done": done, "total": total},
            "left": self.left,
            "preview": self.preview[0],
            "steps": len(self.curve),
            "stopping": self.stop.is_set() and self.status == "painting",
        }

    @property
    def is_open(self) -> bool:
        """Whether it waits or is painted."""
        return self.status in ("waiting", "painting")


def title_of(job: Mapping[str, Any], store: Store) -> str:
    """The names of the pictures of a form, and of its styles."""
    names = [store.path(number).stem for number in pictures_of({k: v for k, v in job.items() if k != "masks"})]
    named = job.get("style_name", [])
    return " × ".join([*names, *(named if isinstance(named, list) else [named])])[:120] or str(job["job"])


class JobQueue:
    """The queue of a studio, and the thread that paints.

    Args:
        settings: of the studio.
        store: its folder, in which jobs of an earlier server may wait.
    """

    def __init__(self, settings: Studio, store: Store) -> None:
        self.settings, self.store = settings, store
        self.tickets: dict[str, Ticket] = {}
        self.closing = threading.Event()
        self._needed = threading.Event()
        self._waiting: list[Ticket] = []
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="painter", daemon=True)
        for kept in sorted(store.tickets(), key=lambda t: (t.get("status") != "painting", t.get("created", 0))):
            try:
                ticket = Ticket(**kept)
            except TypeError:  # of another version
                store.remove_job(kept["id"])
                continue
            if ticket.status == "painting" and ticket.tries >= MOST_TRIES:
                ticket.status, ticket.error = (
                    "failed",
                    "the studio was killed each time it painted this: is it too large?",
                )
                store.save(ticket.id, ticket.kept())
            if ticket.is_open:
                ticket.status = "waiting"
                ticket.curve = ticket.curve if self.has_state(ticket) else []
                self._waiting.append(ticket)
            self.tickets[ticket.id] = ticket
        store.tidy(self.used())
        if self._waiting:
            self._needed.set()

    def start(self) -> None:
        """Begin to paint."""
        self._thread.start()

    def soon_needed(self) -> None:
        """The page is open: torch is read in a moment, when the page has all of its own files."""
        if not self._needed.is_set():
            timer = threading.Timer(READY_AFTER, self._needed.set)
            timer.daemon = True
            timer.start()

    def close(self, timeout: float = 30.0) -> None:
        """Stop painting. The job at work is kept as it is, and gone on with by the next server."""
        self.closing.set()
        self._needed.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def used(self) -> set[str]:
        """Numbers of the pictures that jobs use."""
        return {number for ticket in self.tickets.values() for number in pictures_of(ticket.job)}

    def ticket(self, job: str) -> Ticket:
        """Raises:
        MissingError: if there is none (any more).
        """
        if job not in self.tickets:
            raise MissingError(f"there is no job {job[:40]!r} in the studio: it was removed, or never was")
        return self.tickets[job]

    def place(self, ticket: Ticket) -> int:
        """In the queue, from 1; 0 if it does not wait."""
        with suppress(ValueError):
            return self._waiting.index(ticket) + 1
        return 0

    def submit(self, data: Any) -> Ticket:
        """Put a job into the queue.

        Args:
            data: see `impasto.web.forms.job_from`.

        Raises:
            FullError: if the queue is full.
            InputError: if it is no job.
        """
        self._check_room()
        job_from(data, lambda number: str(self.store.path(number)))
        self._needed.set()
        ticket = Ticket(secrets.token_hex(8), cleaned(data), title_of(data, self.store))
        with self._changed:
            self._check_room()
            self.store.save(ticket.id, ticket.kept())
            self.tickets[ticket.id] = ticket
            self._waiting.append(ticket)
            self._changed.notify()
        return ticket

    def has_state(self, ticket: Ticket) -> bool:
        """Whether a job can go on where it was."""
        return (self.store.job_folder(ticket.id) / STATE).is_file()

    def go_on(self, job: str) -> Ticket:
        """Put a job that was stopped into the queue again, to go on where it was.

        Raises:
            FullError: if the queue is full.
            InputError: if it was not stopped, or left no state.
        """
        ticket = self.ticket(job)
        with self._changed:
            self._check_room()
            if ticket.status != "stopped" or not self.has_state(ticket):
                raise InputError("this job cannot go on: it was not stopped while it was painted step by step")
            ticket.stop.clear()
            ticket.status = "waiting"
            ticket.version += 1
            self.store.save(ticket.id, ticket.kept())
            self._waiting.append(ticket)
            self._changed.notify()
        return ticket

    def _check_room(self) -> None:
        if len(self._waiting) >= self.settings.queue:
            raise FullError(f"{len(self._waiting)} jobs wait already: try again when one is done")

    def stop(self, job: str) -> Ticket:
        """Stop a job: what is painted is kept."""
        ticket = self.ticket(job)
        with self._changed:
            ticket.stop.set()
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                self._end(ticket, "stopped")
            ticket.version += 1
        return ticket

    def remove(self, job: str) -> None:
        """Remove a job and its files; one that is painted is stopped before."""
        ticket = self.stop(job)
        with self._changed:
            self._changed.wait_for(lambda: not ticket.is_open, timeout=60)
            self.tickets.pop(job, None)
        self.store.remove_job(job)

    def make_room(self) -> None:
        """Remove pictures that no job uses and the oldest results while the folder is too large.

        Raises:
            FullError: if that does not suffice.
        """
        with self._changed:
            unused = self.store.unused(self.used())[:-1]  # but for the one dropped last
            ended = sorted((t for t in self.tickets.values() if not t.is_open), key=lambda t: t.created)
            while len(unused) > MOST_UNUSED or self.store.size() > self.settings.disk:
                if unused:
                    self.store.remove_picture(unused.pop(0))
                elif ended:
                    oldest = ended.pop(0)
                    del self.tickets[oldest.id]
                    self.store.remove_job(oldest.id)
                    unused = self.store.unused(self.used())[:-1]
                else:
                    raise FullError(f"the studio's folder is full: it may take {self.settings.disk / 1e9:g} GB")

    # The thread

    def _run(self) -> None:
        self._needed.wait()
        import impasto.media
        import impasto.methods.stylize  # noqa: F401  # takes seconds, in which the page is slow

        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting) or self.closing.is_set())
                if self.closing.is_set():
                    return
                ticket = self._waiting.pop(0)
                ticket.status, ticket.tries = "painting", ticket.tries + 1
                ticket.version += 1
                self.store.save(ticket.id, ticket.kept())
            self._paint(ticket)
            with suppress(InputError):
                self.make_room()
            if not self._waiting:
                give_back_memory()

    def _paint(self, ticket: Ticket) -> None:
        began = time.monotonic()
        try:
            self._follow(ticket)
            status: Status = "done"
        except KeyboardInterrupt:  # Interrupted, too
            status = "waiting" if self.closing.is_set() and not ticket.stop.is_set() else "stopped"
        except BaseException as error:
            status, ticket.error = "failed", self._line(error)
        ticket.seconds = round(ticket.seconds + time.monotonic() - began, 2)
        with self._changed:
            self._end(ticket, status)

    def _line(self, error: BaseException) -> str:
        """The one line of an error."""
        if isinstance(error, ImpastoError):
            return self.store.clean(str(error))
        if is_out_of_memory(error):
            return "there is not enough memory for this: choose a smaller size"
        logging.getLogger("impasto").error("a job of the studio failed", exc_info=error)
        return f"the studio failed ({type(error).__name__}); its terminal says where"

    def _end(self, ticket: Ticket, status: Status) -> None:
        result = self.store.job_folder(ticket.id) / RESULT
        if result.is_file():
            with suppress(Exception):  # a thumbnail
                ticket.size = self._thumbnail(result)
        ticket.tries = 0
        with suppress(InputError):  # a full disk
            self.store.save(ticket.id, ticket.kept() | {"status": status})
        ticket.status, ticket.preview, ticket.left = status, (0, b""), None
        ticket.version += 1
        self._changed.notify_all()

    def _thumbnail(self, result: Path) -> tuple[int, int]:
        from PIL import Image

        from impasto.files import write_bytes
        from impasto.media import read_image

        with Image.open(result) as image:
            size = image.size
        write_bytes(result.with_name("thumbnail.jpg"), jpeg(read_image(result).pixels, THUMBNAIL_SIDE))
        return size

    def job(self, ticket: Ticket) -> Job:
        """What is run: with a place for the result, and as the studio's own options say."""
        from impasto.jobs.report import resumed_job

        folder, settings = self.store.job_folder(ticket.id), self.settings
        where: dict[str, Any] = {"output": str(folder / RESULT), "force": True, "device": settings.device}
        where |= {n: getattr(settings, n) for n in ("threads", "max_memory") if n in settings.given}
        if self.has_state(ticket):
            return resumed_job(folder / STATE, where)
        return job_from(ticket.job, lambda number: str(self.store.path(number))).changed(**where)

    def _follow(self, ticket: Ticket) -> None:
        from impasto.jobs.running import allow_tf32

        job = self.job(ticket)
        allow_tf32(job)
        watcher = Watcher(ticket, self.store)

        def tell(record: Record) -> None:
            if ticket.stop.is_set() or self.closing.is_set():
                raise KeyboardInterrupt
            watcher(record)

        records = job.records(tell)
        for record in records:
            watcher(record)
            if ticket.stop.is_set() or self.closing.is_set():
                records.throw(KeyboardInterrupt())


class Watcher:
    """Turns the records of a job into what its ticket says.

    Args:
        ticket: of the job.
        store: whose paths are left out of notes.
    """

    def __init__(self, ticket: Ticket, store: Store) -> None:
        self.ticket, self.store = ticket, store
        self._next = 0.0  # when another preview may be made
        self._scales: list[tuple[int, float]] = []  # pixels of each scale so far, and when it began

    def __call__(self, record: Record) -> None:
        from impasto.jobs.records import Note, Progress
        from impasto.optimize import Step

        ticket = self.ticket
        if isinstance(record, Note):
            ticket.notes.append(self.store.clean(record.text))
        elif isinstance(record, Progress):
            ticket.progress = (record.what, record.done, record.total)
        elif isinstance(record, Step):
            self._step(record)
        ticket.version += 1

    def _step(self, step: Step) -> None:
        ticket, now = self.ticket, time.monotonic()
        ticket.curve.append(step.loss)
        height, width = step.size
        ticket.size = (width, height)
        if len(self._scales) < step.scale:
            self._scales.append((height * width, now))
        done = step.steps * (step.scale - 1) + (step.steps if step.done else step.step)
        scale = f", scale {step.scale} of {step.scales}" if step.scales > 1 else ""
        ticket.progress = (f"{width} × {height}{scale}", done, step.steps * step.scales)
        ticket.left = self._left(step, now)
        if now >= self._next:
            ticket.preview = (ticket.preview[0] + 1, jpeg(step.image(), PREVIEW_SIDE))
            took = time.monotonic() - now
            self._next = now + max(PREVIEW_EVERY, 10 * took)

    def _left(self, step: Step, now: float) -> float | None:
        """Seconds, if a step's time grows with the pixels, by the scales' ratio so far or else 4."""
        pixels, began = self._scales[-1]
        if step.step < 2:
            return self.ticket.left
        each = (now - began) / (step.step - 1)
        ratio = pixels / self._scales[-2][0] if len(self._scales) > 1 else 4.0
        further = sum(ratio**k for k in range(1, step.scales - step.scale + 1))
        return each * (step.steps - step.step + step.steps * further)
