"""Styles, masks, maps, textures and inversions on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import impasto
from impasto.features import resolve_precision
from impasto.media import read_image, read_metadata

SMALL = ("--size", 48, "--steps", 3, "--quiet")


Run = Callable[..., Any]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.png"


def pixels(path: Path) -> np.ndarray:
    return np.asarray(read_image(path).pixels[0].permute(1, 2, 0))


GOOD = {
    "two styles": "@content @style @other --blend 0.3,0.7",
    "a folder": "@content @paintings",
    "a painting and a folder": "@content @style @paintings --blend 1,2",
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
    "mrf": "@content @style --quality mrf --scales 1",
}


@pytest.mark.parametrize("case", GOOD)
def test_controls_make_a_picture(ok: Run, typed: Run, out: Path, case: str) -> None:
    ok("stylize", *typed(GOOD[case]), "-o", out, *SMALL)
    made = pixels(out)
    assert made.shape == (40, 48, 3)
    assert json.loads(read_metadata(out)["impasto"])["job"]["size"] == 48


def test_an_untouched_region_is_the_content_and_the_rest_is_not(
    ok: Run, typed: Run, pair: tuple[Path, Path], out: Path
) -> None:
    size = ("--size", 96, "--steps", 5, "--quiet")
    ok("stylize", *typed(GOOD["untouched"]), "-o", out, *size)
    made, before = pixels(out), pixels(pair[0])
    assert np.abs(made[:, :44] - before[:, :44]).max() <= 1 / 255
    assert np.abs(made[:, 52:] - before[:, 52:]).mean() > 0.02


def test_luminance_keeps_the_chroma(ok: Run, typed: Run, pair: tuple[Path, Path], out: Path) -> None:
    size = ("--size", 96, "--steps", 5, "--quiet")
    ok("stylize", *typed(GOOD["luminance"]), "-o", out, *size)
    made, before = pixels(out), pixels(pair[0])
    weights = np.array([0.299, 0.587, 0.114])
    difference = (made - (made @ weights)[..., None]) - (before - (before @ weights)[..., None])
    assert np.abs(difference).max() <= 1 / 255


def test_a_mask_of_another_size_is_resized_with_a_notice(ok: Run, typed: Run, out: Path) -> None:
    args = typed("@content @style --mask @small 1")
    said = ok("stylize", *args, "-o", out, *[w for w in SMALL if w != "--quiet"]).err
    assert "small.png is 48x40 pixels and its picture 96x80: the mask is resized" in " ".join(said.split())


def test_doodle_texture_and_invert_write_pictures(ok: Run, typed: Run, out: Path) -> None:
    doodle = typed("doodle @map @style @map --size 64 --steps 2 --scales 2")
    texture = typed("texture @style --size 64x48 --steps 2 --tileable --scales 1 --layers-up-to relu2_1")
    invert = typed("invert @content --layer pool2 --size 48 --steps 2 --canvas fourier")
    for args, shape in ((doodle, (53, 64)), (texture, (48, 64)), (invert, (40, 48))):
        ok(*args, "-o", out, "--quiet", "--force")
        assert pixels(out).shape[:2] == shape
        if args[0] == "doodle":
            assert json.loads(read_metadata(out)["impasto"])["job"]["precision"] == resolve_precision()


def test_layers_up_to_one_that_is_no_style_layer() -> None:
    from impasto.methods.texture import up_to

    known = ("conv1_1", "relu1_1", "pool1", "conv2_1", "relu2_1", "pool2", "relu3_1")
    assert up_to("pool2", ("relu1_1", "relu2_1", "relu3_1"), known) == ("relu1_1", "relu2_1", "pool2")
    with pytest.raises(impasto.InputError, match="relu9_1"):
        up_to("relu9_1", ("relu1_1",), known)


def test_invert_all_layers_is_a_sheet(ok: Run, typed: Run, out: Path) -> None:
    args = typed("invert @content --all-layers --size 48 --steps 1")
    ok(*args, "-o", out, "--quiet")
    height, width = pixels(out).shape[:2]
    assert 48 * 5 < width < 1200 and height > 3 * 40  # some rows, which a screen shows


def test_in_python_arrays_serve_as_masks_and_maps(pictures: dict[str, Path]) -> None:
    left, content = np.asarray(Image.open(pictures["left"])), pictures["content"]
    both = [pictures["style"], pictures["other"]]
    made = impasto.stylize(content, both, masks=[(left, 1)], blend=(1, 1), size=48, steps=2)
    assert made.pixels.shape == (1, 3, 40, 48)
    made = impasto.stylize(content, pictures["paintings"], size=48, steps=2, style_loss="moments")
    assert made.losses[-1]["style"] < made.losses[0]["style"]


BAD = {
    "no style": "stylize @content",
    "blend sums to zero": "stylize @content @style @other --blend 0,0",
    "negative blend": "stylize @content @style @other --blend 2,-1",
    "replayed frames": "video @content @style --cuda-graphs",
    "levels of a pyramid too many": "stylize @content @style --levels 33",
    "blend of another number": "stylize @content @style @other --blend 1",
    "blend of words": "stylize @content @style --blend much",
    "empty folder": "stylize @content @nothing",
    "folder with a broken picture": "stylize @content @broken",
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
    "unknown quality": "stylize @content @style --quality mfr",
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
    "invert a layer that there is not": "invert @content --layer relu9_9",
    "invert fc7 of lite": "invert @content --layer fc7",
    "unknown canvas": "invert @content --layer relu2_1 --canvas oil",
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_line_exit_code_2_and_no_output(refused: Run, typed: Run, out: Path, case: str) -> None:
    args = typed(BAD[case])
    small = () if "--size" in args else ("--size", "64x64" if args[0] == "texture" else "48")
    refused(*args, "-o", out, "--steps", 2, "--quiet", *small)
    assert not out.exists()


@pytest.mark.parametrize("options", [("--levels", 16), ("--jitter", 1000, "--steps", 12)])
def test_what_is_too_large_for_a_picture_is_as_large_as_it_can_be(
    ok: Run, typed: Run, out: Path, options: tuple[Any, ...]
) -> None:
    ok(*typed("stylize @content @style"), "-o", out, *SMALL, *options)
    assert pixels(out).std() > 0.02


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
def test_a_look_inside_writes_a_picture(ok: Run, typed: Run, out: Path, case: str) -> None:
    ok(*typed(LOOKS[case]), "-o", out, "--quiet")
    assert pixels(out).std() > 0.02


def test_a_zoom_writes_frames(ok: Run, typed: Run, out: Path) -> None:
    args = typed("dream @content --layer relu2_1 --steps 1 --octaves 1 --zoom 3 --size 64")
    ok(*args, "-o", out, "--quiet")
    frames = [pixels(out.with_name(f"out-000{i}.png")) for i in range(3)]
    assert np.abs(frames[0] - frames[1]).mean() > 0.005


def test_in_python_looks_return_arrays(pictures: dict[str, Path]) -> None:
    made = impasto.excite("relu3_1:1", "relu3_1:2", size=48, steps=2)
    assert made.pixels.shape == (2, 3, 48, 48)
    assert impasto.dream(pictures["content"], layer="relu3_1", steps=1, octaves=1, size=64).image.size == (64, 53)
    seen = [impasto.saliency(pictures["content"], "relu3_1:4", k, size=48) for k in ("saliency", "deconv", "guided")]
    assert all(s.shape == (1, 3, 40, 48) for s in seen) and not (seen[1] == seen[2]).all()
    with pytest.raises(impasto.WeightsError, match="fully connected"):
        impasto.saliency(pictures["content"], 130)


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
def test_a_bad_look_gets_one_line_and_exit_code_2(refused: Run, typed: Run, out: Path, case: str) -> None:
    refused(*typed(BAD_LOOKS[case]), "-o", out, "--quiet")
    assert not out.exists()
