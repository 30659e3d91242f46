"""Tests of the program that renders the demo pictures, at a tiny size."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

PROGRAM = Path(__file__).resolve().parents[2] / "examples" / "render.py"


@pytest.fixture(scope="module")
def render() -> ModuleType:
    """Load the program, which belongs to no package."""
    spec = importlib.util.spec_from_file_location("impasto_examples_render", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pictures(render: ModuleType) -> dict[str, np.ndarray]:
    """Render both pictures once."""
    return {"content": np.asarray(render.photograph(96, 7)), "style": np.asarray(render.paint(render.EVENING, 96, 7))}


def test_sizes_and_tones(pictures: dict[str, np.ndarray]) -> None:
    """Both pictures are 3:2 in color, and run from dark to light."""
    for picture in pictures.values():
        assert picture.shape == (64, 96, 3)
        assert picture.dtype == np.uint8
        dark, light = np.percentile(picture.mean(-1), [2, 98])
        assert light - dark > 110


def test_same_seed_same_picture(render: ModuleType, pictures: dict[str, np.ndarray]) -> None:
    """The same seed gives the same pixels, another seed gives others."""
    assert np.array_equal(render.photograph(96, 7), pictures["content"])
    assert np.array_equal(render.paint(render.EVENING, 96, 7), pictures["style"])
    assert not np.array_equal(render.paint(render.EVENING, 96, 8), pictures["style"])


def test_style_is_made_of_strokes(render: ModuleType) -> None:
    """Strokes add edges that the underpainting lacks, and they run along the flow."""
    width = 192
    gray = np.asarray(render.paint(render.EVENING, width, 7).convert("L"), np.float32) / 255
    y, x = np.mgrid[0:128, 0:width].astype(np.float32) / 128
    motif = render.EVENING.underpainting(x, y).mean(-1)
    edges = [np.hypot(*np.gradient(picture)).mean() for picture in (gray, motif)]
    assert edges[0] > 1.5 * edges[1]
    flow = render.EVENING.flow(x, y)
    flow /= np.linalg.norm(flow, axis=-1, keepdims=True)
    dy, dx = np.gradient(gray)
    along = np.abs(dx * flow[..., 0] + dy * flow[..., 1]).mean()
    across = np.abs(dy * flow[..., 0] - dx * flow[..., 1]).mean()
    assert across > 1.3 * along


def test_another_painting_needs_only_its_own_parts(render: ModuleType) -> None:
    """The painter takes any palette, flow and underpainting."""
    work = render.Painting(
        palette=("#101010", "#f0e0c0", "#b03020"),
        flow=lambda x, y: np.stack([np.ones_like(x), 0 * y], -1),
        underpainting=lambda x, y: np.stack([x / 1.5, y, 0.5 + 0 * x], -1),
        layers=(render.Strokes(0.08, 0.3, 2.0),),
    )
    picture = np.asarray(render.paint(work, 60, 1), np.float32)
    assert picture.shape == (40, 60, 3)
    assert np.abs(np.diff(picture, axis=0)).mean() > np.abs(np.diff(picture, axis=1)).mean()


def test_command_line_writes_both(render: ModuleType, tmp_path: Path) -> None:
    """The program writes two PNG files of the size asked for."""
    render.main(["--out", str(tmp_path / "new"), "--size", "48", "--seed", "3"])
    for name in ("content.png", "style.png"):
        with Image.open(tmp_path / "new" / name) as image:
            assert (image.format, image.mode, image.size) == ("PNG", "RGB", (48, 32))
