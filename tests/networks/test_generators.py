"""What every generator has in common, and what each has of its own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from impasto.errors import InputError
from impasto.networks.conditioning import ConditionalNorm, Slots, padded
from impasto.networks.generator import Generator
from impasto.networks.johnson import VGG_MEAN, Johnson
from impasto.networks.pyramid import Pyramid
from impasto.networks.quarter import Quarter
from impasto.networks.registry import NETWORKS, build

SMALL: list[tuple[str, dict[str, Any]]] = [
    ("quarter", {"width": 8, "deep": 8, "blocks": 1, "rank": 2}),
    ("quarter", {"width": 8, "deep": 8, "blocks": 1, "rank": 0, "deepest": 4}),
    ("johnson", {"width": 4, "blocks": 1}),
    ("johnson", {"width": 4, "blocks": 1, "norm": "batch", "output": "tanh", "upsampling": "transposed"}),
    ("johnson", {"width": 4, "blocks": 1, "output": "plain"}),
    ("pyramid", {"scales": 4, "width": 4}),
    ("pyramid", {"scales": 3, "width": 4, "noise": 0, "norm": "batch"}),
    ("pyramid", {"scales": 3, "width": 4, "source": "noise"}),
]


def small(kind: str, options: dict[str, Any]) -> Generator:
    torch.manual_seed(0)
    network = build(kind, options)
    assert isinstance(network, nn.Module)
    network.eval()
    return network


def weights(network: Generator) -> int:
    assert isinstance(network, nn.Module)
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(("kind", "options"), SMALL)
@pytest.mark.parametrize("size", [(1, 1), (5, 300), (32, 32), (17, 31)])
@torch.no_grad()
def test_a_picture_of_any_size_keeps_its_size(kind: str, options: dict[str, Any], size: tuple[int, int]) -> None:
    network = small(kind, options)
    found = network(torch.rand(2, 3, *size), network.plain_style()[None])
    assert found.shape == (2, 3, *size) and found.isfinite().all()


@pytest.mark.parametrize(("kind", "options"), SMALL)
@torch.no_grad()
def test_each_picture_of_a_batch_has_its_own_style_and_the_same_twice(kind: str, options: dict[str, Any]) -> None:
    network = small(kind, options)
    image = torch.rand(1, 3, 24, 24)
    styles = network.plain_style() + 0.3 * torch.randn(2, network.style_size)
    # Noise differs within a batch.
    images = image.expand(2, 3, 24, 24)
    both = network(images, styles)
    torch.testing.assert_close(network(images, styles), both, rtol=0, atol=0)
    torch.testing.assert_close(network(images, styles[:1])[0], both[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(network(images, styles[1:])[1], both[1], rtol=1e-4, atol=1e-5)
    assert (both[0] - both[1]).abs().mean() > 1e-3


@pytest.mark.parametrize(("kind", "options"), SMALL)
def test_every_number_of_the_style_and_every_weight_matters(kind: str, options: dict[str, Any]) -> None:
    network = small(kind, options)
    assert isinstance(network, nn.Module)
    for value in network.parameters():  # some begin at zero
        nn.init.normal_(value, std=0.3)
    style = (network.plain_style() + 0.1 * torch.randn(network.style_size)).requires_grad_()
    network(torch.rand(1, 3, 32, 32), style[None]).square().sum().backward()
    assert style.grad is not None and (style.grad != 0).float().mean() > 0.5  # ReLUs may hide a few
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize(("kind", "options"), SMALL)
def test_options_build_the_same_network_again(kind: str, options: dict[str, Any]) -> None:
    network = small(kind, options)
    assert network.options | options == network.options
    again = build(kind, network.options)
    assert isinstance(network, nn.Module) and isinstance(again, nn.Module)
    again.load_state_dict(network.state_dict())
    assert again.style_size == network.style_size and again.options == network.options


@pytest.mark.parametrize(
    ("kind", "options", "complaint"),
    [
        ("jonson", {}, "unknown network 'jonson'; did you mean johnson"),
        ("johnson", {"widht": 3}, "unknown option of johnson 'widht'; did you mean width"),
        ("johnson", {"width": "3"}, "width of johnson is '3'; it must be a whole number, such as 32"),
        ("quarter", {"front_widths": [16, 48]}, "it must be 5 whole numbers, such as"),
        ("quarter", {"front_widths": [16, 16, 48, 0, 96]}, "front_widths of quarter is 0; it must be at least 1"),
        ("johnson", {"width": True}, "it must be a whole number"),
        ("johnson", {"width": 0}, "width of johnson is 0; it must be at least 1"),
        ("johnson", {"norm": "layer"}, "unknown norm 'layer'; there are instance, batch"),
        ("johnson", {"output": 1}, "output of johnson is 1; it must be a name, such as 'sigmoid'"),
        ("pyramid", {"source": "nose"}, "unknown source 'nose'; did you mean noise"),
        ("pyramid", {"source": "noise", "noise": 0}, "give at least 1"),
    ],
)
def test_what_cannot_be_built_is_refused(kind: str, options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        build(kind, options)


def test_all_networks_of_the_registry_are_tested() -> None:
    assert {kind for kind, _ in SMALL} == set(NETWORKS)


def test_johnson_has_the_size_of_the_papers() -> None:
    # PyTorch's example has 1,679,235 parameters, 3,200 of them γ and β; Dumoulin's have 3 channels more.
    plain = Johnson(output="plain")
    assert (weights(plain), plain.style_size) == (1_679_235 - 3_200, 3_200)
    assert Johnson(output="sigmoid").style_size == 3_206


def test_the_pyramid_has_the_size_of_the_papers() -> None:
    assert weights(Pyramid(scales=6)) == pytest.approx(117_000, rel=0.01)
    assert weights(Pyramid(scales=5, source="noise")) == pytest.approx(71_000, rel=0.01)


@torch.no_grad()
def test_output_conventions() -> None:
    image = torch.rand(1, 3, 16, 16)
    ranges = {}
    for output in ("sigmoid", "tanh", "plain"):
        network = Johnson(4, 1, output=output)  # type: ignore[arg-type]
        nn.init.zeros_(network.head.weight)
        assert network.head.bias is not None
        nn.init.constant_(network.head.bias, 10.0)
        ranges[output] = network(image, network.plain_style()[None])
    torch.testing.assert_close(ranges["sigmoid"], torch.full_like(image, 0.5), atol=1e-3, rtol=0)  # normalized away
    mean = torch.tensor(VGG_MEAN).view(1, 3, 1, 1).expand_as(image)
    torch.testing.assert_close(ranges["tanh"], mean + 150 / 255)
    torch.testing.assert_close(ranges["plain"], torch.full_like(image, 10.5))


def test_conditional_normalization_by_hand() -> None:
    slots = Slots()
    norm = ConditionalNorm(1, slots)
    x = torch.tensor([1.0, 2.0, 3.0, 6.0]).view(1, 1, 2, 2)  # mean 3, variance 3.5
    found = norm(x, torch.tensor([[0.5, 7.0]]))
    torch.testing.assert_close(found.flatten(), 1.5 * (x.flatten() - 3) / (3.5 + 1e-5) ** 0.5 + 7)


def test_padding_repeats_the_last_row_and_column() -> None:
    image = torch.arange(6.0).view(1, 1, 2, 3)
    expected = [[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [3, 4, 5, 5]]
    assert padded(image, 2, 4).squeeze().tolist() == expected
    assert torch.equal(padded(image, 1), image)


def textures() -> Pyramid:
    torch.manual_seed(0)
    return Pyramid(3, 4, source="noise").eval()


@pytest.mark.parametrize("size", [(1, 1), (30, 7), (40, 24)])
def test_textures_of_any_size_come_from_the_seed(size: tuple[int, int]) -> None:
    network = textures()

    def make(seed: int) -> Tensor:
        style = network.plain_style().repeat(2, 1)
        return network.texture(size, style, torch.Generator().manual_seed(seed))

    assert make(1).shape == (2, 3, *size)
    assert torch.equal(make(1), make(1))
    if size != (1, 1):
        assert not torch.equal(make(1), make(2))


@torch.no_grad()
def test_a_texture_goes_on_at_its_opposite_side() -> None:
    network = textures()
    style = network.plain_style()[None]
    maps = network.inputs(torch.zeros(1, 3, 32, 32), torch.Generator().manual_seed(0))
    moved = [m.roll((8 >> k, 4 >> k), (2, 3)) for k, m in enumerate(maps)]
    torch.testing.assert_close(network(moved, style), network(maps, style).roll((8, 4), (2, 3)), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_noise_is_new_in_training_and_the_same_afterwards() -> None:
    network = Pyramid(2, 4)
    image, style = torch.rand(1, 3, 16, 16), network.plain_style()[None]
    assert not torch.equal(network(image, style), network(image, style))
    network.eval()
    assert torch.equal(network(image, style), network(image, style))


def test_a_network_for_pictures_makes_no_textures() -> None:
    network = Pyramid(2, 4)
    with pytest.raises(InputError, match="source='noise'"):
        network.texture((8, 8), network.plain_style()[None])


@torch.no_grad()
def test_no_place_of_a_picture_has_noise_of_its_own_in_training() -> None:
    network = Quarter(width=8, deep=8, blocks=1)
    image, style = torch.full((1, 3, 32, 32), 0.5), network.plain_style()[None]
    assert not torch.equal(network(image, style), network(image, style))
    network.eval()
    first = network(image, style)
    network(torch.full((1, 3, 48, 32), 0.5), style)  # the noise of the last size is kept
    assert torch.equal(network(image, style), first)


def test_a_network_that_painted_can_be_trained() -> None:
    network = Quarter(width=8, deep=8, blocks=1).eval()
    image, style = torch.rand(1, 3, 32, 32), network.plain_style()[None]
    with torch.inference_mode():
        network(image, style)
    network(image, style).sum().backward()
    assert network.stem_grain.weights.weight.grad is not None


@torch.no_grad()
def test_pixels_join_the_features_without_a_change_at_first() -> None:
    torch.manual_seed(0)
    before = Quarter(8, 8, 1, 0, "lite", 8, 4, (4, 4, 4, 4, 6)).eval()
    found = before.seeing_pixels().eval()
    image = torch.rand(1, 3, 32, 48)
    style = before.plain_style()[None] + 0.1 * torch.randn(1, before.style_size)
    torch.testing.assert_close(found(image, style), before(image, style))
    assert found.options == before.options | {"front": "both"} and found.seeing_pixels() is found
    assert found.pixel_stem is not None and found.front is not None
    assert found.pixel_stem.weight.requires_grad and not any(p.requires_grad for p in found.front.parameters())
    found.pixel_stem.weight.add_(0.1)
    assert not torch.allclose(found(image, style), before(image, style), atol=1e-2)
