"""Decoded pictures as RGB: matrix and range, scale, fields, orientation, HDR to SDR, by FFmpeg's filters and NumPy.

Sources: ITU-T H.273 (code points), ITU-R BT.2100 (PQ and HLG), BT.2408 (diffuse white; HLG by scene light, 5.1.3).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from impasto.media import gamut
from impasto.media.video.records import Tell

#: H.273's matrix coefficients as FFmpeg's filter `scale` calls them.
MATRICES = {1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020", 10: "bt2020"}
#: Weights of red and blue in luma.
WEIGHTS = {
    "bt709": (0.2126, 0.0722),
    "bt601": (0.299, 0.114),
    "bt2020": (0.2627, 0.0593),
    "fcc": (0.30, 0.11),
    "smpte240m": (0.212, 0.087),
}
#: FFmpeg's numbers: not told; levels from 16 to 235; all of them.
UNKNOWN, NARROW, FULL = 2, 1, 2
PQ, HLG = 16, 18
HLG_WHITE = 0.75  # the signal of diffuse white
#: For FFmpeg's scaler: without these it rounds white down to 253 and takes one color for two pixels.
EXACT = "area+accurate_rnd+full_chroma_int+full_chroma_inp"


def fitted(height: int, width: int, size: int | None) -> tuple[int, int]:
    """The sides with the longer one brought to `size`."""
    ratio = 1 if size is None else size / max(height, width)
    return max(1, round(height * ratio)), max(1, round(width * ratio))


def to_tensor(levels: npt.NDArray[Any]) -> Tensor:
    """Levels of 8 or 16 bits, or floats, `(H, W, 3)` as `(1, 3, H, W)` in [0, 1]."""
    if levels.dtype == np.uint16:
        levels = levels.astype(np.float32) / 65535
    pixels = torch.from_numpy(np.ascontiguousarray(levels)).permute(2, 0, 1)[None].float()
    return pixels.div_(255) if levels.dtype == np.uint8 else pixels


@dataclass(frozen=True)
class Kind:
    """What has to be known of a decoded picture to convert it."""

    height: int
    width: int
    format: str
    matrix: int
    range: int
    transfer: int
    primaries: int
    orientation: tuple[int, ...]
    bits: int

    @property
    def is_rgb(self) -> bool:
        return self.format.startswith(("rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "pal", "x2", "mono"))

    @property
    def coefficients(self) -> str:
        """The matrix, guessed where it is not told, as players do."""
        hd = self.width >= 1280 or self.height > 576
        guess = {1: "bt709", 9: "bt2020"}.get(self.primaries, "bt709" if hd else "bt601")
        return MATRICES.get(self.matrix, guess)

    @property
    def is_full(self) -> bool:
        """Whether all levels are used, from black to white."""
        return self.range == FULL or (self.range != NARROW and self.format.startswith("gray"))

    @property
    def is_deep(self) -> bool:
        return self.bits > 8 or self.is_hdr

    @property
    def is_hdr(self) -> bool:
        return self.transfer in (PQ, HLG)


class Converter:
    """Decoded pictures to `(1, 3, H, W)` in [0, 1], upright, progressive, for SDR.

    Args:
        av: PyAV.
        stream: of the pictures.
        size: long side in pixels; their own, with square pixels, if None.
        tell: told once of fields and of HDR.
    """

    def __init__(self, av: Any, stream: Any, size: int | None, tell: Tell) -> None:
        self._av, self._stream, self._size, self._tell = av, stream, size, tell
        self._kind: Kind | None = None
        self._graph: Any = None
        self._sides: tuple[int, int] | None = None
        self._fields = False
        self._told: set[str] = set()

    def convert(self, frame: Any) -> Iterator[tuple[Tensor, Fraction]]:
        """Pictures and times that are ready once a decoded picture with a time has come."""
        kind = self._kind_of(frame)
        fields = self._fields or bool(frame.interlaced_frame)
        if kind != self._kind or fields != self._fields:
            yield from self.finish()
            self._kind, self._fields = kind, fields
            self._graph = self._made(kind)
        frame.colorspace = UNKNOWN  # the filters are told what it is; that it changed need not be said
        self._graph.vpush(frame)
        yield from self._ready()

    def finish(self) -> Iterator[tuple[Tensor, Fraction]]:
        """Pictures that were held back."""
        if self._graph is not None:
            self._graph.vpush(None)
            yield from self._ready()
            self._graph = None

    def _ready(self) -> Iterator[tuple[Tensor, Fraction]]:
        while True:
            try:
                frame = self._graph.vpull()
            except (self._av.error.BlockingIOError, self._av.error.EOFError):
                return
            yield self._finished(frame), frame.pts * frame.time_base

    def _kind_of(self, frame: Any) -> Kind:
        context = self._stream.codec_context
        return Kind(
            frame.height,
            frame.width,
            frame.format.name,
            int(frame.colorspace),
            int(frame.color_range),
            int(context.color_trc),
            int(context.color_primaries),
            _orientation(frame),
            int(self._av.VideoFormat(frame.format.name).components[0].bits),
        )

    def _made(self, kind: Kind) -> Any:
        """Filters for one kind of pictures."""
        if self._sides is None:
            aspect = self._stream.sample_aspect_ratio or 1
            self._sides = fitted(kind.height, max(1, round(kind.width * aspect)), self._size)
        scale = {"w": self._sides[1], "h": self._sides[0], "flags": EXACT}
        if not kind.is_rgb:
            scale["in_color_matrix"] = kind.coefficients
        if kind.range in (NARROW, FULL):
            scale["in_range"] = "pc" if kind.is_full else "tv"
        if kind.is_deep and not kind.is_rgb:
            # FFmpeg's own RGB of 16 bits has 65283 for white, and wraps around: it only scales here.
            same = "pc" if kind.is_full else "tv"
            scale |= {"out_color_matrix": kind.coefficients, "in_range": same, "out_range": same}
        made = "rgb24" if not kind.is_deep else "rgb48le" if kind.is_rgb else "yuv444p16le"
        filters: list[tuple[str, dict[str, Any]]] = [("scale", scale), ("format", {"pix_fmts": made})]
        if self._fields:
            self._say("interlaced: its fields are joined to whole pictures (bwdif)")
            filters.insert(0, ("bwdif", {"mode": "send_frame", "deint": "interlaced"}))
        if kind.is_hdr:
            name = "PQ" if kind.transfer == PQ else "HLG"
            self._say(f"HDR ({name}) is shown as SDR; highlights are clipped to white")
        size = {"width": kind.width, "height": kind.height, "format": kind.format}
        return chain(self._av, filters, time_base=self._stream.time_base, **size)

    def _say(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._tell(text)

    def _finished(self, frame: Any) -> Tensor:
        assert self._kind is not None
        levels: npt.NDArray[Any]
        planar = self._kind.is_deep and not self._kind.is_rgb
        levels = _to_rgb(frame, self._kind) if planar else frame.to_ndarray()
        if self._kind.is_hdr:
            levels = _to_sdr(levels, self._kind.transfer, self._kind.primaries)
        a, b, c, d = self._kind.orientation
        if b or c:
            levels, a, d = levels.swapaxes(0, 1), c, b
        levels = levels[::d, ::a]
        return to_tensor(levels)


def chain(av: Any, filters: list[tuple[str, dict[str, Any]]], **source: Any) -> Any:
    """FFmpeg's filters one after the other, between a source and a sink of pictures."""
    graph = av.filter.Graph()
    steps = [graph.add_buffer(**source)]
    for name, options in filters:
        steps.append(graph.add(name, ":".join(f"{key}={value}" for key, value in options.items())))
    steps.append(graph.add("buffersink"))
    for one, other in pairwise(steps):
        one.link_to(other)
    graph.configure()
    return graph


