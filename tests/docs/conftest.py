"""Small files with the names that the pages use, and jobs that are made small."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from impasto.features import PROFILES
from impasto.jobs.base import Job
from impasto.media.video import VideoWriter
from impasto.networks.models import Model, UpscaleModel, save_model
from impasto.networks.registry import NETWORKS
from impasto.networks.superres import SuperResolution
from impasto.objective import STYLE_LOSSES

#: Option -> what is run instead, where the page says more.
SMALL = {
    "size": 64, "sample_size": 64, "steps": 2, "first_steps": 2, "octaves": 2, "zoom": 2, "frames": 3, "samples": 2,
    "minutes": 0, "batch": 1, "side": 64, "look_every": 2,
}  # fmt: skip


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that the pages name."""
    folder = tmp_path_factory.mktemp("files")
    photo = Image.fromarray(data.astronaut()).resize((96, 96))
    painting = Image.fromarray(data.immunohistochemistry()).resize((96, 96))
    for name in ("photo", "small", "flowers"):
        photo.save(folder / f"{name}.jpg")
    for name in ("painting", "a", "b", "bricks"):
        painting.save(folder / f"{name}.jpg")
    for inside, name in (("holidays", "one"), ("holidays", "two"), ("monet", "lilies"), ("monet", "haystacks")):
        (folder / inside).mkdir(exist_ok=True)
        shutil.copy(folder / "photo.jpg", folder / inside / f"{name}.jpg")
    lines = (
        '{"content": "photo.jpg", "style": "a.jpg"}',
        '{"job": "video", "content": "video.mp4", "output": "v.mp4"}',
    )
    (folder / "jobs.jsonl").write_text("\n".join(lines))
    half = np.zeros((96, 96), np.uint8)
    half[:40] = 255
    for name, mask in (("sky", half), ("ground", 255 - half), ("person", half), ("corner", half)):
        Image.fromarray(mask).save(folder / f"{name}.png")
    hole = Image.new("L", (96, 96))
    hole.paste(255, (40, 50, 48, 56))
    hole.save(folder / "hole.png")
    colors = np.where(half[..., None] > 0, np.uint8([60, 110, 200]), np.uint8([220, 150, 30]))
    for name in ("map", "photo_map", "painting_map"):
        Image.fromarray(colors).save(folder / f"{name}.png")
    frames = [torch.rand(1, 3, 48, 64) for _ in range(4)]
    (folder / "frames").mkdir()
    with VideoWriter(folder / "video.mp4", 25) as writer:
        for number, frame in enumerate(frames):
            writer.write(frame)
            Image.fromarray((frame[0].permute(1, 2, 0) * 255).byte().numpy()).save(folder / f"frames/{number:04d}.png")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = NETWORKS["quarter"](width=8, deep=12)  # type: ignore[operator]
        styles = {"painting": network.plain_style()}
        save_model(Model("quarter", network, styles), folder / "painting.safetensors")
        save_model(UpscaleModel(SuperResolution(4)), folder / "x4.safetensors")
    return folder


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs run with little of everything; what they register is taken out again."""
    plain = Job.records

    def records(self: Job, *args: Any) -> Generator[Any, None, Any]:
        active = self.active()
        less = {name: value for name, value in SMALL.items() if name in active and getattr(self, name) != value}
        if getattr(self, "mask", None) is not None:
            less.pop("size", None)
        elif "size" in less and self.name == "texture":
            less |= {"size": (64, 64)}
        if not getattr(self, "zoom", 0):
            less.pop("zoom", None)
        if getattr(self, "sample_size", None) == "auto":
            less.pop("sample_size", None)
        return plain(self.changed(**less), *args)

    monkeypatch.setattr(Job, "records", records)
    for table in (STYLE_LOSSES, PROFILES, NETWORKS):
        for name in ("skew", "wide", "mine", "tint"):
            monkeypatch.setitem(table, name, None)  # type: ignore[arg-type]
            monkeypatch.delitem(table, name)  # type: ignore[arg-type]
