"""One pass for any style: quality by the yardstick on pairs never seen in training, and milliseconds a frame.

    python benchmarks/instant.py --shared ../shared [--model FILE] [--pairs 100]

The pairs are those of `../shared/tools/peer_microast.json`, ten photographs by ten paintings that `make any` keeps out
of the training. Every frame is timed beside one of a network of MicroAST's shape (Wang et al. 2023, "MicroAST";
random weights; content encoder and decoder only), in turns.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from common import seconds, write
from torch import Tensor, nn

from impasto.media import read_image, write_image
from impasto.memory import keep_freed_memory
from impasto.methods.instant import instant, open_painter, painting_vector
from impasto.methods.styles import StyleImage, scaled
from impasto.settings import StylizeSettings


class MicroShape(nn.Module):
    """The content path of MicroAST with random weights, to be timed."""

    def __init__(self) -> None:
        super().__init__()

        def thin(inward: int, outward: int, stride: int) -> list[nn.Module]:
            depthwise = nn.Conv2d(inward, inward, 3, stride, 1, groups=inward, padding_mode="reflect")
            return [depthwise, nn.Conv2d(inward, outward, 1), nn.ReLU()]

        def conv(width: int) -> nn.Conv2d:
            return nn.Conv2d(width, width, 3, padding=1, padding_mode="reflect")

        self.down = nn.Sequential(
            nn.Conv2d(3, 16, 9, padding=4, padding_mode="reflect"), nn.ReLU(), *thin(16, 32, 2), *thin(32, 64, 2)
        )
        self.blocks = nn.ModuleList([nn.Sequential(conv(64), nn.ReLU(), conv(64)) for _ in range(4)])
        self.up1 = nn.Sequential(*thin(64, 32, 1))
        self.up2 = nn.Sequential(*thin(32, 16, 1))
        self.last = nn.Conv2d(16, 3, 9, padding=4, padding_mode="reflect")

    def forward(self, x: Tensor) -> Tensor:
        x = self.down(x)
        for block in self.blocks:
            x = x + block(x)
            x = (x - x.mean((2, 3), keepdim=True)) / x.std((2, 3), keepdim=True)
        x = self.up1(F.interpolate(x, scale_factor=2, mode="bilinear"))
        found: Tensor = self.last(self.up2(F.interpolate(x, scale_factor=2, mode="bilinear")))
        return found


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--shared", type=Path, default=Path("../shared"))
    a.add_argument("--model", help="a file, or a packaged model's name")
    a.add_argument("--pairs", type=int, default=100)
    a.add_argument("--size", type=int, default=512)
    a.add_argument("--keep", type=Path, help="a folder for the pictures")
    a.add_argument("--quick", action="store_true", help="time only, no scores")
    args = a.parse_args()
    keep_freed_memory()
    sys.path.insert(0, str(args.shared / "tools"))
    from score import score

    rows = json.loads((args.shared / "tools" / "peer_microast.json").read_text())["rows"]
    rows = rows[:: max(1, len(rows) // args.pairs)]
    painter, settings = open_painter(args.model), StylizeSettings(size=args.size)
    micro = MicroShape().eval()
    found, ours, describing, theirs = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for row in rows:
            photo = args.shared / "data" / "photos" / row["c"]
            painting = args.shared / "data" / "paintings" / row["s"]
            content = read_image(photo).pixels
            style = StyleImage(read_image(painting).pixels)
            frame = scaled(content, args.size)
            describing.append(seconds(lambda: painting_vector(painter, [style])))  # noqa: B023
            vector = painting_vector(painter, [style])
            with torch.inference_mode():
                ours.append(seconds(lambda: painter(frame, vector)))  # noqa: B023
                theirs.append(seconds(lambda: micro(frame)))  # noqa: B023
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
        "ms_frame": round(1000 * statistics.median(ours), 1),
        "ms_describing_a_painting": round(1000 * statistics.median(describing), 1),
        "ms_frame_microast_shape": round(1000 * statistics.median(theirs), 1),
        "mean": {n: round(statistics.fmean(r[n] for r in found), 4) for n in names},
        "microast": {n: round(statistics.fmean(r[n] for r in rows), 4) for n in names},
        "microast_ms": round(statistics.median(r["ms"] for r in rows), 1),
    }
    if args.quick:
        print(json.dumps(result, indent=1))
    else:
        write(Path(__file__).parent / "results" / "instant.json", result)


if __name__ == "__main__":
    main()
