"""Named settings of the literature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from impasto.errors import unknown
from impasto.features import PROFILES
from impasto.methods.settings import AscentSettings, StylizeSettings


def best() -> StylizeSettings:
    """Ours: relative losses, so that weights mean the same for every encoder; content at relu4_1 and relu4_2 (`lite`:
    relu4_1), which for the same style keep more of the photograph than relu4_2 alone; L-BFGS from the content, coarse
    to fine above 256 pixels, which gives strokes their length (`docs/lab/default.md`)."""
    return StylizeSettings(color="painting")


def quick() -> StylizeSettings:
    """A picture in three seconds: from the photograph in the painting's colors, whose detail is kept, 40 steps by
    `lite` at the coarsest scale for what is large, then 22 a scale, which are L-BFGS's (`docs/lab/speed.md`)."""
    return StylizeSettings(
        encoder="lite",
        color="painting",
        init="recolored",
        keep_detail=True,
        first_steps=40,
        steps=22,
        balance=PROFILES["lite"].style_balance,
    )


def refined() -> StylizeSettings:
    """A picture in two seconds: what a network makes of it in one pass, and a few steps by `lite` from there, at the
    balance that its longer runs have (`docs/lab/speed.md`)."""
    return StylizeSettings(
        encoder="lite",
        color="painting",
        init="instant",
        scales=1,
        steps=15,
        balance=PROFILES["lite"].style_balance,
    )


def instant() -> StylizeSettings:
    """A picture in a tenth of a second: one pass of a network, which knows no steps (`docs/guide/instant.md`)."""
    return StylizeSettings(color="painting")


def gatys() -> StylizeSettings:
    """Gatys, Ecker, Bethge 2016, "Image style transfer using convolutional neural networks", §3: VGG-19, average
    pooling, content relu4_2, five style layers of weight 1/5, content to style 1:1000, L-BFGS from noise, 500 steps."""
    return StylizeSettings(
        encoder="vgg19-caffe",
        content_layers=("relu4_2",),
        pooling="avg",
        convention="gatys",
        content_weight=1.0,
        style_weight=1000.0,
        init="noise",
        optimizer="lbfgs",
        steps=500,
        scales=1,
    )


def neural_style() -> StylizeSettings:
    """jcjohnson/neural-style (2015): 512 pixels, content 5, style 100 for each of five layers, total variation 1e-3,
    1000 steps of L-BFGS with its history of 100, from a gray picture with a trace of noise."""
    return StylizeSettings(
        encoder="vgg19-caffe",
        content_layers=("relu4_2",),
        convention="neural-style",
        content_weight=5.0,
        style_weight=5 * 100.0,
        tv_weight=1e-3,
        init="gray",
        optimizer="lbfgs",
        steps=1000,
        scales=1,
        history=100,
    )


def johnson() -> StylizeSettings:
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
        optimizer="lbfgs",
        steps=500,
        scales=1,
    )


def cnnmrf() -> StylizeSettings:
    """Li and Wand 2016, "Combining Markov random fields and convolutional neural networks for image synthesis", with
    the numbers of chuanli11/CNNMRF: 384 pixels, three octaves of 100 steps of L-BFGS (history 25) from the content,
    content 20, squared total variation 1e-3.

    Their patch term is half a sum over feature values times 1e-4, ours a mean: at 384×288 there are 1.77 and 0.88
    million values at relu3_1 and relu4_1, hence 88 + 44. Content relu4_2 is the paper's; the program has relu4_1.
    """
    return StylizeSettings(
        size=384,
        encoder="vgg19-caffe",
        convention="neural-style",
        content_layers=("relu4_2",),
        style_loss="patches",
        style_layer_weights=(2.0, 1.0),
        content_weight=20.0,
        style_weight=132.0,
        tv_weight=1e-3,
        scales=3,
        optimizer="lbfgs",
        steps=100,
        history=25,
    )


def crowsonkb() -> StylizeSettings:
    """crowsonkb/style-transfer-pytorch: Wasserstein distance at five layers weighted 256:64:16:4:1, content 0.015,
    sizes √2 apart from 128 to 512, Adam at 0.02 for 1000 steps and then 500 a scale, pictures averaged with 0.99.

    Its total variation, 2 · mean over values of ((dx² + dy²)/3 + (both diagonals²)/12), is on smooth pictures the mean
    over values of dx² + dy²; ours is a mean over pixels of the sum over three colors, hence 1/3.
    """
    return StylizeSettings(
        encoder="vgg19",
        convention="kitov",
        style_loss="wasserstein",
        style_layer_weights=(256.0, 64.0, 16.0, 4.0, 1.0),
        content_layers=("relu4_2",),
        content_weight=0.015,
        style_weight=1.0,
        tv_weight=1 / 3,
        optimizer="adam",
        rate=0.02,
        steps=500,
        first_steps=1000,
        scales=5,
        scale_factor=2**0.5,
        average=0.99,
    )


