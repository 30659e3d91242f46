"""Cuts are found, and nothing else is one."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from impasto.media.flow import gray_of
from impasto.media.shots import is_cut, thumbnail, unchanged

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")


def scene(seed: int, right: float = 0.0) -> np.ndarray:
    """A frame of a scene that moves."""
    wide = cv2.GaussianBlur(np.random.default_rng(seed).integers(0, 255, (160, 280)).astype(np.uint8), (0, 0), 6)
    wide = cv2.normalize(wide, None, 10, 245, cv2.NORM_MINMAX)
    shift = np.array([[1, 0, -20 - right], [0, 1, -20]], np.float32)
    return thumbnail(cv2.warpAffine(wide, shift, (240, 120)))


@pytest.mark.parametrize("seed", range(6))
def test_a_cut_is_found_and_motion_is_none(seed: int) -> None:
    assert is_cut(scene(seed), scene(seed + 100))
    assert not is_cut(scene(seed), scene(seed, 5))


def test_light_is_no_cut() -> None:
    now, before = scene(1, 2), scene(1)
    flash = np.clip(now * 1.8 + 20, 0, 255).astype(np.uint8)
    assert not is_cut(before, flash) and not is_cut(flash, before)
    for step in range(10):
        assert not is_cut((before * (1 - step / 10)).astype(np.uint8), (now * (1 - (step + 1) / 10)).astype(np.uint8))
    other = scene(50)
    mixed = [((1 - w) * before + w * other).astype(np.uint8) for w in np.linspace(0, 1, 12)]
    assert not any(is_cut(a, b) for a, b in itertools.pairwise(mixed))


def test_black_at_once_is_a_cut() -> None:
    black = np.zeros_like(scene(1))
    assert is_cut(scene(1), black) and is_cut(black, scene(1)) and not is_cut(black, black)


def test_noise_changes_nothing() -> None:
    frame = scene(1)
    noisy = frame.copy()
    noisy[::40, ::40] += 2
    assert unchanged(frame, noisy) and not unchanged(frame, scene(1, 1))


def test_cuts_of_a_real_film(shared: Path) -> None:
    from impasto.media.video import Video

    frames = [thumbnail(gray_of(f.pixels)) for f in Video(str(shared / "data/video/cutBunny.mp4"), 320).frames()]
    assert [i for i in range(1, len(frames)) if is_cut(frames[i - 1], frames[i])] == [235]
