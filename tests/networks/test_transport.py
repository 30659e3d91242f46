"""Features carried over to a style."""

from __future__ import annotations

from typing import cast

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from impasto.errors import InputError
from impasto.features import load_encoder
from impasto.features.vgg import VGG
from impasto.networks.conditioning import Recorder, Slots
from impasto.networks.quarter import Quarter
from impasto.networks.transport import Front, Transport, front_widths, products, roots


@pytest.mark.parametrize("least", [1e-3, 1e-8])
def test_roots_are_those_of_the_eigenvalues(least: float) -> None:
    torch.manual_seed(0)
    factor = torch.randn(2, 12, 12, dtype=torch.float64)
    matrices = factor @ factor.transpose(1, 2) + 0.1 * torch.eye(12)
    values, vectors = torch.linalg.eigh(matrices)
    root, inverse = roots(matrices, least)
    for found, power in ((root, 0.5), (inverse, -0.5)):
        expected = vectors * values.pow(power)[:, None] @ vectors.transpose(1, 2)
        torch.testing.assert_close(found, expected, atol=1e-8, rtol=1e-8)


def same(channels: int, dtype: torch.dtype = torch.float64) -> nn.Conv2d:
    """A convolution that changes nothing."""
    conv = nn.Conv2d(channels, channels, 1, dtype=dtype).requires_grad_(False)
    conv.weight.copy_(torch.eye(channels)[:, :, None, None])
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv


def test_the_convolution_that_follows_a_transport_is_part_of_it() -> None:
    torch.manual_seed(0)
    slots, then = Slots(), nn.Conv2d(4, 3, 1).double().requires_grad_(False)
    transport, recorder = Transport(4, slots), Recorder()
    style, content = torch.randn(2, 1, 4, 10, 12, dtype=torch.float64).unbind()
    torch.testing.assert_close(transport(style, recorder, then), then(style))
    vector = recorder.vector(slots.size)
    torch.testing.assert_close(transport(content, vector, then), then(transport(content, vector, same(4))))


def test_transport_gives_the_mean_and_covariance_of_the_style() -> None:
    torch.manual_seed(0)
    slots, mix = Slots(), torch.randn(2, 5, 5, dtype=torch.float64)
    slots.take(3)
    transport = Transport(5, slots, ridge=1e-9, least=1e-9)
    content = (mix[0] @ torch.randn(1, 5, 600, dtype=torch.float64) + 2).view(1, 5, 20, 30)
    style = (mix[1] @ torch.randn(1, 5, 400, dtype=torch.float64) - 1).view(1, 5, 20, 20)
    recorder = Recorder()
    assert torch.equal(transport(style, recorder, same(5)), style)
    found = transport(content, recorder.vector(slots.size), same(5)).flatten(2)[0]
    torch.testing.assert_close(found.mean(1), style.mean((0, 2, 3)), atol=1e-6, rtol=0)
    expected = torch.cov(style[0].flatten(1), correction=0)
    torch.testing.assert_close(torch.cov(found, correction=0), expected, atol=1e-3, rtol=1e-3)


def test_transport_to_itself_changes_nothing() -> None:
    torch.manual_seed(0)
    slots, x = Slots(), torch.randn(1, 4, 9, 11, dtype=torch.float64)
    transport, recorder = Transport(4, slots), Recorder()
    transport(x, recorder, same(4))
    # The ridge is on both sides, but not quite the same.
    torch.testing.assert_close(transport(x, recorder.vector(slots.size), same(4)), x, atol=0.02, rtol=0)


def test_in_mixed_precision_roots_keep_their_digits_and_the_picture_stays() -> None:
    torch.manual_seed(0)
    network = Quarter(8, 8, 1, 2, "lite").eval()
    content, style = torch.rand(2, 1, 3, 12, 12).unbind()
    content, style = (F.interpolate(x, scale_factor=8, mode="bicubic").clamp(0, 1) for x in (content, style))
    made = []
    for enabled in (False, True):
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            made.append(network(content, network.moments(style)).float())
    full, half = made
    assert 0 < (full - half).square().mean().sqrt() < 0.01
    with torch.autocast("cpu", torch.bfloat16):
        loss = network(content, network.moments(style)).float().square().mean()
    loss.backward()
    assert all(p.grad.isfinite().all() for p in network.parameters() if p.grad is not None)


def test_products_of_halves_are_nearer_than_halves_can_say() -> None:
    torch.manual_seed(0)
    x = torch.einsum("ij,bjhw->bihw", torch.randn(6, 6), torch.randn(2, 6, 24, 32)).bfloat16()
    expected = products(x.double())
    rounded = (expected.bfloat16() - expected).norm()
    for layout in (torch.contiguous_format, torch.channels_last):
        found = products(x.contiguous(memory_format=layout))
        assert found.dtype == torch.float32 and (found - expected).norm() < rounded / 3


