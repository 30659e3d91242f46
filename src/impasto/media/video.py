"""Moving pictures: files and cameras in, frame by frame; files out.

Files go through PyAV, cameras through OpenCV. A frame is `(1, 3, H, W)`, RGB in [0, 1], like a still picture, with the
time at which it is shown; so a file with frames at uneven times, or a camera that is slow, keeps its pace.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from impasto.errors import InputError
from impasto.files import check_target
from impasto.optional import needed

#: What video files may end in.
WRITABLE = (".mp4", ".mov", ".mkv")
#: Sound that those can hold as it is.
AUDIO = ("aac", "ac3", "eac3", "mp3", "opus", "flac", "alac")
#: Ticks in a second.
CLOCK = 90_000
#: ITU-R BT.709, and levels 16 to 235, as FFmpeg numbers them.
BT709, NARROW = 1, 1


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture of a video.

    Attributes:
        pixels: `(1, 3, H, W)`, RGB, [0, 1].
        seconds: since the first.
    """

    pixels: Tensor
    seconds: float


@dataclass(frozen=True)
class Video:
    """Where frames come from.

    Attributes:
        source: the number of a camera; or a file, an address or a pattern such as `frames/%04d.png`.
        size: long side that frames are scaled to, in pixels; their own if None.
    """

    source: str
    size: int | None = None

    @property
    def is_camera(self) -> bool:
        return self.source.isdecimal()

    def rate(self) -> Fraction:
        """Frames in a second; 30 for a camera."""
        if self.is_camera:
            return Fraction(30)
        with _opened(self.source) as container:
            return container.streams.video[0].average_rate or Fraction(25)

    def frames(self) -> Iterator[Frame]:
        """The frames, upright, one after the other.

        Raises:
            InputError: if there is no such camera or file, it is no video, or is damaged at its beginning.
        """
        return _camera_frames(int(self.source), self.size) if self.is_camera else _file_frames(self.source, self.size)


def _fitted(height: int, width: int, size: int | None) -> tuple[int, int]:
    """The sides with the longer one brought to `size`."""
    ratio = 1 if size is None else size / max(height, width)
    return max(1, round(height * ratio)), max(1, round(width * ratio))


def _tensor(levels: npt.NDArray[np.uint8]) -> Tensor:
    """Levels `(H, W, 3)` as `(1, 3, H, W)` in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(levels)).permute(2, 0, 1)[None].float() / 255


def _opened(source: str) -> Any:
    """PyAV's container of a file with pictures in it."""
    av = needed("av", "video")
    try:
        container = av.open(source)
    except (av.FFmpegError, ValueError) as error:
        raise InputError(f"{source} cannot be read as a video: {getattr(error, 'strerror', None) or error}") from error
    if not container.streams.video:
        container.close()
        raise InputError(f"{source} has no pictures in it, only {len(container.streams)} other streams")
    return container


def _file_frames(source: str, size: int | None) -> Iterator[Frame]:
    av = needed("av", "video")
    count = 0
    with _opened(source) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        rate, aspect, start = stream.average_rate or Fraction(25), stream.sample_aspect_ratio or 1, None
        try:
            for frame in container.decode(stream):
                # Some formats have no times; their frames are even.
                seconds = float(count / rate) if frame.time is None else frame.time
                start = seconds if start is None else start
                height, width = _fitted(frame.height, max(1, round(frame.width * aspect)), size)
                levels = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation="AREA")
                yield Frame(_tensor(np.rot90(levels, round(frame.rotation / 90))), seconds - start)
                count += 1
        except av.FFmpegError as error:  # what is damaged further on ends where the damage is
            if not count:
                raise InputError(f"{source} cannot be read as a video: {error.strerror}") from error
    if not count:
        raise InputError(f"{source} holds no frames")


def _camera_frames(number: int, size: int | None) -> Iterator[Frame]:
    cv2 = needed("cv2", "video")
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # an absent camera is told below, in one line
    camera = cv2.VideoCapture(number)
    try:
        camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the newest frame, not one that has waited
        start = None
        while True:
            there, levels = camera.read()
            if not there:
                if start is None:
                    raise InputError(f"camera {number} gives no pictures; is it connected, and free?")
                return
            now = time.monotonic()
            start = now if start is None else start
            height, width = _fitted(levels.shape[0], levels.shape[1], size)
            levels = cv2.resize(levels, (width, height), interpolation=cv2.INTER_AREA)
            yield Frame(_tensor(levels[..., ::-1]), now - start)
    finally:
        camera.release()


