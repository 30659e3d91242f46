"""What ties a frame to others."""

from __future__ import annotations

import torch

from impasto.objective.temporal import Temporal, long_term


def test_the_term_is_the_papers() -> None:
    target, weights = torch.rand(1, 3, 4, 6), torch.rand(1, 1, 4, 6)
    image = torch.rand(1, 3, 4, 6, requires_grad=True)
    value = Temporal(target, weights)(image, {})
    assert torch.isclose(value, (weights * (image - target) ** 2).sum() / (3 * 4 * 6))
    (gradient,) = torch.autograd.grad(value, image)
    assert torch.allclose(gradient, 2 * weights * (image - target) / 72)


def test_it_moves_with_the_picture() -> None:
    term = Temporal(torch.rand(1, 3, 8, 8), torch.rand(1, 1, 8, 8))
    moved = term.displaced((1, -2), (8, 8))
    assert torch.equal(moved.target[..., 1:, :-2], term.target[..., :-1, 2:]) and moved.layers == ()


def test_nearer_frames_count_first() -> None:
    near, far = torch.tensor([1.0, 0.25, 0.0]), torch.tensor([1.0, 1.0, 0.5])
    found = long_term({4: far.view(1, 1, 1, 3), 1: near.view(1, 1, 1, 3)})
    assert found[1].flatten().tolist() == [1, 0.25, 0] and found[4].flatten().tolist() == [0, 0.75, 0.5]
