"""Steadiness: what counts, and what a training does with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from impasto.features.encoder import Encoder
from impasto.networks.conditioning import Grain
from impasto.networks.quarter import Quarter
from impasto.networks.styled import AnyStyle
from impasto.training.anystyle import AnyStyleTask
from impasto.training.loop import TrainSettings, sample, train
from impasto.training.loss import LossSettings
from impasto.training.steady import FURTHEST, Moved, SteadyGoal, moved, painted_twice


def plain(pictures: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    return pictures.mean(), {"mean": pictures.mean()}


def steadiness(network: nn.Module, by: tuple[int, int]) -> float:
    torch.manual_seed(0)
    images = torch.rand(2, 3, 64, 64)
    both = painted_twice(network, network, images, Moved(images[..., by[0] :, by[1] :], by))
    assert both.shape == (4, 3, 64, 64)
    total, parts = SteadyGoal(plain, 2.0)(both)
    torch.testing.assert_close(total, parts["mean"] + parts["steady"])
    return parts["steady"].item()


class Cells(nn.Module):
    """Paints each cell of 4×4 in its mean."""

    def forward(self, images: Tensor) -> Tensor:
        small = nn.functional.avg_pool2d(images, 4, ceil_mode=True)
        return small.repeat_interleave(4, 2).repeat_interleave(4, 3)[..., : images.shape[2], : images.shape[3]]


@pytest.mark.parametrize("by", [(1, 0), (3, 16), (16, 16)])
def test_what_paints_every_place_alike_is_steady(by: tuple[int, int]) -> None:
    assert steadiness(nn.Identity(), by) == 0
    assert steadiness(nn.Conv2d(3, 3, 5, padding=2), by) < 1e-12


@pytest.mark.parametrize(("by", "still"), [((4, 0), True), ((8, 12), True), ((1, 0), False), ((4, 6), False)])
def test_cells_are_steady_from_cell_to_cell_only(by: tuple[int, int], still: bool) -> None:
    assert steadiness(Cells(), by) == 0 if still else steadiness(Cells(), by) > 1e-3


def test_grain_begins_anew_in_each_step_and_goes_along() -> None:
    grain = nn.Sequential(Grain(3, 1)).train()
    assert steadiness(grain, (5, 2)) < 1e-12
    still = nn.Sequential(Grain(3, 8)).train()  # a map of single pixels that calls them cells of 8
    assert steadiness(still, (5, 2)) > 1e-3
    assert isinstance(grain[0], Grain) and grain[0].origin == (0, 0)


def test_a_batch_moves_by_its_number_and_never_by_nothing() -> None:
    images = torch.rand(1, 3, 40, 40)
    found = [moved(images, 0, number) for number in range(-20, 60)]
    assert torch.equal(found[3].images, moved(images, 0, -17).images)
    places = {m.by for m in found}
    assert len(places) > 60 and (0, 0) not in places
    assert all(0 <= n <= FURTHEST for place in places for n in place)
    for one in found:
        down, right = one.by
        assert (one.images - images[..., down:, right:]).abs().max() < 0.06
    assert any(not torch.equal(m.images, images[..., m.by[0] :, m.by[1] :]) for m in found)


def test_a_training_looks_at_steadiness_and_samples_show_pictures_once(lite: Encoder, paintings: list[Path]) -> None:
    torch.manual_seed(0)
    network = AnyStyle(Quarter(8, 8, 1, 2))
    loss = LossSettings(content_layers=("relu3_1",), style_layers=("relu1_1",), steady=50.0)
    task = AnyStyleTask(network, [], paintings, ([], paintings), lite, loss, batch=2, side=64, window=2)
    (step,) = train(task, TrainSettings(steps=1, held_out_batches=1))
    assert step.losses["steady"] > 0 and step.held_out is not None and step.held_out["steady"] > 0
    images, made = sample(task, step.network())
    assert images is not None and images.shape == made.shape == (2, 3, 56, 56)
