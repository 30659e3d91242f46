"""What a terminal shows of progress."""

from __future__ import annotations

import io

from rich.console import Console

from impasto import progress
from impasto.jobs.records import Progress


def test_time_left_is_shown_where_it_is_known() -> None:
    shown = {}
    for total in (0, 4):
        progress.console, kept = Console(file=io.StringIO(), force_terminal=True, width=120), progress.console
        try:
            with progress.progress_bar() as watch:
                watch(Progress("exporting", 1, total, "half a minute"))
                watch.bar.refresh()
            shown[total] = progress.console.file.getvalue()  # type: ignore[attr-defined]
        finally:
            progress.console = kept
    assert "half a minute" in shown[0] and "0:00:0" in shown[0] and "left" not in shown[0]
    assert "left" in shown[4]
