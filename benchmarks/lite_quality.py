"""How well the packaged encoder stands in for VGG-19: what VGG-19 sees after each has made the same number of steps.

    python benchmarks/lite_quality.py --shared ../shared [--steps 150] [--size 256] [--style-weight 10]

Twelve pairs; style and content errors by the yardstick (`../shared/tools/score.py`) at the same size, and once more
with 5 rows and 7 columns cut off picture and content (`displaced`), so that VGG-19's pools see what lay between their
cells. Each pair is written when it is done; run again, VGG-19's part is not repeated. `--sheet FILE` puts the pictures
side by side.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from common import write
from torch import Tensor

from impasto.features import Encoder, load_encoder
from impasto.media import read_image, sheet, write_image
from impasto.memory import keep_freed_memory
from impasto.methods.regions import scaled
from impasto.methods.settings import StylizeSettings
from impasto.methods.stylize import stylize

#: Every second pair has a photograph and a painting that `make lite` keeps apart.
PAIRS = (
    ("seed_figures/tubingen", "seed_figures/starry_night"),
    ("photos/100075", "paintings/002937"),
    ("seed_figures/golden_gate", "seed_figures/the_scream"),
    ("photos/118035", "paintings/2"),
    ("photos/24063", "paintings/candy"),
    ("photos/155060", "paintings/asheville"),
    ("photos/35058", "paintings/la_muse"),
    ("photos/187083", "paintings/blue_swirls"),
    ("photos/113044", "paintings/mosaic"),
    ("photos/22090", "paintings/edtaonisl"),
    ("photos/299091", "paintings/vg_wheat_field"),
    ("photos/12003", "paintings/feathers"),
)


def found(shared: Path, name: str) -> Path:
    """The picture of that name, whatever its suffix."""
    path = shared / "data" / name
    return path if path.exists() else next(path.parent.glob(f"{path.name}.*"))


def painted(encoder: Encoder, content: Tensor, style: Tensor, settings: StylizeSettings) -> tuple[Tensor, float]:
    """The picture, and the median seconds of a step."""
    steps, times, before = stylize(encoder, content, style, settings), [], time.perf_counter()
    for step in steps:
        times.append(time.perf_counter() - before)
        image, before = step.image(), time.perf_counter()
    return image, statistics.median(times)


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--shared", type=Path, default=Path("../shared"))
    a.add_argument("--steps", type=int, default=150)
    a.add_argument("--size", type=int, default=256)
    a.add_argument("--style-weight", type=float, default=10.0, help="of lite's runs; VGG-19 has the default")
    a.add_argument("--lite", help="another file of weights")
    a.add_argument("--pairs", type=int, default=len(PAIRS))
    a.add_argument("--only", choices=("vgg19", "lite"))
    a.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "lite_quality.json")
    a.add_argument("--sheet", type=Path)
    args = a.parse_args()
    keep_freed_memory()
    sys.path.insert(0, str(args.shared / "tools"))
    from score import score

    kept: dict[str, Any] = json.loads(args.out.read_text())["pairs"] if args.out.exists() else {}
    if args.only != "vgg19":
        for row in kept.values():
            row.pop("lite", None)  # of other weights, perhaps: a mean must not mix them
    vgg = load_encoder("vgg19-caffe", weights=args.shared / "weights", precision="auto")
    lite = load_encoder("lite", weights=args.lite, precision="auto")
    settings = StylizeSettings(size=args.size, steps=args.steps, scales=1)
    work = Path(tempfile.gettempdir()) / "lite_quality"
    work.mkdir(exist_ok=True)
    rows = []
    for names in PAIRS[: args.pairs]:
        paths = [found(args.shared, n) for n in names]
        content, style = (read_image(p).pixels for p in paths)
        key = f"{paths[0].stem} x {paths[1].stem}"
        row = kept.setdefault(key, {})
        for name, encoder in (("vgg19", vgg), ("lite", lite)):
            picture = work / f"{paths[0].stem}_{paths[1].stem}_{name}.png"
            if args.only not in (None, name) or (name == "vgg19" and name in row and picture.exists()):
                continue
            own = settings.changed(encoder=encoder.name, style_weight=args.style_weight if name == "lite" else 10.0)
            pixels, seconds = painted(encoder, content, style, own)
            write_image(picture, pixels)
            row[name] = score(str(picture), str(paths[0]), str(paths[1]), args.size) | {"seconds": round(seconds, 4)}
            moved = [work / "moved.png", work / "moved_content.png"]
            for file, shown in zip(moved, (pixels, scaled(content, args.size)), strict=True):
                write_image(file, shown[..., 5:, 7:])
            seen = score(*map(str, moved), str(paths[1]), args.size)
            row[name] |= {f"displaced_{part}": seen[part] for part in ("style", "content")}
            print(key, name, {k: round(v, 4) for k, v in row[name].items()}, flush=True)
        done = [r for r in kept.values() if len(r) == 2]
        write(args.out, {"steps": args.steps, "size": args.size, "mean": means(done), "pairs": kept})
        made = [work / f"{paths[0].stem}_{paths[1].stem}_{n}.png" for n in ("vgg19", "lite")]
        if args.sheet and all(p.exists() for p in made):
            pictures = [scaled(p, 256) for p in (content, style)] + [read_image(p).pixels for p in made]
            rows.append([torch.nn.functional.interpolate(p, (192, 256)) for p in pictures])
    if rows:
        write_image(args.sheet, sheet(rows, [""] * len(rows), ["content", "style", "VGG-19", "lite"]))


def means(done: list[Any]) -> dict[str, float]:
    """Over the pairs that are complete."""
    if not done:
        return {}
    mean = {
        f"{part}_{name}": round(statistics.fmean(r[name][part] for r in done), 4)
        for part in ("style", "content", "moments", "seconds", "displaced_style", "displaced_content")
        for name in ("vgg19", "lite")
    }
    return mean | {"style_ratio": round(mean["style_lite"] / mean["style_vgg19"], 3), "pairs": len(done)}


if __name__ == "__main__":
    main()
