"""Pictures carried along the flow."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from impasto.media.flow import Given, View
from impasto.pictures.resample import blur
from impasto.pictures.warp import consistency, inside, resized_flow, trust, warp, warp_error


def flow_of(right: float, down: float, height: int = 24, width: int = 32) -> torch.Tensor:
    return torch.tensor([right, down], dtype=torch.float32).view(1, 2, 1, 1).expand(1, 2, height, width).clone()


@pytest.mark.parametrize("mode", ["spline", "bicubic", "bilinear", "nearest"])
def test_whole_pixels_are_taken_as_they_are(mode: str) -> None:
    picture = torch.rand(1, 3, 24, 32)
    found = warp(picture, flow_of(3, -2), mode)
    assert torch.allclose(found[..., 2:, :-3], picture[..., :-2, 3:], atol=5e-5)
    assert torch.allclose(found[..., 0, :-3], picture[..., 0, 3:], atol=5e-5)  # the border goes on


def test_a_spline_is_the_cubic_one_through_the_pixels() -> None:
    from scipy.ndimage import map_coordinates

    generator = torch.Generator().manual_seed(0)
    picture = torch.rand(1, 2, 24, 32, generator=generator)
    flow = torch.randn(1, 2, 24, 32, generator=generator) * 3
    found = warp(picture, flow, "spline")
    down, right = np.meshgrid(np.arange(24), np.arange(32), indexing="ij")
    places = [(down + flow[0, 1].numpy()).clip(0, 23) + 16, (right + flow[0, 0].numpy()).clip(0, 31) + 16]
    for made, plain in zip(
        found[0].numpy(), np.pad(picture[0].numpy(), ((0, 0), (16, 16), (16, 16)), "edge"), strict=True
    ):
        np.testing.assert_allclose(made, map_coordinates(plain.astype(float), places, order=3), atol=1e-4)


def test_what_is_carried_on_and_on_by_a_spline_stays_itself() -> None:
    picture = blur(torch.rand(1, 1, 48, 48, generator=torch.Generator().manual_seed(0)), 1.2)
    lost = {}
    for mode in ("spline", "bicubic", "bilinear"):
        carried = picture
        for step in range(8):
            carried = warp(carried, flow_of(0.5, 0.5 if step % 2 else -0.5, 48, 48), mode)
        lost[mode] = float((carried[..., 8:-8, 8:-12] - picture[..., 8:-8, 12:-8]).std() / picture.std())
    assert lost["spline"] < 0.6 * min(lost["bicubic"], lost["bilinear"]), lost


def test_what_leads_out_of_the_frame_is_told() -> None:
    assert inside(flow_of(3, 0)).sum() == 24 * 29
    assert consistency(flow_of(3, 0), flow_of(-3, 0))[0, 0, 12].round().tolist() == [1.0] * 29 + [0.0] * 3


def test_what_was_hidden_and_where_motion_changes_is_not_consistent() -> None:
    backward, forward = flow_of(2, 0), flow_of(-2, 0)
    forward[..., 10:16] = 2  # another thing lies there
    found = consistency(backward, forward)[0, 0, 12]
    assert found[9:13].max() == 0 and found[3] == 1 and found[20] == 1
    edge = flow_of(0, 0)
    edge[..., 16:] = 1
    assert consistency(edge, edge * 0, boundaries=True)[0, 0, 12, 15] < 0.5
    assert trust(backward, forward, torch.ones(1, 1, 24, 32) / 2, torch.ones(1, 1, 24, 32) / 2)[0, 0, 12, 10] < 0.01


def test_trust_follows_the_light_but_not_a_change() -> None:
    before = torch.rand(1, 1, 24, 32) * 0.5
    still = flow_of(0, 0)
    assert trust(still, still, before + 0.2, before).min() > 0.99  # all of it is lighter
    now = before.clone()
    now[..., 4:8, 4:8] += 0.13  # hardly another gray: a white head before a light cloud is another thing, too
    found = trust(still, still, now, before)
    assert found[0, 0, 5, 5] < 0.01 and found[0, 0, 15, 15] > 0.9


def test_what_is_drawn_out_between_two_things_is_not_trusted() -> None:
    still, gray = flow_of(0, 0), torch.full((1, 1, 24, 32), 0.5)
    backward = still.clone()  # the left stands, the right moves by 3 pixels, and in between a flow leads over
    backward[:, 0, :, 20:], backward[:, 0, :, 12:20] = -3, -torch.linspace(0, 3, 10)[1:-1]
    forward = warp(-backward, -backward, "bilinear")
    found = trust(backward, forward, gray, gray)[0, 0, 12]
    assert found[14:18].max() < 0.1 and found[2:9].min() > 0.9 and found[24:30].min() > 0.9
    down, right = torch.meshgrid(torch.arange(24.0) - 12, torch.arange(32.0) - 16, indexing="ij")
    nearer = -0.02 * torch.stack([right, down])[None]  # a camera that comes nearer
    assert trust(nearer, -nearer, gray, gray)[0, 0, 4:-4, 4:-4].min() > 0.9


def test_flows_and_errors_go_with_the_size() -> None:
    small = resized_flow(flow_of(4, 2), (12, 16))
    assert small.shape == (1, 2, 12, 16) and torch.allclose(small, flow_of(2, 1, 12, 16))
    picture = torch.rand(1, 3, 24, 32)
    moved = warp(picture, flow_of(2, 0), "nearest")
    weights = inside(flow_of(2, 0))
    assert warp_error(moved, picture, flow_of(2, 0), weights) < 1e-9
    assert warp_error(moved, picture, flow_of(0, 0), weights) > 0.05


@pytest.mark.parametrize("pair", ["1_2", "2_1", "2_3", "3_2"])
def test_masks_are_those_of_the_authors(pair: str, shared: Path) -> None:
    folder = shared / "data" / "video" / "marple"
    theirs = np.asarray(Image.open(folder / f"reliable_{pair}.pgm"))
    this, that = map(int, re.findall(r"\d+", pair))
    blank = np.zeros(theirs.shape, np.uint8)
    motion = Given(str(folder))(View(this, blank), View(that, blank))
    flows = (torch.from_numpy(f).permute(2, 0, 1)[None] for f in (motion.backward, motion.forward))
    ours = consistency(*flows)[0, 0].numpy() * 255
    unreliable, given = ours < 128, theirs < 128
    assert (unreliable & given).sum() / (unreliable | given).sum() > 0.999
    assert np.abs(ours - theirs).max() < 6
