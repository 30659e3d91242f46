"""Pictures larger than memory, from the command line and from Python, and what is said of them beforehand."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from impasto.cli.stylize import spoken
from PIL import Image
from skimage import data

import impasto
from impasto import cli, memory
from impasto.canvas import Pixels
from impasto.errors import InputError
from impasto.features import ModuleEncoder, load_encoder
from impasto.features.variants import CAFFE, VGG19_WIDTHS
from impasto.features.vgg import VGG
from impasto.methods import prints
from impasto.objective import tiled
from impasto.optimize import LBFGS, Stage, lbfgs, minimize
from impasto.settings import StylizeSettings


@pytest.fixture
def pair(tmp_path: Path) -> list[str]:
    Image.fromarray(data.astronaut()).resize((96, 80)).save(tmp_path / "content.png")
    Image.fromarray(data.immunohistochemistry()).resize((80, 80)).save(tmp_path / "style.png")
    return [str(tmp_path / "content.png"), str(tmp_path / "style.png")]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pictures are large: nothing is taken for the process itself, and tiles may be small."""
    monkeypatch.setattr(prints, "OVERHEAD", 0.0)
    monkeypatch.setattr(prints, "LEAST", 1e5)


def run(monkeypatch: pytest.MonkeyPatch, *args: object) -> int:
    monkeypatch.setattr(sys, "argv", ["impasto", *map(str, args)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return int(caught.value.code or 0)


def vgg19() -> VGG:
    with torch.device("meta"):
        return VGG(VGG19_WIDTHS, CAFFE)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "options", [(), ("--style-loss", "wasserstein", "--color", "content-luminance"), ("--jitter", "16")]
)
def test_little_memory_makes_tiles_and_the_same_picture(
    monkeypatch: pytest.MonkeyPatch,
    pair: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
) -> None:
    counts: list[int] = []
    real = tiled.tiles
    monkeypatch.setattr(tiled, "tiles", lambda *a: (counts.append(len(real(*a))), real(*a))[1])
    # In bfloat16 rounding is larger, and turns over what is larger in a pool here and there.
    words = "--size 96 --steps 2 --scales 2 --no-cache --precision fp32"
    common = ("stylize", *pair, *words.split(), *options)
    assert run(monkeypatch, *common, "-o", tmp_path / "whole.png", "--max-memory", "4GB") == 0
    assert not counts and "in tiles" not in capsys.readouterr().err
    assert run(monkeypatch, *common, "-o", tmp_path / "tiled.png", "--max-memory", "4MB") == 0
    assert max(counts) > 3
    told = capsys.readouterr().err
    assert "96x80 in tiles: about 0.0 GB" in told and "s a step x 2 steps at this size" in told
    whole, made = (np.asarray(Image.open(tmp_path / f"{n}.png")).astype(float) for n in ("whole", "tiled"))
    assert np.abs(whole - made).mean() < 0.1
    before = np.asarray(Image.open(pair[0]).convert("RGB")).astype(float)
    assert np.abs(before - made).mean() > 1


@pytest.mark.usefixtures("small")
def test_a_tiled_run_resumes(monkeypatch: pytest.MonkeyPatch, pair: list[str], tmp_path: Path) -> None:
    common = ("stylize", *pair, "--size", 96, "--steps", 4, "--max-memory", "4MB", "--quiet", "--scales", 1)
    assert run(monkeypatch, *common, "-o", tmp_path / "a.png", "--save-every", 3) == 0
    state = tmp_path / "a.png.state.safetensors"
    assert run(monkeypatch, *common, "-o", tmp_path / "b.png", "--resume", state) == 0
    a, b = (np.asarray(Image.open(tmp_path / f"{n}.png")) for n in "ab")
    assert np.array_equal(a, b)


@pytest.mark.usefixtures("small")
def test_patches_are_refused_where_tiles_are_needed_and_so_is_too_little_memory(pair: list[str]) -> None:
    with pytest.raises(InputError, match=r"needs .* GB and --max-memory is .*patches compares whole maps"):
        impasto.stylize(*pair, size=96, style_loss="patches", max_memory=4e6)
    with pytest.raises(InputError, match=r"96x80 needs .* even in tiles"):
        impasto.stylize(*pair, size=96, max_memory=1e6)


def test_eight_megapixels_with_vgg19_are_planned_below_four_gigabytes_and_grow_by_less_than_300_bytes_a_pixel() -> None:
    settings, network = StylizeSettings(size=3840, encoder="vgg19"), vgg19()
    plan = prints.plan(network, settings, (2160, 3840), 80, 4e9)
    assert plan.memory < 4e9 and plan.workspace == prints.MOST
    larger = prints.plan(network, settings, (2 * 2160, 3840), 80, 8e9)
    assert (larger.memory - plan.memory) / (2160 * 3840) < 300
    assert prints.plan(network, settings, (2160, 3840), 80, None).workspace is None
    assert prints.plan(network, settings, (2160, 3840), 80, None).memory > 11e9
    assert larger.seconds(1e-6) == pytest.approx(2 * plan.seconds(1e-6))


def test_maps_in_bfloat16_take_less_memory() -> None:
    settings, network = StylizeSettings(size=2048, encoder="vgg19"), vgg19()
    full = prints.plan(network, settings, (1536, 2048), 80, None).memory
    network.precision = "bf16"
    half = prints.plan(network, settings, (1536, 2048), 80, None).memory
    assert 0.6 < half / full < 0.8


def test_an_encoder_that_does_not_tell_is_never_tiled() -> None:
    foreign = ModuleEncoder(torch.nn.Conv2d(3, 4, 3), [""], name="mine")
    plan = prints.plan(foreign, StylizeSettings(), (4000, 4000), 80, 1e6)
    assert plan.workspace is None and plan.memory == 0


def test_the_time_of_a_gradient_is_positive() -> None:
    assert 0 < prints.seconds_per_pixel(load_encoder("lite"), ["relu2_1"], side=32) < 1


@pytest.mark.parametrize(
    ("text", "size"), [("4GB", 4e9), ("3500 mb", 3.5e9), ("1.5G", 1.5e9), ("4e9", 4e9), ("512", 512.0)]
)
def test_sizes_of_memory_are_read(text: str, size: float) -> None:
    assert memory.bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "lots", "0", "-1GB", "4 GiB", "1.2.3GB", "nan"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"max-memory is .*such as 4GB"):
        memory.bytes_of(text)


