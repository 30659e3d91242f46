"""Looking inside: gradients by hand, ascent, dreams."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto import ModuleEncoder
from impasto.canvas import Detail
from impasto.errors import InputError
from impasto.features import load_encoder
from impasto.features.relu import Rule, relu_rule
from impasto.methods.ascent import ascend
from impasto.methods.attribution import Unit, activations, filters, gradient, signed, smoothgrad, strength
from impasto.methods.dream import dream
from impasto.methods.presets import ASCENT_PRESETS
from impasto.methods.settings import AscentSettings, DreamSettings
from impasto.optimize.moving import move, roll

LITE = load_encoder("lite")


class Toy(nn.Module):
    """1×1 convolutions, so that all can be worked out by hand: `relu(W x) → max pool → relu(V ·)`."""

    def __init__(self, relu: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.w = nn.Conv2d(3, 4, 1, bias=False).double()
        self.v = nn.Conv2d(4, 2, 1, bias=False).double()
        generator = torch.Generator().manual_seed(0)
        for conv in (self.w, self.v):
            conv.weight.data = torch.randn(conv.weight.shape, generator=generator, dtype=torch.float64)
        self.relu = relu
        self.last = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.relu(self.w(x)), 2)
        return self.last(self.relu(self.v(x)))  # type: ignore[no-any-return]


def ignored_result(x: Tensor) -> Tensor:
    x.relu_()
    return x


RELUS: dict[str, Callable[[Tensor], Tensor]] = {
    "module": nn.ReLU(),
    "module in place": nn.ReLU(inplace=True),
    "function": F.relu,
    "function in place": lambda x: F.relu(x, inplace=True),
    "torch": torch.relu,
    "method": lambda x: x.relu(),
    "method in place, result ignored": ignored_result,
}


def by_hand(toy: Toy, x: Tensor, channel: int, rule: Rule) -> Tensor:
    """The mean of an output channel back to the image, loop by loop."""
    w, v = toy.w.weight[:, :, 0, 0], toy.v.weight[:, :, 0, 0]
    _, _, height, width = x.shape
    found = torch.zeros_like(x)
    cells = (height // 2) * (width // 2)
    for i in range(height // 2):
        for j in range(width // 2):
            block = x[0, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].reshape(3, 4)
            before = w @ block
            hidden = before.clamp(min=0)
            pooled, place = hidden.max(1)
            out = v[channel] @ pooled

            def back(grad: Tensor, value: Tensor) -> Tensor:
                if rule != "plain":
                    grad = grad.clamp(min=0)
                return grad if rule == "deconv" else grad * (value > 0)

            grad = back(torch.tensor(1 / cells, dtype=torch.float64), out) * v[channel]
            for c in range(4):
                at = int(place[c])
                g = back(grad[c], before[c, at])
                found[0, :, 2 * i + at // 2, 2 * j + at % 2] += g * w[c]
    return found


@pytest.mark.parametrize("relu", RELUS)
@pytest.mark.parametrize("rule", ["plain", "deconv", "guided"])
def test_gradients_are_those_worked_out_by_hand(relu: str, rule: Rule) -> None:
    toy = Toy(RELUS[relu])
    encoder = ModuleEncoder(toy, {"out": "last"}, mean=(0, 0, 0), std=(1, 1, 1))
    x = torch.randn(1, 3, 6, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for channel in (0, 1):
        found = gradient(encoder, x, Unit("out", channel), rule)
        torch.testing.assert_close(found, by_hand(toy, x, channel, rule), atol=1e-9, rtol=1e-6)


def test_the_three_rules_differ() -> None:
    x = torch.rand(1, 3, 32, 32)
    found = [gradient(LITE, x, Unit("relu3_1", 2), rule) for rule in ("plain", "deconv", "guided")]
    assert not torch.allclose(found[0], found[1]) and not torch.allclose(found[1], found[2])
    (again,) = [gradient(LITE, x, Unit("relu3_1", 2), "plain")]
    torch.testing.assert_close(again, found[0])


def test_a_rule_ends_with_its_block_also_after_an_error() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="stop"), relu_rule("deconv"):
        raise RuntimeError("stop")
    (grad,) = torch.autograd.grad(F.relu(-x).sum(), x)
    assert grad.abs().max() == 0


def test_units_by_name_and_out_of_range() -> None:
    assert Unit.named("relu5_1:17") == Unit("relu5_1", 17)
    assert Unit.named("relu5_1:17:3,4") == Unit("relu5_1", 17, (3, 4))
    assert [str(Unit.named(text)) for text in ("relu5_1:17", "a:1:3,4")] == ["relu5_1:17", "a:1:3,4"]
    for text in ("relu5_1", "relu5_1:x", "relu5_1:1:2", ":3:4"):
        with pytest.raises(InputError):
            Unit.named(text).of(torch.zeros(1, 0, 2, 2))
    maps = torch.arange(8.0).view(1, 2, 2, 2)
    assert Unit("l", 1, (0, 1)).of(maps).item() == 5 and Unit("l", 0).of(maps).item() == 1.5
    for unit in (Unit("l", 2), Unit("l", 0, (2, 0))):
        with pytest.raises(InputError, match="there is no"):
            unit.of(maps)


def test_smoothgrad_without_noise_is_the_gradient_and_is_seeded() -> None:
    x = torch.rand(1, 3, 16, 16)
    unit = Unit("relu2_1", 1)
    torch.testing.assert_close(smoothgrad(LITE, x, unit, samples=2, noise=0), gradient(LITE, x, unit))
    assert torch.equal(smoothgrad(LITE, x, unit, samples=2), smoothgrad(LITE, x, unit, samples=2))


def test_gradient_pictures_are_in_range() -> None:
    g = torch.randn(2, 3, 8, 8)
    for picture in (strength(g), signed(g), strength(0 * g), signed(0 * g)):
        assert picture.shape == g.shape and picture.min() >= 0 and picture.max() <= 1


def test_filters_and_activations() -> None:
    found = filters(LITE)
    assert found.shape == (16, 3, 3, 3) and found.min() >= 0 and found.max() <= 1
    wrapped = ModuleEncoder(Toy(F.relu), {"out": "last"}, mean=(0, 0, 0), std=(1, 1, 1))
    assert filters(wrapped).shape == (4, 3, 1, 1)
    maps, channels = activations(LITE, torch.rand(1, 3, 32, 32), "relu2_1", 5)
    assert maps.shape == (5, 1, 16, 16) and len(set(channels)) == 5


@pytest.mark.parametrize("name", ASCENT_PRESETS)
def test_ascent_excites_its_unit(name: str) -> None:
    settings = ASCENT_PRESETS[name]().changed(size=48, steps=25)
    unit = Unit("relu3_1", 5)
    seen = [unit.of(LITE(s.image(), [unit.layer])[unit.layer]).item() for s in ascend(LITE, [unit], settings)]
    assert seen[-1] > 1.5 * seen[0]


def test_a_unit_that_answers_nothing_at_first_is_roused() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.ReLU())
    torch.manual_seed(0)
    for conv in (network[0], network[2]):
        nn.init.normal_(conv.weight)
    gray = network[:3](torch.full((1, 3, 32, 32), 0.5)).amax((0, 2, 3))
    network[2].bias.data -= gray + 6  # nothing answers to gray
    encoder, silent, other = ModuleEncoder(network, {"out": "3"}), Unit("out", 0), Unit("out", 1)
    *_, last = ascend(encoder, [silent, other], AscentSettings(canvas="pixels", size=32, steps=10))
    maps = encoder(last.image(), ["out"])["out"]
    assert silent.of(maps[:1]).item() > 0 and other.of(maps[1:]).item() > 0


def test_several_answers_for_one_unit_are_pushed_apart() -> None:
    units, likeness = [Unit("relu3_1", 5)] * 3, {}
    for weight in (0.0, 20.0):
        *_, last = ascend(LITE, units, AscentSettings(size=48, steps=20, diversity_weight=weight))
        rows = F.normalize(
            LITE(last.image(), ["relu3_1"])["relu3_1"]
            .flatten(2)
            .matmul(LITE(last.image(), ["relu3_1"])["relu3_1"].flatten(2).mT)
            .flatten(1),
            dim=1,
        )
        likeness[weight] = (rows @ rows.T).sum().item()
    assert likeness[20.0] < likeness[0.0]
    with pytest.raises(InputError, match="layers"):
        list(ascend(LITE, [Unit("relu3_1", 0), Unit("relu2_1", 0)], AscentSettings(size=48, steps=1)))


def test_transforms_keep_size_and_are_seeded() -> None:
    image = torch.rand(2, 3, 20, 16)
    for transform in (roll(5), move()):
        a, b = (transform(image, torch.Generator().manual_seed(3)) for _ in range(2))
        assert a.shape == image.shape and torch.equal(a, b) and not torch.equal(a, image)
    still = move(0, 0, 0)(image, torch.Generator())
    torch.testing.assert_close(still, image, atol=1e-5, rtol=0)


def test_a_dream_raises_the_activation_and_carries_detail_between_octaves() -> None:
    image = torch.rand(1, 3, 64, 80)
    steps = list(dream(LITE, image, DreamSettings(layer="relu3_1", octaves=2, steps=4, jitter=4)))
    assert [s.size for s in steps[::4]] == [(46, 57), (64, 80)]
    before, after = (LITE(x, ["relu3_1"])["relu3_1"].square().mean() for x in (image, steps[-1].image()))
    assert after > before
    assert torch.equal(
        steps[-1].image(),
        list(dream(LITE, image, DreamSettings(layer="relu3_1", octaves=2, steps=4, jitter=4)))[-1].image(),
    )


def test_an_enlarged_dream_is_the_picture_where_nothing_was_dreamt() -> None:
    image = torch.rand(1, 3, 40, 40)
    canvas = Detail(image)
    canvas.resize((20, 20))
    canvas.resize((40, 40))
    torch.testing.assert_close(canvas.image(), image)


def test_a_guide_draws_towards_its_features() -> None:
    image, guide = torch.rand(1, 3, 48, 48), torch.rand(1, 3, 40, 56)
    settings = DreamSettings(layer="relu3_1", octaves=1, steps=6, jitter=0)
    steps = list(dream(LITE, image, settings, guide=guide))
    assert steps[-1].loss < steps[0].loss
    with pytest.raises(InputError, match="guide"):
        dream(LITE, image, settings.changed(channel=2), guide=guide)


def test_a_dream_that_is_resumed_moves_as_if_it_had_never_stopped() -> None:
    image, settings = torch.rand(1, 3, 48, 48), DreamSettings(layer="relu3_1", octaves=1, steps=4, jitter=4)
    whole = [s.image() for s in dream(LITE, image, settings)]
    loop = dream(LITE, image, settings)
    state = [next(loop) for _ in range(2)][-1].state()
    *_, last = dream(LITE, image, settings, resume=state)
    assert torch.equal(last.image(), whole[-1])


# --- on the canvas of latents ----------------------------------------------------------------------------------------


def test_latents_are_raised_to_what_excites_a_unit() -> None:
    settings = AscentSettings(size=40, steps=8, canvas="natural", shift=2.0)
    units = [Unit("relu3_1", 3), Unit("relu3_1", 5)]
    steps = list(ascend(LITE, units, settings))
    assert steps[-1].losses["unit"] < steps[0].losses["unit"] - 0.1
    assert steps[-1].losses["prior"] > 0 and steps[-1].image().shape == (2, 3, 40, 40)
    heavy = list(ascend(LITE, units, settings.changed(prior_weight=100.0)))
    assert heavy[-1].losses["prior"] / 100 < steps[-1].losses["prior"]


def test_a_dream_of_latents_begins_with_the_picture_and_is_resumed_bit_for_bit() -> None:
    image = torch.rand(1, 3, 46, 58)
    settings = DreamSettings(layer="relu3_1", octaves=2, steps=2, jitter=4, canvas="natural")
    loop = dream(LITE, image, settings)
    steps = [next(loop) for _ in range(3)]  # in the second octave, whose canvas is built of the first one's
    state = steps[-1].state()
    *_, whole = loop
    *_, last = dream(LITE, image, settings, resume=state)
    assert torch.equal(last.image(), whole.image())
    still = list(dream(LITE, image, settings.changed(rate=1e-9)))[-1].image()
    torch.testing.assert_close(still, image, atol=1e-3, rtol=0)


def test_a_dream_is_of_pixels_or_of_latents() -> None:
    with pytest.raises(InputError, match="canvas"):
        DreamSettings(canvas="fourier")
