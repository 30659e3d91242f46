"""Trained networks and their files."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from impasto.errors import InputError, WeightsError, unknown
from impasto.files import read_tensors, write_bytes
from impasto.networks.generator import Describing, Generator
from impasto.networks.registry import build
from impasto.networks.superres import SuperResolution, upscale
from impasto.networks.tiles import Progress, in_pieces

#: The kind of a super-resolution model, which has no styles.
UPSCALE = "upscale"
#: Of the file format; a reader refuses what is newer.
VERSION = 1
#: In a file. (`distribution.mean` and `.factor` of earlier ones, of vectors as they are, gave vectors of no style.)
DISTRIBUTION = ("unbounded.mean", "unbounded.factor")
#: Networks that come with the package: for every painting; for the paintings of examples/gallery.py; the fast one.
PACKAGED = ("any", "gallery", "live")


@dataclass
class Model:
    """A generator with the styles it knows.

    Attributes:
        kind: a key of `impasto.networks.registry.NETWORKS`.
        generator: of that kind.
        styles: name -> style vector `(P,)`.
        any_style: whether it paints in the manner of every painting, and not in its own styles only.
        thumbnails: name -> a small JPEG, base64.
        about: settings, licence and whatever else its maker recorded.
        distribution: mean `(P,)` and factor `(P, r)` of the style vectors that it was trained with, in the generator's
            `unbounded` coordinates, for random ones.
    """

    kind: str
    generator: Generator
    styles: dict[str, Tensor] = field(default_factory=dict)
    any_style: bool = False
    thumbnails: dict[str, str] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    distribution: tuple[Tensor, Tensor] | None = None

    def blended(self, shares: Mapping[str, float]) -> Tensor:
        """The vector `(1, P)` of styles mixed by their shares, which are normalized.

        Raises:
            InputError: if it knows no such style, or the shares sum to nothing.
        """
        for name in shares:
            if name not in self.styles:
                if not self.styles:
                    raise InputError("this model has no styles of its own; give it a painting")
                raise unknown("style", name, self.styles)
        total = sum(shares.values())
        if not (total > 0 and min(shares.values()) >= 0):
            raise InputError(
                f"the shares {', '.join(f'{s:g}' for s in shares.values())} are no blend; give at least one above 0"
            )
        mixed = torch.stack([self.styles[n] * (s / total) for n, s in shares.items()]).sum(0)
        return mixed[None]

    @torch.inference_mode()
    def predict(self, paintings: Tensor, mask: Tensor | None = None) -> Tensor:
        """The vectors `(B, P)` of paintings.

        Args:
            paintings: `(B, 3, H, W)`, RGB, [0, 1].
            mask: which part of them counts, `(B or 1, 1, H, W)`.

        Raises:
            InputError: if the model paints in its own styles only.
        """
        if self.any_style and isinstance(self.generator, Describing):
            return self.generator.moments(paintings, mask)
        raise InputError(f"this model paints in its own styles only: {', '.join(self.styles)}; name one with --style")

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """A random style vector, `(1, P)`, distributed as those of the training were.

        Raises:
            InputError: if the model has no distribution.
        """
        if self.distribution is None:
            raise InputError(
                "this model has no distribution of styles to draw from; train one with impasto train --task any-style"
            )
        mean, factor = self.distribution
        drawn = mean + torch.randn(1, factor.shape[1], generator=generator).to(mean) @ factor.T
        return self.generator.bounded(drawn)

    @torch.inference_mode()
    def __call__(
        self,
        images: Tensor,
        style: Tensor,
        progress: Progress = lambda done, total: None,
        max_memory: float | None = None,
    ) -> Tensor:
        """`(B, 3, H, W)`, RGB, [0, 1], and a vector `(B or 1, P)` to a picture `(B, 3, H, W)` in [0, 1]; one that is
        very large, or needs more than `max_memory` bytes, in tiles, after each of which `progress` is told."""
        return in_pieces(self.generator, images, style, progress, max_memory=max_memory).clamp_(0, 1)

    def to(self, device: str) -> Model:
        """Move it, in place."""
        self.generator.to(device)
        self.styles = {n: v.to(device) for n, v in self.styles.items()}
        if self.distribution is not None:
            self.distribution = (self.distribution[0].to(device), self.distribution[1].to(device))
        return self


@dataclass
class UpscaleModel:
    """A network that enlarges pictures, and has no styles.

    Attributes:
        generator: the network.
        about: settings, licence and whatever else its maker recorded.
    """

    generator: SuperResolution
    about: dict[str, Any] = field(default_factory=dict)

    def __call__(self, image: Tensor, tile: int = 256) -> Tensor:
        """See `impasto.networks.superres.upscale`."""
        return upscale(self.generator, image, tile)

    def to(self, device: str) -> UpscaleModel:
        """Move it, in place."""
        self.generator.to(device)
        return self


def described(model: Model | UpscaleModel) -> dict[str, Any]:
    """What a model's file says about it, for JSON."""
    kind, any_style, styles = UPSCALE, False, []
    if isinstance(model, Model):
        kind, any_style = model.kind, model.any_style
        styles = [{"name": n, "thumbnail": model.thumbnails.get(n, "")} for n in model.styles]
    network = {"kind": kind, "options": model.generator.options}
    return {"version": VERSION, "network": network, "any_style": any_style, "styles": styles, "about": model.about}


