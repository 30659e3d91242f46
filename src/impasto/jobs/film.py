"""How a video is painted: shots are found, each is painted into a folder beside the output, from which an interrupted
run goes on, and what stands there is written as a video in the end.

A frame is painted from the video, the options and the frames before it in its shot alone, so neither interruptions nor
the number of workers change a byte of it.
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from itertools import islice, repeat
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from impasto.errors import InputError, Interrupted
from impasto.files import check_target, write_text
from impasto.jobs.ahead import Foreseen, ahead
from impasto.jobs.frame_painter import MOST_SAMPLES, SAMPLED, FramePainter, motion_of
from impasto.jobs.pool import Outcome, Processes
from impasto.jobs.records import Measured, Note, Painted, Progress, Record, Tell, Wrote
from impasto.jobs.reel import Reel
from impasto.jobs.report import identity, manifest
from impasto.jobs.running import resolved
from impasto.jobs.stylize import ONE_PASS
from impasto.jobs.video import Video
from impasto.media import read_image
from impasto.media.flow import View, gray_of
from impasto.media.shots import is_cut, thumbnail
from impasto.media.video import Loss, VideoWriter, check_video_output
from impasto.media.video import Video as Source
from impasto.methods.regions import scaled_size
from impasto.methods.video import Follower, Past
from impasto.options import AUTO, known
from impasto.pictures.resample import lanczos

#: Longest side of frames between which flow is found, in pixels.
FLOW_SIDE = 1024
#: Long side that is painted if none is given, where it takes steps.
OPTIMIZED_SIDE = 512
#: Frames that are decoded at once, where a shot is painted from its end.
CHUNK = 24
#: Frames over which the end of a loop goes over into its beginning, and that are painted before it.
JOINED = 12
VIDEOS = (".mp4", ".mov", ".mkv", ".webm", ".gif", ".avi", ".m4v", ".mpg", ".mpeg", ".ts", ".mts")


def is_video(path: str) -> bool:
    return Path(path).suffix.lower() in VIDEOS or "%" in path


@dataclass(frozen=True)
class Shot:
    """Frames between two cuts.

    Attributes:
        first: the number of its first frame, from 0.
        count: of its frames.
    """

    first: int
    count: int


@dataclass(frozen=True)
class Plan:
    """What is painted.

    Attributes:
        shots: in order.
        seconds: when each frame is shown.
        size: `(H, W)` of the result.
        rate: frames in a second, as a fraction.
        side: the long side of the source.
    """

    shots: list[Shot]
    seconds: list[float]
    size: tuple[int, int]
    rate: str
    side: int

    @property
    def count(self) -> int:
        return len(self.seconds)


def source_of(job: Video, size: int | None) -> Source:
    """The video, with frames of a long side of `size` pixels."""
    return Source(job.content, size, job.start, job.end, job.fps)


def reading(job: Video, content: str, size: int, start: int) -> Iterator[tuple[Any, int]]:
    """Frames of a video from a number on, with their numbers."""
    frames = replace(source_of(job, size), source=content).frames_from(start)
    return ((frame, number) for number, frame in enumerate(frames, start))


def noted(tell: Tell) -> Callable[[str], None]:
    """What tells of what a video's reader or writer says."""
    return lambda text: tell(Note(text, lost=isinstance(text, Loss)))


def planned(job: Video, tell: Tell) -> Generator[Record, None, Plan]:
    """Look once through the whole video: its cuts, its times, its size."""
    source = source_of(job, None)
    before, cuts, seconds, size = None, [0], list[float](), (0, 0)
    for number, frame in enumerate(source.frames(noted(tell))):
        if number == 0:
            height, width = (int(n) for n in frame.pixels.shape[-2:])
            size = (height, width)
        now = thumbnail(gray_of(frame.pixels))
        if before is not None and is_cut(before, now):
            cuts.append(number)
        before = now
        seconds.append(frame.seconds)
        if number % 10 == 0:
            yield Progress("finding shots", number, 0)
    ends = [*cuts[1:], len(seconds)]
    side = max(size) if job.size == AUTO else known(job.size)
    if job.size == AUTO and job.mode != ONE_PASS:
        side = min(side, OPTIMIZED_SIDE)
    shape = scaled_size(torch.empty(1, 1, *size, device="meta"), side)
    shots = [Shot(a, b - a) for a, b in zip(cuts, ends, strict=True)]
    return Plan(shots, seconds, shape, str(source.rate()), max(size))


