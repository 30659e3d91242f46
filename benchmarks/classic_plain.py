"""The plain loop of Efros and Leung 1999: one pixel after the other, each compared with every window of the sample."""

from __future__ import annotations

from typing import Any

import numpy as np


def efros_leung(
    sample: Any, size: tuple[int, int], window: int, tolerance: float, max_error: float, seed: int, tileable: bool
) -> tuple[Any, Any]:
    """The texture `(H, W, 3)` and where its pixels are from, `(2, H, W)`; arguments as for
    `impasto.methods.patches.efros_leung`, `sample` is `(h, w, 3)`."""
    (width, height), r = size, window // 2
    sample = sample.astype(np.float64)
    random = np.random.default_rng(seed)
    colors, known = np.zeros((height, width, 3)), np.zeros((height, width), bool)
    source = np.zeros((2, height, width), np.int64)
    wide = sample.shape[1] - 2
    y, x = divmod(int(random.integers((sample.shape[0] - 2) * wide)), wide)
    top, left = (height - 3) // 2, (width - 3) // 2
    colors[top : top + 3, left : left + 3] = sample[y : y + 3, x : x + 3]
    known[top : top + 3, left : left + 3] = True
    source[:, top : top + 3, left : left + 3] = np.mgrid[y : y + 3, x : x + 3]
    line = np.exp(-0.5 * (np.arange(-r, r + 1) / (window / 6.4)) ** 2)
    gaussian = np.outer(line, line)
    windows = np.lib.stride_tricks.sliding_window_view(sample, (window, window), (0, 1)).transpose(0, 1, 3, 4, 2)
    mode = {"mode": "wrap"} if tileable else {}
    while not known.all():
        padded = np.pad(known, 1, **mode).astype(int)
        count = sum(padded[i : i + height, j : j + width] for i in range(3) for j in range(3))
        cells = np.argwhere(~known & (count > 0))
        order = random.permutation(len(cells))
        order = order[np.argsort(-count[tuple(cells[order].T)], kind="stable")]
        chance, made = random.random(len(cells)), False
        for (y, x), share in zip(cells[order], chance, strict=True):
            t = np.pad(colors, ((r, r), (r, r), (0, 0)), **mode)[y : y + window, x : x + window]
            mask = gaussian * np.pad(known, r, **mode)[y : y + window, x : x + window]
            distances = (((windows - t) ** 2).sum(-1) * mask).sum((2, 3)) / (3 * mask.sum())
            near = np.argwhere(distances <= (1 + tolerance) * distances.min())
            i, j = near[int(share * len(near))]
            if distances[i, j] < max_error:
                colors[y, x], source[:, y, x], known[y, x], made = sample[i + r, j + r], (i + r, j + r), True, True
        if not made:
            max_error *= 1.1
    return colors, source
