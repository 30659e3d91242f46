"""Plain loops of the papers: one pixel after the other, each compared with every window of the sample."""

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

    def distances_at(y: int, x: int, mask: Any) -> Any:
        t = np.pad(colors, ((r, r), (r, r), (0, 0)), **mode)[y : y + window, x : x + window]
        mask = gaussian * mask
        return (((windows - t) ** 2).sum(-1) * mask).sum((2, 3)) / (3 * mask.sum())

    def one_of(distances: Any, share: float) -> tuple[int, int]:
        near = np.argwhere(distances <= (1 + tolerance) * distances.min())
        i, j = near[int(share * len(near))]
        return int(i), int(j)

    while not known.all():
        padded = np.pad(known, 1, **mode).astype(int)
        count = sum(padded[i : i + height, j : j + width] for i in range(3) for j in range(3))
        cells = np.argwhere(~known & (count > 0))
        order = random.permutation(len(cells))
        order = order[np.argsort(-count[tuple(cells[order].T)], kind="stable")]
        chance, made = random.random(len(cells)), False
        for (y, x), share in zip(cells[order], chance, strict=True):
            distances = distances_at(y, x, np.pad(known, r, **mode)[y : y + window, x : x + window])
            i, j = one_of(distances, share)
            if distances[i, j] < max_error:
                colors[y, x], source[:, y, x], known[y, x], made = sample[i + r, j + r], (i + r, j + r), True, True
        if not made:
            max_error *= 1.1
    edge = np.ones((height, width), bool)
    edge[window : height - window, window : width - window] = False
    others = np.arange(window * window).reshape(window, window) != window * window // 2
    for _ in range(4 if tileable else 0):
        order = random.permutation(int(edge.sum()))
        for (y, x), share in zip(np.argwhere(edge)[order], random.random(len(order)), strict=True):
            i, j = one_of(distances_at(y, x, others), share)
            colors[y, x], source[:, y, x] = sample[i + r, j + r], (i + r, j + r)
    return colors, source


def wei_levoy(levels: list[Any], shape: tuple[int, int], window: int, seed: int) -> Any:
    """Where the pixels of the texture are from, `(2, H, W)`, round its edges.

    Args:
        levels: the sample's pyramid, `(h, w, 3)` each, the largest first; the rest as for
            `impasto.methods.patches.wei_levoy`.
    """
    random, r, above = np.random.default_rng(seed), window // 2, (window // 2 + 1) // 2
    coarse: Any = None
    for number in reversed(range(len(levels))):
        sample = levels[number].astype(np.float64)
        h, w = sample.shape[:2]
        height, width = (-(-side // 2**number) for side in shape)
        source = np.stack(np.divmod(random.choice(np.arange(h * w), (height, width)), w))

        def around(picture: Any, y: int, x: int, reach: int) -> Any:
            return picture[np.arange(y - reach, y + reach + 1) % len(picture)][
                :, np.arange(x - reach, x + reach + 1) % picture.shape[1]
            ].reshape(-1, 3)

        def vector(picture: Any, y: int, x: int, coarser: Any) -> Any:
            own = around(picture, y, x, r)[: window * r + r]
            return own if coarser is None else np.concatenate([own, around(coarser, y // 2, x // 2, above)])

        smaller = levels[number + 1].astype(np.float64) if coarse is not None else None
        places = [(y, x) for y in range(r, h) for x in range(r, w - r)]
        if smaller is not None:
            places = [
                (y, x)
                for y, x in places
                if above <= y // 2 < len(smaller) - above and above <= x // 2 < smaller.shape[1] - above
            ]
        known = np.stack([vector(sample, y, x, smaller) for y, x in places])
        for y, x in sorted(np.ndindex(height, width), key=lambda at: (at[1] + (r + 1) * at[0], at[0])):
            wanted = vector(sample[tuple(source)], y, x, coarse)
            source[:, y, x] = places[int(((known - wanted) ** 2).sum((1, 2)).argmin())]
        coarse = sample[tuple(source)]
    return source
