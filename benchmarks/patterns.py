"""What shows of networks' cells and weaves: `Blocks` and `Spectrum` of their pictures, beside those of photographs.

    python benchmarks/patterns.py --shared ../shared [--paintings build/models/gallery] [any gallery FILE …]

Pictures of 512 pixels: for any style every fifth of the hundred pairs of `benchmarks/instant.py`; for a model's own
styles each of them on one of the same photographs, beside the paintings of these names in `--paintings`. Photographs
have no spectrum to keep; a painting's lower half beside all of it says what remains where nothing is wrong.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
from collections.abc import Iterator
from pathlib import Path

from common import write
from torch import Tensor

from impasto.media import read_image
from impasto.memory import keep_freed_memory
from impasto.methods.instant import STYLE_SIDE, Painter, open_painter
from impasto.methods.regions import scaled
from impasto.networks.patterns import Blocks, Spectrum, spectrum

RESULT = Path(__file__).parent / "results" / "patterns.json"


def opened(path: Path, size: int = STYLE_SIDE) -> Tensor:
    return scaled(read_image(path).pixels, size)


def painted(
    painter: Painter, pairs: list[tuple[Path, Path]], paintings: Path, size: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """The model's pictures, each with its painting."""
    if painter.model.any_style:
        for photo, path in pairs:
            painting = opened(path)
            yield painter(opened(photo, size), painter.describe(painting)), painting
        return
    photos = itertools.cycle(photo for photo, _ in pairs)
    for photo, (name, vector) in zip(photos, painter.model.styles.items(), strict=False):
        yield painter(opened(photo, size), vector[None]), opened(next(paintings.glob(f"{name}.*")))


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("models", nargs="*", default=["any", "gallery", "live"])
    a.add_argument("--shared", type=Path, default=Path("../shared"))
    a.add_argument("--paintings", type=Path, default=Path("build/models/gallery"))
    a.add_argument("--size", type=int, default=512)
    args = a.parse_args()
    keep_freed_memory()
    data = args.shared / "data"
    found = json.loads((args.shared / "tools" / "peer_microast.json").read_text())["rows"][::5]
    pairs = [(data / "photos" / row["c"], data / "paintings" / row["s"]) for row in found]
    blocks: dict[str, list[float]] = {}
    fine: dict[str, list[float]] = {}
    for model in args.models:
        for picture, painting in painted(open_painter(model), pairs, args.paintings, args.size):
            blocks.setdefault(model, []).append(Blocks()(picture, {}).item())
            fine.setdefault(model, []).append(Spectrum(spectrum(painting))(picture, {}).item())
    for photo, path in pairs:
        painting = opened(path)
        blocks.setdefault("photographs", []).append(Blocks()(opened(photo, args.size), {}).item())
        half = painting[..., painting.shape[2] // 2 :, :]
        fine.setdefault("halves of paintings", []).append(Spectrum(spectrum(painting))(half, {}).item())
    result = {
        term: {name: round(statistics.fmean(v), 4) for name, v in by_name.items()}
        for term, by_name in (("blocks", blocks), ("spectrum", fine))
    }
    write(RESULT, {"pairs": len(pairs), "size": args.size} | result)


if __name__ == "__main__":
    main()
