"""Processes that may die: nothing but their task is lost, and none is left behind."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from impasto.errors import InputError
from impasto.jobs.pool import Here, Outcome, Processes, called


@pytest.fixture
def pool() -> Iterator[Processes]:
    made = Processes(2)
    yield made
    made.close()


def ended(pool: Processes | Here) -> tuple[int, Outcome]:
    for _ in range(600):
        if (found := pool.wait(0.1)) is not None:
            return found
    raise AssertionError("no answer")


def test_what_returns_what_raises_and_what_dies(pool: Processes) -> None:
    pool.submit(1, len, "four")
    pool.submit(2, int, "four")
    found = dict(ended(pool) for _ in range(2))
    assert found[1] == Outcome(4)
    assert found[2].error.startswith("ValueError: invalid literal") and not found[2].died
    abort = "__import__('os').abort()"
    for key, function, task, said in ((3, os._exit, 7, "exit code 7"), (4, eval, abort, "SIGABRT")):
        pool.submit(key, function, task)
        pool.submit(key + 10, len, "abc")
        found = dict(ended(pool) for _ in range(2))
        assert found[key].died and said in found[key].error
        assert found[key + 10] == Outcome(3)


def test_what_a_process_said_at_last_is_told(pool: Processes) -> None:
    pool.submit(1, exec, "import os, sys; print('no answer'); sys.stderr.write('out of ideas\\n'); os.abort()")
    assert ended(pool)[1].error == "SIGABRT: out of ideas"


def test_it_ends_at_once_whatever_it_does() -> None:
    pool = Processes(1)
    pool.submit(1, eval, "print(__import__('time').sleep(600))")
    pool.close()
    assert not any(thread.is_alive() for thread in pool._threads)


def test_what_cannot_be_sent_or_started_is_one_line(pool: Processes) -> None:
    with pytest.raises(InputError, match="cannot be sent to another process"):
        pool.submit(1, len, lambda: None)
    broken = Processes(1, module="impasto.nothing")
    broken.submit(1, len, "abc")
    with pytest.raises(InputError, match=r"a worker cannot be started: .*No module named 'impasto.nothing'"):
        ended(broken)
    broken.close()


def test_an_environment_for_each() -> None:
    pool = Processes(1, lambda number: {"IMPASTO_NUMBER": str(number)})
    pool.submit(1, os.getenv, "IMPASTO_NUMBER")
    assert ended(pool)[1].value == "0"
    pool.close()


def test_processes_do_not_outlive_who_started_them(in_process: Callable[..., str]) -> None:
    code = """
import os
from impasto.jobs.pool import Processes
pool = Processes(1)
pool.submit(1, eval, "__import__('os').getpid()")
print(pool.wait(60)[1].value, flush=True)
os._exit(0)
"""
    pid = int(in_process(code))
    for _ in range(600):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    raise AssertionError("it is still there")


def test_in_this_process() -> None:
    here = Here()
    assert here.wait(0) is None
    here.submit(5, len, "abc")
    assert ended(here) == (5, Outcome(3))


@pytest.mark.parametrize(
    ("error", "said"),
    [(MemoryError(), "there is not enough memory"), (InputError("a b"), "a b"), (KeyError(), "KeyError")],
)
def test_errors_are_one_line(error: Exception, said: str) -> None:
    def fails(task: Any) -> None:
        raise error

    assert called(fails, None).error.startswith(said)
