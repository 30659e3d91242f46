"""Flow: its files, and what finds it."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from impasto.errors import InputError
from impasto.media.flow import Dis, Given, Still, View, estimator, read_flow, write_flow

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")


def textured(height: int = 96, width: int = 128) -> np.ndarray:
    noise = np.random.default_rng(3).integers(0, 255, (height + 40, width + 40)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2)


def views(right: int = 3, down: int = 1) -> tuple[View, View]:
    """A picture that moved so many pixels: now, before."""
    picture = textured()
    picture = cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX)
    before = picture[20:116, 20:148]
    now = picture[20 - down : 116 - down, 20 - right : 148 - right]
    return View(2, np.ascontiguousarray(now)), View(1, np.ascontiguousarray(before))


@pytest.mark.parametrize("name", ["dis", "dis-fast", "dis-fine", "deepflow"])
def test_a_shift_is_found(name: str) -> None:
    now, before = views()
    motion = estimator(name)(now, before)
    assert np.abs(motion.backward[20:-20, 20:-20] - (-3, -1)).mean() < 0.2
    assert np.abs(motion.forward[20:-20, 20:-20] - (3, 1)).mean() < 0.2


def test_small_pictures_change_nothing_for_larger_ones() -> None:
    now, before = views()
    found = Dis("fast")(now, before).backward
    small = np.random.default_rng(0).integers(0, 255, (2, 24, 32)).astype(np.uint8)
    Dis("fast")(View(2, small[0]), View(1, small[1]))
    assert (Dis("fast")(now, before).backward == found).all()


def test_flat_places_move_with_what_surrounds_them() -> None:
    now, before = views()
    now.gray[30:60, 40:80] = 128  # nothing to match
    before.gray[29:59, 37:77] = 128
    rough, calm = (Dis("medium", smooth)(now, before).backward[38:52, 50:70] for smooth in (False, True))
    error = [float(np.abs(flow - (-3, -1)).mean()) for flow in (rough, calm)]
    assert error[1] < 0.5 and error[1] < 0.7 * error[0]


@pytest.mark.parametrize("suffix", [".flo", ".png"])
def test_files_are_read_as_they_were_written(suffix: str, tmp_path: Path) -> None:
    flow = np.random.default_rng(0).normal(0, 20, (5, 7, 2)).astype(np.float32)
    flow[2, 3] = np.nan
    write_flow(tmp_path / f"a{suffix}", flow)
    found = read_flow(tmp_path / f"a{suffix}")
    assert np.isnan(found[2, 3]).all() and np.isnan(found).sum() == 2
    assert np.nanmax(np.abs(found - flow)) <= (0 if suffix == ".flo" else 1 / 128)


def test_a_middlebury_file_is_what_the_format_says(tmp_path: Path) -> None:
    data = b"PIEH" + struct.pack("<ii", 2, 1) + struct.pack("<4f", 1.5, -2.0, 1666666752.0, 1666666752.0)
    (tmp_path / "a.flo").write_bytes(data)
    found = read_flow(tmp_path / "a.flo")
    assert found[0, 0].tolist() == [1.5, -2.0] and np.isnan(found[0, 1]).all()
    write_flow(tmp_path / "b.flo", found[:, :1])
    assert (tmp_path / "b.flo").read_bytes() == b"PIEH" + struct.pack("<ii2f", 1, 1, 1.5, -2.0)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.flo", b"nothing", "no Middlebury flow"),
        ("a.flo", b"PIEH" + struct.pack("<ii", 100, 100), "it is damaged"),
        ("a.png", b"nothing", "no KITTI flow"),
        ("b.flo", None, "cannot be read"),
    ],
)
def test_what_is_no_flow_is_one_line(name: str, data: bytes | None, said: str, tmp_path: Path) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=said):
        read_flow(tmp_path / name)


def test_flows_of_others_are_found_by_number(tmp_path: Path) -> None:
    there, back = np.full((48, 64, 2), 2, np.float32), np.full((48, 64, 2), -2, np.float32)
    write_flow(tmp_path / "backward_2_1.flo", there)
    write_flow(tmp_path / "forward_1_2.flo", back)
    blank = np.zeros((96, 128), np.uint8)
    motion = estimator(str(tmp_path))(View(2, blank), View(1, blank))
    assert (motion.backward == 4).all() and (motion.forward == -4).all()  # of frames of twice the size
    with pytest.raises(InputError, match=r"no flow from frame 3 to 2: .*backward_3_2.flo is missing"):
        Given(str(tmp_path))(View(3, blank), View(2, blank))
    named = Given(str(tmp_path / "{way}_{this}_{that}.flo"))(View(2, blank), View(1, blank))
    assert (named.backward == motion.backward).all()
    with pytest.raises(InputError, match="flow is 'raft'; it must be one of dis"):
        estimator("raft")


def test_without_flow_nothing_moves() -> None:
    assert not Still()(View(2, np.zeros((8, 8), np.uint8)), View(1, np.zeros((8, 8), np.uint8))).backward.any()
