"""One pass for any style: quality by the yardstick on pairs never seen in training, and milliseconds a frame.

    python benchmarks/instant.py --shared ../shared [--model FILE] [--pairs 100] [--microast FOLDER] [--before CHECKOUT]

The pairs are those of `../shared/tools/peer_microast.json`, ten photographs by ten paintings that `make any` keeps out
of the training. With a clone of MicroAST (Wang et al. 2023; github.com/EndyWon/MicroAST, whose weights are in it) every
frame and every painting is timed beside its, in turns; and with a checkout of an earlier commit beside that of its
`any`, in a process of its own.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from common import seconds, write
from torch import Tensor

from impasto.media import read_image, write_image
from impasto.memory import keep_freed_memory
from impasto.methods.instant import instant, open_painter, painting_vector
from impasto.methods.regions import StyleImage, scaled
from impasto.methods.settings import StylizeSettings


class MicroAST:
    """The peer's own network and weights.

    Args:
        folder: a clone of github.com/EndyWon/MicroAST.
    """

    def __init__(self, folder: Path) -> None:
        sys.path.insert(0, str(folder))
        net = importlib.import_module("net_microAST")
        self.content, self.style = net.Encoder(), net.Encoder()
        self.modulator, self.decoder = net.Modulator(), net.Decoder()
        parts = {"content_encoder": self.content, "style_encoder": self.style}
        for name, part in (parts | {"modulator": self.modulator, "decoder": self.decoder}).items():
            part.load_state_dict(torch.load(folder / "models" / f"{name}_iter_160000.pth.tar"))
            part.eval()

    def describe(self, painting: Tensor) -> tuple[Any, ...]:
        """What it makes of a painting once."""
        found = self.style(painting)
        return found, *self.modulator(found)

    def __call__(self, frame: Tensor, style: tuple[Any, ...]) -> Tensor:
        painted: Tensor = self.decoder(self.content(frame), *style, 1.0)
        return painted


#: What is timed.
TIMED = ("frame", "painting", "before_frame", "microast_frame", "microast_painting")
#: Run in an earlier checkout: the sides of a picture in, milliseconds of a frame out.
EARLIER = """
import sys, time, torch
from impasto.methods.instant import open_painter
torch.set_num_threads(int(sys.argv[1]))
painter = open_painter("any")
vector = painter.describe(torch.rand(1, 3, 512, 512))
for line in sys.stdin:
    picture = torch.rand(1, 3, *map(int, line.split()))
    with torch.inference_mode():
        began = time.perf_counter()
        painter(picture, vector)
        print(time.perf_counter() - began, flush=True)
"""


class Earlier:
    """The network of an earlier commit, by its own code.

    Args:
        checkout: of that commit.
    """

    def __init__(self, checkout: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", EARLIER, str(torch.get_num_threads())],
            env=os.environ | {"PYTHONPATH": str(checkout / "src")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def seconds(self, frame: Tensor) -> float:
        """Of one frame of that size."""
        assert self.process.stdin is not None and self.process.stdout is not None
        print(*frame.shape[2:], file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--shared", type=Path, default=Path("../shared"))
    a.add_argument("--model", help="a file, or a packaged model's name")
    a.add_argument("--pairs", type=int, default=100)
    a.add_argument("--size", type=int, default=512)
    a.add_argument("--keep", type=Path, help="a folder for the pictures")
    a.add_argument("--microast", type=Path, help="a clone of its repository, to be timed")
    a.add_argument("--before", type=Path, help="a checkout of an earlier commit, to be timed")
    a.add_argument("--quick", action="store_true", help="time only, no scores")
    args = a.parse_args()
    keep_freed_memory()
    sys.path.insert(0, str(args.shared / "tools"))
    from score import score

    rows = json.loads((args.shared / "tools" / "peer_microast.json").read_text())["rows"]
    rows = rows[:: max(1, len(rows) // args.pairs)]
    painter, settings = open_painter(args.model), StylizeSettings(size=args.size)
    micro = MicroAST(args.microast) if args.microast else None
    earlier = Earlier(args.before.resolve()) if args.before else None
    found: list[dict[str, Any]] = []
    times: dict[str, list[float]] = {n: [] for n in TIMED}
    with tempfile.TemporaryDirectory() as folder:
        for row in rows:
            photo = args.shared / "data" / "photos" / row["c"]
            painting = args.shared / "data" / "paintings" / row["s"]
            content = read_image(photo).pixels
            style = StyleImage(read_image(painting).pixels)
            frame = scaled(content, args.size)
            vector = painting_vector(painter, [style])
            picture = scaled(style.pixels(), args.size)
            with torch.inference_mode():
                times["painting"].append(seconds(lambda: painter.describe(picture)))  # noqa: B023
                times["frame"].append(seconds(lambda: painter(frame, vector)))  # noqa: B023
                if earlier is not None:
                    times["before_frame"].append(earlier.seconds(frame))
                if micro is not None:
                    known = micro.describe(picture)
                    times["microast_painting"].append(seconds(lambda: micro.describe(picture)))  # noqa: B023
                    times["microast_frame"].append(seconds(lambda: micro(frame, known)))  # noqa: B023
            if args.quick:
                continue
            target = (args.keep or Path(folder)) / f"{photo.stem}_{painting.stem}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            write_image(target, instant(painter, content, vector, settings))
            found.append({"c": row["c"], "s": row["s"]} | score(str(target), str(photo), str(painting)))
            print(json.dumps(found[-1]), flush=True)
    names = [n for n in (found[0] if found else {}) if n not in "cs"]
    result = {
        "model": args.model or "any",
        "pairs": len(rows),
        "size": args.size,
        "ms": {n: round(1000 * statistics.median(t), 1) for n, t in times.items() if t},
        "mean": {n: round(statistics.fmean(r[n] for r in found), 4) for n in names},
        "microast": {n: round(statistics.fmean(r[n] for r in rows), 4) for n in names},
        "microast_ms_recorded": round(statistics.median(r["ms"] for r in rows), 1),
    }
    if args.quick:
        print(json.dumps(result, indent=1))
    else:
        write(Path(__file__).parent / "results" / "instant.json", result)


if __name__ == "__main__":
    main()
