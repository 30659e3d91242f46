"""Where a film is cut: nothing is carried from one shot to the next."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from impasto.media.flow import Dis, Gray, View, round_trip_error
from impasto.optional import needed

#: Long side at which frames are compared, in pixels.
SIDE = 160
#: A cut is where luma correlates less with the one before, carried along the flow, and more of the flow does not lead
#: back. Between these lie neither shots (.95 and more, .13 and less) nor cuts (.4 and less, .8 and more).
LEAST_CORRELATION, MOST_LOST = 0.6, 0.5
#: Deviation of luma levels below which a frame is flat: black, white; and above which it cannot have faded to that.
FLAT, DISTINCT = 2.0, 8.0


def thumbnail(gray: Gray) -> Gray:
    """A frame, `(H, W)`, as small as cuts are found at."""
    cv2 = needed("cv2", "video")
    ratio = SIDE / max(gray.shape)
    size = tuple(max(8, round(n * ratio)) for n in gray.shape[::-1])
    found: Gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    return found


def is_cut(before: Gray, now: Gray) -> bool:
    """Whether two frames, one after the other, `(h, w)` by `thumbnail`, are of different shots.

    Flashes, fades, dissolves and fast motion are no cuts; to or from a flat frame, such as black,
    at once, is one.
    """
    least, most = sorted(float(frame.std()) for frame in (before, now))
    if least < FLAT:
        return most > DISTINCT
    motion = Dis("fast", smooth=False)(View(2, now), View(1, before))
    carried, apart, limit = round_trip_error(motion, before)
    return correlation(carried, now) < LEAST_CORRELATION and float((apart > limit).mean()) > MOST_LOST


def correlation(a: npt.NDArray[np.generic], b: npt.NDArray[np.generic]) -> float:
    """Of two pictures' levels; 0 where one is flat."""
    x, y = (m.astype(np.float64) - m.mean() for m in (a, b))
    lengths = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum()) / lengths if lengths else 0.0


def unchanged(before: Gray, now: Gray) -> bool:
    """Whether a frame, by `thumbnail`, is the one before but for noise: it need not be painted again."""
    apart = np.abs(before.astype(np.int16) - now)
    return bool(apart.mean() < 0.1 and apart.max() <= 2)
