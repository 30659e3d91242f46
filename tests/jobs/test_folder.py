"""A folder of photographs: none is lost, none is kept from another painting, and no original is replaced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

FAST = ("--quality", "instant", "--size", 32)


@pytest.fixture
def photos(pictures: dict[str, Path], tmp_path: Path) -> Path:
    """`a.jpg`, `a.png` and `b.JPG`, and what macOS leaves beside them."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, source in (("a.jpg", "content"), ("a.png", "other"), ("b.JPG", "style")):
        Image.open(pictures[source]).convert("RGB").save(folder / name)
    (folder / "._b.JPG").write_text("no picture")
    return folder


def test_names_that_collide_keep_their_suffix_and_what_is_there_is_counted(
    ok: Callable[..., Any], photos: Path, pictures: dict[str, Path], tmp_path: Path
) -> None:
    words = ("stylize", photos, pictures["style"], "-o", tmp_path / "v1.0", *FAST)
    assert "painted 3 of 3" in ok(*words).err
    assert sorted(p.name for p in (tmp_path / "v1.0").iterdir()) == ["a.jpg.png", "a.png.png", "b.png"]
    assert "painted 0 of 3" in (again := ok(*words).err) and "3 were there already" in again
    other = ok("stylize", photos, pictures["other"], "-o", tmp_path / "v1.0", *FAST).err
    assert "painted 3 of 3" in other and other.count("made by another job") == 3


def test_originals_are_not_replaced_and_the_output_is_not_painted_again(
    ok: Callable[..., Any], refused: Callable[..., str], photos: Path, pictures: dict[str, Path]
) -> None:
    before = {p.name: p.read_bytes() for p in photos.iterdir()}
    assert "must be another one" in refused("stylize", photos, pictures["style"], "-o", photos, "--force", *FAST)
    assert {p.name: p.read_bytes() for p in photos.iterdir()} == before
    for _ in range(2):
        assert "of 3 pictures" in ok("stylize", photos, pictures["style"], "-o", photos / "painted", *FAST).err


def test_every_quality_paints_folders(
    ok: Callable[..., Any], photos: Path, pictures: dict[str, Path], tmp_path: Path
) -> None:
    words = ("--quality", "quick", "--size", 32, "--steps", 1, "--scales", 1)
    assert "painted 3 of 3" in ok("stylize", photos, pictures["style"], "-o", tmp_path / "out", *words).err
