"""Statistics by hand, their gradients, and that they add up over positions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from impasto.objective import Statistic, Style
from impasto.objective.statistics import Gram, Moments, Wasserstein, _TraceOfRoot, gram


def random_maps(seed: int, height: int = 6, width: int = 8, channels: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mix = torch.rand(channels, channels, generator=generator, dtype=torch.float64)
    maps = torch.rand(1, channels, height, width, generator=generator, dtype=torch.float64)
    return torch.einsum("ij,bjhw->bihw", mix, maps)


def covariance(maps: Tensor) -> Tensor:
    return torch.cov(maps[0].flatten(1), correction=0)


def root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return vectors * values.clamp_min(0).sqrt() @ vectors.T


def test_moments_by_hand() -> None:
    x = torch.tensor([[1.0, 3.0], [2.0, 2.0]], dtype=torch.float64)[None, :, None]  # means 2, 2; deviations 1, 0
    a = torch.tensor([[0.0, 0.0], [1.0, 5.0]], dtype=torch.float64)[None, :, None]  # means 0, 3; deviations 0, 2
    statistic = Moments()
    found = statistic.distance_to(statistic.measure(a).mean())(statistic.measure(x).mean())
    assert found.item() == pytest.approx(((4 + 1) + (1 + 4)) / 2, rel=1e-3)


def test_wasserstein_equals_the_formula() -> None:
    x, a = random_maps(0), random_maps(1)
    statistic = Wasserstein(variance=1.0)
    found = statistic.distance_to(statistic.measure(a).mean())(statistic.measure(x).mean())
    sx, sa = covariance(x), covariance(a)
    half = root(sa)
    means = (x.mean((2, 3)) - a.mean((2, 3))).square().sum()
    expected = (means + (sx + sa - 2 * root(half @ sx @ half)).trace()) / 4
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)


def test_wasserstein_of_two_gaussians_along_one_axis_by_hand() -> None:
    x = torch.tensor([[1.0, 3.0]], dtype=torch.float64)[None, :, None]  # mean 2, deviation 1
    a = torch.tensor([[0.0, 8.0]], dtype=torch.float64)[None, :, None]  # mean 4, deviation 4
    statistic = Wasserstein()
    found = statistic.distance_to(statistic.measure(a).mean())(statistic.measure(x).mean())
    assert found.item() == pytest.approx((2 - 4) ** 2 + (1 - 4) ** 2)


def test_the_trace_of_a_root_has_the_right_gradient_also_where_eigenvalues_are_equal_or_zero() -> None:
    torch.manual_seed(0)
    a = torch.randn(2, 4, 6, dtype=torch.float64)
    matrix = (a @ a.mT).requires_grad_()
    assert torch.autograd.gradcheck(lambda m: _TraceOfRoot.apply((m + m.mT) / 2), matrix)
    flat = torch.zeros(1, 3, 3, requires_grad=True)
    equal = torch.eye(3)[None].requires_grad_()
    for m, expected in ((equal, 0.5 * torch.eye(3)[None]), (flat, None)):
        (gradient,) = torch.autograd.grad(_TraceOfRoot.apply(m).sum(), m)
        assert gradient.isfinite().all()
        if expected is not None:
            torch.testing.assert_close(gradient, expected)


def test_wasserstein_with_fewer_positions_than_channels() -> None:
    x, a = random_maps(2, 2, 3, 9), random_maps(3, 2, 2, 9)
    x.requires_grad_()
    statistic = Wasserstein()
    loss = statistic.distance_to(statistic.measure(a).mean())(statistic.measure(x).mean()).sum()
    (gradient,) = torch.autograd.grad(loss, x)
    assert loss > 0 and gradient.isfinite().all()


every_statistic = pytest.mark.parametrize("statistic", [Gram(), Wasserstein(), Moments()], ids=repr)


@every_statistic
def test_a_statistic_passes_gradcheck(statistic: Statistic) -> None:
    target = statistic.measure(random_maps(5)).mean()
    x = random_maps(6).requires_grad_()
    weights = torch.rand(1, 1, 6, 8, dtype=torch.float64) + 0.1
    distance = statistic.distance_to(target)
    assert torch.autograd.gradcheck(lambda f: distance(statistic.measure(f, weights).mean()), x)


@every_statistic
def test_a_statistic_adds_up_over_tiles_and_weighs_positions(statistic: Statistic) -> None:
    f = random_maps(7)
    tiles = statistic.measure(f[..., :3]) + statistic.measure(f[..., 3:])
    torch.testing.assert_close(tiles.mean(), statistic.measure(f).mean())
    left = torch.zeros(1, 1, 6, 8, dtype=torch.float64)
    left[..., :3] = 1
    torch.testing.assert_close(statistic.measure(f, left).mean(), statistic.measure(f[..., :3]).mean())


@every_statistic
def test_a_statistic_is_the_same_in_both_memory_layouts(statistic: Statistic) -> None:
    f = random_maps(8)
    other = f.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(statistic.measure(other).total, statistic.measure(f).total)


@every_statistic
def test_the_distance_from_itself_is_0_and_of_zeros_the_energy(statistic: Statistic) -> None:
    f = random_maps(9)
    target = statistic.measure(f).mean()
    term = Style({"l": target}, {"l": 1.0}, "relative", statistic)
    assert term(f, {"l": f}).item() == pytest.approx(0, abs=2e-3)
    assert term(f, {"l": torch.zeros_like(f)}).item() == pytest.approx(1, rel=1e-3)


@every_statistic
def test_a_mask_restricts_a_style_to_its_region(statistic: Statistic) -> None:
    f = random_maps(10, 8, 8)
    mask = torch.zeros(1, 1, 32, 32, dtype=torch.float64)
    mask[..., 16:] = 1
    target = statistic.measure(random_maps(11)).mean()
    term = Style({"l": target}, {"l": 1.0}, "relative", statistic, mask)
    other = f.clone()
    other[..., :4] = 0.3
    torch.testing.assert_close(term(f, {"l": f}), term(f, {"l": other}))
    whole = Style({"l": target}, {"l": 1.0}, "relative", statistic)
    torch.testing.assert_close(term(f, {"l": f}), whole(f, {"l": f[..., 4:]}))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_gradient_of_a_gram_matrix_has_the_layout_of_the_map(layout: torch.memory_format) -> None:
    maps = random_maps(0).contiguous(memory_format=layout).requires_grad_()
    torch.manual_seed(0)
    weight = torch.randn(1, 4, 4, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((gram(maps).total * weight).sum(), maps)
    assert gradient.is_contiguous(memory_format=layout)
    rows = maps.detach().flatten(2)[0]
    expected = (weight[0] + weight[0].T) @ rows
    torch.testing.assert_close(gradient[0].flatten(1), expected)
