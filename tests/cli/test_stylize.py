"""`stylize`, `reconstruct`, `grid` and the rest on the command line: pictures come out, bad input gets one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import impasto
from impasto.errors import InputError
from impasto.features import resolve_precision
from impasto.features.vgg import VGG
from impasto.jobs.stylize import Stylize, recording
from impasto.media import read_image, read_metadata
from impasto.methods import stylize as optimization
from impasto.optimize.captured import cuda_graph

Run = Callable[..., Any]


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def job_in(path: Path) -> dict[str, Any]:
    """The job that a picture's manifest tells."""
    found: dict[str, Any] = json.loads(read_metadata(path)["impasto"])["job"]
    return found


def test_stylize_writes_a_picture_with_its_manifest_and_a_report(
    ok: Run, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    out, report = tmp_path / "new" / "out.png", tmp_path / "run.json"
    ok("stylize", *pair, "-o", out, "--size", 64, "--steps", 8, "--report", report)
    assert size_of(out) == (64, 53)
    job, curve = job_in(out), json.loads(report.read_text())["loss_curve"]
    assert job["job"] == "stylize" and job["size"] == 64 and job["style"][0]["file"] == "style.png"
    assert [len(f["sha256"]) for f in (job["content"], *job["style"])] == [64, 64]
    assert len(curve) == 8 and curve[-1]["loss"] < 0.7 * curve[0]["loss"]


def test_quick_is_lite_in_few_steps(ok: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    report = tmp_path / "run.json"
    words = ("--quality", "quick", "--size", 48, "--content-weight", 2, "--report", report)
    ok("stylize", *pair, "-o", tmp_path / "o.png", *words)
    found = json.loads(report.read_text())
    job = found["job"]
    assert (job["encoder"], job["optimizer"], job["content_weight"]) == ("lite", "lbfgs", 2)
    assert len(found["loss_curve"]) == 40  # at the only scale


def test_the_same_seed_gives_the_identical_picture_and_another_seed_another(pair: tuple[Path, Path]) -> None:
    found = [impasto.stylize(*pair, size=48, steps=3, init="noise", seed=s).pixels for s in (1, 1, 2)]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_style_falls_and_structure_stays(pair: tuple[Path, Path]) -> None:
    found = impasto.stylize(*pair, size=96, steps=40)
    assert found.losses[-1]["style"] < 0.25 * found.losses[0]["style"]
    before = np.asarray(read_image(pair[0]).pixels.mean(1)).ravel()
    assert np.corrcoef(before, np.asarray(found.pixels.mean(1)).ravel())[0, 1] > 0.5


def test_python_takes_arrays_and_tensors_and_yields_steps(pair: tuple[Path, Path]) -> None:
    style = torch.rand(3, 40, 40)
    steps = list(impasto.stylize_steps(pixels_of(pair[0]), style, size=48, steps=2, scales=2))
    assert [(s.scale, s.step) for s in steps] == [(1, 1), (1, 2), (2, 1), (2, 2)]


def test_resume_goes_on_where_the_run_was(ok: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    common = ("stylize", *pair, "--size", 32, "--steps", 6, "--quiet")
    ok(*common, "-o", tmp_path / "a.png", "--save-every", 4)
    assert (tmp_path / "a-1-0004.png").exists()
    state = tmp_path / "a.png.state.safetensors"
    ok(*common, "-o", tmp_path / "b.png", "--resume", state)
    ok("stylize", "--resume", state, "-o", tmp_path / "c.png")
    whole = pixels_of(tmp_path / "a.png")
    assert np.array_equal(whole, pixels_of(tmp_path / "b.png")) and np.array_equal(whole, pixels_of(tmp_path / "c.png"))


def stop_at(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Ctrl-C at a step of `stylize`."""
    real = optimization.stylize

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        for step in real(*args, **kwargs):
            yield step
            if step.step == number:
                raise KeyboardInterrupt

    monkeypatch.setattr(optimization, "stylize", interrupted)


def test_an_interruption_keeps_the_picture_and_a_state(
    monkeypatch: pytest.MonkeyPatch, run: Run, ok: Run, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    out, state = tmp_path / "o.png", tmp_path / "o.png.state.safetensors"
    common = ("stylize", *pair, "--size", 32, "--steps", 4)
    with monkeypatch.context() as patch:
        stop_at(patch, 2)
        ran = run(*common, "-o", out)
    assert ran.code == 130 and size_of(out) == (32, 27) and state.exists()
    assert f"--resume {state}" in ran.err.replace("\n", " ")
    ok("stylize", "--resume", state)  # into the same picture, which is not whole
    ok(*common, "-o", tmp_path / "whole.png")
    assert np.array_equal(pixels_of(out), pixels_of(tmp_path / "whole.png"))
    assert not state.exists(), "the state of a finished run is of no use"


def test_lite_stands_in_for_vgg19_and_says_so_once_unless_it_was_asked_for(
    ok: Run, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    common = ("stylize", *pair, "-o", tmp_path / "o.png", "--size", 32, "--steps", 1, "--force")
    for options, times in (((), 1), (("--encoder", "lite"), 0), (("--quiet",), 0)):
        said = ok(*common, *options).err
        assert said.count("lite stands in for VGG-19") == said.count("impasto weights fetch vgg19") == times
        assert job_in(tmp_path / "o.png")["encoder"] == "lite"
    looking = ("visualize", "activations", pair[0], "--layer", "relu1_1", "-o", tmp_path / "a.png", "--size", 32)
    assert "lite stands in" in ok(*looking).err


def test_python_tells_the_encoder_that_was_chosen(pair: tuple[Path, Path]) -> None:
    job = impasto.stylize(*pair, size=32, steps=1, precision="bf16").job
    assert (job.encoder, job.precision) == ("lite", "bf16")
    assert (job.optimizer, job.jitter) == ("lbfgs", 0)
    longer = impasto.stylize(*pair, size=32, steps=60).job
    assert (longer.optimizer, longer.jitter) == ("adam", 16)
    assert impasto.stylize(*pair, size=32, steps=1).job.precision == resolve_precision()
    assert impasto.texture(pair[1], size=(64, 64), steps=1).job.encoder == "lite"


def test_each_scale_begins_with_the_warm_up_encoder_and_ends_with_its_own(pair: tuple[Path, Path], tiny: VGG) -> None:
    layers = {"content_layers": ("relu2_1",), "style_layers": ("relu1_1", "relu2_1")}
    common: dict[str, Any] = {"encoder": tiny, "size": 64, "scales": 2, "steps": 3, **layers}
    steps = list(impasto.stylize_steps(*pair, warmup_steps=2, **common))
    assert [s.scale for s in steps] == [1, 1, 2, 2, 2, 3, 3, 4, 4, 4]
    assert [s.steps for s in steps] == [2, 2, 3, 3, 3] * 2
    assert steps[1].size == steps[2].size != steps[5].size == steps[9].size
    plain = list(impasto.stylize_steps(*pair, **common))
    assert [s.scale for s in plain] == [1, 1, 1, 2, 2, 2]
    assert steps[2].loss != plain[0].loss


def test_the_encoder_itself_needs_no_warm_up(pair: tuple[Path, Path]) -> None:
    steps = list(impasto.stylize_steps(*pair, encoder="lite", size=32, steps=1, warmup_steps=2))
    assert [s.steps for s in steps] == [1]


def test_a_layer_that_only_one_of_both_encoders_has_is_refused(pair: tuple[Path, Path], tiny: VGG) -> None:
    layers: dict[str, Any] = {"content_layers": ("pool1",), "style_layers": ("relu1_1", "conv1_1")}
    with pytest.raises(InputError, match="conv1_1"):
        impasto.stylize_steps(*pair, encoder=tiny, size=32, warmup_steps=1, **layers)


@pytest.mark.parametrize("source", ["content", "style"])
def test_reconstruct(ok: Run, pair: tuple[Path, Path], tmp_path: Path, source: str) -> None:
    args = ("--from", source, "--layer", "relu2_1", "--size", 48, "--steps", 5, "-o", tmp_path / "r.png")
    ok("reconstruct", pair[0], *args)
    assert size_of(tmp_path / "r.png") == (48, 40)
    assert job_in(tmp_path / "r.png")["source"] == source


def test_grid_has_a_picture_for_each_depth_and_ratio(ok: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "grid.png"
    ok("grid", *pair, "-o", out, "--size", 48, "--steps", 2, "--ratio", 0.01, "--ratio", 1, "--quiet")
    width, height = size_of(out)
    assert width > 2 * 48 and height > 5 * 40
    assert len(np.unique(pixels_of(out))) > 100


PAIR = "@content @style"
#: What is wrong -> words, and what the line says.
BAD = {
    "missing content": ("none.png @style", "none.png"),
    "empty folder": ("@nothing @style", "nothing' holds no pictures"),
    "not an image": ("@text @style", "text.png"),
    "1x1": ("@dot @style", "1x1"),
    "1x5000": ("@line @style", "1x48 is too small"),
    "elongated style": ("@content @line", "the style is 1x5000 pixels"),
    "no content": ("", "content is missing"),
    "unknown layer": (f"{PAIR} --style-layer relu9_9", "relu9_9"),
    "unknown encoder": (f"{PAIR} --encoder vgg91", "did you mean vgg"),
    "missing weights": (f"{PAIR} --encoder vgg16 --weights none.pth", "none.pth"),
    "corrupt weights": (f"{PAIR} --encoder vgg16 --weights @text", "text.png"),
    "negative size": (f"{PAIR} --size -5", "size is -5; it must be"),
    "half a step": (f"{PAIR} --steps 2.5", "steps is '2.5'; it must be a whole number"),
    "zero steps": (f"{PAIR} --steps 0", "steps is 0; it must be"),
    "negative warm-up": (f"{PAIR} --warmup-steps -1", "warmup steps is -1; it must be"),
    "zero scales": (f"{PAIR} --scales 0", "scales is 0; it must be"),
    "negative weight": (f"{PAIR} --style-weight -1", "style weight is -1; it must be"),
    "NaN weight": (f"{PAIR} --content-weight nan", "content weight is nan; it must be a finite number"),
    "all weights zero": (f"{PAIR} --content-weight 0 --style-weight 0", "all weights are 0"),
    "unknown quality": (f"{PAIR} --quality gatsy", "did you mean gatys"),
    "a quality that is fast": (f"{PAIR} --quality fast", "unknown quality 'fast'"),
    "unknown pooling": (f"{PAIR} --pooling mean", "unknown pooling 'mean'"),
    "unknown optimizer": (f"{PAIR} --optimizer sgd", "unknown optimizer 'sgd'"),
    "unknown precision": (f"{PAIR} --precision fp16", "unknown precision 'fp16'"),
    "weights of no known encoder": (f"{PAIR} --weights @text", "text.png"),
    "unknown device": (f"{PAIR} --device tpu", "tpu"),
    "bad resume": (f"{PAIR} --resume @text", "no state of an impasto run"),
    "bad memory": (f"{PAIR} --max-memory lots", "max memory is 'lots'; it must be"),
    "no memory": (f"{PAIR} --max-memory 0GB", "max memory is 0; it must be"),
    "little memory": (f"{PAIR} --max-memory 100MB", "memory"),
    "missing init": (f"{PAIR} --init none.png", "none.png"),
    "missing network": (f"{PAIR} --init none.safetensors", "none.safetensors"),
    "network without the style": (f"{PAIR} --init @gallery", "style"),
    "an option without its value": (f"{PAIR} --steps", "--steps is followed by the option -o: give its N first"),
    "a name without its value": (f"{PAIR} --encoder", "--encoder is followed by the option -o"),
    "maps without their files": (f"{PAIR} --semantic left.png", "--semantic is followed by the option -o"),
    "a mask without its number": (
        f"{PAIR} --mask left.png",
        "--mask is followed by the option -o: give its MASK NUMBER",
    ),
    "a mask and an equals sign": (f"{PAIR} --mask=left.png", "--mask is followed by the option -o"),
    "an option mistyped": (f"{PAIR} --stpes 3", "--steps"),
    "an option of before": (f"{PAIR} --statistic gram", "--statistic"),
    "a mask that there is not, in one pass": (f"{PAIR} --mask nofile.png 0 --quality instant", "nofile.png"),
    "a mask without its words": (f"{PAIR} --quiet --mask", "--mask is followed by the option -o: give its MASK NUMBER"),
    "a name with brackets": ("[red]none[/].png @style", "[red]none[/].png"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_line_exit_code_2_and_no_output(
    refused: Run, typed: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    words, said = BAD[case]
    names = typed(words.replace("@gallery", str(files("impasto") / "data" / "gallery.safetensors")))
    few = () if "--quality" in words or "--steps" in words else ("--steps", 2)
    size = () if "--size" in words else ("--size", 48)
    line = refused("stylize", *names, "-o", "out.png", *few, *size, "--quiet")
    assert said in line and not list(tmp_path.iterdir())


def test_an_existing_output_is_kept_without_force(
    refused: Run, ok: Run, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out.png"
    out.write_bytes(b"precious")
    words = ("stylize", *pair, "-o", out, "--steps", 1, "--size", 32)
    assert "--force" in refused(*words)
    assert out.read_bytes() == b"precious"
    ok(*words, "--force")
    assert size_of(out) == (32, 27)


def test_steps_are_replayed_on_gpus_where_they_have_one_goal(
    refused: Run, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    words = ("stylize", *pair, "-o", tmp_path / "out.png", "--device", "cpu", "--encoder", "lite", "--cuda-graphs")
    assert "cuda-graphs is for CUDA's GPUs, and this computes on cpu: leave it out" in refused(*words)
    job = Stylize("photo.jpg", "painting.jpg", encoder="lite", cuda_graphs=True, jitter=0, device="cuda")
    assert recording(job) is cuda_graph and recording(job.changed(cuda_graphs=False)) is None
    with pytest.raises(InputError, match="add --jitter 0"):
        recording(job.changed(jitter=16))


def test_two_outputs_in_one_file_are_refused(refused: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "o.png"
    assert "output and plot are one file" in refused("stylize", *pair, "-o", out, "--plot", out, "--steps", 1)
    assert "output and report are one file" in refused("stylize", *pair, "-o", out, "--report", out)


@pytest.mark.parametrize("quality", ["best", "instant"])
def test_what_is_read_is_never_written_over(
    ok: Run, refused: Run, pair: tuple[Path, Path], tmp_path: Path, quality: str
) -> None:
    photo, mask = tmp_path / "photo.png", tmp_path / "mask.png"
    for path in (photo, mask):
        path.write_bytes(pair[0].read_bytes())
    words = ("stylize", photo, pair[1], "--force", "--quality", quality, "--size", 32)
    assert "photo.png' is a picture that is read" in refused(*words, "-o", tmp_path / "." / "photo.png")
    assert "mask.png' is a picture that is read" in refused(*words, "--mask", mask, 1, "-o", mask)
    assert all(path.read_bytes() == pair[0].read_bytes() for path in (photo, mask))


def test_a_mask_s_file_and_number_may_be_joined_by_an_equals_sign(
    ok: Run, pair: tuple[Path, Path], pictures: dict[str, Path], tmp_path: Path
) -> None:
    words = (f"--mask={pictures['left']}", 1, "--quality=instant", "--size", 32)
    ok("stylize", *pair, "-o", tmp_path / "o.png", *words)
    assert job_in(tmp_path / "o.png")["masks"][0][1] == 1


def test_resume_from_other_settings_is_refused(ok: Run, refused: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    common = ("stylize", *pair, "--steps", 2, "--quiet", "-o", tmp_path / "a.png", "--force")
    ok(*common, "--size", 32, "--save-every", 1)
    assert "size 32, not 48" in refused(*common, "--size", 48, "--resume", tmp_path / "a.png.state.safetensors")


def test_info_and_weights_list_run(ok: Run) -> None:
    for words in (("info",), ("weights", "list")):
        assert "lite" in ok(*words).out
    assert Path(ok("weights", "path", "lite").out.strip()).name == "lite.safetensors"
    assert "not found" not in ok("weights", "verify", "lite").out
    assert "models/vgg16-397923af.pth" in ok("weights", "list").out  # whole, however narrow the window is


def test_brackets_in_a_name_are_shown_as_they_are(ok: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "x [final] [b].png"
    assert f"wrote {out}" in ok("stylize", *pair, "-o", out, "--quality", "instant", "--size", 32).err
    assert size_of(out) == (32, 27)


def test_steps_shorten_a_preset_with_steps_of_its_own(ok: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    report = tmp_path / "run.json"
    words = (
        "--quality",
        "crowsonkb",
        "--encoder",
        "lite",
        "--steps",
        2,
        "--scales",
        1,
        "--size",
        32,
        "--report",
        report,
    )
    ok("stylize", *pair, "-o", tmp_path / "o.png", *words)
    assert len(json.loads(report.read_text())["loss_curve"]) == 2


def test_fetch_when_offline_names_file_address_and_folder(
    monkeypatch: pytest.MonkeyPatch, refused: Run, tmp_path: Path
) -> None:
    from dataclasses import replace

    from impasto.features import weights

    gone = replace(weights.WEIGHTS["vgg16"], url="http://127.0.0.1:9/vgg16-397923af.pth")
    monkeypatch.setitem(weights.WEIGHTS, "vgg16", gone)
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path))
    said = refused("weights", "fetch", "vgg16")
    assert all(part in said for part in ("vgg16-397923af.pth", "http://127.0.0.1:9/", str(tmp_path)))
