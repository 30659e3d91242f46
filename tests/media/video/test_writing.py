"""Every kind of output, whole or kept as far as it went; sound in step with the pictures."""

from __future__ import annotations

import resource
import signal
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

RATE = 48_000


def beeping(
    path: Path,
    codec: str,
    seconds: float = 2.0,
    *,
    late: float = 0.0,
    pictures: int = 0,
    tracks: int = 1,
    **options: str,
) -> Path:
    """Pictures that are light, and a tone that is heard, from 1.0 to 1.2 seconds of one clock.

    Args:
        late: seconds at which pictures begin.
        pictures: how many; for as long as there is sound if 0.
        tracks: of sound; the last one has the tone and is the default, the others are silent.
    """
    packets: list[tuple[float, Any]] = []
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4" if path.suffix == ".avi" else "libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sounds = [container.add_stream(codec, rate=RATE, layout="stereo", options=options) for _ in range(tracks)]
        for i, sound in enumerate(sounds):
            sound.metadata["language"] = ("eng", "fra")[i] if tracks > 1 else "fra"
            sound.disposition = int(i == tracks - 1)
        for i in range(pictures or round(25 * seconds)):
            time = late + i / 25
            level = 235 if 0.999 < time < 1.199 else 16
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(1000 * time), Fraction(1, 1000)
            packets += [(time, p) for p in video.encode(frame)]
        packets += [(99, p) for p in video.encode()]
        times = np.arange(round(RATE * seconds)) / RATE
        tone = (20_000 * np.sin(6283 * times) * ((times >= 1) & (times < 1.2))).astype(np.int16)
        for i, sound in enumerate(sounds):
            for at in range(0, len(tone), 1024):
                values = np.repeat(tone[at : at + 1024], 2)[None] * (i == tracks - 1)
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(values), format="s16", layout="stereo")
                frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
                packets += [(at / RATE, p) for p in sound.encode(frame)]
            packets += [(99, p) for p in sound.encode()]
        for _, packet in sorted(packets, key=lambda each: each[0]):
            container.mux(packet)
    return path


def heard(path: Path) -> tuple[str, float, float, str | None]:
    """Codec, seconds from light to tone, seconds of sound from the first picture on, and language."""
    with av.open(str(path)) as container:
        frames = [(f.time, f.to_ndarray(format="gray").mean()) for f in container.decode(video=0)]
    light = next((time for time, mean in frames if mean > 120), float("nan"))
    tone, end = float("nan"), 0.0
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert len(container.streams.audio) == 1
        for frame in container.decode(stream):
            values = np.abs(frame.to_ndarray().astype(float))
            values = values[0] if frame.format.is_planar else values.reshape(-1, 2)[:, 0]
            loud = np.flatnonzero(values > (0.2 if values.max() <= 2 else 6000))
            if np.isnan(tone) and len(loud):
                tone = frame.time + loud[0] / frame.sample_rate
            end = frame.time + frame.samples / frame.sample_rate - frames[0][0]
        codec = stream.codec_context.codec.canonical_name
        return codec, tone - light, end, stream.metadata.get("language")


def copied(source: Path, target: Path, **cut: Any) -> list[str]:
    notes: list[str] = []
    video = Video(str(source), **cut)
    with VideoWriter(target, video.rate(), video, tell=notes.append) as writer:
        for frame in video.frames(notes.append):
            writer.write(frame.pixels, frame.seconds)
    return notes


@pytest.mark.parametrize(
    ("suffix", "codec", "target", "expected"),
    [
        (".ts", "aac", ".mp4", "aac"),
        (".ts", "mp2", ".mkv", "mp2"),
        (".mp4", "libmp3lame", ".mov", "mp3"),
        (".mkv", "flac", ".mov", "aac"),
        (".mkv", "libopus", ".mov", "aac"),
        (".mkv", "libopus", ".webm", "opus"),
        (".mov", "pcm_s16le", ".mkv", "pcm_s16le"),
        (".mov", "pcm_s16be", ".mp4", "aac"),
        (".mp4", "aac", ".webm", "opus"),
    ],
)
def test_sound_is_copied_where_it_fits_and_else_encoded_and_told(
    suffix: str, codec: str, target: str, expected: str, tmp_path: Path
) -> None:
    notes = copied(beeping(tmp_path / f"a{suffix}", codec), tmp_path / f"b{target}")
    found, step, seconds, language = heard(tmp_path / f"b{target}")
    assert found == expected and abs(step) < 0.01 and seconds == pytest.approx(2.0, abs=0.05) and language == "fra"
    original = codec.removeprefix("lib").removesuffix("lame")
    assert notes == ([] if expected == original else notes[:1])
    assert all(f"encoded as {expected}" in note for note in notes)


