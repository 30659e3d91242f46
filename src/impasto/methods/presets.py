"""Named settings of the literature."""

from __future__ import annotations

from impasto.errors import unknown
from impasto.settings import StylizeSettings


def default() -> StylizeSettings:
    """Ours: relative losses, so that weights mean the same for every encoder; L-BFGS from the content."""
    return StylizeSettings()


def gatys() -> StylizeSettings:
    """Gatys, Ecker, Bethge 2016, "Image style transfer using convolutional neural networks", §3: VGG-19, average
    pooling,
    content relu4_2, five style layers of weight 1/5, content to style 1:1000, L-BFGS from noise, 500 steps."""
    return StylizeSettings(
        encoder="vgg19-caffe",
        pooling="avg",
        convention="gatys",
        content_weight=1.0,
        style_weight=1000.0,
        init="noise",
        steps=500,
    )


def johnson_lecture() -> StylizeSettings:
    """Johnson, Alahi, Fei-Fei 2016, baseline of §4.1: VGG-16, content relu3_3, style relu1_2, 2_2, 3_3, 4_3, total
    variation, 500 steps of L-BFGS from noise."""
    return StylizeSettings(
        encoder="vgg16",
        convention="johnson",
        content_layers=("relu3_3",),
        style_layers=("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
        style_weight=20.0,
        tv_weight=1e-6,
        init="noise",
        steps=500,
    )


PRESETS = {"default": default, "gatys": gatys, "johnson-lecture": johnson_lecture}


def preset(name: str) -> StylizeSettings:
    """The settings of that name.

    Raises:
        InputError: if there is none.
    """
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    return PRESETS[name]()
