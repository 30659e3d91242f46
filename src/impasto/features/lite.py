"""The packaged encoder `lite`: a narrow VGG-19 whose maps stand in the coordinates of the real one.

A narrow network (the student) is trained so that a linear lift of each of its maps predicts VGG-19's map of the same
name, `t ≈ L f`, with `L` of shape `C_t × C` and `C < C_t`. With the QR decomposition `L = Q R`, `Q` keeps lengths and
angles, so that any distance between lifted maps, or between their Gram matrices, equals the distance between `R f`:

    ‖L f − L g‖ = ‖R f − R g‖        ‖L G_f Lᵀ − L G_g Lᵀ‖ = ‖R (G_f − G_g) Rᵀ‖

So the network hands out `s R f` with `s = sqrt(C / C_t)`, and every mean over channels (the losses divide by `C` or
`C²`) comes out as it would over VGG-19's `C_t` channels. No term of an objective needs to know that it is not
looking at VGG-19. `R` is the layer's projection, a `C × C` matrix.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from impasto.features.variants import Normalization
from impasto.features.vgg import VGG, Pooling

#: Channels of the student. The layers that styles are read from are wide (their rank bounds how well VGG-19's map
#: can be predicted), relu4_1 above all, where contents are compared; the ones between are a quarter of VGG-19's or
#: less, or little more.
LITE_WIDTHS = ((16, 16), (48, 64), (96, 96, 96, 96), (384, 224, 224, 224), (512,))
LITE_LAYERS = tuple(f"relu{b}_{i}" for b, widths in enumerate(LITE_WIDTHS, 1) for i in range(1, len(widths) + 1))
LITE_NORMALIZATION = Normalization((0.485, 0.456, 0.406), (0.25, 0.25, 0.25))


Widths = Sequence[Sequence[int]]


def lite_network(
    widths: Widths = LITE_WIDTHS, *, pooling: Pooling = "max", projected: bool = True, drawn: bool = True
) -> VGG:
    """The student's network, untrained; `projected=False` hands out its own maps, for training; `drawn` as of `VGG`."""
    layers = LITE_LAYERS if projected else ()
    return VGG(widths, LITE_NORMALIZATION, pooling=pooling, projected=layers, name="lite", drawn=drawn)


def stored_widths(state: Mapping[str, Tensor]) -> Widths:
    """The widths of the network whose weights these are; the constant is of the next one that is trained."""
    found: list[list[int]] = [[] for _ in LITE_WIDTHS]
    for layer in LITE_LAYERS:
        weight = state.get(f"convs.{layer.replace('relu', 'conv')}.weight")
        if weight is not None:
            found[int(layer[4]) - 1].append(len(weight))
    return found


def unpacked(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights in a file as the network has them, in float32: projections are matrices, of 1×1 convolutions, and
    weights in 8 bits are multiplied by their steps."""
    found = {name: values.float() for name, values in state.items() if not name.endswith(".step")}
    for name, values in state.items():
        side = math.isqrt(2 * values.numel())
        if name.startswith("projections.") and values.shape == (side * (side + 1) // 2,):
            matrix = values.new_zeros(side, side, dtype=torch.float32)
            rows, columns = torch.triu_indices(side, side)
            matrix[rows, columns] = values.float()
            found[name] = matrix.view(side, side, 1, 1)
        weight = name.removesuffix(".step")
        if weight != name and weight in found:
            found[weight] = found[weight] * values.float().view(-1, 1, 1, 1)
    return found
