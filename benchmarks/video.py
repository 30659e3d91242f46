"""How still a painted video holds, and what it costs: each quality beside the same network or steps on single frames.

    python benchmarks/video.py --shared ../shared --quality instant
    python benchmarks/video.py --shared ../shared --quality quick --against ruder --frames 6 --set encoder=lite

The ruler is DeepFlow between the source's frames at their full size, with the paper's weights (never the method's own
flow): E1 and E5 are mean warp errors over pairs 1 and 5 frames apart, relative to frames painted alone; sharp is
the mean gradient, style and content are errors of the last frames by VGG-19 (shared/tools/score.py), all relative;
occluded: how far low-passed frames are from those painted alone around what comes into sight, relative to elsewhere.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from common import write
from torch import Tensor

from impasto.jobs.records import Painted
from impasto.jobs.stylize import Stylize
from impasto.jobs.video import Video
from impasto.media import write_image
from impasto.media.flow import DeepFlow, View, gray_of
from impasto.media.video import Video as Source
from impasto.methods.regions import scaled_size
from impasto.pictures.resample import blur, lanczos
from impasto.pictures.warp import consistency, resized_flow, resized_weights, sharpness, warp_error

#: Clip -> source, first frame, count of frames.
CLIPS = {
    "mountain": ("mountain/frame_%04d.png", 0, 12),
    "bunny": ("cutBunny.mp4", 16, 12),
    "marple": ("marple/marple8_%02d.png", 0, 5),
}
STYLES = ("starry_night", "la_muse", "wave", "candy")


def frames(shared: Path, clip: str) -> list[Tensor]:
    place, first, count = CLIPS[clip]
    found = Source(str(shared / "data/video" / place)).frames_from(first)
    return [frame.pixels for frame, _ in zip(found, range(count), strict=False)]


def rulers(photos: list[Tensor], size: tuple[int, int], gap: int) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Number of a frame, its flow to the one so many before, and the weights."""
    views = [View(i + 1, gray_of(photo)) for i, photo in enumerate(photos)]
    for i in range(gap, len(views)):
        motion = DeepFlow()(views[i], views[i - gap])
        flows = [torch.from_numpy(f.transpose(2, 0, 1).copy())[None] for f in (motion.backward, motion.forward)]
        reliable = (resized_weights(consistency(*flows), size) >= 0.999).float()
        yield i, resized_flow(flows[0], size), reliable


def error(made: list[Tensor], ruler: list[tuple[int, Tensor, Tensor]], gap: int) -> float:
    return statistics.fmean(warp_error(made[i], made[i - gap], flow, weights) for i, flow, weights in ruler)


def occluded(made: list[Tensor], alone: list[Tensor], ruler: list[tuple[int, Tensor, Tensor]]) -> float:
    """Mean low-passed difference within 7 pixels of what the ruler does not find again, relative to elsewhere."""
    near, far = [], []
    for i, _, reliable in ruler:
        hidden = F.max_pool2d(1 - reliable, 15, 1, 7)[0, 0] > 0
        apart = blur(made[i] - alone[i], 2.0).abs().mean(1)[0]
        near.append(apart[hidden])
        far.append(apart[~hidden])
    return float(torch.cat(near).mean() / torch.cat(far).mean())


def scored(shared: Path, made: Tensor, photo: Tensor, painting: Path, size: int) -> dict[str, float]:
    sys.path.insert(0, str(shared / "tools"))
    from score import score

    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("made.png", "photo.png")]
        for file, picture in zip(files, (made, photo), strict=True):
            write_image(file, picture)
        return score(str(files[0]), str(files[1]), str(painting), size)


