"""Frames a second of `impasto live` with a packaged network, tied and each frame by itself, beside another checkout.

    python benchmarks/live.py [--other CHECKOUT] [--style storm] [--times 3]

A photograph under a moving camera, 640x360, is written as a video and painted by the command into another one. What a
frame takes is the difference between a long and a short run, so that starting counts for nothing: wall time and
processor time, milliseconds, the median of runs that take turns.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import torch
from common import write
from skimage import data

from impasto.media.video import VideoWriter
from impasto.pictures.resample import lanczos

SHORT, LONG = 20, 140


def clip(path: Path) -> None:
    """A camera moves over a photograph and turns back."""
    photo = torch.from_numpy(data.astronaut().copy()).permute(2, 0, 1)[None].float() / 255
    large = lanczos(photo, (800, 800))
    with VideoWriter(str(path), Fraction(30), None) as writer:
        for i in range(LONG):
            at = min(i, LONG - i)
            writer.write(large[..., 60 + at : 420 + at, 20 + 2 * at : 660 + 2 * at], i / 30)


def painted(source: Path, video: Path, frames: int, *words: str) -> tuple[float, float]:
    """Seconds and processor seconds of a run by the sources of a checkout."""
    environment = os.environ | {"PYTHONPATH": str(source / "src")}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-c", "from impasto.cli import main; main()", "live", str(video)]
    command += ["--size", "640", "--frames", str(frames), "-o", str(video.parent / "out.mp4"), "--force", "--quiet"]
    subprocess.run([*command, *words], env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - began, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--other", type=Path, help="a checkout whose live paints each frame by itself")
    a.add_argument("--style", default="storm")
    a.add_argument("--times", type=int, default=3)
    args = a.parse_args()
    here = Path(__file__).resolve().parents[1]
    ways = {"tied": (here, "--consistency", "1"), "by itself": (here, "--consistency", "0")}
    if args.other:
        ways["other checkout"] = (args.other.resolve(),)
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "clip.mp4"
        clip(video)
        for _ in range(args.times):
            for way, (source, *words) in ways.items():
                short, long = (painted(source, video, n, "--style", args.style, *words) for n in (SHORT, LONG))
                wall, cpu = ((b - a) / (LONG - SHORT) * 1000 for a, b in zip(short, long, strict=True))
                found[way].append((wall, cpu))
                print(f"{way}: {wall:.1f} ms, {cpu:.1f} CPU ms", flush=True)
    medians = {way: [statistics.median(v[i] for v in runs) for i in (0, 1)] for way, runs in found.items()}
    rows = {
        way: {"ms": round(wall, 1), "cpu ms": round(cpu, 1), "frames/s": round(1000 / wall, 1)}
        for way, (wall, cpu) in medians.items()
    }
    base = medians.get("other checkout", medians["by itself"])[0]
    write(here / "benchmarks/results/live.json", {"rows": rows, "tied": round(medians["tied"][0] / base, 3)})


if __name__ == "__main__":
    main()
