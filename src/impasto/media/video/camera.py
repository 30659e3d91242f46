"""Cameras."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction

from torch import Tensor

from impasto.errors import InputError
from impasto.media.video.color import fitted, to_tensor
from impasto.media.video.records import Index, Tell
from impasto.optional import needed


class Camera:
    """A camera, by its number; times are those at which its pictures came."""

    rate = Fraction(30)

    def __init__(self, number: int, size: int | None) -> None:
        self.number, self.size = number, size

    def index(self) -> Index:
        raise InputError(f"camera {self.number} has no times to start at; leave out start")

    def pictures(self, number: int, tell: Tell) -> Iterator[tuple[Tensor, Fraction]]:
        cv2 = needed("cv2", "video")
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # an absent camera is told below, in one line
        camera = cv2.VideoCapture(self.number)
        try:
            camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the newest frame, not one that has waited
            there, levels = camera.read()
            if not there:
                raise InputError(f"camera {self.number} gives no pictures; is it connected, and free?")
            while there:
                now = Fraction(time.monotonic())
                height, width = fitted(levels.shape[0], levels.shape[1], self.size)
                levels = cv2.resize(levels, (width, height), interpolation=cv2.INTER_AREA)
                yield to_tensor(levels[..., ::-1]), now
                there, levels = camera.read()
        finally:
            camera.release()
