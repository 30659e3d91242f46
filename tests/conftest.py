"""Shared fixtures: commands, small pictures, a tiny encoder, and the folder beside the repository."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
import PIL.Image
import pytest
import torch
from PIL import Image
from skimage import data

from impasto import cli
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


class Ran(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def run() -> Callable[..., Ran]:
    """Runs a command in this process, by the words that follow `impasto`."""

    def run(*words: object) -> Ran:
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            mock.patch.object(sys, "argv", ["impasto", *map(str, words)]),
            pytest.raises(SystemExit) as caught,
        ):
            cli.main()
        return Ran(int(caught.value.code or 0), out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session")
def ok(run: Callable[..., Ran]) -> Callable[..., Ran]:
    """Runs a command that works."""

    def ok(*words: object) -> Ran:
        ran = run(*words)
        assert ran.code == 0, ran.err
        return ran

    return ok


@pytest.fixture(scope="session")
def refused(run: Callable[..., Ran]) -> Callable[..., str]:
    """Runs a command that is refused, and returns the one line that says why."""

    def refused(*words: object) -> str:
        ran = run(*words)
        assert ran.code == 2, ran
        assert ran.err.startswith("impasto: ") and ran.err.count("\n") == 1, ran.err
        return ran.err.strip()

    return refused


@pytest.fixture(scope="session")
def in_process() -> Callable[..., str]:
    """Runs Python code in a process of its own, with the words in `sys.argv[1:]`, and returns what it prints."""

    def in_process(code: str, *words: object, **environment: str) -> str:
        command = [sys.executable, "-c", code, *map(str, words)]
        found = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, timeout=120)
        assert found.returncode == 0, found.stderr
        return found.stdout

    return in_process


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Name -> small picture that is only read, or a folder of them."""
    folder = tmp_path_factory.mktemp("pictures")
    left = np.zeros((80, 96), np.uint8)
    left[:, :48] = 255
    made = {
        "content": Image.fromarray(data.astronaut()).resize((96, 80)),
        "style": Image.fromarray(data.immunohistochemistry()).resize((80, 80)),
        "other": Image.fromarray(data.coffee()).resize((90, 60)),
        "left": Image.fromarray(left),
        "small": Image.fromarray(left[::2, ::2]),
        "empty": Image.new("L", (96, 80)),
        "map": Image.fromarray(np.stack([left, 255 - left, left], 2)),
        "dot": Image.new("RGB", (1, 1)),
        "line": Image.new("RGB", (1, 5000)),
    }
    found = {name: folder / f"{name}.png" for name in (*made, "text")}
    for name, picture in made.items():
        picture.save(found[name])
    found["text"].write_text("this is no picture")
    for name in ("paintings", "nothing", "broken"):
        found[name] = folder / name
        found[name].mkdir()
    for name in ("style", "other"):
        made[name].save(found["paintings"] / f"{name}.png")
    (found["broken"] / "a.png").write_text("no picture")
    return found


@pytest.fixture(scope="session")
def pair(pictures: dict[str, Path]) -> tuple[Path, Path]:
    """A photograph and a painting."""
    return pictures["content"], pictures["style"]


@pytest.fixture(scope="session")
def typed(pictures: dict[str, Path]) -> Callable[[str], list[str]]:
    """Words of a command, where `@name` stands for a picture's path."""
    return lambda text: [str(pictures[w[1:]]) if w[0] == "@" else w for w in text.split()]


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
    drawn = distribution(generator, vectors)
    return Model("quarter", generator, styles, True, about={"licence": "test"}, distribution=drawn)


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
