"""The numbers of the literature."""

from __future__ import annotations

import pytest

from impasto.errors import InputError
from impasto.methods.presets import QUALITIES, quality
from impasto.methods.settings import StylizeSettings

FIVE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")

#: What a paper or program says.
NUMBERS: dict[str, dict[str, object]] = {
    "best": {
        "encoder": "auto", "size": 512, "init": "content", "color": "painting", "convention": "relative",
        "optimizer": "auto",
    },
    "quick": {
        "encoder": "lite", "size": 512, "init": "recolored", "color": "painting", "steps": 22, "first_steps": 40,
        "keep_detail": True, "balance": 0.6,
    },
    "refined": {"encoder": "lite", "init": "instant", "scales": 1, "steps": 15, "balance": 0.6, "color": "painting"},
    "instant": {"color": "painting", "size": 512},
    "gatys": {
        "encoder": "vgg19-caffe", "pooling": "avg", "content_layers": ("relu4_2",), "style_layers": FIVE,
        "convention": "gatys", "content_weight": 1, "style_weight": 1000, "init": "noise", "optimizer": "lbfgs",
    },
    "neural-style": {
        "size": 512, "pooling": "max", "content_layers": ("relu4_2",), "content_weight": 5, "style_weight": 500,
        "style_layers": FIVE, "tv_weight": 1e-3, "steps": 1000, "history": 100, "init": "gray",
    },
    "johnson": {
        "encoder": "vgg16", "content_layers": ("relu3_3",), "init": "noise", "steps": 500,
        "style_layers": ("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
    },
    "cnnmrf": {
        "size": 384, "style_loss": "patches", "style_layers": ("relu3_1", "relu4_1"), "content_layers": ("relu4_2",),
        "content_weight": 20, "tv": "squared", "tv_weight": 1e-3, "scales": 3, "steps": 100, "history": 25,
    },
    "crowsonkb": {
        "style_loss": "wasserstein", "style_layer_weights": (256, 64, 16, 4, 1), "content_weight": 0.015,
        "content_layers": ("relu4_2",), "optimizer": "adam", "rate": 0.02, "steps": 500, "first_steps": 1000,
        "average": 0.99, "scales": 5,
        "scale_factor": 2**0.5, "encoder": "vgg19",
    },
    "mrf": {"style_loss": "patches", "scales": 3, "tv": "squared", "content_layers": ("relu4_2",), "encoder": "auto"},
    "quilting": {"size": 512},
    "nearest": {"style_loss": "nearest", "scales": 3, "encoder": "auto"},
    "nnst": {
        "encoder": "vgg16", "style_loss": "nearest", "style_rotations": (0, 90, 180, 270), "steps": 200, "scales": 4,
        "optimizer": "adam", "rate": 2e-3, "size": 512, "content_layers": ("relu4_2",),
    },
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(QUALITIES) - {"best", "quick", "refined", "instant"}))
def test_a_papers_colors_are_those_of_its_loss(name: str) -> None:
    assert quality(name).color == "style" and not quality(name).keep_detail


@pytest.mark.parametrize("name", QUALITIES)
def test_a_quality_has_the_numbers_of_its_source(name: str) -> None:
    settings = quality(name)
    settings = settings.changed(style_layers=settings.resolved("vgg19").style_layers)
    assert {field: getattr(settings, field) for field in NUMBERS[name]} == NUMBERS[name]
    assert QUALITIES[name].__doc__


def test_the_pyramid_of_crowsonkb() -> None:
    settings = QUALITIES["crowsonkb"]()
    assert settings.sizes() == [128, 181, 256, 362, 512]


@pytest.mark.parametrize(
    ("size", "sizes"), [(64, [64]), (256, [256]), (511, [511]), (512, [256, 512]), (1500, [375, 750, 1500])]
)
def test_a_large_picture_begins_as_a_preview(size: int, sizes: list[int]) -> None:
    assert StylizeSettings(size=size).sizes() == sizes


def test_mrf_is_three_octaves_of_patches() -> None:
    settings = quality("mrf").resolved("vgg19")
    assert settings.style_layers == ("relu3_1", "relu4_1") and len(settings.sizes()) == 3


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="gatys"):
        quality("gatis")
    with pytest.raises(InputError, match="mrf"):
        quality("mfr")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"style_loss": "grahm"}, "gram"),
        ({"color": "content-lum"}, "content-luminance"),
        ({"style_scales": (0.0,)}, "above 0"),
        ({"style_scales": (float("nan"),)}, "finite"),
        ({"style_scales": ()}, "no scale"),
        ({"scale_factor": 1.0}, "above 1"),
        ({"average": 1.0}, "below 1"),
        ({"feather": 0.7}, "at most 0.5"),
        ({"dream_weight": 1.0}, "no layer to dream of"),
        ({"style_layer_weights": (1.0,)}, "give one each"),
        ({"styl_weight": 1.0}, "did you mean style_weight"),
    ],
)
def test_bad_settings_say_why(changes: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        StylizeSettings().changed(**changes)
