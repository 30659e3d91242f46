"""Small files to train on, and the packaged encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from impasto.features import load_encoder
from impasto.features.encoder import Encoder


@pytest.fixture(scope="session")
def lite() -> Encoder:
    return load_encoder("lite")


@pytest.fixture(scope="session")
def paintings(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three files of 80 × 60: stripes, checks and dots."""
    folder = tmp_path_factory.mktemp("paintings")
    yy, xx = np.mgrid[0:60, 0:80]
    found = []
    for name, pattern, color in (
        ("stripes", (xx + yy) // 6 % 2, (220, 60, 30)),
        ("checks", (xx // 8 + yy // 8) % 2, (40, 90, 200)),
        ("dots", (xx % 10 - 5) ** 2 + (yy % 10 - 5) ** 2 < 9, (240, 210, 60)),
    ):
        pixels = np.where(pattern[..., None], np.array(color), 20).astype(np.uint8)
        found.append(folder / f"{name}.png")
        PIL.Image.fromarray(pixels).save(found[-1])
    return found
