"""What a run leaves behind: a report of everything that made the picture, and a state to resume from."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from impasto.errors import InputError
from impasto.optimize import State


class Settings(Protocol):
    """The frozen settings of any method."""

    def as_dict(self) -> dict[str, Any]: ...


def file_hash(path: str | Path) -> str:
    """SHA-256 of a file, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def manifest(settings: Settings, inputs: Mapping[str, str], weights: str | None = None) -> dict[str, Any]:
    """What is known before the run: settings, versions, machine, and the hashes of the inputs.

    Args:
        settings: of the run.
        inputs: role -> path.
        weights: path of the encoder's weights, if they are not the packaged ones.
    """
    return {
        "impasto": version("impasto"),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "settings": settings.as_dict(),
        "weights": weights,
        "inputs": {role: {"path": str(p), "sha256": file_hash(p)} for role, p in inputs.items()},
    }


def write_text(path: str | Path, text: str) -> None:
    """Write a text file atomically.

    Raises:
        InputError: if it cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error


def save_state(path: str | Path, state: State, about: Mapping[str, Any]) -> None:
    """Write a state that `load_state` reads, atomically.

    Args:
        path: of the file, `.safetensors`.
        state: of the run.
        about: its manifest; a run can be resumed only with the same settings and inputs.
    """
    path = Path(path)
    metadata = {"about": json.dumps(about)}
    temporary = path.with_name(f".{path.name}.new")
    try:
        save_file({k: v.contiguous() for k, v in state.tensors().items()}, temporary, metadata)
        os.replace(temporary, path)
    except (OSError, SafetensorError) as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"the state {path} cannot be written: {error}") from error


def load_state(path: str | Path, about: Mapping[str, Any]) -> State:
    """The state in a file.

    Raises:
        InputError: if the file is no state, is damaged, or was saved with other settings or inputs.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            # Copied, since sums of what lies askew in memory are rounded otherwise.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        saved = json.loads(metadata["about"])
        state = State.from_tensors(tensors)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} is no state of an impasto run, or it is damaged: {reason}") from error
    old, new = saved["settings"], json.loads(json.dumps(about["settings"]))
    for name in new:
        if old.get(name) != new[name]:
            raise InputError(
                f"{path} was saved with {name} {old.get(name)}, not {new[name]}: resume with the same settings"
            )
    for role, entry in about["inputs"].items():
        if saved["inputs"].get(role, {}).get("sha256") != entry["sha256"]:
            raise InputError(f"{path} was saved with another {role} picture than {entry['path']}")
    return state
