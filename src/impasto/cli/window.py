"""A window that shows frames, by Tk, which comes with most Pythons."""

from __future__ import annotations

import sys
import time
from typing import Any

from torch import Tensor

from impasto.errors import InputError
from impasto.jobs.live import Live
from impasto.jobs.records import Painted
from impasto.media import to_pil


class Window:
    """Shows one frame after the other until it is closed, or Escape or q is pressed.

    Args:
        title: of the window.

    Raises:
        InputError: if there is no display, or this Python has no Tk.
    """

    def __init__(self, title: str) -> None:
        try:
            import tkinter

            from PIL import ImageTk
        except ImportError as error:
            raise InputError(f"no window can be shown ({error}); write a video with -o FILE.mp4") from error
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            raise InputError(f"no window can be shown ({error}); write a video with -o FILE.mp4") from error
        self._photo: Any = ImageTk.PhotoImage
        self._label, self.open = tkinter.Label(self._root, borderwidth=0), True
        self._label.pack()
        self._root.title(title)
        self._root.protocol("WM_DELETE_WINDOW", self._leave)
        for key in ("<Escape>", "q"):
            self._root.bind(key, lambda _: self._leave())

    def _leave(self) -> None:
        self.open = False

    def show(self, pixels: Tensor) -> bool:
        """Show `(1, 3, H, W)`; False if the window is to close."""
        self._image = self._photo(to_pil(pixels))  # Tk shows it only as long as it is kept
        self._label.configure(image=self._image)
        self._root.update()
        return self.open

    def close(self) -> None:
        self._root.destroy()


def show_live(job: Live, quiet: bool) -> int:
    """Show frames, those of a file no sooner than their time; returns the exit code."""
    window = Window(f"impasto {job.source}")
    began, count, line = time.perf_counter(), 0, "0 frames"
    try:
        for record in job.records():
            if not isinstance(record, Painted):
                continue
            if not job.source.isdecimal():
                time.sleep(max(0.0, began + record.seconds - time.perf_counter()))
            count += 1
            rate = count / (time.perf_counter() - began)
            line = f"{count} frames, {rate:.1f} a second, network {1000 * record.took:.0f} ms"
            if not window.show(record.pixels):
                break
    except KeyboardInterrupt:
        pass
    finally:
        window.close()
    if not quiet:
        print(line, file=sys.stderr)
    return 0
