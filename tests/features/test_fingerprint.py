"""Whatever changes an encoder's maps changes its fingerprint, and nothing else does."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import pytest
import torch
from torch import Tensor, nn

from impasto.features import ModuleEncoder
from impasto.features.fingerprint import fingerprint
from impasto.features.gray import GrayEncoder
from impasto.features.vgg import VGG


@pytest.mark.parametrize("change", [("padding", "circular"), ("pooling", "avg"), ("precision", "bf16"), ("name", "b")])
def test_a_choice_that_is_changed_later_counts(tiny: VGG, change: tuple[str, str]) -> None:
    network = copy.deepcopy(tiny)
    before = fingerprint(network), fingerprint(GrayEncoder(network))
    assert before == (fingerprint(tiny), fingerprint(GrayEncoder(tiny))) and before[0] != before[1]
    setattr(network, *change)
    assert fingerprint(network) != before[0]
    assert fingerprint(GrayEncoder(network)) != before[1]


def module(weight: float, **options: object) -> ModuleEncoder:
    network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU())
    for parameter in network.parameters():
        nn.init.constant_(parameter, weight)
    return ModuleEncoder(network, {"a": "0", "b": "1"}, **options)  # type: ignore[arg-type]


def test_modules_of_one_name_are_told_apart() -> None:
    encoders = [module(0.5), module(0.25), module(0.5, mean=(0.5,)), module(0.5, std=(2.0,))]
    encoders.append(ModuleEncoder(encoders[0].network, {"a": "1", "b": "0"}))
    assert len({fingerprint(e) for e in encoders}) == len(encoders)
    assert fingerprint(encoders[0]) == fingerprint(module(0.5))


def test_an_encoder_that_cannot_tell_is_like_no_other() -> None:
    class Plain:
        name, layers = "plain", ("a",)

        def __call__(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
            return {"a": torch.zeros(1)}

    assert fingerprint(Plain()) != fingerprint(Plain())
