"""Loading an encoder leaves the host's random numbers alone, from several threads too."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from impasto.errors import InputError, WeightsError
from impasto.features import ENCODERS, check_weights, encoder_source, layers_of, load_encoder, stands_in, weights
from impasto.features.classifier import CLASSIFIER_LAYERS
from impasto.features.variants import TORCHVISION
from impasto.features.vgg import VGG
from impasto.features.weights import WEIGHTS, WeightsFile

TINY = WeightsFile("tiny", "http://127.0.0.1:1/tiny.pth", "0" * 8, "none", ((2, 2), (3, 3)), TORCHVISION)


@pytest.fixture
def tiny_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights of a published network of four convolutions, which is in the tables."""
    monkeypatch.setitem(WEIGHTS, "tiny", TINY)
    monkeypatch.setitem(ENCODERS, "tiny", "impasto.features.loading:open_published")
    shapes, state = ((0, 3, 2), (2, 2, 2), (5, 2, 3), (7, 3, 3)), {}
    for number, channels, width in shapes:
        state[f"features.{number}.weight"] = torch.full((width, channels, 3, 3), 0.5)
        state[f"features.{number}.bias"] = torch.full((width,), 0.25)
    save_file(state, tmp_path / "tiny-features.safetensors")
    return tmp_path / "tiny-features.safetensors"


def test_loading_draws_no_random_numbers(tiny_file: Path) -> None:
    for name, path in (("lite", None), ("tiny", tiny_file)):
        torch.manual_seed(5)
        before = torch.get_rng_state()
        load_encoder(name, weights=path)
        assert torch.equal(torch.get_rng_state(), before), name
    VGG(TINY.widths, TORCHVISION)
    assert not torch.equal(torch.get_rng_state(), before), "a network to be trained is drawn"


def test_threads_that_load_at_once_get_the_same_network() -> None:
    image = torch.rand(1, 3, 32, 32)
    expected = load_encoder("lite")(image, ["relu4_1"])["relu4_1"]
    with ThreadPoolExecutor(4) as pool:
        for encoder in pool.map(lambda _: load_encoder("lite"), range(8)):
            assert torch.equal(encoder(image, ["relu4_1"])["relu4_1"], expected)


def test_weights_are_checked_by_the_encoder_s_name(tiny_file: Path, tmp_path: Path) -> None:
    assert check_weights("lite") == (weights.find("lite"), None)
    assert check_weights("tiny", tiny_file) == check_weights("tiny", tmp_path) == (tiny_file, None)
    with pytest.raises(WeightsError, match="fetch vgg16"):
        check_weights("vgg16")
    with pytest.raises(InputError, match="did you mean lite"):
        check_weights("lte")


def test_a_damaged_lite_is_refused(tmp_path: Path) -> None:
    packaged = weights.find("lite")
    assert packaged is not None
    state = load_file(packaged)
    state.popitem()
    save_file(state, tmp_path / "lite.safetensors")
    with pytest.raises(WeightsError, match="lite"):
        check_weights("lite", tmp_path)
    with pytest.raises(WeightsError, match="does not exist"):
        load_encoder("lite", weights=tmp_path / "none.safetensors")


def test_layers_are_known_without_weights() -> None:
    assert layers_of("lite") == layers_of("auto") == load_encoder("lite").layers
    assert {"conv1_1", "relu5_4", "pool5"} <= set(layers_of("vgg19"))
    assert "relu5_4" not in layers_of("vgg16") and not {*CLASSIFIER_LAYERS} & {*layers_of("vgg16")}
    with pytest.raises(InputError, match="did you mean vgg19"):
        layers_of("vgg91")


def test_a_stand_in_is_told_and_nothing_else() -> None:
    assert "lite stands in for VGG-19" in str(stands_in("auto", "lite"))
    assert stands_in("lite", "lite") is None and stands_in("auto", "vgg19") is None


def test_an_encoder_of_one_s_own_is_an_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENCODERS, "mine", lambda name, path, pooling: VGG(TINY.widths, TORCHVISION, name=name))
    assert load_encoder("mine", padding="circular").layers == layers_of("mine")
    assert encoder_source("mine") is None
