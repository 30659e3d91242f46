"""The VGGs there are: how wide they are, and what they expect of a picture."""

from __future__ import annotations

from dataclasses import dataclass

#: Channels of each convolution, block by block (Simonyan and Zisserman 2015, table 1, columns E and D).
VGG19_WIDTHS = ((64,) * 2, (128,) * 2, (256,) * 4, (512,) * 4, (512,) * 4)
VGG16_WIDTHS = ((64,) * 2, (128,) * 2, (256,) * 3, (512,) * 3, (512,) * 3)


@dataclass(frozen=True)
class Normalization:
    """What a network expects of its input: `(rgb - mean) / std`, for RGB in [0, 1].

    Attributes:
        bgr: the first convolution was trained on BGR; its weights are flipped once, when they are loaded.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    bgr: bool = False


#: torchvision's weights.
TORCHVISION = Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
#: The original Caffe weights: BGR, 0..255, minus (103.939, 116.779, 123.68).
CAFFE = Normalization((123.68 / 255, 116.779 / 255, 103.939 / 255), (1 / 255,) * 3, bgr=True)
