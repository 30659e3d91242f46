"""A step of `stylize` with VGG-19 against plain PyTorch, in turn.

    python benchmarks/vgg_step.py --weights DIR [--size 512] [--rounds 5] [--out benchmarks/results/vgg_step.json]

Bare: torch's convolutions, ReLUs and pools to relu5_1, channels last, without gradients of the weights, and the
backward pass of the last map's sum to the image (`plain.py`). Own: the same of our encoder, with Winograd convolutions
where they serve. Plain step: loss and gradient of the same objective by that network, Gram matrices as programs have
them, without an optimizer. Step and lite step: of `stylize` with VGG-19 and with the packaged encoder, each with its
default optimizer, in float32 and, where `--precision auto` is that, in bfloat16; the mean of as many as a
jittered picture has in three places. All keep freed memory, as the command line does.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path

import torch
from common import seconds, write
from plain import PlainVGG

from impasto.features import Encoder, load_encoder, resolve_precision
from impasto.features.fastconv import available
from impasto.memory import keep_freed_memory
from impasto.methods.settings import StylizeSettings
from impasto.methods.stylize import stylize
from impasto.optimize.moving import STILL

#: Steps that are timed together, since a run has many: the first one after another network's is slower.
BLOCK = 3 * STILL
LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


def gram(maps: torch.Tensor) -> torch.Tensor:
    """`F Fᵀ / M`, `(C, C)`."""
    rows = maps[0].flatten(1)
    return rows @ rows.T / rows.shape[1]


def main() -> None:
    a = argparse.ArgumentParser()
    a.add_argument("--weights", required=True)
    a.add_argument("--size", type=int, default=512)
    a.add_argument("--rounds", type=int, default=7)
    a.add_argument("--out", type=Path, default=Path("benchmarks/results/vgg_step.json"))
    a = a.parse_args()
    keep_freed_memory()
    encoder = load_encoder("vgg19-caffe", weights=a.weights)
    bare = PlainVGG(encoder)
    content, style = torch.rand(2, 1, 3, a.size, a.size)
    loops = {}
    networks: dict[str, Encoder] = {"step": encoder, "lite_step": load_encoder("lite")}
    if resolve_precision() == "bf16":
        networks["step_bf16"] = load_encoder("vgg19-caffe", weights=a.weights, precision="bf16")
        networks["lite_step_bf16"] = load_encoder("lite", precision="bf16")
    for name, network in networks.items():
        steps = max(80, (a.rounds + 1) * BLOCK)
        settings = StylizeSettings(size=a.size, encoder=network.name, steps=steps, scales=1)
        loops[name] = stylize(network, content, style, settings)
        for _ in range(BLOCK):  # targets and first evaluations
            next(loops[name])
    targets = [gram(f) for f in bare(style, LAYERS).values()]
    wanted = {n: f.detach() for n, f in bare(content, ("relu4_1", "relu4_2")).items()}
    image = content.clone().requires_grad_()

    def plain_step() -> None:
        maps = bare(image, (*LAYERS, *wanted))
        loss = sum((gram(maps[n]) - t).square().mean() for n, t in zip(LAYERS, targets, strict=True))
        loss = loss + sum((maps[n] - f).square().mean() for n, f in wanted.items())
        torch.autograd.grad(loss, image)

    work: dict[str, Callable[[], object]] = {
        "bare": lambda: torch.autograd.grad(bare(image, ["relu5_1"])["relu5_1"].sum(), image),
        "own": lambda: torch.autograd.grad(encoder(image, ["relu5_1"])["relu5_1"].sum(), image),
        "plain_step": plain_step,
    }
    work |= {name: lambda loop=loop: [next(loop) for _ in range(BLOCK)] for name, loop in loops.items()}  # type: ignore[misc]
    rows = [
        {name: seconds(done) / (BLOCK if name in loops else 1) for name, done in work.items()} for _ in range(a.rounds)
    ]

    def ratio(one: str, other: str) -> float:
        return statistics.median(r[one] / r[other] for r in rows)

    ratios = {f"{own}_to_{n}": ratio(own, n) for own in loops for n in ("bare", "own", "plain_step", "step")}
    write(a.out, {"size": a.size, "winograd": available(), **ratios, "rounds": rows})


if __name__ == "__main__":
    main()
