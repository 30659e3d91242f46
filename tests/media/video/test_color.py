"""Colors of every matrix, range and depth come back, and HDR is shown with a white that is white."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impasto.media import gamut
from impasto.media.video import Video, VideoWriter

av = pytest.importorskip("av")

COLORS = np.array([[1, 1, 1], [128 / 255] * 3, [1, 0, 0], [0, 0, 0], [0.2, 0.4, 0.9], [1, 0.8, 0.6]])
WEIGHTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 9: (0.2627, 0.0593)}


def bars(
    path: Path,
    values: Any,
    matrix: int,
    full: bool = False,
    bits: int = 8,
    size: tuple[int, int] = (48, 96),
    **tags: int,
) -> Path:
    """Bars of R'G'B' values, converted here; without tags nothing is told."""
    height, width = size
    red, blue = WEIGHTS[matrix]
    picture = np.repeat(np.repeat(np.asarray(values)[None], width // len(values), 1), height, 0)
    luma = picture @ [red, 1 - red - blue, blue]
    chroma = (picture[..., 2] - luma) / (2 - 2 * blue), (picture[..., 0] - luma) / (2 - 2 * red)
    unit = 1 << (bits - 8)
    top = 256 * unit - 1
    planes = [luma * top if full else (16 + 219 * luma) * unit]
    planes += [(c * top if full else c * 224 * unit)[::2, ::2] + 128 * unit for c in chroma]
    form = "yuv420p" if bits == 8 else "yuv420p10le"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, form
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        frame = av.VideoFrame(width, height, form)
        for plane, levels in zip(frame.planes, planes, strict=True):
            exact = levels.round().clip(0, top).astype(np.uint8 if bits == 8 else np.uint16)
            rows = np.zeros((plane.height, plane.line_size), np.uint8)
            rows[:, : exact.shape[1] * exact.itemsize] = np.ascontiguousarray(exact).view(np.uint8)
            plane.update(rows.tobytes())
        if tags:
            frame.colorspace, frame.color_range = tags["colorspace"], tags["color_range"]
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def seen(path: Path, size: int | None = None) -> Any:
    """The middles of the bars, in levels."""
    (frame,) = Video(str(path), size).frames()
    pixels = frame.pixels[0, :, frame.pixels.shape[2] // 2].numpy()
    return pixels[:, [round((i + 0.5) * pixels.shape[1] / len(COLORS)) for i in range(len(COLORS))]].T * 255


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [1, 5, 9])
def test_tagged_colors_are_exact_and_come_back(matrix: int, full: bool, bits: int, tmp_path: Path) -> None:
    path = bars(tmp_path / "a.mkv", COLORS, matrix, full, bits, colorspace=matrix, color_range=2 if full else 1)
    for size in (None, 72, 66):
        assert np.abs(seen(path, size) - COLORS * 255).max() < 1.1
        assert seen(path, size)[0].min() > 254.9
    with VideoWriter(tmp_path / "b.mp4", 10) as writer:
        for frame in Video(str(path)).frames():
            writer.write(frame.pixels)
    assert np.abs(seen(tmp_path / "b.mp4").mean(0) - COLORS.mean(0) * 255).max() < 2


@pytest.mark.parametrize(("size", "matrix"), [((720, 1280 // 6 * 6), 1), ((480, 720), 5)])
def test_untagged_colors_are_guessed_by_size(size: tuple[int, int], matrix: int, tmp_path: Path) -> None:
    assert np.abs(seen(bars(tmp_path / "a.mkv", COLORS, matrix, size=size)) - COLORS * 255).max() < 1.1


def pq(light: Any) -> Any:
    """BT.2100's curve, of light where 1 is 203 cd/m²."""
    y = (light * 203 / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375


def hlg(light: Any) -> Any:
    """BT.2100's curve, of light of the scene where 1 is a signal of 75 %."""
    e = light * 0.26496
    logarithm = 0.17883277 * np.log(np.maximum(12 * e - 0.28466892, 1e-9)) + 0.55991073
    return np.where(e <= 1 / 12, np.sqrt(3 * e), logarithm)


@pytest.mark.parametrize(("curve", "transfer"), [(pq, 16), (hlg, 18)])
def test_hdr_is_shown_with_its_white_as_white(curve: Any, transfer: int, tmp_path: Path) -> None:
    light = np.where(COLORS <= 0.04045, COLORS / 12.92, ((COLORS + 0.055) / 1.055) ** 2.4)
    wide = np.linalg.inv(gamut.to_xyz(gamut.PRIMARIES[9])) @ gamut.to_xyz(gamut.SRGB)
    tags = {"colorspace": 9, "color_range": 1, "color_trc": transfer, "color_primaries": 9}
    path = bars(tmp_path / "a.mkv", curve((light @ wide.T).clip(0, 1)), 9, bits=10, **tags)
    assert np.abs(seen(path) - COLORS * 255).max() < 2
    notes: list[str] = []
    list(Video(str(path)).frames(notes.append))
    assert len(notes) == 1 and "HDR" in notes[0]