def film_records(asked: Video, tell: Tell) -> Generator[Record, None, Any]:
    """Paint a video."""
    checked(asked)
    job, notes = resolved(asked.changed(output=None, report=None))
    job = job.changed(output=asked.output, report=asked.report)
    yield from notes
    if job.shots:
        plan = yield from planned(job, tell)
        yield Measured({f"shot {i + 1}": told(shot, plan) for i, shot in enumerate(plan.shots)})
        return plan
    with ExitStack() as stack:
        folder = (
            Path(f"{job.output}.impasto") if job.output else Path(stack.enter_context(tempfile.TemporaryDirectory()))
        )
        plan = yield from opened(job, folder, tell)
        began = time.perf_counter()
        try:
            paint = side_by_side if job.workers > 1 and len(plan.shots) > 1 else one_by_one
            yield from paint(job, plan, folder)
        except InputError:
            if not painted(job, plan, folder):
                shutil.rmtree(folder, ignore_errors=True)
            raise
        except KeyboardInterrupt:
            if job.output is None:
                raise
            raise Interrupted(
                f"interrupted: {painted(job, plan, folder)} frames are in {folder}; the same command goes on from there"
            ) from None
        yield from finished(job, plan, folder, time.perf_counter() - began, tell)
    return plan


def checked(job: Video) -> None:
    """Raise InputError if what the job will write cannot be written."""
    if job.output is not None:
        check_video_output(job.output, force=job.force, source=job.content)
    if job.report is not None:
        check_target(job.report, force=job.force, suffixes=(".json", ".csv"))


def told(shot: Shot, plan: Plan) -> dict[str, Any]:
    """A row of a table."""
    end = shot.first + shot.count
    last = plan.seconds[end] if end < plan.count else plan.seconds[-1] + 1 / float(Fraction(plan.rate))
    return {"first frame": shot.first + 1, "frames": shot.count, "from": plan.seconds[shot.first], "to": last}


def opened(job: Video, folder: Path, tell: Tell) -> Generator[Record, None, Plan]:
    """The plan in the folder, if it is of the same job; else a new one, and an empty folder."""
    path, mine = folder / "plan.json", f"{identity(job)} {job.threads}"
    try:
        found = json.loads(path.read_text())
        if found["job"] == mine:
            shots = [Shot(**s) for s in found["shots"]]
            plan = Plan(shots, found["seconds"], tuple(found["size"]), found["rate"], found["side"])
            yield Note(f"goes on from {folder}, where {painted(job, plan, folder)} frames are")
            return plan
        yield Note(f"{folder} was made by another job: it is painted anew")
    except (OSError, ValueError, KeyError, TypeError):
        pass
    plan = yield from planned(job, tell)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps({"job": mine, **asdict(plan)}))
    return plan


# Painting


def one_by_one(job: Video, plan: Plan, folder: Path) -> Generator[Record, None, None]:
    """All shots, one after the other."""
    painter = FramePainter(job, job.settings(max(plan.size)))
    total = plan.count * job.turns
    done = painted(job, plan, folder)
    for number, shot in enumerate(plan.shots):
        for frame in shot_frames(painter, plan, shot, Reel(folder, number)):
            yield frame
            done += 1
            yield Progress("painting", min(done, total), total, f"{frame.took:.2f} s a frame")


def painted(job: Video, plan: Plan, folder: Path) -> int:
    """How many frames are there, of all passes."""
    turns = range(1, job.turns + 1)
    return sum(Reel(folder, number, turn).count() for number in range(len(plan.shots)) for turn in turns)


def work_at(task: tuple[Video, Plan, Path, int]) -> None:
    """Paint a shot in a process of its own."""
    from impasto.jobs.running import computing

    job, plan, folder, number = task
    with computing(job):
        painter = FramePainter(job, job.settings(max(plan.size)))
        for _ in shot_frames(painter, plan, plan.shots[number], Reel(folder, number)):
            pass


