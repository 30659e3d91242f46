"""The studio's folder: pictures that were dropped, jobs with their results, and a limit to all of it.

files/NUMBER/NAME     a picture; the number is of its bytes and name, so a manifest leads to it
views/NUMBER.jpg      what a browser can show of it
jobs/ID/              a job's ticket, result and thumbnail
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import secrets
import shutil
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.errors import InputError
from impasto.files import file_hash, write_bytes, write_text

if TYPE_CHECKING:
    from torch import Tensor

#: Long sides, in pixels, of what is shown.
VIEW_SIDE, THUMBNAIL_SIDE = 1280, 320
RESULT = "result.png"
NUMBER = re.compile(r"[0-9a-f]{24}")


class FullError(InputError):
    """There is no room for it."""


class MissingError(InputError):
    """There is no such thing (any more)."""


def number_of(name: str, sha256: str) -> str:
    """Of a picture by its name and hash, as manifests tell them."""
    return hashlib.sha256(f"{sha256}:{name}".encode()).hexdigest()[:24]


def safe_name(name: str) -> str:
    """The last part of a file's name, without what file systems or terminals mind."""
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(c for c in last if c.isprintable() and c not in '<>:"|?*').strip(". ")
    stem, dot, suffix = kept.rpartition(".")
    parts = [part.encode()[:most].decode(errors="ignore") for part, most in ((stem or kept, 120), (suffix, 40))]
    return (f"{parts[0]}{dot}{parts[1]}" if stem else parts[0]) or "picture"


def jpeg(pixels: Tensor, side: int) -> bytes:
    """`(1, 3, H, W)` as a JPEG of that long side at most."""
    from impasto.media import to_pil

    image = to_pil(pixels[:1].detach().cpu())
    image.thumbnail((side, side))
    data = io.BytesIO()
    image.save(data, "JPEG", quality=88)
    return data.getvalue()


class Store:
    """The folder of a studio.

    Args:
        folder: is made.
        disk: bytes that all of it may take.
        pixels: that a picture may have.
    """

    def __init__(self, folder: Path, disk: float, pixels: int) -> None:
        self.folder, self.disk, self.pixels = folder.resolve(), disk, pixels
        self.files, self.views, self.jobs = (self.folder / name for name in ("files", "views", "jobs"))
        self._decoding = threading.Lock()  # pictures take memory: one at a time
        try:
            for made in (self.files, self.views, self.jobs):
                made.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"the studio's folder {str(folder)!r} cannot be made: {error.strerror}") from error

    def clean(self, text: str) -> str:
        """A message without paths of this machine."""
        text = text.replace(f"{self.files}{os.sep}", f"{os.sep}files{os.sep}").replace(str(self.folder), "the studio")
        return re.sub(r"(?<![\w.:/<])(?:[A-Za-z]:)?[/\\](?:[^\s/\\'\":;,]+[/\\])+", "", text)

    # Pictures

    def draft(self, name: str) -> Path:
        """Where a picture of that name is put before it is taken."""
        folder = self.files / f".new-{secrets.token_hex(8)}"
        folder.mkdir()
        return folder / safe_name(name)

    def discard(self, draft: Path) -> None:
        shutil.rmtree(draft.parent, ignore_errors=True)

    def take(self, draft: Path) -> dict[str, Any]:
        """Take a picture that was dropped.

        Returns:
            Its number, name, width and height.

        Raises:
            InputError: if it is none, or too large.
        """
        number = number_of(draft.name, file_hash(draft))
        with self._decoding:
            width, height, view = self._looked_at(draft)
        write_bytes(self.views / f"{number}.jpg", view)
        if not (self.files / number).exists():
            with suppress(OSError):  # the same picture, dropped twice at once
                draft.parent.rename(self.files / number)
        self.discard(draft)
        with suppress(OSError):
            os.utime(self.files / number)
        return {"file": number, "name": draft.name, "width": width, "height": height}

    def _looked_at(self, path: Path) -> tuple[int, int, bytes]:
        from PIL import Image

        from impasto.media import read_image

        with suppress(Exception), Image.open(path) as image:  # damaged ones get their message from read_image
            self._check_pixels(path.name, *image.size)
        read = read_image(path)
        height, width = read.pixels.shape[-2:]
        self._check_pixels(path.name, width, height)
        return width, height, jpeg(read.pixels, VIEW_SIDE)

    def _check_pixels(self, name: str, width: int, height: int) -> None:
        if width * height > self.pixels:
            raise InputError(
                f"{name} is {width} x {height} pixels; the studio takes {self.pixels / 1e6:g} million: make it smaller"
            )

    def path(self, number: str) -> Path:
        """Of a picture.

        Raises:
            MissingError: if it is not there.
        """
        if NUMBER.fullmatch(number) and (self.files / number).is_dir():
            for path in (self.files / number).iterdir():
                return path
        raise MissingError("a picture of this job is not in the studio any more: drop it again")

    def found(self, entry: Any) -> Any:
        """A manifest's pictures as those of the page, where the studio has them; None where not."""
        if isinstance(entry, list):
            items = [self.found(item) for item in entry]
            return None if any(item is None for item in items) else items
        if isinstance(entry, Mapping):
            name, sha256 = entry.get("file"), entry.get("sha256")
            number = number_of(str(name), str(sha256))
            with suppress(MissingError):
                return {"file": number, "name": self.path(number).name}
            return None
        return entry

    # Jobs

    def job_folder(self, job: str) -> Path:
        return self.jobs / job

    def save(self, job: str, ticket: Mapping[str, Any]) -> None:
        """Keep a job's ticket."""
        write_text(self.job_folder(job) / "ticket.json", json.dumps(ticket))

    def tickets(self) -> Iterator[dict[str, Any]]:
        """Those of earlier servers; what cannot be read is cleared."""
        for folder in self.jobs.iterdir():
            try:
                ticket = json.loads((folder / "ticket.json").read_text())
                if ticket["id"] != folder.name:
                    raise ValueError
                yield ticket
            except (OSError, ValueError, KeyError, TypeError):
                shutil.rmtree(folder, ignore_errors=True)

    def remove_job(self, job: str) -> None:
        shutil.rmtree(self.job_folder(job), ignore_errors=True)

    # Room

    def tidy(self, used: Collection[str]) -> None:
        """Clear what a killed server left, and pictures that no job uses."""
        for folder in self.files.iterdir():
            if folder.name not in used:
                shutil.rmtree(folder, ignore_errors=True)
        for view in self.views.iterdir():
            if view.stem not in used:
                view.unlink(missing_ok=True)
        for left in self.jobs.glob("*/.impasto-*"):
            left.unlink(missing_ok=True)

    def size(self) -> int:
        """Bytes of all files."""
        total = 0
        for folder, _, names in os.walk(self.folder):
            for name in names:
                with suppress(OSError):
                    total += os.stat(os.path.join(folder, name)).st_size
        return total

    def unused(self, used: Collection[str]) -> list[str]:
        """Numbers of pictures that no job uses, those dropped first before others."""
        found = [f for f in self.files.iterdir() if f.name not in used and NUMBER.fullmatch(f.name)]
        return [folder.name for folder in sorted(found, key=lambda f: f.stat().st_mtime)]

    def remove_picture(self, number: str) -> None:
        shutil.rmtree(self.files / number, ignore_errors=True)
        (self.views / f"{number}.jpg").unlink(missing_ok=True)
