"""Frames come out of files and cameras as they are seen, and go into files that can be played."""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from impasto.errors import InputError
from impasto.media.video import Video, VideoWriter, check_video_output

av = pytest.importorskip("av")


def striped(height: int = 48, width: int = 64) -> torch.Tensor:
    """Red on the left, light at the top."""
    pixels = torch.zeros(1, 3, height, width)
    pixels[:, 0, :, : width // 2], pixels[:, :, : height // 4] = 0.8, 1.0
    return pixels


def write_frames(path: Path, frames: list[torch.Tensor], **options: Any) -> Path:
    with VideoWriter(path, **{"rate": 10, **options}) as writer:
        for pixels in frames:
            writer.write(pixels)
    return path


def with_sound(path: Path, seconds: float = 1.0, *, pictures: bool = True, codec: str = "aac") -> Path:
    """A video of 10 frames a second with a tone."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10) if pictures else None
        sound = container.add_stream(codec, rate=16000)
        if video is not None:
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            for _ in range(round(10 * seconds)):
                blank = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
                container.mux(video.encode(blank))
            container.mux(video.encode())
        tone = (8000 * np.sin(np.arange(16000 * seconds) / 6)).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
        frame.sample_rate = 16000
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_what_is_written_is_read_again(tmp_path: Path, suffix: str) -> None:
    path = write_frames(tmp_path / "new" / f"a{suffix}", [striped() * (i + 1) / 4 for i in range(4)])
    video = Video(str(path))
    found = list(video.frames())
    assert video.rate() == 10 and [round(f.seconds, 3) for f in found] == [0, 0.1, 0.2, 0.3]
    for i, frame in enumerate(found):
        assert frame.pixels.dtype == torch.float32 and (frame.pixels - striped() * (i + 1) / 4).abs().mean() < 0.02


def test_odd_sides_are_made_even_by_repeating_the_edge(tmp_path: Path) -> None:
    path = write_frames(tmp_path / "a.mp4", [striped(33, 45)])
    (frame,) = Video(str(path)).frames()
    assert frame.pixels.shape == (1, 3, 34, 46)
    assert (frame.pixels[..., :33, :45] - striped(33, 45)).abs().mean() < 0.02
    assert (frame.pixels[..., 33, :] - frame.pixels[..., 32, :]).abs().mean() < 0.02


@pytest.mark.parametrize(("size", "expected"), [(None, (48, 64)), (32, (24, 32)), (81, (61, 81))])
def test_the_long_side_is_brought_to_size(tmp_path: Path, size: int | None, expected: tuple[int, int]) -> None:
    path = write_frames(tmp_path / "a.mp4", [striped()])
    assert next(Video(str(path), size).frames()).pixels.shape[-2:] == expected


@pytest.mark.parametrize("turn", [90, 180, -90])
def test_frames_are_upright_whatever_way_the_phone_was_held(tmp_path: Path, turn: int) -> None:
    stored = striped()[0].permute(1, 2, 0).mul(255).byte().numpy()
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.set_display_rotation(turn)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(stored, format="rgb24")))
        container.mux(stream.encode())
    (frame,) = Video(str(tmp_path / "a.mp4")).frames()
    upright = striped().rot90(turn // 90, (2, 3))
    assert frame.pixels.shape == upright.shape and (frame.pixels - upright).abs().mean() < 0.05


def test_uneven_times_are_kept(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", 10) as writer:
        for seconds in (0.0, 0.1, 0.5, 0.5, 0.7):  # the second of two at one time comes a tick later
            writer.write(striped(), seconds)
    assert [round(f.seconds, 2) for f in Video(str(tmp_path / "a.mp4")).frames()] == [0, 0.1, 0.5, 0.5, 0.7]


def sound_of(path: Path) -> tuple[str, float] | None:
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return None
        stream = container.streams.audio[0]
        heard = sum(p.duration for p in container.demux(stream) if p.duration and p.dts is not None)
        return stream.codec_context.name, float(heard * stream.time_base)


@pytest.mark.parametrize(("hold", "expected"), [(True, 2.0), (False, 1.0)])
def test_sound_is_copied_whole_or_as_far_as_there_are_pictures(hold: bool, expected: float, tmp_path: Path) -> None:
    source = with_sound(tmp_path / "a.mp4", 2.0)
    made = write_frames(tmp_path / "b.mp4", [striped()] * 10, sound=str(source), hold=hold)
    name, seconds = sound_of(made) or ("", 0)
    assert name == "aac" and seconds == pytest.approx(expected, abs=0.15)
    assert Video(str(made)).duration() == pytest.approx(expected, abs=0.15)  # the last picture is held
    assert len(list(Video(str(made)).frames())) == 10


def test_a_silent_source_makes_a_silent_file(tmp_path: Path) -> None:
    silent = write_frames(tmp_path / "silent.mp4", [striped()])
    assert sound_of(write_frames(tmp_path / "b.mp4", [striped()] * 3, sound=str(silent))) is None


def test_a_pattern_of_pictures_is_a_video(tmp_path: Path) -> None:
    for i in range(3):
        Image.fromarray(np.full((20, 30, 3), 50 * i, np.uint8)).save(tmp_path / f"{i:02d}.png")
    found = [float(f.pixels.mean()) for f in Video(str(tmp_path / "%02d.png")).frames()]
    assert found == pytest.approx([0, 50 / 255, 100 / 255], abs=0.01)


def test_a_video_without_frames_leaves_no_file(tmp_path: Path) -> None:
    assert not write_frames(tmp_path / "a.mp4", []).exists()


def text_file(folder: Path) -> Path:
    (folder / "a.mp4").write_text("words")
    return folder / "a.mp4"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "none.mp4", "No such file"),
        (text_file, "cannot be read as a video"),
        (lambda folder: with_sound(folder / "s.mp4", pictures=False), "has no pictures in it"),
    ],
)
def test_what_is_no_video_is_refused(make: Callable[[Path], Path], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        next(Video(str(make(tmp_path))).frames())


class FakeCamera:
    """OpenCV's camera, which gives two frames, blue, green, red."""

    frames = 2
    released = False

    def __init__(self, number: int) -> None:
        self.number, self.left = number, self.frames

    def set(self, *_: object) -> bool:
        return True

    def read(self) -> tuple[bool, Any]:
        self.left -= 1
        return self.left >= 0, np.full((60, 80, 3), (255, 0, 51), np.uint8)

    def release(self) -> None:
        FakeCamera.released = True


def test_a_camera_gives_red_green_blue(monkeypatch: pytest.MonkeyPatch) -> None:
    cv2 = pytest.importorskip("cv2")
    monkeypatch.setattr(cv2, "VideoCapture", FakeCamera)
    video = Video("0", 40)
    found = list(video.frames())
    assert video.is_camera and video.rate() == Fraction(30) and len(found) == 2 and FakeCamera.released
    assert found[0].pixels.shape == (1, 3, 30, 40)
    assert found[0].pixels[0, :, 5, 5].tolist() == pytest.approx([0.2, 0, 1])
    monkeypatch.setattr(FakeCamera, "frames", 0)
    with pytest.raises(InputError, match="camera 3 gives no pictures"):
        next(Video("3").frames())


@pytest.mark.parametrize(("package", "source"), [("av", "a.mp4"), ("cv2", "0")])
def test_an_absent_package_is_named(package: str, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"package {package}, .*pip install .* \(the extra video\)"):
        next(Video(source).frames())


def test_outputs_are_checked_before_any_work(tmp_path: Path) -> None:
    there = write_frames(tmp_path / "a.mp4", [striped()])
    (tmp_path / "folder.mp4").mkdir()
    for path, force, message in (
        (tmp_path / "a.avi", True, "its suffix is '.avi'"),
        (tmp_path / "folder.mp4", True, "is a folder"),
        (there, False, "--force to replace it"),
    ):
        with pytest.raises(InputError, match=message):
            check_video_output(path, force=force)
    with pytest.raises(InputError, match="is the video that is read"):
        check_video_output(there, force=True, source=str(there))
    assert check_video_output(there, force=True, source="0") == there
    with pytest.raises(InputError, match="cannot write"):
        VideoWriter(there / "b.mp4", 10)