class VideoWriter:
    """A video file that is written frame by frame (H.264); what was written can be played once it is closed.

    Args:
        path: of the file; its suffix selects the format.
        rate: frames in a second, about; each frame has its own time.
        sound: a video file whose sound is copied, as far as there are pictures; sound of a kind that does not fit is
            left out.

    Raises:
        InputError: if the file cannot be written, or PyAV is not installed.
    """

    def __init__(self, path: str | Path, rate: Fraction | int, sound: str | None = None) -> None:
        self._av = needed("av", "video")
        self.path, self.rate, self.written = check_video_output(path, force=True), Fraction(rate), 0
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._container = self._av.open(str(self.path), "w")
        except (self._av.FFmpegError, OSError) as error:
            raise InputError(f"the video {self.path} cannot be written: {error.strerror}") from error
        self._stream: Any = None
        self._last = -1
        self._sound_source = sound
        self._sound: _Sound | None = None

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, pixels: Tensor, seconds: float | None = None) -> None:
        """Add a frame.

        Args:
            pixels: `(1, 3, H, W)` in [0, 1], all of one size; sides are made even by repeating the last row and
                column, since the format halves its colors.
            seconds: when it is shown; after the one before, at the rate, if None.
        """
        levels = (pixels[0].detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
        levels = np.pad(levels, ((0, levels.shape[0] % 2), (0, levels.shape[1] % 2), (0, 0)), mode="edge")
        if self._stream is None:
            self._stream = self._begun(*levels.shape[:2])
        seconds = float(self.written / self.rate) if seconds is None else seconds
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(levels), format="rgb24").reformat(
            format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
        )
        frame.pts, frame.time_base = max(round(seconds * CLOCK), self._last + 1), Fraction(1, CLOCK)
        frame.duration = round(CLOCK / self.rate)
        self._last, self.written = frame.pts, self.written + 1
        try:
            self._container.mux(self._stream.encode(frame))
        except self._av.FFmpegError as error:
            raise InputError(f"the video {self.path} cannot be written: {error.strerror}") from error
        if self._sound is not None:
            self._sound.until(seconds)

    def _begun(self, height: int, width: int) -> Any:
        # x264's macroblock tree makes of the same frames other bytes, now and then: what memory held before plays in.
        options = {"crf": "18", "preset": "veryfast", "x264-params": "mbtree=0"}
        stream = self._container.add_stream("libx264", rate=self.rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.time_base = Fraction(1, CLOCK)
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = NARROW
        if self._sound_source is not None:
            self._sound = _Sound(self._sound_source, self._container)
        return stream

    def close(self) -> None:
        """Finish the file; an empty one is removed."""
        if self._stream is not None:
            self._container.mux(self._stream.encode())
            if self._sound is not None:
                self._sound.until(float(Fraction(self._last, CLOCK) + 1 / self.rate))
        if self._sound is not None:
            self._sound.close()
        self._container.close()
        if self._stream is None:
            self.path.unlink(missing_ok=True)


class _Sound:
    """The sound of one file on its way into another, as it is."""

    def __init__(self, source: str, target: Any) -> None:
        self._from, self._to = _opened(source), target
        streams = [s for s in self._from.streams.audio if s.codec_context.name in AUDIO]
        self._stream = target.add_stream_from_template(streams[0]) if streams else None
        self._packets = self._from.demux(streams[0]) if streams else iter(())
        self._next: Any = None

    def until(self, seconds: float) -> None:
        """Copy what is heard up to that time."""
        while True:
            packet = self._next if self._next is not None else next(self._packets, None)
            if packet is None or packet.dts is None:
                return
            if float(packet.dts * packet.time_base) > seconds:
                self._next = packet
                return
            self._next, packet.stream = None, self._stream
            self._to.mux(packet)

    def close(self) -> None:
        self._from.close()


def check_video_output(path: str | Path, *, force: bool, source: str | None = None) -> Path:
    """Find out whether a video can be written to `path`, before any work is spent on it. Writes nothing.

    Args:
        path: of the video.
        force: whether a file that is already there may be replaced.
        source: of the frames, which is never replaced.

    Raises:
        InputError: unknown suffix; a folder; the source; an existing file without `force`.
    """
    with suppress(OSError):
        if source is not None and Path(path).samefile(source):
            raise InputError(f"{path} is the video that is read; give another name")
    return check_target(path, force=force, suffixes=WRITABLE)
