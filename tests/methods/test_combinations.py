"""Anything combines: every control with every other, at tiny size, as one objective."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from impasto.methods.regions import Region, StyleImage
from impasto.methods.settings import StylizeSettings
from impasto.methods.stylize import stylize
from impasto.pictures.color import chroma

CONTENT = torch.rand(1, 3, 40, 36, generator=torch.Generator().manual_seed(1))
STYLES = [torch.rand(1, 3, 36, 44, generator=torch.Generator().manual_seed(s)) for s in (2, 3)]
LEFT = torch.cat([torch.ones(1, 1, 40, 18), torch.zeros(1, 1, 40, 18)], 3)
MAP = torch.cat([torch.ones(1, 3, 20, 36), torch.zeros(1, 3, 20, 36)], 2)

#: Control -> settings, or what it does to regions and arguments.
CONTROLS: dict[str, dict[str, object]] = {
    "gram": {"style_loss": "gram"},
    "wasserstein": {"style_loss": "wasserstein"},
    "moments": {"style_loss": "moments"},
    "patches": {"style_loss": "patches"},
    "nearest": {"style_loss": "nearest"},
    "two styles": {"styles": 2},
    "masks": {"masks": True},
    "untouched": {"untouched": True},
    "semantic": {"semantic": True},
    "luminance": {"color": "content-luminance"},
    "histogram": {"color": "histogram"},
    "match": {"color": "content-match", "color_form": "symmetric"},
    "scales of style": {"style_scales": (0.75, 1.5)},
    "rotations": {"style_rotations": (0.0, 90.0)},
    "dream": {"dream": "relu2_1:1", "dream_weight": 0.1},
    "octaves": {"scales": 2, "scale_factor": 1.5},
    "adam averaged": {"optimizer": "adam", "rate": 0.01, "average": 0.9},  # on five levels, of so small a picture
    "tv": {"tv_weight": 0.1, "tv": "power", "tv_gamma": 0.7},
    "noise": {"init": "noise"},
}


def run(tiny, *names: str) -> Tensor:  # type: ignore[no-untyped-def]
    chosen = {k: v for name in names for k, v in CONTROLS[name].items()}
    flags = {k: chosen.pop(k, None) for k in ("styles", "masks", "untouched", "semantic")}
    settings = StylizeSettings(
        size=40, steps=3, style_layers=("relu1_1", "relu2_1"), content_layers=("relu2_2",), **chosen
    )
    guide = MAP if flags["semantic"] else None
    style_map = None if guide is None else MAP.flip(2)
    images = [StyleImage(s, guide=style_map) for s in STYLES[: 2 if flags["styles"] or flags["masks"] else 1]]
    regions = [Region([images[0]], LEFT), Region(images[1:])] if flags["masks"] else [Region(images)]
    if flags["untouched"]:
        regions = [*regions, Region([], 1 - LEFT)]
    steps = list(stylize(tiny, CONTENT, regions, settings, guide=guide))
    last = [step.loss for step in steps if step.scale == steps[-1].scale]
    assert last[-1] < last[0]
    return steps[-1].image()


#: Those that do not set the same thing.
PAIRS = [(a, b) for a, b in itertools.combinations(CONTROLS, 2) if not CONTROLS[a].keys() & CONTROLS[b].keys()]


@pytest.mark.parametrize("pair", PAIRS, ids=" + ".join)
def test_two_controls_work_together(tiny, pair: tuple[str, str]) -> None:  # type: ignore[no-untyped-def]
    image = run(tiny, *pair)
    assert image.shape == CONTENT.shape and image.isfinite().all() and image.min() >= 0 and image.max() <= 1 + 1e-6
    if "luminance" in pair:
        torch.testing.assert_close(chroma(image), chroma(CONTENT), atol=1e-5, rtol=0)
    if "untouched" in pair:
        torch.testing.assert_close(image[..., 20:], CONTENT[..., 20:])


def test_all_at_once_as_one_objective(tiny) -> None:  # type: ignore[no-untyped-def]
    image = run(tiny, "wasserstein", "two styles", "masks", "semantic", "luminance", "dream", "octaves")
    torch.testing.assert_close(chroma(image), chroma(CONTENT), atol=1e-5, rtol=0)


@pytest.mark.parametrize("control", [c for c in CONTROLS if c not in ("gram", "rotations")])
def test_a_control_changes_the_picture(tiny, control: str) -> None:  # type: ignore[no-untyped-def]
    assert not torch.allclose(run(tiny, control), run(tiny, "gram"), atol=1e-4)


def test_rotations_change_what_is_matched(tiny) -> None:  # type: ignore[no-untyped-def]
    assert not torch.allclose(run(tiny, "patches", "rotations"), run(tiny, "patches"), atol=1e-4)
    assert not torch.allclose(run(tiny, "nearest", "rotations"), run(tiny, "nearest"), atol=1e-4)
