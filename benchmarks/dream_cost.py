"""The time of `dream` on a photograph against the forward and backward passes that it makes, in turn.

    python benchmarks/dream_cost.py PHOTO --weights DIR [--encoder vgg19-caffe] [--size 1024]

Bare: as many passes at the same sizes, each to the gradient of the layer's sum of squares, and nothing else.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from common import write

from impasto.features import load_encoder
from impasto.media import read_image
from impasto.memory import keep_freed_memory
from impasto.methods.dream import DreamSettings, dream
from impasto.methods.regions import scaled
from impasto.pictures.resample import lanczos


def main() -> None:
    a = argparse.ArgumentParser()
    a.add_argument("photo")
    a.add_argument("--weights")
    a.add_argument("--encoder", default="vgg19-caffe")
    a.add_argument("--size", type=int, default=1024)
    a.add_argument("--out", type=Path, default=Path("benchmarks/results/dream_cost.json"))
    a = a.parse_args()
    keep_freed_memory()
    encoder = load_encoder(a.encoder, weights=a.weights)
    picture = scaled(read_image(a.photo).pixels, a.size)
    settings = DreamSettings(layer="relu4_2", encoder=a.encoder)
    start, sizes = time.perf_counter(), []
    for step in dream(encoder, picture, settings):
        sizes.append(step.size)
    whole = time.perf_counter() - start
    start = time.perf_counter()
    for size in sizes:
        image = lanczos(picture, size).requires_grad_()
        torch.autograd.grad(encoder(image, ["relu4_2"])["relu4_2"].square().sum(), image)
    bare = time.perf_counter() - start
    shape = list(picture.shape[-2:])
    write(a.out, {"picture": shape, "steps": len(sizes), "dream": whole, "passes": bare, "ratio": whole / bare})


if __name__ == "__main__":
    main()
