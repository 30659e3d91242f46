"""Optical flow: between two frames by OpenCV, or from files that others computed (Middlebury `.flo`, KITTI PNG).

Flows are arrays `(H, W, 2)` float32 of pixels to the right and down, from each place of one frame to the same point of
the scene in another one; not a number where a file does not know it.
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from impasto.errors import InputError
from impasto.files import write_bytes
from impasto.optional import needed

if TYPE_CHECKING:
    from torch import Tensor

FlowArray: TypeAlias = npt.NDArray[np.float32]
Gray: TypeAlias = npt.NDArray[np.uint8]

#: First four bytes of a Middlebury file (202021.25), and what stands for an unknown flow: anything above 1e9.
MIDDLEBURY, UNKNOWN = b"PIEH", 1e9


@dataclass(frozen=True, eq=False)
class View:
    """A frame as flow sees it.

    Attributes:
        number: of the frame in its video, from 1.
        gray: levels `(H, W)`.
    """

    number: int
    gray: Gray


@dataclass(frozen=True, eq=False)
class Motion:
    """How two frames lie to each other.

    Attributes:
        backward: from this frame to the other one, `(H, W, 2)` in pixels of the views; pictures are carried by it.
        forward: from the other one to this one.
    """

    backward: FlowArray
    forward: FlowArray


def gray_of(pixels: Tensor, longest: int | None = None) -> Gray:
    """Levels `(h, w)` of a picture `(1, 3, H, W)`, made smaller if its long side is above `longest`."""
    cv2 = needed("cv2", "video")
    red, green, blue = pixels[0].numpy()  # not by torch, whose threads are the painter's
    gray = np.float32(76.245) * red + np.float32(149.685) * green + np.float32(29.07) * blue
    ratio = 1.0 if longest is None else longest / max(gray.shape)
    if ratio < 1:
        size = tuple(max(1, round(n * ratio)) for n in gray.shape[::-1])
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    levels: Gray = np.rint(gray).astype(np.uint8)
    return levels


class Estimator(Protocol):
    """What finds the motion between two frames."""

    def __call__(self, now: View, other: View) -> Motion: ...


@cache
def _places(size: tuple[int, ...]) -> tuple[FlowArray, FlowArray]:
    """x and y of each pixel."""
    height, width = size[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return x, y


def _smoothed(flow: FlowArray, back: FlowArray, gray: Gray, strength: float = 20.0) -> FlowArray:
    """A flow, `(H, W, 2)`, where it is certain, spread along the picture to where it is not: flat places, such as snow
    and sky, in which matching finds anything, move as their surroundings do. At half the size,

        c = exp(−|w̃ + ŵ|² / (0.01 |ŵ|² + 0.1)) · min(1, mean of gradient² / 4),   flow = c ŵ + (1 − c) S(c ŵ) / S(c)

    with S the fast global smoother (Min et al. 2014) guided by the frame.
    """
    cv2 = needed("cv2", "video")
    height, width = gray.shape
    half = ((width + 1) // 2, (height + 1) // 2)
    gray_half, there, back_half = (cv2.resize(a, half, interpolation=cv2.INTER_AREA) for a in (gray, flow, back))
    (u, v), (x, y) = cv2.split(there / 2), _places((half[1], half[0]))
    came = cv2.remap(back_half / 2, x + u, y + v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    back_u, back_v = cv2.split(came)
    apart = (back_u + u) ** 2 + (back_v + v) ** 2
    across, down = (cv2.Sobel(gray_half, cv2.CV_32F, *way, ksize=3, scale=1 / 8) for way in ((1, 0), (0, 1)))
    texture = cv2.boxFilter(across * across + down * down, -1, (3, 3)) / 4
    certain = cv2.exp(-apart / (0.01 * (u * u + v * v) + 0.025)) * np.minimum(1, texture) + np.float32(1e-4)
    smoother = cv2.ximgproc.createFastGlobalSmootherFilter(gray_half, strength, 4.0)
    weight = np.maximum(smoother.filter(certain), 1e-8)
    spread = cv2.merge([2 * smoother.filter(certain * part) / weight for part in (u, v)])
    calm = cv2.resize(spread, (width, height), interpolation=cv2.INTER_LINEAR)
    known = cv2.resize(np.minimum(certain, 1), (width, height), interpolation=cv2.INTER_LINEAR)
    found: FlowArray = calm + known[..., None] * (flow - calm)
    return found


def round_trip_error(motion: Motion, other: Gray) -> tuple[Gray, FlowArray, FlowArray]:
    """The other frame carried along the backward flow, and where one comes back to: `|w̃ + ŵ|²` and its limit in
    `0.01 (|w̃|² + |ŵ|²) + 0.5` (Ruder et al. 2016, eq. 5), `(H, W)` each."""
    cv2 = needed("cv2", "video")
    (u, v), (x, y) = cv2.split(motion.backward), _places(motion.backward.shape[:2])
    carried, there = (
        cv2.remap(a, x + u, y + v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for a in (other, motion.forward)
    )
    back_u, back_v = cv2.split(there)
    apart = (back_u + u) ** 2 + (back_v + v) ** 2
    return carried, apart, 0.01 * (u * u + v * v + back_u * back_u + back_v * back_v) + 0.5


_OWN = threading.local()


def _own(name: str, make: Callable[[], Any]) -> Any:
    """An estimator of this thread: they are not made to be used by several at once."""
    if name not in _OWN.__dict__:
        setattr(_OWN, name, make())
    return getattr(_OWN, name)


def _dis(quality: str, size: tuple[int, ...]) -> Any:
    """One for each size: after a small picture it searches all later ones less finely, for good."""
    return _own(f"{quality} {size}", lambda: _new_dis(quality))


def _new_dis(quality: str) -> Any:
    cv2 = needed("cv2", "video")
    if quality == "fine":
        found = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        found.setFinestScale(0)
        found.setPatchStride(3)
        found.setGradientDescentIterations(25)
        return found
    presets = {"fast": cv2.DISOPTICAL_FLOW_PRESET_FAST, "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM}
    return cv2.DISOpticalFlow_create(presets[quality])


def _deepflow() -> Any:
    return _own("deepflow", _new_deepflow)


def _new_deepflow() -> Any:
    cv2 = needed("cv2", "video")
    if not hasattr(cv2, "optflow"):
        raise InputError("deepflow needs opencv-contrib-python-headless, which is not installed: pip install that")
    return cv2.optflow.createOptFlow_DeepFlow()


def smooths() -> bool:
    """Whether this OpenCV can make flow smooth: its contributed modules are there."""
    return hasattr(needed("cv2", "video"), "ximgproc")


@dataclass(frozen=True)
class Dis:
    """Dense inverse search (Kroeger et al. 2016).

    Attributes:
        quality: fast, medium or fine, which searches down to single pixels.
        smooth: make it smooth where it is not certain, if OpenCV can.
    """

    quality: str = "medium"
    smooth: bool = True

    def __call__(self, now: View, other: View) -> Motion:
        search = _dis(self.quality, now.gray.shape)
        backward, forward = search.calc(now.gray, other.gray, None), search.calc(other.gray, now.gray, None)
        if not self.smooth or not smooths():
            return Motion(backward, forward)
        return Motion(_smoothed(backward, forward, now.gray), _smoothed(forward, backward, other.gray))


@dataclass(frozen=True)
class DeepFlow:
    """DeepFlow (Weinzaepfel et al. 2013) without its matching, as OpenCV has it: slow, and good at small motion."""

    def __call__(self, now: View, other: View) -> Motion:
        backward, forward = _deepflow().calc(now.gray, other.gray, None), _deepflow().calc(other.gray, now.gray, None)
        return Motion(backward, forward)


#: Names of the files of a folder with flows: those of Ruder's `makeOptFlow.sh` first.
NAMES = ("{way}_{this}_{that}.flo", "{this}_{that}.flo", "{way}_{this}_{that}.png", "{this}_{that}.png")


@dataclass(frozen=True)
class Given:
    """Flows that others computed: files of a folder, `backward_2_1.flo` and `forward_1_2.flo` (or `2_1.flo`), with
    numbers of frames from 1; or a pattern of their paths with {this} and {that}, the frames from and to.

    Attributes:
        place: the folder or the pattern.
    """

    place: str

    def __call__(self, now: View, other: View) -> Motion:
        backward, forward = self._read(now, other), self._read(other, now)
        return Motion(backward, forward)

    def _read(self, this: View, that: View) -> FlowArray:
        way = "backward" if this.number > that.number else "forward"
        about = {"this": this.number, "that": that.number, "way": way}
        patterns = [self.place] if "{" in self.place else [str(Path(self.place) / name) for name in NAMES]
        tried = [pattern.format(**about) for pattern in patterns]
        for path in tried:
            if Path(path).is_file():
                return np.nan_to_num(fitted_flow(read_flow(path), this.gray.shape[:2]))
        raise InputError(f"there is no flow from frame {this.number} to {that.number}: {tried[0]} is missing")


@dataclass(frozen=True)
class Still:
    """No flow: what does not move in the picture stays, and nothing else is carried on."""

    def __call__(self, now: View, other: View) -> Motion:
        nothing = np.zeros((*now.gray.shape, 2), np.float32)
        return Motion(nothing, nothing)


#: Name -> what makes an estimator.
ESTIMATORS: dict[str, Callable[[], Estimator]] = {
    "dis": Dis,
    "dis-fast": lambda: Dis("fast"),
    "dis-fine": lambda: Dis("fine"),
    "deepflow": DeepFlow,
}


def estimator(flow: str) -> Estimator:
    """By name, or for the folder or pattern of files.

    Raises:
        InputError: if it is neither.
    """
    if flow in ESTIMATORS:
        return ESTIMATORS[flow]()
    if "{" not in flow and not Path(flow).is_dir():
        known = ", ".join(ESTIMATORS)
        raise InputError(f"flow is {flow!r}; it must be one of {known}, or a folder of flows, or a pattern of paths")
    return Given(flow)


def fitted_flow(flow: FlowArray, size: tuple[int, ...]) -> FlowArray:
    """A flow of frames of another size for those of `(H, W)`, in their pixels."""
    height, width = flow.shape[:2]
    if (height, width) == tuple(size):
        return flow
    cv2 = needed("cv2", "video")
    how = cv2.INTER_AREA if size[0] < height else cv2.INTER_LINEAR
    scale = np.array([size[1] / width, size[0] / height], np.float32)
    found: FlowArray = cv2.resize(flow, (size[1], size[0]), interpolation=how) * scale
    return found


# Files


def read_flow(path: str | os.PathLike[str]) -> FlowArray:
    """A flow out of a Middlebury `.flo` or KITTI `.png` file; NaN where it is unknown.

    Raises:
        InputError: if there is no such file, or it is none.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"the flow {path} cannot be read: {error.strerror}") from error
    return _read_kitti(path, data) if path.suffix.lower() == ".png" else _read_middlebury(path, data)