def side_by_side(job: Video, plan: Plan, folder: Path) -> Generator[Record, None, None]:
    """Shots in several processes, the longest first; one whose process dies goes on once more."""
    left = deque(sorted(range(len(plan.shots)), key=lambda i: -plan.shots[i].count))
    flying, dead, total = set[int](), set[int](), plan.count * job.turns
    pool = Processes(min(job.workers, len(left)), module=__name__)
    try:
        while left or flying:
            while left and len(flying) < pool.width:
                pool.submit(left[0], work_at, (job, plan, folder, left[0]))
                flying.add(left.popleft())
            number, outcome = pool.wait(0.5) or (None, Outcome())
            if number is not None:
                flying.remove(number)
            if number is not None and outcome.died and number not in dead:
                dead.add(number)
                left.append(number)
            elif outcome.error:
                raise InputError(f"shot {int(number or 0) + 1}: {outcome.error}")
            yield Progress("painting", painted(job, plan, folder), total, f"{job.workers} workers")
    finally:
        pool.close()


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame to paint.

    Attributes:
        at: its number in the shot, from 0.
        photo: `(1, 3, H, W)` at the size of the result.
        view: for the flow.
        masks: one for each of the job's.
    """

    at: int
    photo: Tensor
    view: View
    masks: list[Any]


def frames_of(job: Video, plan: Plan, shot: Shot, first: int = 0, last: int | None = None) -> Iterator[Frame]:
    """Frames of a shot, from a number up to another one."""
    side = max(max(plan.size), min(plan.side, FLOW_SIDE))
    begin = shot.first + first
    masks = mask_frames(job, max(plan.size), begin)
    count = (shot.count if last is None else last) - first
    for (frame, number), of_frame in islice(zip(reading(job, job.content, side, begin), masks, strict=False), count):
        view = View(number + 1, gray_of(frame.pixels, FLOW_SIDE))
        yield Frame(number - shot.first, lanczos(frame.pixels, plan.size).to(job.device), view, of_frame)


def reversed_frames(job: Video, plan: Plan, shot: Shot, done: int) -> Iterator[Frame]:
    """Frames of a shot from its end, after so many of them; decoded in pieces."""
    left = shot.count - done
    while left > 0:
        first = max(0, left - CHUNK)
        yield from reversed(list(frames_of(job, plan, shot, first, left)))
        left = first


def mask_frames(job: Video, size: int, start: int) -> Iterator[list[Any]]:
    """The masks of each frame from one on: those of pictures stay, those of videos go on with the frames."""
    each: list[Iterator[Any]] = []
    for source, _ in job.masks:
        if isinstance(source, str) and is_video(source):
            each.append(_held(frame.pixels for frame, _ in reading(job, source, size, start)))
        else:
            each.append(repeat(source))
    return (list(masks) for masks in zip(*each, strict=False)) if each else repeat([])


def _held(frames: Iterator[Tensor]) -> Iterator[Tensor]:
    """The frames, and the last one for ever."""
    last: Tensor | None = None
    for last in frames:
        yield last
    if last is None:
        raise InputError("a mask's video ends before the video that it masks begins: give one as long")
    yield from repeat(last)


def shot_frames(painter: FramePainter, plan: Plan, shot: Shot, reel: Reel) -> Iterator[Painted]:
    """Paint what is missing of a shot."""
    passes = painter.job.turns
    if replace(reel, turn=passes).count() == shot.count:
        return
    samples = islice(frames_of(painter.job, plan, shot), 0, SAMPLED * MOST_SAMPLES, SAMPLED)
    painter.begin([frame.photo for frame in samples])
    for turn in range(1, passes + 1):
        yield from one_pass(painter, plan, shot, replace(reel, turn=turn))


def lead_in(painter: FramePainter, plan: Plan, follower: Follower) -> None:
    """The end of a loop goes before its beginning, so that the first frame follows the last one."""
    last = plan.shots[-1]
    for frame in frames_of(painter.job, plan, last, max(0, last.count - JOINED)):
        painter.look_at(frame.photo, plan.seconds[last.first + frame.at], frame.masks)
        follower.refine = painter.steps()
        follower(frame.photo, frame.view)


def one_pass(painter: FramePainter, plan: Plan, shot: Shot, reel: Reel) -> Iterator[Painted]:
    """One pass over a shot: the even ones from its end."""
    job, follower, turn = painter.job, painter.follower(), int(reel.turn)
    done = reel.restore(follower, job.device)
    if job.loop and turn == 1 and not done and shot == plan.shots[0]:
        lead_in(painter, plan, follower)
    frames = frames_of(job, plan, shot, done) if turn % 2 else reversed_frames(job, plan, shot, done)
    follower.motion = motion = Foreseen(follower.motion)
    frames = ahead(motion.foresee(frames, lambda frame: frame.view))
    alone = replace(reel, turn="alone") if job.compare and turn == job.turns else None
    for index, frame in enumerate(frames, done + 1):
        began, seconds = time.perf_counter(), plan.seconds[shot.first + frame.at]
        painter.look_at(frame.photo, seconds, frame.masks)
        follower.refine = painter.steps()
        own = replace(reel, turn=turn - 1).read(frame.at).to(job.device) if turn > 1 else None
        followed = follower(frame.photo, frame.view, own)
        reel.write(frame.at, followed.pixels.cpu(), followed.error)
        if alone is not None:
            by_itself, other = painter.alone(frame.photo), alone.path(frame.at + (-1 if turn % 2 else 1))
            error = followed.measured(by_itself, read_image(other).pixels) if other.exists() else math.nan
            alone.write(frame.at, by_itself.cpu(), error)
        took = time.perf_counter() - began
        reel.keep(follower, index, took)
        yield Painted(followed.pixels.cpu(), seconds, took)


# What is written


def finished(job: Video, plan: Plan, folder: Path, seconds: float, tell: Tell) -> Generator[Record, None, None]:
    """Write the video and the report from the frames that are painted; the folder goes."""
    reels = [Reel(folder, number, job.turns) for number in range(len(plan.shots))]
    if job.loop:
        reels[-1] = joined(job, plan, reels)
    if job.output is not None:
        yield from written(job, plan, reels, tell)
    curve = [r.error(at) for r, shot in zip(reels, plan.shots, strict=True) for at in range(shot.count)]
    about = {**manifest(job), "shots": [asdict(s) for s in plan.shots], "warp_error": curve}
    if job.compare:
        others = [replace(r, turn="alone") for r in reels]
        each = [r.error(at) for r, shot in zip(others, plan.shots, strict=True) for at in range(shot.count)]
        about["warp_error_each_by_itself"] = each
        ours, theirs = mean_of(curve), mean_of(each)
        yield Measured(
            {
                "each frame by itself": {"warp error": theirs, "relative": 1.0},
                "the video": {"warp error": ours, "relative": ours / theirs if theirs else math.nan},
            }
        )
    if job.report is not None:
        rows = ["frame,seconds,warp error", *(f"{i + 1},{plan.seconds[i]:g},{e}" for i, e in enumerate(curve))]
        whole = json.dumps(about | {"seconds": round(seconds, 3)}, indent=1)
        write_text(job.report, "\n".join(rows) + "\n" if job.report.lower().endswith(".csv") else whole)
    if job.output is not None:
        shutil.rmtree(folder, ignore_errors=True)


def mean_of(errors: Sequence[float | None]) -> float:
    """Of those that are known."""
    found = [e for e in errors if e is not None]
    return sum(found) / len(found) if found else math.nan


def written(job: Video, plan: Plan, reels: Sequence[Reel], tell: Tell) -> Generator[Record, None, None]:
    """The frames as a video, with the source's sound."""
    assert job.output is not None
    frames = (reel.path(at) for reel, shot in zip(reels, plan.shots, strict=True) for at in range(shot.count))
    photos: Iterator[Any] = reading(job, job.content, max(plan.size), 0)
    with VideoWriter(job.output, Fraction(plan.rate), source_of(job, None), tell=noted(tell)) as writer:
        for number, path in enumerate(frames):
            pixels = read_image(path).pixels
            if job.compare:
                photo = lanczos(next(photos)[0].pixels, plan.size)
                alone = read_image(path.parent.parent / "pass-alone" / path.name).pixels
                pixels = torch.cat([photo, alone, pixels], 3)
            writer.write(pixels, plan.seconds[number])
            if number % 10 == 0:
                yield Progress("writing", number, plan.count)
    yield Wrote(job.output, f"{plan.count} frames")


def joined(job: Video, plan: Plan, reels: Sequence[Reel]) -> Reel:
    """The last shot with its last frames going over into the video's first one, carried back along the flow, so that a
    loop closes: `x + w c (ω − x)`, `w` rising to 1."""
    shot, reel = plan.shots[-1], reels[-1]
    first = next(iter(frames_of(job, plan, plan.shots[0])))
    count = min(JOINED, shot.count - 1)
    ends = list(frames_of(job, plan, shot, shot.count - count))
    closed = replace(reel, turn="joined")
    for at in range(shot.count - count):
        closed.link(reel, at)
    carrier = Follower(lambda photo: photo, motion_of(job), None)
    carried, view = reels[0].read(0), first.view
    for step, frame in enumerate(reversed(ends), 1):
        link = carrier.carried(frame.view, Past(view, carried), plan.size)
        own = reel.read(frame.at)
        share, error = (1 - (step - 1) / count) * link.weights, reel.error(frame.at)
        mixed = torch.lerp(own, link.pixels, share).clamp(0, 1)
        closed.write(frame.at, mixed, math.nan if error is None else error)
        carried, view = torch.lerp(own, link.pixels, link.weights), frame.view
    return closed
