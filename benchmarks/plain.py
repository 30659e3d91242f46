"""The network and the loss as plain PyTorch programs have them: what ours are measured against."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.features.vgg import VGG


class PlainVGG:
    """The layers of an encoder by torch's own convolutions, ReLUs and max pools, channels last (see `Encoder`)."""

    def __init__(self, encoder: VGG) -> None:
        self.name, self.layers = encoder.name, encoder.layers
        self._mean, self._std = encoder.mean, encoder.std
        layout = torch.channels_last
        self._convs = {
            name: (conv.weight.detach().contiguous(memory_format=layout), conv.bias.detach())  # type: ignore[union-attr,operator]
            for name, conv in encoder.convs.items()
        }

    def __call__(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        wanted = set(layers)
        deepest = max(map(self.layers.index, wanted))
        x = ((images - self._mean) / self._std).contiguous(memory_format=torch.channels_last)
        found: dict[str, Tensor] = {}
        for name in self.layers[: deepest + 1]:
            if name.startswith("conv"):
                x = F.conv2d(x, *self._convs[name], padding=1)
            else:
                x = F.max_pool2d(x, 2) if name.startswith("pool") else F.relu(x, inplace=True)
            if name in wanted:
                found[name] = x
        return found
