"""CPU seconds of whole commands: help, and one picture in one pass, beside those of another checkout.

    python benchmarks/start.py --other ../before -o benchmarks/results/start.json

Both checkouts run in this environment, in turns; the median counts.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from common import write

HERE = Path(__file__).parents[1]
RUN = "from impasto.cli import main; main()"


def cpu_seconds(checkout: Path, words: list[str]) -> float:
    """User and system time of one command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", RUN, *words]
    environment = os.environ | {"PYTHONPATH": str(checkout / "src")}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--other", type=Path, required=True, help="another checkout")
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument("-o", "--out", type=Path, default=HERE / "benchmarks" / "results" / "start.json")
    a = parser.parse_args()
    pair = [str(HERE / "examples" / name) for name in ("content.png", "style.png")]
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/out.png"
        picture = ["stylize", *pair, "-o", out, "--size", "512", "--quality", "instant", "--force", "--quiet"]
        for name, words in (("--help", ["--help"]), ("instant at 512", picture)):
            taken: dict[str, list[float]] = {"here": [], "other": []}
            for _ in range(a.times):
                for which, checkout in (("other", a.other), ("here", HERE)):
                    taken[which].append(cpu_seconds(checkout, words))
            medians = {which: statistics.median(seconds) for which, seconds in taken.items()}
            rows[name] = medians | {"ratio": medians["here"] / medians["other"], "all": taken}
            print(name, {k: round(v, 3) for k, v in medians.items()}, round(rows[name]["ratio"], 3))
    write(a.out, {"cpu_seconds": rows})


if __name__ == "__main__":
    main()