def painted(job: Video) -> tuple[list[Tensor], float]:
    began = time.process_time()
    found = [r for r in job.records() if isinstance(r, Painted)]
    count = len(found)
    passes = {"best": 2}.get(job.quality, 1)
    last = found[count - count // passes :]
    return [r.pixels for r in sorted(last, key=lambda r: r.seconds)], time.process_time() - began


def alone(job: Video, folder: Path) -> tuple[list[Tensor], float]:
    """Each frame by itself: one pass for instant, refined for the others."""
    if job.quality == "instant":
        return painted(job.changed(consistency=0))
    began, found = time.process_time(), []
    for file in sorted(folder.glob("*.png")):
        still = Stylize(str(file), job.style, quality="refined", color="style", size=job.size, threads=1)
        for record in still.records():
            last = record
        found.append(last.image())
    return found, time.process_time() - began


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--shared", type=Path, default=Path("../shared"))
    a.add_argument("--quality", default="instant")
    a.add_argument("--clips", nargs="+", default=list(CLIPS))
    a.add_argument("--styles", nargs="+", default=list(STYLES))
    a.add_argument("--size", type=int, default=320)
    a.add_argument("--frames", type=int, help="of each clip at most")
    a.add_argument("--against", choices=("alone", "ruder"), default="alone", help="frames alone, or the paper's video")
    a.add_argument("--set", nargs="*", default=[], help="options of the job, such as encoder=lite")
    a.add_argument("--out", type=Path, help="folder for the frames")
    args = a.parse_args()
    options: dict[str, Any] = dict(pair.split("=", 1) for pair in args.set)
    rows: dict[str, dict[str, Any]] = {}
    for clip in args.clips:
        photos = frames(args.shared, clip)[: args.frames]
        size = scaled_size(photos[0], args.size)
        small = [lanczos(p, size) for p in photos]
        gaps = [1, min(5, len(photos) - 1)]
        ruler = {gap: list(rulers(photos, size, gap)) for gap in gaps}
        floor = error(small, ruler[1], 1)
        with tempfile.TemporaryDirectory() as folder:
            for i, photo in enumerate(photos):
                write_image(Path(folder) / f"{i:03d}.png", photo)
            for style in args.styles:
                painting = next((args.shared / "data/paintings").glob(f"{style}.*"))
                job = Video(
                    f"{folder}/%03d.png", str(painting), quality=args.quality, size=args.size, threads=1, **options
                )
                paper = Video(job.content, str(painting), quality="ruder", size=args.size, threads=1, **options)
                (ours, cost) = painted(job)
                (theirs, other) = painted(paper) if args.against == "ruder" else alone(job, Path(folder))
                marks = [scored(args.shared, m[-1], small[-1], painting, args.size) for m in (ours, theirs)]
                row = {
                    "E1": error(ours, ruler[1], 1) / error(theirs, ruler[1], 1),
                    "E5": error(ours, ruler[gaps[1]], gaps[1]) / error(theirs, ruler[gaps[1]], gaps[1]),
                    "sharp": sharpness(torch.cat(ours[-2:])) / sharpness(torch.cat(theirs[-2:])),
                    "style": marks[0]["style"] / marks[1]["style"],
                    "content": marks[0]["content"] / marks[1]["content"],
                    "occluded": occluded(ours, theirs, ruler[1]),
                    "cpu": cost / other,
                    "luma drift": max(abs(float(x.mean() - y.mean())) for x, y in zip(ours, theirs, strict=True)),
                    "E1 of its own": error(ours, ruler[1], 1),
                    "E1 of the photographs": floor,
                }
                rows[f"{clip} {style}"] = {name: round(value, 7 if "of" in name else 4) for name, value in row.items()}
                print(clip, style, rows[f"{clip} {style}"], flush=True)
                if args.out:
                    strip = torch.cat(
                        [torch.cat([small[i], theirs[i], ours[i]], 2) for i in (0, len(ours) // 2, -1)], 3
                    )
                    write_image(args.out / f"{args.quality}-{args.against}-{clip}-{style}.png", strip)
    median = {
        clip: {
            part: round(statistics.median(r[part] for n, r in rows.items() if n.startswith(clip)), 4)
            for part in ("E1", "E5", "sharp", "style", "content", "occluded", "cpu", "luma drift")
        }
        for clip in args.clips
    }
    name = f"video_{args.quality}{'' if args.against == 'alone' else '_' + args.against}.json"
    settings = {"size": args.size, "frames": args.frames, "against": args.against, "set": options}
    write(Path(__file__).parent / "results" / name, settings | {"median": median, "rows": rows})


if __name__ == "__main__":
    main()
