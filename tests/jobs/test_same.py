"""One job by command, Python, JSON and manifest: one picture."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import impasto
from impasto.jobs.base import Job
from impasto.media import read_metadata
from impasto.methods.settings import BY_STEPS
from impasto.options import options_of

SMALL: dict[str, Any] = {"size": 48, "threads": 1}
LITE: dict[str, Any] = SMALL | {"encoder": "lite", "steps": 2}


def jobs(content: str, style: str) -> dict[str, Job]:
    return {
        "stylize": impasto.Stylize(content, style, **LITE, precision="fp32"),
        "paint": impasto.Stylize(content, style, quality="instant", **SMALL),
        "texture": impasto.Texture(style, scales=1, **LITE),
        "dream": impasto.Dream(content, octaves=1, layer="relu3_1", **LITE),
        "invert": impasto.Invert(content, layer="relu2_1", **LITE),
    }


def words(job: Job) -> list[str]:
    """The job as it is typed."""
    typed = job.name.split()
    for name, option in options_of(type(job)).items():  # what is positional first, in order
        if name not in job.given:
            continue
        value = getattr(job, name)
        flag = [] if option.positional else [option.flag or "--" + name.replace("_", "-")]
        typed += flag + (["x".join(map(str, value))] if name == "size" and isinstance(value, tuple) else
                         [str(v) for v in (value if isinstance(value, tuple) else [value])])  # fmt: skip
    return typed


@pytest.mark.parametrize("name", ["stylize", "paint", "texture", "dream", "invert"])
def test_four_fronts_make_one_picture(
    name: str, pair: tuple[Path, Path], ok: Callable[..., Any], tmp_path: Path
) -> None:
    job = jobs(*map(str, pair))[name]
    first, second, third = (tmp_path / f"{n}.png" for n in ("command", "json", "again"))
    ok(*words(job), "-o", first, "--quiet")
    ok(*words(job), "-o", second, "--save-job", tmp_path / "job.json")
    ok("run", tmp_path / "job.json", "--quiet")
    ok("again", first, "-o", third, "--inputs", pair[0].parent, "--quiet")
    by_python = np.asarray(impasto.run(job).image)
    for path in (first, second, third):
        assert np.array_equal(np.asarray(Image.open(path)), by_python), path.name
    assert str(pair[0].parent) not in ok("info", first).out  # names and hashes only


def test_a_run_goes_on_from_its_state_alone(pair: tuple[Path, Path], ok: Callable[..., Any], tmp_path: Path) -> None:
    common = ("--size", 48, "--encoder", "lite", "--threads", 1, "--precision", "fp32")
    state = tmp_path / "part.png.state.safetensors"
    ok("stylize", *pair, "-o", tmp_path / "part.png", *common, "--steps", 3, "--save-every", 3)
    ok("stylize", *pair, "-o", tmp_path / "whole.png", *common, "--steps", 6)
    ok("stylize", "--resume", state, "--steps", 6)  # more steps, into the same picture
    part, whole = (np.asarray(Image.open(tmp_path / f"{n}.png")) for n in ("part", "whole"))
    assert np.array_equal(part, whole)


@pytest.mark.parametrize(("before", "after"), [(8, 64), (61, 62)])
def test_more_steps_change_nothing_else_that_depends_on_their_number(
    pair: tuple[Path, Path], ok: Callable[..., Any], tmp_path: Path, before: int, after: int
) -> None:
    part, found = tmp_path / "part.png", []
    words = ("--size", 48, "--encoder", "lite", "--threads", 1, "--steps", before, "--save-every", before)
    cooldown = ("--cooldown", 0) if before >= 60 else ()  # what has cooled down takes no more steps
    for command in (
        ("stylize", *pair, "-o", part, *words, *cooldown),
        ("stylize", "--resume", f"{part}.state.safetensors", "--steps", after),
    ):
        ok(*command)
        found.append(json.loads(read_metadata(part)["impasto"])["job"])
    assert [job["steps"] for job in found] == [before, after]
    assert [found[0][name] for name in BY_STEPS] == [found[1][name] for name in BY_STEPS]


SHORT = "--size 48 --encoder lite --threads 1"
#: Commands that can be interrupted: words before the output.
INTERRUPTED = {
    "doodle": f"doodle @map @style @map --steps 2 --scales 1 {SHORT}",
    "texture": "texture @style --size 32x32 --steps 2 --scales 1 --encoder lite --threads 1",
    "invert": f"invert @content --layer relu2_1 --steps 2 {SHORT}",
    "reconstruct": f"reconstruct @content --layer relu2_1 --steps 2 {SHORT}",
    "dream": f"dream @content --layer relu2_1 --steps 2 --octaves 1 {SHORT}",
    "visualize unit": "visualize unit relu2_1:3 --size 48 --steps 2 --encoder lite --threads 1",
}


def interrupt(monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any], *words: object) -> Any:
    """Run a command with Ctrl-C at its first step."""

    def stop(step: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("impasto.jobs.running.entry_of", stop)
        return run(*words)


@pytest.mark.parametrize("name", INTERRUPTED)
def test_what_an_interruption_offers_is_there(
    name: str,
    run: Callable[..., Any],
    ok: Callable[..., Any],
    typed: Callable[[str], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    words, part, whole = typed(INTERRUPTED[name]), tmp_path / "part.png", tmp_path / "whole.png"
    ran = interrupt(monkeypatch, run, *words, "-o", part)
    assert ran.code == 130 and f"--resume {part}.state.safetensors" in ran.err.replace("\n", " ")
    ok(*name.split(), "--resume", f"{part}.state.safetensors")
    ok(*words, "-o", whole)
    assert np.array_equal(np.asarray(Image.open(part)), np.asarray(Image.open(whole)))


def test_a_zoom_has_no_state_and_offers_none(
    run: Callable[..., Any], typed: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = typed(f"{INTERRUPTED['dream']} --zoom 2")
    ran = interrupt(monkeypatch, run, *words, "-o", tmp_path / "z.png")
    assert ran.code == 130 and "resume" not in ran.err and [p.name for p in tmp_path.iterdir()] == ["z-0000.png"]


def test_a_state_of_another_job_is_refused(
    pair: tuple[Path, Path], ok: Callable[..., Any], refused: Callable[..., str], tmp_path: Path
) -> None:
    common = (*pair, "-o", tmp_path / "a.png", "--size", 48, "--encoder", "lite", "--steps", 2)
    ok("stylize", *common, "--save-every", 2)
    state = tmp_path / "a.png.state.safetensors"
    assert "style weight" in refused("stylize", "--resume", state, "--style-weight", 3)
    assert "blend" in refused("stylize", "--resume", state, "--blend", "0.5")
    assert "masks" in refused("stylize", "--resume", state, "--mask", pair[0], 1)


def test_results_show_and_write_themselves(pair: tuple[Path, Path], tmp_path: Path) -> None:
    seen: list[object] = []
    result = impasto.stylize(pair[0].read_bytes(), str(pair[1]), watch=seen.append, **LITE)  # type: ignore[call-arg]
    assert sum(isinstance(record, impasto.Step) for record in seen) == 2
    assert result._repr_png_().startswith(b"\x89PNG") and result.to_bytes(".jpg").startswith(b"\xff\xd8")
    result.save(tmp_path / "out.png")
    assert [row["step"] for row in result.table()] == [1, 2] and result.csv().startswith("scale,step,seconds,loss")
    painter = impasto.open_painter("any", precision="fp32")
    painted = painter.paint(str(pair[0]), painter.describe(str(pair[1])), size=48)
    expected = impasto.instant(str(pair[0]), str(pair[1]), size=48, precision="fp32")
    assert (painted.pixels - expected.pixels).abs().max() < 1e-5
