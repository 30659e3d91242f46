"""The fully connected layers."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from impasto.errors import WeightsError
from impasto.features import load_encoder
from impasto.features.classifier import Classifier, load_classifier
from impasto.features.vgg import VGG


def weights(inputs: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    sizes, found = (inputs, 7, 5, 10), {}
    for number, (a, b) in zip((0, 3, 6), itertools.pairwise(sizes), strict=True):
        found[f"classifier.{number}.weight"] = torch.randn(b, a, generator=generator)
        found[f"classifier.{number}.bias"] = torch.randn(b, generator=generator)
    return found


def test_fully_connected_layers_by_hand(tiny: VGG) -> None:
    w = weights(6 * 4 * 4)
    network = Classifier(tiny, w, cells=4)
    image = torch.rand(2, 3, 16, 16)
    found = network(image, ["relu1_1", "fc6", "fc7", "logits", "prob"])
    x = tiny(image, ["pool2"])["pool2"].flatten(1)
    fc6 = (x @ w["classifier.0.weight"].T + w["classifier.0.bias"]).clamp_min(0)
    fc7 = (fc6 @ w["classifier.3.weight"].T + w["classifier.3.bias"]).clamp_min(0)
    logits = fc7 @ w["classifier.6.weight"].T + w["classifier.6.bias"]
    for name, expected in (("fc6", fc6), ("fc7", fc7), ("logits", logits), ("prob", logits.log_softmax(1))):
        torch.testing.assert_close(found[name], expected[:, :, None, None], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found["relu1_1"], tiny(image, ["relu1_1"])["relu1_1"])
    assert set(network(image, ["relu2_1"])) == {"relu2_1"}


def test_a_picture_of_another_size_has_classes_too(tiny: VGG) -> None:
    network = Classifier(tiny, weights(6 * 4 * 4), cells=4)
    assert network(torch.rand(1, 3, 22, 37), ["prob"])["prob"].exp().sum().item() == pytest.approx(1, rel=1e-5)


def test_what_has_no_classifier_says_so(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"lite has no fully connected layers.*vgg19"):
        load_encoder("lite", classifier=True)
    save_file({"features.0.weight": torch.zeros(1)}, tmp_path / "vgg19-caffe-features.safetensors")
    with pytest.raises(WeightsError, match=r"holds no fully connected layers.*impasto weights fetch"):
        load_classifier(tmp_path / "vgg19-caffe-features.safetensors", "vgg19-caffe")


def test_eight_bit_layers_are_found_beside_and_a_wrong_shape_is_refused(tmp_path: Path) -> None:
    save_file({"features.0.weight": torch.zeros(1)}, tmp_path / "f.safetensors")
    quantized = {"classifier.0.weight": torch.tensor([[0, 255]], dtype=torch.uint8)}
    about = {"classifier.0.weight": json.dumps([0.5, -1.0])}
    save_file(quantized, tmp_path / "vgg19-classifier-uint8.safetensors", metadata=about)
    with pytest.raises(WeightsError, match=r"classifier.0.weight is of shape \(1, 2\), not \(4096, 25088\)"):
        load_classifier(tmp_path / "f.safetensors", "vgg19")


@pytest.mark.slow
def test_classes_of_photographs_are_those_of_the_reference(shared: Path) -> None:
    from impasto.media import read_image
    from impasto.pictures.resample import lanczos

    sys.path.insert(0, str(shared / "weights"))
    from load_vgg19 import classifier, features  # type: ignore[import-not-found]

    network = load_encoder("vgg19-caffe", weights=shared / "weights", classifier=True)
    w = features() | classifier()
    for path in sorted((shared / "data" / "photos").iterdir())[:3]:
        image = lanczos(read_image(path).pixels, (224, 224))
        found = network(image, ["prob"])["prob"].flatten().exp()
        x = image[:, [2, 1, 0]] * 255 - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
        convs = sorted({int(k.split(".")[1]) for k in w if k.startswith("features")})
        for i, n in enumerate(convs):
            x = torch.conv2d(x, w[f"features.{n}.weight"], w[f"features.{n}.bias"], padding=1).relu()
            if i + 1 == len(convs) or convs[i + 1] - n > 2:
                x = torch.max_pool2d(x, 2)
        x = x.flatten(1)
        for n in (0, 3, 6):
            x = x @ w[f"classifier.{n}.weight"].T + w[f"classifier.{n}.bias"]
            x = x.relu() if n < 6 else x.softmax(1)
        torch.testing.assert_close(found, x[0], atol=1e-4, rtol=1e-2)
