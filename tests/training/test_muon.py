"""The optimizer of trainings."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from impasto.training import muon
from impasto.training.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(5, 20), (20, 5), (7, 7), (4, 1)])
def test_orthogonal_keeps_the_singular_vectors_and_evens_the_values(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    u, _, v = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    values = torch.logspace(0, -1.5, len(v))
    found = u.T @ orthogonal(u * values @ v) @ v.T
    diagonal = found.diagonal()
    assert float(diagonal.min()) > 0.5 and float(diagonal.max()) < 1.3
    torch.testing.assert_close(found - torch.diag(diagonal), torch.zeros_like(found), atol=1e-4, rtol=0)


def test_a_convolution_steps_as_long_as_adam_does_and_down() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(6, 8, 3)
    before = conv.weight.detach().clone()
    conv.weight.grad = torch.randn_like(conv.weight)
    Muon([conv.weight], lr=0.1).step()
    change = before - conv.weight.detach()
    assert 0.7 * 0.02 < float(change.square().mean().sqrt()) < 1.3 * 0.02
    assert float((change * conv.weight.grad).sum()) > 0


def test_steps_in_bfloat16_go_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = []
    for precision in ("fp32", "bf16"):
        torch.manual_seed(0)
        monkeypatch.setattr(muon, "resolve_precision", lambda precision=precision: precision)
        conv = nn.Conv2d(16, 24, 3, bias=False)
        before = conv.weight.detach().clone()
        conv.weight.grad = torch.randn_like(conv.weight)
        Muon([conv.weight], lr=0.1).step()
        steps.append((before - conv.weight.detach()).flatten())
    assert not torch.equal(*steps)
    assert float(torch.cosine_similarity(*steps, dim=0)) > 0.999
    assert steps[1].dtype == torch.float32 and float((steps[1].norm() / steps[0].norm() - 1).abs()) < 0.01


def test_matrices_are_turned_where_asked() -> None:
    torch.manual_seed(0)
    chosen, other = nn.Parameter(torch.zeros(6, 9)), nn.Parameter(torch.zeros(6, 9))
    optimizer = Muon([{"params": [chosen], "matrices": True}, {"params": [other]}], lr=1.0)
    chosen.grad = other.grad = torch.randn(6, 9)
    optimizer.step()
    values = torch.linalg.svdvals(chosen.detach()) / 0.6  # 0.2 sqrt(9)
    assert float(values.min()) > 0.6 and float(values.max()) < 1.3
    torch.testing.assert_close(other.detach(), -chosen.grad.sign(), atol=1e-4, rtol=0)


def test_everything_else_is_adams() -> None:
    torch.manual_seed(0)
    ours, theirs = (nn.ParameterList([torch.ones(3, 4), torch.ones(5), torch.ones(3, 2, 3, 3)]) for _ in range(2))
    mine = Muon(ours, lr=0.01, betas=(0.9, 0.99), weight_decay=0.1)
    adam = torch.optim.AdamW(theirs, lr=0.01, betas=(0.9, 0.99), weight_decay=0.1)
    for _ in range(5):
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn_like(a)
            b.grad = a.grad.clone()
        mine.step()
        adam.step()
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_it_goes_on_from_its_state() -> None:
    def run(stop: int) -> torch.Tensor:
        conv = nn.Conv2d(3, 4, 3)
        nn.init.constant_(conv.weight, 0.1)
        nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
        optimizer = Muon(conv.parameters(), lr=0.05)
        for step in range(6):
            if step == stop:
                state = optimizer.state_dict()
                optimizer = Muon(conv.parameters(), lr=0.01)
                optimizer.load_state_dict(state)
            torch.manual_seed(step)
            for p in conv.parameters():
                p.grad = torch.randn_like(p)
            optimizer.step()
        return conv.weight.detach()

    assert torch.equal(run(3), run(-1))
