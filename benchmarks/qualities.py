"""What each quality of `impasto stylize` takes and gives: one pass, refined, quick, and best by `lite`.

    python benchmarks/qualities.py --shared ../shared [--size 512] [--sheet FILE]

Six pairs (every second one of `benchmarks/lite_quality.py`), each in every manner in turn; errors by the yardstick
(`../shared/tools/score.py`), and seconds of painting, without reading and writing.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from common import write
from lite_quality import PAIRS, found
from torch import Tensor
from torch.nn import functional

from impasto.features import load_encoder
from impasto.media import read_image, sheet, write_image
from impasto.memory import keep_freed_memory
from impasto.methods.instant import instant, open_painter
from impasto.methods.presets import quality
from impasto.methods.regions import whole
from impasto.methods.stylize import stylize

QUALITIES = ("instant", "refined", "quick", "best")


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--shared", type=Path, default=Path("../shared"))
    a.add_argument("--size", type=int, default=512)
    a.add_argument("--sheet", type=Path)
    args = a.parse_args()
    keep_freed_memory()
    sys.path.insert(0, str(args.shared / "tools"))
    from score import score

    encoder, painter = load_encoder("lite", precision="auto"), open_painter(precision="auto")

    def painted(name: str, content: Tensor, style: Tensor) -> Tensor:
        settings = quality(name).changed(size=args.size, encoder="lite")
        if name == "instant":
            return instant(painter, content, whole(style), settings)
        first = instant(painter, content, whole(style), settings) if settings.init == "instant" else None
        for step in stylize(encoder, content, style, settings, init=first):
            last = step
        return last.image()

    rows, shown = [], []
    for names in PAIRS[::2]:
        paths = [found(args.shared, n) for n in names]
        content, style = (read_image(p).pixels for p in paths)
        row: dict[str, dict[str, float]] = {}
        pictures = [content]
        for name in QUALITIES:
            began = time.perf_counter()
            pictures.append(painted(name, content, style))
            seconds = time.perf_counter() - began
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "made.png"
                write_image(file, pictures[-1])
                row[name] = score(str(file), *map(str, paths), args.size) | {"seconds": round(seconds, 2)}
        print(paths[0].stem, paths[1].stem, row, flush=True)
        rows.append(row)
        shown.append([functional.interpolate(p, (288, 384)) for p in pictures])
    parts = ("content", "style", "moments", "seconds")
    mean = {q: {p: round(statistics.fmean(r[q][p] for r in rows), 4) for p in parts} for q in QUALITIES}
    write(Path(__file__).parent / "results" / "qualities.json", {"size": args.size, "mean": mean, "rows": rows})
    if args.sheet:
        write_image(args.sheet, sheet(shown, [""] * len(shown), ["photograph", *QUALITIES]))


if __name__ == "__main__":
    main()
