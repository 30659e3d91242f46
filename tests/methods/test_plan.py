"""Pictures larger than memory, from the command line and from Python, and what is said of them beforehand."""

from __future__ import annotations

import copy
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import impasto
from impasto import memory
from impasto.canvas import Pixels
from impasto.errors import InputError, is_out_of_memory
from impasto.features import ModuleEncoder, load_encoder
from impasto.features.gray import GrayEncoder
from impasto.features.variants import CAFFE, VGG19_WIDTHS
from impasto.features.vgg import VGG
from impasto.jobs.stylize import Stylize, estimate
from impasto.methods import plan as planning
from impasto.methods.ascent import ascend
from impasto.methods.attribution import Unit, activations, attribution
from impasto.methods.dream import dream
from impasto.methods.inversion import invert
from impasto.methods.regions import Region, StyleImage
from impasto.methods.settings import (
    AscentSettings,
    DreamSettings,
    InversionSettings,
    StylizeSettings,
    TextureSettings,
)
from impasto.methods.stylize import stylize
from impasto.methods.targets import style_targets
from impasto.methods.texture import texture
from impasto.objective import tiled
from impasto.optimize import LBFGS, Stage, Step, lbfgs, minimize


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pictures are large: nothing is taken for the process itself, and tiles may be small."""
    monkeypatch.setattr(planning, "OVERHEAD", 0.0)
    monkeypatch.setattr(planning, "LEAST", 1e5)


Run = Callable[..., Any]


def vgg19() -> VGG:
    with torch.device("meta"):
        return VGG(VGG19_WIDTHS, CAFFE)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "options", [(), ("--style-loss", "wasserstein", "--color", "content-luminance"), ("--jitter", "16")]
)
def test_little_memory_makes_tiles_and_the_same_picture(
    monkeypatch: pytest.MonkeyPatch,
    ok: Run,
    pair: tuple[Path, Path],
    tmp_path: Path,
    options: tuple[str, ...],
) -> None:
    counts: list[int] = []
    real = tiled.tiles
    monkeypatch.setattr(tiled, "tiles", lambda *a: (counts.append(len(real(*a))), real(*a))[1])
    # In bfloat16 rounding is larger, and turns over what is larger in a pool here and there.
    words = "--size 96 --steps 2 --scales 2 --no-cache --precision fp32"
    common = ("stylize", *pair, *words.split(), *options)
    told = ok(*common, "-o", tmp_path / "whole.png", "--max-memory", "4GB").err
    assert not counts and "in tiles" not in told
    told = ok(*common, "-o", tmp_path / "tiled.png", "--max-memory", "8MB").err
    assert max(counts) > 3
    assert "96x80 in tiles: about 0.0 GB" in told and "s a step x 2 steps at this size" in told
    whole, made = (np.asarray(Image.open(tmp_path / f"{n}.png")).astype(float) for n in ("whole", "tiled"))
    assert np.abs(whole - made).mean() < 0.1
    before = np.asarray(Image.open(pair[0]).convert("RGB")).astype(float)
    assert np.abs(before - made).mean() > 1


@pytest.mark.usefixtures("small")
def test_a_tiled_run_resumes(ok: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    common = ("stylize", *pair, "--size", 96, "--steps", 4, "--max-memory", "8MB", "--quiet", "--scales", 1)
    ok(*common, "-o", tmp_path / "a.png", "--save-every", 3)
    state = tmp_path / "a.png.state.safetensors"
    ok(*common, "-o", tmp_path / "b.png", "--resume", state)
    a, b = (np.asarray(Image.open(tmp_path / f"{n}.png")) for n in "ab")
    assert np.array_equal(a, b)


@pytest.mark.usefixtures("small")
def test_patches_are_refused_where_tiles_are_needed_and_so_is_too_little_memory(pair: tuple[Path, Path]) -> None:
    with pytest.raises(InputError, match=r"needs .* GB and max-memory is .*patches compares whole maps"):
        impasto.stylize(*pair, size=96, style_loss="patches", max_memory=4e6)
    with pytest.raises(InputError, match=r"96x80 needs .* GB and max-memory is 0.0 GB: choose a smaller size"):
        impasto.stylize(*pair, size=96, max_memory=1e6)


def test_eight_megapixels_with_vgg19_are_planned_below_four_gigabytes_and_grow_by_less_than_300_bytes_a_pixel() -> None:
    settings, network = StylizeSettings(size=3840, encoder="vgg19").resolved("vgg19"), vgg19()
    plan = planning.plan(network, settings, (2160, 3840), 80, 4e9)
    assert plan.memory < 4e9 and plan.workspace == planning.MOST
    larger = planning.plan(network, settings, (2 * 2160, 3840), 80, 8e9)
    assert (larger.memory - plan.memory) / (2160 * 3840) < 300
    assert planning.plan(network, settings, (2160, 3840), 80, None).workspace is None
    assert planning.plan(network, settings, (2160, 3840), 80, None).memory > 11e9
    assert larger.seconds(1e-6) == pytest.approx(2 * plan.seconds(1e-6))


def test_maps_in_bfloat16_take_less_memory() -> None:
    settings, network = StylizeSettings(size=2048, encoder="vgg19").resolved("vgg19"), vgg19()
    full = planning.plan(network, settings, (1536, 2048), 80, None).memory
    network.precision = "bf16"
    half = planning.plan(network, settings, (1536, 2048), 80, None).memory
    assert 0.4 < half / full < 0.6


def test_an_encoder_that_does_not_tell_is_never_tiled() -> None:
    foreign = ModuleEncoder(torch.nn.Conv2d(3, 4, 3), [""], name="mine")
    plan = planning.plan(foreign, StylizeSettings().resolved("mine"), (4000, 4000), 80, 1e6)
    assert plan.workspace is None and plan.memory == 0


def test_the_time_of_a_gradient_is_positive() -> None:
    assert 0 < planning.seconds_per_pixel(load_encoder("lite"), ["relu2_1"], side=32) < 1


@pytest.mark.parametrize(
    ("text", "size"), [("4GB", 4e9), ("3500 mb", 3.5e9), ("1.5G", 1.5e9), ("4e9", 4e9), ("512", 512.0)]
)
def test_sizes_of_memory_are_read(text: str, size: float) -> None:
    assert Stylize("photo.jpg", "painting.jpg", max_memory=text).max_memory == size


@pytest.mark.parametrize("text", ["", "lots", "0", "-1GB", "4 GiB", "1.2.3GB", "nan"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"max memory is .*; it must be .*(such as 4GB|above 0)"):
        Stylize("photo.jpg", "painting.jpg", max_memory=text)


def test_the_allowance_is_less_than_the_machine_has() -> None:
    allowed = memory.allowance()
    assert allowed is None or 0 < allowed < 1e14


@pytest.mark.parametrize(("seconds", "text"), [(5, "1 min"), (600, "10 min"), (7500, "2 h 5 min")])
def test_large_pictures_tell_their_time_beforehand(monkeypatch: pytest.MonkeyPatch, seconds: float, text: str) -> None:
    job = Stylize("photo.jpg", "painting.jpg", size=2048, scales=1, steps=10).resolved("vgg19")
    shape = torch.empty(1, 3, 1024, 2048, device="meta")
    monkeypatch.setattr(planning, "seconds_per_pixel", lambda *_: 1.0)
    (plan,) = planning.plans(vgg19(), job, shape, None)
    monkeypatch.setattr(planning, "seconds_per_pixel", lambda *_: seconds / (plan.seconds(1.0) * plan.steps))
    (note,) = estimate(vgg19(), job, shape, None, [], content=True, state=None)
    assert "2048x1024 at once" in note.text and note.text.endswith(f", {text} in all")
    small = job.changed(size=512)
    assert not list(estimate(vgg19(), small, shape, None, [], content=True, state=None))


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


def test_a_painting_larger_than_the_picture_is_counted_and_read_in_tiles_alone() -> None:
    settings, network = StylizeSettings(size=2048, scales=1, encoder="vgg19").resolved("vgg19"), vgg19()
    content, painting = torch.empty(1, 3, 256, 2048, device="meta"), torch.empty(1, 3, 999, 999, device="meta")
    regions = [Region([StyleImage(painting)])]
    (alone,) = planning.plans(network, settings, content, None)
    (plan,) = planning.plans(network, settings, content, None, regions=regions)
    assert plan.memory > 2.5 * alone.memory
    (plan,) = planning.plans(network, settings, content, 4e9, regions=regions)
    read = plan.reader(network, settings.style_layers)
    assert plan.workspace is None and plan.memory <= 4e9
    assert read((256, 2048)) is None and read((2048, 2048)) == planning.MOST
    lazy = [Region([StyleImage(lambda: painting)])]
    assert planning.copies(lazy, 100, settings.changed(style_scales=(0.5, 2.0))) == [(50, 50), (200, 200)]
    wide = [Region([StyleImage(content)])]
    assert planning.copies(wide, 100, settings) == [(12, 100)]


@pytest.mark.parametrize("options", [{}, {"style_scales": (1.0, 3.0)}])
def test_pictures_of_a_small_content_and_a_large_painting_are_those_of_much_memory(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    monkeypatch.setattr(planning, "OVERHEAD", 0.0)
    monkeypatch.setattr(planning, "LEAST", 1e5)
    torch.manual_seed(0)
    network, painting = load_encoder("lite"), torch.rand(1, 3, 120, 120)
    content = torch.rand(1, 3, 24, 120)
    settings = StylizeSettings(size=120, scales=1, steps=1, content_weight=0, **options).resolved("lite")
    (plan,) = planning.plans(network, settings, content, None, regions=[Region([StyleImage(painting)])])
    spaces: list[float | None] = []
    real = tiled.measured
    monkeypatch.setattr("impasto.objective.losses.measured", lambda *a: (spaces.append(a[-1]), real(*a))[1])
    limit = 0.9 * plan.memory
    found = [list(stylize(network, content, painting, settings, max_memory=m))[-1].image() for m in (None, limit)]
    half = len(spaces) // 2
    assert not any(spaces[:half]) and spaces[-1] is not None
    torch.testing.assert_close(found[1], found[0], atol=2e-3, rtol=0)


def test_statistics_of_a_painting_in_tiles_are_those_of_the_whole(tiny: VGG) -> None:
    network, settings = copy.deepcopy(tiny).double(), StylizeSettings(style_layers=("relu1_1", "relu2_1"))
    styles = [StyleImage(torch.rand(1, 3, 80, 60).double())]
    sizes: list[tuple[int, int]] = []
    found = style_targets(network, styles, 96, settings, workspace=lambda size: (sizes.append(size), 1e4)[1])
    torch.testing.assert_close(found, style_targets(network, styles, 96, settings))
    assert sizes == [(96, 72)]


def test_paintings_that_do_not_fit_are_refused_before_any_is_read() -> None:
    network, content = load_encoder("lite"), torch.rand(1, 3, 64, 64)

    def never() -> Tensor:
        raise AssertionError

    regions = [Region([StyleImage(never)])]
    settings = StylizeSettings(size=1024, style_scales=(8.0,), steps=1, scales=1)
    with pytest.raises(
        InputError, match=r"a painting read at 8192x8192 needs .* GB and max-memory is 1.5 GB: .*style scale"
    ):
        stylize(network, content, regions, settings, max_memory=1.5e9)
    turned = StylizeSettings(size=256, style_loss="patches", style_rotations=tuple(range(0, 360, 5)), scales=1)
    turned = turned.resolved("lite")
    limit = planning.plans(network, turned.changed(style_rotations=(0.0,)), content, None, regions=regions)[0].memory
    with pytest.raises(InputError, match=r"a painting read at 256x256 needs .*patches compares whole maps"):
        stylize(network, content, regions, turned, max_memory=limit)


@pytest.mark.parametrize("scale", [8.5, 200.0, 1e9])
def test_strokes_and_sides_have_bounds(scale: float) -> None:
    with pytest.raises(InputError, match=r"style scales is .*at most 8"):
        StylizeSettings(size=64, style_scales=(scale,))


@pytest.mark.parametrize(
    "make",
    [
        lambda: StylizeSettings(size=40960),
        lambda: StylizeSettings(size=8192, style_scales=(8.0,)),
        lambda: DreamSettings(size=40960),
        lambda: InversionSettings(size=40960),
        lambda: TextureSettings(size=(40960, 512)),
        lambda: AscentSettings(size=40960),
    ],
)
def test_sizes_beyond_all_memory_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(InputError, match="32768"):
        make()


def test_a_foreign_encoder_in_gray_tells_nothing_and_is_computed_at_once() -> None:
    foreign = GrayEncoder(ModuleEncoder(torch.nn.Conv2d(3, 4, 3), [""], name="mine"))
    assert planning.fitted(foreign, [""], (100, 100), 0.0, 1.0) == (0.0, None)


def last(steps: Iterator[Step]) -> Tensor:
    return list(steps)[-1].image()


def methods(network: VGG) -> dict[str, Callable[[float | None], Tensor]]:
    """What is a sum over positions."""
    generator = torch.Generator().manual_seed(3)
    photo, other = (torch.rand(1, 3, *size, generator=generator).to(network.mean) for size in ((90, 70), (40, 60)))
    dreams = DreamSettings(layer="relu2_1", steps=2, octaves=2, jitter=9)
    seen = InversionSettings(layer="relu2_1", size=90, steps=2)
    cloth = TextureSettings(size=(96, 80), layers=("relu1_1", "relu2_1"), steps=2, scales=1, sample_size=90)
    return {
        "dream": lambda m: last(dream(network, photo, dreams, max_memory=m)),
        "guided": lambda m: last(dream(network, photo, dreams, guide=other, max_memory=m)),
        "invert": lambda m: last(invert(network, photo, seen, max_memory=m)),
        "texture": lambda m: last(texture(network, photo, cloth, max_memory=m)),
        "activations": lambda m: activations(network, photo, "relu2_1", 3, max_memory=m)[0],
    }


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", ["dream", "guided", "invert", "texture", "activations"])
def test_in_little_memory_it_is_the_same_in_tiles_and_in_less_it_is_refused(
    monkeypatch: pytest.MonkeyPatch, tiny: VGG, name: str
) -> None:
    monkeypatch.setattr(planning, "LEAST", 1e4)
    make = methods(copy.deepcopy(tiny).double())[name]
    counts: list[int] = []
    real = tiled.tiles
    monkeypatch.setattr(tiled, "tiles", lambda *a: (counts.append(len(real(*a))), real(*a))[1])
    whole = make(None)
    assert not counts
    for power in range(100):  # down to the first that is too little for the whole
        found = make(1e7 * 0.9**power)
        torch.testing.assert_close(found, whole, rtol=0, atol=1e-6)
        if counts:
            break
    assert max(counts) > 1
    with pytest.raises(InputError, match=r"(picture|guide) of .* needs .* GB and max-memory is 0.0 GB: choose"):
        make(1e3)


REFUSED: list[Callable[[VGG, Tensor], object]] = [
    lambda e, x: dream(e, x, DreamSettings(layer="relu2_1"), max_memory=1e8),
    lambda e, x: invert(e, x, InversionSettings(layer="relu2_1"), max_memory=1e8),
    lambda e, x: texture(e, x, TextureSettings(layers=("relu2_1",)), max_memory=1e8),
    lambda e, x: ascend(e, [Unit("relu2_1", 0)] * 3, AscentSettings(size=2000), max_memory=2e9),
    lambda e, x: attribution(e, x, Unit("relu2_1", 0), max_memory=1e8),
    lambda e, x: activations(e, x, "relu2_1", max_memory=1e8),
]


@pytest.mark.parametrize("make", REFUSED)
def test_what_does_not_fit_is_refused_in_one_line_before_the_encoder_runs(
    tiny: VGG, monkeypatch: pytest.MonkeyPatch, make: Callable[[VGG, Tensor], object]
) -> None:
    monkeypatch.setattr(VGG, "forward", lambda *_: pytest.fail("it ran"))
    with pytest.raises(
        InputError, match=r"^(a|3) pictures? of \d+x\d+ needs [\d.]+ GB and max-memory is [^\n]+ allow more$"
    ):
        make(tiny, torch.rand(1, 3, 64, 64))


@pytest.mark.usefixtures("small")
def test_a_tileable_texture_is_counted_too_and_not_tiled(tiny: VGG) -> None:
    network = copy.deepcopy(tiny)
    network.padding = "circular"
    settings = TextureSettings(size=(96, 96), layers=("relu2_1",), tileable=True, steps=1, scales=1)
    with pytest.raises(InputError, match=r"96x96 needs .*tiny cannot be run on a part of it"):
        texture(network, torch.rand(1, 3, 64, 64), settings, max_memory=1e5)
    assert last(texture(network, torch.rand(1, 3, 64, 64), settings, max_memory=1e9)).shape == (1, 3, 96, 96)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (InputError("this phone is out of memory"), False),
    ],
)
def test_memory_that_could_not_be_had_is_known_by_its_error(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


def test_an_allocation_that_fails_is_known_by_its_error() -> None:
    for attempt in (lambda: torch.empty(2**50), lambda: np.ones(2**50)):
        with pytest.raises((RuntimeError, MemoryError)) as caught:
            attempt()
        assert is_out_of_memory(caught.value)


PEAK = """
import json, resource, sys
import torch
from impasto.features import load_encoder
from impasto.memory import keep_freed_memory
from impasto.methods import stylize as optimization
from impasto.methods.dream import dream
from impasto.methods.settings import DreamSettings, StylizeSettings
keep_freed_memory()
kind, limit, network = sys.argv[1], float(sys.argv[2]), load_encoder("lite")
pixels = lambda *size: torch.nn.functional.interpolate(torch.rand(1, 3, 32, 32), size=size)
if kind == "dream":
    steps = dream(network, pixels(1512, 2016), DreamSettings(steps=1, octaves=2), max_memory=limit)
elif kind == "panorama":
    settings = StylizeSettings(size=2048, scales=1, steps=1)
    steps = optimization.stylize(network, pixels(256, 2048), pixels(500, 500), settings, max_memory=limit)
else:
    settings = StylizeSettings(size=512, scales=1, steps=1, style_loss="nearest")
    steps = optimization.stylize(network, pixels(384, 512), pixels(500, 500), settings, max_memory=limit)
for _ in steps:
    pass
try:  # not the peak by `getrusage`, which begins with that of the parent
    (line,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
    peak = 1024 * int(line.split()[1])
except OSError:
    peak = (1 if sys.platform == "darwin" else 1024) * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps(peak))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "limit"), [("panorama", 1.25e9), ("dream", 1.5e9), ("nearest", 1.4e9)])
def test_a_process_takes_what_was_planned(kind: str, limit: float) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PEAK, kind, str(limit)], capture_output=True, text=True, check=True, env=os.environ
    )
    assert json.loads(done.stdout) < 1.15 * limit
