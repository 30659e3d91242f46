"""A step of `stylize` with VGG-19 against the bare network's forward and backward pass, in turn.

    python benchmarks/vgg_step.py --weights DIR [--size 512] [--rounds 5] [--out benchmarks/results/vgg_step.json]

Bare: the convolutions, ReLUs and pools to relu5_1, channels last, without gradients of the weights, and the backward
pass of the last map's sum to the image.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import time
from pathlib import Path

import torch

from impasto.features import load_encoder
from impasto.methods.gatys import stylize
from impasto.settings import StylizeSettings


def main() -> None:
    a = argparse.ArgumentParser()
    a.add_argument("--weights", required=True)
    a.add_argument("--size", type=int, default=512)
    a.add_argument("--rounds", type=int, default=5)
    a.add_argument("--out", type=Path, default=Path("benchmarks/results/vgg_step.json"))
    a = a.parse_args()
    encoder = load_encoder("vgg19-caffe", weights=a.weights)
    content, style = torch.rand(2, 1, 3, a.size, a.size)
    settings = StylizeSettings(size=a.size, encoder="vgg19-caffe", steps=a.rounds + 2)
    loop = stylize(encoder, content, style, settings)
    next(loop)  # targets and first evaluations
    next(loop)
    rows: list[dict[str, float]] = []
    image = content.clone().requires_grad_()
    for _ in range(a.rounds):
        start = time.perf_counter()
        torch.autograd.grad(encoder(image, ["relu5_1"])["relu5_1"].sum(), image)
        middle = time.perf_counter()
        next(loop)
        rows.append({"bare": middle - start, "step": time.perf_counter() - middle})
    result = {
        "size": a.size,
        "rounds": rows,
        "ratio_median": statistics.median(r["step"] / r["bare"] for r in rows),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "machine": platform.processor() or platform.machine(),
        "load": os.getloadavg()[0],
        "commit": subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
        ).stdout.strip(),
    }
    a.out.parent.mkdir(parents=True, exist_ok=True)
    a.out.write_text(json.dumps(result, indent=1))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
