"""Whether each quality takes the painting's colors: twelve pairs of gray, pastel and dark paintings.

    python benchmarks/colors.py --shared ../shared [--size 512] [--qualities instant refined quick best] [--sheet FILE]

The distance is that of Wasserstein between Gaussians of the colors (RGB, 0 to 255) of picture and painting, in levels;
that of the photograph is told, too. `best` is by `lite`, or by what `--encoder` names.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

import torch
from common import write
from torch import Tensor

import impasto
from impasto.media import read_image, sheet, write_image
from impasto.memory import keep_freed_memory
from impasto.methods.regions import scaled

#: Paintings, four gray, four pastel, four dark; the photographs are every seventieth of `photos-more`.
PAINTINGS = (
    "paintings/escher_sphere.jpg",
    "paintings-more/seill__lewis_carroll_alices_7.jpg",
    "paintings-more/cysmith__dark_matter_bw.jpg",
    "paintings-more/se__virginia_woolf_jacobs_room.jpg",
    "paintings-more/seill__beatrix_potter_short_191.jpg",
    "paintings-more/artists2__harmony_in_blue_and_silver_trouville.jpg",
    "paintings-more/palettes__evening_snow_at_kanbara.jpg",
    "paintings-more/palettes__young_hare.jpg",
    "paintings-more/wga__6_06.jpg",
    "paintings-more/palettes__calling_of_saint_matthew.jpg",
    "paintings-more/se__giovanni_boccaccio_the_decameron_john_pa.jpg",
    "paintings-more/masterbot__workshop_of_rembrandt_harmensz_van_rijn_rembrand.jpg",
)


def distance(picture: Tensor, painting: Tensor) -> float:
    """`√(|μ − μ*|² + tr(Σ + Σ* − 2 (Σ*^½ Σ Σ*^½)^½))`, in levels."""
    colors = [255 * x[0, :3].flatten(1).double() for x in (picture, painting)]
    (mean, cov), (goal, goal_cov) = ((x.mean(1), torch.cov(x, correction=0)) for x in colors)
    values, vectors = torch.linalg.eigh(goal_cov)
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T
    common = torch.linalg.eigvalsh(root @ cov @ root).clamp_min(0).sqrt().sum()
    square = (mean - goal).square().sum() + cov.trace() + goal_cov.trace() - 2 * common
    return float(square.clamp_min(0).sqrt())


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--shared", type=Path, default=Path("../shared"))
    a.add_argument("--size", type=int, default=512)
    a.add_argument("--qualities", nargs="+", default=["instant", "refined", "quick", "best"])
    a.add_argument("--encoder", default="lite", help="of best")
    a.add_argument("--pairs", type=int, nargs="+", default=list(range(len(PAINTINGS))))
    a.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "colors.json")
    a.add_argument("--sheet", type=Path)
    args = a.parse_args()
    keep_freed_memory()
    photos = sorted((args.shared / "data" / "photos-more").glob("*.jpg"))[::70]
    rows: list[dict[str, Any]] = []
    shown = []
    for number in args.pairs:
        photo, painting = photos[number], args.shared / "data" / PAINTINGS[number]
        style = scaled(read_image(painting).pixels, args.size)
        content = scaled(read_image(photo).pixels, args.size)
        row: dict[str, Any] = {"photo": photo.name, "painting": painting.name}
        row["photograph"] = round(distance(content, style), 2)
        pictures = [style, content]
        for quality in args.qualities:
            encoder = {"encoder": args.encoder if quality == "best" else "lite", "cache": False}
            encoder = {} if quality == "instant" else encoder
            made = impasto.stylize(str(photo), str(painting), quality=quality, size=args.size, **encoder)
            pictures.append(made.pixels)
            row[quality] = round(distance(made.pixels, style), 2)
        print(row, flush=True)
        rows.append(row)
        shown.append([scaled(p, 256) for p in pictures])
    mean = {q: round(statistics.fmean(r[q] for r in rows), 2) for q in ("photograph", *args.qualities)}
    most = {q: max(r[q] for r in rows) for q in args.qualities}
    write(args.out, {"size": args.size, "encoder": args.encoder, "mean": mean, "largest": most, "rows": rows})
    if args.sheet:
        write_image(args.sheet, sheet(shown, [""] * len(shown), ["painting", "photograph", *args.qualities]))


if __name__ == "__main__":
    main()
