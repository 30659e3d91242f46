"""Where frames come from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice

from torch import Tensor

from impasto.errors import InputError
from impasto.media.video.camera import Camera
from impasto.media.video.decoding import File
from impasto.media.video.records import SLACK, USUAL_RATE, Frame, Source, Tell, ignore
from impasto.media.video.sequences import Animation, Pictures, is_sequence


@dataclass(frozen=True)
class Video:
    """Where frames come from.

    Attributes:
        source: the number of a camera; or a file, an address, a folder of pictures or a pattern such as
            `frames/%04d.png`.
        size: long side that frames are scaled to, in pixels; their own if None.
        start, end: seconds after the first picture: frames from `start` on, before `end`; all if None.
        fps: frames a second, at even times, by repeating and leaving out; as they come if None. Of pictures of a folder
            or a pattern, which have no times, all are shown, so many a second; 25 if None.

    Raises:
        InputError: times that are negative or in the wrong order, or no rate.
    """

    source: str
    size: int | None = None
    start: float = 0.0
    end: float | None = None
    fps: float | Fraction | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.start < float("inf"):
            raise InputError(f"start is {self.start}; it must be at least 0 seconds")
        if self.end is not None and not self.end > self.start:
            raise InputError(f"end is {self.end}; it must be after start, {self.start} seconds")
        if self.fps is not None and not 0 < self.fps < float("inf"):
            raise InputError(f"fps is {self.fps}; it must be more than 0 frames a second")

    @property
    def is_camera(self) -> bool:
        return self.source.isdecimal()

    def opened(self) -> Source:
        """What gives the pictures.

        Raises:
            InputError: if there is no such file, or it is no video.
        """
        if self.is_camera:
            return Camera(int(self.source), self.size)
        if is_sequence(self.source):
            return Pictures(self.source, self.size, USUAL_RATE if self.fps is None else self.rate())
        return (
            Animation(self.source, self.size) if self.source.lower().endswith(".webp") else File(self.source, self.size)
        )

    def rate(self) -> Fraction:
        """Frames in a second; 30 for a camera."""
        return self.opened().rate if self.fps is None else Fraction(self.fps).limit_denominator(100_000)

    def frames(self, tell: Tell = ignore) -> Iterator[Frame]:
        """The frames, upright, one after the other.

        Args:
            tell: told of what a user should know; a `Loss` if frames were lost.

        Raises:
            InputError: if there is no such camera or file, it is no video, or nothing of it can be read.
        """
        return self.frames_from(0, tell)

    def frames_from(self, number: int, tell: Tell = ignore) -> Iterator[Frame]:
        """What `frames` gives from frame `number` on, counted from 0, the same pixels and times, without decoding all
        that is before it. (Where packets before it are damaged, numbers count these, too.)"""
        source = self.opened()
        if not number and not self.start:
            return self._shown(source.pictures(0, tell), source, 0, None, None)
        index = source.index()
        first = index.after(self.start)
        if first >= len(index.times):
            raise InputError(f"{self.source} ends before {self.start} seconds; choose an earlier start")
        if number and not index.exact:
            return islice(self.frames(tell), number, None)
        zero = index.times[first]
        if self.fps is None:
            at = first + number
        else:
            at = max(first, bisect_right(index.times, zero + number / self.rate() + SLACK) - 1)
        return self._shown(source.pictures(at, tell), source, number, index.times[0], zero)

    def first(self) -> tuple[Fraction, Fraction]:
        """Times by the file's clock of its first picture, and of the first from `start` on."""
        times = [next(replace(self, start=start)._timed())[1] for start in dict.fromkeys((0.0, self.start))]
        return times[0], times[-1]

    def duration(self) -> float:
        """Seconds from the first frame to the end of the last one's time, and of the sound."""
        index = self.opened().index()
        if not index.times:
            return 0.0
        origin, zero = index.times[0], index.times[min(index.after(self.start), len(index.times) - 1)]
        return float((index.heard if self.end is None else min(index.heard, origin + Fraction(self.end))) - zero)

    def _timed(self) -> Iterator[tuple[Tensor, Fraction]]:
        source = self.opened()
        return source.pictures(source.index().after(self.start) if self.start else 0, ignore)

    def _shown(
        self,
        pictures: Iterator[tuple[Tensor, Fraction]],
        source: Source,
        number: int,
        origin: Fraction | None,
        zero: Fraction | None,
    ) -> Iterator[Frame]:
        """Frames of the cut, at even times where these are asked for.

        Args:
            number: of the first frame.
            origin, zero: times of the file's first picture and of the cut's; of the first one here if None.
        """

        def cut() -> Iterator[tuple[Tensor, Fraction]]:
            nonlocal origin, zero
            for pixels, time in pictures:
                origin = time if origin is None else origin
                zero = time if zero is None else zero
                if self.end is not None and time - origin >= Fraction(self.end) - SLACK:
                    return
                yield pixels, time - zero

        if self.fps is None:
            return (Frame(pixels, float(time)) for pixels, time in cut())
        return _even(cut(), self.rate(), number, 1 / source.rate)


def _even(pictures: Iterator[tuple[Tensor, Fraction]], rate: Fraction, number: int, last: Fraction) -> Iterator[Frame]:
    """Frames at even times; each is the picture that is shown then."""
    held: tuple[Tensor, Fraction] | None = None
    for pixels, time in pictures:
        while held is not None and number / rate < time - SLACK:
            yield Frame(held[0], float(number / rate))
            number += 1
        held = pixels, time
    while held is not None and number / rate < held[1] + last - SLACK:
        yield Frame(held[0], float(number / rate))
        number += 1
