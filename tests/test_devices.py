"""A device that is not there is one line, wherever it is named."""

from __future__ import annotations

import pytest
import torch

import impasto
from impasto.devices import resolve_device
from impasto.errors import InputError
from impasto.features import load_encoder


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A machine with so many GPUs of NVIDIA's and so many of Apple's."""
    cuda, mps = request.param
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps > 0)


@pytest.mark.parametrize(
    ("machine", "name", "expected"),
    [
        ((0, 0), "auto", "cpu"),
        ((0, 1), "auto", "mps"),
        ((2, 0), "auto", "cuda"),
        ((2, 0), "cuda:1", "cuda:1"),
        ((2, 0), torch.device("cuda", 1), "cuda:1"),
        ((0, 0), torch.device("cpu"), "cpu"),
        ((0, 0), "cpu:0", "cpu:0"),
    ],
    indirect=["machine"],
)
def test_a_device_by_name_or_object(machine: None, name: str | torch.device, expected: str) -> None:
    assert resolve_device(name) == expected


def test_jobs_take_torchs_object() -> None:
    assert impasto.Texture("bricks.png", device=torch.device("cpu")).device == "cpu"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("machine", "name", "says"),
    [
        ((0, 0), "cuda", "no cuda device"),
        ((0, 0), torch.device("cuda"), "no cuda device"),
        ((0, 0), "mps", "no mps device"),
        ((2, 0), "cuda:2", "of cuda this machine has 2"),
        ((2, 0), "cuda:", "of cuda"),
        ((2, 0), "cuda:x", "of cuda"),
        ((0, 0), "gpu", "unknown device 'gpu'"),
        ((0, 0), "", "unknown device ''"),
    ],
    indirect=["machine"],
)
def test_a_device_that_is_not_there_is_refused(machine: None, name: str | torch.device, says: str) -> None:
    for call in (resolve_device, lambda device: load_encoder("lite", device=device)):
        with pytest.raises(InputError, match=says) as caught:
            call(name)
        assert "\n" not in str(caught.value)