def style_tensors(model: Model) -> dict[str, Tensor]:
    """All of a model's weights that make style vectors, as in its file: half precision. For any style, the generator's
    are among them: it measures the paintings."""
    tensors = {f"styles.{i}": v for i, v in enumerate(model.styles.values())}
    if model.any_style:
        tensors |= {f"generator.{k}": v for k, v in model.generator.state_dict().items()}
    if model.distribution is not None:
        tensors |= dict(zip(DISTRIBUTION, model.distribution, strict=True))
    return _halves(tensors)


def _halves(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    found = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    return {k: v.half() if v.is_floating_point() else v for k, v in found.items()}


def save_model(model: Model | UpscaleModel, path: str | os.PathLike[str]) -> None:
    """Write a model, its weights in half precision.

    Raises:
        InputError: if the file cannot be written.
    """
    tensors = _halves({f"generator.{k}": v for k, v in model.generator.state_dict().items()})
    tensors |= style_tensors(model) if isinstance(model, Model) else {}
    write_bytes(path, save(tensors, {"impasto-model": json.dumps(described(model))}), "the model")


def read_about(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a model file says about itself, without its weights.

    Raises:
        WeightsError: if it is no model file, is damaged, or was made by a newer version.
    """
    if not Path(path).exists():
        raise WeightsError(f"there is no model {path}; give its file, or one of {', '.join(PACKAGED)}")
    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get("impasto-model")
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path} is no model file, or it is damaged: {str(error).splitlines()[0]}") from error
    if text is None:
        raise WeightsError(f"{path} holds no impasto model; make one with `impasto train`")
    return parsed_about(text, path)


def parsed_about(text: str, path: str | os.PathLike[str]) -> dict[str, Any]:
    """What the model file at `path` says about itself, out of its JSON.

    Raises:
        WeightsError: if it was made by a newer version.
    """
    about: dict[str, Any] = json.loads(text)
    if about.get("version", 0) > VERSION:
        raise WeightsError(f"{path} has format {about['version']}, made by a newer impasto; this one reads {VERSION}")
    return about


@torch.inference_mode(False)  # a network made in that mode cannot be trained, nor differentiated through
def load_model(path: str | os.PathLike[str]) -> Model:
    """A model that paints, ready to use (float32, frozen).

    Args:
        path: its file, or the name of one that comes with the package: `any`, `gallery` or `live`.

    Raises:
        WeightsError: as `read_about`, or if the weights do not fit the network it names.
        InputError: if it enlarges pictures, or this installation came without it.
    """
    model = _loaded(path)
    if isinstance(model, UpscaleModel):
        raise InputError(
            f"the model {path} enlarges pictures and paints none; use impasto upscale, as it cannot be exported"
        )
    return model


def load_upscaler(path: str | os.PathLike[str]) -> UpscaleModel:
    """A model that enlarges pictures, out of its file; as `load_model`."""
    model = _loaded(path)
    if isinstance(model, Model):
        raise InputError(f"{path} paints and does not enlarge; train one with impasto train --task super-resolution")
    return model


def _loaded(path: str | os.PathLike[str]) -> Model | UpscaleModel:
    path = packaged_file(str(path)) if str(path) in PACKAGED else path
    about = read_about(path)
    try:
        tensors = read_tensors(path)[1]
        if about["network"]["kind"] == UPSCALE:
            return UpscaleModel(_filled(SuperResolution(**about["network"]["options"]), tensors), about["about"])
        return assembled(about, stored_generator(about, tensors), tensors)
    except (KeyError, TypeError, RuntimeError, SafetensorError, OSError) as error:
        detail = str(error).splitlines()[-1].strip()
        raise WeightsError(f"{path} is damaged: its weights do not fit its network ({detail})") from error


def assembled(about: Mapping[str, Any], generator: Generator, tensors: Mapping[str, Tensor]) -> Model:
    """The model of a generator and of what else is in its file: `described` and `style_tensors`."""
    tensors = {k: v.float() for k, v in tensors.items()}
    styles = {entry["name"]: tensors[f"styles.{i}"] for i, entry in enumerate(about["styles"])}
    thumbnails = {e["name"]: e["thumbnail"] for e in about["styles"] if e["thumbnail"]}
    mean, factor = (tensors.get(name) for name in DISTRIBUTION)
    drawn = None if mean is None or factor is None else (mean, factor)
    kind = about["network"]["kind"]
    return Model(kind, generator, styles, about["any_style"], thumbnails, about["about"], drawn)


def distribution(generator: Generator, vectors: Tensor, rank: int = 16) -> tuple[Tensor, Tensor]:
    """Mean and factor of many style vectors `(N, P)` in unbounded coordinates: the `rank` directions in which they vary
    most. Each part of the vector counts alike, as a painting's nine numbers of color do beside thousands of a
    covariance."""
    values = generator.unbounded(vectors)
    mean, sizes = values.mean(0), torch.ones_like(values[0])
    centered = values - mean
    for start, stop in generator.parts():
        sizes[start:stop] = centered[:, start:stop].square().sum(1).mean().sqrt().clamp_min(1e-6)
    _, scales, directions = torch.linalg.svd(centered / sizes, full_matrices=False)
    factor = directions[:rank] * (scales[:rank, None] / max(1, len(vectors) - 1) ** 0.5) * sizes
    return mean, factor.T.contiguous()


def stored_generator(about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Generator:
    """The network out of a file, ready to use (float32, frozen)."""
    with torch.random.fork_rng([]):  # weights that are replaced at once are no reason to draw random numbers
        network = build(about["network"]["kind"], about["network"]["options"])
    return _filled(network, tensors)


N = TypeVar("N", bound=nn.Module)


def _filled(network: N, tensors: Mapping[str, Tensor]) -> N:
    start = "generator."
    network.load_state_dict({k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)})
    network.eval().requires_grad_(False)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def is_packaged(name: str) -> bool:
    """Whether a model of that name came with this installation."""
    return name in PACKAGED and _data(name).is_file()


def _data(name: str) -> Path:
    return Path(str(files("impasto") / "data" / f"{name}.safetensors"))


def packaged_file(name: str) -> Path:
    """The file of a model that comes with the package.

    Raises:
        InputError: if this installation came without it.
    """
    if not is_packaged(name):
        raise InputError(f"this installation came without the model {name}; give the file of one: impasto train")
    return _data(name)


def default_model(styles: Collection[str] = (), prefer: Sequence[str] = ("gallery", "live")) -> str:
    """The name of the packaged model that serves where none is named: `any` for paintings, and for styles by name the
    first of `prefer` that knows them all.

    Raises:
        InputError: if none does.
    """
    if not styles:
        return "any"
    known: dict[str, None] = {}
    for name in prefer:
        if is_packaged(name):
            own = [style["name"] for style in read_about(_data(name))["styles"]]
            if set(styles) <= set(own):
                return name
            known |= dict.fromkeys(own)
    raise unknown("style", next((s for s in styles if s not in known), ", ".join(styles)), known)
