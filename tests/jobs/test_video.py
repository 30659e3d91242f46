"""A video, painted: the command, the folder it works in, and what comes out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

import impasto
from impasto.errors import InputError
from impasto.jobs.film import frames_of, planned, reversed_frames
from impasto.jobs.records import Painted
from impasto.jobs.video import Video as Job

pytest.importorskip("av", reason="PyAV is not installed")
pytest.importorskip("cv2", reason="OpenCV is not installed")
from impasto.media.video import Video as Source
from impasto.media.video import VideoWriter

SIZE = (48, 64)


def Video(*args: Any, **options: Any) -> Job:
    """A job of one thread: several wait for each other where other tests run beside."""
    return Job(*args, **{"threads": 1} | options)


def shot(seed: int, count: int, right: int = 2) -> Iterator[torch.Tensor]:
    """Frames of a scene that moves."""
    generator = torch.Generator().manual_seed(seed)
    wide = torch.nn.functional.interpolate(torch.rand(1, 3, 8, 20, generator=generator), scale_factor=8, mode="bicubic")
    for i in range(count):
        yield wide.clamp(0, 1)[..., :48, 40 - i * right : 104 - i * right]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two shots of 7 and 5 frames."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with VideoWriter(path, Fraction(10)) as writer:
        for frame in [*shot(1, 7), *shot(2, 5)]:
            writer.write(frame)
    return str(path)


@pytest.fixture(scope="module")
def painting(tmp_path_factory: pytest.TempPathFactory) -> str:
    from impasto.media import write_image

    path = tmp_path_factory.mktemp("painting") / "painting.png"
    write_image(path, torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(5)))
    return str(path)


def pixels_of(path: Path) -> torch.Tensor:
    return torch.cat([frame.pixels for frame in Source(str(path)).frames()])


def painted(job: Job, stop: int | None = None) -> list[Painted]:
    """Frames of a run, which is stopped after so many."""
    found: list[Painted] = []
    records = job.records()
    for record in records:
        if isinstance(record, Painted):
            found.append(record)
            if len(found) == stop:
                records.close()
                break
    return found


def test_shots_are_told(clip: str, painting: str, ok: Callable[..., Any]) -> None:
    records = list(Video(clip, painting, shots=True).records())
    rows = records[-1].rows
    assert [(r["first frame"], r["frames"]) for r in rows.values()] == [(1, 7), (8, 5)]
    assert "shot 2" in ok("video", clip, painting, "--shots").out


@pytest.mark.parametrize("quality", ["instant", "quick"])
def test_interrupted_and_side_by_side_it_is_the_same_video(
    quality: str, clip: str, painting: str, tmp_path: Path
) -> None:
    job = Video(clip, painting, quality=quality, output=str(tmp_path / "a.mp4"), threads=1, size=64)
    whole = painted(job)
    assert len(whole) == 12 and (tmp_path / "a.mp4").exists() and not (tmp_path / "a.mp4.impasto").exists()
    again = job.changed(output=str(tmp_path / "b.mp4"))
    for stop in (3, 6):
        painted(again, stop)
        assert (tmp_path / "b.mp4.impasto").is_dir() and not (tmp_path / "b.mp4").exists()
        reel = tmp_path / "b.mp4.impasto" / "shot-0001" / "pass-1"
        (reel / ".impasto-killed.png").touch()  # half written: it is no frame
    painted(again)
    assert torch.equal(pixels_of(tmp_path / "b.mp4"), pixels_of(tmp_path / "a.mp4"))
    if quality == "instant":
        list(job.changed(output=str(tmp_path / "c.mp4"), workers=2).records())
        assert torch.equal(pixels_of(tmp_path / "c.mp4"), pixels_of(tmp_path / "a.mp4"))


def test_a_still_stands(painting: str, tmp_path: Path) -> None:
    still = str(tmp_path / "still" / "%04d.png")
    with VideoWriter(still, Fraction(10)) as writer:
        for _ in range(16):
            writer.write(next(shot(1, 1)))
    made = painted(Video(still, painting, output=str(tmp_path / "out.mp4"), size=64, threads=1))
    assert len(made) == 16  # with a state on the way
    assert all(torch.equal(a.pixels, b.pixels) for a, b in pairwise(made))


def test_another_job_does_not_go_on_from_its_frames(clip: str, painting: str, tmp_path: Path) -> None:
    job = Video(clip, painting, output=str(tmp_path / "a.mp4"), size=64)
    painted(job, 3)
    notes = [r.text for r in job.changed(consistency=0.5).records() if isinstance(r, impasto.jobs.records.Note)]
    assert any("made by another job" in text for text in notes)


def test_it_holds_still_and_consistency_is_a_dial(clip: str, painting: str, tmp_path: Path) -> None:
    errors = []
    for consistency in (0.0, 0.5, 1.0):
        report = tmp_path / f"{consistency}.json"
        list(Video(clip, painting, consistency=consistency, report=str(report), size=64).records())
        curve = json.loads(report.read_text())["warp_error"]
        assert len(curve) == 12 and curve[0] is None and curve[7] is None  # the first of each shot
        errors.append(sum(e for e in curve if e is not None))
    assert errors[0] > errors[1] > errors[2] and errors[2] < 0.5 * errors[0]


def test_frames_come_one_by_one_in_python(clip: str, painting: str) -> None:
    frames = impasto.video(clip, painting, size=64, threads=1)
    first = next(frames)
    assert first.pixels.shape == (1, 3, *SIZE) and first.seconds == 0
    frames.close()


def test_styles_change_over_time(clip: str, painting: str, tmp_path: Path) -> None:
    from impasto.jobs.frame_painter import FramePainter
    from impasto.jobs.running import resolved

    job, _ = resolved(Video(clip, (painting, painting), blend_at={0.2: (1, 0), "600ms": (0, 1)}, size=64))
    painter = FramePainter(job, job.settings(64))
    found = [painter.weights_at(t) for t in (0, 0.2, 0.4, 0.6, 5)]
    assert [tuple(round(w, 6) for w in each) for each in found] == [(1, 0), (1, 0), (0.5, 0.5), (0, 1), (0, 1)]
    with pytest.raises(InputError, match="blend at 1 s has 1 weights for 2 styles"):
        Video(clip, (painting, painting), blend_at="1s=1")


@pytest.mark.parametrize("moving", [False, True])
def test_masks_stay_or_move(moving: bool, clip: str, painting: str, tmp_path: Path) -> None:
    from impasto.media import write_image

    half = torch.zeros(1, 3, *SIZE)
    half[..., 32:] = 1
    if moving:
        mask = tmp_path / "mask.mp4"
        with VideoWriter(mask, Fraction(10)) as writer:
            for i in range(12):
                writer.write(half if i < 6 else half.flip(3))
    else:
        mask = tmp_path / "mask.png"
        write_image(mask, half)
    found = painted(Video(clip, painting, masks=(str(mask), 1), size=64, feather=0, consistency=0))
    photos = list(Source(clip).frames())
    for number, (frame, photo) in enumerate(zip(found, photos, strict=True)):
        changed = (frame.pixels - photo.pixels).abs().mean((0, 1, 2))
        left, right = changed[:28].mean(), changed[36:].mean()
        assert bool(left < right) is (not moving or number < 6), number


def test_a_loop_closes(painting: str, tmp_path: Path) -> None:
    wide = torch.nn.functional.interpolate(
        torch.rand(1, 3, 6, 8, generator=torch.Generator().manual_seed(3)), scale_factor=8, mode="bicubic"
    ).clamp(0, 1)
    with VideoWriter(tmp_path / "in.mp4", Fraction(10)) as writer:
        for i in range(16):
            writer.write(wide.roll(4 * i, 3))
    jumps = []
    for loop in (False, True):
        out = tmp_path / f"{loop}.mp4"
        list(Video(str(tmp_path / "in.mp4"), painting, output=str(out), loop=loop, size=64).records())
        found = pixels_of(out)
        apart = [
            float((a.roll(4, 2) - b)[..., 8:-8].square().mean()) for a, b in zip(found, found.roll(-1, 0), strict=True)
        ]
        jumps.append(apart[-1] / sorted(apart)[8])
    assert jumps[1] < 0.2 * jumps[0] and jumps[1] <= 1


def test_compared_side_by_side(clip: str, painting: str, tmp_path: Path, ok: Callable[..., Any]) -> None:
    out = tmp_path / "out.mp4"
    text = ok("video", clip, painting, "--compare", "-o", out, "--size", 64, "--threads", 1).out
    assert "each frame by itself" in text and "the video" in text
    assert pixels_of(out).shape[-2:] == (48, 192)


def test_passes_go_back_and_forth(clip: str, painting: str) -> None:
    job = Video(clip, painting, quality="quick", passes=2, frame_steps=1, steps=2, size=64)
    assert len(painted(job)) == 24
    records = planned(job, print)
    try:
        while True:
            next(records)
    except StopIteration as end:
        plan = end.value
    job = job.changed(device="cpu")
    forward = list(frames_of(job, plan, plan.shots[0]))
    back = list(reversed_frames(job, plan, plan.shots[0], 2))
    assert [f.at for f in back] == [4, 3, 2, 1, 0]
    assert all(torch.equal(a.photo, forward[a.at].photo) for a in back)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"flow": "raft"}, "flow is 'raft'; it must be one of"),
        ({"start": 5, "end": 2}, "the end at 2 s is not after the start at 5 s"),
        ({"passes": 2}, "passes has no effect with quality instant"),
        ({"consistency": 2}, "consistency is 2; it must be"),
        ({"quality": "refined"}, "unknown quality 'refined'"),
        ({"start": "soon"}, "start is 'soon'; it must be a time"),
        ({"max_memory": "1MB"}, "GB"),
    ],
)
def test_what_does_not_fit_is_one_line(options: dict[str, Any], said: str, clip: str, painting: str) -> None:
    with pytest.raises(InputError, match=said):
        list(Video(clip, painting, **options).records())


def test_what_cannot_be_painted_leaves_nothing_behind(clip: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="style is missing"):
        list(Video(clip, output=str(tmp_path / "a.mp4")).records())
    assert not list(tmp_path.iterdir())
