"""The folder in which the frames of a shot are kept while a video is painted."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image, PngImagePlugin
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor

from impasto.files import read_tensors, replacing, write_bytes
from impasto.media import read_image, to_pil
from impasto.media.flow import View
from impasto.methods.video import Follower, Past

#: What the next frame needs is kept after so many frames, and after each that took so many seconds.
STATE_EVERY, SLOW = 12, 0.5


@dataclass(frozen=True)
class Reel:
    """Painted frames of a shot, and the state of the one who paints it.

    Attributes:
        folder: of the whole video.
        shot: its number, from 0.
        turn: the pass, from 1; or a name of other pictures, such as "alone".
    """

    folder: Path
    shot: int
    turn: int | str = 1

    @property
    def place(self) -> Path:
        return self.folder / f"shot-{self.shot + 1:04d}" / f"pass-{self.turn}"

    def path(self, at: int) -> Path:
        """Of a frame, from 0."""
        return self.place / f"{at + 1:06d}.png"

    def count(self) -> int:
        """Of frames that are there."""
        return sum(1 for _ in self.place.glob("[0-9]*.png"))  # not what a killed process left half written

    def write(self, at: int, pixels: Tensor, error: float = math.nan) -> None:
        """Keep a frame, `(1, 3, H, W)`, with its warp error."""
        about = PngImagePlugin.PngInfo()
        about.add_text("warp error", json.dumps(None if math.isnan(error) else error))
        with replacing(self.path(at), "the frame") as new:
            to_pil(pixels).save(new, "PNG", compress_level=1, pnginfo=about)

    def read(self, at: int) -> Tensor:
        """A frame, to 8 bits."""
        return read_image(self.path(at)).pixels

    def link(self, other: Reel, at: int) -> None:
        """Take over a frame as it is."""
        write_bytes(self.path(at), other.path(at).read_bytes())

    def error(self, at: int) -> float | None:
        """The warp error of a frame; None where it is not known."""
        with Image.open(self.path(at)) as opened:
            found: float | None = json.loads(opened.info.get("warp error", "null"))
            return found

    def keep(self, follower: Follower, done: int, took: float) -> None:
        """Keep what is needed to go on after so many frames, now and then: where the last one took long, each time."""
        if done % STATE_EVERY and took < SLOW:
            return
        tensors = {}
        for number, past in enumerate(follower.past):
            # Copies: frames of a still share their memory, which a file does not tell.
            tensors[f"painted {number}"] = past.painted.detach().cpu().clone(memory_format=torch.contiguous_format)
            tensors[f"gray {number}"] = torch.from_numpy(past.view.gray.copy())
        about = {"done": str(done), "numbers": json.dumps([p.view.number for p in follower.past])}
        write_bytes(self.place / "state.safetensors", save(tensors, about))

    def restore(self, follower: Follower, device: str) -> int:
        """Bring `follower` to where a state left it; how many frames were done then."""
        for left in self.place.glob(".impasto-*"):
            left.unlink(missing_ok=True)
        try:
            about, tensors = read_tensors(self.place / "state.safetensors")
            numbers, done = json.loads(about["numbers"]), int(about["done"])
            follower.past = [
                Past(View(n, tensors[f"gray {i}"].numpy()), tensors[f"painted {i}"].to(device))
                for i, n in enumerate(numbers)
            ]
        except (OSError, SafetensorError, KeyError, ValueError):
            return 0
        return done
