"""Pictures in tiles: peak memory and time of a step, against the same picture computed at once.

    python benchmarks/tiles.py --weights DIR [--megapixels 2 4 8.2944 16] [--compare 1] [--max-memory 4]
                               [--rounds 3] [--out benchmarks/results/tiles.json]

Each run is a process of its own: `stylize` with the default's terms (Gram matrices at relu1_1 to relu5_1, content at
relu4_1 and relu4_2) at one scale, keeping freed memory as the command line does. `compare`: seconds a step of a picture
that fits, whole and in the tiles that the largest picture gets, in turn. `megapixels`: peak resident memory in tiles of
one step of L-BFGS whose memory of pairs is full (synthetic, so that one step is enough), targets included; the growth
between the smallest and the largest is `bytes_per_pixel`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from common import write

from impasto.features import load_encoder, resolve_precision
from impasto.memory import keep_freed_memory
from impasto.methods import plan as planning
from impasto.methods import stylize as optimization
from impasto.methods.settings import StylizeSettings
from impasto.optimize import LARGE, LARGE_HISTORY, State


def run(a: argparse.Namespace) -> None:
    """One process: `a.one` megapixels, 16:9, for `a.steps` steps; prints a line of JSON."""
    torch.manual_seed(0)
    keep_freed_memory()
    encoder = load_encoder(a.encoder, weights=a.weights, precision=a.precision)
    height, width = round((a.one * 1e6 * 9 / 16) ** 0.5), round((a.one * 1e6 * 16 / 9) ** 0.5)
    content = torch.rand(1, 3, height, width)
    settings = StylizeSettings(size=width, encoder=a.encoder, steps=a.steps, scales=1)
    limit = None if a.whole else a.max_memory * 1e9
    if a.workspace:  # tiles also where the picture would fit
        limit, planning.BYTES_WHOLE, planning.MOST = 1e12, 1e9, a.workspace
    (plan,) = planning.plans(encoder, settings, content, limit)
    state = full(content, settings.history) if a.full else None
    loop = optimization.stylize(encoder, content, content.flip(3), settings, resume=state, max_memory=limit)
    del state
    times = [time.perf_counter()]
    for _ in itertools.islice(loop, a.steps):
        times.append(time.perf_counter())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    seconds = [y - x for x, y in itertools.pairwise(times)][1:]
    about = {"size": plan.size, "workspace": plan.workspace, "planned": plan.memory}
    print(json.dumps(about | {"peak": peak, "step": seconds}))


def full(content: torch.Tensor, history: int) -> State:
    """A state whose optimizer remembers as many pairs as it can, and accepts any step."""
    large = content.numel() > LARGE
    count, kind = (min(history, LARGE_HISTORY), torch.bfloat16) if large else (history, content.dtype)
    names = [f"{name}{i}.pixels" for i in range(count) for name in ("move", "change")]
    pairs = {name: torch.rand(content.shape, dtype=kind) for name in names}
    rest = {"gradient.pixels": torch.rand_like(content), "loss": torch.tensor(1e30), "pairs": torch.tensor(count)}
    return State(0, 0, {"pixels": content.clone()}, pairs | rest)


def started(a: argparse.Namespace, *options: object) -> dict[str, Any]:
    """The line that a process of its own prints."""
    weights = ["--weights", a.weights] if a.weights else []
    words = [sys.executable, __file__, *weights, "--encoder", a.encoder, "--precision", a.precision, *map(str, options)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=os.environ)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(found, file=sys.stderr)
    return found


def main() -> None:
    a = argparse.ArgumentParser()
    a.add_argument("--weights")
    a.add_argument("--encoder", default="vgg19-caffe")
    a.add_argument("--precision", default="auto")
    a.add_argument("--megapixels", type=float, nargs="*", default=[2.0736, 4, 8.2944, 16])
    a.add_argument("--compare", type=float, default=1.0)
    a.add_argument("--max-memory", type=float, default=4.0)
    a.add_argument("--rounds", type=int, default=3)
    a.add_argument("--out", type=Path, default=Path("benchmarks/results/tiles.json"))
    a.add_argument("--one", type=float, help=argparse.SUPPRESS)
    a.add_argument("--workspace", type=float, help=argparse.SUPPRESS)
    a.add_argument("--whole", action="store_true", help=argparse.SUPPRESS)
    a.add_argument("--full", action="store_true", help=argparse.SUPPRESS)
    a.add_argument("--steps", type=int, default=1, help=argparse.SUPPRESS)
    a = a.parse_args()
    if a.one:
        return run(a)
    limit = ("--max-memory", a.max_memory)
    large = [started(a, "--one", size, "--full", *limit) for size in sorted(a.megapixels)]
    named = {"encoder": a.encoder, "precision": resolve_precision(a.precision)}
    result: dict[str, object] = named | {"max_memory": a.max_memory, "large": large}
    if len(large) > 1:
        (few, least), (many, most) = ((math.prod(r["size"]), r["peak"]) for r in (large[0], large[-1]))
        result["bytes_per_pixel"] = (most - least) / (many - few)
    if a.compare:
        result["compare"] = compared(a, min([planning.MOST, *(r["workspace"] for r in large if r["workspace"])]))
    write(a.out, result)
    return None


def compared(a: argparse.Namespace, workspace: float) -> dict[str, object]:
    """Seconds a step at once and in tiles of that workspace, and the quotients of rounds of both."""
    rounds = [
        [
            started(a, "--one", a.compare, "--steps", 4, *how)["step"]
            for how in (["--whole"], ["--workspace", workspace])
        ]
        for _ in range(a.rounds)
    ]
    ratios = [statistics.median(tiled) / statistics.median(whole) for whole, tiled in rounds]
    return {
        "megapixels": a.compare,
        "workspace": workspace,
        "tiled_to_whole": statistics.median(ratios),
        "rounds": rounds,
    }


if __name__ == "__main__":
    main()
