"""Work that is done ahead, in a thread of its own, while the frame before is painted."""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import torch

from impasto.media.flow import Estimator, Motion, View

T = TypeVar("T")
R = TypeVar("R")


def ahead(items: Iterator[T], depth: int = 2) -> Iterator[T]:
    """The same items; so many are made before they are asked for, where PyTorch's threads leave a processor core free:
    they wait for each other, so one that is held up costs more than is won. What goes wrong is raised where it is
    reached."""
    if torch.get_num_threads() >= (os.cpu_count() or 1):
        yield from items
        return
    ready: queue.Queue[tuple[str, Any]] = queue.Queue(depth)
    stopped = threading.Event()

    def put(what: str, value: Any) -> None:
        while not stopped.is_set():
            try:
                return ready.put((what, value), timeout=0.1)
            except queue.Full:
                continue

    def make() -> None:
        try:
            for item in items:
                put("item", item)
                if stopped.is_set():
                    return
            put("end", None)
        except BaseException as error:
            put("error", error)

    thread = threading.Thread(target=make, name="impasto ahead", daemon=True)
    thread.start()
    try:
        while True:
            what, value = ready.get()
            if what == "error":
                raise value
            if what == "end":
                return
            yield value
    finally:
        stopped.set()
        thread.join()


def started_ahead(work: Callable[[T], R], items: Iterator[T], most: int = 2) -> Iterator[tuple[T, Future[R]]]:
    """The same items, each with what `work` makes of it: so many are worked on at once, in threads that share those of
    PyTorch, while the caller is busy with the one before. What goes wrong with an item is raised after those before."""
    total = torch.get_num_threads()
    workers, waiting = min(most, total), deque[tuple[T, Future[R]]]()
    torch.set_num_threads(total // workers)
    pool = ThreadPoolExecutor(workers, "impasto ahead")
    try:
        while True:
            try:
                item = next(items)
            except StopIteration:
                break
            except BaseException:
                yield from waiting
                raise
            waiting.append((item, pool.submit(work, item)))
            if len(waiting) > workers:
                yield waiting.popleft()
        yield from waiting
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(total)


class Foreseen:
    """An estimator of motion that is asked ahead, too.

    Args:
        estimator: that finds the motion.
    """

    def __init__(self, estimator: Estimator) -> None:
        self.estimator = estimator
        self._found: dict[tuple[int, int], Motion] = {}

    def __call__(self, now: View, other: View) -> Motion:
        found = self._found.pop((now.number, other.number), None)
        return self.estimator(now, other) if found is None else found

    def foresee(self, items: Iterator[T], view: Callable[[T], View]) -> Iterator[T]:
        """The same items, each with the motion to the one before found already."""
        before: View | None = None
        for item in items:
            now = view(item)
            if before is not None:
                self._found[now.number, before.number] = self.estimator(now, before)
            before = now
            yield item