@pytest.mark.parametrize("target", [".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize(("suffix", "cut"), [(".mp4", {}), (".ts", {"start": 0.3, "end": 1.0}), (".mkv", {"fps": 10})])
def test_sound_is_in_step_with_late_pictures_and_cuts(
    suffix: str, cut: dict[str, float], target: str, tmp_path: Path
) -> None:
    copied(beeping(tmp_path / f"a{suffix}", "aac", late=0.52), tmp_path / f"b{target}", **cut)
    _, step, seconds, _ = heard(tmp_path / f"b{target}")
    assert abs(step) < (0.1 if "fps" in cut else 0.03)
    assert seconds == pytest.approx(0.7 if "end" in cut else 1.48, abs=0.05)


def test_the_default_track_is_chosen_and_a_percent_sign_is_no_pattern(tmp_path: Path) -> None:
    copied(beeping(tmp_path / "100%d.mkv", "aac", tracks=2), tmp_path / "b.mp4")
    assert heard(tmp_path / "b.mp4")[1] == pytest.approx(0, abs=0.01) and heard(tmp_path / "b.mp4")[3] == "fra"


@pytest.mark.parametrize("target", [".mp4", ".mkv", ".webm"])
def test_the_last_picture_is_held_while_there_is_sound(target: str, tmp_path: Path) -> None:
    copied(beeping(tmp_path / "a.mp4", "aac", 4.0, pictures=10), tmp_path / f"b{target}")
    assert heard(tmp_path / f"b{target}")[2] == pytest.approx(4.0, abs=0.05)
    assert len(list(Video(str(tmp_path / f"b{target}")).frames())) == 10


def colored(count: int) -> list[torch.Tensor]:
    """Flat frames of 48 × 64 that grow lighter."""
    return [torch.tensor([0.2, 0.4, (i + 1) / count])[None, :, None, None].expand(1, 3, 48, 64) for i in range(count)]


@pytest.mark.parametrize("name", ["a.webm", "a.gif", "a.webp", "new/%04d.png", "new/%d.jpg", "new/"])
def test_all_kinds_of_output_are_read_again(name: str, tmp_path: Path) -> None:
    with VideoWriter(f"{tmp_path}/{name}", 10) as writer:
        for pixels in colored(5):
            writer.write(pixels)
    assert writer.kept is not None and not list(tmp_path.rglob(".impasto*"))
    video = Video(str(writer.kept))
    found = list(video.frames())
    rate = 25 if "new" in name else 10
    assert [round(f.seconds * rate) for f in found] == [0, 1, 2, 3, 4] and video.rate() == rate
    for frame, pixels in zip(found, colored(5), strict=True):
        assert (frame.pixels - pixels).abs().mean() < 0.015
    if name in ("a.gif", "a.webp"):
        with Image.open(tmp_path / name) as image:
            assert image.info["loop"] == 0
        assert video.duration() == pytest.approx(0.5, abs=0.01)


def test_an_older_sequence_is_replaced_whole(tmp_path: Path) -> None:
    for count in (5, 3):
        with VideoWriter(tmp_path / "%02d.png", 10) as writer:
            for pixels in colored(count):
                writer.write(pixels)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["00.png", "01.png", "02.png"]
    for path in (tmp_path / "%02d.png", f"{tmp_path}/%02d.png"):
        with pytest.raises(InputError, match="--force to replace it"):
            check_video_output(path, force=False)
    for source in (str(tmp_path), f"{tmp_path}/%02d.png"):
        with pytest.raises(InputError, match="is the video that is read"):
            check_video_output(tmp_path / "%02d.png", force=True, source=source)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.gif", "a.webp", "%02d.png"])
@pytest.mark.parametrize("there", [False, True])
def test_what_was_written_before_an_exception_is_kept_and_told(name: str, there: bool, tmp_path: Path) -> None:
    older = tmp_path / name.replace("%02d", "00")
    if there:
        older.write_bytes(b"older")
    notes: list[str] = []
    with pytest.raises(KeyboardInterrupt), VideoWriter(tmp_path / name, 10, tell=notes.append) as writer:
        for pixels in colored(3):
            writer.write(pixels)
        raise KeyboardInterrupt
    assert writer.kept == tmp_path / (name.replace(".", ".part.") if there else name)
    assert len(list(Video(str(writer.kept)).frames())) == 3 and str(writer.kept) in notes[0]
    assert not there or older.read_bytes() == b"older"
    assert not list(tmp_path.glob(".impasto*"))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.gif", "%02d.png"])
def test_a_full_disk_is_one_line_and_leaves_the_older_file(name: str, tmp_path: Path) -> None:
    older = tmp_path / name.replace("%02d", "00")
    older.write_bytes(b"older")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    generator = torch.Generator().manual_seed(0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000 if "%" not in name else 5_000, limits[1]))
    try:
        with (
            pytest.raises(InputError, match=r"cannot write [^\n]*File too large"),
            VideoWriter(tmp_path / name, 5) as writer,
        ):
            for _ in range(45):
                writer.write(torch.rand(1, 3, 48, 64, generator=generator))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert older.read_bytes() == b"older" and not list(tmp_path.glob(".impasto*"))
    if name in ("a.mp4", "a.mkv"):
        assert writer.kept is not None and len(list(Video(str(writer.kept)).frames())) > 5


def test_a_killed_process_leaves_a_file_that_plays(in_process: Any, tmp_path: Path) -> None:
    code = """if True:
        import os, sys, torch
        from impasto.media.video import VideoWriter
        writer = VideoWriter(sys.argv[1], 25)
        for _ in range(130):
            writer.write(torch.rand(1, 3, 48, 64))
        print(writer._temporary, flush=True)
        os._exit(0)"""
    left = in_process(code, tmp_path / "a.mp4").strip()
    assert len(list(Video(left).frames())) > 40
