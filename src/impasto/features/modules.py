"""Any torch module as an encoder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TypeGuard

import torch
from torch import Tensor, nn

from impasto.errors import InputError, is_out_of_memory, unknown
from impasto.features.encoder import check_layers
from impasto.features.fingerprint import digest


class _Reached(Exception):
    """The deepest layer asked for has been computed."""


def _make_differentiable(network: nn.Module) -> None:
    """Copy weights that were made in inference mode, since nothing can be differentiated through them."""
    for module in network.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.is_inference():
                setattr(module, name, nn.Parameter(parameter.clone(), requires_grad=False))
        for name, buffer in module.named_buffers(recurse=False):
            if buffer.is_inference():
                setattr(module, name, buffer.clone())


def is_map(output: object) -> TypeGuard[Tensor]:
    """Whether a submodule's output can be a layer: a map `(B, C, H, W)`, or a vector `(B, C)`, of floats."""
    return isinstance(output, Tensor) and output.dim() in (2, 4) and output.is_floating_point()


def one_line(error: Exception) -> str:
    """What went wrong in a network's own code, which may be anything."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}".rstrip(": ")


class ModuleEncoder:
    """An encoder out of any network, by naming the submodules whose outputs are its layers (see `Encoder`).

        ModuleEncoder(resnet, {"block1": "layer1", "block2": "layer2"})

    The network is put in evaluation mode and its parameters are frozen.

    Args:
        network: takes images `(B, 3, H, W)`; `(B, 1, H, W)` with `channels=1`, which gets the mean of red, green and
        blue.
        layers: layer name -> submodule name as in `network.named_modules()`, from shallow to deep; or the submodule
            names alone. Each must be called once in a forward pass and give a map `(B, C, H', W')`, or a
            vector `(B, C)`, which is one of 1×1.
        mean, std: what the network expects: `(image - mean) / std`, for images in [0, 1].
        channels: of the network's input, 3 or 1.
        name: how users call it.

    Raises:
        InputError: if a submodule does not exist.
    """

    @torch.inference_mode(False)
    def __init__(
        self,
        network: nn.Module,
        layers: Mapping[str, str] | Sequence[str],
        *,
        mean: Sequence[float] = (0.0,),
        std: Sequence[float] = (1.0,),
        channels: int = 3,
        name: str = "module",
    ) -> None:
        if channels not in (1, 3):
            raise InputError(f"channels is {channels}; an encoder takes 3 (color) or 1 (gray)")
        self.name = name
        _make_differentiable(network)
        self.network = network.eval().requires_grad_(False)
        self._paths = dict(layers) if isinstance(layers, Mapping) else {n: n for n in layers}
        self.layers = tuple(self._paths)
        modules = dict(network.named_modules())
        for path in self._paths.values():
            if path not in modules:
                raise unknown("submodule", path, [m for m in modules if m])
        self._modules = {layer: modules[path] for layer, path in self._paths.items()}
        self._mean = torch.tensor(mean).view(1, -1, 1, 1)
        self._std = torch.tensor(std).view(1, -1, 1, 1)
        self._channels = channels

    def fingerprint(self) -> str:
        """See `Fingerprinted`; code that a network's class runs is not part of it."""
        about = (self.name, self._paths, self._mean.tolist(), self._std.tolist(), self._channels)
        return digest(self.network, type(self.network).__qualname__, about)

    def __call__(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        wanted = check_layers(layers, self.layers)
        x = images if self._channels == 3 else images.mean(1, keepdim=True)
        found: dict[str, Tensor] = {}
        hooks = [
            self._modules[layer].register_forward_hook(partial(self._keep, layer, found, wanted)) for layer in wanted
        ]
        try:
            self.network((x - self._mean.to(x)) / self._std.to(x))
        except _Reached:
            pass
        except Exception as error:  # whatever its code raises
            if isinstance(error, InputError) or is_out_of_memory(error):
                raise
            size = f"{images.shape[-1]}x{images.shape[-2]}"
            raise InputError(f"the encoder {self.name} cannot take a picture of {size}: {one_line(error)}") from error
        finally:
            for hook in hooks:
                hook.remove()
        if missing := [layer for layer in wanted if layer not in found]:
            raise InputError(f"the layer {missing[0]} was not reached in a forward pass of {self.name}; leave it out")
        sought = images.requires_grad and torch.is_grad_enabled()
        if sought and (flat := [layer for layer in wanted if not found[layer].requires_grad]):
            raise InputError(f"{self.name} computes the layer {flat[0]} without gradients: choose another layer")
        return {layer: found[layer] for layer in wanted}

    def _keep(
        self,
        layer: str,
        found: dict[str, Tensor],
        wanted: list[str],
        _module: nn.Module,
        _inputs: object,
        output: object,
    ) -> None:
        if not is_map(output):
            shown = f"{output.dtype} {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
            raise InputError(f"the layer {layer} of {self.name} gives no map (B, C, H, W) of floats, but {shown}")
        if output.dim() == 2:
            output = output[:, :, None, None]
        if output.requires_grad and len(output) == 1:
            # A normalization of one picture reads other strides wrongly (findings/torch-gram-norm-gradient.sh).
            output.register_hook(lambda grad: grad.contiguous())  # type: ignore[no-untyped-call]
        # A later in-place operation must not change what was asked for.
        found[layer] = output.clone(memory_format=torch.preserve_format)
        if len(found) == len(wanted):
            raise _Reached
