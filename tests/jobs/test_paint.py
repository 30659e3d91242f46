from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image

from impasto.jobs.paint import Brush
from impasto.jobs.running import resolved
from impasto.jobs.stylize import Stylize
from impasto.media import read_image
from impasto.pictures.color import is_gray


def brush(pictures: dict[str, Path], painting: Path | None = None, **options: object) -> Brush:
    job = Stylize(str(pictures["content"]), str(painting or pictures["style"]), quality="instant", size=64, **options)
    return Brush(resolved(job)[0], [])


def test_pictures_at_once_are_those_one_by_one_in_the_usual_colors(pictures: dict[str, Path]) -> None:
    made, photos = brush(pictures), [read_image(pictures[name]) for name in ("content", "other")]
    for alone, found in zip([made(photo) for photo in photos], made.together(photos), strict=True):
        assert found is not None and (alone - found).abs().max() < 0.02


def test_paintings_are_measured_once_for_all_photographs(pictures: dict[str, Path]) -> None:
    made = brush(pictures)
    assert made._styles(read_image(pictures["content"])) is made._styles(read_image(pictures["other"]))


def test_gray_photographs_and_paintings_give_gray_pictures(pictures: dict[str, Path], tmp_path: Path) -> None:
    gray = {}
    for name in ("content", "style"):
        gray[name] = tmp_path / f"{name}.png"
        Image.open(pictures[name]).convert("L").save(gray[name])
    made = brush(gray)
    for _ in range(2):
        assert is_gray(made(read_image(gray["content"])))
    assert torch.is_tensor(made._styles(read_image(pictures["content"])))
