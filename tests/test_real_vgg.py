"""End to end on the real VGG-19 of `../shared` (skipped without it)."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import impasto
from impasto.features import load_encoder
from impasto.features.vgg import VGG
from impasto.media import read_image
from impasto.methods.ascent import ascend
from impasto.methods.attribution import Unit
from impasto.methods.inversion import invert
from impasto.methods.regions import scaled
from impasto.methods.settings import AscentSettings, InversionSettings, TextureSettings
from impasto.methods.texture import texture
from impasto.objective import Style, gram


def test_the_shared_weights_are_found_by_environment_and_paint(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_WEIGHTS", str(shared / "weights"))
    figures = shared / "data" / "seed_figures"
    made = impasto.stylize(
        figures / "tubingen.jpg", figures / "starry_night.jpg", encoder="vgg19-caffe", size=96, steps=12
    )
    assert made.losses[-1]["style"] < 0.4 * made.losses[0]["style"]
    assert made.pixels.shape == (1, 3, 72, 96)


def test_lite_predicts_the_real_style_distance(shared: Path) -> None:
    """Relative Gram distances between a photograph and a painting agree with VGG-19's within a factor."""
    figures = shared / "data" / "seed_figures"
    layers = ["relu1_1", "relu2_1", "relu3_1", "relu4_1"]
    photo, painting = (scaled(read_image(figures / n).pixels, 160) for n in ("tubingen.jpg", "starry_night.jpg"))
    values = []
    for name, weights in (("lite", None), ("vgg19-caffe", shared / "weights")):
        encoder = impasto.load_encoder(name, weights=weights)
        assert isinstance(encoder, VGG)
        with torch.no_grad():
            targets = {n: gram(m).mean() for n, m in encoder(painting, layers).items()}
            term = Style(targets, dict.fromkeys(layers, 0.25), "relative")
            values.append(term(photo, encoder(photo, layers)).item())
    assert values[0] == pytest.approx(values[1], rel=0.3)


@pytest.mark.slow
def test_a_class_image_is_taken_for_its_class(shared: Path) -> None:
    encoder = load_encoder("vgg19-caffe", weights=shared / "weights", classifier=True)
    flamingo = 130
    *_, last = ascend(encoder, [Unit("logits", flamingo)], AscentSettings(size=160, steps=120))
    with torch.no_grad():
        seen = encoder(last.image().roll((1, 1), (2, 3)), ["prob"])["prob"][0, flamingo].exp()
    assert seen > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["pool5", "fc7", "prob"])
def test_inversion_from_the_deepest_layers(shared: Path, layer: str) -> None:
    encoder = load_encoder("vgg19-caffe", weights=shared / "weights", classifier=True)
    photo = read_image(shared / "data" / "seed_figures" / "golden_gate.jpg").pixels
    losses = [s.losses["content"] for s in invert(encoder, photo, InversionSettings(layer=layer, size=160, steps=40))]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.slow
def test_a_texture_has_the_statistics_of_its_sample(shared: Path) -> None:
    encoder = load_encoder("vgg19-caffe", weights=shared / "weights")
    sample = read_image(shared / "data" / "textures" / "t2.png").pixels
    *_, last = texture(encoder, sample, TextureSettings(size=(128, 128), steps=60))
    assert last.losses["style"] < 0.02
