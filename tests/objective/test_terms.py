"""Losses by hand, analytic gradients, and that statistics add up."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from impasto.errors import InputError
from impasto.objective import Content, Objective, Style, TotalVariation, gram

IMAGE = torch.zeros(1, 3, 2, 2)


def maps(values: list[list[float]]) -> Tensor:
    """Channels as rows, positions in a line: `(1, C, 1, M)`."""
    return torch.tensor(values, dtype=torch.float64)[None, :, None]


F_ = maps([[1, 2, 0], [0, 1, 3]])
P_ = maps([[0, 2, 1], [1, 1, 1]])
# Σ (F−P)² = 1 + 0 + 1 + 1 + 0 + 4 = 7, N = 2, M = 3.
# F Fᵀ = [[5, 2], [2, 10]], P Pᵀ = [[5, 3], [3, 3]], difference [[0, −1], [−1, 7]]: Σ of squares 51.


@pytest.mark.parametrize(
    ("convention", "expected"),
    [("kitov", 7 / 6), ("gatys", 7 / 2), ("mlrg", 7 / (2 * 6)), ("johnson", 7 / 6), ("relative", 7 / 8)],
)
def test_content_loss_by_hand(convention: str, expected: float) -> None:
    term = Content({"l": P_}, {"l": 1.0}, convention)
    assert term(IMAGE, {"l": F_}).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("convention", "expected"),
    [
        ("kitov", 51 / 9 / 4),
        ("gatys", 51 / (4 * 4 * 9)),
        ("johnson", 51 / (2 * 3) ** 2),
        ("relative", 51 / (25 + 9 + 9 + 9)),
    ],
)
def test_style_loss_by_hand(convention: str, expected: float) -> None:
    term = Style({"l": gram(P_).mean()}, {"l": 1.0}, convention)
    assert term(IMAGE, {"l": F_}).item() == pytest.approx(expected, rel=1e-5)


def test_the_analytic_gradients_of_gatys() -> None:
    torch.manual_seed(0)
    before = torch.randn(1, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    f = before.relu()
    target = torch.rand(1, 3, 4, 5, dtype=torch.float64)
    (found,) = torch.autograd.grad(
        Content({"l": target}, {"l": 1.0}, "gatys")(IMAGE, {"l": f}), before, retain_graph=True
    )
    torch.testing.assert_close(found, (f - target) * (before > 0))
    a = gram(target)
    (found,) = torch.autograd.grad(Style({"l": a.mean()}, {"l": 1.0}, "gatys")(IMAGE, {"l": f}), before)
    rows = f.flatten(2)
    expected = ((rows @ rows.mT - a.total) @ rows / (3**2 * 20**2)).view_as(f) * (before > 0)
    torch.testing.assert_close(found, expected)


def test_gram_passes_gradcheck() -> None:
    f = torch.randn(2, 3, 2, 4, dtype=torch.float64, requires_grad=True)
    weights = torch.rand(1, 1, 2, 4, dtype=torch.float64) + 0.1
    assert torch.autograd.gradcheck(lambda x: gram(x, weights).mean(), f)
    assert torch.autograd.gradcheck(lambda x: gram(x).mean(), f)
    rows = f.detach().flatten(2)
    torch.testing.assert_close(gram(f.detach()).mean(), rows @ rows.mT / 8)


def test_gram_adds_up_over_tiles_and_weights_positions() -> None:
    f = torch.rand(1, 4, 6, 8, dtype=torch.float64)
    whole, tiles = gram(f), gram(f[..., :3]) + gram(f[..., 3:])
    torch.testing.assert_close(tiles.mean(), whole.mean())
    left = torch.zeros(1, 1, 6, 8, dtype=torch.float64)
    left[..., :3] = 1
    torch.testing.assert_close(gram(f, left).mean(), gram(f[..., :3]).mean())


@pytest.mark.parametrize(
    ("kind", "gamma", "expected"),
    [("squared", 1.0, 1 + 4 + 9 + 4), ("absolute", 1.0, 1 + 2 + 3 + 2), ("power", 0.5, math.sqrt(10))],
)
def test_total_variation_by_hand(kind: str, gamma: float, expected: float) -> None:
    # [[0, 1], [3, 5]] in one color: dx = 1 and 2, dy = 3 and 4; the corner (0, 0) has both: 1² + 3².
    image = torch.zeros(1, 3, 2, 2, dtype=torch.float64)
    image[0, 0] = torch.tensor([[0.0, 1.0], [3.0, 5.0]])
    if kind != "power":
        expected += {"squared": 16 - 4, "absolute": 4 - 2}[kind]
    found = TotalVariation(kind, gamma)(image, {})  # type: ignore[arg-type]
    assert found.item() * 4 == pytest.approx(expected, rel=1e-3)


def test_total_variation_of_a_flat_picture_has_a_finite_gradient() -> None:
    image = torch.full((1, 3, 4, 4), 0.5, requires_grad=True)
    TotalVariation("power", 0.25)(image, {}).backward()
    assert image.grad is not None and image.grad.isfinite().all()


def test_an_objective_runs_the_encoder_once_and_its_parts_sum_to_the_loss(tiny) -> None:  # type: ignore[no-untyped-def]
    asked: list[set[str]] = []

    def encoder(images: Tensor, layers: set[str]) -> dict[str, Tensor]:
        asked.append(set(layers))
        return tiny(images, layers)  # type: ignore[no-any-return]

    image, other = torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16)
    found = tiny(other, ["relu1_2", "relu2_1"])
    content = Content({"relu2_1": found["relu2_1"]}, {"relu2_1": 1.0})
    style = Style({n: gram(m).mean() for n, m in found.items()}, {n: 0.5 for n in found})
    goal = Objective(encoder, [(2.0, content), (3.0, style), (0.0, TotalVariation())])  # type: ignore[arg-type]
    loss, parts = goal(image)
    assert asked == [{"relu1_2", "relu2_1"}]
    assert set(parts) == {"content", "style"}
    torch.testing.assert_close(sum(parts.values()), loss)


def test_relative_losses_of_a_batch_are_the_mean_of_each_alone() -> None:
    torch.manual_seed(0)
    x, p = torch.rand(2, 4, 6, 6, dtype=torch.float64), torch.rand(2, 4, 6, 6, dtype=torch.float64)
    p[1] *= 10
    targets = gram(p).mean()
    for made in (
        lambda i: Content({"l": p[i]}, {"l": 1.0}, "relative"),
        lambda i: Style({"l": targets[i]}, {"l": 1.0}, "relative"),
        lambda i: Style({"l": targets[i]}, {"l": 1.0}, "relative", soft=True),
    ):
        both, alone = made(slice(None)), [made(slice(i, i + 1)) for i in range(2)]
        apart = [t(x[i : i + 1], {"l": x[i : i + 1]}) for i, t in enumerate(alone)]
        torch.testing.assert_close(both(x, {"l": x}), torch.stack(apart).mean())


def test_a_soft_style_counts_far_ones_less() -> None:
    torch.manual_seed(0)
    x, target = 5 * torch.rand(1, 4, 6, 6), gram(torch.rand(1, 4, 6, 6)).mean()
    hard = Style({"l": target}, {"l": 2.0}, "relative")(x, {"l": x})
    soft = Style({"l": target}, {"l": 2.0}, "relative", soft=True)(x, {"l": x})
    torch.testing.assert_close(soft, 2 * (hard / 2).log1p())


def test_a_content_stays_where_its_features_were_measured() -> None:
    content = Content({"l": torch.rand(1, 2, 4, 4)}, {"l": 1.0})
    assert content.displaced((0, 0), (8, 8)) is content
    with pytest.raises(InputError, match=r"do not move by \(1, 0\): choose jitter 0"):
        content.displaced((1, 0), (8, 8))
