"""Inversion and texture, small."""

from __future__ import annotations

import pytest
import torch
from skimage import data
from torch import Tensor

import impasto
from impasto.errors import InputError
from impasto.features import load_encoder
from impasto.methods.inversion import invert
from impasto.methods.settings import AscentSettings, InversionSettings, TextureSettings
from impasto.methods.texture import texture
from impasto.objective import STYLE_LOSSES, AlphaNorm
from impasto.options import Settings

LAYERS = ("relu1_1", "relu2_1")


def photo() -> Tensor:
    return torch.from_numpy(data.astronaut()[:256:6, 100:400:6].copy()).permute(2, 0, 1)[None] / 255


def bricks() -> Tensor:
    return torch.from_numpy(data.brick()[:96, :80].copy()).expand(3, 96, 80)[None] / 255


def test_the_norm_by_hand() -> None:
    image = torch.tensor([1.0, 0.5, 0.25]).view(1, 3, 1, 1)
    assert AlphaNorm(6)(image, {}).item() == pytest.approx(1 + 0 + 0.5**6)


@pytest.mark.parametrize("canvas", ["pixels", "fourier", "natural"])
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_inversion_brings_the_picture_back(canvas: str, optimizer: str) -> None:
    settings = InversionSettings(
        layer="relu2_1", size=50, canvas=canvas, optimizer=optimizer, steps=60, tv_weight=0.1, norm_weight=0.001
    )
    steps = list(invert(load_encoder("lite"), photo(), settings))
    assert steps[-1].losses["content"] < 0.15 * steps[0].losses["content"]
    both = torch.stack([steps[-1].image().mean(1).flatten(), photo().mean(1).flatten()])
    assert torch.corrcoef(both)[0, 1] > 0.8


def test_inversion_from_a_layer_that_there_is_not() -> None:
    with pytest.raises(InputError, match="relu9_9"):
        impasto.invert(photo(), layer="relu9_9", size=32)
    with pytest.raises(InputError, match="canvas"):
        InversionSettings(canvas="oil")
    with pytest.raises(InputError, match="fc7"):
        impasto.invert(photo(), layer="fc7", size=32)


@pytest.mark.parametrize("statistic", STYLE_LOSSES)
@pytest.mark.parametrize("size", [(64, 32), (48, 112)])
def test_a_texture_of_any_size_with_any_statistic(tiny, statistic: str, size: tuple[int, int]) -> None:  # type: ignore[no-untyped-def]
    settings = TextureSettings(size=size, sample_size=96, style_loss=statistic, layers=LAYERS, steps=4, scales=2)
    steps = list(texture(tiny, bricks(), settings))
    assert steps[-1].image().shape == (1, 3, size[1], size[0])
    assert steps[-1].loss < steps[4].loss and len(steps) == 8


def seam(image: Tensor, dim: int) -> float:
    """Mean difference across the wrap over that across lines inside where, as there, pooling cells meet."""
    lines = (image - image.roll(-1, dim)).abs().mean([d for d in range(4) if d != dim])
    inside = lines[7:-1:8]
    return (lines[-1] / inside.mean()).item()


def test_a_tileable_texture_has_no_seam_and_another_has() -> None:
    ratios = {True: 0.0, False: 0.0}
    for tileable in ratios:
        for seed in range(3):
            settings = {"size": (96, 64), "tileable": tileable, "steps": 30, "scales": 2, "seed": seed}
            made = impasto.texture(bricks(), layers=LAYERS, **settings).pixels  # type: ignore[arg-type]
            ratios[tileable] += (seam(made, 2) + seam(made, 3)) / 6
    assert ratios[True] < 1.2 < ratios[False]


def test_on_a_torus_a_rolled_start_gives_the_rolled_texture(tiny, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    settings = TextureSettings(size=(64, 64), layers=LAYERS, tileable=True, steps=2, scales=2)
    monkeypatch.setattr(tiny, "padding", "circular")
    noise, made = torch.rand(1, 3, 32, 32), []
    for shift in (0, 4):
        monkeypatch.setattr(torch, "rand", lambda *_, s=shift, **__: noise.roll((s, s), (2, 3)))
        *_, last = texture(tiny, bricks(), settings)
        made.append(last.image())
    torch.testing.assert_close(made[1], made[0].roll((8, 8), (2, 3)), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"size": (16, 16)}, "32 or more"),
        ({"style_loss": "grahm"}, "gram"),
        ({"steps": 0}, "steps"),
        ({"seeds": 3}, "seed"),
    ],
)
def test_bad_texture_settings_say_why(changes: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        TextureSettings().changed(**changes)


def test_another_statistic_brings_its_own_layers() -> None:
    small = {"size": (64, 64), "sample_size": 80, "steps": 1, "scales": 1, "style_loss": "patches"}
    usual, same, other = (
        impasto.texture(bricks(), encoder="lite", **small, **layers).pixels  # type: ignore[arg-type]
        for layers in ({}, {"layers": ("relu3_1", "relu4_1")}, {"layers": LAYERS})
    )
    assert torch.equal(usual, same) and not torch.equal(usual, other)


@pytest.mark.parametrize("settings", [InversionSettings, AscentSettings])
def test_a_weight_of_latents_is_for_canvases_that_have_them(settings: type[Settings]) -> None:
    assert settings(canvas="natural", prior_weight=3.0)
    for canvas in ("pixels", "fourier"):
        with pytest.raises(InputError, match=f"prior weight has no effect with canvas {canvas}: leave it out"):
            settings(canvas=canvas, prior_weight=3.0)
