"""What jobs take: pictures in memory, blends by name and by number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import impasto
from impasto.cli import app
from impasto.errors import InputError

PICTURE = np.random.default_rng(0).random((48, 64, 3)).astype(np.float32)


def test_an_array_is_a_photograph_also_in_the_job_s_json() -> None:
    job = impasto.Stylize(PICTURE, PICTURE, quality="instant", size=48)
    assert impasto.job_of(job.as_json()) == job
    assert impasto.run(job).pixels.shape == (1, 3, 36, 48)


def test_paintings_are_blended_in_one_pass() -> None:
    other = 1 - PICTURE
    mixed, first = (
        impasto.instant(PICTURE, [PICTURE, other], blend=b, size=48).pixels for b in ((0.5, 0.5), (1.0, 0.0))
    )
    assert not np.allclose(mixed, first, atol=0.01)


def test_a_blend_by_name_on_the_command_line_is_one_pass(tmp_path: Path) -> None:
    photo, out = tmp_path / "photo.png", tmp_path / "out.png"
    Image.fromarray((PICTURE * 255).astype(np.uint8)).save(photo)
    words = ["stylize", str(photo), "--blend", "mosaic=0.5,park=0.5", "-o", str(out), "--size", "48", "--quiet"]
    assert app(words, standalone_mode=False) == 0
    same = impasto.instant(photo, {"mosaic": 0.5, "park": 0.5}, size=48).pixels
    assert np.abs(np.asarray(Image.open(out)) / 255 - same[0].permute(1, 2, 0).numpy()).max() < 1 / 255


def test_a_blend_of_another_length_than_the_named_styles_is_one_line() -> None:
    with pytest.raises(InputError, match="2 weights for 1 styles"):
        impasto.Stylize(PICTURE, style_name="mosaic", blend=(0.5, 0.5))
