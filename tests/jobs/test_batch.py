"""Many pictures: none is lost, none is painted twice, bad ones are told, and nothing that dies takes others along."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import impasto
from impasto.errors import InputError, Interrupted
from impasto.jobs import many, work
from impasto.jobs.batch import Batch
from impasto.jobs.many import Report, Summary
from impasto.jobs.pool import Processes
from impasto.jobs.records import Note, Progress
from impasto.jobs.worklist import Item, apart, folded, in_shard, is_whole, items_of, state_of
from impasto.networks import painter as networks

FAST = {"quality": "instant", "size": 32, "threads": 1}
WORDS = ("--quality", "instant", "--size", 32, "--threads", 1, "--workers", 0)


@pytest.fixture
def photos(pictures: dict[str, Path], tmp_path: Path) -> Path:
    """`a.jpg`, `a.png`, `b.JPG`, `below/a.jpg`, and what macOS leaves beside them."""
    folder = tmp_path / "photos"
    (folder / "below").mkdir(parents=True)
    for name, source in (("a.jpg", "content"), ("a.png", "other"), ("b.JPG", "style"), ("below/a.jpg", "content")):
        Image.open(pictures[source]).convert("RGB").save(folder / name)
    (folder / "._b.JPG").write_text("no picture")
    return folder


def batch(photos: Path, style: object, out: Path, **options: Any) -> Batch:
    return Batch(str(photos), style, output=str(out), **FAST | {"workers": 0} | options)


def run(job: Batch) -> tuple[Summary, list[str]]:
    notes: list[str] = []
    return impasto.run(job, lambda r: notes.append(r.text) if isinstance(r, Note) else None), notes


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "report.jsonl").read_text().splitlines()]


def bytes_in(folder: Path) -> dict[str, bytes]:
    files = [p for p in sorted(folder.rglob("*")) if p.suffix != ".jsonl" and p.is_file()]
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


# Names and shards


def test_names_that_collide_keep_their_suffix_and_what_is_there_is_counted(
    ok: Callable[..., Any], photos: Path, pictures: dict[str, Path], tmp_path: Path
) -> None:
    words = ("batch", photos, pictures["style"], "-o", tmp_path / "v1.0", *WORDS)
    assert "painted 4 of 4" in ok(*words).err
    assert sorted(bytes_in(tmp_path / "v1.0")) == ["a.jpg.png", "a.png.png", "b.png", "below/a.png"]
    assert "painted 0 of 4; 4 were there already" in ok(*words).err
    assert {line["state"] for line in lines(tmp_path / "v1.0")} == {"skipped"}


def test_names_are_apart() -> None:
    assert apart(["a.jpg", "b.jpg", "x/a.png"], ".png") == ["a.png", "b.png", "x/a.png"]
    assert apart(["a.jpg", "A.png"], ".png") == ["a.jpg.png", "A.png.png"]
    assert apart(["é.jpg", "e\u0301.png"], ".png") == ["é.jpg.png", "e\u0301.png.png"]
    parts = ["a", "A", "a.jpg", "b", "a.png", "."]
    for seed in range(200):
        draw = random.Random(seed)
        stems = ["".join(draw.choice(parts) for _ in range(draw.randint(1, 3))) for _ in range(12)]
        names = {stem + draw.choice([".jpg", ".png"]) for stem in stems}
        found = apart(sorted(names), ".png")
        assert len({folded(name) for name in found}) == len(names), (seed, names)


def test_shards_are_disjoint_and_complete() -> None:
    for seed in range(50):
        draw = random.Random(seed)
        names = {f"{draw.getrandbits(40):x}/{draw.getrandbits(20)}.jpg" for _ in range(100)}
        of = draw.randint(1, 9)
        parts = [{n for n in names if in_shard(n, (i, of))} for i in range(1, of + 1)]
        assert set().union(*parts) == names and sum(map(len, parts)) == len(names)


def test_shards_of_a_batch(photos: Path, pictures: dict[str, Path], tmp_path: Path) -> None:
    for number in (1, 2, 3):
        run(batch(photos, pictures["style"], tmp_path / "out", shard=f"{number}/3"))
    assert sorted(bytes_in(tmp_path / "out")) == ["a.jpg.png", "a.png.png", "b.png", "below/a.png"]
    reports = sorted((tmp_path / "out").glob("*.jsonl"))
    assert [r.name for r in reports] == [f"report-{n}-of-3.jsonl" for n in (1, 2, 3)]
    assert sum(len(r.read_text().splitlines()) for r in reports) == 4
    for wrong in ("0/3", "4/3", "half"):
        with pytest.raises(InputError, match="it must be a number of a shard, from 1, and how many there are"):
            batch(photos, "a.png", tmp_path, shard=wrong)


# Done means proved


def test_what_is_proved_is_left_alone_and_everything_else_painted_anew(
    photos: Path, pictures: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    job = batch(photos, pictures["style"], out)
    assert run(job)[0].painted == 4
    first, times = bytes_in(out), {p: p.stat().st_mtime_ns for p in out.rglob("*.png")}
    monkeypatch.setattr(many, "opened", None)  # no worker is needed
    summary, _ = run(job)
    monkeypatch.undo()
    assert (summary.painted, summary.skipped) == (0, 4)
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*.png")} == times
    (out / "b.png").write_bytes(b"")
    (out / "a.jpg.png").write_bytes(first["a.jpg.png"][:-100])
    shutil.copy(pictures["style"], photos / "a.png")
    (out / "below" / "a.png").unlink()
    assert (summary := run(job)[0]).painted == 4 and summary.anew == 3
    again = bytes_in(out)
    assert {n for n, data in again.items() if data != first[n]} == {"a.png.png"}
    for other in (job.changed(style=str(pictures["other"])), job.changed(strength=0.5), job.changed(size=48)):
        assert (summary := run(other)[0]).painted == summary.anew == 4 and summary.skipped == 0
    monkeypatch.setattr("impasto.jobs.report.version", lambda name: "0.0.0")
    assert run(other)[0].painted == 4
    assert run(other.changed(force=True))[0].painted == 4


def test_pictures_of_other_programs_are_not_replaced(photos: Path, pictures: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    shutil.copy(pictures["left"], out / "b.png")
    summary, notes = run(batch(photos, pictures["style"], out))
    assert (summary.painted, summary.failed) == (3, 1)
    assert (out / "b.png").read_bytes() == pictures["left"].read_bytes() and "none of impasto's" in notes[-2]
    assert run(batch(photos, pictures["style"], out, force=True))[0].painted == 4


@pytest.mark.parametrize("format", ["jpg", "webp", "tif"])
def test_formats_prove_themselves(format: str, photos: Path, pictures: dict[str, Path], tmp_path: Path) -> None:
    job = batch(photos / "below", pictures["style"], tmp_path / "out", format=format)
    assert run(job)[0].painted == 1 and run(job)[0].skipped == 1
    target = tmp_path / "out" / f"a.{format}"
    target.write_bytes(target.read_bytes()[:-200])
    assert not is_whole(str(target)) and run(job)[0].painted == 1


def test_originals_are_not_replaced_and_the_output_is_not_painted_again(
    refused: Callable[..., str], photos: Path, pictures: dict[str, Path]
) -> None:
    before = bytes_in(photos)
    for command in ("batch", "stylize"):
        words = (command, photos, pictures["style"], "-o", photos, "--force", *WORDS[:6])
        assert "must be another one" in refused(*words)
    assert "output is missing" in refused("stylize", photos, pictures["style"], *WORDS[:6])
    words = ("stylize", photos, pictures["style"], "-o", photos / "out", "--plot", "losses.png")
    assert "plot has no effect with a folder" in refused(*words)
    assert bytes_in(photos) == before
    for _ in range(2):
        assert run(batch(photos, pictures["style"], photos / "painted"))[0].total == 4


def test_an_output_above_the_photographs_replaces_none(photos: Path, paintings: list[Path], tmp_path: Path) -> None:
    shutil.copy(photos / "a.png", photos / "below" / "stripes.png")
    assert run(batch(photos / "below", paintings[0], tmp_path))[0].painted == 2
    (photos / "stripes").mkdir()
    shutil.move(photos / "a.png", photos / "stripes" / "a.png")
    with pytest.raises(InputError, match="would replace photographs"):
        run(batch(photos / "stripes", paintings[:2], photos, each=True, force=True))


# What is painted


def test_a_picture_is_that_of_stylize(photos: Path, pictures: dict[str, Path], tmp_path: Path) -> None:
    styles = (str(pictures["style"]), str(pictures["paintings"]))
    options: dict[str, Any]
    for options in ({"blend": (0.3, 0.7)}, {"masks": (str(pictures["left"]), 2)}, {"color": "content-match"}):
        run(batch(photos / "below", styles, tmp_path / "out", **options))
        one = impasto.stylize(photos / "below" / "a.jpg", styles, **FAST | options)
        found = impasto.read_image(tmp_path / "out" / "a.png").pixels
        assert torch.equal(found, (one.pixels.clamp(0, 1) * 255).round() / 255), options


def test_every_quality_and_each_style_by_itself(photos: Path, paintings: list[Path], tmp_path: Path) -> None:
    quick = {"quality": "quick", "steps": 1, "scales": 1}
    assert run(batch(photos, paintings[0], tmp_path / "quick", **quick))[0].painted == 4
    out = tmp_path / "each"
    summary, _ = run(batch(photos / "below", paintings[:2], out, each=True))
    assert summary.painted == 2 and sorted(bytes_in(out)) == ["checks/a.png", "stripes/a.png"]
    run(batch(photos / "below", paintings[1], tmp_path / "alone"))
    assert bytes_in(tmp_path / "alone")["a.png"] == bytes_in(out)["checks/a.png"]
    named = Batch(str(photos / "below"), style_name=("waves", "mosaic"), each=True, output=str(out), workers=0, size=32)
    assert run(named)[0].painted == 2 and (out / "waves" / "a.png").exists()
    with pytest.raises(InputError, match="has no blend"):
        batch(photos, paintings, out, each=True, blend=(1, 1, 1))


def test_pictures_of_one_size_are_painted_at_once(photos: Path, pictures: dict[str, Path], tmp_path: Path) -> None:
    (photos / "text.png").write_text("no picture")
    Image.open(photos / "a.png").convert("RGBA").save(photos / "e.png")
    Image.fromarray(np.full((60, 90, 4), 120, np.uint8)).save(photos / "f.png")  # transparent
    summary, _ = run(batch(photos, pictures["style"], tmp_path / "out", batch=3))
    assert (summary.painted, summary.failed) == (6, 1)
    run(batch(photos, pictures["style"], tmp_path / "alone"))
    for name in bytes_in(tmp_path / "alone"):
        found, alone = (impasto.read_image(tmp_path / folder / name).pixels for folder in ("out", "alone"))
        assert float((found - alone).abs().max()) < 0.02, name
    assert bytes_in(tmp_path / "alone")["f.png"] == bytes_in(tmp_path / "out")["f.png"]


def test_where_memory_is_short_fewer_are_painted_at_once(
    photos: Path, pictures: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    real = networks.Painter.__call__

    def scarce(self: networks.Painter, images: torch.Tensor, *args: Any) -> torch.Tensor:
        asked.append(len(images))
        if len(images) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return real(self, images, *args)

    for number in range(4):
        shutil.copy(photos / "a.jpg", photos / "below" / f"{number}.jpg")
    monkeypatch.setattr(networks.Painter, "__call__", scarce)
    assert run(batch(photos / "below", pictures["style"], tmp_path / "out", batch=5))[0].painted == 5
    assert asked == [5, 2, 3, 1, 2]


def test_bad_pictures_are_told_and_nothing_stops(
    run: Callable[..., Any], photos: Path, pictures: dict[str, Path], tmp_path: Path
) -> None:
    (photos / "text.png").write_text("no picture")
    (photos / "empty.png").touch()
    (photos / "cut.png").write_bytes((photos / "a.png").read_bytes()[:-300])
    ran = run("batch", photos, pictures["style"], "-o", tmp_path / "out", *WORDS)
    assert ran.code == 1 and "painted 4 of 7; 3 failed" in ran.err
    found = {line["picture"]: line for line in lines(tmp_path / "out")}
    assert {n for n, line in found.items() if line["state"] == "failed"} == {"text.png", "empty.png", "cut.png"}
    assert all("\n" not in found[n]["error"] for n in ("text.png", "empty.png", "cut.png"))
    assert found["b.JPG"].keys() >= {"seconds", "cpu_seconds", "retries", "width", "height", "output"}
    assert len(bytes_in(tmp_path / "out")) == 4


def test_a_painting_that_cannot_be_read_ends_it_before_the_first_picture(
    refused: Callable[..., str], photos: Path, pictures: dict[str, Path], tmp_path: Path
) -> None:
    for quality in ("instant", "quick"):
        words = ("batch", photos, pictures["text"], "-o", tmp_path, "--quality", quality, "--workers", 0)
        assert "not a picture of a known format" in refused(*words)


def test_a_full_disk_is_told(
    photos: Path, pictures: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "LEAST_FREE", 2**62)
    summary, notes = run(batch(photos, pictures["style"], tmp_path / "out"))
    assert summary.failed == 4 and "is full" in notes[0] and not bytes_in(tmp_path / "out")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_report_that_cannot_be_written_is_no_reason_to_stop() -> None:
    report = Report("/dev/full")
    report.write(Item("a", "b"), "painted")
    report.close()
    assert report.error == "No space left on device"


# Lists of jobs


def test_a_list_of_jobs_of_any_kind(photos: Path, pictures: dict[str, Path], tmp_path: Path) -> None:
    photo = str(photos / "a.jpg")
    rows = [
        {"content": photo},
        {"content": photo, "style": str(pictures["other"]), "output": "x/y.jpg"},
        {"content": photo, "output": "x/y.jpg"},
        {"content": photo, "strength": 0.5},
        {"job": "texture", "sample": str(pictures["style"]), "size": 32, "steps": 1, "scales": 1, "encoder": "lite"},
        {"content": "nowhere.png"},
        {"content": photo, "stpes": 3, "output": "z.png"},
        {"job": "batch", "content": str(photos), "output": "o"},
        [1],
    ]
    listed = tmp_path / "jobs.jsonl"
    listed.write_text("\n".join(map(json.dumps, rows)) + "\n\n{no json\n")
    job = batch(listed, pictures["style"], tmp_path / "out")
    assert not job.changed(style=()).style  # each job may have its own
    summary, _ = run(job)
    assert (summary.total, summary.painted, summary.failed) == (10, 4, 6)
    said = [line["error"] for line in lines(tmp_path / "out") if line["state"] == "failed"]
    for text in ("as line 2 does", "did you mean steps", "no job for a batch", "it is no job", "Expecting", "nowhere"):
        assert sum(text in error for error in said) == 1, text
    assert (tmp_path / "out" / "x" / "y.jpg").exists()
    assert (tmp_path / "out" / Path(photo).relative_to("/")).with_suffix(".png").exists()
    assert (tmp_path / "out" / Path(photo).relative_to("/")).with_name("a-4.png").exists()
    assert run(job)[0].skipped == 4


def test_videos_are_jobs_too(pictures: dict[str, Path], tmp_path: Path) -> None:
    pytest.importorskip("av", reason="PyAV is not installed")
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in range(3):
        shutil.copy(pictures["content"], frames / f"{number:04d}.png")
    listed = tmp_path / "jobs.jsonl"
    listed.write_text(json.dumps({"job": "video", "content": str(frames), "output": "clip.mp4"}))
    job = batch(listed, pictures["style"], tmp_path / "out", size=64)
    assert run(job)[0].painted == 1 and (tmp_path / "out" / "clip.mp4").stat().st_size > 1000
    assert run(job)[0].skipped == 1
    (tmp_path / "out" / "clip.mp4").write_bytes(b"")
    assert run(job)[0].painted == 1
    assert state_of(items_of(job)[0]) == "done" and state_of(items_of(job.changed(strength=0.5))[0]) == "other"


def test_an_empty_list_and_a_missing_one_are_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "cannot be read as a list" in refused("batch", tmp_path / "no.jsonl", "-o", tmp_path)
    (tmp_path / "no.jsonl").touch()
    assert "lists no jobs" in refused("batch", tmp_path / "no.jsonl", "-o", tmp_path)


# Processes of their own

#: Put before the workers' path: pictures of these names end the process that reads them, or never end.
DEADLY = """
import io, os, time
real = io.open
def deadly(file, *args, **more):
    if str(file).endswith("poison.png"):
        os.kill(os.getpid(), 9)
    while str(file).endswith("slow.png"):
        time.sleep(1)
    return real(file, *args, **more)
