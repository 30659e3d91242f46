"""Frames a second of the packaged networks, batch 1, beside Johnson's; and the memory of one pass at 4096x2160.

    python benchmarks/frames.py [--frames 60]

Networks take turns frame by frame, so that all of them see the same load. The memory is that of the whole command
`impasto stylize photo painting --quality instant`, the largest that its process ever had.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from common import write
from torch import Tensor

from impasto.media import write_image
from impasto.memory import keep_freed_memory
from impasto.methods.instant import open_painter
from impasto.networks.johnson import Johnson

SIZES = ((240, 320), (360, 640))


@torch.inference_mode()
def seconds(network: object, frame: Tensor, style: Tensor) -> float:
    began = time.perf_counter()
    network(frame, style)  # type: ignore[operator]
    return time.perf_counter() - began


def peak() -> float:
    """Gigabytes of one pass at 4096x2160, for a painting."""
    with tempfile.TemporaryDirectory() as name:
        photo, painting = Path(name) / "photo.png", Path(name) / "painting.png"
        write_image(photo, torch.rand(1, 3, 270, 512).repeat_interleave(8, 2).repeat_interleave(8, 3))
        write_image(painting, torch.rand(1, 3, 64, 64).repeat_interleave(8, 2).repeat_interleave(8, 3))
        words = ["stylize", str(photo), str(painting), "-o", str(Path(name) / "o.png"), "--quality", "instant"]
        process = subprocess.Popen([sys.executable, "-m", "impasto", *words, "--size", "4096", "--quiet"])
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit("the command failed")
    return usage.ru_maxrss / 1e6


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--frames", type=int, default=60)
    args = a.parse_args()
    keep_freed_memory()
    johnson = Johnson().eval()
    networks: dict[str, tuple[object, Tensor]] = {}
    for name in ("live", "gallery", "any"):
        painter = open_painter(name)
        style = next(iter(painter.model.styles.values()), painter.model.generator.plain_style())  # type: ignore[operator]
        networks[name] = (painter, style[None])
    found: dict[str, dict[str, float]] = {}
    for height, width in SIZES:
        frame = torch.rand(1, 3, height, width)
        times: dict[str, list[float]] = {name: [] for name in (*networks, "johnson")}
        for number in range(args.frames):
            for name, (network, style) in networks.items():
                times[name].append(seconds(network, frame, style))
            if number < 8:  # it takes so long
                times["johnson"].append(seconds(johnson, frame, johnson.plain_style()[None]))
        found[f"{width}x{height}"] = {n: round(1 / statistics.median(t), 1) for n, t in times.items()}
    result = {"frames_per_second": found, "gigabytes_4096x2160": round(peak(), 2)}
    write(Path(__file__).parent / "results" / "frames.json", result)


if __name__ == "__main__":
    main()
