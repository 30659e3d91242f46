"""Where frames go: video files, animations, sequences of pictures; whole, or kept as far as they went."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from impasto.errors import InputError
from impasto.files import check_target
from impasto.media.video.color import EXACT, NARROW, chain
from impasto.media.video.reading import Video
from impasto.media.video.records import Tell, ignore
from impasto.media.video.sequences import PLACE, matches
from impasto.media.video.sound import Sound
from impasto.media.write import WRITABLE as PICTURES
from impasto.media.write import to_pil, write_image
from impasto.optional import needed

#: Without x264's macroblock tree, which makes other bytes of the same frames now and then: what memory held plays in.
H264 = {"crf": "18", "preset": "veryfast", "x264-params": "mbtree=0"}
#: What video files may end in, and what encodes their pictures.
ENCODERS = {name: ("libx264", H264) for name in (".mp4", ".mov", ".mkv")} | {
    ".webm": ("libvpx-vp9", {"crf": "20", "b": "0", "deadline": "good", "cpu-used": "5", "row-mt": "1"})
}
ANIMATIONS = (".gif", ".webp")
WRITABLE = (*ENCODERS, *ANIMATIONS)
#: Files that play wherever their writing ends, and are plain ones once it is finished.
FRAGMENTS = {
    "movflags": "+hybrid_fragmented",
    "use_editlist": "1",
    "frag_duration": "2000000",
    "flush_packets": "1",
    "max_interleave_delta": "1000000",
}
#: Ticks in a second.
CLOCK = 90_000
#: ITU-R BT.709 as FFmpeg numbers it.
BT709 = 1
#: Milliseconds; browsers show what is shorter in a GIF for 100.
SHORTEST = 20


class VideoWriter:
    """A video that is written frame by frame, under a temporary name beside its own until it is whole.

    ====================  ==================================================================================
    .mp4 .mov .mkv        H.264; sound as it is where the format holds it, else AAC
    .webm                 VP9; sound as it is if it is Opus or Vorbis, else Opus
    .gif .webp            animations that repeat for ever; held in memory until they are closed
    pattern or folder/    pictures: `frames/%04d.png`, from 0; a folder's are named `00000.png`
    ====================  ==================================================================================

    It is a context: left by an exception, what was written is finished and kept, under its own name if nothing was
    there, else under one with `.part` in it; `tell` is told.

    Args:
        path: of the file; its suffix selects the format.
        rate: frames in a second, about; each frame has its own time.
        sound: a video whose sound is heard with the frames, from its first frame on; a `Video` with `start` and `end`
            gives that part. Sound and pictures that last longer than the last frame hold it.
        tell: told of what a user should know.
        hold: whether the last frame is held as long as `sound` lasts; if not, sound ends with it.

    Attributes:
        path: of the file.
        written: frames by now.
        kept: where the file is once it is closed; None before, and if there were no frames.

    Raises:
        InputError: if the file cannot be written, or a package is not installed.
    """

    def __init__(
        self,
        path: str | Path,
        rate: Fraction | int,
        sound: str | Path | Video | None = None,
        *,
        tell: Tell = ignore,
        hold: bool = True,
    ) -> None:
        self.path, self.rate, self.written = check_video_output(path, force=True), Fraction(rate), 0
        self.kept: Path | None = None
        self._tell, self._hold = tell, hold
        self._pending: tuple[Tensor, Fraction] | None = None
        self._last = Fraction(-1)
        source = sound if sound is None or isinstance(sound, Video) else Video(str(sound))
        self._source = None if source is None or source.is_camera else source
        self._temporary = self.path.with_name(f".impasto-{secrets.token_hex(6)}{self.path.suffix}")
        self._medium: _Medium
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if is_pattern(self.path):
                self._medium = _Sequence(self._temporary.with_suffix(""), self.path)
            elif self.path.suffix.lower() in ANIMATIONS:
                self._medium = _Animation(self._temporary, self.path.suffix.lower())
            else:
                self._medium = _Film(self._temporary, self.rate, self._source, tell)
        except OSError as error:
            raise self._failed(error) from error

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.close()
        elif self.kept is None:
            self._keep()

    def write(self, pixels: Tensor, seconds: float | None = None) -> None:
        """Add a frame.

        Args:
            pixels: `(1, 3, H, W)` in [0, 1], all of one size; in video files sides are made even by repeating the last
                row and column, since the formats halve their colors.
            seconds: when it is shown; after the one before, at the rate, if None.

        Raises:
            InputError: if it cannot be written.
        """
        time = Fraction(self.written) / self.rate if seconds is None else Fraction(seconds)
        time = max(time, self._last + Fraction(1, CLOCK), Fraction(0))
        try:
            if self._pending is not None:
                self._medium.add(*self._pending, time - self._pending[1])
            self._pending, self._last, self.written = (pixels, time), time, self.written + 1
        except OSError as error:  # PyAV's errors are
            self._pending = None
            raise self._failed(error) from error

    def close(self) -> None:
        """Finish the file; there is none if there were no frames.

        Raises:
            InputError: if it cannot be written.
        """
        try:
            self._finish(hold=self._hold)
            if self.written:
                self._medium.move(self.path)
                self.kept = self.path
        except OSError as error:
            raise self._failed(error) from error
        finally:
            if self.kept is None:
                self._keep()

    def _finish(self, *, hold: bool) -> None:
        if self._pending is not None:
            pixels, time = self._pending
            lasts, self._pending = 1 / self.rate, None
            if hold and self._source is not None:
                lasts = max(lasts, Fraction(self._source.duration()) - time)
            self._medium.add(pixels, time, lasts)
        self._medium.finish(hold=hold)

    def _keep(self) -> None:
        """Finish what can be, and keep it if it holds anything."""
        with suppress(OSError, InputError):
            self._finish(hold=False)
        with suppress(OSError):
            if self.written > 1 or (self.written and self._pending is None):
                there = bool(matches(str(self.path))) if is_pattern(self.path) else os.path.lexists(self.path)
                part = self.path.with_name(f"{self.path.stem}.part{self.path.suffix}") if there else self.path
                self._medium.move(part)
                self.kept = part
                self._tell(f"what was written is in {part}")
        self._medium.drop()

    def _failed(self, error: OSError) -> InputError:
        return InputError(f"cannot write {self.path}: {error.strerror or error}; choose another name or folder")


class _Medium(Protocol):
    """What a writer writes to."""

    def add(self, pixels: Tensor, time: Fraction, lasts: Fraction) -> None:
        """A picture `(1, 3, H, W)`, when it is shown, and how long, in seconds."""
        ...

    def finish(self, *, hold: bool) -> None:
        """Write what was held back."""
        ...

    def move(self, path: Path) -> None:
        """Give it its name."""
        ...

    def drop(self) -> None:
        """Remove what has no name."""
        ...


class _File:
    """A medium that is one file."""

    def __init__(self, temporary: Path) -> None:
        self.temporary = temporary

    def move(self, path: Path) -> None:
        os.replace(self.temporary, os.path.realpath(path))

    def drop(self) -> None:
        self.temporary.unlink(missing_ok=True)


class _Film(_File):
    """A video file."""

    def __init__(self, temporary: Path, rate: Fraction, source: Video | None, tell: Tell) -> None:
        super().__init__(temporary)
        self._av = needed("av", "video")
        fragments = FRAGMENTS if temporary.suffix.lower() in (".mp4", ".mov") else {}
        temporary.touch()  # PyAV opens it only when it writes
        self._container = self._av.open(str(temporary), "w", options=fragments)
        self._rate, self._source, self._tell = rate, source, tell
        self._stream: Any = None
        self._filters: Any = None
        self._sound: Sound | None = None
        self._lasts: dict[int, int] = {}
        self._end = Fraction(0)
        self._open = True

    def add(self, pixels: Tensor, time: Fraction, lasts: Fraction) -> None:
        levels = _levels(pixels)
        levels = np.pad(levels, ((0, levels.shape[0] % 2), (0, levels.shape[1] % 2), (0, 0)), mode="edge")
        if self._stream is None:
            self._begin(*levels.shape[:2])
        frame = self._av.VideoFrame.from_ndarray(levels, format="rgb24")
        frame.pts, frame.time_base = round(time * CLOCK), Fraction(1, CLOCK)
        self._filters.vpush(frame)
        frame = self._filters.vpull()
        frame.pict_type = 0
        self._end = time + lasts
        self._lasts[frame.pts] = round(self._end * CLOCK) - frame.pts
        self._mux(self._stream.encode(frame))
        if self._sound is not None:
            self._sound.until(float(time))

    def _begin(self, height: int, width: int) -> None:
        name, options = ENCODERS[self.temporary.suffix.lower()]
        stream = self._container.add_stream(name, rate=self._rate, options=dict(options))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.time_base = Fraction(1, CLOCK)
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = NARROW
        scale = {"out_color_matrix": "bt709", "out_range": "tv", "flags": EXACT}
        self._filters = chain(
            self._av,
            [("scale", scale), ("format", {"pix_fmts": "yuv420p"})],
            width=width,
            height=height,
            format="rgb24",
            time_base=Fraction(1, CLOCK),
        )
        self._stream = stream
        if self._source is not None:
            self._sound = Sound(self._source, self._container, self._tell)

    def _mux(self, packets: Any) -> None:
        for packet in packets:
            packet.duration = self._lasts.pop(packet.pts, 0)
            self._container.mux(packet)

    def finish(self, *, hold: bool) -> None:
        if not self._open:
            return
        self._open = False
        try:
            if self._stream is not None:
                self._mux(self._stream.encode())
                if self._sound is not None:
                    self._sound.until(None if hold else float(self._end))
        finally:
            if self._sound is not None:
                self._sound.close()
            self._container.close()


class _Animation(_File):
    """A GIF or WebP that repeats."""

    def __init__(self, temporary: Path, suffix: str) -> None:
        super().__init__(temporary)
        temporary.touch()
        self._suffix = suffix
        self._images: list[Any] = []
        self._times: list[int] = []
        self._end = 0

    def add(self, pixels: Tensor, time: Fraction, lasts: Fraction) -> None:
        tick = 10 if self._suffix == ".gif" else 1  # milliseconds
        at = round(time * 1000 / tick) * tick
        if self._suffix == ".gif" and self._times and at - self._times[-1] < SHORTEST:
            return
        image = to_pil(pixels)
        self._images.append(image.quantize(256) if self._suffix == ".gif" else image)
        self._times.append(at)
        self._end = max(round((time + lasts) * 1000 / tick) * tick, at + SHORTEST)

    def finish(self, *, hold: bool) -> None:
        if not self._images:
            return
        first, *rest = self._images
        lasts = [b - a for a, b in zip(self._times, [*self._times[1:], self._end], strict=True)]
        options = {"quality": 90, "method": 4} if self._suffix == ".webp" else {"disposal": 1}
        about = {"append_images": rest, "duration": lasts, "loop": 0, **options}
        try:
            first.save(self.temporary, self._suffix[1:].upper(), save_all=True, **about)
        except BaseException:
            self.drop()  # a part of it does not play
            raise
        self._images = []


class _Sequence:
    """Pictures in files of their own; those of an older sequence of the same name go once this one is whole."""

    def __init__(self, temporary: Path, pattern: Path) -> None:
        self.temporary, self._pattern, self._count = temporary, pattern.name, 0
        temporary.mkdir()

    def add(self, pixels: Tensor, time: Fraction, lasts: Fraction) -> None:
        write_image(self.temporary / numbered(self._pattern, self._count), pixels)
        self._count += 1

    def finish(self, *, hold: bool) -> None:
        pass

    def move(self, path: Path) -> None:
        if not self._count:
            raise FileNotFoundError
        for _, old in matches(str(path)):
            old.unlink()
        for number in range(self._count):
            os.replace(self.temporary / numbered(self._pattern, number), path.with_name(numbered(path.name, number)))
        self.drop()

    def drop(self) -> None:
        shutil.rmtree(self.temporary, ignore_errors=True)


def _levels(pixels: Tensor) -> npt.NDArray[np.uint8]:
    """`(1, 3, H, W)` in [0, 1] as levels `(H, W, 3)`."""
    levels = (pixels[0].detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8)
    return np.ascontiguousarray(levels.permute(1, 2, 0).numpy())


def is_pattern(path: Path) -> bool:
    """Whether a name is that of a sequence of pictures."""
    return path.suffix.lower() in PICTURES and PLACE.search(path.name) is not None


def numbered(pattern: str, number: int) -> str:
    """`%04d.png` with its number."""
    return PLACE.sub(lambda place: f"{number:{place[1]}{place[2]}d}", pattern, count=1)


def check_video_output(path: str | Path, *, force: bool, source: str | None = None) -> Path:
    """Find out whether a video can be written to `path`, before any work is spent on it. Writes nothing.

    Args:
        path: of the video; a pattern such as `frames/%04d.png`, or a folder's name with `/` at its end.
        force: whether what is already there may be replaced.
        source: of the frames, which is never replaced.

    Returns:
        The path; of a folder, the pattern in it.

    Raises:
        InputError: unknown suffix; a folder; the source; an existing file without `force`.
    """
    target = Path(path)
    if str(path).endswith(("/", os.sep)):
        target = target / "%05d.png"
    same = source is not None and os.path.abspath(source) == os.path.abspath(target)
    with suppress(OSError, ValueError):
        same = same or (source is not None and (target.parent if is_pattern(target) else target).samefile(source))
    if same:
        raise InputError(f"{path} is the video that is read; give another name")
    if not is_pattern(target):
        return check_target(target, force=force, suffixes=WRITABLE)
    check_target(target.with_name(numbered(target.name, 0)), force=True)
    if not force and (there := matches(str(target))):
        raise InputError(f"the output {str(there[0][1])!r} exists: give another name, or --force to replace it")
    return target