def test_the_allowance_is_less_than_the_machine_has() -> None:
    allowed = memory.allowance()
    assert allowed is None or 0 < allowed < 1e14


@pytest.mark.parametrize(("seconds", "text"), [(5, "1 min"), (600, "10 min"), (7500, "2 h 5 min")])
def test_times_are_spoken(seconds: float, text: str) -> None:
    assert spoken(seconds) == text


def test_pairs_of_large_pictures_are_few_and_in_half_precision_and_still_lead_to_the_minimum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lbfgs, "LARGE", 10)
    curvature = torch.linspace(0.01, 1, 48).view(1, 3, 4, 4)

    def bowl(image: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        loss = (curvature * (image - 0.3).square()).sum()
        return loss, {"bowl": loss.detach()}

    *_, last = minimize(Pixels(torch.ones(1, 3, 4, 4)), [Stage((4, 4), 60, lambda: bowl)], lambda _: LBFGS())
    assert (last.image() - 0.3).abs().max() < 0.02
    pairs = {name: value for name, value in last.state().optimizer.items() if name[:4] in ("move", "chan")}
    assert len(pairs) == 2 * lbfgs.LARGE_HISTORY and all(v.dtype == torch.bfloat16 for v in pairs.values())
    assert math.isfinite(last.loss)
