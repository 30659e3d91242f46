"""The fully connected layers of VGG, and class scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from impasto.errors import WeightsError
from impasto.features.encoder import check_layers
from impasto.features.fingerprint import digest
from impasto.features.spans import Span
from impasto.features.states import read_tensors
from impasto.features.vgg import VGG

#: From shallow to deep; `prob` stands for log-probabilities.
CLASSIFIER_LAYERS = ("fc6", "fc7", "logits", "prob")
CLASSES = 1000


class Classifier(nn.Module):
    """A VGG with its fully connected layers: an encoder whose further layers are `fc6` and `fc7` (after ReLU), `logits`
    and `prob` (log-probabilities), each as maps `(B, C, 1, 1)`.

    The last pooled map is averaged to 7×7 cells first, as torchvision does, so that pictures of any size have a class;
    at 224×224 that changes nothing.

    Args:
        features: the convolutions.
        weights: torchvision's `classifier.{0,3,6}.{weight,bias}`.
        cells: of the averaged map, each way.
    """

    def __init__(self, features: VGG, weights: Mapping[str, Tensor], cells: int = 7) -> None:
        super().__init__()
        self.features = features
        self.name = features.name
        self.pooling = features.pooling
        self.precision = features.precision
        self.cells = cells
        self.layers = (*features.layers, *CLASSIFIER_LAYERS)
        for name, number in zip(("fc6", "fc7", "logits"), (0, 3, 6), strict=True):
            self.register_buffer(f"{name}_weight", weights[f"classifier.{number}.weight"])
            self.register_buffer(f"{name}_bias", weights[f"classifier.{number}.bias"])

    def fingerprint(self) -> str:
        """See `Fingerprinted`."""
        return digest(self, self.features.fingerprint(), self.cells)

    def forward(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        wanted = check_layers(layers, self.layers)
        deep = [n for n in wanted if n in CLASSIFIER_LAYERS]
        shallow = [n for n in wanted if n not in CLASSIFIER_LAYERS]
        last = self.features.layers[-1]
        found = self.features(images, [*shallow, last] if deep else shallow)
        if deep:
            x = F.adaptive_avg_pool2d(found[last], self.cells).flatten(1)
            for name in CLASSIFIER_LAYERS[: CLASSIFIER_LAYERS.index(deep[-1]) + 1]:
                if name == "prob":
                    x = F.log_softmax(x, 1)
                else:
                    x = F.linear(x, getattr(self, f"{name}_weight"), getattr(self, f"{name}_bias"))
                if name in ("fc6", "fc7"):
                    x = F.relu(x)
                found[name] = x[:, :, None, None]
        return {name: found[name] for name in wanted}

    def spans(self, layers: Iterable[str], size: tuple[int, int]) -> list[Span]:
        """See `Spanned`; fully connected layers see all of a picture, so that no part can be run by itself."""
        wanted = check_layers(layers, self.layers)
        shallow = [n for n in wanted if n not in CLASSIFIER_LAYERS]
        if len(shallow) == len(wanted):
            return self.features.spans(shallow, size)
        return [replace(s, apart=False) for s in self.features.spans([*shallow, self.features.layers[-1]], size)]


def load_classifier(file: Path, name: str) -> dict[str, Tensor]:
    """The fully connected layers that belong to a file of convolutions, `classifier.{0,3,6}.{weight,bias}`, float32.

    They are looked for in the file itself and then in one beside it called `NAME-classifier*.safetensors`.

    Raises:
        WeightsError: if there are none, or they are damaged.
    """
    for path in [file, *sorted(file.parent.glob(f"{name}-classifier*.safetensors"))]:
        if found := read_tensors(path, "classifier."):
            return _checked({key: tensor.float() for key, tensor in found.items()}, path, name)
    raise WeightsError(
        f"{file} holds no fully connected layers, which fc6, fc7, logits, prob and classes need: get the whole file "
        f"with `impasto weights fetch {name}`, or put {name}-classifier.safetensors beside it"
    )


def _checked(found: dict[str, Tensor], path: Path, name: str) -> dict[str, Tensor]:
    inputs = 512 * 7 * 7
    for number, outputs in ((0, 4096), (3, 4096), (6, CLASSES)):
        for part, shape in (("weight", (outputs, inputs)), ("bias", (outputs,))):
            tensor = found.get(f"classifier.{number}.{part}")
            if tensor is None or tuple(tensor.shape) != shape:
                got = "missing" if tensor is None else f"of shape {tuple(tensor.shape)}"
                raise WeightsError(
                    f"{path} has no classifier of {name}: classifier.{number}.{part} is {got}, not {shape}"
                )
        inputs = outputs
    return found
