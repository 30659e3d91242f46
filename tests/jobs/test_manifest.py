"""Each option comes through every front into the manifest; and what is painted stays what it was."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import impasto
from impasto.errors import InputError
from impasto.jobs.base import Job
from impasto.jobs.every import JOBS
from impasto.jobs.report import identity, manifest, manifest_of
from impasto.jobs.running import resolved
from impasto.methods.settings import StylizeSettings
from impasto.options import defaults_of, options_of

#: Option -> a value that is not its default.
OTHER: dict[str, Any] = {
    "size": 64, "color": "histogram", "color_form": "symmetric", "feather": 0.03, "content_weight": 2.5,
    "style_weight": 7.0, "tv_weight": 0.25, "balance": 0.7, "content_layers": ("relu3_1",),
    "style_layers": ("relu1_1", "relu2_1"), "style_layer_weights": (1.0, 2.0, 3.0, 4.0, 5.0),
    "style_loss": "wasserstein", "style_scales": (0.5, 1.0), "style_rotations": (0.0, 15.0), "semantic_weight": 2.0,
    "dream": "relu2_1", "dream_weight": 0.3, "convention": "gatys", "tv": "power", "tv_gamma": 0.7,
    "optimizer": "adam", "history": 7, "levels": 3, "rate": 0.017, "cooldown": 0.4, "jitter": 6, "steps": 3,
    "first_steps": 5, "warmup_steps": 2, "warmup_encoder": "vgg16", "scales": 2, "scale_factor": 1.5, "average": 0.5,
    "keep_detail": True,
    "init": "gray", "seed": 9, "encoder": "vgg16", "pooling": "avg", "precision": "fp32",
}  # fmt: skip
#: What must be given with them.
WITH = {"dream_weight": {"dream": "relu2_1"}}


def told(job: impasto.Stylize) -> dict[str, Any]:
    """The job as the manifest of its picture has it."""
    found = resolved(job)[0].resolved(str(resolved(job)[0].encoder))
    tells: dict[str, Any] = json.loads(json.dumps(manifest(found)))["job"]
    return tells


def test_the_table_has_every_setting_at_another_value() -> None:
    defaults = defaults_of(StylizeSettings)
    assert set(OTHER) == set(options_of(StylizeSettings))
    assert not [name for name, value in OTHER.items() if value == defaults[name]]


@pytest.mark.parametrize("name", OTHER)
def test_an_option_is_in_the_manifest_as_it_was_given(
    name: str, pair: tuple[Path, Path], ok: Callable[..., Any], tmp_path: Path
) -> None:
    given = {name: OTHER[name], **WITH.get(name, {})}
    expected = json.loads(json.dumps(OTHER[name]))
    assert told(impasto.Stylize(*map(str, pair), **given))[name] == expected
    words = []
    for option, value in given.items():
        flag = options_of(impasto.Stylize)[option].flag or "--" + option.replace("_", "-")
        words += (
            [flag] if value is True else [flag, ",".join(map(str, value)) if isinstance(value, tuple) else str(value)]
        )
    ok("stylize", *pair, *words, "--save-job", tmp_path / "job.json")
    assert json.loads((tmp_path / "job.json").read_text())[name] == expected
    by_json = impasto.job_of(json.loads((tmp_path / "job.json").read_text()))
    assert isinstance(by_json, impasto.Stylize) and told(by_json)[name] == expected


def test_a_report_of_losses_is_a_table(pair: tuple[Path, Path], ok: Callable[..., Any], tmp_path: Path) -> None:
    report = tmp_path / "run.csv"
    ok(
        "stylize",
        *pair,
        "-o",
        tmp_path / "o.png",
        "--report",
        report,
        "--size",
        48,
        "--steps",
        3,
        "--encoder",
        "lite",
        "--quiet",
    )
    first, *rows = report.read_text().splitlines()
    assert first.startswith("scale,step,seconds,loss") and [row.split(",")[1] for row in rows] == ["1", "2", "3"]
    assert all(len(row.split(",")) == len(first.split(",")) for row in rows)


@pytest.mark.slow
def test_two_processes_paint_what_one_does(pair: tuple[Path, Path], tmp_path: Path) -> None:
    options = ["--size", "48", "--steps", "2", "--encoder", "lite", "--precision", "fp32", "--threads", "1", "-q"]
    environment = os.environ | {"IMPASTO_CACHE": str(tmp_path / "cache")}  # both write the same statistics
    words = [sys.executable, "-m", "impasto", "stylize", *map(str, pair), *options, "-o"]
    running = [subprocess.Popen([*words, str(tmp_path / f"{n}.png")], env=environment) for n in "ab"]
    assert [process.wait(timeout=120) for process in running] == [0, 0]
    expected = impasto.stylize(*map(str, pair), size=48, steps=2, encoder="lite", precision="fp32", threads=1).image
    for name in "ab":
        with Image.open(tmp_path / f"{name}.png") as made:
            assert np.array_equal(np.asarray(made), np.asarray(expected))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda p: impasto.instant(p), "style"),
        (lambda p: impasto.instant(p, "mosaic"), "mosaic"),
        (lambda p: impasto.instant(p, {"mosaik": 1.0}), "did you mean mosaic"),
        (lambda p: impasto.stylize(p, p, masks="sky.png"), "masks is 'sky.png'; it must be pairs"),
        (lambda p: impasto.stylize(p, p, steps=[]), "steps is"),
        (lambda p: impasto.stylize(p, p, size=None), "size is None"),
        (lambda p: impasto.stylize(p, p, quality=["best"]), "unknown quality"),
        (lambda p: impasto.job_of({"job": "stylize", "content": p, "style": [p], "quality": 3}), "unknown quality '3'"),
        (lambda p: impasto.excite("relu4_1:1", preset=["olah"]), "unknown preset"),
        (lambda p: impasto.stylize(p, p, style_loss=3), "style loss is 3"),
        (lambda p: impasto.stylize(p, 3), "style is"),
        (lambda p: impasto.texture(p, size="12by9"), "size is '12by9'"),
        (lambda p: impasto.run(impasto.job_of({"job": "stilize"})), "did you mean stylize"),
        (lambda p: impasto.run(impasto.job_of({"job": "stylize", "content": p, "style": [p], "stpes": 3})), "steps"),
        (lambda p: impasto.again(p), "no manifest"),
        (lambda p: impasto.resume(p), "no state"),
    ],
)
def test_what_cannot_be_used_in_python_is_one_line(call: Any, said: str, pair: tuple[Path, Path]) -> None:
    with pytest.raises(InputError, match=said) as error:
        call(str(pair[0]))
    assert "\n" not in str(error.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_one_line(
    pair: tuple[Path, Path], refused: Callable[..., str], tmp_path: Path
) -> None:
    out = tmp_path / "o.png"
    assert "cuda" in refused("stylize", *pair, "-o", out, "--device", "cuda", "--steps", 1) and not out.exists()


#: Means of 8x8 pixels, three colors, of the picture below.
GOLDEN = """
2 5 200 33 5 252 67 2 179 115 7 57 150 6 16 176 4 110 207 5 230 253 3 238
6 48 165 36 43 174 75 41 150 107 37 101 138 45 91 174 38 123 218 48 165 242 26 164
6 92 101 29 77 64 67 84 99 106 76 184 142 70 198 180 92 149 219 77 73 240 59 67
6 141 79 30 117 3 69 123 80 99 92 216 147 111 247 176 105 147 205 104 28 248 111 17
0 165 79 28 174 31 67 150 97 105 147 199 140 150 221 177 141 151 204 154 49 244 144 40
0 196 131 24 207 150 58 197 133 94 195 118 133 204 123 176 187 127 214 184 133 248 174 137
"""


def test_a_picture_is_what_it_was() -> None:
    """Four steps: noise of 1e-6 moves these means by 0.2 levels, and by 6.6 after eight; another step by 25."""
    y, x = np.mgrid[0:48, 0:64] / 64
    photo = np.stack([x, y, (np.sin(9 * x) * np.cos(7 * y) + 1) / 2], 2).astype(np.float32)
    painting = np.stack([(np.sin(40 * x + 20 * y) + 1) / 2, (np.cos(30 * y) + 1) / 2, 1 - x], 2).astype(np.float32)
    made = impasto.stylize(
        photo, painting, size=64, steps=4, color="style", encoder="lite", precision="fp32", threads=1
    ).image
    means = np.asarray(made, float).reshape(6, 8, 8, 8, 3).mean((1, 3)).ravel()
    assert np.abs(means - np.array(GOLDEN.split(), float)).max() < 2


#: Job -> options whose places it tells by name.
PLACES: list[tuple[Job, set[str]]] = [
    (impasto.Stylize("/here/a.png", "/here/b.png", output="/here/c.png", weights="/here/w"), set()),
    (JOBS["train"](("/here/a.png",), photos=("/here/b",), weights="/here/w", output="/here/m"), {"painting", "photos"}),
    (JOBS["train"](("/here/a.png",), task="any-style", held_out=("/here/b",), output="/here/m"),
     {"painting", "held_out"}),
    (JOBS["visualize patches"](units=("relu1_1:0",), photos="/here/b", weights="/here/w", output="/here/c.png"),
     {"photos"}),
]  # fmt: skip


@pytest.mark.parametrize(("job", "named"), PLACES)
def test_a_manifest_has_no_place_on_a_machine(job: Job, named: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.jobs.base.file_hash", lambda path: "0")
    monkeypatch.setattr(Path, "is_file", lambda path: True)
    told, options = job.as_json(portable=True), options_of(type(job))
    assert "/here" not in json.dumps(told)
    assert {name for name in told if name != "job" and options[name].kind.path} == named


def test_folders_of_one_name_are_not_one_job(tmp_path: Path) -> None:
    here, there = (JOBS["visualize patches"](units=("relu1_1:0",), photos=f"{tmp_path}/{p}/b") for p in "xy")
    assert here.as_json(portable=True) == there.as_json(portable=True) and identity(here) != identity(there)


def test_again_takes_weights_from_elsewhere(
    ok: Callable[..., Any], refused: Callable[..., Any], pair: tuple[Path, Path], tmp_path: Path
) -> None:
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out.png"
    elsewhere.mkdir()
    shutil.copy(ok("weights", "path", "lite").out.strip(), elsewhere / "lite.safetensors")
    words = ("--size", 32, "--steps", 1, "--encoder", "lite", "--weights", elsewhere, "--quiet")
    ok("stylize", *pair, "-o", out, *words)
    assert "elsewhere" not in json.dumps(manifest_of(out))
    again = ("again", out, "-o", tmp_path / "2.png", "--inputs", pair[0].parent, "--quiet", "--weights")
    refused(*again, tmp_path)
    ok(*again, elsewhere)
    assert (np.asarray(Image.open(out)) == np.asarray(Image.open(tmp_path / "2.png"))).all()
