"""Shared fixtures: a tiny encoder, and the folder beside the repository."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from impasto.features import load_encoder
from impasto.features.encoder import Encoder
from impasto.features.variants import Normalization
from impasto.features.vgg import VGG
from impasto.networks.models import Model, distribution
from impasto.networks.quarter import Quarter


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing is written to the user's cache, and weights that this machine may have are not found by default."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMPASTO_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("TORCH_HOME", str(tmp_path_factory.mktemp("torch")))
        patch.setenv("IMPASTO_WEIGHTS", "")
        yield


@pytest.fixture(scope="session")
def tiny() -> VGG:
    """A VGG of two blocks with fixed random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = VGG(((4, 4), (6, 6)), Normalization((0.5,) * 3, (0.25,) * 3), name="tiny")
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real weights and pictures; the test is skipped without it."""
    folder = Path(os.environ.get("IMPASTO_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "weights").is_dir():
        pytest.skip(f"no real weights and pictures: {folder} is absent (set IMPASTO_SHARED)")
    return folder


@pytest.fixture
def small_model() -> Model:
    """An any-style model with two styles of its own and a distribution, untrained."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = Quarter(8, 12, 1, 2)
        pictures = [torch.rand(1, 3, 48, 48) ** (i + 1) for i in range(4)]
    generator.eval()
    with torch.no_grad():
        vectors = torch.cat([generator.moments(p) for p in pictures])
    styles = {"waves": vectors[0], "dots": vectors[1]}
    return Model("quarter", generator, styles, True, about={"licence": "test"}, distribution=distribution(vectors))


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
