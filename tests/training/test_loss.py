"""The objective that networks are trained for."""

from __future__ import annotations

import math

import pytest
import torch

from impasto.features.encoder import Encoder
from impasto.training.loss import LossSettings, shown


def test_what_is_measured_of_paintings_is_what_the_terms_want(lite: Encoder) -> None:
    paintings = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    plain, fine = LossSettings(spectrum_weight=0.0), LossSettings(spectrum_weight=2.0)
    assert plain.measured(lite, paintings).keys() == set(plain.style_layers)
    targets = fine.measured(lite, paintings)
    assert targets.keys() == {*fine.style_layers, "spectrum"}
    parts = fine.objective(lite, paintings, targets)(paintings)[1]
    assert parts["spectrum"].item() < 1e-6 and parts["style"].item() < 1e-6
    halved = fine.objective(lite, paintings, targets)(0.5 * paintings)[1]["spectrum"].item()
    assert halved == pytest.approx(2 * math.log(4) ** 2, rel=0.05)


def test_the_loss_sees_what_a_screen_shows_and_finds_a_way_back() -> None:
    x = torch.tensor([-1.0, 0.25, 3.0], requires_grad=True)
    seen = shown(x)
    torch.testing.assert_close(seen, torch.tensor([-0.1, 0.25, 1.2]))
    assert torch.autograd.grad(seen.sum(), x)[0].tolist() == pytest.approx([0.1, 1.0, 0.1])
