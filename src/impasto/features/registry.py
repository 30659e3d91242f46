"""The encoders there are, by name."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from impasto.errors import InputError, WeightsError, unknown
from impasto.features.classifier import Classifier, load_classifier
from impasto.features.encoder import Encoder
from impasto.features.lite import lite_network, stored_widths, unpacked
from impasto.features.precision import resolve_precision
from impasto.features.vgg import VGG, Padding, Pooling
from impasto.features.weights import WEIGHTS, find, load_state, missing_message, published, verify

Path_ = str | os.PathLike[str]


def _published(name: str) -> Callable[[Path_ | None, Pooling], VGG]:
    def build(path: Path_ | None, pooling: Pooling) -> VGG:
        entry = WEIGHTS[name]
        file = find(name, path)
        if file is None:
            raise WeightsError(missing_message(name))
        verify(file, entry)
        network = VGG(entry.widths, entry.normalization, pooling=pooling, name=name)
        return _ready(network, load_state(file, entry), file)

    return build


def _lite(path: Path_ | None, pooling: Pooling) -> VGG:
    with as_file(files("impasto") / "data" / "lite.safetensors") as packaged:
        file = packaged if path is None else Path(path)
        if file.is_dir():
            file /= "lite.safetensors"
        try:
            with safe_open(file, "pt") as opened:
                state = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise WeightsError(
                f"the weights of lite cannot be read from {file}: {str(error).splitlines()[0]}"
            ) from error
    return _ready(lite_network(stored_widths(state), pooling=pooling), unpacked(state), file)


def _ready(network: VGG, state: dict[str, Tensor], file: Path) -> VGG:
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        detail = str(error).splitlines()[-1].strip()
        raise WeightsError(f"{file} holds no weights of {network.name}: {detail}") from error
    network.eval().requires_grad_(False)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


#: Encoder name -> builder `(path of the weights or None, pooling) -> network`.
ENCODERS: dict[str, Callable[[Path_ | None, Pooling], VGG]] = {"lite": _lite} | {n: _published(n) for n in WEIGHTS}
#: What `auto` looks for, the first one first.
STANDARD = ("vgg19", "vgg19-caffe")


def resolve(name: str = "auto", weights: Path_ | None = None) -> str:
    """The encoder that a name stands for: `auto` is VGG-19 if its weights are on this machine, and else `lite`.

    Args:
        name: a key of `ENCODERS`, or `auto`.
        weights: a file, whose name then tells which encoder it belongs to, or a folder that holds VGG-19.

    Raises:
        WeightsError: if `weights` are given and `auto` cannot tell whose they are.
    """
    if name != "auto":
        return name
    if weights is not None:
        return published(weights, STANDARD)
    return next((n for n in STANDARD if find(n) is not None), "lite")


@torch.inference_mode(False)  # weights made in that mode cannot be differentiated through
def load_encoder(
    name: str = "auto",
    *,
    weights: Path_ | None = None,
    pooling: Pooling = "max",
    padding: Padding = "zeros",
    precision: str = "fp32",
    classifier: bool = False,
    device: str = "cpu",
) -> Encoder:
    """The encoder of that name, with its weights, ready to use (float32, frozen, channels last).

    Args:
        name: a key of `ENCODERS`, or `auto` (see `resolve`).
        weights: a file, or a folder that holds it; looked for as `impasto.features.weights` says if not given.
        pooling: `"max"` as trained, or `"avg"` (smoother pictures).
        padding: `"zeros"` as trained, or `"circular"`: a picture's opposite sides are neighbors.
        precision: of the maps' computation, `"fp32"`, `"tf32"` or `"bf16"` (see `VGG`), or `"auto"` (see
            `resolve_precision`).
        classifier: with the fully connected layers `fc6`, `fc7`, `logits` and `prob`.
        device: where it will run, as torch names it.

    Raises:
        InputError: if there is no encoder of that name.
        WeightsError: if its weights are not found, damaged, or of another network.
    """
    name = resolve(name, weights)
    if name not in ENCODERS:
        raise unknown("encoder", name, ("auto", *ENCODERS))
    if pooling not in ("max", "avg"):
        raise InputError(f"pooling is {pooling!r}; it must be max or avg")
    if padding not in ("zeros", "circular"):
        raise InputError(f"padding is {padding!r}; it must be zeros or circular")
    found_precision = resolve_precision(precision, device)
    if classifier and name not in WEIGHTS:
        raise WeightsError(
            f"{name} has no fully connected layers, which fc6, fc7, logits, prob and classes need: use --encoder "
            "vgg19, whose weights come with `impasto weights fetch vgg19`"
        )
    network = ENCODERS[name](weights, pooling)
    network.padding = padding
    network.precision = found_precision
    if classifier:
        file = find(name, weights)
        assert file is not None  # its convolutions have just been loaded
        return Classifier(network, load_classifier(file, name)).eval().to(device)
    return network.to(device)


def encoder_source(name: str) -> str | None:
    """Where an encoder's weights would come from: a path, `"packaged"`, or None if they are not on this machine."""
    if name == "lite":
        return "packaged"
    path = find(name)
    return None if path is None else str(path)


def packaged_card() -> dict[str, object]:
    """What `make lite` recorded in the packaged weights: steps, crops, seed, and held-out errors by layer."""
    with as_file(files("impasto") / "data" / "lite.safetensors") as file, safe_open(file, "pt") as opened:
        card: dict[str, object] = json.loads((opened.metadata() or {}).get("impasto", "{}"))
    return card
