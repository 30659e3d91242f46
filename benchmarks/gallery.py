"""How near networks of known styles come to their paintings: the parts of their objective, by VGG-19.

    python benchmarks/gallery.py --shared ../shared --paintings build/models/gallery [--model gallery FILE …]

The ten photographs of the yardstick (`tools/make_models.py` keeps them out of the training), each in every style that
all the models know, at 512 pixels. The paintings are those of examples/gallery.py, by the styles' names.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

import torch
from common import write

from impasto.features import load_encoder
from impasto.media import read_image
from impasto.methods.instant import open_painter
from impasto.methods.regions import scaled
from impasto.training.fixed import measured
from impasto.training.loss import LossSettings

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))
from make_models import YARDSTICK

LOSS = LossSettings()


@torch.no_grad()
def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--shared", type=Path, default=Path("../shared"))
    a.add_argument("--paintings", type=Path, default=Path("build/models/gallery"))
    a.add_argument("--model", nargs="+", default=["gallery"])
    a.add_argument("--size", type=int, default=512)
    args = a.parse_args()
    encoder = load_encoder("vgg19-caffe", weights=args.shared / "weights", precision="auto")
    painters = {name: open_painter(name) for name in args.model}
    styles = sorted(set.intersection(*(set(p.model.styles) for p in painters.values())))
    targets = {s: measured(encoder, [args.paintings / f"{s}.png"], LOSS) for s in styles}
    rows = []
    for path in sorted(p for p in (args.shared / "data" / "photos").iterdir() if p.name in YARDSTICK):
        content = scaled(read_image(path).pixels, args.size)
        for style in styles:
            goal = LOSS.objective(encoder, content, targets[style])
            for name, painter in painters.items():
                picture = painter(content, painter.model.blended({style: 1.0})).clamp(0, 1)
                found = goal(picture)[1]
                parts = {
                    "content": found["content"].item() / LOSS.content_weight,
                    "style_error": found["style"].item() / LOSS.style_weight,
                }
                rows.append({"model": name, "photo": path.name, "style": style} | parts)
        print(path.name, flush=True)
    mean = {
        name: {p: round(statistics.fmean(r[p] for r in rows if r["model"] == name), 4) for p in parts}
        for name in painters
    }
    write(
        Path(__file__).parent / "results" / "gallery.json",
        {"size": args.size, "styles": styles, "mean": mean, "rows": rows},
    )


if __name__ == "__main__":
    main()
