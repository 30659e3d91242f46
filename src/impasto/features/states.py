"""Weights of a file as a network has them, checked."""

from __future__ import annotations

import os
import pickle
import re
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from impasto.errors import WeightsError
from impasto.features.vgg import from_torchvision_names
from impasto.features.weights import WeightsFile, weights_error

# What torch.load and safetensors are seen to raise on damaged files; no other kind of error is hidden.
_READ_ERRORS = (
    AssertionError, AttributeError, EOFError, ImportError, LookupError, MemoryError, OSError, OverflowError,
    RuntimeError, TypeError, ValueError, pickle.UnpicklingError, struct.error, zipfile.BadZipFile, SafetensorError,
)  # fmt: skip


def load_state(path: Path, entry: WeightsFile) -> dict[str, Tensor]:
    """An encoder's weights, checked, under the names of `VGG`'s state dict.

    Reads `.safetensors` files, and what `torch.save` wrote (without running code from it). The file has torchvision's
    names (`features.0.weight`, …), bare or under `state_dict`; what it has besides, such as `classifier.*`, is left
    out. Weights for BGR are turned into weights for RGB.

    Returns:
        `{"convs.conv1_1.weight": (64, 3, 3, 3), "convs.conv1_1.bias": (64,), …}`, float32, on the CPU.

    Raises:
        WeightsError: if the file cannot be read, or a tensor is missing, of another shape, or not finite.
    """
    read = _read_safetensors if path.suffix.lower() == ".safetensors" else read_torch
    raw = read(path)
    state = from_torchvision_names(raw, entry.widths)
    wrong = f"{path} does not hold the weights of {entry.name}"
    loaded: dict[str, Tensor] = {}
    for name, shape in _shapes(entry.widths).items():
        short = name.removeprefix("convs.")
        if name not in state:
            convs = sum(key.startswith("features.") and value.ndim == 4 for key, value in raw.items())
            raise weights_error(
                f"{wrong}: {short}, of shape {shape}, is missing "
                f"(the file has {convs} convolutions, {entry.name} has {sum(map(len, entry.widths))})"
            )
        tensor = state[name]
        if tuple(tensor.shape) != shape:
            raise weights_error(f"{wrong}: {short} has shape {tuple(tensor.shape)}, not {shape}")
        if not (tensor.is_floating_point() and tensor.layout is torch.strided and tensor.device.type == "cpu"):
            raise weights_error(
                f"{path}: {short} is {tensor.dtype}, {tensor.layout}; it must be plain floating point numbers"
            )
        # A copy: the file may be mapped into memory, and change later.
        loaded[name] = tensor.detach().to(torch.float32, memory_format=torch.contiguous_format, copy=True)
        if not loaded[name].isfinite().all():
            raise weights_error(f"{path} is damaged: {short}, of shape {shape}, has values that are not finite")
    if entry.normalization.bgr:
        loaded["convs.conv1_1.weight"] = loaded["convs.conv1_1.weight"].flip(1)
    return loaded


def _shapes(widths: Sequence[Sequence[int]]) -> dict[str, tuple[int, ...]]:
    """Shape of each tensor of the network, from shallow to deep."""
    shapes: dict[str, tuple[int, ...]] = {}
    channels = 3
    for block, block_widths in enumerate(widths, 1):
        for index, width in enumerate(block_widths, 1):
            shapes[f"convs.conv{block}_{index}.weight"] = (width, channels, 3, 3)
            shapes[f"convs.conv{block}_{index}.bias"] = (width,)
            channels = width
    return shapes


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return {key: file.get_tensor(key) for key in file.keys() if key.startswith("features.")}  # noqa: SIM118
    except _READ_ERRORS as error:
        raise _unreadable(path, "safetensors", error) from error


def read_torch(path: Path) -> dict[str, Tensor]:
    """Every tensor of what `torch.save` wrote, read without running code from it.

    Raises:
        WeightsError: if the file cannot be read.
    """
    try:
        # Files from before torch 1.6, torchvision's and Caffe's among them, are no zip archives and cannot be mapped.
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except _READ_ERRORS as error:
        raise _unreadable(path, "PyTorch", error) from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping):
        raise weights_error(
            f"{path} holds no weights: it has a {type(content).__name__} where a state dict was expected"
        )
    return {k: v for k, v in content.items() if isinstance(k, str) and isinstance(v, Tensor)}


def _unreadable(path: Path, kind: str, error: BaseException) -> WeightsError:
    """A file that its loader refused. Torch's words on pickles are long and advise against safety: not repeated."""
    if isinstance(error, OSError) and error.strerror:
        return weights_error(f"{path} cannot be read: {error.strerror}")
    if os.path.isfile(path) and os.path.getsize(path) == 0:
        return weights_error(f"{path} is empty, where a {kind} file was expected")
    code = re.search(r"GLOBAL ([\w.]+)", str(error)) if isinstance(error, pickle.UnpicklingError) else None
    if code:
        return weights_error(f"{path} was refused: it holds Python code ({code[1]}), where only tensors were expected")
    # The other kinds are slips of the loader on nonsense, and tell a user nothing.
    told = re.split(r"\.\s|\n", str(error))[0][:120] if isinstance(error, (SafetensorError, RuntimeError)) else ""
    return weights_error(f"{path} is not a {kind} file, or is damaged or cut short" + (f": {told}" if told else ""))
