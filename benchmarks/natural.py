"""How natural pictures of classes and units are on each canvas, and whether they are still taken for what they show.

    python benchmarks/natural.py --weights DIR --photos DIR [--canvases fourier natural taef2] [--size 128] [--seeds 3]

*Probability* of a class: the mean over 8 random moves (10 pixels, 15 %, 8 degrees) after a 3×3 blur. A unit has none;
its *activation* is measured so, relative to the `olah` preset's. *Naturalness*: the mean squared Mahalanobis length of
`lite`'s features under photographs' mean and covariance, one number a layer, divided by what photographs that were
left out have: 1 is as natural as a photograph. Pictures that are in the result already are not made again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from common import write
from torch import Tensor

from impasto.features import load_encoder
from impasto.features.encoder import Encoder
from impasto.media import pictures_in, read_image, write_image
from impasto.memory import keep_freed_memory
from impasto.methods.ascent import ascend
from impasto.methods.attribution import Unit
from impasto.methods.settings import AscentSettings
from impasto.optimize.moving import move

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
#: Things whose pictures are easily told apart.
CLASSES = (340, 483, 130, 9, 294, 963, 207, 388, 99, 985, 107, 321, 971, 949, 817, 487, 609, 779, 510, 701)
UNITS = tuple(f"relu{b}_1:{c}" for b in (4, 5) for c in range(7, 512, 52))
#: One photograph in so many is left out.
LEFT_OUT = 10


class Naturalness:
    """Mean squared Mahalanobis lengths of features under those of photographs.

    Args:
        encoder: of the features.
        files: photographs.
    """

    def __init__(self, encoder: Encoder, files: Sequence[Path]) -> None:
        self.encoder = encoder
        sums: dict[str, list[Any]] = {layer: [0.0, 0.0, 0] for layer in LAYERS}
        for path in (p for i, p in enumerate(files) if i % LEFT_OUT):
            for layer, rows in self._rows(read_image(path).pixels).items():
                sums[layer][0] += rows.sum(0)
                sums[layer][1] += rows.T @ rows
                sums[layer][2] += len(rows)
        self.means = {layer: first / n for layer, (first, _, n) in sums.items()}
        self.inverses = {layer: _inverse(second / n, first / n) for layer, (first, second, n) in sums.items()}
        apart = [self.lengths(read_image(p).pixels) for p in files[::LEFT_OUT]]
        self.photographs = {layer: sum(found[layer] for found in apart) / len(apart) for layer in LAYERS}

    @torch.no_grad()
    def _rows(self, picture: Tensor) -> dict[str, Tensor]:
        return {n: m[0].flatten(1).T.double() for n, m in self.encoder(picture, LAYERS).items()}

    def lengths(self, picture: Tensor) -> dict[str, float]:
        """Of `(1, 3, H, W)`, by layer."""
        found = {}
        for layer, rows in self._rows(picture).items():
            x = rows - self.means[layer]
            found[layer] = ((x @ self.inverses[layer]) * x).mean(0).sum().item() / x.shape[1]
        return found

    def __call__(self, picture: Tensor) -> dict[str, float]:
        """`lengths`, those of photographs being 1."""
        return {layer: length / self.photographs[layer] for layer, length in self.lengths(picture).items()}


def _inverse(second: Tensor, mean: Tensor) -> Tensor:
    covariance = second - mean[:, None] * mean
    ridge = 1e-4 * covariance.trace() / len(covariance)
    return torch.linalg.inv(covariance + ridge * torch.eye(len(covariance), dtype=covariance.dtype))


@torch.no_grad()
def answer(encoder: Encoder, picture: Tensor, unit: Unit) -> float:
    """A class's mean probability, or a unit's mean activation, over random moves after a blur."""
    generator, shake = torch.Generator().manual_seed(1), move(10, 0.15, 8)
    blurred = F.avg_pool2d(F.pad(picture, (1, 1, 1, 1), mode="reflect"), 3, 1)
    layer = "prob" if unit.layer == "logits" else unit.layer
    asked = Unit(layer, unit.channel)
    values = [asked.of(encoder(shake(blurred, generator), [layer])[layer]).item() for _ in range(8)]
    return sum(torch.tensor(values).exp().tolist() if layer == "prob" else values) / len(values)


def runs(a: argparse.Namespace) -> Iterator[tuple[Unit, int, str]]:
    units = [Unit("logits", number) for number in CLASSES[: a.classes]]
    spread = [UNITS[i * len(UNITS) // a.units] for i in range(a.units)] if a.units else []
    for unit in [*units, *map(Unit.named, spread)]:
        for seed in range(a.seeds):
            for canvas in a.canvases:
                yield unit, seed, canvas


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over classes, and over units, by canvas; a unit's activation is relative to `olah`'s."""
    canvases = sorted({r["canvas"] for r in rows})
    first = {(r["unit"], r["seed"]): r["answer"] for r in rows if r["canvas"] == "fourier"}
    found: dict[str, Any] = {}
    for canvas in canvases:
        for kind in ("classes", "units"):
            some = [r for r in rows if r["canvas"] == canvas and r["unit"].startswith("logits") == (kind == "classes")]
            if some:
                scales = [first.get((r["unit"], r["seed"]), 1.0) if kind == "units" else 1.0 for r in some]
                found[f"{kind}, {canvas}"] = {
                    "answer": sum(r["answer"] / max(s, 1e-6) for r, s in zip(some, scales, strict=True)) / len(some),
                    "naturalness": {n: sum(r["naturalness"][n] for r in some) / len(some) for n in LAYERS},
                    "seconds": sum(r["seconds"] for r in some) / len(some),
                    "pictures": len(some),
                }
    return found


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--weights", required=True)
    a.add_argument("--photos", type=Path, required=True)
    a.add_argument("--measured", type=int, default=300, help="photographs that the measure is made of")
    a.add_argument("--encoder", default="vgg19-caffe")
    a.add_argument("--canvases", nargs="+", default=["fourier", "natural"])
    a.add_argument("--classes", type=int, default=20)
    a.add_argument("--units", type=int, default=20)
    a.add_argument("--seeds", type=int, default=3)
    a.add_argument("--size", type=int, default=128)
    a.add_argument("--steps", type=int, default=AscentSettings().steps)
    a.add_argument("--pictures", type=Path)
    a.add_argument("--out", type=Path, default=Path("benchmarks/results/natural.json"))
    a = a.parse_args()
    keep_freed_memory()
    files = pictures_in(a.photos, recursive=True)[: a.measured]
    natural = Naturalness(load_encoder("lite", precision="fp32"), files)
    encoder = load_encoder(a.encoder, weights=a.weights, classifier=True, precision="auto")
    rows: list[dict[str, Any]] = json.loads(a.out.read_text())["pictures"] if a.out.exists() else []
    for unit, seed, canvas in runs(a):
        settings = AscentSettings(canvas=canvas, size=a.size, seed=seed, steps=a.steps)
        start, name = time.process_time(), f"{unit.layer}-{unit.channel}"
        if any((r["unit"], r["seed"], r["canvas"]) == (name, seed, canvas) for r in rows):
            continue
        *_, last = ascend(encoder, [unit], settings)
        image, seconds = (last.image() * 255).round() / 255, time.process_time() - start
        row = {"unit": name, "seed": seed, "canvas": canvas, "seconds": seconds}
        rows.append(row | {"answer": answer(encoder, image, unit), "naturalness": natural(image)})
        if a.pictures:
            write_image(a.pictures / f"{name}-{a.size}-{canvas}-{seed}.png", image)
        about = {"size": a.size, "encoder": a.encoder, "photographs": natural.photographs}
        write(a.out, about | {"summary": summary(rows), "pictures": rows})


if __name__ == "__main__":
    main()
