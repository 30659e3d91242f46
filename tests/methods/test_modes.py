"""Methods inside of modes that record no gradients, and what a caller may add to a picture's goal."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from impasto.features import Encoder, ModuleEncoder, load_encoder
from impasto.features.vgg import VGG
from impasto.methods.ascent import ascend
from impasto.methods.attribution import Unit, gradient
from impasto.methods.dream import dream
from impasto.methods.inversion import invert
from impasto.methods.plan import Plan
from impasto.methods.presets import yosinski
from impasto.methods.regions import Region, StyleImage
from impasto.methods.settings import DreamSettings, InversionSettings, StylizeSettings, TextureSettings
from impasto.methods.stylize import stylize
from impasto.methods.texture import texture
from impasto.networks.models import load_model
from impasto.objective import Placeless
from impasto.optimize import Step

LAYER = "relu2_1"
SETTINGS = StylizeSettings(
    size=32, steps=3, scales=1, style_layers=("relu1_1", LAYER), content_layers=(LAYER,), tv_weight=0.1
)


def pictures() -> Tensor:
    return torch.rand(2, 1, 3, 32, 40, generator=torch.Generator().manual_seed(0))


def painted(**changes: object) -> Iterator[Step]:
    content, style = pictures()
    mask = torch.zeros(1, 1, 32, 40)
    mask[..., :20] = 1
    regions = [Region([StyleImage(style)], mask), Region([], 1 - mask)]
    return stylize(load_encoder("lite"), content, regions, SETTINGS.changed(**changes))


def excited() -> Iterator[Step]:
    return ascend(load_encoder("lite"), [Unit(LAYER, 1)], yosinski().changed(size=32, steps=4))


METHODS: dict[str, Callable[[], Iterator[Step]]] = {
    "stylize": lambda: painted(scales=2, scale_factor=1.5),
    "jittered": lambda: painted(steps=6, optimizer="adam", jitter=4, average=0.5),
    "luminance": lambda: painted(color="content-luminance"),
    "patches": lambda: painted(style_loss="nearest"),
    "texture": lambda: texture(load_encoder("lite"), pictures()[0], TextureSettings(size=(32, 32), steps=2)),
    "invert": lambda: invert(load_encoder("lite"), pictures()[0], InversionSettings(layer=LAYER, size=32, steps=2)),
    "spectrum": lambda: invert(
        load_encoder("lite"), pictures()[0], InversionSettings(layer=LAYER, size=32, steps=2, canvas="fourier")
    ),
    "dream": lambda: dream(load_encoder("lite"), pictures()[0], DreamSettings(layer=LAYER, octaves=1, steps=2)),
    "excite": excited,
}


@pytest.mark.parametrize("method", METHODS)
def test_a_method_may_be_used_where_no_gradients_are_recorded(method: str) -> None:
    *_, usual = METHODS[method]()
    for mode in (torch.inference_mode, torch.no_grad):
        with mode():
            *_, last = METHODS[method]()
            assert torch.equal(last.image(), usual.image())


def test_a_unit_s_gradient_is_found_where_none_are_recorded(tiny: VGG) -> None:
    image = pictures()[0]
    with torch.inference_mode():
        assert torch.equal(gradient(tiny, image.clone(), Unit(LAYER, 1)), gradient(tiny, image, Unit(LAYER, 1)))
    assert gradient(tiny, image, Unit(LAYER, 1)).any()


def test_a_network_made_in_inference_mode_is_looked_into() -> None:
    with torch.inference_mode():
        network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        encoder = ModuleEncoder(network, ["0", "2"], mean=(0.5,))
        inside = gradient(encoder, pictures()[0], Unit("2", 1))
    assert inside.any() and torch.equal(gradient(encoder, pictures()[0], Unit("2", 1)), inside)


def test_a_model_opened_in_inference_mode_can_be_differentiated_through() -> None:
    with torch.inference_mode():
        model = load_model("gallery")
    assert not any(p.is_inference() for p in model.generator.parameters())


def test_a_blurred_picture_of_a_unit_goes_on_as_if_it_had_never_stopped(tiny: VGG) -> None:
    settings = yosinski().changed(size=32, steps=6)
    *_, whole = ascend(tiny, [Unit(LAYER, 1)], settings)
    loop = ascend(tiny, [Unit(LAYER, 1)], settings)
    state = [next(loop) for _ in range(3)][-1].state()
    *_, rest = ascend(tiny, [Unit(LAYER, 1)], settings, resume=state)
    assert torch.equal(rest.image(), whole.image())


@pytest.mark.parametrize("jitter", [0, 8])
def test_a_picture_that_is_protected_everywhere_is_done_at_once(tiny: VGG, jitter: int) -> None:
    content, _ = pictures()
    settings = SETTINGS.changed(optimizer="adam", jitter=jitter, scales=2, scale_factor=1.5)
    records = list(stylize(tiny, content, [Region([], torch.ones(1, 1, 32, 40))], settings))
    assert [(r.scale, r.done) for r in records] == [(1, True), (2, True)]


class Dark(Placeless):
    """Draws the picture to black."""

    name = "dark"
    layers = ()

    def __call__(self, image: Tensor, features: object) -> Tensor:
        return image.square().mean()


@pytest.mark.parametrize("jitter", [0, 8])
def test_a_stage_may_have_terms_of_the_caller_s(tiny: VGG, jitter: int) -> None:
    content, style = pictures()
    settings = SETTINGS.changed(optimizer="adam", jitter=jitter, scales=2, scale_factor=1.5)
    asked: list[tuple[str, tuple[int, int]]] = []

    def extra(encoder: Encoder, plan: Plan) -> list[tuple[float, Dark]]:
        asked.append((encoder.name, plan.size))
        return [(100.0, Dark())]

    *_, plain = stylize(tiny, content, style, settings)
    records = list(stylize(tiny, content, style, settings, extra_terms=extra))
    assert asked == [("tiny", records[0].size), ("tiny", records[-1].size)]
    assert records[-1].losses["dark"] > 0 and "dark" not in plain.losses
    assert records[-1].image().mean() < plain.image().mean() - 0.01


def test_losses_are_told_by_layer_when_they_are_asked_for(tiny: VGG) -> None:
    content, style = pictures()
    for loss in ("gram", "nearest"):
        settings = SETTINGS.changed(style_loss=loss, style_layers=SETTINGS.style_layers)
        usual, layered = (next(stylize(tiny, content, style, settings, layer_losses=asked)) for asked in (False, True))
        assert set(usual.losses) == {"style", "content", "tv"}
        assert set(layered.losses) == {"style.relu1_1", "style.relu2_1", "content.relu2_1", "tv"}
        assert sum(layered.losses.values()) == pytest.approx(layered.loss, rel=1e-5)
        style_loss = sum(value for name, value in layered.losses.items() if name.startswith("style."))
        assert style_loss == pytest.approx(usual.losses["style"], rel=1e-3)
        torch.testing.assert_close(layered.image(), usual.image(), atol=1e-3, rtol=0)
