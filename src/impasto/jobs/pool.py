"""Processes of our own that run functions, one task in flight in each: one that dies takes nothing with it but its
task, and another takes its place.

`concurrent.futures.ProcessPoolExecutor` gives up all tasks when one process dies, `multiprocessing.Pool` never answers
for the task that it had; both run the main script again in each process, and Ctrl-C reaches them all.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from impasto.errors import ImpastoError, InputError, is_out_of_memory

#: How often a process is started anew that ends before it is ready.
STARTS = 3
SERVE = "import sys; from impasto.jobs.pool import serve; serve(*sys.argv[1:])"


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes:
        value: that its function returned.
        error: one line, if it did not.
        died: whether the process ended, and not just the function.
    """

    value: Any = None
    error: str = ""
    died: bool = False


class Executor(Protocol):
    """Where functions run: processes here, or a cluster."""

    @property
    def width(self) -> int:
        """How many tasks can run at once; no more may be submitted."""
        ...

    def submit(self, key: int, function: Callable[[Any], Any], task: Any) -> None:
        """Begin a task: a function of a module, and what it is called with; both are pickled."""
        ...

    def wait(self, seconds: float) -> tuple[int, Outcome] | None:
        """The key of a task that ended, and what became of it; None if none did in that time."""
        ...

    def close(self) -> None:
        """End all processes at once, whatever they are doing."""
        ...


def called(function: Callable[[Any], Any], task: Any) -> Outcome:
    """What becomes of a task in this process; nothing but an interruption is raised."""
    try:
        return Outcome(function(task))
    except ImpastoError as error:
        return Outcome(error=str(error))
    except Exception as error:
        if is_out_of_memory(error):
            return Outcome(error="there is not enough memory for it: choose a smaller size, or fewer workers")
        text = " ".join(str(error).split())
        return Outcome(error=f"{type(error).__name__}: {text}" if text else type(error).__name__)


class Here:
    """This process: for few pictures, tests and debuggers. A picture that ends the process ends everything."""

    width = 1

    def __init__(self) -> None:
        self._ended: deque[tuple[int, Outcome]] = deque()

    def submit(self, key: int, function: Callable[[Any], Any], task: Any) -> None:
        self._ended.append((key, called(function, task)))

    def wait(self, seconds: float) -> tuple[int, Outcome] | None:
        return self._ended.popleft() if self._ended else None

    def close(self) -> None:
        pass


class _Died(Exception):
    """The process ended; the text says how."""


class _Process:
    """A process that waits for tasks. Ctrl-C in the terminal does not reach it; it ends when nobody can send any more.

    Args:
        environment: variables beside those of this process.
        module: imported before it is ready.
    """

    def __init__(self, environment: Mapping[str, str], module: str) -> None:
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
        self._log = tempfile.TemporaryFile("a+b")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", SERVE, module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "PYTHONPATH": paths, **environment},
            start_new_session=True,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._tasks, self._answers = self._process.stdin, self._process.stdout

    def __enter__(self) -> _Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._process.wait()
        for file in (self._tasks, self._answers, self._log):
            with suppress(OSError):  # what was not flushed
                file.close()

    def kill(self) -> None:
        """End it and all that it started."""
        with suppress(ProcessLookupError, PermissionError):
            if sys.platform == "win32":
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)

    def answer(self, data: bytes = b"") -> Any:
        """What it says to a task; without one, that it is ready.

        Raises:
            _Died: instead.
        """
        try:
            if data:
                self._tasks.write(data)
                self._tasks.flush()
            found = pickle.load(self._answers)
        except (OSError, EOFError, pickle.UnpicklingError):
            raise _Died(self._end()) from None
        self._log.truncate(0)
        return found

    def _end(self) -> str:
        """How it ended."""
        try:
            code = self._process.wait(1)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self._process.wait()
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - 500))
        lines = self._log.read().decode(errors="replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "")
        how = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        return f"{how}: {said}" if said else how


class Processes:
    """So many processes of this machine, which are started at once.

    Args:
        width: number of them.
        environment: of each, by its number from 0, beside that of this process.
        module: that they import before they are ready.
    """

    def __init__(
        self, width: int, environment: Callable[[int], Mapping[str, str]] = lambda number: {}, module: str = ""
    ) -> None:
        self.width, self._environment, self._module = width, environment, module
        self._begun: queue.SimpleQueue[tuple[int, bytes] | None] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[tuple[int, Outcome] | InputError] = queue.SimpleQueue()
        self._lock, self._closed = threading.Lock(), False
        self._running: dict[int, _Process] = {}
        # Pipes are read and written by threads, which Ctrl-C does not interrupt half way.
        self._threads = [threading.Thread(target=self._serve, args=(n,), daemon=True) for n in range(width)]
        for thread in self._threads:
            thread.start()

    def submit(self, key: int, function: Callable[[Any], Any], task: Any) -> None:
        """Raises:
        InputError: if it cannot be pickled.
        """
        try:
            data = pickle.dumps((function, task), pickle.HIGHEST_PROTOCOL)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise InputError(f"this cannot be sent to another process ({error}): set workers to 0") from error
        self._begun.put((key, data))

    def wait(self, seconds: float) -> tuple[int, Outcome] | None:
        """Raises:
        InputError: if processes cannot be started.
        """
        try:
            ended = self._ended.get(timeout=seconds)
        except queue.Empty:
            return None
        if isinstance(ended, InputError):
            raise ended
        return ended

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for process in self._running.values():
                process.kill()
        for _ in self._threads:
            self._begun.put(None)
        for thread in self._threads:
            thread.join(5)

    def _serve(self, number: int) -> None:
        """What a thread does: start a process, and hand it one task after the other; when it dies, another one."""
        while not self._closed:
            try:
                with self._started(number) as process:
                    if not self._tasks_for(process):
                        return
            except (_Died, OSError) as error:
                self._ended.put(InputError(f"a worker cannot be started: {error}"))
                return
            finally:
                with self._lock:
                    self._running.pop(number, None)

    def _tasks_for(self, process: _Process) -> bool:
        """Hand tasks to a process until there are no more, or it dies: then True."""
        while (item := self._begun.get()) is not None:
            try:
                self._ended.put((item[0], process.answer(item[1])))
            except _Died as end:
                self._ended.put((item[0], Outcome(error=str(end), died=True)))
                return True
        return False

    def _started(self, number: int) -> _Process:
        for left in reversed(range(STARTS)):
            process = _Process(self._environment(number), self._module)
            with self._lock:
                self._running[number] = process
                if self._closed:
                    process.kill()
            try:
                process.answer()
                return process
            except _Died:
                process.__exit__()
                if not left or self._closed:
                    raise
        raise AssertionError


def serve(module: str = "") -> None:
    """What a process does: tasks come in by standard input, and their outcomes go out by standard output."""
    import importlib

    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    if module:
        importlib.import_module(module)
    answer: object = "ready"
    while True:
        try:
            answers.write(pickle.dumps(answer))
            answers.flush()
            answer = called(*pickle.load(sys.stdin.buffer))
        except (EOFError, BrokenPipeError):
            os._exit(0)  # nobody is there any more; the interpreter's own end takes its time
        except Exception as error:  # of a task that cannot be read, or an outcome that cannot be written
            answer = Outcome(error=f"{type(error).__name__}: {error}")
