"""Whether a large picture in one pass, reduced, is as good as its preview: the yardstick's style and content at 512.

    python benchmarks/growth.py --shared ../shared [--model FILE] [--pairs 10] [--size 2048]

Each pair is painted at 512, at `--size` in passes that grow (`impasto.methods.growth`), and at that size in a single
pass, as before; the last two are scored reduced to 512.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from common import seconds, write

from impasto.media import read_image, write_image
from impasto.memory import keep_freed_memory
from impasto.methods.instant import instant, open_painter, painting_vector
from impasto.methods.regions import StyleImage
from impasto.methods.settings import StylizeSettings


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--shared", type=Path, default=Path("../shared"))
    a.add_argument("--model", help="a file, or a packaged model's name")
    a.add_argument("--pairs", type=int, default=10)
    a.add_argument("--size", type=int, default=2048)
    a.add_argument("--keep", type=Path, help="a folder for the pictures")
    args = a.parse_args()
    keep_freed_memory()
    sys.path.insert(0, str(args.shared / "tools"))
    from score import score

    rows = json.loads((args.shared / "tools" / "peer_microast.json").read_text())["rows"]
    # Ten photographs by ten paintings in turn: each pair has another of both.
    rows = [row for i, row in enumerate(rows) if (i // 10 + i % 10) % 10 == 0][: args.pairs]
    painter, found = open_painter(args.model), list[dict[str, Any]]()
    with tempfile.TemporaryDirectory() as folder:
        for row in rows:
            photo, painting = args.shared / "data" / "photos" / row["c"], args.shared / "data" / "paintings" / row["s"]
            content = read_image(photo).pixels
            vector = painting_vector(painter, [StyleImage(read_image(painting).pixels)])
            result: dict[str, Any] = {"c": row["c"], "s": row["s"]}
            for name, size, grow in (("small", 512, True), ("grown", args.size, True), ("single", args.size, False)):
                target = (args.keep or Path(folder)) / f"{photo.stem}_{painting.stem}_{name}.png"
                target.parent.mkdir(parents=True, exist_ok=True)
                made = list[torch.Tensor]()

                def paint(size: int = size, grow: bool = grow) -> None:
                    made.append(instant(painter, content, vector, StylizeSettings(size=size), grow=grow))  # noqa: B023

                result[f"{name}_seconds"] = seconds(paint)
                write_image(target, made[0])
                errors = score(str(target), str(photo), str(painting))
                result |= {f"{name}_style": errors["style"], f"{name}_content": errors["content"]}
            found.append(result)
            print(json.dumps(result), flush=True)
    names = [n for n in found[0] if n not in "cs"]
    mean = {n: round(statistics.fmean(r[n] for r in found), 4) for n in names}
    target = Path(__file__).parent / "results" / "growth.json"
    write(target, {"pairs": len(found), "size": args.size, "mean": mean})


if __name__ == "__main__":
    main()
