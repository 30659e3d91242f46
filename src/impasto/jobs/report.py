"""What a run leaves behind: a manifest of everything that made the picture, and a state to go on from."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from impasto.errors import InputError, WeightsError
from impasto.features import is_imported, resolve
from impasto.features.weights import locate
from impasto.files import file_hash, read_tensors, replacing
from impasto.jobs.base import Job, OptimizingJob, encoders_in, job_of
from impasto.media import read_metadata
from impasto.methods.settings import BY_STEPS
from impasto.networks.models import PACKAGED, default_model, packaged_file
from impasto.optimize import State
from impasto.options import AUTO, label_of, options_of

J = TypeVar("J", bound=Job)


def manifest(job: Job) -> dict[str, Any]:
    """What is known before the run: the job with the names and hashes of its inputs, versions and machine."""
    return {
        "impasto": version("impasto"),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "job": job.as_json(portable=True),
    }


def identity(job: Job) -> str:
    """A hash of all that decides what a job makes: its options, what is in the files that they name, the weights of its
    networks, and the version.

    Raises:
        InputError: if a file cannot be read.
    """
    options, about = job.active(), job.as_json(portable=True)
    decides = {name: value for name, value in about.items() if name == "job" or options[name].decides}
    decides |= {n: getattr(job, n) for n in decides if n != "job" and options[n].kind.path}  # not their names alone
    decides |= {n: file_hash(v) for n, v in decides.items() if isinstance(v, str) and n != "job" and os.path.isfile(v)}
    decides |= {"impasto": version("impasto"), "networks": [file_hash(path) for path in _networks(job)]}
    return hashlib.sha256(json.dumps(decides, sort_keys=True, default=str).encode()).hexdigest()


def _networks(job: Job) -> Iterator[str | Path]:
    """The files of the networks that a job names or does not need to name."""
    asked = {name: value for name, value in job.as_dict().items() if name in job.active()}
    if "model" in asked and asked.get("content") is not None:
        model = asked["model"] or default_model(asked.get("style_name", ()))
        if model in PACKAGED:
            yield packaged_file(model)
    if isinstance(asked.get("encoder"), str):
        weights = asked.get("weights")
        with suppress(WeightsError):  # told when it is opened
            imported = is_imported(asked["encoder"])
            if not imported or weights is not None:
                yield str(weights) if imported else locate(resolve(asked["encoder"], weights), weights)


def manifest_of(path: str | Path) -> dict[str, Any]:
    """The manifest in a picture or a report.

    Raises:
        InputError: if the file is neither, or has none.
    """
    if Path(path).suffix.lower() == ".json":
        try:
            found: Any = json.loads(Path(path).read_text())
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read as JSON: {error}") from error
    else:
        found = json.loads(read_metadata(path).get("impasto", "{}"))
    if not isinstance(found, dict) or "job" not in found:
        raise InputError(f"{path} holds no manifest of impasto: it was made by another program, or stored without it")
    return found


def save_state(path: str | Path, state: State, job: Job, about: Mapping[str, Any]) -> None:
    """Write a state, whole or not at all.

    Args:
        path: of the file, `.safetensors`.
        state: of the run.
        job: that is run, as it was given, so that it can be run again.
        about: its manifest, which another run must agree with.
    """
    tensors = dict(state.tensors())
    metadata = {"about": json.dumps(about), "job": json.dumps(job.as_json())}
    try:
        with replacing(path, "the state") as new:
            save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, new, metadata)
    except SafetensorError as error:
        raise InputError(f"cannot write the state {str(path)!r}: {error}") from error


def _read(path: str | Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    try:
        metadata, tensors = read_tensors(path)
        json.loads(metadata["about"]), json.loads(metadata["job"])
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        reason = (str(error).splitlines() or ["?"])[0]
        raise InputError(f"{path} is no state of an impasto run, or it is damaged: {reason}") from error
    # Copied, since sums of what lies askew in memory are rounded otherwise.
    return metadata, {name: tensor.clone() for name, tensor in tensors.items()}


def resumed_job(path: str | Path, changes: Mapping[str, Any]) -> Job:
    """The job whose state is in a file, to go on with: all its options, but for those that are given anew.

    Raises:
        InputError: if the file is no state, is damaged, or the changes do not fit.
    """
    about = _read(path)[0]
    saved = job_of(json.loads(about["job"]), trusted=encoders_in(changes))
    used = json.loads(about["about"])["job"] if "steps" in changes else {}
    kept = {name: used[name] for name in BY_STEPS if name in used and saved.as_dict()[name] == AUTO}
    return saved.changed(**{"force": True} | kept | dict(changes) | {"resume": str(path)})


def load_state(path: str | Path, job: OptimizingJob, device: str) -> State:
    """The state in a file, for a job that goes on from it.

    Raises:
        InputError: if the file is no state, is damaged, or is of a job that decides otherwise; more steps may be asked
            for.
    """
    metadata, tensors = _read(path)
    about = json.loads(metadata["about"])
    theirs, ours = about["job"], json.loads(json.dumps(job.as_json(portable=True)))
    for name in dict.fromkeys((*ours, *theirs)):
        about_it = options_of(type(job)).get(name)
        if theirs.get(name) == ours.get(name) or (about_it is not None and not about_it.decides):
            continue
        if name in ("steps", "first_steps") and (ours.get(name) or 0) >= (theirs.get(name) or 0):
            continue  # whether that can be is seen where the optimizer is restored
        raise InputError(
            f"{path} was saved with {label_of(name)} {_named(theirs.get(name))}, not {_named(ours.get(name))}: "
            "resume with the same options, which are taken from the state if they are not given"
        )
    return State.from_tensors(tensors).to(device)


def _named(value: Any) -> str:
    """A value of a job's JSON in a message."""
    if isinstance(value, list):
        return ", ".join(map(_named, value)) or "none"
    if isinstance(value, dict):
        name = value.get("file") or value.get("folder") or "a picture in memory"
        return f"{name} ({str(value.get('sha256', ''))[:8]})" if "sha256" in value else str(name)
    return "none" if value is None else str(value)
