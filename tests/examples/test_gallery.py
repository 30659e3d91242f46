"""Tests of the program that paints a gallery of styles, at a tiny size."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

PROGRAM = Path(__file__).resolve().parents[2] / "examples" / "gallery.py"
NAMES = ("storm", "field", "park", "night", "dots", "mosaic", "glass", "woodcut", "wash", "waves", "shapes", "marble")
WIDTH = 96


@pytest.fixture(scope="module")
def gallery() -> Iterator[ModuleType]:
    """Load the program as when it is run as a script, so that it finds ``render`` beside it."""
    spec = importlib.util.spec_from_file_location("impasto_examples_gallery", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(PROGRAM.parent))
        spec.loader.exec_module(module)
        yield module
    sys.modules.pop("render", None)


@pytest.fixture(scope="module")
def pictures(gallery: ModuleType) -> dict[str, np.ndarray]:
    """Paint every picture once."""
    return {name: np.asarray(work(WIDTH, 7)) for name, work in gallery.GALLERY.items()}


@pytest.fixture(scope="module")
def others(gallery: ModuleType) -> dict[str, np.ndarray]:
    """Paint every picture by another seed."""
    return {name: np.asarray(work(WIDTH, 8)) for name, work in gallery.GALLERY.items()}


def traits(picture: np.ndarray) -> np.ndarray:
    """Measure colors (mean, deviation) and texture (edges along x and y, at three scales)."""
    pixels = picture.astype(np.float32) / 255
    values = [*pixels.mean((0, 1)), *pixels.std((0, 1)), (pixels.max(-1) - pixels.min(-1)).mean()]
    for scale in (1, 2, 4):
        gray = pixels.mean(-1)[::scale, ::scale]
        values += [np.abs(np.diff(gray, axis=0)).mean(), np.abs(np.diff(gray, axis=1)).mean()]
    return np.array(values)


def test_names(gallery: ModuleType) -> None:
    """The gallery lists every picture under its own name."""
    assert tuple(gallery.GALLERY) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_size_tones_and_texture_everywhere(pictures: dict[str, np.ndarray], name: str) -> None:
    """A picture is 3:2 in color, runs from dark to light, and has no large flat part."""
    picture = pictures[name]
    assert picture.shape == (WIDTH * 2 // 3, WIDTH, 3)
    assert picture.dtype == np.uint8
    dark, light = np.percentile(picture.mean(-1), [2, 98])
    assert light - dark > 100
    blocks = picture.mean(-1).reshape(4, 16, 6, 16).std(axis=(1, 3))
    assert blocks.min() > 12, blocks.round(1)


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_picture(
    gallery: ModuleType, pictures: dict[str, np.ndarray], others: dict[str, np.ndarray], name: str
) -> None:
    """The same seed gives the same pixels, another seed gives others."""
    assert np.array_equal(gallery.GALLERY[name](WIDTH, 7), pictures[name])
    assert not np.array_equal(others[name], pictures[name])


def test_styles_differ(pictures: dict[str, np.ndarray], others: dict[str, np.ndarray]) -> None:
    """Any two pictures are farther apart in color and texture than one picture by two seeds usually is."""
    table = np.stack([traits(picture) for picture in pictures.values()])
    again = np.stack([traits(picture) for picture in others.values()])
    spread = table.std(axis=0)
    apart = np.linalg.norm((table[:, None] - table) / spread, axis=-1) + 99 * np.eye(len(table))
    within = np.linalg.norm((table - again) / spread, axis=-1)
    assert apart.min() > 1.2
    assert np.median(apart.min(axis=1)) > 1.5 * np.median(within)


def test_command_line_writes_what_is_named(
    gallery: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program writes the pictures named, at the size asked for, and all of them when none is named."""
    gallery.main(["--out", str(tmp_path / "two"), "--size", "48", "--seed", "3", "glass", "marble"])
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == ["glass.png", "marble.png"]
    with Image.open(tmp_path / "two" / "glass.png") as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (48, 32))
    monkeypatch.setattr(gallery, "GALLERY", {name: gallery.GALLERY[name] for name in ("mosaic", "woodcut", "shapes")})
    gallery.main(["--out", str(tmp_path / "all"), "--size", "24"])
    assert {path.stem for path in (tmp_path / "all").iterdir()} == {"mosaic", "woodcut", "shapes"}


def test_unknown_name_is_refused(gallery: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is not in the gallery is reported with those that are, and nothing is written."""
    with pytest.raises(SystemExit):
        gallery.main(["--out", str(tmp_path / "none"), "mosaics"])
    message = capsys.readouterr().err
    assert "mosaics" in message and "woodcut" in message
    assert not (tmp_path / "none").exists()
