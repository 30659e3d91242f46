"""Colors that are not sRGB, in floats: matrices and curves of CICP, ICC profiles and PNG's gAMA and cHRM.

Sources: ITU-T H.273 (code points), ITU-R BT.2100 (PQ and HLG), BT.2408 (diffuse white), ICC.1:2022 (profiles).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
Curve: TypeAlias = Callable[[Floats], Floats]

D65 = (0.3127, 0.3290)
SRGB = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, *D65)  # x, y of red, green, blue and white
ADOBE = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06, *D65)
P3 = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *D65)
BT601 = (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *D65)
#: CICP color primaries that are not sRGB's. 11, the cinema's white, is shown with D65 like 12.
PRIMARIES = {
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *D65),
    6: BT601,
    7: BT601,
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *D65),
    11: P3,
    12: P3,
}
GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}  # CICP transfer characteristics that are powers
PQ, HLG = 16, 18
DIFFUSE_WHITE = 203.0  # cd/m², what a white sheet of paper has in an HDR picture
HLG_PEAK = 1000.0  # cd/m²
KNEE = 0.8  # light, relative to diffuse white, from which highlights are compressed
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
D50 = np.array([0.9642, 1.0, 0.8249])  # XYZ, of ICC's connection space


@dataclass(frozen=True, eq=False)
class Space:
    """An RGB color space.

    Attributes:
        matrix: (3, 3), from its light to XYZ relative to D50.
        curves: one for red, green and blue each, from values in [0, 1] to light; or one for all three together.
        hdr: whether light may exceed 1, diffuse white.
    """

    matrix: npt.NDArray[np.float64]
    curves: tuple[Curve, ...]
    hdr: bool = False

    def to_srgb(self, values: Floats) -> Floats:
        """(..., 3) in this space as sRGB, both in [0, 1]; colors outside of sRGB are clipped."""
        if len(self.curves) == 1:
            light = self.curves[0](values)
        else:
            light = np.stack([curve(values[..., i]) for i, curve in enumerate(self.curves)], -1)
        light = np.maximum(light @ (np.linalg.inv(to_xyz(SRGB)) @ self.matrix).T.astype(np.float32), 0)
        return encoded(np.minimum(_compressed(light) if self.hdr else light, 1))


def to_xyz(chromaticities: Sequence[float]) -> npt.NDArray[np.float64]:
    """(3, 3), from light to XYZ relative to D50, for x, y of red, green, blue and white."""
    xy = np.array(chromaticities, np.float64).reshape(4, 2)
    xyz = np.stack([xy[:, 0], xy[:, 1], 1 - xy.sum(1)]) / xy[:, 1]  # (3, 4)
    colors, white = xyz[:, :3], xyz[:, 3]
    adapted = np.linalg.inv(BRADFORD) @ np.diag(BRADFORD @ D50 / (BRADFORD @ white)) @ BRADFORD
    return np.asarray(adapted @ colors * np.linalg.solve(colors, white))


def from_cicp(primaries: int, transfer: int) -> Space | None:
    """The space of two CICP code points, None if it is sRGB or unknown, which is taken for sRGB."""
    matrix = to_xyz(PRIMARIES.get(primaries, SRGB))
    if transfer in (PQ, HLG):
        return Space(matrix, (pq if transfer == PQ else _hlg,), hdr=True)
    if transfer in GAMMAS:
        return Space(matrix, (power(GAMMAS[transfer]),))
    return Space(matrix, (_decoded,)) if primaries in PRIMARIES else None


def from_profile(data: bytes) -> Space | None:
    """The space of an ICC profile of RGB that is a matrix and three curves, None for others."""
    if data[16:24] != b"RGB XYZ ":
        return None
    count = struct.unpack_from(">I", data, 128)[0]
    entries = [struct.unpack_from(">4sII", data, 132 + 12 * i) for i in range(min(count, 100))]
    tags = {name: data[start : start + size] for name, start, size in entries}
    if b"A2B0" in tags or not {b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"} <= tags.keys():
        return None
    columns = [np.array(struct.unpack_from(">3i", tags[name], 8)) / 65536 for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
    curves = [_icc_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")]
    return Space(np.stack(columns, 1), tuple(curves))


def _icc_curve(tag: bytes) -> Curve:
    """A `curv` or `para` element."""
    if tag[:4] == b"curv":
        table = np.frombuffer(tag, ">u2", struct.unpack_from(">I", tag, 8)[0], 12)
        if table.size == 0:
            return power(1.0)
        if table.size == 1:
            return power(float(table[0]) / 256)
        places = np.linspace(0, 1, table.size)
        return lambda v: np.interp(v, places, table / 65535).astype(np.float32)
    kind = struct.unpack_from(">H", tag, 8)[0]
    g, *rest = np.frombuffer(tag, ">i4", (1, 3, 4, 5, 7)[kind], 12) / 65536
    if kind in (1, 2):  # y = (a x + b)^g + e above -b / a, e below
        a, b, e = (*rest, 0.0)[:3]
        rest = [a, b, 0, -b / a, e, e]
    a, b, c, d, e, f = (*rest, *((1, 0, 0, 0, 0, 0) if kind == 0 else (0, 0)))[:6]
    return lambda v: np.where(v >= d, np.maximum(a * v + b, 0) ** g + e, c * v + f).astype(np.float32)


def power(exponent: float) -> Curve:
    """The curve `value ** exponent`."""
    return lambda v: np.power(v, np.float32(exponent))


def _decoded(v: Floats) -> Floats:
    """sRGB values as light."""
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def encoded(light: Floats) -> Floats:
    """Light as sRGB values."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)


def pq(v: Floats) -> Floats:
    """Perceptual quantizer (BT.2100, table 4), relative to diffuse white."""
    root = v ** (1 / 78.84375)
    light = np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)
    return np.asarray(light ** (1 / 0.1593017578125) * (10_000 / DIFFUSE_WHITE), np.float32)


def hlg_scene(v: Floats) -> Floats:
    """The light of the scene that hybrid log-gamma stands for (BT.2100, table 5), in [0, 1]."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(v <= 0.5, v**2 / 3, (np.exp((v - c) / a) + b) / 12)


def _hlg(v: Floats) -> Floats:
    """Hybrid log-gamma on a display of 1000 cd/m² (BT.2100, table 5), relative to diffuse white."""
    scene = hlg_scene(v)
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593])
    return np.asarray(scene * luminance[..., None] ** 0.2 * (HLG_PEAK / DIFFUSE_WHITE), np.float32)


def _compressed(light: Floats) -> Floats:
    """Highlights rolled off towards 1 by the brightest channel, so that hues stay."""
    top = light.max(-1, keepdims=True)
    over = np.maximum(top - KNEE, 0) / (1 - KNEE)
    rolled: Any = KNEE + (1 - KNEE) * (1 - np.exp(-over))
    return light * np.where(top > KNEE, rolled / np.maximum(top, KNEE), 1).astype(np.float32)
