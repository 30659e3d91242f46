"""Styles, masks, maps, textures and inversions on the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

import impasto
from impasto import cli
from impasto.media import read_image, read_metadata

SMALL = ("--size", 48, "--steps", 3, "--quiet")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Pictures by name, in a folder of their own."""
    folder = tmp_path / "in"
    folder.mkdir()
    left = np.zeros((80, 96), np.uint8)
    left[:, :48] = 255
    pictures = {
        "content": Image.fromarray(data.astronaut()).resize((96, 80)),
        "style": Image.fromarray(data.immunohistochemistry()).resize((80, 80)),
        "other": Image.fromarray(data.coffee()).resize((90, 60)),
        "left": Image.fromarray(left),
        "small": Image.fromarray(left[::2, ::2]),
        "empty": Image.new("L", (96, 80)),
        "map": Image.fromarray(np.stack([left, 255 - left, left], 2)),
        "dot": Image.new("RGB", (1, 1)),
    }
    for name, picture in pictures.items():
        picture.save(folder / f"{name}.png")
    paintings = tmp_path / "paintings"
    paintings.mkdir()
    for name in ("style", "other"):
        pictures[name].save(paintings / f"{name}.png")
    (tmp_path / "nothing").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_text("no picture")
    found = {name: folder / f"{name}.png" for name in pictures}
    return found | {n: tmp_path / n for n in ("paintings", "nothing", "broken")} | {"out": tmp_path / "out.png"}