@pytest.mark.parametrize(("height", "width"), [(4, 4), (12, 16), (64, 64), (300, 260)])
def test_products_have_no_negative_eigenvalues(height: int, width: int) -> None:
    generator = torch.Generator().manual_seed(0)
    few = torch.einsum("ij,bjhw->bihw", torch.randn(96, 3, generator=generator).abs(), torch.rand(1, 3, height, width))
    x = (few + 0.001 * torch.randn(1, 96, height, width, generator=generator)).bfloat16()  # as of a dark, plain picture
    with torch.autocast("cpu", torch.bfloat16):
        found = products(x)
    assert torch.linalg.eigvalsh(found.double()).min() > -1e-6 * found.norm()
    assert all(root.isfinite().all() for root in roots(found + 1e-4 * found.norm() * torch.eye(96), 3e-5))


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("value", [0.0, 0.5])
def test_a_flat_picture_stays_finite(value: float, half: bool) -> None:
    torch.manual_seed(0)
    network = Quarter(8, 8, 1, 0, "lite").eval()
    flat = torch.full((1, 3, 24, 40), value)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=half):
        vector = network.moments(torch.rand(1, 3, 32, 32))
        assert network(flat, vector).isfinite().all()
        assert network(torch.rand(1, 3, 24, 40), network.moments(flat)).isfinite().all()
        assert network(torch.rand(1, 3, 24, 40), network.plain_style()[None]).isfinite().all()


def test_whatever_the_numbers_they_stand_for_a_covariance() -> None:
    torch.manual_seed(0)
    slots = Slots()
    slots.take(3)
    transport, mix = Transport(5, slots), torch.randn(2, 5, 5)
    covariance = mix @ mix.mT + 0.5 * torch.eye(5)
    part = torch.cat([torch.randn(2, 5), covariance[:, transport._lower[0], transport._lower[1]]], 1)
    torch.testing.assert_close(transport.bounded(transport.unbounded(part)), part, atol=1e-4, rtol=1e-4)
    drawn = transport.bounded(2 * torch.randn(100, part.shape[1]))[:, 5:][:, transport.index]
    assert torch.linalg.eigvalsh(drawn.double()).min() > 0
    flat = transport.unbounded(torch.zeros(1, part.shape[1]))  # a plain painting's
    assert flat.isfinite().all()


@pytest.mark.parametrize("value", [-0.5, float("nan"), float("inf")])
def test_what_has_no_root_is_an_error_and_not_nan(value: float) -> None:
    matrices = torch.eye(4).expand(2, 4, 4).clone()
    matrices[1, 2, 2] = value
    with pytest.raises(InputError, match="has no root"):
        roots(matrices, 1e-3)


def test_the_front_sees_what_the_packaged_encoder_sees_and_is_never_trained() -> None:
    lite, picture = cast(VGG, load_encoder("lite")), torch.rand(2, 3, 64, 80)
    front = Front(front_widths(lite))
    front.copy_from(lite, picture)
    found, expected = (x[..., 3:-3, 3:-3] for x in (front(picture), lite(picture, ["relu3_1"])["relu3_1"]))
    torch.testing.assert_close(found * front.scale, expected, atol=1e-3 * float(front.scale), rtol=1e-3)
    assert found.square().mean() == pytest.approx(1, rel=0.2)
    assert not any(p.requires_grad for p in front.train().parameters())


def test_the_front_sees_no_border() -> None:
    lite = cast(VGG, load_encoder("lite"))
    front = Front(front_widths(lite))
    front.copy_from(lite, torch.rand(1, 3, 32, 32))
    found = front(torch.full((1, 3, 40, 24), 0.8))
    torch.testing.assert_close(found, found[..., :1, :1].expand_as(found), atol=1e-4, rtol=1e-4)


def test_a_style_that_learns_keeps_its_covariance() -> None:
    torch.manual_seed(0)
    slots = Slots()
    transport, recorder = Transport(4, slots), Recorder()
    transport(torch.randn(1, 4, 20, 20), recorder, same(4, torch.float32))
    style = recorder.vector(slots.size).requires_grad_()
    found = transport(torch.randn(1, 4, 9, 9, requires_grad=True), style, same(4, torch.float32))
    assert torch.autograd.grad(found.square().sum(), [style], allow_unused=True) == (None,)


def test_a_map_between_rounded_covariances_stays_near_to_that_between_exact_ones() -> None:
    """Some programs compute in bfloat16 what is given to them in float32."""
    torch.manual_seed(0)
    transport, turns = Transport(16, Slots()), torch.linalg.qr(torch.randn(2, 16, 16))[0]
    ours, theirs = (q @ torch.diag(torch.logspace(0, -6, 16)) @ q.T for q in turns)  # most directions hardly vary
    exact = transport._map(ours[None], theirs[None])
    rounded = transport._map(ours[None].bfloat16(), theirs[None].bfloat16())
    assert (rounded.float() - exact).abs().max() < 0.5 * exact.abs().max()
