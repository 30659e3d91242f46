"""What services and installations count on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

import impasto

ROOT = Path(__file__).parents[1]


def test_two_threads_paint_as_one_after_the_other(pair: tuple[Path, Path]) -> None:
    def paint(steps: int) -> np.ndarray:
        options = {"size": 48, "encoder": "lite", "precision": "fp32", "threads": 1}
        return np.asarray(impasto.stylize(str(pair[0]), str(pair[1]), steps=steps, **options).image)  # type: ignore[arg-type]

    alone = [paint(steps) for steps in (2, 3)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(paint, (2, 3)))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_fifty_pictures_take_no_more_memory(pair: tuple[Path, Path], in_process: Callable[..., str]) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("this system does not tell a process's memory")
    code = """
import sys, re, impasto
def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
for count in range(60):
    impasto.instant(sys.argv[1], sys.argv[2], size=64)
    if count == 9:
        before = resident()
print(resident() - before)
"""
    assert float(in_process(code, *pair).split()[-1]) < 20  # megabytes


def test_steps_can_be_stopped_and_come_under_inference_mode(pair: tuple[Path, Path]) -> None:
    with torch.inference_mode():
        steps = impasto.stylize_steps(str(pair[0]), str(pair[1]), size=48, steps=3, encoder="lite")
        assert next(steps).step == 1
        steps.close()
        assert torch.is_inference_mode_enabled()
    assert not torch.is_inference_mode_enabled()


def test_a_wheel_is_built_and_runs_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="the build backend is not installed here")
    build = [sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", str(site), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    code = "import impasto, impasto.cli.app; print(impasto.__file__); impasto.cli.app.app(['--version'])"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert found.stdout.startswith(str(site)) and "impasto" in found.stdout.splitlines()[1], found.stderr
    assert (site / "impasto" / "data" / "any.safetensors").is_file() and (site / "impasto" / "__init__.pyi").is_file()


@pytest.mark.parametrize(("precision", "allowed"), [("fp32", False), ("auto", True)])
def test_gpus_may_round_unless_told_otherwise(
    precision: str, allowed: bool, pair: tuple[Path, Path], ok: Callable[..., object], tmp_path: Path
) -> None:
    words = (*pair, "-o", tmp_path / "out.png", "--size", 48, "--quality", "instant", "--precision", precision)
    ok("stylize", *words)
    assert torch.backends.cudnn.allow_tf32 is allowed
