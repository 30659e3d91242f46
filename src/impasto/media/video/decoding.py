"""Pictures of video files, by PyAV: the right stream, one clock, going on after damage, starting anywhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from itertools import chain
from typing import Any

from torch import Tensor

from impasto.errors import InputError
from impasto.media.video.color import Converter
from impasto.media.video.records import USUAL_RATE, Index, Loss, Tell
from impasto.optional import needed

#: FFmpeg's flag of formats whose timestamps may jump, such as MPEG-TS.
JUMPS = 0x0200
#: Seconds, as in FFmpeg's command line: back by more than the one, or ahead by more than the other, is a new beginning.
BACK, AHEAD = Fraction(1, 10), Fraction(10)


def opened(source: str) -> Any:
    """PyAV's container of a file.

    Raises:
        InputError: if it cannot be read.
    """
    av = needed("av", "video")
    try:
        return av.open(source)
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{source[:200]} cannot be read as a video: {reason}") from error


def pictures_of(container: Any) -> Any:
    """The stream of moving pictures, None if there is none: not a cover."""
    cover = needed("av", "video").stream.Disposition.attached_pic
    streams = [s for s in container.streams.video if not s.disposition & cover]
    best = container.streams.best("video")
    return next((s for s in streams if best is not None and s.index == best.index), streams[0] if streams else None)


def sound_of(container: Any) -> Any:
    """The stream of sound that is heard if nobody chooses, None if there is none."""
    default = needed("av", "video").stream.Disposition.default
    streams = [s for s in container.streams.audio if s.codec_context is not None]
    return next((s for s in streams if s.disposition & default), streams[0] if streams else None)


class Clock:
    """Packets with timestamps that go on where the file's go back or jump.

    Args:
        container: that is read.

    Attributes:
        shift: seconds added by now.
    """

    def __init__(self, container: Any) -> None:
        self._container, self._jumps = container, bool(container.format.flags & JUMPS)
        self._last: dict[int, tuple[Fraction, Fraction]] = {}
        self.shift = Fraction(0)

    def packets(self) -> Iterator[Any]:
        """Packets of pictures and sound; the clock is set by both, whichever is wanted."""
        streams = [s for s in (pictures_of(self._container), sound_of(self._container)) if s is not None]
        for packet in self._container.demux(streams):
            if packet.dts is not None:
                self._set(packet)
            yield packet

    def _set(self, packet: Any) -> None:
        base, index = packet.time_base, packet.stream.index
        time = packet.dts * base + self.shift
        if index in self._last:
            last, expected = self._last[index]
            if time < last - BACK or (self._jumps and time > expected + AHEAD):
                self.shift += expected - time
                time = expected
        self._last[index] = time, time + (packet.duration or 0) * base
        ticks = round(self.shift / base)
        if ticks:
            packet.dts += ticks
            packet.pts = None if packet.pts is None else packet.pts + ticks


class File:
    """A video file.

    Args:
        source: a path or an address.
        size: long side of the pictures in pixels; their own if None.

    Raises:
        InputError: if it cannot be read, or has no pictures.
    """

    def __init__(self, source: str, size: int | None) -> None:
        self.source, self.size = source, size
        with opened(source) as container:
            stream = pictures_of(container)
            if stream is None:
                raise InputError(f"{source} has no pictures in it, only {len(container.streams)} other streams")
            self.rate: Fraction = stream.average_rate or USUAL_RATE

    def index(self) -> Index:
        try:
            status = os.stat(self.source)
        except (OSError, ValueError):  # an address
            return _scan.__wrapped__(self.source, 0, 0)
        return _scan(self.source, status.st_mtime_ns, status.st_size)

    def pictures(self, number: int, tell: Tell) -> Iterator[tuple[Tensor, Fraction]]:
        if not number:
            yield from self._decoded(tell)
            return
        index = self.index()
        for back in (0, 2, 10) if index.exact else ():
            found = self._decoded(tell, index.times[max(0, number - 2)], back)
            first = next(found, None)
            if first is None or first[1] > index.times[number]:
                continue
            yield from (each for each in chain([first], found) if each[1] >= index.times[number])
            return
        yield from (each for each in self._decoded(tell) if each[1] >= index.times[number])

    def _decoded(self, tell: Tell, since: Fraction | None = None, back: int = 0) -> Iterator[tuple[Tensor, Fraction]]:
        """All pictures; with `since`, from a key picture that is `back` seconds or more before that time."""
        with opened(self.source) as container:
            stream = pictures_of(container)
            stream.thread_type = "AUTO"
            if since is not None:
                try:
                    container.seek(int((since - back) / stream.time_base), stream=stream)
                except container_errors():
                    return
            yield from _Decoder(self, container, stream, tell, since is not None).pictures()


def container_errors() -> tuple[type[Exception], ...]:
    """What PyAV raises."""
    return (needed("av", "video").FFmpegError, OSError, ValueError)


class _Decoder:
    """One way through a file."""

    def __init__(self, file: File, container: Any, stream: Any, tell: Tell, sought: bool) -> None:
        self._file, self._container, self._stream, self._tell = file, container, stream, tell
        self._av = needed("av", "video")
        self._clock = Clock(container)
        self._waiting = sought  # for a key picture
        self._damaged, self._begun = 0, False
        self._error: Any = None
        # FFmpeg's decoder of HEVC raises no error: what never comes out was damaged.
        self._silent, self._due = stream.codec_context.name == "hevc", set[int]()

    def pictures(self) -> Iterator[tuple[Tensor, Fraction]]:
        converter = Converter(self._av, self._stream, self._file.size, self._tell)
        count, last = 0, None
        for frame in chain(self._frames(), [None]):
            for pixels, time in converter.finish() if frame is None else converter.convert(frame):
                last = time if last is None else max(time, last)
                count += 1
                yield pixels, last
        if not count and not self._waiting:
            reason = f"cannot be read as a video: {self._error.strerror}" if self._error else "holds no frames"
            raise InputError(f"{self._file.source} {reason}")
        if self._damaged:
            packets = "1 packet" if self._damaged == 1 else f"{self._damaged} packets"
            self._tell(Loss(f"{self._file.source} is damaged: {packets} could not be read and {count} frames could"))

    def _frames(self) -> Iterator[Any]:
        """Decoded pictures, each with a time."""
        time: int | None = None
        first: int | None = None
        step = max(1, round(1 / self._file.rate / self._stream.time_base))
        for packet in self._packets():
            for frame in self._decode(packet):
                if self._waiting and not frame.key_frame:
                    continue
                self._waiting = False
                if frame.pts is None:  # some formats have no times; their frames are even
                    frame.pts = 0 if time is None else time + step
                frame.time_base = self._stream.time_base
                time = frame.pts
                first = time if first is None else first
                self._due.discard(time)
                yield frame
        self._damaged = max(self._damaged, sum(stamp > (first or 0) for stamp in self._due))

    def _packets(self) -> Iterator[Any]:
        packets = self._clock.packets()
        while True:
            try:
                packet = next(packets, None)
            except self._av.FFmpegError as error:
                self._fail(error)
                return
            if packet is None:
                return
            if packet.stream.index == self._stream.index:
                yield packet

    def _decode(self, packet: Any) -> list[Any]:
        self._begun = self._begun or packet.is_keyframe
        if self._silent and packet.pts is not None and packet.size and not packet.is_discard:
            self._due.add(packet.pts)
        try:
            frames = list(packet.decode())
        except self._av.FFmpegError as error:
            self._fail(error)
            return []
        self._damaged += packet.is_corrupt and self._begun
        return frames

    def _fail(self, error: Any) -> None:
        """Count what could not be read; before the first key picture, nothing can be."""
        self._error = error
        self._damaged += self._begun


@lru_cache(maxsize=8)
def _scan(source: str, changed: int, size: int) -> Index:
    """The times of a file's pictures by its packets, which are not decoded."""
    times: list[Fraction] = []
    end, heard, exact = Fraction(0), Fraction(0), True
    with opened(source) as container:
        stream, clock = pictures_of(container), Clock(container)
        rate = stream.average_rate or USUAL_RATE
        name = stream.codec_context.name
        for packet in _readable(clock.packets()):
            if packet.stream.type == "audio" and packet.pts is not None:
                heard = max(heard, (packet.pts + (packet.duration or 0)) * packet.time_base)
            if packet.stream.index != stream.index or not packet.size or packet.is_discard or _hidden(name, packet):
                continue
            exact = exact and packet.pts is not None and (bool(times) or packet.is_keyframe)
            stamp = packet.pts if packet.pts is not None else packet.dts
            times.append(stamp * packet.time_base if stamp is not None else (times[-1] + 1 / rate if times else end))
            end = max(end, times[-1] + (packet.duration * packet.time_base if packet.duration else 1 / rate))
        exact = exact and not clock.shift and times[:1] == [min(times, default=end)] and name not in ("gif", "apng")
    return Index(tuple(sorted(times)), end, max(end, heard), exact)


def _readable(packets: Iterator[Any]) -> Iterator[Any]:
    """Packets up to where no more can be read."""
    try:
        yield from packets
    except needed("av", "video").FFmpegError:
        return


def _hidden(codec: str, packet: Any) -> bool:
    """Whether a packet of VP8 holds a picture that is never shown."""
    return codec in ("vp8", "libvpx") and not bytes(packet)[0] & 0x10
