"""End to end on the real VGG-19 of `../shared` (skipped without it)."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import impasto
from impasto.features.vgg import VGG


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
    from impasto.media import fit, read_image
    from impasto.objective import Style, gram

    figures = shared / "data" / "seed_figures"
    layers = ["relu1_1", "relu2_1", "relu3_1", "relu4_1"]
    photo, painting = (fit(read_image(figures / n).pixels, 160) for n in ("tubingen.jpg", "starry_night.jpg"))
    values = []
    for name, weights in (("lite", None), ("vgg19-caffe", shared / "weights")):
        encoder = impasto.load_encoder(name, weights=weights)
        assert isinstance(encoder, VGG)
        with torch.no_grad():
            targets = {n: gram(m).mean() for n, m in encoder(painting, layers).items()}
            term = Style(targets, dict.fromkeys(layers, 0.25), "relative")
            values.append(term(photo, encoder(photo, layers)).item())
    assert values[0] == pytest.approx(values[1], rel=0.3)
