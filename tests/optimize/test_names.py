"""The packages' lists of names: complete, and light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import impasto
from impasto import canvas, optimize
from impasto.methods.settings import StylizeSettings
from impasto.methods.solvers import solver


def test_names_that_users_choose_from_are_told_without_torch() -> None:
    code = f"""
import sys, types
package = types.ModuleType("impasto")
package.__path__ = [{str(Path(impasto.__file__).parent)!r}]
sys.modules["impasto"] = package
from impasto.canvas import CANVASES
from impasto.optimize import OPTIMIZERS
assert CANVASES and OPTIMIZERS and "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("package", [canvas, optimize])
def test_all_that_a_package_lists_is_there(package: object) -> None:
    for name in package.__all__:  # type: ignore[attr-defined]
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        getattr(package, "nothing")  # noqa: B009


@pytest.mark.parametrize("name", optimize.OPTIMIZERS)
def test_each_optimizer_is_made(name: str) -> None:
    assert type(solver(StylizeSettings(optimizer=name).resolved("lite"), 3)).__name__.lower() == name


# A latent begins near the mean of photographs, which are darker than gray; a fetched decoder has tests of its own.
@pytest.mark.parametrize(
    ("name", "mean"), [(n, 0.45 if n == "natural" else 0.5) for n in canvas.CANVASES if n != "taef2"]
)
def test_each_canvas_is_made(name: str, mean: float) -> None:
    made = canvas.gray(name, (12, 16), torch.Generator().manual_seed(0), batch=2)
    assert made.image().shape == (2, 3, 12, 16)
    assert made.image().mean().item() == pytest.approx(mean, abs=0.05)