io.open = deadly
"""


@pytest.fixture
def deadly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sitecustomize.py").write_text(DEADLY)
    monkeypatch.syspath_prepend(str(tmp_path / "path"))


def test_a_picture_that_ends_its_worker_and_one_that_takes_too_long(
    deadly: None, photos: Path, pictures: dict[str, Path], tmp_path: Path
) -> None:
    for name in ("poison.png", "slow.png"):
        shutil.copy(pictures["other"], photos / name)
    summary, _ = run(batch(photos, pictures["style"], tmp_path / "out", workers=2, limit_seconds=15))
    assert (summary.painted, summary.failed, summary.died) == (4, 2, 3)
    found = {line["picture"]: line for line in lines(tmp_path / "out")}
    assert "its worker died, 2 times (SIGKILL" in found["poison.png"]["error"]
    assert "longer than 15 seconds" in found["slow.png"]["error"]


def test_killed_and_interrupted_it_is_the_same_in_the_end(
    photos: Path, pictures: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("c", "d"):
        shutil.copy(photos / "a.jpg", photos / f"{name}.jpg")
    run(batch(photos, pictures["style"], tmp_path / "whole"))
    pools: list[Processes] = []
    monkeypatch.setattr(many, "Processes", lambda *args: pools.append(Processes(*args)) or pools[-1])
    job = batch(photos, pictures["style"], tmp_path / "out", workers=1)
    said, killed, records = list[str](), False, job.records()
    go_on: Callable[[], Any] = records.__next__
    with pytest.raises(Interrupted, match=r"painted \d of 6.*1 times a worker died.*the same command goes on"):
        while True:
            record, go_on = go_on(), records.__next__
            if isinstance(record, Note):
                said.append(record.text)
            elif isinstance(record, Progress) and record.done == 1 and not killed:
                killed = not pools[0]._running[0].kill()
            elif isinstance(record, Progress) and record.done == 3 and not said:
                go_on = partial(records.throw, KeyboardInterrupt())
    assert said == ["finishing 1 in flight; Ctrl-C again gives them up"]
    summary, _ = run(job)
    assert 3 <= summary.skipped < 6 and summary.skipped + summary.painted == 6
    assert bytes_in(tmp_path / "whole") == bytes_in(tmp_path / "out")


@pytest.mark.slow
def test_a_thousand_with_ten_bad_ones_and_one_that_kills(
    deadly: None, pictures: dict[str, Path], tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(999):
        source = pictures["text" if number % 100 == 50 else "content"]
        shutil.copy(source, photos / f"{number}.png")
    shutil.copy(pictures["content"], photos / "poison.png")
    summary, _ = run(batch(photos, pictures["style"], tmp_path / "out", workers=2))
    assert (summary.total, summary.painted, summary.failed, summary.died) == (1000, 989, 11, 2)
    assert len(set(bytes_in(tmp_path / "out"))) == 989 and len(lines(tmp_path / "out")) == 1000


@pytest.mark.slow
def test_a_driver_that_is_killed_leaves_whole_pictures_and_no_process(
    photos: Path, pictures: dict[str, Path], tmp_path: Path
) -> None:
    for number in range(30):
        shutil.copy(photos / "a.jpg", photos / f"{number}.jpg")
    run(batch(photos, pictures["style"], tmp_path / "whole", size=256))
    out = tmp_path / "out"
    options = ("--quality", "instant", "--size", "256", "--threads", "1", "--workers", "2")
    command = [sys.executable, "-m", "impasto", "batch", str(photos), str(pictures["style"]), "-o", str(out), *options]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while len(list(out.glob("*.png"))) < 4 and process.poll() is None:
        time.sleep(0.05)
    process.kill()
    process.wait()
    summary, _ = run(batch(photos, pictures["style"], out, size=256, workers=2))
    assert summary.skipped >= 4 and summary.anew == 0 and summary.painted + summary.skipped == 34
    assert bytes_in(out) == bytes_in(tmp_path / "whole")


def test_interrupted_in_this_process(
    photos: Path, pictures: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(work, "write_image", interrupted)
    with pytest.raises(Interrupted, match="painted 0 of 4"):
        run(batch(photos, pictures["style"], tmp_path / "out"))


def test_a_folder_in_stylize_is_a_batch(
    ok: Callable[..., Any], photos: Path, pictures: dict[str, Path], tmp_path: Path
) -> None:
    words = ("stylize", photos / "below", pictures["style"], "-o", tmp_path / "out", *WORDS[:6])
    assert "painted 1 of 1" in ok(*words).err and (tmp_path / "out" / "report.jsonl").exists()
    run(batch(photos / "below", pictures["style"], tmp_path / "here"))
    assert bytes_in(tmp_path / "here") == bytes_in(tmp_path / "out")
