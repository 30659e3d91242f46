"""Frozen networks: torch's values and gradients, in a fraction of the memory."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from impasto.features import frozen, load_encoder
from impasto.features.encoder import streamed
from impasto.features.frozen import frozen_convolution, frozen_pool
from impasto.features.gray import GrayEncoder
from impasto.features.variants import TORCHVISION
from impasto.features.vgg import VGG
from impasto.objective import Content, Objective, Style, gram

LAYERS = ("relu1_1", "relu2_1", "relu3_1")


def network(precision: str = "fp32", pooling: str = "max") -> VGG:
    torch.manual_seed(0)
    found = VGG(((16, 16), (24, 24), (32, 32)), TORCHVISION, pooling=pooling)  # type: ignore[arg-type]
    found.precision = precision  # type: ignore[assignment]
    return found.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def kept_bytes(run: object) -> int:
    """Of different memory that is kept for a backward pass."""
    kept: dict[int, int] = {}

    def seen(x: Tensor) -> Tensor:
        storage = x.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return x

    with saved_tensors_hooks(seen, lambda x: x):
        result = run()  # type: ignore[operator]
    del result
    return sum(kept.values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_frozen_convolution_is_torchs_and_keeps_nothing(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(5, 7, 3, padding=1).requires_grad_(False)
    x = torch.randn(2, 5, 9, 8, dtype=dtype, requires_grad=True)
    weight = torch.randn(2, 7, 9, 8, dtype=dtype)
    expected = F.conv2d(x, conv.weight.to(dtype), conv.bias.to(dtype), padding=1)  # type: ignore[union-attr]
    torch.testing.assert_close(frozen_convolution(x, conv), expected)
    ours, theirs = (torch.autograd.grad((y * weight).sum(), x)[0] for y in (frozen_convolution(x, conv), expected))
    torch.testing.assert_close(ours, theirs)
    assert kept_bytes(lambda: frozen_convolution(x, conv)) == 0


def test_new_weights_are_seen_in_bfloat16() -> None:
    conv, x = nn.Conv2d(5, 7, 3, padding=1).requires_grad_(False), torch.rand(1, 5, 6, 6).bfloat16()
    before = frozen_convolution(x, conv)
    conv.load_state_dict({k: 2 * v for k, v in conv.state_dict().items()})
    torch.testing.assert_close(frozen_convolution(x, conv), 2 * before)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [(8, 6), (9, 7), (2, 3)])
def test_a_frozen_pool_is_torchs_with_equals_too_and_keeps_two_bytes_a_maximum(
    layout: torch.memory_format, dtype: torch.dtype, size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    x = torch.randint(-1, 3, (2, 3, *size)).to(dtype).contiguous(memory_format=layout).requires_grad_()
    ours, theirs = frozen_pool(x), F.max_pool2d(x, 2)
    assert torch.equal(ours, theirs)
    weight = torch.randn_like(theirs)
    gradients = [torch.autograd.grad(y, x, weight)[0] for y in (ours, theirs)]
    assert torch.equal(*gradients)
    assert kept_bytes(lambda: frozen_pool(x)) == 2 * theirs.numel()


def test_offsets_of_the_widest_rows_fit_and_wider_ones_are_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.zeros(1, 1, 2, frozen.WIDEST)
    x[..., 1, -1] = 1
    x.requires_grad_()
    assert torch.equal(torch.autograd.grad(frozen_pool(x).sum(), x)[0].nonzero()[-1], x.nonzero()[0])
    monkeypatch.setattr(frozen, "WIDEST", 6)
    assert kept_bytes(lambda: frozen_pool(torch.rand(1, 1, 4, 8, requires_grad=True))) > 2 * 8


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("pooling", ["max", "avg"])
def test_streamed_maps_are_those_of_a_call_and_so_are_gradients(precision: str, pooling: str) -> None:
    encoder, image = network(precision, pooling), torch.rand(1, 3, 42, 35, requires_grad=True)
    layers = (*LAYERS, "conv1_2", "pool2")
    called, found = encoder(image, layers), dict(streamed(encoder, image, layers))
    assert [*found] == [n for n in encoder.layers if n in layers]
    assert all(torch.equal(called[n], m.to(image)) for n, m in found.items())
    assert {m.dtype for m in found.values()} == {torch.bfloat16 if precision == "bf16" else torch.float32}
    gradients = [
        torch.autograd.grad(sum(m.float().square().sum() for m in x.values()), image)[0] for x in (called, found)
    ]  # type: ignore[union-attr]
    # What comes together at a map is added in another order.
    torch.testing.assert_close(*gradients, rtol=0.02 if precision == "bf16" else 1e-4, atol=0.02)


def test_networks_that_are_trained_or_padded_in_a_circle_are_streamed_as_they_are_called() -> None:
    encoder, image = network("bf16"), torch.rand(1, 3, 32, 32)
    encoder.padding = "circular"
    found = dict(streamed(encoder, image, LAYERS))
    assert all(torch.equal(m, found[n].float()) for n, m in encoder(image, LAYERS).items())
    weights = network().requires_grad_()
    total = torch.stack([m.sum() for _, m in streamed(weights, image, LAYERS)]).sum()
    total.backward()
    assert weights.convs["conv1_1"].weight.grad.count_nonzero()  # type: ignore[union-attr]


def test_gray_encoders_stream() -> None:
    encoder, image = GrayEncoder(network()), torch.rand(1, 3, 32, 32)
    assert all(torch.equal(m, encoder(image, LAYERS)[n]) for n, m in streamed(encoder, image, LAYERS))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_an_objective_is_that_of_whole_maps_and_keeps_less(precision: str) -> None:
    torch.manual_seed(0)
    encoder = load_encoder("lite", precision=precision)
    content, style = torch.rand(1, 3, 64, 48), torch.rand(1, 3, 50, 50)
    image = torch.rand(1, 3, 64, 48, requires_grad=True)
    with torch.no_grad():
        targets = {n: gram(m).mean() for n, m in encoder(style, LAYERS).items()}
        maps = encoder(content, ["relu3_2"])
    terms = [Style(targets, dict.fromkeys(LAYERS, 0.3), "relative"), Content(maps, {"relu3_2": 1.0}, "relative")]

    def called() -> Tensor:
        features = encoder(image, (*LAYERS, "relu3_2"))
        return torch.stack([3 * terms[0](image, features), terms[1](image, features)]).sum()

    goal = Objective(encoder, [(3.0, terms[0]), (1.0, terms[1])])
    ours, theirs = (torch.autograd.grad(loss, image)[0].flatten() for loss in (goal(image)[0], called()))
    assert torch.cosine_similarity(ours, theirs, dim=0) > (0.999 if precision == "bf16" else 1 - 1e-6)
    assert goal(image)[0].item() == pytest.approx(called().item(), rel=1e-5)
    assert kept_bytes(lambda: goal(image)) < (0.5 if precision == "bf16" else 0.8) * kept_bytes(called)
