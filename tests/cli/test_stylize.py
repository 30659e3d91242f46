"""The command line: pictures come out, bad input gets one line and exit code 2."""

from __future__ import annotations

import json
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

import impasto
from impasto import cli
from impasto.errors import InputError
from impasto.features import resolve_precision
from impasto.features.vgg import VGG
from impasto.media import read_image, read_metadata
from impasto.methods import stylize as optimization
from impasto.methods.settings import StylizeSettings


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    Image.fromarray(data.astronaut()).resize((96, 80)).save(tmp_path / "content.png")
    Image.fromarray(data.immunohistochemistry()).resize((80, 80)).save(tmp_path / "style.png")
    return tmp_path / "content.png", tmp_path / "style.png"


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def run(monkeypatch: pytest.MonkeyPatch, *args: object) -> int:
    monkeypatch.setattr(sys, "argv", ["impasto", *map(str, args)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return int(caught.value.code or 0)


def test_stylize_writes_a_picture_with_its_manifest_and_a_report(
    monkeypatch: pytest.MonkeyPatch, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    out, report = tmp_path / "new" / "out.png", tmp_path / "run.json"
    assert run(monkeypatch, "stylize", *pair, "-o", out, "--size", 64, "--steps", 8, "--report", report) == 0
    assert size_of(out) == (64, 53)
    about, curve = json.loads(read_metadata(out)["impasto"]), json.loads(report.read_text())["loss_curve"]
    assert about["settings"]["size"] == 64 and len(about["inputs"]["style"]["sha256"]) == 64
    assert len(curve) == 8 and curve[-1]["loss"] < 0.7 * curve[0]["loss"]


def test_quick_is_lite_in_few_steps(monkeypatch: pytest.MonkeyPatch, pair: tuple[Path, Path], tmp_path: Path) -> None:
    report = tmp_path / "run.json"
    words = ("stylize", *pair, "--quality", "quick", "--size", 48, "--content-weight", 2)
    assert run(monkeypatch, *words, "-o", tmp_path / "out.png", "--report", report) == 0
    found = json.loads(report.read_text())
    chosen = found["settings"]
    assert (chosen["encoder"], chosen["optimizer"], chosen["content_weight"]) == ("lite", "lbfgs", 2)
    assert len(found["loss_curve"]) == 20


def test_the_same_seed_gives_the_identical_picture_and_another_seed_another(pair: tuple[Path, Path]) -> None:
    pictures = [impasto.stylize(*pair, size=48, steps=3, init="noise", seed=s).pixels for s in (1, 1, 2)]
    assert torch.equal(pictures[0], pictures[1])
    assert not torch.equal(pictures[0], pictures[2])


def test_style_falls_and_structure_stays(pair: tuple[Path, Path]) -> None:
    made = impasto.stylize(*pair, size=96, steps=40)
    assert made.losses[-1]["style"] < 0.25 * made.losses[0]["style"]
    before = np.asarray(read_image(pair[0]).pixels.mean(1)).ravel()
    assert np.corrcoef(before, np.asarray(made.pixels.mean(1)).ravel())[0, 1] > 0.5


def test_python_takes_arrays_and_tensors_and_yields_steps(pair: tuple[Path, Path]) -> None:
    style = torch.rand(3, 40, 40)
    steps = list(impasto.stylize_steps(pixels_of(pair[0]), style, size=48, steps=2, scales=2))
    assert [(s.scale, s.step) for s in steps] == [(1, 1), (1, 2), (2, 1), (2, 2)]


def test_resume_goes_on_where_the_run_was(
    monkeypatch: pytest.MonkeyPatch, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    common = ("stylize", *pair, "--size", 32, "--steps", 6, "--quiet")
    assert run(monkeypatch, *common, "-o", tmp_path / "a.png", "--save-every", 4) == 0
    assert (tmp_path / "a-1-0004.png").exists()
    state = tmp_path / "a.png.state.safetensors"
    assert run(monkeypatch, *common, "-o", tmp_path / "b.png", "--resume", state) == 0
    assert np.array_equal(pixels_of(tmp_path / "a.png"), pixels_of(tmp_path / "b.png"))


def test_an_interruption_keeps_the_picture_and_a_state(
    monkeypatch: pytest.MonkeyPatch, pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real = optimization.stylize

    def interrupted(*args: object, **kwargs: object):  # type: ignore[no-untyped-def]
        for step in real(*args, **kwargs):  # type: ignore[arg-type]
            yield step
            if step.step == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr(optimization, "stylize", interrupted)
    assert run(monkeypatch, "stylize", *pair, "-o", tmp_path / "o.png", "--size", 32) == 130
    assert size_of(tmp_path / "o.png") == (32, 27)
    assert (tmp_path / "o.png.state.safetensors").exists() and "--resume" in capsys.readouterr().err


def test_lite_stands_in_for_vgg19_and_says_so_once_unless_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ("stylize", *pair, "-o", tmp_path / "o.png", "--size", 32, "--steps", 1, "--force")
    for options, times in (((), 1), (("--encoder", "lite"), 0), (("--quiet",), 0)):
        assert run(monkeypatch, *common, *options) == 0
        said = capsys.readouterr().err
        assert said.count("lite stands in for VGG-19") == said.count("impasto weights fetch vgg19") == times
        assert json.loads(read_metadata(tmp_path / "o.png")["impasto"])["settings"]["encoder"] == "lite"
    looking = ("visualize", "activations", pair[0], "--layer", "relu1_1", "-o", tmp_path / "a.png", "--size", 32)
    assert run(monkeypatch, *looking) == 0
    assert "lite stands in" in capsys.readouterr().err


def test_python_tells_the_encoder_that_was_chosen(pair: tuple[Path, Path]) -> None:
    made = impasto.stylize(*pair, size=32, steps=1, precision="bf16")
    assert isinstance(made.settings, StylizeSettings)
    assert (made.settings.encoder, made.settings.precision) == ("lite", "bf16")
    assert (made.settings.optimizer, made.settings.jitter) == ("lbfgs", 0)
    longer = impasto.stylize(*pair, size=32, steps=60).settings
    assert isinstance(longer, StylizeSettings) and (longer.optimizer, longer.jitter) == ("adam", 16)
    as_it_is = impasto.stylize(*pair, size=32, steps=1)
    assert as_it_is.settings.precision == resolve_precision()  # type: ignore[union-attr]
    assert impasto.texture(pair[1], size=(64, 64), steps=1).settings.encoder == "lite"


def test_each_scale_begins_with_the_warm_up_encoder_and_ends_with_its_own(pair: tuple[Path, Path], tiny: VGG) -> None:
    layers = {"content_layers": ("relu2_1",), "style_layers": ("relu1_1", "relu2_1")}
    common = {"encoder": tiny, "size": 64, "scales": 2, "steps": 3, **layers}
    steps = list(impasto.stylize_steps(*pair, warmup_steps=2, **common))  # type: ignore[arg-type]
    assert [s.scale for s in steps] == [1, 1, 2, 2, 2, 3, 3, 4, 4, 4]
    assert [s.steps for s in steps] == [2, 2, 3, 3, 3] * 2
    assert steps[1].size == steps[2].size != steps[5].size == steps[9].size
    plain = list(impasto.stylize_steps(*pair, **common))  # type: ignore[arg-type]
    assert [s.scale for s in plain] == [1, 1, 1, 2, 2, 2]
    assert steps[2].loss != plain[0].loss


def test_the_encoder_itself_needs_no_warm_up(pair: tuple[Path, Path]) -> None:
    steps = list(impasto.stylize_steps(*pair, encoder="lite", size=32, steps=1, warmup_steps=2))
    assert [s.steps for s in steps] == [1]


def test_a_layer_that_only_one_of_both_encoders_has_is_refused(pair: tuple[Path, Path], tiny: VGG) -> None:
    layers = {"content_layers": ("pool1",), "style_layers": ("relu1_1", "conv1_1")}
    with pytest.raises(InputError, match="conv1_1"):
        impasto.stylize_steps(*pair, encoder=tiny, size=32, warmup_steps=1, **layers)  # type: ignore[arg-type]


@pytest.mark.parametrize("source", ["content", "style"])
def test_reconstruct(monkeypatch: pytest.MonkeyPatch, pair: tuple[Path, Path], tmp_path: Path, source: str) -> None:
    args = ("--from", source, "--layer", "relu2_1", "--size", 48, "--steps", 5, "-o", tmp_path / "r.png")
    assert run(monkeypatch, "reconstruct", pair[0], *args) == 0
    assert size_of(tmp_path / "r.png") == (48, 40)


def test_grid_has_a_picture_for_each_depth_and_ratio(
    monkeypatch: pytest.MonkeyPatch, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "grid.png"
    args = ("--size", 48, "--steps", 2, "--ratio", 0.01, "--ratio", 1, "--quiet")
    assert run(monkeypatch, "grid", *pair, "-o", out, *args) == 0
    width, height = size_of(out)
    assert width > 2 * 48 and height > 5 * 40
    assert len(np.unique(pixels_of(out))) > 100


BAD = {
    "missing content": (["{tmp}/none.png", "{style}"], []),
    "folder": (["{tmp}", "{style}"], []),
    "not an image": (["{text}", "{style}"], []),
    "1x1": (["{dot}", "{style}"], []),
    "1x5000": (["{line}", "{style}"], []),
    "elongated style": (["{content}", "{line}"], []),
    "unknown layer": (["{content}", "{style}"], ["--style-layer", "relu9_9"]),
    "unknown encoder": (["{content}", "{style}"], ["--encoder", "vgg91"]),
    "missing weights": (["{content}", "{style}"], ["--encoder", "vgg16", "--weights", "{tmp}/none.pth"]),
    "corrupt weights": (["{content}", "{style}"], ["--encoder", "vgg16", "--weights", "{text}"]),
    "negative size": (["{content}", "{style}"], ["--size", "-5"]),
    "zero steps": (["{content}", "{style}"], ["--steps", "0"]),
    "negative warm-up": (["{content}", "{style}"], ["--warmup-steps", "-1"]),
    "zero scales": (["{content}", "{style}"], ["--scales", "0"]),
    "negative weight": (["{content}", "{style}"], ["--style-weight", "-1"]),
    "NaN weight": (["{content}", "{style}"], ["--content-weight", "nan"]),
    "all weights zero": (["{content}", "{style}"], ["--content-weight", "0", "--style-weight", "0"]),
    "unknown preset": (["{content}", "{style}"], ["--preset", "gatsy"]),
    "quick by another preset": (["{content}", "{style}"], ["--quality", "quick", "--preset", "gatys"]),
    "unknown pooling": (["{content}", "{style}"], ["--pooling", "mean"]),
    "unknown optimizer": (["{content}", "{style}"], ["--optimizer", "sgd"]),
    "unknown precision": (["{content}", "{style}"], ["--precision", "fp16"]),
    "weights of no known encoder": (["{content}", "{style}"], ["--weights", "{text}"]),
    "unknown device": (["{content}", "{style}"], ["--device", "tpu"]),
    "bad resume": (["{content}", "{style}"], ["--resume", "{text}"]),
    "bad memory": (["{content}", "{style}"], ["--max-memory", "lots"]),
    "no memory": (["{content}", "{style}"], ["--max-memory", "0GB"]),
    "little memory": (["{content}", "{style}"], ["--max-memory", "100MB"]),
    "missing init": (["{content}", "{style}"], ["--init", "{tmp}/none.png"]),
    "missing network": (["{content}", "{style}"], ["--init", "{tmp}/none.safetensors"]),
    "network without the style": (["{content}", "{style}"], ["--init", "{gallery}"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_line_exit_code_2_and_no_output(
    monkeypatch: pytest.MonkeyPatch,
    pair: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    case: str,
) -> None:
    gallery = files("impasto") / "data" / "gallery.safetensors"
    names = {"tmp": tmp_path, "content": pair[0], "style": pair[1], "gallery": gallery}
    names |= {n: tmp_path / f"{n}.png" for n in ("text", "dot", "line")}
    names["text"].write_text("this is no picture")
    Image.new("RGB", (1, 1)).save(names["dot"])
    Image.new("RGB", (1, 5000)).save(names["line"])
    pictures, options = ([p.format(**names) for p in part] for part in BAD[case])
    out = tmp_path / "out.png"
    assert run(monkeypatch, "stylize", *pictures, "-o", out, "--steps", "2", "--size", "48", *options, "--quiet") == 2
    printed = capsys.readouterr()
    assert len(printed.err.strip().splitlines()) == 1 and "Traceback" not in printed.err
    assert printed.err.startswith("impasto: ") and not out.exists()


def test_an_existing_output_is_kept_without_force(
    monkeypatch: pytest.MonkeyPatch, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out.png"
    out.write_bytes(b"precious")
    assert run(monkeypatch, "stylize", *pair, "-o", out, "--steps", 1, "--size", 32) == 2
    assert out.read_bytes() == b"precious"


def test_resume_from_other_settings_is_refused(
    monkeypatch: pytest.MonkeyPatch, pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ("stylize", *pair, "--steps", 2, "--quiet", "-o", tmp_path / "a.png", "--force")
    assert run(monkeypatch, *common, "--size", 32, "--save-every", 1) == 0
    assert run(monkeypatch, *common, "--size", 48, "--resume", tmp_path / "a.png.state.safetensors") == 2
    assert "size 32, not 48" in capsys.readouterr().err


def test_info_and_weights_list_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("info",), ("weights", "list")):
        assert run(monkeypatch, *words) == 0
        assert "lite" in capsys.readouterr().out


def test_fetch_when_offline_names_file_address_and_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    from impasto.features import weights

    gone = replace(weights.WEIGHTS["vgg16"], url="http://127.0.0.1:9/vgg16-397923af.pth")
    monkeypatch.setitem(weights.WEIGHTS, "vgg16", gone)
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path))
    assert run(monkeypatch, "weights", "fetch", "vgg16") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert all(part in said for part in ("vgg16-397923af.pth", "http://127.0.0.1:9/", str(tmp_path)))
