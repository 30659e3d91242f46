"""Encoders with their weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from impasto.devices import resolve_device
from impasto.errors import InputError, WeightsError, unknown
from impasto.features.classifier import Classifier, load_classifier
from impasto.features.imported import load_imported
from impasto.features.lite import lite_network, stored_widths, unpacked
from impasto.features.precision import resolve_precision
from impasto.features.registry import ENCODERS, Path_, is_imported, resolve
from impasto.features.states import load_state, read_tensors
from impasto.features.vgg import VGG, Padding, Pooling
from impasto.features.weights import WEIGHTS, locate, verify

if TYPE_CHECKING:
    from impasto.features.encoder import Encoder


def open_published(name: str, path: Path_ | None, pooling: Pooling) -> VGG:
    """The network of an entry of `WEIGHTS`."""
    entry, file = WEIGHTS[name], locate(name, path)
    verify(file, entry)
    network = VGG(entry.widths, entry.normalization, pooling=pooling, name=name, drawn=False)
    return _ready(network, load_state(file, entry), file)


def open_lite(name: str, path: Path_ | None, pooling: Pooling) -> VGG:
    """The packaged network, or another of its kind."""
    file = locate(name, path)
    state = read_tensors(file)
    return _ready(lite_network(stored_widths(state), pooling=pooling, drawn=False), unpacked(state), file)


def _ready(network: VGG, state: dict[str, Tensor], file: Path) -> VGG:
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        detail = str(error).splitlines()[-1].strip()
        raise WeightsError(f"{file} holds no weights of {network.name}: {detail}") from error
    network.eval().requires_grad_(False)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


@torch.inference_mode(False)  # weights made in that mode cannot be differentiated through
def load_encoder(
    name: str = "auto",
    *,
    weights: Path_ | None = None,
    pooling: Pooling = "max",
    padding: Padding = "zeros",
    precision: str = "fp32",
    classifier: bool = False,
    device: str | torch.device = "cpu",
) -> Encoder:
    """The encoder of that name, with its weights, ready to use (float32, frozen, channels last).

    Nothing is drawn from torch's random generators.

    Args:
        name: a key of `ENCODERS`, `auto` (see `resolve`), or an import path, whose code is run (see
            `impasto.features.imported`).
        weights: a file, or a folder that holds it; looked for as `impasto.features.weights` says if not given.
        pooling: `"max"` as trained, or `"avg"` (smoother pictures).
        padding: `"zeros"` as trained, or `"circular"`: a picture's opposite sides are neighbors.
        precision: of the maps' computation, `"fp32"`, `"tf32"` or `"bf16"` (see `VGG`), or `"auto"` (see
            `resolve_precision`).
        classifier: with the fully connected layers `fc6`, `fc7`, `logits` and `prob`.
        device: where it will run (see `resolve_device`).

    Raises:
        InputError: if there is no encoder or device of that name.
        WeightsError: if its weights are not found, damaged, or of another network.
    """
    name, device = resolve(name, weights), resolve_device(device)
    if name not in ENCODERS and not is_imported(name):
        raise unknown("encoder", name, ("auto", *ENCODERS))
    if pooling not in ("max", "avg"):
        raise InputError(f"pooling is {pooling!r}; it must be max or avg")
    if padding not in ("zeros", "circular"):
        raise InputError(f"padding is {padding!r}; it must be zeros or circular")
    if is_imported(name):
        if pooling != "max" or padding != "zeros" or precision not in ("auto", "fp32"):
            raise InputError(f"{name} is taken as it is: leave pooling, precision and tileable out")
        return load_imported(name, weights, device)
    found_precision = resolve_precision(precision, device)
    if classifier and name not in WEIGHTS:
        raise WeightsError(
            f"{name} has no fully connected layers, which fc6, fc7, logits, prob and classes need: use --encoder "
            "vgg19, whose weights come with `impasto weights fetch vgg19`"
        )
    network = ENCODERS[name](name, weights, pooling)
    network.padding = padding
    network.precision = found_precision
    if classifier:
        return Classifier(network, load_classifier(locate(name, weights), name)).eval().to(device)
    return network.to(device)


def check_weights(name: str, path: Path_ | None = None) -> tuple[Path, str | None]:
    """Check an encoder's weights: the hash where it is known, names, shapes and finite values.

    Args:
        name: a key of `ENCODERS`.
        path: the file or its folder, if it is elsewhere.

    Returns:
        The file, and its SHA-256 or None if it is not known which one it should have.

    Raises:
        InputError: if there is no such encoder.
        WeightsError: if they are not found, damaged, or of another network.
    """
    file = locate(name, path)
    ENCODERS[name](name, file, "max")
    return file, verify(file, WEIGHTS[name]) if name in WEIGHTS else None


def layers_of(name: str) -> tuple[str, ...]:
    """The layers that an encoder can be asked for, from shallow to deep; its weights need not be on this machine.

    Args:
        name: a key of `ENCODERS`, `auto`, or an import path.
    """
    name = resolve(name)
    if is_imported(name):
        return load_imported(name, None).layers
    if name not in ENCODERS:
        raise unknown("encoder", name, ("auto", *ENCODERS))
    if name not in WEIGHTS:
        return ENCODERS[name](name, None, "max").layers
    with torch.device("meta"):
        return VGG(WEIGHTS[name].widths, WEIGHTS[name].normalization).layers


def has_classifier(encoder: str, weights: str | None) -> bool:
    """Whether the encoder's fully connected layers are on this machine."""
    try:
        return encoder in WEIGHTS and bool(load_classifier(locate(encoder, weights), encoder))
    except WeightsError:
        return False
