"""What a GPU makes of it: VGG-19's steps a second, plain and recorded, and frames of `any`, single and in batches.

    python benchmarks/gpu.py --weights DIR [--device cuda] [--size 512] [--frame 1080x1920]

Each precision's plain and recorded steps (`--cuda-graphs`) take turns, a whole scale each, from noise; the first steps,
in which kernels are chosen and a recording is made, are left out. Both end in the same loss, which is told.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch
from common import write

from impasto.features import load_encoder
from impasto.methods.instant import open_painter, painting_vector
from impasto.methods.regions import StyleImage
from impasto.methods.settings import StylizeSettings
from impasto.methods.stylize import stylize
from impasto.optimize.captured import WARM, cuda_graph

#: Steps that are left out: those before a recording, the one that makes it, and its first replay.
FIRST = WARM + 2


def waited(device: str) -> float:
    """The time when all that was asked for is done."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    return time.perf_counter()


def steps_a_second(args: argparse.Namespace, precision: str, graphs: bool) -> tuple[float, float, list[str]]:
    """Steps a second, the loss at the end, and why steps were not replayed, if they were not."""
    torch.backends.cudnn.allow_tf32 = precision != "fp32"
    encoder = load_encoder("vgg19-caffe", weights=args.weights, precision=precision, device=args.device)
    pictures = torch.rand(2, 1, 3, args.size, args.size, generator=torch.Generator().manual_seed(0)).to(args.device)
    settings = StylizeSettings(size=args.size, scales=1, steps=args.steps, optimizer="lbfgs", jitter=0)
    said: list[str] = []
    began, loss = 0.0, 0.0
    capture = cuda_graph if graphs else None
    for step in stylize(encoder, *pictures, settings, capture=capture, notice=said.append):
        loss = step.loss
        if step.step == FIRST:
            began = waited(args.device)
    return (args.steps - FIRST) / (waited(args.device) - began), loss, said


@torch.inference_mode()
def frames_a_second(args: argparse.Namespace, precision: str, batch: int) -> float:
    """Frames of `any` a second in a painting's manner, on the device."""
    painter = open_painter("any", args.device, precision)
    height, width = (int(n) for n in args.frame.split("x"))
    generator = torch.Generator().manual_seed(0)
    frames = list(torch.split(torch.rand(batch, 3, height, width, generator=generator).to(args.device), 1))
    look = painting_vector(painter, [StyleImage(torch.rand(1, 3, 256, 256, generator=generator).to(args.device))])
    times = []
    for _ in range(args.rounds + 1):
        began = waited(args.device)
        painter.together(frames, look)
        times.append(waited(args.device) - began)
    return batch / statistics.median(times[1:])


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--weights", required=True, help="folder of VGG-19's")
    a.add_argument("--device", default="cuda")
    a.add_argument("--size", type=int, default=512)
    a.add_argument("--steps", type=int, default=200)
    a.add_argument("--frame", default="1080x1920")
    a.add_argument("--rounds", type=int, default=5)
    a.add_argument("--precisions", nargs="+", default=["fp32", "tf32", "bf16"])
    a.add_argument("--out", type=Path, default=Path("benchmarks/results/gpu.json"))
    args = a.parse_args()
    is_cuda = args.device.startswith("cuda")
    found: dict[str, object] = {"device": torch.cuda.get_device_name(args.device) if is_cuda else args.device}
    found |= {"size": args.size, "frame": args.frame, "steps": args.steps}
    for precision in args.precisions:
        rows: dict[str, list[float]] = {}
        for _ in range(args.rounds):
            for graphs in (False, True) if is_cuda else (False,):
                name = "recorded" if graphs else "plain"
                rate, loss, said = steps_a_second(args, precision, graphs)
                rows.setdefault(name, []).append(rate)
                found |= {f"{precision}_{name}_loss": loss} | ({f"{precision}_not_replayed": said} if said else {})
        found |= {f"{precision}_{name}_steps_a_second": statistics.median(rates) for name, rates in rows.items()}
        if precision != "tf32":
            for batch in (1, 8):
                found[f"{precision}_frames_a_second_{batch}"] = frames_a_second(args, precision, batch)
    write(args.out, found)


if __name__ == "__main__":
    main()
