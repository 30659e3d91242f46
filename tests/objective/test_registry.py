"""A style loss of one's own is an entry, and from then on one of the names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from impasto.errors import InputError
from impasto.features.vgg import VGG
from impasto.methods.regions import StyleImage
from impasto.methods.settings import StylizeSettings
from impasto.methods.stylize import stylize
from impasto.methods.targets import style_targets
from impasto.methods.texture import TextureSettings
from impasto.objective import STYLE_LOSSES, StyleLoss, Sum, style_loss
from impasto.objective.cache import StatisticsCache
from impasto.objective.matching import Matching
from impasto.objective.statistics import Distance


class Skew:
    """Means of cubes, as a user would write it."""

    default_layers = ("relu1_2", "relu2_1")

    def measure(self, features: Tensor, weights: Tensor | None = None) -> Sum:
        weights = torch.ones_like(features[:, :1]) if weights is None else weights.expand_as(features[:, :1])
        return Sum((features**3 * weights).sum((2, 3)), weights.sum((1, 2, 3)))

    def distance_to(self, target: Tensor) -> Distance:
        return lambda value: (value - target).square().mean(1)

    def energy(self, target: Tensor) -> Tensor:
        return target.square().mean(1)


def test_a_statistic_of_one_s_own_is_used_by_its_name(monkeypatch: pytest.MonkeyPatch, tiny: VGG) -> None:
    with pytest.raises(InputError, match="unknown style loss 'skew'"):
        StylizeSettings(style_loss="skew")
    monkeypatch.setitem(STYLE_LOSSES, "skew", Skew)
    assert "skew" in STYLE_LOSSES and "skew" in list(STYLE_LOSSES)
    settings = StylizeSettings(size=24, style_loss="skew", content_layers=("relu2_1",), steps=6, scales=1)
    TextureSettings(style_loss="skew")
    assert settings.resolved("tiny").style_layers == ("relu1_2", "relu2_1") == Skew.default_layers
    assert StylizeSettings().changed(style_loss="skew").resolved("tiny").style_layers == Skew.default_layers
    content, style = torch.rand(2, 1, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    losses = [step.losses["style"] for step in stylize(tiny, content, style**3, settings)]
    assert losses[-1] < 0.5 * losses[0]


@dataclass(frozen=True)
class Powers(Skew):
    """Means of powers."""

    power: int

    def measure(self, features: Tensor, weights: Tensor | None = None) -> Sum:
        return Sum((features**self.power).sum((2, 3)), torch.full((1,), float(features[0, 0].numel())))


def test_what_is_kept_of_one_statistic_is_not_taken_for_another_s(
    monkeypatch: pytest.MonkeyPatch, tiny: VGG, tmp_path: Path
) -> None:
    picture = torch.rand(1, 3, 24, 24)
    for power in (1, 2, 1):
        monkeypatch.setitem(STYLE_LOSSES, "powers", Powers(power))
        settings = StylizeSettings(style_loss="powers", style_layers=("relu1_1",))
        found = style_targets(tiny, [StyleImage(picture)], 24, settings, cache=StatisticsCache(tmp_path))
        expected = (tiny(picture, ["relu1_1"])["relu1_1"] ** power).mean((2, 3))
        torch.testing.assert_close(found["relu1_1"], expected)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_matching_of_one_s_own_too_and_the_usual_layers_if_it_names_none(
    monkeypatch: pytest.MonkeyPatch, tiny: VGG
) -> None:
    monkeypatch.setitem(STYLE_LOSSES, "wide", Matching(5, 1, True))
    assert style_loss("wide").default_layers == style_loss("gram").default_layers
    assert all(isinstance(style_loss(name), StyleLoss) for name in STYLE_LOSSES)
    chosen = StylizeSettings(size=24, style_loss="wide", content_layers=("relu2_1",), steps=2, scales=1)
    settings = chosen.changed(style_layers=("relu2_1",), content_weight=0.0)
    content, style = torch.rand(2, 1, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    losses = [step.losses["style"] for step in stylize(tiny, content, style, settings)]
    assert losses[-1] < losses[0]