def _orientation(frame: Any) -> tuple[int, ...]:
    """Signs of a, b, c, d in x' = a x + c y, y' = b x + d y, the display matrix; FFmpeg's angle forgets mirrors."""
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            values = np.frombuffer(bytes(data), np.int32)[[0, 1, 3, 4]].astype(float)
            straight = abs(values[0]) + abs(values[3]) >= abs(values[1]) + abs(values[2])
            return tuple(int(v) for v in np.sign(values) * ([1, 0, 0, 1] if straight else [0, 1, 1, 0]))
    return 1, 0, 0, 1


@cache
def _light(transfer: int) -> npt.NDArray[np.float32]:
    """Light of every level of 16 bits, 1 for diffuse white."""
    signal = np.linspace(0, 1, 65536, dtype=np.float32)
    if transfer == PQ:
        return gamut.pq(signal)
    return (gamut.hlg_scene(signal) / gamut.hlg_scene(np.full(1, HLG_WHITE, np.float32))).astype(np.float32)


def _to_rgb(frame: Any, kind: Kind) -> npt.NDArray[np.float32]:
    """A picture of Y, Cb and Cr of 16 bits, shifted there from its own, as RGB `(H, W, 3)` in [0, 1]."""
    rows = [np.frombuffer(plane, "<u2").reshape(frame.height, -1)[:, : frame.width] for plane in frame.planes]
    top = 65536 - (1 << (16 - kind.bits))
    black, white, gain = (0, top, top) if kind.is_full else (16 << 8, 235 << 8, 224 << 8)
    luma = (rows[0].astype(np.float32) - black) / (white - black)
    blue, red = ((row.astype(np.float32) - 32768) / gain for row in rows[1:])
    r, b = WEIGHTS[kind.coefficients]
    reds, blues = luma + 2 * (1 - r) * red, luma + 2 * (1 - b) * blue
    return np.stack([reds, (luma - r * reds - b * blues) / (1 - r - b), blues], -1).clip(0, 1)


def _to_sdr(values: npt.NDArray[Any], transfer: int, primaries: int) -> npt.NDArray[np.float32]:
    """Values `(H, W, 3)` of PQ or HLG as sRGB in [0, 1]: diffuse white is white, and what is lighter keeps its hue."""
    matrix = np.linalg.inv(gamut.to_xyz(gamut.SRGB)) @ gamut.to_xyz(gamut.PRIMARIES.get(primaries, gamut.PRIMARIES[9]))
    levels = values if values.dtype == np.uint16 else (values * 65535 + 0.5).astype(np.uint16)
    light = np.maximum(_light(transfer)[levels] @ matrix.T.astype(np.float32), 0)
    return gamut.encoded(light / np.maximum(light.max(-1, keepdims=True), 1))
