"""From paintings and photographs to a training, and from what was trained to a model."""

from __future__ import annotations

import base64
import copy
import io
import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import PIL.Image
import torch
from torch import Tensor, nn

from impasto.errors import InputError
from impasto.features import load_encoder
from impasto.features.encoder import Encoder
from impasto.features.fingerprint import fingerprint as fingerprint_of
from impasto.features.vgg import VGG
from impasto.networks.generator import Describing, Generator
from impasto.networks.models import Model, UpscaleModel, distribution
from impasto.networks.quarter import Quarter
from impasto.networks.registry import build, check_options
from impasto.networks.styled import AnyStyle, StyledNetwork
from impasto.networks.superres import SuperResolution
from impasto.networks.transport import front_widths
from impasto.training.anystyle import AnyStyleTask, mirrored
from impasto.training.fixed import FixedStylesTask, TextureTask, first_vectors
from impasto.training.loop import Task
from impasto.training.loss import LossSettings
from impasto.training.photos import fingerprint, opened, tried
from impasto.training.superres import Loss, SuperResolutionTask

#: The generator for any style, if no other is asked for.
ANY_STYLE: dict[str, Any] = {
    "width": 48,
    "deep": 96,
    "deepest": 128,
    "blocks": 3,
    "rank": 16,
    "front": "both",
    "fine": 16,
    "prediction": 64,
}


@dataclass(frozen=True)
class Material:
    """What is trained on.

    Attributes:
        photos: files; made-up scenes serve where there is none.
        photos_apart: files to look at while training.
        encoder: of the objective.
        loss: its layers and weights.
        batch, side: pictures at a time, and their size.
        seed: of every choice.
        workers: processes that decode photographs.
        device: where to train, as torch names it.
        notice: told, in a sentence, of each painting that is skipped.

    Raises:
        InputError: if there is no picture at a time, or pictures are too small to be compared.
    """

    photos: Sequence[Path]
    photos_apart: Sequence[Path]
    encoder: Encoder
    loss: LossSettings = field(default_factory=LossSettings)
    batch: int = 4
    side: int = 256
    seed: int = 0
    workers: int = 0
    device: str = "cpu"
    notice: Callable[[str], None] = lambda text: None

    def __post_init__(self) -> None:
        if self.batch < 1 or self.side < 32 or self.workers < 0:
            raise InputError(
                f"batch is {self.batch}, side {self.side} and workers {self.workers}; they must be at least 1, 32 and 0"
            )

    def options(self) -> dict[str, Any]:
        """The keywords that tasks share."""
        return {"batch": self.batch, "side": self.side, "seed": self.seed, "workers": self.workers}

    def identity(self, paintings: Sequence[Path] = (), **more: Any) -> dict[str, Any]:
        """What a training is of, for its checkpoint (`impasto.training.loop.train`)."""
        return {
            "paintings": fingerprint(paintings),
            "photographs": fingerprint([*self.photos, *self.photos_apart]),
            "encoder": f"{self.encoder.name}, {fingerprint_of(self.encoder)[:12]}",
            "batch": self.batch,
            "side": self.side,
            **asdict(self.loss),
            **more,
        }


@dataclass(frozen=True)
class Recipe:
    """A training, and the model that comes of it.

    Attributes:
        task: to be handed to `impasto.training.loop.train`.
        model: from the trained network to a model.
        identity: what the training is of, for `train`.
    """

    task: Task
    model: Callable[[nn.Module], Model | UpscaleModel]
    identity: Mapping[str, Any]


def apart(files: Sequence[Path], one_in: int = 10) -> tuple[list[Path], list[Path]]:
    """Files to train on, and one in so many kept apart, by position."""
    if len(files) < one_in:
        return list(files), []
    return [p for i, p in enumerate(files) if i % one_in], list(files)[::one_in]


def style_names(paintings: Sequence[Path], taken: Collection[str] = ()) -> list[str]:
    """A name for each painting: its file's, and a number where two have the same, or one is taken."""
    names: dict[str, None] = {}
    for path in paintings:
        name, number = path.stem, 2
        while name in names or name in taken:
            name, number = f"{path.stem}-{number}", number + 1
        names[name] = None
    return list(names)


