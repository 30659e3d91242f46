"""The table behind `default`: every photograph with every painting, scored by the original VGG-19.

    python benchmarks/default_table.py --shared ../shared [--size 256] [--set style_weight=7 …] [--out …]

Scores are those of `shared/tools/score.py`; 0 untouched content, lower is better. Pictures are kept in `--pictures`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from common import write

from impasto.features import load_encoder
from impasto.media import read_image, write_image
from impasto.memory import keep_freed_memory
from impasto.methods.presets import quality
from impasto.methods.stylize import stylize

PHOTOS = ("100075", "118035", "161062", "209070", "296007")
PAINTINGS = (
    "candy", "composition_vii", "la_muse", "mosaic", "picasso_self_portrait", "brushstrokes", "frida_kahlo", "feathers"
)  # fmt: skip


def main() -> None:
    a = argparse.ArgumentParser()
    a.add_argument("--shared", type=Path, required=True)
    a.add_argument("--size", type=int, default=256)
    a.add_argument("--encoder", default="lite")
    a.add_argument("--preset", default="best")
    a.add_argument("--set", nargs="*", default=[], help="settings as NAME=VALUE")
    a.add_argument("--photos", nargs="+", default=PHOTOS)
    a.add_argument("--paintings", nargs="+", default=PAINTINGS)
    a.add_argument("--pictures", type=Path, default=Path("build/default_table"))
    a.add_argument("--out", type=Path, default=Path("benchmarks/results/default_table.json"))
    a = a.parse_args()
    keep_freed_memory()
    changes = {name: json.loads(value) for name, value in (item.split("=") for item in a.set)}
    settings = quality(a.preset).changed(size=a.size, encoder=a.encoder, **changes)
    encoder = load_encoder(settings.encoder, weights=a.shared / "weights" if settings.encoder != "lite" else None)
    triples: list[str] = []
    for photo in a.photos:
        for painting in a.paintings:
            content = a.shared / "data" / "photos" / f"{photo}.jpg"
            style = a.shared / "data" / "paintings" / f"{painting}.jpg"
            *_, last = stylize(encoder, read_image(content).pixels, read_image(style).pixels, settings)
            made = a.pictures / f"{photo}-{painting}.png"
            write_image(made, last.image())
            triples += map(str, (made, content, style))
    score = [sys.executable, str(a.shared / "tools" / "score.py"), *triples, "--size", str(a.size)]
    lines = subprocess.run(score, capture_output=True, text=True, check=True).stdout.splitlines()
    rows = {Path(row["output"]).stem: row for row in map(json.loads, lines)}
    mean = {k: sum(r[k] for r in rows.values()) / len(rows) for k in ("content", "style", "style0", "moments")}
    for row in rows.values():
        del row["output"]
    write(a.out, {"settings": settings.as_dict(), "mean": mean, "pairs": rows})


if __name__ == "__main__":
    main()
