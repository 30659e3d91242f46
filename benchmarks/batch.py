"""Batches: what they survive, what they cost beside the pictures themselves, and what a core paints in a second.

    python benchmarks/batch.py faults again --count 1000          # 10 bad pictures, one that kills; and once more
    python benchmarks/batch.py faults --ray auto                  # the same on Ray
    python benchmarks/batch.py kills scaling overhead memory rates

Each part is written to `benchmarks/results/batch_PART.json`. Pictures are crops of `examples/content.png`. CPU seconds
count where other programs compute, too; what a start costs is taken out by painting few and many pictures.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import random
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from common import write
from PIL import Image

HERE = Path(__file__).parents[1]
STYLE = str(HERE / "examples" / "style.png")
#: Read before any other module: a picture of this name ends the process that opens it.
DEADLY = """
import io, os
real = io.open
def deadly(file, *args, **more):
    if str(file).endswith("poison.jpg"):
        os.kill(os.getpid(), 9)
    return real(file, *args, **more)
io.open = deadly
"""


def photographs(folder: Path, count: int, size: tuple[int, int] = (640, 480)) -> Path:
    """A folder of so many photographs, all different."""
    folder.mkdir(parents=True)
    whole, draw = Image.open(HERE / "examples" / "content.png").convert("RGB"), random.Random(0)
    for number in range(count):
        side = draw.uniform(0.5, 1) * min(whole.width / size[0], whole.height / size[1])
        width, height = (round(side * n) for n in size)
        left, top = draw.randint(0, whole.width - width), draw.randint(0, whole.height - height)
        crop = whole.crop((left, top, left + width, top + height)).resize(size)
        crop.save(folder / f"{number:05d}.jpg", quality=90)
    return folder


def words(photos: Path, out: Path, *more: object, quality: str = "instant") -> list[str]:
    command = [sys.executable, "-m", "impasto", "batch", photos, STYLE, "-o", out, "--quality", quality, *more]
    return [str(word) for word in command]


def environment(**more: str) -> dict[str, str]:
    path = os.pathsep.join([str(HERE / "src"), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    return {**os.environ, "PYTHONPATH": path, **more}


def timed(command: list[str], **more: str) -> dict[str, float]:
    """Seconds, CPU seconds of all its processes, and the exit code of a command."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ran = subprocess.run(command, env=environment(**more), capture_output=True, check=False, text=True)
    if (code := ran.returncode) not in (0, 1) or "Traceback" in ran.stderr:
        raise SystemExit(ran.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": time.perf_counter() - began, "cpu": cpu, "code": code}


def states(out: Path) -> Counter[str]:
    """How many pictures of each state the report has."""
    return Counter(json.loads(line)["state"] for line in (out / "report.jsonl").read_text().splitlines())


def pictures(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*.png") if p.name[0] != "."}


def faults(folder: Path, a: argparse.Namespace) -> dict[str, Any]:
    """A thousand pictures, ten of which are none, and one that kills its worker; then the same command again."""
    photos = photographs(folder / "photos", a.count - 11)
    for number in range(10):
        (photos / f"bad{number}.jpg").write_bytes(b"\xff\xd8\xff" + bytes(range(200)) if number % 2 else b"")
    shutil.copy(photos / "00000.jpg", photos / "poison.jpg")
    (folder / "path").mkdir()
    (folder / "path" / "sitecustomize.py").write_text(DEADLY)
    path = os.pathsep.join([str(folder / "path"), environment()["PYTHONPATH"]])
    more = ("--ray", a.ray) if a.ray else ("--workers", a.workers)
    first = timed(words(photos, folder / "out", "--size", a.size, "--threads", 1, *more), PYTHONPATH=path)
    found = states(folder / "out")
    again = timed(words(photos, folder / "out", "--size", a.size, "--threads", 1, *more), PYTHONPATH=path)
    return {"first": first, "states": found, "again": again, "states again": states(folder / "out")}


def again(folder: Path, a: argparse.Namespace) -> dict[str, Any]:
    """A second run over good pictures touches nothing."""
    photos = photographs(folder / "photos", a.count)
    command = words(photos, folder / "out", "--size", a.size, "--threads", 1, "--workers", a.workers)
    first = timed(command)
    before = {p: p.stat().st_mtime_ns for p in (folder / "out").rglob("*.png")}
    second = timed(command)
    touched = sum(p.stat().st_mtime_ns != when for p, when in before.items())
    return {"first": first, "second": second, "touched": touched, "allowed": 5 + a.count / 1000}


def workers_of(process: subprocess.Popen[bytes]) -> list[int]:
    """The worker processes of a batch."""
    try:
        text = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        threads = [t for t in Path(f"/proc/{process.pid}/task").iterdir()]
        text += " ".join((t / "children").read_text() for t in threads if t.name != str(process.pid))
    except OSError:
        return []
    return sorted({int(pid) for pid in text.split()})


def kills(folder: Path, a: argparse.Namespace) -> dict[str, Any]:
    """Five random kills of workers and one of the driver, then the same command: as if nothing had happened."""
    photos, draw = photographs(folder / "photos", a.count), random.Random(1)
    more = ("--size", a.size, "--threads", 1, "--workers", a.workers, "--retries", 5)
    subprocess.run(words(photos, folder / "whole", *more), env=environment(), check=True, capture_output=True)
    out, killed = folder / "out", 0
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(words(photos, out, *more), env=environment(), **quiet)  # type: ignore[call-overload]
    for number in range(6):
        goal = a.count * (number + draw.random()) / 7
        while len(list(out.glob("*.png"))) < goal and process.poll() is None:
            time.sleep(0.02)
        if number < 5 and (pids := workers_of(process)):
            os.kill(draw.choice(pids), signal.SIGKILL)
            killed += 1
    process.kill()
    process.wait()
    lines = (out / "report.jsonl").read_text().splitlines()
    first = [json.loads(line) for line in lines if line.endswith("}")]
    partial = [p.name for p in out.rglob("*") if p.suffix == ".png" and p.stat().st_size == 0]
    subprocess.run(words(photos, out, *more), env=environment(), check=True, capture_output=True)
    second = [json.loads(line) for line in (out / "report.jsonl").read_text().splitlines()]
    painted = Counter(row["picture"] for row in [*first, *second] if row["state"] == "painted")
    twice = sum(count - 1 for count in painted.values()) + sum(row.get("retries", 0) for row in [*first, *second])
    return {
        "killed": {"workers": killed, "driver": 1},
        "identical": pictures(folder / "whole") == pictures(out),
        "painted again": twice,
        "empty files": partial,
        "left behind": [p.name for p in out.iterdir() if p.name.startswith(".")],
    }


def slope(folder: Path, photos: dict[int, Path], name: str, *more: object) -> dict[str, float]:
    """Seconds and CPU seconds for each further picture of a batch: those of a start are taken out."""
    found = {}
    for count, source in photos.items():
        shutil.rmtree(folder / name, ignore_errors=True)
        found[count] = timed(words(source, folder / name, "--threads", 1, *more), OMP_NUM_THREADS="1")
    few, many = sorted(found)
    return {key: (found[many][key] - found[few][key]) / (many - few) for key in ("seconds", "cpu")}


def scaling(folder: Path, a: argparse.Namespace) -> dict[str, Any]:
    """Two workers beside one, a thread each, in turns; the best of each, as others may compute beside."""
    photos = {n: photographs(folder / str(n), n) for n in (4, 4 + a.count // 4)}
    runs = {n: [slope(folder, photos, "out", "--size", 512, "--workers", n) for _ in range(a.times)] for n in (1, 2)}
    best = {n: min(row["seconds"] for row in rows) for n, rows in runs.items()}
    return {"seconds a picture": best, "ratio": best[1] / best[2], "runs": runs}


def overhead(folder: Path, a: argparse.Namespace) -> dict[str, Any]:
    """What a batch adds to the same picture painted in a plain loop at 512: in the worker, by turns in one process, and
    in the process that hands out the work; CPU seconds, medians."""
    import torch

    from impasto.jobs.batch import Batch
    from impasto.jobs.many import Plan, Report, Run
    from impasto.jobs.paint import Brush, paint_records
    from impasto.jobs.running import computing, resolved
    from impasto.jobs.work import all_made_apart
    from impasto.jobs.worklist import items_of

    torch.set_num_threads(1)
    photos = photographs(folder / "photos", a.count // 10)
    job = Batch(str(photos), STYLE, output=str(folder / "out"), quality="instant", size=512, workers=1, threads=1)
    run = Run(job, items_of(job), Report(str(folder / "report.jsonl")))
    run.plan = Plan(1, 1)
    brush, taken = None, {name: list[float]() for name in ("bare", "worker", "driver")}

    def plain(photo: str, number: int) -> None:
        nonlocal brush
        one = run.items[0].manner.job(photo).changed(output=str(folder / f"bare{number}.png"), force=True)
        with computing(one):
            brush = brush or Brush(resolved(one)[0], [])
            for _ in paint_records(one, lambda record: None, brush):
                pass

    for number, item in enumerate(run.items):
        began = time.process_time()
        task = run.task(item)
        sent = pickle.dumps((all_made_apart, [task]))
        taken["driver"].append(time.process_time() - began)
        works = {"bare": lambda: plain(str(item.source), number), "worker": lambda: _work(sent)}  # noqa: B023
        for name in ("bare", "worker") if number % 2 else ("worker", "bare"):
            began = time.process_time()
            works[name]()
            taken[name].append(time.process_time() - began)
    ratios = [(w + d) / b for b, w, d in zip(*(taken[n][2:] for n in ("bare", "worker", "driver")), strict=True)]
    medians = {name: statistics.median(values[2:]) for name, values in taken.items()}
    return {"ratio": statistics.median(ratios), "cpu": medians}


def _work(sent: bytes) -> None:
    function, tasks = pickle.loads(sent)
    (outcome,) = pickle.loads(pickle.dumps(function(tasks)))
    assert not outcome.error, outcome.error


def memory(folder: Path, a: argparse.Namespace) -> dict[str, Any]:
    """Memory of one worker after 50 pictures, and after all."""
    photos, out = photographs(folder / "photos", a.count), folder / "out"
    more = ("--size", a.size, "--threads", 1, "--workers", 1)
    process = subprocess.Popen(words(photos, out, *more), env=environment(), stderr=subprocess.DEVNULL)
    found: dict[str, dict[int, float]] = {"worker": {}, "driver": {}}
    for goal in (50, a.count // 2, a.count - 5):
        while process.poll() is None and len(list(out.glob("*.png"))) < goal:
            time.sleep(0.05)
        for name, pids in (("worker", workers_of(process)), ("driver", [process.pid])):
            status = [Path(f"/proc/{pid}/status").read_text() for pid in pids]
            lines = [line for text in status for line in text.splitlines() if line.startswith("VmRSS")]
            found[name][goal] = sum(float(line.split()[1]) / 1e3 for line in lines)
    process.wait()
    worker = list(found["worker"].values())
    return {"megabytes": found, "growth": worker[-1] / worker[0] - 1}


def rates(folder: Path, a: argparse.Namespace) -> dict[str, Any]:
    """CPU seconds of a picture at a thread, by quality and size, and what is stored of it."""
    from impasto.media import encode, read_image

    table = {}
    sizes: dict[str, tuple[int, ...]] = {
        "instant": (256, 512, 1024, 2048),
        "refined": (512,),
        "quick": (512,),
        "best": (512,),
    }
    for quality, sides in sizes.items():
        for side in sides:
            count = max(4, 24 * 256 // side) if quality == "instant" else 3
            photos = photographs(folder / f"{quality}{side}", count, (side, 3 * side // 4))
            out, encoder = folder / f"{quality}{side}-out", ("--encoder", "lite") if quality == "best" else ()
            more = ("--size", side, "--workers", 1, "--threads", 1, *encoder)
            timed(words(photos, out, *more, quality=quality), OMP_NUM_THREADS="1")
            lines = [json.loads(line) for line in (out / "report.jsonl").read_text().splitlines()][1:]
            row = {name: statistics.median(line[name] for line in lines) for name in ("seconds", "cpu_seconds")}
            made = sorted(out.glob("*.png"))
            row["png"] = statistics.mean(p.stat().st_size for p in made)
            row["jpg"] = statistics.mean(len(encode(read_image(p).pixels, ".jpg")) for p in made)
            table[f"{quality} {side}"] = row
            print(quality, side, {k: round(v, 3) for k, v in row.items()}, flush=True)
    return {"rows": table}


def start(folder: Path, a: argparse.Namespace) -> dict[str, Any]:
    """Two small pictures: what a start costs, the quickest of several."""
    photos, more = photographs(folder / "photos", 2), ("--ray", a.ray) if a.ray else ("--workers", a.workers)
    runs = []
    for number in range(a.times):
        runs.append(timed(words(photos, folder / f"out{number}", "--size", 64, "--threads", 1, *more)))
    return {"seconds": min(run["seconds"] for run in runs), "runs": runs}


def driver(folder: Path, a: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds a picture of the process that hands out the work: they bound how many workers it can feed."""
    from impasto.jobs.batch import Batch
    from impasto.jobs.many import Plan, Report, Run
    from impasto.jobs.worklist import items_of, state_of

    photos = str(photographs(folder / "photos", a.count))
    job = Batch(photos, STYLE, output=str(folder / "out"), quality="instant", size=64, workers=0, threads=1)
    for _ in job.records():
        pass
    taken: dict[str, float] = {}

    def each(name: str, run: Any) -> None:
        began = time.process_time()
        run()
        taken[name] = 1000 * (time.process_time() - began) / a.count

    items = items_of(job)
    run = Run(job, items, Report(str(folder / "report.jsonl")))
    run.plan = Plan(1, 2)
    run.task(items[0])
    each("listing", lambda: items_of(job))
    each("is it done", lambda: [state_of(item) for item in items])
    each("handing out", lambda: [pickle.dumps(run.task(item)) for item in items])
    return {"milliseconds": taken}


PARTS = {f.__name__: f for f in (faults, again, kills, start, driver, scaling, overhead, memory, rates)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=PARTS)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--ray", help="address of a cluster, or auto")
    a = parser.parse_args()
    for name in a.parts:
        with tempfile.TemporaryDirectory() as folder:
            result = PARTS[name](Path(folder), a)
        asked = {"count": a.count, "size": a.size, "workers": a.workers, "ray": a.ray}
        out = HERE / "benchmarks" / "results" / f"batch_{name}{'_ray' if a.ray else ''}.json"
        write(out, {"result": result, "asked": asked})


if __name__ == "__main__":
    main()