def styles_recipe(
    paintings: Sequence[Path],
    material: Material,
    *,
    kind: str = "quarter",
    options: Mapping[str, Any] | None = None,
    body: Model | None = None,
    add: bool = False,
) -> Recipe:
    """A network for one painting, or for several (conditional instance normalization, Dumoulin et al. 2017).

    Args:
        paintings: one file for each style.
        material: what is trained on.
        kind, options: of the generator, if there is no body.
        body: a trained model to begin with: its generator, and vectors that it predicts for the paintings.
        add: the body keeps its styles, and only the vectors of the new ones are trained.

    Raises:
        InputError: if a painting cannot be read, or the body does not fit.
    """
    if add and (body is None or not body.styles):
        raise InputError("styles are added to a model that has some; name one with --add")
    _check_shape(options, body)
    names = style_names(paintings, body.styles if add and body is not None else ())
    for path, name in zip(paintings, names, strict=True):
        if add and name != path.stem:
            material.notice(f"the style of {path.name} is called {name}, as there is a {path.stem} already")
    torch.manual_seed(material.seed)
    if body is None:
        generator = build(kind, options)
        network = StyledNetwork(generator, first_vectors(generator, paintings), names)
    else:
        kind, generator = body.kind, copy.deepcopy(body.generator).requires_grad_()
        vectors = body_vectors(body, generator, paintings)
        if add:
            network = StyledNetwork(generator, torch.stack(list(body.styles.values())), list(body.styles))
            network = network.with_styles(vectors, names)
        else:
            network = StyledNetwork(generator.seeing_pixels().for_own_styles(), vectors, names)
    network.to(material.device)
    task = FixedStylesTask(
        network,
        material.photos,
        paintings,
        material.photos_apart,
        material.encoder,
        material.loss,
        **material.options(),
    )
    known = body.thumbnails if add and body is not None else {}
    pictures = dict(known) | {n: thumbnail(p) for n, p in zip(names, paintings, strict=True)}
    identity = material.identity(paintings, task="add" if add else "style")
    return Recipe(task, lambda trained: styled_model(kind, trained, pictures), identity)


def _check_shape(options: Mapping[str, Any] | None, body: Model | None) -> None:
    if options and body is not None:
        raise InputError(f"{', '.join(options)}: a network that is begun with has its shape; give options or a body")


@torch.no_grad()
def body_vectors(body: Model, generator: Generator, paintings: Sequence[Path]) -> Tensor:
    """Vectors `(N, P)` to begin with: predicted by the body; or its own, where it knows a style of that name; or else
    its styles' mean in the painting's colors."""
    if body.any_style:
        return torch.cat([body.predict(opened(p, 512)[None]) for p in paintings]).clone()
    found = first_vectors(generator, paintings)
    if not body.styles:
        return found
    mean = torch.stack(list(body.styles.values())).mean(0)
    for row, name in zip(found, style_names(paintings), strict=True):
        kept = row[generator.colors].clone()
        row[:] = body.styles.get(name, mean)
        if name not in body.styles:
            row[generator.colors] = kept
    return found


def styled_model(kind: str, network: nn.Module, thumbnails: Mapping[str, str]) -> Model:
    """A `StyledNetwork` as a model."""
    assert isinstance(network, StyledNetwork)
    styles = {n: v.detach().clone() for n, v in zip(network.names, network.table(), strict=True)}
    return Model(kind, network.generator, styles, thumbnails=dict(thumbnails))


def texture_recipe(paintings: Sequence[Path], material: Material, options: Mapping[str, Any] | None = None) -> Recipe:
    """Textures out of noise (Ulyanov et al. 2016), one for each sample."""
    names = style_names(paintings)
    torch.manual_seed(material.seed)
    generator = build("pyramid", {"source": "noise"} | dict(options or {}))
    network = StyledNetwork(generator, first_vectors(generator, paintings), names).to(material.device)
    task = TextureTask(
        network,
        paintings,
        material.encoder,
        material.loss,
        batch=material.batch,
        side=material.side,
        style_size=material.side,
        seed=material.seed,
    )
    pictures = {n: thumbnail(p) for n, p in zip(names, paintings, strict=True)}
    identity = material.identity(paintings, task="texture")
    return Recipe(task, lambda trained: styled_model("pyramid", trained, pictures), identity)


