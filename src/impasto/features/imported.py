"""Any torch module by its import path, `package.module:name`, as an encoder.

Importing it runs its code, so a path is only taken from whoever starts a job: typed or given in Python, and never out
of a file (`impasto.jobs.base.job_of`).
"""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from impasto.errors import InputError, WeightsError
from impasto.features.encoder import Encoder
from impasto.features.modules import ModuleEncoder, is_map, one_line
from impasto.features.registry import Path_
from impasto.features.states import read_tensors
from impasto.features.variants import TORCHVISION

#: The layer that a network's own output is, where it is a vector: scores of classes before softmax.
LOGITS = "logits"
#: Side of the picture with which a network is asked for its layers.
PROBE = 224


def load_imported(path: str, weights: Path_ | None, device: str | torch.device = "cpu") -> Encoder:
    """The encoder at an import path.

    Args:
        path: `package.module:name`; found as Python finds modules, then here. `name` is a `torch.nn.Module`, or what
            makes one when it is called without arguments: a class or a function. It takes pictures normalized as
            torchvision's networks do; an `Encoder` is taken as it is. What it draws at random is the same every time.
        weights: a file of its state dict; none for those that it comes with.
        device: where it will run.

    Returns:
        An encoder whose layers are the submodules that give a map or a vector, by their names in `named_modules()`, in
        the order in which a picture reaches them; at last `logits`.

    Raises:
        InputError: if there is no such module or name, it is no network, or it cannot take a picture.
        WeightsError: if the weights cannot be read, or are of another network.
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        made = _made(path)
    if _is_encoder(made):
        if weights is not None:
            raise InputError(f"{path} is an encoder with weights of its own: leave weights out")
        return made
    if weights is not None:
        _fill(made, path, Path(weights))
    try:
        made.to("cpu", torch.float32).eval().requires_grad_(False)
    except (RuntimeError, ValueError) as error:  # of scripts, and of weights that are not made yet
        raise InputError(f"the encoder {path} cannot be frozen: {one_line(error)}") from error
    layers = layers_in(made, path)
    mean, std = TORCHVISION.mean, TORCHVISION.std
    return ModuleEncoder(made.to(device), layers, mean=mean, std=std, name=path)


def _made(path: str) -> Any:
    module_name, _, name = path.partition(":")
    here = str(Path.cwd())
    sys.path.append(here)
    try:
        found = attrgetter(name)(importlib.import_module(module_name))
        made = found if isinstance(found, nn.Module) or _is_encoder(found) else found()
    except Exception as error:  # whatever its code raises
        raise InputError(f"the encoder {path} cannot be imported: {one_line(error)}") from error
    finally:
        sys.path.remove(here)
    if not isinstance(made, nn.Module) and not _is_encoder(made):
        raise InputError(f"the encoder {path} is a {type(made).__name__}; it must be a torch.nn.Module or make one")
    return made


def _is_encoder(found: Any) -> TypeGuard[Encoder]:
    """Whether it is an encoder itself; networks may have attributes of the same names."""
    if isinstance(found, type) or not isinstance(found, Encoder):
        return False
    layers: Any = found.layers
    return isinstance(layers, tuple) and all(isinstance(layer, str) for layer in layers)


def _fill(network: nn.Module, path: str, file: Path) -> None:
    state = read_tensors(file)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        detail = [line.strip() for line in str(error).splitlines()[1:]] or [str(error)]
        raise WeightsError(f"{file} holds no weights of {path}: {detail[0][:200]}") from error


@torch.no_grad()
def layers_in(network: nn.Module, path: str) -> dict[str, str]:
    """Layer -> submodule: those that are called once and give a map or a vector, from shallow to deep.

    Raises:
        InputError: if the network cannot take a picture, or has no such submodule.
    """
    reached: list[str] = []

    def note(name: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        reached.append(name if is_map(output) else "")

    hooks = [m.register_forward_hook(partial(note, n)) for n, m in network.named_modules() if n]
    try:
        out = network(torch.zeros(1, 3, PROBE, PROBE))
    except Exception as error:  # whatever its code raises
        raise InputError(f"the encoder {path} cannot take a picture of {PROBE}x{PROBE}: {one_line(error)}") from error
    finally:
        for hook in hooks:
            hook.remove()
    counts = Counter(reached)
    layers = {name: name for name in reached if name and counts[name] == 1}
    if isinstance(out, Tensor) and out.dim() == 2 and LOGITS not in layers:
        layers[LOGITS] = ""
    if not layers:
        raise InputError(f"the encoder {path} has no submodule that gives a map (B, C, H, W), so it has no layers")
    return layers
