"""Winograd convolutions: the same as torch's, or not used."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from impasto.features import fastconv
from impasto.features.variants import TORCHVISION
from impasto.features.vgg import VGG


def convolution(inputs: int = 64, outputs: int = 96) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(inputs, outputs, 3, padding=1).requires_grad_(False)


@pytest.fixture
def nnpack() -> None:
    if not (hasattr(torch, "_nnpack_available") and torch._nnpack_available()):
        pytest.skip("this build of torch has no NNPACK")


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_those_of_torch(nnpack: None, batch: int, layout: torch.memory_format) -> None:
    conv = convolution()
    x = torch.randn(batch, 64, 30, 41).contiguous(memory_format=layout).requires_grad_()
    weight = torch.randn(batch, 96, 30, 41)
    found = fastconv.winograd(x, conv)
    expected = conv(x)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    (ours,) = torch.autograd.grad((found * weight).sum(), x)
    (theirs,) = torch.autograd.grad((expected * weight).sum(), x)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_the_first_convolution_has_torchs_values_and_gradients(nnpack: None) -> None:
    conv, x = convolution(3, 64), torch.randn(1, 3, 30, 41, requires_grad=True)
    weight = torch.randn(1, 64, 30, 41)
    found, expected = fastconv.winograd(x, conv), conv(x)
    assert found.is_contiguous()
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    ours, theirs = (torch.autograd.grad((y * weight).sum(), x)[0] for y in (found, expected))
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [(8, 6), (9, 6), (8, 7), (5, 5)])
@pytest.mark.parametrize("ties", [False, True])
def test_pooling_has_torchs_values_and_gradients(size: tuple[int, int], ties: bool) -> None:
    torch.manual_seed(0)
    x = torch.randint(0, 3, (2, 3, *size)).float() if ties else torch.randn(2, 3, *size)
    x.requires_grad_()
    found, expected = fastconv.max_pool(x), F.max_pool2d(x, 2)
    assert torch.equal(found, expected)
    weight = torch.randn_like(found)
    ours, theirs = (torch.autograd.grad((y * weight).sum(), x)[0] for y in (found, expected))
    if ties:  # of equals another may be chosen, but always one
        assert torch.equal(ours.count_nonzero((-2, -1)), theirs.count_nonzero((-2, -1)))
        torch.testing.assert_close(ours.sum((-2, -1)), theirs.sum((-2, -1)))
    else:
        torch.testing.assert_close(ours, theirs)


def test_new_weights_are_seen(nnpack: None) -> None:
    conv, x = convolution(), torch.randn(1, 64, 30, 30)
    fastconv.winograd(x, conv)
    conv.load_state_dict({k: 2 * v for k, v in conv.state_dict().items()})
    torch.testing.assert_close(fastconv.winograd(x, conv), conv(x), atol=1e-3, rtol=1e-4)


def test_it_serves_only_what_it_is_good_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastconv, "available", lambda: True)
    x = torch.zeros(1, 64, 30, 30)
    assert fastconv.serves(x, convolution())
    assert not fastconv.serves(x.double(), convolution())
    assert not fastconv.serves(x[..., :20, :], convolution())
    assert fastconv.serves(x[:, :3], convolution(3, 64))
    assert not fastconv.serves(x[:, :3], convolution(3, 16))
    assert not fastconv.serves(x[:, :16], convolution(16, 96))
    assert not fastconv.serves(x, convolution().requires_grad_())
    monkeypatch.setattr(fastconv, "available", lambda: False)
    assert not fastconv.serves(x, convolution())


def test_where_it_is_missing_or_wrong_torch_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    for broken in (lambda *_: torch.zeros(1, 128, 64, 64), None):
        fastconv.available.cache_clear()
        if broken is None:
            monkeypatch.delattr(torch, "_nnpack_spatial_convolution", raising=False)
        else:
            monkeypatch.setattr(torch, "_nnpack_spatial_convolution", broken, raising=False)
        assert not fastconv.available()
    fastconv.available.cache_clear()


def test_a_wide_network_is_the_same_with_it_and_without(nnpack: None, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = VGG(((64, 64), (80,)), TORCHVISION).eval().requires_grad_(False)
    x = torch.rand(1, 3, 64, 50, requires_grad=True)
    results = []
    for chosen in (True, False):
        monkeypatch.setattr(fastconv, "available", lambda c=chosen: c)
        maps = network(x, ["conv1_2", "relu2_1"])
        (gradient,) = torch.autograd.grad(sum(m.square().sum() for m in maps.values()), x)
        results.append((maps, gradient))
    torch.testing.assert_close(results[0], results[1], atol=1e-3, rtol=1e-3)
