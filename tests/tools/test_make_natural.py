"""Tests of the program that makes the packaged decoder, on a few small pictures and a teacher of random weights."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from impasto.canvas.decoder import Prior, student, taef2_decoder
from impasto.features import load_encoder
from impasto.features.states import read_tensors
from impasto.training.loop import train
from impasto.training.settings import TrainSettings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("impasto_make_natural", ROOT / "tools" / "make_natural.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tools"))
        patch.setitem(__import__("sys").modules, spec.name, module)  # its dataclass looks for itself there
        spec.loader.exec_module(module)
    return module


@pytest.fixture
def task(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Makes the task anew, always of the same pictures and the same teacher."""
    monkeypatch.setattr(tool, "CROPS", 8)
    monkeypatch.setattr(tool, "MIXED", 4)
    monkeypatch.setattr(tool, "student", lambda: student((8, 6, 4, 4), (1, 0, 0, 0)))
    files = [tmp_path / f"{name}.png" for name in "ab"]
    for file, picture in zip(files, (data.astronaut(), data.coffee()), strict=True):
        Image.fromarray(np.asarray(picture)[:200, :200]).save(file)
    torch.manual_seed(0)
    for name, network in (("encoder", tool.taef2_encoder()), ("decoder", taef2_decoder())):
        torch.save(network.state_dict(), tmp_path / f"taef2_{name}.pth")
    args = argparse.Namespace(seed=0, side=48, batch=4, adversarial_from=0, precision="fp32")

    def made() -> Any:
        found = tool.Distillation(files, tmp_path, load_encoder("lite"), args)
        found.prepare(tmp_path / "bank.safetensors")
        return found

    return made


def test_what_is_prepared_has_the_spread_of_photographs_and_is_the_same_in_every_sitting(
    task: Callable[[], Any],
) -> None:
    first, second = task(), task()
    white = first.bank["white"].float().transpose(0, 1).flatten(1)
    torch.testing.assert_close(torch.cov(white), torch.eye(32), atol=0.05, rtol=0)
    one, other = first.batch(5), second.batch(5)
    assert torch.equal(one.white, other.white) and torch.equal(one.images, other.images)
    assert not torch.equal(first.batch(6).white, one.white)


def test_neither_player_reaches_the_others_weights(task: Callable[[], Any]) -> None:
    made = task()
    learning = made.network
    images = torch.rand(2, 3, 40, 40)
    parts = made._adversarial(learning.prior(torch.randn(2, 32, 5, 5)), images)
    parts["adversarial"].backward()
    assert all(p.grad is None for p in learning.discriminator.parameters())
    assert all(p.grad is not None for p in learning.prior.network.parameters())
    learning.zero_grad()
    parts = made._adversarial(learning.prior(torch.randn(2, 32, 5, 5)), images)
    parts["discriminator"].backward()
    assert all(p.grad is None for p in learning.prior.parameters())
    assert all(p.grad is not None for p in learning.discriminator.parameters())


def test_it_learns_goes_on_where_it_was_cut_and_its_file_is_read(
    tool: ModuleType, task: Callable[[], Any], tmp_path: Path
) -> None:
    checkpoint, path = tmp_path / "natural.checkpoint.pt", tmp_path / "natural.safetensors"
    settings = TrainSettings(steps=4, warmup=1, held_out_batches=1, look_every=4)
    whole = task()
    *_, last = train(whole, settings)
    cut, rest = task(), task()
    steps = train(cut, settings, checkpoint=checkpoint)
    next(steps), next(steps)
    steps.close()
    *_, again = train(rest, settings, checkpoint=checkpoint)
    assert again.step == 4 and again.losses == pytest.approx(last.losses, rel=1e-4)
    assert {"feature", "pixel", "adversarial", "discriminator"} == set(last.losses)
    tool.finish(rest.network.prior, path)
    opened = Prior(student((8, 6, 4, 4), (1, 0, 0, 0)))
    opened.load_state_dict({name: values.float() for name, values in read_tensors(path).items()})
    torch.testing.assert_close(opened.root, rest.network.prior.root, atol=1e-2, rtol=1e-2)
