"""A window that shows frames, by Tk, which comes with most Pythons."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from impasto.errors import InputError
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
