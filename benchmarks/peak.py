"""Peak memory and processor time of `best` by VGG-19 on a large picture, in two checkouts of this program.

    python benchmarks/peak.py --shared ../shared --against CHECKOUT [--size 2048] [--steps 12] [--rounds 3] [--together]

Each run is a process of its own, in one thread: `impasto.stylize_steps` at one scale, the highest, with all the rest as
the command line has it; L-BFGS's memory is full after ten steps. The peak is the process's resident memory at most,
targets and start included; a step's time is the process's own, the median of all but the first two. The checkouts run
one after the other, or `--together`, step by step in turn, where there is memory for both: so times are compared on a
busy machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from common import write

PAIR = ("photos/100075.jpg", "paintings/candy.jpg")

#: What both checkouts understand: a step for each line; printed are the peak, processor seconds and loss.
RUN = """
import json, resource, sys, time
import impasto
from impasto.memory import keep_freed_memory
photo, painting, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
keep_freed_memory()
loop = impasto.stylize_steps(photo, painting, **options)
for line in sys.stdin:
    began = time.process_time()
    loss = next(loop).loss
    spent, peak = time.process_time() - began, 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"peak": peak, "step": spent, "loss": loss}), flush=True)
"""


def started(checkout: Path, args: argparse.Namespace) -> subprocess.Popen[str]:
    """A process that runs a checkout."""
    options = {"size": args.size, "scales": 1, "steps": args.steps, "precision": args.precision}
    options |= {"encoder": args.encoder} | ({"optimizer": "lbfgs", "jitter": 0} if args.encoder == "lite" else {})
    if args.encoder != "lite":
        options["weights"] = str(args.shared / "weights")
    words = [sys.executable, "-c", RUN, *(str(args.shared / "data" / one) for one in PAIR), json.dumps(options)]
    paths = {"PYTHONPATH": str(checkout.resolve() / "src"), "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True, env=os.environ | paths)


def ran(checkouts: dict[str, Path], args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The numbers of checkouts that make their steps in turn."""
    runs = {name: started(path, args) for name, path in checkouts.items()}
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in runs}
    for _ in range(args.steps):
        for name, run in runs.items():
            assert run.stdin is not None and run.stdout is not None
            print(file=run.stdin, flush=True)
            rows[name].append(json.loads(run.stdout.readline()))
    for run in runs.values():
        run.communicate()
    found: dict[str, dict[str, Any]] = {}
    for name, steps in rows.items():
        times = [row["step"] for row in steps]
        found[name] = {"peak": steps[-1]["peak"], "step": statistics.median(times[2:]), "steps": times}
        found[name]["losses"] = [row["loss"] for row in steps]
    return found


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--shared", type=Path, default=Path("../shared"))
    a.add_argument("--against", type=Path, help="another checkout of this program")
    a.add_argument("--encoder", default="vgg19-caffe")
    a.add_argument("--precision", default="auto")
    a.add_argument("--size", type=int, default=2048)
    a.add_argument("--steps", type=int, default=12)
    a.add_argument("--rounds", type=int, default=3)
    a.add_argument("--together", action="store_true")
    a.add_argument("--out", type=Path, default=Path("benchmarks/results/peak.json"))
    args = a.parse_args()
    checkouts = {"this": Path(__file__).parents[1]} | ({"against": args.against} if args.against else {})
    rounds = []
    for _ in range(args.rounds):
        apart = [checkouts] if args.together else [{name: path} for name, path in checkouts.items()]
        rounds.append({name: found for some in apart for name, found in ran(some, args).items()})
        print({name: (found["peak"] / 1e9, found["step"]) for name, found in rounds[-1].items()}, file=sys.stderr)
    result: dict[str, Any] = {"size": args.size, "encoder": args.encoder, "precision": args.precision, "rounds": rounds}
    for what in ("peak", "step"):
        result[what] = {name: statistics.median(r[name][what] for r in rounds) for name in checkouts}
        if args.against:
            result[f"{what}_ratio"] = statistics.median(r["this"][what] / r["against"][what] for r in rounds)
    write(args.out, result)


if __name__ == "__main__":
    main()
