"""What optical flow costs: DIS with smoothing, both ways, at 1024×436, in CPU seconds.

python benchmarks/flow.py --shared ../shared
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch
from common import write

from impasto.media.flow import Dis, View, gray_of
from impasto.media.video import Video
from impasto.pictures.resample import lanczos

SIZE = (436, 1024)


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--shared", type=Path, default=Path("../shared"))
    a.add_argument("--pairs", type=int, default=10)
    args = a.parse_args()
    found = Video(str(args.shared / "data/video/mountain/frame_%04d.png")).frames()
    photos = [lanczos(frame.pixels, SIZE) for frame, _ in zip(found, range(args.pairs + 1), strict=False)]
    views, estimate, each = [View(i + 1, gray_of(p)) for i, p in enumerate(photos)], Dis(), []
    for now, before in zip(views[1:], views, strict=False):
        began = time.process_time()
        estimate(now, before)
        each.append(time.process_time() - began)
    result = {"size": SIZE, "pairs": len(each), "cpu": round(statistics.median(each), 3), "most": round(max(each), 3)}
    write(Path(__file__).parent / "results" / "flow.json", result)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
