"""The two functions that most people need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import PIL.Image
import torch
from torch import Tensor

from impasto.errors import InputError
from impasto.features import Encoder, load_encoder
from impasto.media import read_image, to_pil
from impasto.media.image import Source
from impasto.methods import gatys
from impasto.methods.presets import preset as preset_settings
from impasto.optimize import Step
from impasto.settings import StylizeSettings


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
    settings: StylizeSettings

    @property
    def image(self) -> PIL.Image.Image:
        """The picture, 8 bits."""
        return to_pil(self.pixels)


def stylize_steps(
    content: Source,
    style: Source,
    *,
    preset: str = "default",
    encoder: Encoder | str | None = None,
    weights: str | None = None,
    device: str = "cpu",
    **settings: Any,
) -> Iterator[Step]:
    """As `stylize`, but as a generator of `Step` records, to watch, to stop, or to show.

    Raises:
        InputError: before the first step, if a picture or a setting cannot be used.
    """
    chosen = _settings(preset, encoder, settings)
    network = encoder if encoder is not None and not isinstance(encoder, str) else None
    if network is None:
        network = load_encoder(chosen.encoder, weights=weights, pooling=chosen.pooling)  # type: ignore[arg-type]
        if isinstance(network, torch.nn.Module):
            network.to(device)
    pictures = [read_image(source).pixels.to(device) for source in (content, style)]
    init = None
    if chosen.init not in ("content", "noise", "style"):
        init = read_image(chosen.init).pixels.to(device)
    return gatys.stylize(network, pictures[0], pictures[1], chosen, init=init)


def stylize(
    content: Source,
    style: Source,
    *,
    preset: str = "default",
    encoder: Encoder | str | None = None,
    weights: str | None = None,
    device: str = "cpu",
    **settings: Any,
) -> Result:
    """Paint `content` in the manner of `style`.

        impasto.stylize("photo.jpg", "painting.jpg", size=512).image.save("out.png")

    Args:
        content, style: a path, a PIL image, a NumPy array `(H, W, 3)`, or a tensor `(3, H, W)` in [0, 1].
        preset: settings to begin with.
        encoder: a name, or any `Encoder`.
        weights: the encoder's file, if it is not where it is looked for.
        device: where to compute, as torch names it.
        settings: fields of `StylizeSettings` that differ from the preset.

    Raises:
        InputError: if a picture or a setting cannot be used; the message says why in one line.
        NonFiniteError: if the loss stops being finite.
    """
    steps = stylize_steps(content, style, preset=preset, encoder=encoder, weights=weights, device=device, **settings)
    losses: list[dict[str, float]] = []
    last: Step | None = None
    for last in steps:
        losses.append(dict(last.losses))
    if last is None:
        raise InputError("no step was made")
    return Result(last.image().cpu(), losses, _settings(preset, encoder, settings))


def _settings(preset: str, encoder: Encoder | str | None, changes: dict[str, Any]) -> StylizeSettings:
    name = encoder if encoder is None or isinstance(encoder, str) else encoder.name
    return preset_settings(preset).changed(encoder=name, **changes)
