"""The functions that most people need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import PIL.Image
from torch import Tensor

from impasto.errors import InputError, unknown
from impasto.features import Encoder, load_encoder, resolve, resolve_precision
from impasto.media import read_image, to_pil
from impasto.media.image import Source
from impasto.memory import allowance
from impasto.methods import gatys
from impasto.methods.ascent import ASCENT_PRESETS, AscentSettings, ascend
from impasto.methods.attribution import Unit, attribution
from impasto.methods.dream import DreamSettings
from impasto.methods.dream import dream as dreaming
from impasto.methods.instant import instant as paint_in_one_pass
from impasto.methods.instant import open_painter
from impasto.methods.inversion import InversionSettings
from impasto.methods.inversion import invert as inversion
from impasto.methods.presets import preset as preset_settings
from impasto.methods.styles import Region, scaled
from impasto.methods.texture import TextureSettings
from impasto.methods.texture import texture as synthesize
from impasto.networks.models import Model, default_model
from impasto.optimize import Step
from impasto.scene import Scene
from impasto.settings import StylizeSettings

AnySettings = StylizeSettings | TextureSettings | InversionSettings | DreamSettings | AscentSettings


@dataclass(frozen=True)
class Result:
    """What `stylize` made.

    Attributes:
        pixels: `(1, 3, H, W)`, RGB, [0, 1].
        losses: one mapping for each step: the weighted parts of the loss by name.
        settings: all that were used.
    """

    pixels: Tensor
    losses: list[dict[str, float]]
    settings: AnySettings

    @property
    def image(self) -> PIL.Image.Image:
        """The picture, 8 bits."""
        return to_pil(self.pixels)


def stylize_steps(
    content: Source,
    style: Source | Sequence[Source],
    *,
    preset: str = "default",
    encoder: Encoder | str | None = None,
    weights: str | None = None,
    device: str = "cpu",
    blend: Sequence[float] = (),
    masks: Sequence[tuple[Source, int]] = (),
    style_masks: Mapping[int, Source] | None = None,
    semantic: Sequence[Source] = (),
    max_memory: float | None = None,
    **settings: Any,
) -> Iterator[Step]:
    """As `stylize`, but as a generator of `Step` records, to watch, to stop, or to show.

    Raises:
        InputError: before the first step, if a picture or a setting cannot be used.
    """
    chosen = _settings(preset, encoder, weights, device, settings)
    network = _network(chosen, encoder, weights, device, precision=chosen.precision)
    styles = style if isinstance(style, list | tuple) else [style]
    scene = Scene(styles, blend, masks, style_masks or {}, semantic, device)  # type: ignore[arg-type]
    picture = read_image(content).pixels.to(device)
    regions = scene.regions(picture)
    init = scene.first(picture, regions, chosen)
    warmup = None
    if chosen.warms_up:
        warmup = _network(chosen.changed(encoder=chosen.warmup_encoder), None, None, device, precision=chosen.precision)
    limit = allowance(device) if max_memory is None else max_memory
    return gatys.stylize(
        network, picture, regions, chosen, init=init, guide=scene.guide(), warmup=warmup, max_memory=limit
    )


def stylize(
    content: Source,
    style: Source | Sequence[Source],
    *,
    preset: str = "default",
    encoder: Encoder | str | None = None,
    weights: str | None = None,
    device: str = "cpu",
    blend: Sequence[float] = (),
    masks: Sequence[tuple[Source, int]] = (),
    style_masks: Mapping[int, Source] | None = None,
    semantic: Sequence[Source] = (),
    max_memory: float | None = None,
    **settings: Any,
) -> Result:
    """Paint `content` in the manner of `style`.

        impasto.stylize("photo.jpg", "painting.jpg", size=512).image.save("out.png")

    Args:
        content: a path, a PIL image, a NumPy array `(H, W, 3)`, or a tensor `(3, H, W)` in [0, 1].
        style: the same, or several; the path of a folder stands for the average of its pictures.
        preset: settings to begin with.
        encoder: a name, or any `Encoder`; by default VGG-19 where its weights are found, and else the packaged `lite`.
            The result's settings tell which.
        weights: the encoder's file, if it is not where it is looked for.
        device: where to compute, as torch names it.
        blend: a weight for each style; equal ones if not given.
        masks: pairs of a mask of the content (white: here) and the number of a style from 1; 0 leaves the region as
            it is. What no mask covers gets the styles without a mask, or stays as it is if there are none.
        style_masks: number of a style -> which part of the painting counts.
        semantic: semantic maps of the content and of each style, in order.
        max_memory: bytes that the process may take; a picture that needs more is computed in tiles, which is slower and
            changes nothing. Three quarters of what is free if not given.
        settings: fields of `StylizeSettings` that differ from the preset.

    Raises:
        InputError: if a picture or a setting cannot be used; the message says why in one line.
        NonFiniteError: if the loss stops being finite.
    """
    steps = stylize_steps(
        content,
        style,
        preset=preset,
        encoder=encoder,
        weights=weights,
        device=device,
        blend=blend,
        masks=masks,
        style_masks=style_masks,
        semantic=semantic,
        max_memory=max_memory,
        **settings,
    )
    return finish(steps, _settings(preset, encoder, weights, device, settings))


def instant(
    content: Source,
    style: Source | Sequence[Source] | Mapping[str, float] | None = None,
    *,
    model: str | Model | None = None,
    strength: float = 1.0,
    device: str = "cpu",
    blend: Sequence[float] = (),
    masks: Sequence[tuple[Source, int]] = (),
    style_masks: Mapping[int, Source] | None = None,
    semantic: Sequence[Source] = (),
    **settings: Any,
) -> Result:
    """Paint `content` in one pass of a network.

        impasto.instant("photo.jpg", "painting.jpg").image.save("out.png")
        impasto.instant("photo.jpg", {"waves": 0.3, "dots": 0.7}).image.save("out.png")

    Args:
        content: as for `stylize`.
        style: paintings, as for `stylize`; or the model's own styles with their shares. A model of one style needs
            none.
        model: a model, the path of its file, or the name of a packaged one; if not given, `any` for paintings, and for
            styles by name the one that has them.
        strength: from 0, the content, to 1, the style.
        device, blend, masks, style_masks, semantic: as for `stylize`.
        settings: `size`, `color`, `color_form`, `feather` and `precision`, as for `stylize`.

    Raises:
        InputError: if a picture, a model or a setting cannot be used.
    """
    chosen = StylizeSettings().changed(**settings)
    name = model or default_model(style if isinstance(style, Mapping) else ())
    painter = open_painter(name, device, chosen.precision)
    picture = read_image(content).pixels.to(device)
    styles: Sequence[Region] | Tensor
    guide = None
    if style is None or isinstance(style, Mapping):
        styles = painter.model.blended(style or dict.fromkeys(painter.model.styles, 1.0))
    else:
        given = style if isinstance(style, list | tuple) else [style]
        scene = Scene(given, blend, masks, style_masks or {}, semantic, device)  # type: ignore[arg-type]
        styles, guide = scene.regions(picture), scene.guide()
    painted = paint_in_one_pass(painter, picture, styles, chosen, strength=strength, guide=guide)
    return Result(painted.cpu(), [], chosen.changed(precision=painter.precision))


def texture(
    sample: Source,
    *,
    encoder: Encoder | str | None = None,
    weights: str | None = None,
    device: str = "cpu",
    **settings: Any,
) -> Result:
    """A texture like `sample`, of any size, from noise.

        impasto.texture("bricks.jpg", size=(1024, 512), tileable=True).image.save("wall.png")

    Args:
        sample: a path, a PIL image, a NumPy array `(H, W, 3)`, or a tensor `(3, H, W)` in [0, 1].
        encoder: a name, or any `Encoder`; one that is given must pad as `tileable` says.
        weights, device: as for `stylize`.
        settings: fields of `TextureSettings`.

    Raises:
        InputError: if the sample or a setting cannot be used.
    """
    chosen = TextureSettings().changed(**settings)
    precision = resolve_precision(chosen.precision, device)
    chosen = chosen.changed(encoder=_name(encoder, chosen.encoder, weights), precision=precision)
    padding = "circular" if chosen.tileable else "zeros"
    network = _network(chosen, encoder, weights, device, padding=padding, precision=precision)
    return finish(synthesize(network, read_image(sample).pixels.to(device), chosen), chosen)


def invert(
    image: Source,
    *,
    encoder: Encoder | str | None = None,
    weights: str | None = None,
    device: str = "cpu",
    **settings: Any,
) -> Result:
    """Reconstruct `image` from its features at one layer.

    Args:
        image: as for `stylize`.
        encoder, weights, device: as for `stylize`.
        settings: fields of `InversionSettings`, `layer` first of all.

    Raises:
        InputError: if the picture or a setting cannot be used.
    """
    chosen = InversionSettings().changed(**settings)
    chosen = chosen.changed(encoder=_name(encoder, chosen.encoder, weights))
    network = _network(chosen, encoder, weights, device, classifier=chosen.classifier)
    return finish(inversion(network, read_image(image).pixels.to(device), chosen), chosen)


def finish(steps: Iterator[Step], settings: AnySettings) -> Result:
    """Run to the end."""
    losses: list[dict[str, float]] = []
    last: Step | None = None
    for last in steps:
        losses.append(dict(last.losses))
    if last is None:
        raise InputError("no step was made")
    return Result(last.image().cpu(), losses, settings)


def dream(
    image: Source,
    *,
    guide: Source | None = None,
    encoder: Encoder | str | None = None,
    weights: str | None = None,
    device: str = "cpu",
    **settings: Any,
) -> Result:
    """`image` with what a layer sees in it made stronger (DeepDream).

    Args:
        image: as for `stylize`.
        guide: a picture to dream of.
        encoder, weights, device: as for `stylize`.
        settings: fields of `DreamSettings`.

    Raises:
        InputError: if a picture or a setting cannot be used.
    """
    chosen = DreamSettings().changed(**settings)
    chosen = chosen.changed(encoder=_name(encoder, chosen.encoder, weights))
    network = _network(chosen, encoder, weights, device)
    wanted = None if guide is None else read_image(guide).pixels.to(device)
    return finish(dreaming(network, read_image(image).pixels.to(device), chosen, guide=wanted), chosen)


def excite(
    *units: str | int,
    preset: str = "olah",
    encoder: Encoder | str | None = None,
    weights: str | None = None,
    device: str = "cpu",
    **settings: Any,
) -> Result:
    """Pictures that excite units, one each, `(N, 3, H, W)`: gradient ascent.

        impasto.excite("relu4_1:17", "relu4_1:18").pixels

    Args:
        units: `LAYER:CHANNEL`, `LAYER:CHANNEL:Y,X`, or the number of an ImageNet class; all of one layer. One given
            several times has several answers.
        preset: settings to begin with, one of `impasto.methods.ascent.ASCENT_PRESETS`.
        encoder, weights, device: as for `stylize`.
        settings: fields of `AscentSettings`.
    """
    if preset not in ASCENT_PRESETS:
        raise unknown("preset", preset, ASCENT_PRESETS)
    chosen = ASCENT_PRESETS[preset]().changed(**settings)
    chosen = chosen.changed(encoder=_name(encoder, chosen.encoder, weights))
    wanted = [Unit("logits", u) if isinstance(u, int) else Unit.named(u) for u in units]
    network = _network(chosen, encoder, weights, device, classifier=any(u.classifier for u in wanted))
    return finish(ascend(network, wanted, chosen, device=device), chosen)


def saliency(
    image: Source,
    unit: str | int,
    kind: str = "saliency",
    *,
    size: int = 224,
    encoder: Encoder | str = "auto",
    weights: str | None = None,
    device: str = "cpu",
    **options: Any,
) -> Tensor:
    """A picture `(1, 3, H, W)` of what in `image` a unit (as for `excite`) answers to.

    Args:
        image: as for `stylize`.
        unit: as for `excite`.
        kind: `saliency`, `smoothgrad`, `deconv` or `guided`.
        size: long side that the picture is looked at.
        encoder, weights, device: as for `stylize`.
        options: of `impasto.methods.attribution.smoothgrad`.
    """
    wanted = Unit("logits", unit) if isinstance(unit, int) else Unit.named(unit)
    network: Encoder | str = encoder
    if isinstance(network, str):
        network = load_encoder(network, weights=weights, classifier=wanted.classifier, device=device)
    return attribution(network, scaled(read_image(image).pixels.to(device), size), wanted, kind, **options)


def _network(
    settings: AnySettings,
    encoder: Encoder | str | None,
    weights: str | None,
    device: str,
    **options: Any,
) -> Encoder:
    if encoder is not None and not isinstance(encoder, str):
        return encoder
    return load_encoder(settings.encoder, weights=weights, pooling=settings.pooling, device=device, **options)  # type: ignore[arg-type]


def _settings(
    preset: str, encoder: Encoder | str | None, weights: str | None, device: str, changes: dict[str, Any]
) -> StylizeSettings:
    chosen = preset_settings(preset).changed(**changes)
    precision = resolve_precision(chosen.precision, device)
    name = _name(encoder, chosen.encoder, weights)
    return chosen.changed(encoder=name, precision=precision).resolved(name)


def _name(encoder: Encoder | str | None, default: str, weights: str | None) -> str:
    """The encoder's name for a report, never `auto`."""
    if encoder is not None and not isinstance(encoder, str):
        return encoder.name
    return resolve(encoder or default, weights)
