"""Make the pictures of README and docs again, from the project's own scene and painting: `make pictures`."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

import impasto
from impasto.media import gallery, read_image, write_image
from impasto.methods.dream import DreamSettings, dream
from impasto.networks.models import load_model
from impasto.pictures.resample import lanczos

EXAMPLES, IMAGES = Path("examples"), Path("docs/images")
CONTENT, STYLE = EXAMPLES / "content.png", EXAMPLES / "style.png"
SIZE = 384
#: Of JPEG files: pages are read over slow lines, too.
QUALITY = 85

#: Label -> what is changed.
CONTROLS: dict[str, dict[str, object]] = {
    "gram": {},
    "wasserstein": {"style_loss": "wasserstein"},
    "patches": {"style_loss": "patches", "scales": 2},
    "strokes half as large": {"style_scales": (0.5,)},
    "content-luminance": {"color": "content-luminance"},
    "histogram": {"color": "histogram"},
    "a dream with it": {"dream": "relu4_2", "dream_weight": 0.5},
    "the sky as it was": {"masks": "sky"},
    "one style, from noise": {"content_weight": 0.0, "init": "noise", "scales": 2},
}


def sky(picture: Tensor) -> Tensor:
    """A mask of the upper part of the scene, `(H, W)`."""
    height, width = picture.shape[-2:]
    return (torch.arange(height) < 0.42 * height).float()[:, None].expand(height, width)


def demo() -> None:
    """What `make demo` paints."""
    write_image(IMAGES / "demo.jpg", impasto.stylize(CONTENT, STYLE, encoder="lite").pixels, quality=QUALITY)


def controls() -> None:
    """One pair, and what each control does to it."""
    content, made = read_image(CONTENT).pixels, []
    for changes in CONTROLS.values():
        settings = dict(changes)
        masks = [(sky(content).numpy(), 0)] if settings.pop("masks", None) else []
        made.append(impasto.stylize(CONTENT, STYLE, encoder="lite", size=SIZE, masks=masks, **settings).pixels)
    write_image(IMAGES / "controls.jpg", gallery(made, list(CONTROLS)), quality=QUALITY)


def more() -> None:
    """What else there is: a dream, a texture, an inversion."""
    content = read_image(CONTENT).pixels
    shape = (content.shape[2] * SIZE // content.shape[3], SIZE)
    encoder = impasto.load_encoder("lite")
    *_, dreamt = dream(encoder, lanczos(content, shape), DreamSettings())
    size = (shape[1] // 32 * 32, shape[0] // 32 * 32)
    texture = impasto.texture(STYLE, encoder="lite", size=size, tileable=True).pixels
    inverted = impasto.invert(CONTENT, encoder="lite", layer="relu4_1", size=SIZE).pixels
    shown = [dreamt.image(), lanczos(texture, shape), inverted]
    write_image(IMAGES / "more.jpg", gallery(shown, ["dream", "texture", "invert relu4_1"], columns=3), quality=QUALITY)


def in_one_pass() -> None:
    """The packaged networks: any style beside optimization, and the twelve of `gallery`."""
    styles = load_model("gallery").styles
    made = {
        "any style": impasto.instant(CONTENT, STYLE, size=SIZE).pixels,
        "optimization": impasto.stylize(CONTENT, STYLE, encoder="lite", size=SIZE).pixels,
        "live": impasto.instant(CONTENT, model="live", size=SIZE).pixels,
    }
    made |= {name: impasto.instant(CONTENT, {name: 1.0}, size=SIZE).pixels for name in styles}
    write_image(IMAGES / "instant.jpg", gallery(list(made.values()), list(made), columns=3), quality=QUALITY)


def main() -> None:
    demo()
    controls()
    more()
    in_one_pass()


if __name__ == "__main__":
    main()