def nnst() -> StylizeSettings:
    """Kolkin et al. 2022, "Neural neighbor style transfer": VGG-16 to relu4_3, cosine nearest neighbors among the style
    at four rotations, sizes 64 to 512, 200 steps of Adam at 2e-3 for each.

    It departs from the paper where that mixes content into features before matching (α = 0.75): here a content term
    of a quarter keeps the structure; layers are matched one by one and not as one hypercolumn.
    """
    return StylizeSettings(
        encoder="vgg16",
        style_loss="nearest",
        style_layers=("relu2_1", "relu2_2", "relu3_1", "relu3_2", "relu3_3", "relu4_1", "relu4_2", "relu4_3"),
        style_rotations=(0.0, 90.0, 180.0, 270.0),
        content_layers=("relu4_2",),
        content_weight=0.25,
        style_weight=1.0,
        optimizer="adam",
        rate=2e-3,
        steps=200,
        scales=4,
    )


def mrf() -> StylizeSettings:
    """Patches as in Li and Wand 2016, with our weights and optimizer."""
    return StylizeSettings(style_loss="patches", content_layers=("relu4_2",), scales=3, tv_weight=0.1)


def nearest() -> StylizeSettings:
    """Nearest neighbors as in Kolkin et al. 2022, with our weights and optimizer."""
    return StylizeSettings(style_loss="nearest", scales=3)


def quilting() -> StylizeSettings:
    """Efros and Freeman 2001, "Image quilting for texture synthesis and transfer", §3: blocks of the painting that are
    as dark and light as the photograph, in rounds of smaller and smaller ones; no network."""
    return StylizeSettings()


#: Quality -> its settings; the four of ours first, then those of papers.
QUALITIES: dict[str, Callable[[], StylizeSettings]] = {
    "best": best,
    "quick": quick,
    "refined": refined,
    "instant": instant,
    "gatys": gatys,
    "neural-style": neural_style,
    "johnson": johnson,
    "cnnmrf": cnnmrf,
    "crowsonkb": crowsonkb,
    "nnst": nnst,
    "mrf": mrf,
    "nearest": nearest,
    "quilting": quilting,
}


def quality(name: str) -> StylizeSettings:
    """The settings of that name.

    Raises:
        InputError: if there is none.
    """
    if name not in list(QUALITIES):  # of JSON it may be anything
        raise unknown("quality", str(name), QUALITIES)
    return QUALITIES[name]()


def ruder() -> StylizeSettings:
    """Ruder, Dosovitskiy, Brox 2016, as in their program artistic-videos: that of neural-style, from noise; the first
    frame of a shot in up to 2000 steps."""
    return neural_style().changed(steps=2000, init="noise")


def longer() -> StylizeSettings:
    """The first frame of a shot at its best: from the network's picture too, so that what comes into sight later, and
    begins with it, is of the same manner (`docs/lab/video.md`)."""
    return StylizeSettings(init="instant", scales=1, steps=40)


@dataclass(frozen=True)
class VideoQuality:
    """How a video is painted.

    Attributes:
        still: settings of a shot's first frame.
        video: options of `impasto.jobs.video.Video` beside them.
    """

    still: Callable[[], StylizeSettings]
    video: Mapping[str, Any] = field(default_factory=dict)


def _steady(still: Callable[[], StylizeSettings]) -> Callable[[], StylizeSettings]:
    """Each frame's colors matched by themselves would change with what comes into it."""
    return lambda: still().changed(color="style")


#: Quality -> how a video is painted. The weight of the paper's term, 1e3, is that of means over values up to 255.
VIDEO_QUALITIES: dict[str, VideoQuality] = {
    "instant": VideoQuality(_steady(instant)),
    "quick": VideoQuality(_steady(refined)),
    "best": VideoQuality(longer, {"frame_steps": 8, "temporal_weight": 1000.0, "long_term": (1, 2, 4), "passes": 2}),
    "ruder": VideoQuality(ruder, {"frame_steps": 1000, "temporal_weight": 1e3 * 255**2}),
}


def olah() -> AscentSettings:
    """Olah, Mordvintsev, Schubert 2017, "Feature visualization": spectrum, decorrelated colors, random moves, Adam."""
    return AscentSettings()


def simonyan() -> AscentSettings:
    """Simonyan, Vedaldi, Zisserman 2014, §2: gradient ascent from a gray picture with an L2 penalty, nothing else."""
    return AscentSettings(canvas="pixels", norm_weight=0.3, shift=0.0, scale=0.0, degrees=0.0, rate=0.01)


def yosinski() -> AscentSettings:
    """Yosinski et al. 2015, "Understanding neural networks through deep visualization", §3: decay, a blur of 0.5 to 1
    pixels every four steps, and clipping of pixels that contribute little."""
    return AscentSettings(
        canvas="pixels", norm_weight=0.1, blur_every=4, blur_sigma=0.7, clip_percentile=10.0, shift=0.0, scale=0.0,
        degrees=0.0, rate=0.02,
    )  # fmt: skip


ASCENT_PRESETS: dict[str, Callable[[], AscentSettings]] = {"olah": olah, "simonyan": simonyan, "yosinski": yosinski}
