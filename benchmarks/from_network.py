"""Optimization begun from a trained network's picture, beside optimization begun from the photograph.

    python benchmarks/from_network.py build/train_minutes/impasto.safetensors --shared ../shared

Ten of the photographs that `benchmarks/train_minutes.py` keeps apart, with its objective and at its size: L-BFGS in the
levels of a pyramid with `lite` from each start, judged by VGG-19 after a few steps; from the network's also with a
lower style weight, which returns to the content what the network gave away.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from common import write
from torch import Tensor
from train_minutes import LOSS, held_out, means, objective_settings, parts

from impasto.features import Encoder, load_encoder
from impasto.media import read_image
from impasto.memory import keep_freed_memory
from impasto.methods.instant import open_painter
from impasto.methods.regions import scaled
from impasto.methods.stylize import stylize

RESULT = Path(__file__).parent / "results" / "from_network.json"
#: Steps after which the picture is looked at.
LOOKS = (5, 8, 10, 20, 40)
#: Of the second run from the network's picture; the objective's own is 5.
LOWER = 3.0


def followed(
    encoder: Encoder, judge: Encoder, content: Tensor, style: Tensor, start: Tensor | None, style_weight: float
) -> dict[int, dict[str, float]]:
    """What the judge sees after so many steps from `start`, or from the photograph."""
    settings = objective_settings(content, style, max(LOOKS), "optimization")
    settings = settings.changed(optimizer="lbfgs", style_weight=style_weight)
    run = stylize(encoder, content, style, settings, init=start)
    return {s.step: parts(judge, s.image(), content, style) for s in run if s.step in LOOKS}


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("model", type=Path)
    a.add_argument("--shared", type=Path, default=Path("../shared"))
    a.add_argument("--painting", type=Path, help="Starry Night if not given")
    a.add_argument("--photos-held", type=int, default=20, help="of which every second is painted")
    a.add_argument("--size", type=int, default=256)
    args = a.parse_args()
    keep_freed_memory()
    painting = args.painting or next((args.shared / "data" / "seed_figures").glob("starry_night.*"))
    painter = open_painter(args.model)
    vector = painter.model.blended(dict.fromkeys(painter.model.styles, 1.0))
    lite, vgg19 = load_encoder("lite"), load_encoder("vgg19-caffe", weights=str(args.shared / "weights"))
    style = scaled(read_image(painting).pixels, 512)
    rows: list[dict[str, Any]] = []
    for path in held_out(args.shared, args.photos_held)[::2]:
        content = scaled(read_image(path).pixels, args.size)
        made = painter(content, vector).clamp(0, 1)
        row: dict[str, Any] = {"photo": path.name, "network": {"vgg19": parts(vgg19, made, content, style)}}
        own = LOSS.style_weight
        for start, image, weight in (("network", made, own), ("lower", made, LOWER), ("photograph", None, own)):
            seen = followed(lite, vgg19, content, style, image, weight)
            row |= {f"{start}+{step}": {"vgg19": found} for step, found in seen.items()}
        rows.append(row)
        print(row, flush=True)
    mean = means(rows, [name for name in rows[0] if name != "photo"], ["vgg19"])
    write(RESULT, {"painting": painting.name, "photos": len(rows), "size": args.size, "mean": mean, "rows": rows})


if __name__ == "__main__":
    main()