def any_recipe(
    paintings: Sequence[Path],
    material: Material,
    *,
    held_out: Sequence[Path] = (),
    options: Mapping[str, Any] | None = None,
    body: Model | None = None,
) -> Recipe:
    """A network for every painting (`impasto.training.anystyle`).

    Args:
        paintings: files of many styles.
        material: what is trained on.
        held_out: paintings kept apart.
        options: of the generator, if there is no body.
        body: a trained any-style model to go on from.
    """
    _check_shape(options, body)
    torch.manual_seed(material.seed)
    generator = _described(paintings, options) if body is None else copy.deepcopy(body.generator).requires_grad_()
    if not isinstance(generator, Describing) or (body is not None and not body.any_style):
        raise InputError("this body paints in its own styles only; give an any-style model")
    task = AnyStyleTask(
        AnyStyle(generator.seeing_pixels()).to(material.device),
        material.photos,
        paintings,
        (material.photos_apart, held_out or paintings),
        material.encoder,
        material.loss,
        **material.options(),
        notice=material.notice,
    )

    def model(trained: nn.Module) -> Model:
        assert isinstance(trained, AnyStyle)
        trained.eval()
        with torch.no_grad():
            vectors = torch.cat([trained.generator.moments(task.cut(number)) for number in range(task.window)])
        drawn = distribution(trained.generator, vectors)
        return Model("quarter", trained.generator, any_style=True, distribution=drawn)

    return Recipe(task, model, material.identity(paintings, task="any-style"))


def _described(paintings: Sequence[Path], options: Mapping[str, Any] | None) -> Quarter:
    """An untrained network for any style, whose front, if it has one, is `lite`'s."""
    lite = cast(VGG, load_encoder("lite"))
    given = {**(options or ANY_STYLE), "front_widths": front_widths(lite)}
    check_options("quarter", given)
    generator = Quarter(**given)
    if generator.front is not None:
        turns = itertools.cycle(paintings[:: max(1, len(paintings) // 16)])
        some = [tried(lambda: opened(next(turns), 512)) for _ in range(min(16, len(paintings)))]
        generator.front.copy_from(lite, torch.stack([mirrored(p, 256)[:, :256, :256] for p in some]))
    if generator.prediction is not None:
        turns = itertools.cycle(paintings[:: max(1, len(paintings) // 200)])
        many = [tried(lambda: opened(next(turns), 256)) for _ in range(min(200, len(paintings)))]
        generator.fit_prediction([mirrored(p, 128)[None] for p in many])
    return generator


def upscale_recipe(
    material: Material, factor: int = 4, loss: Loss = "feature", options: Mapping[str, Any] | None = None
) -> Recipe:
    """Perceptual super-resolution (Johnson et al. 2016, §4.2)."""
    torch.manual_seed(material.seed)
    network = SuperResolution(factor, **dict(options or {})).to(material.device)
    task = SuperResolutionTask(
        network, material.photos, material.photos_apart, material.encoder, loss=loss, **material.options()
    )

    def model(trained: nn.Module) -> UpscaleModel:
        assert isinstance(trained, SuperResolution)
        return UpscaleModel(trained)

    return Recipe(task, model, material.identity(task="super-resolution", loss=loss))


def thumbnail(path: Path, side: int = 64) -> str:
    """A small square JPEG of a painting's middle, base64."""
    pixels = opened(path, 4 * side)
    height, width = pixels.shape[1:]
    least = min(height, width)
    top, left = (height - least) // 2, (width - least) // 2
    square = pixels[:, top : top + least, left : left + least].permute(1, 2, 0).numpy()
    image = PIL.Image.fromarray((square * 255).round().astype(np.uint8)).resize((side, side))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=60, optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()
