"""Whether pictures made for a class are taken for it: gradient ascent, then a fresh look under a shift and a rescale.

python benchmarks/class_ascent.py --weights DIR [--encoder vgg19-caffe] [--classes 294 130 9 207 963] [--pictures DIR]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from common import write

from impasto.features import load_encoder
from impasto.media import write_image
from impasto.memory import keep_freed_memory
from impasto.methods.ascent import ascend
from impasto.methods.attribution import Unit
from impasto.methods.presets import ASCENT_PRESETS
from impasto.pictures.resample import lanczos


def main() -> None:
    a = argparse.ArgumentParser()
    a.add_argument("--weights")
    a.add_argument("--encoder", default="vgg19-caffe")
    a.add_argument("--classes", type=int, nargs="+", default=[294, 130, 9, 207, 963])
    a.add_argument("--preset", default="olah")
    a.add_argument("--steps", type=int)
    a.add_argument("--pictures", type=Path)
    a.add_argument("--out", type=Path, default=Path("benchmarks/results/class_ascent.json"))
    a = a.parse_args()
    keep_freed_memory()
    encoder = load_encoder(a.encoder, weights=a.weights, classifier=True)
    preset = ASCENT_PRESETS[a.preset]()
    settings = preset.changed(encoder=a.encoder, steps=a.steps or preset.steps)
    found, start = {}, time.perf_counter()
    for number in a.classes:
        *_, last = ascend(encoder, [Unit("logits", number)], settings)
        image = (last.image() * 255).round() / 255  # as a file has it
        side = round(1.05 * settings.size)
        views = {"plain": image, "shifted": image.roll((1, 1), (2, 3)), "rescaled": lanczos(image, (side, side))}
        with torch.no_grad():
            found[number] = {n: encoder(v, ["prob"])["prob"][0, number].exp().item() for n, v in views.items()}
        if a.pictures:
            write_image(a.pictures / f"class{number}.png", image)
    seconds = time.perf_counter() - start
    write(a.out, {"preset": a.preset, "steps": settings.steps, "probabilities": found, "seconds": seconds})


if __name__ == "__main__":
    main()
