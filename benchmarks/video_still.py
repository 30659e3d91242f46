"""Whether long videos drift, stills stand, and loops close.

    python benchmarks/video_still.py --shared ../shared [--quality instant] [--style la_muse]

`drift`: the largest difference of mean luma from frames painted alone, over the frames of `mountain` (50 at most).
`stills`: one photograph 120 times, as an mp4: the largest difference, in levels of 255, between frames after the 60th.
`loop`: `--loop` over half of these frames, forth and back, so that the film itself closes: mean difference from the
last frame to the first, relative to the median of that between frames.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import torch
from common import write
from torch import Tensor

from impasto.jobs.records import Painted
from impasto.jobs.video import Video
from impasto.media.video import Video as Source
from impasto.media.video import VideoWriter
from impasto.pictures.color import luma


def painted(job: Video) -> list[Tensor]:
    return [r.pixels for r in job.records() if isinstance(r, Painted)]


def jump(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().mean())


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--shared", type=Path, default=Path("../shared"))
    a.add_argument("--quality", default="instant")
    a.add_argument("--style", default="la_muse")
    a.add_argument("--frames", type=int, default=50)
    a.add_argument("--size", type=int, default=320)
    args = a.parse_args()
    painting = str(next((args.shared / "data/paintings").glob(f"{args.style}.*")))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        clip = str(args.shared / "data/video/mountain/frame_%04d.png")
        end = args.frames / float(Source(clip).rate())
        about = {"quality": args.quality, "size": args.size, "threads": 1}
        job = Video(clip, painting, end=end, **about)
        tied, alone = painted(job), painted(job.changed(consistency=0))
        drift = [abs(float((luma(x) - luma(y)).mean())) for x, y in zip(tied, alone, strict=True)]
        half = [f.pixels for f in Source(clip, args.size, end=end / 2).frames()]
        with VideoWriter(str(folder / "there/%04d.png"), Fraction(24)) as writer:
            for i, frame in enumerate([*half, *half[-2:0:-1]]):
                writer.write(frame, i / 24)
        job = Video(str(folder / "there/%04d.png"), painting, **about)
        back = painted(job)
        list(job.changed(loop=True, output=str(folder / "loop/%04d.png")).records())
        looped = [f.pixels for f in Source(str(folder / "loop/%04d.png")).frames()]
        between = statistics.median(jump(x, y) for x, y in zip(looped[1:], looped, strict=False))
        with VideoWriter(folder / "still.mp4", Fraction(24)) as writer:
            for i in range(120):
                writer.write(next(iter(Source(clip, args.size).frames())).pixels, i / 24)
        stills = painted(Video(str(folder / "still.mp4"), painting, **about))
        moved = max(float((x - y).abs().max()) for x, y in pairwise(stills[60:]))
    result = {
        "quality": args.quality,
        "style": args.style,
        "frames": len(tied),
        "drift": round(max(drift), 5),
        "stills": {"frames": len(stills), "levels": round(255 * moved, 3)},
        "loop": {
            "joint": round(jump(looped[0], looped[-1]) / between, 3),
            "without": round(jump(back[0], back[-1]) / between, 3),
        },
    }
    write(Path(__file__).parent / "results" / f"video_still_{args.quality}.json", result)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
