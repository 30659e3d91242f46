"""Textures from samples with transparent parts."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from impasto.features import load_encoder
from impasto.features.encoder import Encoder
from impasto.methods.settings import TextureSettings
from impasto.methods.texture import opaque_part, texture
from impasto.pictures.color import chroma

SETTINGS = TextureSettings(size=(32, 32), layers=("relu1_1", "relu2_1"), steps=2, scales=1)


def cut_out(alpha: Tensor) -> Tensor:
    sample = torch.rand(1, 3, 40, 60, generator=torch.Generator().manual_seed(0))
    return torch.cat([sample * alpha + 0.5 * (1 - alpha), alpha], 1)


def made(encoder: Encoder, sample: Tensor) -> Tensor:
    *_, last = texture(encoder, sample, SETTINGS)
    return last.image()


@pytest.mark.parametrize("tileable", [False, True])
def test_a_gray_sample_makes_a_gray_texture(lite: Encoder, tileable: bool) -> None:
    gray = torch.rand(1, 1, 40, 60, generator=torch.Generator().manual_seed(0)).expand(-1, 3, -1, -1)
    settings = SETTINGS.changed(tileable=tileable, scales=2, size=(64, 64))
    *_, last = texture(lite, gray, settings)
    assert chroma(last.image()).abs().max() < 1e-5 and last.image().std() > 0.1 and last.image().shape[1] == 3
    *_, colored = texture(lite, cut_out(torch.ones(1, 1, 40, 60))[:, :3], settings)
    assert chroma(colored.image()).abs().max() > 0.1


def test_a_tile_may_have_any_size() -> None:
    sample = torch.rand(1, 3, 60, 60, generator=torch.Generator().manual_seed(0))
    settings = SETTINGS.changed(tileable=True, scales=2, size=(70, 50), steps=8)
    sizes = [(*step.image().shape[2:],) for step in texture(load_encoder("lite", padding="circular"), sample, settings)]
    assert sizes[0] == (32, 48) and sizes[-1] == (50, 70)


def test_what_textures_are_compared_by_is_the_encoders(lite: Encoder, tiny: Encoder) -> None:
    sample = torch.rand(1, 3, 40, 60, generator=torch.Generator().manual_seed(0))
    for encoder, usual in ((lite, "wasserstein"), (tiny, "gram")):
        losses = {}
        for loss in ("auto", "gram", "wasserstein"):
            *_, last = texture(encoder, sample, SETTINGS.changed(style_loss=loss))
            losses[loss] = last.loss
        assert losses["gram"] != losses["wasserstein"] and losses["auto"] == losses[usual]


def test_a_sample_is_cut_to_its_opaque_box(tiny) -> None:  # type: ignore[no-untyped-def]
    alpha = torch.zeros(1, 1, 40, 60)
    alpha[..., 5:35, 10:50] = 1
    sample = cut_out(alpha)
    assert opaque_part(sample).shape == (1, 4, 30, 40)
    torch.testing.assert_close(made(tiny, sample), made(tiny, sample[:, :3, 5:35, 10:50]))


def test_what_is_transparent_within_the_box_does_not_count(tiny) -> None:  # type: ignore[no-untyped-def]
    alpha = torch.ones(1, 1, 40, 60)
    alpha[..., 30:, 40:] = 0
    sample = cut_out(alpha)
    *_, last = texture(tiny, sample, SETTINGS)
    *_, flat = texture(tiny, sample[:, :3], SETTINGS)
    assert opaque_part(sample).shape == sample.shape and last.losses["style"] != flat.losses["style"]
