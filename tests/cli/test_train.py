"""`train`, `upscale`, and pictures in one pass on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from skimage import data

import impasto
from impasto.media import read_image, read_metadata
from impasto.networks.models import Model, load_model, read_about, save_model
from impasto.networks.superres import enlarge, shrink
from impasto.pictures.metrics import psnr
from impasto.training import loop

TINY = ("--option", "width=8", "--option", "deep=8", "--option", "blocks=1", "--body", "none")
SHORT = ("--steps", 4, "--batch", 2, "--side", 32, "--look-every", 2, "--quiet", "--device", "cpu")


Run = Callable[..., Any]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, picture in enumerate((data.astronaut(), data.coffee(), data.chelsea())):
        Image.fromarray(picture).resize((72, 60)).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def painting(tmp_path: Path) -> Path:
    Image.fromarray(data.immunohistochemistry()).resize((80, 64)).save(tmp_path / "pink.png")
    return tmp_path / "pink.png"


@pytest.fixture
def model_file(small_model: Model, tmp_path: Path) -> Path:
    save_model(small_model, tmp_path / "small.safetensors")
    return tmp_path / "small.safetensors"


def test_a_style_is_trained_used_and_joined_by_another(ok: Run, photos: Path, painting: Path, tmp_path: Path) -> None:
    model, report = tmp_path / "m.safetensors", tmp_path / "run.json"
    ok("train", painting, "--photos", photos, "-o", model, *TINY, *SHORT, "--report", report)
    about = read_about(model)
    assert [s["name"] for s in about["styles"]] == ["pink"] and about["styles"][0]["thumbnail"]
    assert about["about"]["steps"] == 4 and about["about"]["task"] == "style"
    assert json.loads(report.read_text())["curve"][-1]["held_out"].keys() == {
        "content",
        "style",
        "grid",
        "blocks",
        "spectrum",
        "loss",
    }
    assert (tmp_path / "m-samples.png").is_file() and (tmp_path / "m.checkpoint.pt").exists()
    ok("stylize", photos / "0.png", "-o", tmp_path / "o.png", "--model", model, "--size", 48)
    assert json.loads(read_metadata(tmp_path / "o.png")["impasto"])["job"]["model"]["file"] == "m.safetensors"
    other = tmp_path / "other.png"
    Image.open(painting).rotate(90).save(other)
    more = tmp_path / "more.safetensors"
    words = ("train", other, "--add", model, "--photos", photos, "--grid-weight", 7)
    ok(*words, "-o", more, *SHORT)
    first, second = load_model(model), load_model(more)
    assert [read_about(m)["about"]["rate"] for m in (model, more)] == [1e-2, 3e-3]
    assert [read_about(m)["about"]["grid_weight"] for m in (model, more)] == [300, 7]
    assert list(second.styles) == ["pink", "other"] and (first.styles["pink"] == second.styles["pink"]).all()


@pytest.mark.parametrize("task", ["any-style", "texture", "super-resolution"])
def test_every_task_leaves_a_model(
    ok: Run, refused: Run, photos: Path, painting: Path, tmp_path: Path, task: str
) -> None:
    model = tmp_path / "m.safetensors"
    options: dict[str, tuple[Any, ...]] = {
        "any-style": (painting, "--photos", photos, *TINY, "--option", "rank=0"),
        "texture": (painting, "--option", "scales=3", "--option", "width=4"),
        "super-resolution": ("--photos", photos, "--option", "width=8", "--option", "blocks=1", "--scale", 2),
    }
    ok("train", "--task", task, *options[task], "-o", model, *SHORT)
    if task != "super-resolution":
        found = load_model(model)
        assert found.any_style == (found.distribution is not None) == (task == "any-style")
    out = tmp_path / "o.png"
    if task == "any-style":
        ok("stylize", photos / "0.png", painting, "-o", out, "--model", model, "--size", 40)
    if task == "texture":
        ok("texture", "--model", model, "-o", out, "--size", "40x32")
        assert read_image(out).pixels.shape == (1, 3, 32, 40)
    if task == "super-resolution":
        ok("upscale", photos / "0.png", "-o", out, "--model", model, "--quiet")
        assert read_image(out).pixels.shape == (1, 3, 120, 144)
        again = tmp_path / "again.safetensors"
        again.write_bytes(model.read_bytes())
        words = ("upscale", photos / "0.png", "-o", tmp_path / "figure.png", "--model", model, "--model", again)
        refused(*words)
        rows = [line.split("│")[1:-1] for line in ok(*words, "--compare").out.splitlines() if "│" in line]
        found = {name.strip(): [float(n) for n in numbers] for name, *numbers in rows}
        assert found["m"] == found["again"] and list(found) == ["bicubic", "m", "again"]
        original = read_image(photos / "0.png").pixels
        plain = enlarge(shrink(original, 2), 2).clamp(0, 1)
        assert found["bicubic"][0] == pytest.approx(psnr(plain, original, 2).item(), rel=1e-3)
        assert read_image(tmp_path / "figure.png").pixels.shape[3] > 4 * 72
        refused("stylize", photos / "0.png", "-o", tmp_path / "p.png", "--model", model)


def test_an_interrupted_training_goes_on_where_it_was(
    monkeypatch: pytest.MonkeyPatch, run: Run, ok: Run, photos: Path, painting: Path, tmp_path: Path
) -> None:
    model, real = tmp_path / "m.safetensors", loop.train
    words = ("train", painting, "--photos", photos, "-o", model, *TINY, *SHORT)

    def stopped(*args: Any, **options: Any) -> Any:
        steps = real(*args, **options)
        yield next(steps)
        yield next(steps)
        steps.close()  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "train", stopped)
    ran = run(*words)
    assert ran.code == 130 and "goes on" in ran.err and (tmp_path / "m.checkpoint.pt").is_file() and not model.exists()
    seen = []

    def watched(*args: Any, **options: Any) -> Any:
        for step in real(*args, **options):
            seen.append(step.step)
            yield step

    monkeypatch.setattr(loop, "train", watched)
    ok(*words)
    assert seen == [3, 4] and model.is_file()
    ok(*words, "--steps", 6, "--force")  # what is finished goes on, too
    assert seen == [3, 4, 5, 6]
    ok(*words, "--seed", 1, "--force")  # and is no hindrance to another training
    assert seen[4:] == [1, 2, 3, 4]


def test_a_folder_is_painted_and_goes_on(
    ok: Run, run: Run, photos: Path, painting: Path, model_file: Path, tmp_path: Path
) -> None:
    (photos / "broken.png").write_text("no picture")
    words = ("batch", photos, painting, "-o", tmp_path / "out", "--model", model_file, "--size", 40, "--quiet")
    words = (*words, "--workers", 0)
    ran = run(*words)
    assert ran.code == 1 and "note: broken.png failed" in ran.err  # errors are told even so
    made = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert made == ["0.png", "1.png", "2.png", "report.jsonl"]
    before = (tmp_path / "out" / "1.png").stat().st_mtime_ns
    (tmp_path / "out" / "0.png").unlink()
    (photos / "broken.png").unlink()
    ok(*words)
    assert (tmp_path / "out" / "1.png").stat().st_mtime_ns == before and (tmp_path / "out" / "0.png").is_file()


def test_blends_of_the_models_own_styles_on_the_command_line_and_in_python_are_the_same(
    ok: Run, photos: Path, model_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "o.png"
    words = ("stylize", photos / "0.png", "-o", out, "--model", model_file, "--size", 40, "--quiet")
    ok(*words, "--blend", "waves=0.3,dots=0.7")
    expected = impasto.instant(photos / "0.png", {"waves": 0.3, "dots": 0.7}, model=str(model_file), size=40)
    assert float((read_image(out).pixels - expected.pixels).abs().max()) < 0.003


def test_a_style_of_the_packaged_networks_needs_no_model(ok: Run, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.png"
    ok("stylize", photos / "0.png", "--style", "mosaic", "-o", out, "--size", 40, "--quiet")
    assert json.loads(read_metadata(out)["impasto"])["job"]["model"] == "gallery"
    expected = impasto.instant(photos / "0.png", {"mosaic": 1.0}, size=40)
    assert float((read_image(out).pixels - expected.pixels).abs().max()) < 0.003


def test_a_refined_picture_goes_on_from_the_networks(
    ok: Run, photos: Path, painting: Path, model_file: Path, tmp_path: Path
) -> None:
    photo, out, report = photos / "0.png", tmp_path / "o.png", tmp_path / "r.json"
    words = ("stylize", photo, painting, "--quality", "refined", "--model", model_file, "--size", 48, "--quiet")
    ok(*words, "-o", out, "--report", report)
    found = json.loads(report.read_text())
    assert found["job"]["model"]["file"] == model_file.name and len(found["loss_curve"]) == 15
    first = impasto.instant(photo, painting, model=str(model_file), size=48).image
    first.save(tmp_path / "first.png")
    few: dict[str, Any] = {"encoder": "lite", "scales": 1, "size": 48, "balance": found["job"]["balance"]}
    expected = impasto.stylize(photo, painting, steps=15, init=str(tmp_path / "first.png"), **few)
    assert float((read_image(out).pixels - expected.pixels).abs().mean()) < 0.02  # the first one was rounded
    from_photo = impasto.stylize(photo, painting, steps=1, **few)
    begun = found["loss_curve"][0]["loss"]
    assert begun == pytest.approx(sum(expected.losses[0].values()), rel=0.02)
    assert begun != pytest.approx(sum(from_photo.losses[0].values()), rel=0.2)


def test_transparency_is_kept(ok: Run, painting: Path, model_file: Path, tmp_path: Path) -> None:
    photo = Image.fromarray(data.astronaut()).resize((64, 48)).convert("RGBA")
    photo.putalpha(Image.linear_gradient("L").resize((64, 48)))
    photo.save(tmp_path / "clear.png")
    words = ("stylize", tmp_path / "clear.png", painting, "--model", model_file, "--size", 96, "--quiet")
    ok(*words, "-o", tmp_path / "o.png")
    alpha = read_image(tmp_path / "o.png").alpha
    assert alpha is not None and alpha.shape == (1, 1, 72, 96) and float(alpha[..., 0, :].mean()) < 0.1


BAD = {
    "no style of that name": ("--model @m --style wave", "did you mean waves"),
    "no style named": ("--model @m", "name a style of the network: waves, dots"),
    "a painting and a name": ("@p --model @m --style waves", "one or the other"),
    "a blend of nothing": ("--model @m --blend waves=x", "such as a=0.3"),
    "strength too large": ("@p --model @m --strength 2", "at least 0 and at most 1"),
    "strength without a network": ("@p --strength 0.5", "no effect with quality best"),
    "no packaged style of that name": ("--style mosaik", "did you mean mosaic"),
    "a painting and a packaged style": ("@p --style mosaic", "one or the other"),
    "another quality": ("@p --quality fast", "unknown quality 'fast'"),
    "quick in one pass": ("@p --model @m --quality quick", "model has no effect with quality quick"),
    "refined by a style's name": ("--model @m --style waves --quality refined", "give a painting"),
    "refined without a painting": ("--model @m --quality refined", "style is missing"),
    "refined from a packaged style": ("@p --model gallery --quality refined", "not with gallery"),
    "refined from a picture": (
        "@p --model @m --quality refined --init noise",
        "init has no effect with quality",
    ),
    "no such model": ("@p --model nothing.safetensors", "there is no model nothing.safetensors"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_requests_are_one_line(
    refused: Run, photos: Path, painting: Path, model_file: Path, tmp_path: Path, name: str
) -> None:
    words, message = BAD[name]
    known = {"@m": model_file, "@p": painting}
    given = [known.get(w, w) for w in words.split()]
    assert message in refused("stylize", photos / "0.png", *given, "-o", tmp_path / "o.png")
    assert not (tmp_path / "o.png").exists()


BAD_TRAINING = {
    "no painting": ("", "at least one painting"),
    "another task": ("@p --task paint", "unknown task"),
    "another network": ("@p --network quarz --body none", "did you mean quarter"),
    "another option": ("@p --option wide=3", "unknown option of quarter"),
    "no option": ("@p --option width", "NAME=VALUE"),
    "another shape": ("@p --body any --option width=8", "width: a network that is begun with has its shape"),
    "another shape for any": ("@p --task any-style --body any --option width=8", "has its shape"),
    "a body for textures": (
        "@p --task texture --body any",
        "body has no effect with task texture",
    ),
    "a network for any style": ("@p --task any-style --network johnson", "network has no effect with task any-style"),
    "paintings apart for one style": ("@p --held-out @e", "held out has no effect with task style"),
    "no photographs": ("@p --photos @e", "no picture"),
    "no folder": ("@p --photos @p", "no folder"),
    "no steps": ("@p --steps 0", "steps is 0"),
    "nothing to add to": ("@p --add @p", "no model file"),
    "another scale": ("--task super-resolution --scale 3", "it must be 2, 4 or 8"),
    "another precision": ("@p --precision fp8", "unknown precision 'fp8'"),
}


@pytest.mark.parametrize("name", BAD_TRAINING)
def test_bad_trainings_are_one_line(refused: Run, painting: Path, tmp_path: Path, name: str) -> None:
    words, message = BAD_TRAINING[name]
    (tmp_path / "empty").mkdir()
    known = {"@p": painting, "@e": tmp_path / "empty"}
    given = [known.get(w, w) for w in words.split()]
    assert message in refused("train", *given, "-o", tmp_path / "m.safetensors", "--quiet")


def test_a_model_is_not_overwritten_by_accident(refused: Run, painting: Path, tmp_path: Path) -> None:
    (tmp_path / "m.safetensors").write_text("mine")
    assert "--force" in refused("train", painting, "-o", tmp_path / "m.safetensors")
    assert "expected one of .safetensors" in refused("train", painting, "-o", tmp_path / "m.pt")
    assert (tmp_path / "m.safetensors").read_text() == "mine"
