"""How much a network flickers where a picture only moves: by whole pixels, so that the truth is known.

    python benchmarks/steady.py --shared ../shared [--model FILE …] [--size 384] [--score]

Four photographs of the yardstick (`benchmarks/instant.py`) in four paintings. Two views of a photograph, one moved down
and right by 1 to 16 pixels, are painted; the mean squared difference of what both show, of values in [0, 1], is taken
inside, 32 pixels from the border. `moved`: with the statistics of the first view and the origin of each
(`Painter.held`, `Painter.moved`); what is left comes from beyond the views' borders, further inside than `halo` nothing
is. `--score`: content and style of the same pairs at 512, by the yardstick's VGG-19.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from common import write
from torch import Tensor

from impasto.media import read_image, write_image
from impasto.methods.instant import Painter, instant, open_painter, painting_vector
from impasto.methods.regions import StyleImage, scaled
from impasto.methods.settings import StylizeSettings

PHOTOS = ("100075.jpg", "15004.jpg", "238011.jpg", "66039.jpg")
PAINTINGS = ("002937.jpg", "picasso_self_portrait.jpg", "tahiti_guaguin.jpg", "vg_olive.jpg")
SHIFTS = (1, 2, 4, 8, 16)
BORDER = 32


def difference(still: Tensor, moved: Tensor, by: int) -> float:
    """Of two views `(1, 3, H, W)`, the second `by` pixels down and right, where both are `BORDER` pixels inside."""
    ours = still[..., by:, by:], moved[..., : moved.shape[2] - by, : moved.shape[3] - by]
    a, b = (x[..., BORDER:-BORDER, BORDER:-BORDER] for x in ours)
    return (a - b).square().mean().item()


@torch.inference_mode()
def flicker(painter: Painter, photo: Tensor, vector: Tensor) -> dict[str, dict[int, float]]:
    """By shifts: as pictures are painted one by one, and with statistics held and the origin known."""
    height, width = (int(n) - SHIFTS[-1] for n in photo.shape[2:])
    views = {by: photo[..., by : by + height, by : by + width] for by in (0, *SHIFTS)}
    alone = {by: painter(view, vector) for by, view in views.items()}
    shot = painter.held()
    known = {by: shot.moved((by, by))(view, vector) for by, view in views.items()}
    return {
        "alone": {by: difference(alone[0], alone[by], by) for by in SHIFTS},
        "moved": {by: difference(known[0], known[by], by) for by in SHIFTS},
    }


def measured(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """What a model's pairs come to on average."""
    painter, found, scores = open_painter(name), [], []
    for photo, painting in itertools.product(PHOTOS, PAINTINGS):
        paths = args.shared / "data" / "photos" / photo, args.shared / "data" / "paintings" / painting
        pixels = read_image(paths[0]).pixels
        vector = painting_vector(painter, [StyleImage(read_image(paths[1]).pixels)])
        found.append(flicker(painter, scaled(pixels, args.size), vector))
        if args.score:
            from score import score

            with tempfile.TemporaryDirectory() as folder:
                target = Path(folder) / "painted.png"
                write_image(target, instant(painter, pixels, vector, StylizeSettings(size=512)))
                scores.append(score(str(target), *map(str, paths)))
    result: dict[str, Any] = {
        kind: {by: float(f"{statistics.fmean(f[kind][by] for f in found):.3g}") for by in SHIFTS} for kind in found[0]
    }
    names = ("content", "style", "moments") if scores else ()
    return result | {n: round(statistics.fmean(s[n] for s in scores), 4) for n in names}


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--shared", type=Path, default=Path("../shared"))
    a.add_argument("--model", nargs="+", default=["any"], help="files, or packaged models' names")
    a.add_argument("--size", type=int, default=384)
    a.add_argument("--score", action="store_true")
    args = a.parse_args()
    sys.path.insert(0, str(args.shared / "tools"))
    models = {Path(name).stem: measured(name, args) for name in args.model}
    write(
        Path(__file__).parent / "results" / "steady.json",
        {"pairs": len(PHOTOS) * len(PAINTINGS), "size": args.size, "models": models},
    )


if __name__ == "__main__":
    main()
