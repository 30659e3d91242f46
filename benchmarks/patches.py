"""The time of `visualize patches` in a folder against the bare forward passes over its pictures, in turn.

    OMP_NUM_THREADS=1 python benchmarks/patches.py FOLDER… --pictures 1000 [--encoder lite --layer relu4_1]

The pictures are crops of 256x256 of the folders' photographs, written as JPEG. Bare: as many passes over batches of 8
that are in memory, and nothing else. Parts of 100 pictures alternate, the first one not counted; the ratio is of their
sums, of processor time (and of the wall clock, which others' load disturbs). Then another channel is asked for, of all
pictures together.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import torch
from common import write
from PIL import Image

import impasto
from impasto.features import load_encoder
from impasto.media import pictures_in, read_image

SIDE, PART, BATCH = 256, 100, 8


def crops(folders: list[str], count: int, target: Path) -> list[Path]:
    """Crops, in folders of `PART`."""
    made: list[Path] = []
    photos = [p for folder in folders for p in pictures_in(folder, recursive=True)]
    for turn in range(count):
        with Image.open(photos[turn % len(photos)]) as photo:
            picture = photo.convert("RGB")
        left, top = ((97 * turn) % max(1, side - SIDE + 1) for side in picture.size)
        path = target / f"{turn // PART:04d}" / f"{turn:06d}.jpg"
        path.parent.mkdir(exist_ok=True)
        picture.crop((left, top, left + SIDE, top + SIDE)).save(path, quality=92)
        made.append(path)
    return made


def clocks() -> tuple[float, float]:
    return time.process_time(), time.perf_counter()


def main() -> None:
    a = argparse.ArgumentParser()
    a.add_argument("folders", nargs="+")
    a.add_argument("--pictures", type=int, default=1000)
    a.add_argument("--encoder", default="lite")
    a.add_argument("--layer", default="relu4_1")
    a.add_argument("--out", type=Path, default=Path("benchmarks/results/patches.json"))
    a = a.parse_args()
    encoder, sums = load_encoder(a.encoder), {"search": [0.0, 0.0], "bare": [0.0, 0.0]}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["IMPASTO_CACHE"] = f"{folder}/cache"
        (photos := Path(folder) / "photos").mkdir()
        parts = sorted({p.parent for p in crops(a.folders, a.pictures, photos)})

        def asked(channel: int, where: Path) -> None:
            unit = f"{a.layer}:{channel}"
            impasto.run(impasto.Patches((unit,), photos=str(where), encoder=encoder, count=1), lambda record: None)

        for number, part in enumerate(parts):  # the first one warms up
            began = clocks()
            asked(0, part)
            search = [now - then for now, then in zip(clocks(), began, strict=True)]
            pictures = torch.cat([read_image(p).pixels for p in sorted(part.iterdir())])
            began = clocks()
            with torch.inference_mode():
                for batch in pictures.split(BATCH):
                    encoder(batch, [a.layer])
            bare = [now - then for now, then in zip(clocks(), began, strict=True)]
            if number:
                for name, found in (("search", search), ("bare", bare)):
                    sums[name] = [x + y for x, y in zip(sums[name], found, strict=True)]
            print(f"{part.name}: search {search[0]:.1f}, bare {bare[0]:.1f} CPU seconds", flush=True)
        asked(0, photos)
        began = clocks()
        impasto.run(impasto.Patches((f"{a.layer}:1",), photos=str(photos), encoder=encoder), lambda record: None)
        again = [now - then for now, then in zip(clocks(), began, strict=True)]
    ratio = {k: sums["search"][i] / sums["bare"][i] for i, k in enumerate(("cpu", "wall"))}
    write(a.out, {"pictures": a.pictures - PART, "seconds": sums, "ratio": ratio, "second query": again})


if __name__ == "__main__":
    main()
