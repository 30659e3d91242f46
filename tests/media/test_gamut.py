"""Colors of other spaces come out as the numbers that the standards give for them."""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from impasto.media import read_image
from impasto.media.gamut import KNEE, from_cicp, from_profile


def one(*color: float) -> npt.NDArray[np.float32]:
    return np.array([[color]], np.float32)


@pytest.mark.parametrize(("primaries", "transfer"), [(1, 13), (2, 2), (1, 1), (99, 99)])
def test_srgb_and_unknown_points_are_left_alone(primaries: int, transfer: int) -> None:
    assert from_cicp(primaries, transfer) is None


@pytest.mark.parametrize(
    ("primaries", "transfer", "red"),
    [
        (12, 13, (0.9175, 0.2003, 0.1386)),  # sRGB's red in Display P3, as CSS Color 4 has it
        (9, 8, (0.6274, 0.0691, 0.0164)),  # its light in BT.2020, from BT.2087
        (9, 4, (0.6274 ** (1 / 2.2), 0.0691 ** (1 / 2.2), 0.0164 ** (1 / 2.2))),
    ],
)
def test_red_and_white_of_wider_spaces(primaries: int, transfer: int, red: tuple[float, ...]) -> None:
    space = from_cicp(primaries, transfer)
    assert space is not None
    np.testing.assert_allclose(space.to_srgb(one(*red)), one(1, 0, 0), atol=0.012)
    np.testing.assert_allclose(space.to_srgb(one(1, 1, 1)), one(1, 1, 1), atol=1e-3)


def test_hdr_has_diffuse_white_near_white_and_rolls_highlights_off() -> None:
    pq, hlg = from_cicp(9, 16), from_cicp(9, 18)
    assert pq is not None and hlg is not None
    # BT.2408: diffuse white, 203 cd/m², is 58 % PQ and 75 % HLG. Its light becomes 0.8 + 0.2 (1 - exp -1) = 0.926.
    white = 1.055 * 0.9264 ** (1 / 2.4) - 0.055
    np.testing.assert_allclose(pq.to_srgb(one(0.5807, 0.5807, 0.5807)), one(white, white, white), atol=2e-3)
    np.testing.assert_allclose(hlg.to_srgb(one(0.75, 0.75, 0.75)), one(white, white, white), atol=2e-3)
    # 18 % of diffuse white, 36.5 cd/m², lies below the knee and is kept.
    assert KNEE > 0.18
    np.testing.assert_allclose(pq.to_srgb(one(0.4106, 0.4106, 0.4106)), one(0.461, 0.461, 0.461), atol=5e-3)
    ramp = np.linspace(0, 1, 101, dtype=np.float32)[:, None].repeat(3, 1)
    for space in (pq, hlg):
        out = space.to_srgb(ramp)
        assert np.all(np.diff(out, axis=0) >= -1e-6) and out.max() <= 1 and out.min() == 0


def profile(curve: bytes) -> bytes:
    """An ICC profile of Adobe RGB's primaries with one curve."""
    colors = [(0x9C18, 0x4FA5, 0x04FC), (0x348D, 0xA02C, 0x0F95), (0x2631, 0x102F, 0xBE9C)]
    xyz = [b"XYZ \0\0\0\0" + struct.pack(">3i", *color) for color in [*colors, (0xF6D6, 0x10000, 0xD32D)]]
    curve = curve.ljust(len(curve) + -len(curve) % 4, b"\0")
    start = 132 + 12 * 7
    names = (b"rXYZ", b"gXYZ", b"bXYZ", b"wtpt")
    table = b"".join(struct.pack(">4s2I", name, start + 20 * i, 20) for i, name in enumerate(names))
    table += b"".join(struct.pack(">4s2I", name, start + 80, len(curve)) for name in (b"rTRC", b"gTRC", b"bTRC"))
    body = struct.pack(">I", 7) + table + b"".join(xyz) + curve
    head = struct.pack(">I4sI4s4s4s", 128 + len(body), b"none", 0x04200000, b"mntr", b"RGB ", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    return head.ljust(128, b"\0") + body


def para(kind: int, *values: float) -> bytes:
    return (
        b"para\0\0\0\0"
        + struct.pack(">2H", kind, 0)
        + struct.pack(f">{len(values)}i", *(round(v * 65536) for v in values))
    )


CURVES = {
    "linear": b"curv\0\0\0\0" + struct.pack(">I", 0),
    "gamma": b"curv\0\0\0\0" + struct.pack(">IH", 1, 563),
    "table": b"curv\0\0\0\0" + struct.pack(">I5H", 5, 0, 4000, 15000, 35000, 65535),
    "para 0": para(0, 1.8),
    "para 1": para(1, 2.0, 1 / 0.9, -0.1 / 0.9),
    "para 2": para(2, 2.0, 1 / 0.9, -0.1 / 0.9, 0.0),
    "para 3": para(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
    "para 4": para(4, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0.0, 0.0),
}


@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
def test_a_matrix_profile_means_what_littlecms_makes_of_it(curve: bytes) -> None:
    colors = np.random.default_rng(0).integers(40, 216, (8, 8, 3)).astype(np.uint8)
    image = Image.fromarray(colors)
    image.info["icc_profile"] = profile(curve)
    expected = read_image(image).pixels[0].permute(1, 2, 0).numpy()
    space = from_profile(profile(curve))
    assert space is not None
    assert np.abs(expected - colors / 255).max() > 0.02  # it does something
    np.testing.assert_allclose(space.to_srgb((colors / 255).astype(np.float32)), expected, atol=1.1 / 255)


def test_profiles_of_other_kinds_are_not_taken_for_matrices() -> None:
    whole = profile(CURVES["gamma"])
    assert from_profile(whole.replace(b"RGB XYZ ", b"CMYKLab ")) is None
    assert from_profile(whole.replace(b"wtpt", b"A2B0")) is None
    assert from_profile(whole.replace(b"rTRC", b"xTRC")) is None