def run(monkeypatch: pytest.MonkeyPatch, *args: object) -> int:
    monkeypatch.setattr(sys, "argv", ["impasto", *map(str, args)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return int(caught.value.code or 0)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(read_image(path).pixels[0].permute(1, 2, 0))


def words(files: dict[str, Path], text: str) -> list[str]:
    return [str(files[w[1:]]) if w[0] == "@" else w for w in text.split()]


GOOD = {
    "two styles": "@content @style @other --blend 0.3,0.7",
    "a folder": "@content --style-folder @paintings",
    "a painting and a folder": "@content @style --style-folder @paintings --blend 1,2",
    "wasserstein": "@content @style --style-loss wasserstein",
    "patches, turned": "@content @style --style-loss patches --style-rotation -15,0,15",
    "scales of style": "@content @style --style-scale 0.5,1",
    "luminance": "@content @style --color content-luminance",
    "mask": "@content @style @other --mask @left 1",
    "two masks": "@content @style @other --mask @left 1 --mask @left 2 --feather 0",
    "untouched": "@content @style --mask @left 0",
    "style mask": "@content @style --style-mask @left 1",
    "semantic": "@content @style --semantic @map @map",
    "semantic of two styles": "@content @style @other --semantic @map @map --style-map @map",
    "dream": "@content @style --dream relu4_2:3 --dream-weight 0.1",
    "mrf": "@content @style --method mrf --scales 1",
}


@pytest.mark.parametrize("case", GOOD)
def test_controls_make_a_picture(monkeypatch: pytest.MonkeyPatch, files: dict[str, Path], case: str) -> None:
    assert run(monkeypatch, "stylize", *words(files, GOOD[case]), "-o", files["out"], *SMALL) == 0
    made = pixels(files["out"])
    assert made.shape == (40, 48, 3)
    assert "settings" in json.loads(read_metadata(files["out"])["impasto"])


def test_an_untouched_region_is_the_content_and_the_rest_is_not(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, Path]
) -> None:
    size = ("--size", 96, "--steps", 5, "--quiet")
    assert run(monkeypatch, "stylize", *words(files, GOOD["untouched"]), "-o", files["out"], *size) == 0
    made, before = pixels(files["out"]), pixels(files["content"])
    assert np.abs(made[:, :44] - before[:, :44]).max() <= 1 / 255
    assert np.abs(made[:, 52:] - before[:, 52:]).mean() > 0.02


def test_luminance_keeps_the_chroma(monkeypatch: pytest.MonkeyPatch, files: dict[str, Path]) -> None:
    size = ("--size", 96, "--steps", 5, "--quiet")
    assert run(monkeypatch, "stylize", *words(files, GOOD["luminance"]), "-o", files["out"], *size) == 0
    made, before = pixels(files["out"]), pixels(files["content"])
    weights = np.array([0.299, 0.587, 0.114])
    difference = (made - (made @ weights)[..., None]) - (before - (before @ weights)[..., None])
    assert np.abs(difference).max() <= 1 / 255


def test_a_mask_of_another_size_is_resized_with_a_notice(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    args = words(files, "@content @style --mask @small 1")
    assert run(monkeypatch, "stylize", *args, "-o", files["out"], *SMALL) == 0
    said = capsys.readouterr().err
    assert "small.png is 48x40 pixels and its picture 96x80: the mask is resized" in " ".join(said.split())


def test_doodle_texture_and_invert_write_pictures(monkeypatch: pytest.MonkeyPatch, files: dict[str, Path]) -> None:
    doodle = words(files, "doodle @map @style @map --size 64 --steps 2 --scales 2")
    texture = words(files, "texture @style --size 64x48 --steps 2 --tileable --scales 1 --layers-up-to relu2_1")
    invert = words(files, "invert @content --layer pool2 --size 48 --steps 2 --canvas fourier")
    for args, shape in ((doodle, (53, 64)), (texture, (48, 64)), (invert, (40, 48))):
        assert run(monkeypatch, *args, "-o", files["out"], "--quiet", "--force") == 0
        assert pixels(files["out"]).shape[:2] == shape


def test_layers_up_to_one_that_is_no_style_layer() -> None:
    from impasto.cli.texture import up_to

    known = ("conv1_1", "relu1_1", "pool1", "conv2_1", "relu2_1", "pool2", "relu3_1")
    assert up_to("pool2", ("relu1_1", "relu2_1", "relu3_1"), known) == ("relu1_1", "relu2_1", "pool2")
    with pytest.raises(impasto.InputError, match="relu9_1"):
        up_to("relu9_1", ("relu1_1",), known)


def test_invert_all_layers_is_a_strip(monkeypatch: pytest.MonkeyPatch, files: dict[str, Path]) -> None:
    args = words(files, "invert @content --all-layers --size 48 --steps 1")
    assert run(monkeypatch, *args, "-o", files["out"], "--quiet") == 0
    assert pixels(files["out"]).shape[1] > 15 * 48


def test_in_python_arrays_serve_as_masks_and_maps(files: dict[str, Path]) -> None:
    left, content = np.asarray(Image.open(files["left"])), files["content"]
    both = [files["style"], files["other"]]
    made = impasto.stylize(content, both, masks=[(left, 1)], blend=(1, 1), size=48, steps=2)
    assert made.pixels.shape == (1, 3, 40, 48)
    made = impasto.stylize(content, files["paintings"], size=48, steps=2, style_loss="moments")
    assert made.losses[-1]["style"] < made.losses[0]["style"]


BAD = {
    "no style": "stylize @content",
    "blend sums to zero": "stylize @content @style @other --blend 0,0",
    "negative blend": "stylize @content @style @other --blend 2,-1",
    "blend of another number": "stylize @content @style @other --blend 1",
    "blend of words": "stylize @content @style --blend much",
    "empty folder": "stylize @content --style-folder @nothing",
    "no folder": "stylize @content --style-folder @style",
    "folder with a broken picture": "stylize @content --style-folder @broken",
    "empty mask": "stylize @content @style --mask @empty 1",
    "more masks than styles": "stylize @content @style --mask @left 1 --mask @left 2",
    "mask without a number": "stylize @content @style --mask @left",
    "mask with a word": "stylize @content @style --mask @left sky",
    "missing mask": "stylize @content @style --mask none.png 1",
    "style mask without a style": "stylize @content @style --style-mask @left 2",
    "map without its partner": "stylize @content @style --semantic @map",
    "maps for one style of two": "stylize @content @style @other --semantic @map @map",
    "unknown style loss": "stylize @content @style --style-loss grams",
    "unknown color": "stylize @content @style --color blue",
    "unknown method": "stylize @content @style --method mfr",
    "dream of no layer": "stylize @content @style --dream relu9_1",
    "dream of no channel": "stylize @content @style --dream relu4_2:x",
    "dream of a channel too many": "stylize @content @style --dream relu4_2:99999",
    "style scale of zero": "stylize @content @style --style-scale 0",
    "a statistic without its layers": "stylize @content @style --style-loss patches --style-layer fc6",
    "a size that is a word": "stylize @content @style --size big",
    "an option that there is not": "stylize @content @style --stile-weight 3",
    "tiny map": "doodle @dot @style @map",
    "texture of a bad size": "texture @style --size 12by9",
    "texture too small": "texture @style --size 8x8",
    "tile that does not divide": "texture @style --size 100x100 --tileable",
    "invert a layer that there is not": "invert @content --layer relu9_9",
    "invert fc7 of lite": "invert @content --layer fc7",
    "unknown canvas": "invert @content --layer relu2_1 --canvas oil",
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_line_exit_code_2_and_no_output(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, Path], capsys: pytest.CaptureFixture[str], case: str
) -> None:
    args = words(files, BAD[case])
    small = () if "--size" in args else ("--size", "64x64" if args[0] == "texture" else "48")
    assert run(monkeypatch, *args, "-o", files["out"], "--steps", 2, "--quiet", *small) == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1 and said.startswith("impasto: ") and not files["out"].exists()


LOOKS = {
    "filters": "visualize filters",
    "activations": "visualize activations @content --layer relu3_1 --count 4 --size 48",
    "saliency": "visualize saliency @content --unit relu4_1:3 --size 48",
    "deconv": "visualize deconv @content --unit relu4_1:3:1,2 --size 48",
    "guided": "visualize guided @content --unit relu4_1:3 --size 48",
    "smoothgrad": "visualize smoothgrad @content --unit relu4_1:3 --samples 2 --size 48",
    "unit": "visualize unit relu3_1:2 --size 48 --steps 3",
    "units": "visualize unit relu3_1 --channels 0-2,5 --size 48 --steps 2 --preset yosinski",
    "answers": "visualize unit relu3_1:2 --diversity 3 --size 48 --steps 2",
    "dream": "dream @content --layer relu3_1 --steps 2 --octaves 2 --size 64",
    "guided dream": "dream @content --guide @style --layer relu3_1 --steps 2 --octaves 1 --size 64",
}


@pytest.mark.parametrize("case", LOOKS)
def test_a_look_inside_writes_a_picture(monkeypatch: pytest.MonkeyPatch, files: dict[str, Path], case: str) -> None:
    assert run(monkeypatch, *words(files, LOOKS[case]), "-o", files["out"], "--quiet") == 0
    assert pixels(files["out"]).std() > 0.02


def test_a_zoom_writes_frames(monkeypatch: pytest.MonkeyPatch, files: dict[str, Path]) -> None:
    args = words(files, "dream @content --layer relu2_1 --steps 1 --octaves 1 --zoom 3 --size 64")
    assert run(monkeypatch, *args, "-o", files["out"], "--quiet") == 0
    frames = [pixels(files["out"].with_name(f"out-000{i}.png")) for i in range(3)]
    assert np.abs(frames[0] - frames[1]).mean() > 0.005


def test_in_python_looks_return_arrays(files: dict[str, Path]) -> None:
    made = impasto.excite("relu3_1:1", "relu3_1:2", size=48, steps=2)
    assert made.pixels.shape == (2, 3, 48, 48)
    assert impasto.dream(files["content"], layer="relu3_1", steps=1, octaves=1, size=64).image.size == (64, 53)
    seen = [impasto.saliency(files["content"], "relu3_1:4", k, size=48) for k in ("saliency", "deconv", "guided")]
    assert all(s.shape == (1, 3, 40, 48) for s in seen) and not (seen[1] == seen[2]).all()
    with pytest.raises(impasto.WeightsError, match="fully connected"):
        impasto.saliency(files["content"], 130)


BAD_LOOKS = {
    "neither unit nor class": "visualize saliency @content",
    "both": "visualize saliency @content --unit relu4_1:3 --class 2",
    "a class of lite": "visualize saliency @content --class 2",
    "a class that there is not": "visualize guided @content --class 1000",
    "no unit": "visualize deconv @content --unit relu4_1",
    "a channel too many": "visualize guided @content --unit relu4_1:99999 --size 48",
    "a position outside": "visualize guided @content --unit relu4_1:3:99,0 --size 48",
    "an unknown layer": "visualize activations @content --layer relu9_9",
    "a tiny picture": "visualize activations @dot --layer relu3_1",
    "no samples": "visualize smoothgrad @content --unit relu4_1:3 --samples 0",
    "channels of words": "visualize unit relu3_1 --channels all",
    "channels of a unit": "visualize unit relu3_1:2 --channels 0-3",
    "an unknown preset": "visualize unit relu3_1:2 --preset mahendran",
    "a dream of no layer": "dream @content --layer relu9_9",
    "a dream of a missing channel": "dream @content --layer relu3_1 --channel 9999 --size 64",
    "a missing guide": "dream @content --guide none.png",
    "no octaves": "dream @content --octaves 0",
}


@pytest.mark.parametrize("case", BAD_LOOKS)
def test_a_bad_look_gets_one_line_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, Path], capsys: pytest.CaptureFixture[str], case: str
) -> None:
    assert run(monkeypatch, *words(files, BAD_LOOKS[case]), "-o", files["out"], "--quiet") == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1 and said.startswith("impasto: ") and not files["out"].exists()
