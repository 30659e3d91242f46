"""Cuts, rates, frames from any number, sequences and strange files."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from impasto.errors import InputError
from impasto.media.video import Loss, Video

av = pytest.importorskip("av")


def moving(count: int) -> list[np.ndarray[Any, Any]]:
    """Frames of 48 × 64 that differ."""
    noise = np.random.default_rng(0).integers(0, 255, (48, 64 + count, 3), np.uint8)
    return [np.ascontiguousarray(noise[:, i : i + 64]) for i in range(count)]


def written(
    path: Path, frames: list[np.ndarray[Any, Any]], codec: str = "libx264", jump: int = 0, **options: str
) -> Path:
    """A video of 25 frames a second, with key frames now and then; its times jump by so many frames in the middle."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"g": "8"} | options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for i, levels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(levels, format="rgb24")
            frame.pts, frame.time_base = i + jump * (i >= len(frames) // 2), Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def times(path: Path, **cut: Any) -> list[float]:
    return [round(f.seconds, 3) for f in Video(str(path), **cut).frames()]


@pytest.mark.parametrize(
    ("suffix", "codec", "options"),
    [
        (".mp4", "libx264", {"x264-params": "open-gop=1"}),
        (".mkv", "libvpx", {"auto-alt-ref": "1", "lag-in-frames": "8"}),
        (".ts", "libx264", {}),
        (".avi", "mpeg4", {}),
        (".gif", "gif", {}),
    ],
)
def test_frames_come_from_any_number_just_as_from_the_first(
    suffix: str, codec: str, options: dict[str, str], tmp_path: Path
) -> None:
    if codec == "gif":
        images = [Image.fromarray(levels) for levels in moving(30)]
        path = tmp_path / "a.gif"
        images[0].save(path, save_all=True, append_images=images[1:], duration=40)
    else:
        path = written(tmp_path / f"a{suffix}", moving(30), codec, **options)
    for cut in ({}, {"start": 0.3, "end": 1.0}, {"fps": 60}, {"start": 0.31, "fps": 10}):
        video = Video(str(path), **cut)
        whole = list(video.frames())
        for number in (1, len(whole) // 2, len(whole) - 1):
            part = list(video.frames_from(number))
            assert [f.seconds for f in part] == [f.seconds for f in whole[number:]]
            assert all(torch.equal(a.pixels, b.pixels) for a, b in zip(part, whole[number:], strict=True))


def test_cuts_are_exact_and_rates_repeat_and_leave_out(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp4", moving(10))
    whole = [f.pixels for f in Video(str(path)).frames()]
    cut = list(Video(str(path), start=0.12, end=0.24).frames())
    assert [round(f.seconds, 3) for f in cut] == [0, 0.04, 0.08]
    assert all(torch.equal(f.pixels, whole[3 + i]) for i, f in enumerate(cut))
    slow, fast = (list(Video(str(path), fps=fps).frames()) for fps in (12.5, 50))
    assert [round(f.seconds, 3) for f in slow] == [0, 0.08, 0.16, 0.24, 0.32] and len(fast) == 20
    assert all(torch.equal(f.pixels, whole[2 * i]) for i, f in enumerate(slow))
    assert all(torch.equal(f.pixels, whole[i // 2]) for i, f in enumerate(fast))
    assert Video(str(path), fps=12.5).rate() == Fraction(25, 2)
    assert Video(str(path), start=0.2).duration() == pytest.approx(0.2, abs=0.001)


@pytest.mark.parametrize(
    ("cut", "message"),
    [({"start": -1}, "start is -1"), ({"start": 2, "end": 1}, "end is 1"), ({"fps": 0}, "fps is 0")],
)
def test_impossible_cuts_are_refused(cut: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Video("a.mp4", **cut)  # type: ignore[arg-type]


def test_a_start_after_the_end_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends before 5 seconds"):
        Video(str(written(tmp_path / "a.mp4", moving(3))), start=5).frames()


def test_times_that_go_back_or_jump_go_on(tmp_path: Path) -> None:
    once = written(tmp_path / "a.ts", moving(25))
    (tmp_path / "twice.ts").write_bytes(once.read_bytes() * 2)
    assert times(tmp_path / "twice.ts") == [round(i / 25, 3) for i in range(50)]
    assert times(tmp_path / "twice.ts", start=1.2)[-1] == 0.76
    jumping = written(tmp_path / "jump.ts", moving(20), jump=3600 * 25, bf="0")
    assert times(jumping) == [round(i / 25, 3) for i in range(20)]


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".mp4", "libx264"), (".mkv", "libx264"), (".mp4", "libx265"), (".avi", "mjpeg")]
)
def test_damage_is_passed_over_and_counted(suffix: str, codec: str, tmp_path: Path) -> None:
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    path = written(tmp_path / f"a{suffix}", moving(30), codec, **options)
    with av.open(str(path)) as container:
        packet = [p for p in container.demux(video=0) if p.size][12]
    data, kept = bytearray(path.read_bytes()), 10 if suffix == ".mkv" else 4
    data[packet.pos + kept : packet.pos + packet.size] = b"\xff" * (packet.size - kept)
    path.write_bytes(data)
    notes: list[str] = []
    assert len(list(Video(str(path)).frames(notes.append))) == 29
    assert "1 packet could not be read and 29 frames could" in notes[0] and isinstance(notes[0], Loss)


def test_covers_are_no_videos(tmp_path: Path) -> None:
    cover = tmp_path / "cover.jpg"
    Image.new("RGB", (32, 32), (255, 0, 0)).save(cover)
    for name, pictures in (("a.mp3", False), ("a.mp4", True)):
        with av.open(str(tmp_path / name), "w") as container:
            picture = container.add_stream("mjpeg", rate=1)
            picture.width = picture.height = 32
            picture.pix_fmt, picture.disposition = "yuvj420p", 0x400  # attached_pic
            other = container.add_stream("libx264" if pictures else "libmp3lame", rate=10 if pictures else 48000)
            if pictures:
                other.width, other.height, other.pix_fmt = 64, 48, "yuv420p"
            container.start_encoding()
            packet = av.Packet(cover.read_bytes())
            packet.stream, packet.pts, packet.dts, packet.time_base = picture, 0, 0, Fraction(1)
            container.mux(packet)
            if pictures:
                frame = av.VideoFrame.from_ndarray(moving(1)[0], format="rgb24")
            else:
                frame = av.AudioFrame.from_ndarray(np.zeros((1, 96000), np.int16), format="s16", layout="stereo")
                frame.sample_rate = 48000
            container.mux(other.encode(frame))
            container.mux(other.encode())
    (frame,) = Video(str(tmp_path / "a.mp4")).frames()
    assert frame.pixels.shape[-2:] == (48, 64)
    with pytest.raises(InputError, match="has no pictures in it"):
        Video(str(tmp_path / "a.mp3")).frames()


def test_fields_are_joined_and_told(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"x264-params": "tff=1:interlaced=1", "crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for i in range(10):
            levels = np.zeros((64, 64, 3), np.uint8)
            levels[::2, 4 * i : 4 * i + 16], levels[1::2, 4 * i + 2 : 4 * i + 18] = 255, 255
            frame = av.VideoFrame.from_ndarray(levels, format="rgb24").reformat(format="yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    notes: list[str] = []
    frames = list(Video(str(path)).frames(notes.append))
    assert len(frames) == 10 and [n for n in notes if "interlaced" in n] == notes and len(notes) == 1
    assert float((frames[5].pixels[..., 1:, :] - frames[5].pixels[..., :-1, :]).abs().mean()) < 0.01
    again = list(Video(str(path)).frames_from(6))
    assert all(torch.equal(a.pixels, b.pixels) for a, b in zip(again, frames[6:], strict=True))


@pytest.mark.skipif(not hasattr(av.video.stream.VideoStream, "set_display_matrix"), reason="PyAV before 17")
@pytest.mark.parametrize(
    "matrix",
    [
        (1, 0, 0, 1),
        (-1, 0, 0, 1),
        (1, 0, 0, -1),
        (-1, 0, 0, -1),
        (0, 1, -1, 0),
        (0, -1, 1, 0),
        (0, 1, 1, 0),
        (0, -1, -1, 0),
    ],
)
def test_every_display_matrix_is_applied(matrix: tuple[int, int, int, int], tmp_path: Path) -> None:
    a, b, c, d = matrix
    levels = np.zeros((48, 64, 3), np.uint8)
    levels[:24, :32], levels[:24, 32:], levels[24:, :32] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.set_display_matrix([a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30])
        container.mux(stream.encode(av.VideoFrame.from_ndarray(levels, format="rgb24")))
        container.mux(stream.encode())
    (frame,) = Video(str(tmp_path / "a.mp4")).frames()
    shown = frame.pixels[0].permute(1, 2, 0).numpy()
    height, width = (48, 64) if a else (64, 48)
    assert shown.shape[:2] == (height, width)
    for y, x in ((12, 16), (12, 48), (36, 16), (36, 48)):  # x' = a x + c y, y' = b x + d y, moved into the picture
        column, row = (a * x + c * y) % width, (b * x + d * y) % height
        assert np.abs(shown[row, column] * 255 - levels[y, x]).max() < 40


def test_sequences_begin_at_any_number_and_gaps_are_told(tmp_path: Path) -> None:
    for number in (98, 99, 100, 103):
        Image.new("RGB", (30, 20), (number, 0, 0)).save(tmp_path / f"a{number}.png")
    for source in (str(tmp_path / "a%d.png"), str(tmp_path)):
        notes: list[str] = []
        found = [round(float(f.pixels[0, 0, 0, 0]) * 255) for f in Video(source).frames(notes.append)]
        assert found == [98, 99, 100, 103]
        assert ["101 to 102 are missing" in note for note in notes] == ([True] if "%" in source else [])
    for fps in (12, 50):  # they have no times, and all are shown
        shown = list(Video(str(tmp_path), fps=fps).frames())
        assert [f.seconds for f in shown] == pytest.approx([i / fps for i in range(4)])
        assert torch.equal(next(iter(Video(str(tmp_path), fps=fps).frames_from(2))).pixels, shown[2].pixels)
    with pytest.raises(InputError, match="no file matches"):
        Video(str(tmp_path / "b%d.png")).frames()


def test_a_damaged_picture_of_a_sequence_is_left_out_and_told(tmp_path: Path) -> None:
    for number in range(3):
        Image.new("RGB", (30, 20)).save(tmp_path / f"{number}.png")
    (tmp_path / "1.png").write_bytes(b"no picture")
    notes: list[str] = []
    assert len(list(Video(str(tmp_path)).frames(notes.append))) == 2 and isinstance(notes[0], Loss)


def test_long_and_absent_names_are_one_line() -> None:
    for name in ("x" * 300 + ".mp4", "absent.mp4", "a\0b.mp4", "absent.webp", "x" * 300 + "%d.png"):
        with pytest.raises(InputError, match=r"^[^\n]*$"):
            next(Video(name).frames())