def write_flow(path: str | os.PathLike[str], flow: FlowArray) -> None:
    """Write a flow `(H, W, 2)`: Middlebury if the suffix is `.flo`, KITTI (to 1/64 pixel, within ±512) if `.png`.

    Raises:
        InputError: if it has another suffix, or cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() == ".flo":
        height, width = flow.shape[:2]
        known = np.where(np.isfinite(flow), flow, np.float32(2 * UNKNOWN)).astype("<f4")
        write_bytes(path, MIDDLEBURY + struct.pack("<ii", width, height) + known.tobytes())
    elif path.suffix.lower() == ".png":
        cv2 = needed("cv2", "video")
        there = np.isfinite(flow).all(-1)
        levels = np.clip(np.rint(np.nan_to_num(flow) * 64 + 32768), 0, 65535).astype(np.uint16)
        levels[~there] = 0
        bgr = np.dstack([there.astype(np.uint16), levels[..., 1], levels[..., 0]])
        write_bytes(path, cv2.imencode(".png", bgr)[1].tobytes())
    else:
        raise InputError(f"a flow is written as .flo or .png, not as {path.name}")


def _read_middlebury(path: Path, data: bytes) -> FlowArray:
    if data[:4] != MIDDLEBURY or len(data) < 12:
        raise InputError(f"{path} is no Middlebury flow: it does not begin with PIEH; give a .flo or a KITTI .png file")
    width, height = struct.unpack("<ii", data[4:12])
    if width < 1 or height < 1 or len(data) != 12 + 8 * width * height:
        raise InputError(f"the flow {path} says {width}x{height}, which {len(data)} bytes do not hold: it is damaged")
    flow = np.frombuffer(data, "<f4", offset=12).reshape(height, width, 2)
    known = np.abs(flow).max(-1, keepdims=True) <= UNKNOWN
    return np.where(known, flow, np.nan).astype(np.float32)


def _read_kitti(path: Path, data: bytes) -> FlowArray:
    cv2 = needed("cv2", "video")
    levels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if levels is None or levels.dtype != np.uint16 or levels.ndim != 3:
        raise InputError(f"{path} is no KITTI flow: that is a PNG of three channels with 16 bits")
    flow: FlowArray = (levels[..., [2, 1]].astype(np.float32) - 32768) / 64
    flow[levels[..., 0] == 0] = np.nan
    return flow
