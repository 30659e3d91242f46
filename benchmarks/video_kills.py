"""Whether a video that is killed and started again, or painted by several processes, is the same to the byte; and what
its length takes in memory.

    python benchmarks/video_kills.py [--quality instant] [--kills 10]
    python benchmarks/video_kills.py --memory

Four photographs under a moving camera make a clip of four shots. It is painted undisturbed; then with kill -9 at random
moments after its first frame was painted, each time started again; then by 2 and by 4 workers. The frames' hashes are
compared. `--memory`: peak of 100 and of 2,000 frames of 64x48.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from common import write
from PIL import Image
from skimage import data

from impasto.media.video import VideoWriter
from impasto.pictures.resample import lanczos

RESULTS = Path(__file__).parent / "results"
COMMAND = [sys.executable, "-c", "from impasto.cli import main; main()", "video"]
#: The same, and its peak in kB after it: not `ru_maxrss`, which begins with that of the parent.
PEAK = [sys.executable, "-c", """
from impasto.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
""", "video"]  # fmt: skip


def clip(path: Path, frames: int, size: tuple[int, int]) -> None:
    """Shots of so many frames each, `(H, W)`."""
    photos = (data.astronaut(), data.coffee(), data.chelsea(), data.rocket())
    with VideoWriter(str(path), Fraction(24), None) as writer:
        for shot, photo in enumerate(photos):
            large = lanczos(
                torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255,
                (size[0] + frames, size[1] + frames),
            )
            for i in range(frames):
                writer.write(large[..., i : i + size[0], i // 2 : i // 2 + size[1]], (shot * frames + i) / 24)


def hashes(folder: Path) -> list[str]:
    """Of the pixels of all frames."""
    return [hashlib.sha256(Image.open(f).tobytes()).hexdigest() for f in sorted(folder.glob("*.png"))]


def killed(command: list[str], out: Path, kills: int, environment: dict[str, str]) -> int:
    """Run it, kill it so many times, and let it end; how often it was killed."""
    done, work = 0, Path(f"{out}.impasto")
    while True:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = len(list(work.glob("**/*.png")))
        while process.poll() is None and len(list(work.glob("**/*.png"))) <= before:
            time.sleep(0.02)
        if done < kills and process.poll() is None:
            time.sleep(random.random() * 0.7)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                done += 1
        if process.wait() == 0:
            return done


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--quality", default="instant")
    a.add_argument("--kills", type=int, default=10)
    a.add_argument("--memory", action="store_true")
    args = a.parse_args()
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        painting = folder / "painting.png"
        Image.fromarray(data.colorwheel()).convert("RGB").resize((256, 256)).save(painting)
        if args.memory:
            peaks = {}
            for frames in (25, 500):
                clip(folder / "clip.mp4", frames, (48, 64))
                words = [str(folder / "clip.mp4"), str(painting), "-o", str(folder / "out.mp4"), "--force", "--quiet"]
                done = subprocess.run([*PEAK, *words], env=environment, check=True, capture_output=True, text=True)
                peaks[4 * frames] = round(int(done.stdout) / 1024)
            found: dict[str, Any] = {"peak MB by frames": peaks, "ratio": round(peaks[2000] / peaks[100], 3)}
            write(RESULTS / "video_memory.json", found)
            return
        clip(folder / "clip.mp4", 18, (180, 240))

        def words(name: str) -> list[str]:
            base = [*COMMAND, str(folder / "clip.mp4"), str(painting), "--quality", args.quality, "--threads", "1"]
            return [*base, "--quiet", "-o", str(folder / name / "%04d.png")]

        subprocess.run(words("whole"), env=environment, check=True)
        whole = hashes(folder / "whole")
        found = {"frames": len(whole), "quality": args.quality}
        found["kills"] = killed(words("killed"), folder / "killed" / "%04d.png", args.kills, environment)
        found["same after kills"] = hashes(folder / "killed") == whole
        for workers in (2, 4):
            subprocess.run([*words(f"by{workers}"), "--workers", str(workers)], env=environment, check=True)
            found[f"same by {workers} workers"] = hashes(folder / f"by{workers}") == whole
    write(RESULTS / f"video_kills_{args.quality}.json", found)


if __name__ == "__main__":
    main()
