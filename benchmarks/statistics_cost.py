"""The cost of a step with each style loss, in turn, and the peak memory of patches.

python benchmarks/statistics_cost.py [--size 256] [--encoder lite] [--losses gram wasserstein]
python benchmarks/statistics_cost.py --size 512 --encoder vgg19-caffe --weights DIR --losses patches --rounds 2
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from pathlib import Path

from common import write
from skimage import data

from impasto.features import load_encoder
from impasto.media import read_image
from impasto.memory import keep_freed_memory
from impasto.methods.settings import StylizeSettings
from impasto.methods.stylize import stylize


def main() -> None:
    a = argparse.ArgumentParser()
    a.add_argument("--size", type=int, default=256)
    a.add_argument("--encoder", default="lite")
    a.add_argument("--weights")
    a.add_argument("--losses", nargs="+", default=["gram", "wasserstein", "moments"])
    a.add_argument("--rounds", type=int, default=25)
    a.add_argument("--out", type=Path)
    a = a.parse_args()
    keep_freed_memory()
    encoder = load_encoder(a.encoder, weights=a.weights)
    content, style = (read_image(x).pixels for x in (data.astronaut(), data.immunohistochemistry()))
    base = StylizeSettings(size=a.size, encoder=a.encoder, steps=a.rounds + 3, scales=1, optimizer="adam")
    loops = {loss: stylize(encoder, content, style, base.changed(style_loss=loss)) for loss in a.losses}
    for loop in loops.values():
        next(loop)  # targets
    seconds: dict[str, list[float]] = {loss: [] for loss in loops}
    for _ in range(a.rounds):
        for loss, loop in loops.items():
            start = time.perf_counter()
            next(loop)
            seconds[loss].append(time.perf_counter() - start)
    median = {loss: statistics.median(s) for loss, s in seconds.items()}
    first = a.losses[0]
    result = {
        "size": a.size,
        "encoder": a.encoder,
        "seconds_a_step_median": median,
        f"ratio_to_{first}_median": {
            loss: statistics.median(x / y for x, y in zip(seconds[loss], seconds[first], strict=True)) for loss in loops
        },
        "peak_memory_MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    out = a.out or Path(f"benchmarks/results/statistics_{a.encoder}_{a.size}_{'_'.join(a.losses)}.json")
    write(out, result)


if __name__ == "__main__":
    main()
