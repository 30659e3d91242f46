"""Work that is done ahead."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from impasto.jobs.ahead import started_ahead


def test_items_come_in_order_and_several_are_worked_on_at_once() -> None:
    before, meet = torch.get_num_threads(), threading.Barrier(2, timeout=20)
    torch.set_num_threads(2)
    seen = []

    def work(item: int) -> int:
        meet.wait()  # nobody passes alone
        seen.append(torch.get_num_threads())
        return item * item

    try:
        found = [(item, made.result()) for item, made in started_ahead(work, iter(range(6)))]
        assert found == [(n, n * n) for n in range(6)] and seen == [1] * 6
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_what_came_before_an_error_is_done_first() -> None:
    def items() -> Iterator[int]:
        yield from (1, 2, 3)
        raise KeyboardInterrupt

    found = []
    with pytest.raises(KeyboardInterrupt):
        for _, made in started_ahead(lambda item: -item, items()):
            found.append(made.result())
    assert found == [-1, -2, -3]


def test_who_stops_early_waits_for_no_more_than_what_has_begun() -> None:
    done = []
    way = started_ahead(lambda item: done.append(item), iter(range(100)))
    next(way)
    way.close()  # type: ignore[attr-defined]
    assert len(done) <= 4
