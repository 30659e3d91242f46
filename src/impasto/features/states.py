"""Weights of a file as a network has them, checked."""

from __future__ import annotations

import json
import os
import pickle
import re
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor

from impasto.errors import WeightsError
from impasto.features.weights import WeightsFile, weights_error
from impasto.files import read_tensors as safetensors_in

# What torch.load and safetensors are seen to raise on damaged files; no other kind of error is hidden.
_READ_ERRORS = (
    AssertionError, AttributeError, EOFError, ImportError, LookupError, MemoryError, OSError, OverflowError,
    RuntimeError, TypeError, ValueError, pickle.UnpicklingError, struct.error, zipfile.BadZipFile, SafetensorError,
)  # fmt: skip


def load_state(path: Path, entry: WeightsFile) -> dict[str, Tensor]:
    """An encoder's weights, checked, under the names of `VGG`'s state dict.

    The file has torchvision's names (`features.0.weight`, …), bare or under `state_dict`; what it has besides, such as
    `classifier.*`, is left out. Weights for BGR are turned into weights for RGB.

    Returns:
        `{"convs.conv1_1.weight": (64, 3, 3, 3), "convs.conv1_1.bias": (64,), …}`, float32, on the CPU.

    Raises:
        WeightsError: if the file cannot be read, or a tensor is missing, of another shape, or not finite.
    """
    raw = read_tensors(path, "features.")
    wrong = f"{path} does not hold the weights of {entry.name}"
    loaded: dict[str, Tensor] = {}
    for short, theirs, shape in _names(entry.widths):
        tensor = raw.get(theirs)
        if tensor is None:
            convs = sum(value.ndim == 4 for value in raw.values())
            raise weights_error(
                f"{wrong}: {short}, of shape {shape}, is missing "
                f"(the file has {convs} convolutions, {entry.name} has {sum(map(len, entry.widths))})"
            )
        if tuple(tensor.shape) != shape:
            raise weights_error(f"{wrong}: {short} has shape {tuple(tensor.shape)}, not {shape}")
        if not (tensor.is_floating_point() and tensor.layout is torch.strided and tensor.device.type == "cpu"):
            kind = f"{tensor.dtype}, {tensor.layout}"
            raise weights_error(f"{path}: {short} is {kind}; it must be plain floating point numbers")
        # A copy: the file may be mapped into memory, and change later.
        found = tensor.detach().to(torch.float32, memory_format=torch.contiguous_format, copy=True)
        if not found.isfinite().all():
            raise weights_error(f"{path} is damaged: {short}, of shape {shape}, has values that are not finite")
        loaded[f"convs.{short}"] = found
    if entry.normalization.bgr:
        loaded["convs.conv1_1.weight"] = loaded["convs.conv1_1.weight"].flip(1)
    return loaded


def _names(widths: Sequence[Sequence[int]]) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Our name, torchvision's name and the shape of each tensor, from shallow to deep."""
    channels, index = 3, 0
    for block, block_widths in enumerate(widths, 1):
        for number, width in enumerate(block_widths, 1):
            yield f"conv{block}_{number}.weight", f"features.{index}.weight", (width, channels, 3, 3)
            yield f"conv{block}_{number}.bias", f"features.{index}.bias", (width,)
            channels, index = width, index + 2  # a convolution and its ReLU
        index += 1  # the pool


def read_tensors(path: Path, prefix: str = "") -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, out of a `.safetensors` file or of what `torch.save` wrote, which is
    read without running code from it.

    A tensor of 8-bit numbers with its `[scale, lowest]` in the metadata of safetensors is multiplied out.

    Raises:
        WeightsError: if the file cannot be read.
    """
    is_safe = path.suffix.lower() == ".safetensors"
    try:
        return _read_safetensors(path, prefix) if is_safe else _read_torch(path, prefix)
    except WeightsError:
        raise
    except _READ_ERRORS as error:
        raise _unreadable(path, "safetensors" if is_safe else "PyTorch", error) from error


def _read_safetensors(path: Path, prefix: str) -> dict[str, Tensor]:
    metadata, tensors = safetensors_in(path)
    found = {key: value for key, value in tensors.items() if key.startswith(prefix)}
    for key, about in metadata.items():
        if key in found:
            scale, lowest = json.loads(about)
            found[key] = found[key].float().mul_(scale).add_(lowest)
    return found


def _read_torch(path: Path, prefix: str) -> dict[str, Tensor]:
    # Files from before torch 1.6, torchvision's and Caffe's among them, are no zip archives and cannot be mapped.
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping):
        raise weights_error(f"{path} holds no weights: it has a {type(content).__name__}, not a state dict")
    return {k: v for k, v in content.items() if isinstance(k, str) and k.startswith(prefix) and isinstance(v, Tensor)}


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
