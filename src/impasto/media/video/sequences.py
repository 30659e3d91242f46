"""Sequences of pictures in files of their own, and animated WebP, which FFmpeg does not read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from PIL import Image
from torch import Tensor

from impasto.errors import InputError
from impasto.media.formats import pictures_in
from impasto.media.image import read_image
from impasto.media.video.color import fitted
from impasto.media.video.records import USUAL_RATE, Index, Loss, Tell
from impasto.pictures.resample import lanczos

#: A place for numbers in a pattern.
PLACE = re.compile(r"%(0?)(\d*)d")


def is_sequence(source: str) -> bool:
    """Whether a name is a folder or a pattern; a file that has a `%` in its name is neither."""
    try:
        return Path(source).is_dir() or (bool(PLACE.search(source)) and not Path(source).exists())
    except (OSError, ValueError):
        return False


def matches(pattern: str) -> list[tuple[int, Path]]:
    """Files of a pattern such as `frames/%04d.png` and their numbers, in order."""
    path = Path(pattern)
    place = PLACE.search(path.name)
    if place is None:
        raise InputError(f"the pattern {pattern!r} has no place for numbers in the file's name; write %04d there")
    digits = rf"\d{{{place[2] or 1},}}"
    form = re.compile(re.escape(path.name[: place.start()]) + f"({digits})" + re.escape(path.name[place.end() :]))
    files = path.parent.iterdir() if path.parent.is_dir() else iter(())
    return sorted((int(found[1]), file) for file in files if (found := form.fullmatch(file.name)))


def _natural(path: Path) -> list[tuple[int, str]]:
    """Key of sorting in which 10 comes after 9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name)]


class Pictures:
    """Pictures of a folder, by their names, or of a pattern, by their numbers.

    Args:
        source: folder or pattern.
        size: long side in pixels; the first one's own if None.
        rate: pictures a second.

    Raises:
        InputError: if there are none.
    """

    def __init__(self, source: str, size: int | None, rate: Fraction = USUAL_RATE) -> None:
        self._source, self._size, self._gap, self.rate = source, size, "", rate
        if Path(source).is_dir():
            self._files = sorted(pictures_in(source, recursive=False), key=_natural)
            return
        found = matches(source)
        if not found:
            raise InputError(f"no file matches {source!r}: No such file; name a pattern such as frames/%04d.png")
        self._files = [file for _, file in found]
        gaps = [(a + 1, b - 1) for (a, _), (b, _) in pairwise(found) if b > a + 1]
        if gaps:
            first = ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in gaps[:3])
            self._gap = f"{source}: numbers {first}{' and more' if gaps[3:] else ''} are missing and were left out"

    def index(self) -> Index:
        times = tuple(i / self.rate for i in range(len(self._files)))
        end = len(times) / self.rate
        return Index(times, end, end)

    def pictures(self, number: int, tell: Tell) -> Iterator[tuple[Tensor, Fraction]]:
        sides, error, lost = None, None, 0
        if self._gap:
            tell(self._gap)
        for place in [0, *range(number, len(self._files))] if number else range(len(self._files)):
            try:
                pixels = read_image(self._files[place]).pixels
            except InputError as unreadable:
                error, lost = unreadable, lost + 1
                continue
            if sides is None:
                sides = fitted(pixels.shape[-2], pixels.shape[-1], self._size)
                if place < number:
                    continue
            yield pixels if pixels.shape[-2:] == sides else lanczos(pixels, sides), place / self.rate
        if error is not None:
            if lost == len(self._files):
                raise error
            tell(Loss(f"{lost} of the pictures in {self._source} could not be read and were left out"))


class Animation:
    """An animated WebP file.

    Args:
        source: its path.
        size: long side in pixels; its own if None.

    Raises:
        InputError: if it cannot be read.
    """

    def __init__(self, source: str, size: int | None) -> None:
        self._source, self._size = source, size
        times = self.index().times
        self.rate = Fraction(len(times) - 1) / times[-1] if len(times) > 1 and times[-1] else USUAL_RATE

    def index(self) -> Index:
        times, end = [], Fraction(0)
        for _, lasts in self._decoded():
            times.append(end)
            end += lasts
        return Index(tuple(times), end, end)

    def pictures(self, number: int, tell: Tell) -> Iterator[tuple[Tensor, Fraction]]:
        time = Fraction(0)
        for place, (image, lasts) in enumerate(self._decoded()):
            if place >= number:
                pixels = read_image(image.convert("RGBA")).pixels
                sides = fitted(pixels.shape[-2], pixels.shape[-1], self._size)
                yield pixels if pixels.shape[-2:] == sides else lanczos(pixels, sides), time
            time += lasts

    def _decoded(self) -> Iterator[tuple[Image.Image, Fraction]]:
        """Pictures and how many seconds each lasts."""
        try:
            with Image.open(self._source) as file:
                for place in range(getattr(file, "n_frames", 1)):
                    file.seek(place)
                    file.load()
                    yield file, Fraction(file.info.get("duration") or 40, 1000)
        except (OSError, ValueError, SyntaxError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"{self._source} cannot be read as a video: {reason}") from error
