"""Render the two demo pictures of impasto: a photograph-like content scene and an oil painting.

Only NumPy and Pillow are needed, and the same seed always gives the same pictures:

    python examples/render.py --out examples --size 768 --seed 7

The content picture is a small ray-traced town on a lake.  The style picture is laid down stroke by stroke by
``paint``, which knows nothing about its motif: a ``Painting`` is a palette, a flow field, an underpainting and
a few layers of strokes, so another painting is another handful of short functions.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[Any]  # float32 unless said otherwise
Field = Callable[[Array, Array], Array]
Faces = list[list[float]]
OVERSAMPLE = 2


# ---------------------------------------------------------------------------------------------- shared tools


def vec(*values: float) -> Array:
    """Return a vector, or a color, of single precision."""
    return np.array(values, np.float32)


def fractal(rng: np.random.Generator, size: int = 512, slope: float = 1.8) -> Array:
    """Return a tileable square of fractal noise with zero mean, unit deviation and spectrum 1/f**slope."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]) * size
    frequency[0, 0] = np.inf
    tile = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((size, size))) / frequency**slope, s=(size, size))
    return (tile / tile.std()).astype(np.float32)


def sample(tile: Array, x: Array, y: Array) -> Array:
    """Look a tile up, bilinearly and wrapping around, at coordinates where 1 is one whole tile."""
    rows, cols = tile.shape[:2]
    x, y = np.broadcast_arrays(np.asarray(x) * cols % cols, np.asarray(y) * rows % rows)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    u, v = (x - left).astype(np.float32), (y - top).astype(np.float32)
    left, top, right, below = left % cols, top % rows, (left + 1) % cols, (top + 1) % rows
    upper = tile[top, left] * (1 - u) + tile[top, right] * u
    return upper * (1 - v) + (tile[below, left] * (1 - u) + tile[below, right] * u) * v


def smooth(low: float, high: float, value: Array) -> Array:
    """Step smoothly from 0 at ``low`` to 1 at ``high``."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mix(first: object, second: object, amount: Array) -> Array:
    """Blend two colors (or pictures) by a map of weights."""
    first, second, weight = np.asarray(first, np.float32), np.asarray(second, np.float32), amount[..., None]
    return first + (second - first) * weight


def blur(picture: Array, radius: float) -> Array:
    """Blur a picture by a Gaussian of the given radius in pixels, mirroring it at its borders."""
    pad = int(3 * radius) + 1
    padded = np.pad(picture, ((pad, pad), (pad, pad)) + ((0, 0),) * (picture.ndim - 2), mode="symmetric")
    rows, cols = padded.shape[:2]
    power = np.fft.fftfreq(rows)[:, None] ** 2 + np.fft.rfftfreq(cols)[None] ** 2
    gain = np.exp(-2 * (np.pi * radius) ** 2 * power).reshape(power.shape + (1,) * (picture.ndim - 2))
    result = np.fft.irfft2(np.fft.rfft2(padded, axes=(0, 1)) * gain, s=(rows, cols), axes=(0, 1))
    return result[pad:-pad, pad:-pad].astype(np.float32)


def to_image(picture: Array, width: int) -> Image.Image:
    """Turn values from 0 to 1 into an image, averaging the oversampled pixels."""
    image = Image.fromarray((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8))
    return image.resize((width, width * 2 // 3), Image.Resampling.BOX)


# ----------------------------------------------------------------------------------------------- the painter


@dataclass(frozen=True)
class Strokes:
    """One layer of strokes; lengths are fractions of the picture's height."""

    width: float
    length: float
    coverage: float  # painted area over picture area
    jitter: float = 0.06  # how far a color may stray
    dryness: float = 0.3  # how soon bristles run out of paint
    relief: float = 1.0  # how thick the paint is
    tolerance: float = 0.25  # how far the motif may change before a stroke ends
    lift: float = 0.0  # added lightness
    where: Field | None = None  # chance of a stroke starting at a place
    accents: tuple[str, ...] = ()  # colors that take the place of the motif's


@dataclass(frozen=True)
class Painting:
    """What is painted and how: coordinates run from (0, 0) at the top left to (1.5, 1) at the bottom right."""

    palette: tuple[str, ...]
    flow: Field  # direction of the brush, as vectors
    underpainting: Field  # colors of the motif
    layers: tuple[Strokes, ...]
    ground: str = "#3b3a4a"


@dataclass
class Canvas:
    """The wet picture: its paint, the height of that paint, and what the strokes follow."""

    color: Array
    height: Array
    motif: Array
    flow: Array
    palette: Array
    bristles: Array


def rgb(*codes: str) -> Array:
    """Read colors such as ``#e8b63a`` as rows of values from 0 to 1."""
    return np.array([[int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)] for code in codes], np.float32)


def at(grid: Array, points: Array) -> Array:
    """Read a grid at the pixels nearest to (x, y) points."""
    rows, cols = grid.shape[:2]
    x, y = points[..., 0].astype(int).clip(0, cols - 1), points[..., 1].astype(int).clip(0, rows - 1)
    return grid[y, x]


def trace(canvas: Canvas, start: Array, reach: Array, tolerance: float, steps: int = 24) -> Array:
    """Follow the flow both ways from each start while the motif keeps its color; return (n, 2 steps + 1, 2)."""
    origin, halves = at(canvas.motif, start), []
    for sign in (-1.0, 1.0):
        point, going, path = start, np.ones(len(start), np.float32), []
        for _ in range(steps):
            ahead = point + sign * (reach / steps)[:, None] * at(canvas.flow, point) * going[:, None]
            going = going * (np.abs(at(canvas.motif, ahead) - origin).sum(-1) < tolerance * 3)
            point = point + (ahead - point) * going[:, None]
            path.append(point)
        halves.append(path)
    return np.stack([*halves[0][::-1], start, *halves[1]], axis=1)


def resample(path: Array, count: int) -> tuple[Array, Array, Array]:
    """Space each path's points evenly along it; return points, unit normals and path lengths."""
    along = np.concatenate([np.zeros((len(path), 1)), np.linalg.norm(np.diff(path, axis=1), axis=2).cumsum(1)], 1)
    total = along[:, -1]
    fine = np.empty((len(path), count, 2), np.float32)
    for i, (line, length) in enumerate(zip(path, total, strict=True)):
        wanted = np.linspace(0, length, count)
        fine[i, :, 0] = np.interp(wanted, along[i], line[:, 0])
        fine[i, :, 1] = np.interp(wanted, along[i], line[:, 1])
    tangent = np.asarray(np.gradient(fine, axis=1))
    normal = np.stack([-tangent[..., 1], tangent[..., 0]], -1)
    return fine, normal / (np.linalg.norm(normal, axis=2, keepdims=True) + 1e-6), total.astype(np.float32)


def mix_paint(canvas: Canvas, start: Array, layer: Strokes, rng: np.random.Generator) -> tuple[Array, Array]:
    """Choose for each stroke a main color near the motif's, and a second one for its streaks."""
    wanted = at(canvas.motif, start) + layer.lift
    if layer.accents:
        wanted = rgb(*layer.accents)[rng.integers(len(layer.accents), size=len(start))]
    wanted = wanted + rng.normal(0, layer.jitter, (len(start), 1)) + rng.normal(0, layer.jitter / 2, wanted.shape)
    gap = ((wanted[:, None] - canvas.palette) ** 2 * vec(0.8, 1.2, 0.7)).sum(-1)
    gap = gap + layer.jitter * rng.gumbel(0, 0.35, gap.shape)
    order = np.argsort(gap, axis=1)
    first, second = canvas.palette[order[:, 0]], canvas.palette[order[:, 1]]
    main = 0.5 * wanted + 0.5 * first
    return main.astype(np.float32), (0.55 * main + 0.45 * second).astype(np.float32)


def lay(canvas: Canvas, start: Array, layer: Strokes, rng: np.random.Generator) -> None:
    """Lay one batch of strokes on the canvas, later ones over earlier ones."""
    scale, count = canvas.color.shape[0], len(start)
    width = layer.width * scale * rng.uniform(0.65, 1.35, count).astype(np.float32)
    reach = layer.length * scale * rng.uniform(0.3, 0.75, count).astype(np.float32)
    along, across = int(layer.length * scale * 2.1) + 4, int(layer.width * scale * 1.9) + 3
    path, normal, length = resample(trace(canvas, start, reach, layer.tolerance), along)
    s, t = np.linspace(0, 1, along, dtype=np.float32)[None, :, None], np.linspace(-1, 1, across, dtype=np.float32)
    half = np.minimum(width, length * 0.8 + 1)[:, None] / 2 * np.sqrt(np.clip(1 - (2 * s[..., 0] - 1) ** 4, 0, 1))
    half = half * (1.1 - 0.45 * s[..., 0])
    points = path[:, :, None] + normal[:, :, None] * (half[:, :, None] * t)[..., None]
    shift = rng.uniform(0, 1, (2, count, 1, 1)).astype(np.float32)
    streak = sample(canvas.bristles, s * length[:, None, None] / scale * 0.5 + shift[0], t * across / 420 + shift[1])
    drag = smooth(0.45, 1.0, s) * 1.5 + smooth(0.12, 0.0, s) * 0.7 + 0.5 * np.abs(t) ** 6
    wet = streak - layer.dryness * 1.6 * drag > -1.5 + layer.dryness * 0.6
    main, second = mix_paint(canvas, start, layer, rng)
    color = mix(main[:, None, None], second[:, None, None], smooth(-0.2, 1.4, streak))
    color = color * (1 + 0.05 * streak)[..., None]
    body = 0.55 * (1 - t**4) + 0.35 * np.exp(-(((np.abs(t) - 0.8) / 0.16) ** 2)) + 0.22 * streak
    height = layer.relief * width[:, None, None] * body * (0.75 + 0.35 * np.exp(-((s - 0.9) ** 2) / 0.01))
    x, y = points[..., 0].astype(int), points[..., 1].astype(int)
    seen = wet & (x >= 0) & (y >= 0) & (x < canvas.color.shape[1]) & (y < scale)
    below = canvas.height[y[seen], x[seen]]
    canvas.color[y[seen], x[seen]] = color[seen]
    canvas.height[y[seen], x[seen]] = 0.35 * below + height[seen]


def light(canvas: Canvas) -> Array:
    """Light the relief from the upper left: lit and shadowed flanks, and a glint on wet ridges."""
    relief = blur(canvas.height, canvas.color.shape[0] / 1400)
    dy, dx = np.gradient(relief / canvas.color.shape[0] * 700)
    slope = np.tanh((dx + dy) * 0.55)
    lit = canvas.color * (1 + 0.30 * slope + 0.1 * np.minimum(slope, 0))[..., None]
    glint = np.clip(slope - 0.45, 0, 1)[..., None] ** 1.5
    return np.clip(lit + glint * vec(0.42, 0.40, 0.36), 0, 1)


def paint(work: Painting, width: int, seed: int) -> Image.Image:
    """Paint a picture: ground, then every layer of strokes, then light on the finished relief."""
    rng = np.random.default_rng(seed)
    cols, rows = width * OVERSAMPLE, width * 2 // 3 * OVERSAMPLE
    y, x = np.mgrid[0:rows, 0:cols].astype(np.float32) / rows
    flow = work.flow(x, y)
    flow = flow / (np.linalg.norm(flow, axis=-1, keepdims=True) + 1e-6)
    motif = work.underpainting(x, y).astype(np.float32)
    color = 0.3 * rgb(work.ground) + 0.7 * motif
    canvas = Canvas(color, np.zeros((rows, cols), np.float32), motif, flow, rgb(*work.palette), streaks(rng))
    for layer in work.layers:
        count = int(layer.coverage * 1.5 / (layer.width * layer.length * 0.7))
        start = rng.uniform(-0.04, 1.04, (count, 2)) * (cols, rows)
        if layer.where is not None:
            chance = layer.where(start[:, 0] / rows, start[:, 1] / rows)
            start = start[rng.uniform(0, 1, count) < chance]
        for batch in np.array_split(start.astype(np.float32), max(1, len(start) // 150)):
            lay(canvas, batch, layer, rng)
    return to_image(light(canvas), width)


def streaks(rng: np.random.Generator, size: int = 512) -> Array:
    """Return tileable noise drawn out along x, as the bristles of a brush leave it."""
    noise = np.fft.rfft2(rng.standard_normal((size, size)))
    v, u = np.fft.fftfreq(size)[:, None] * size, np.fft.rfftfreq(size)[None] * size
    tile = np.fft.irfft2(noise * np.exp(-((u / 9) ** 2)) / (1 + (v / 60) ** 2), s=(size, size))
    return ((tile - tile.mean()) / tile.std()).astype(np.float32)


# ------------------------------------------------------------------------------- the painting: Evening harvest

SUN, VANISH = (0.50, 0.42), (0.56, 0.50)  # the vanishing point is that of the furrows
WHIRLS = ((0.98, 0.27, 0.19, 1.0), (0.13, 0.20, 0.14, -1.0), (0.64, 0.05, 0.10, -0.8))  # x, y, size, spin
HUTS = ((0.16, 0.63, 0.046), (0.27, 0.64, 0.032), (0.96, 0.650, 0.036))


def crest(x: Array, base: float, swell: float, pitch: float, phase: float) -> Array:
    """Return the height of a rolling ridge line."""
    return base + swell * np.sin(pitch * x + phase) + 0.4 * swell * np.sin(2.3 * pitch * x + 2 * phase)


def poplars(x: Array, y: Array) -> tuple[Array, Array]:
    """Return a map that is positive inside the two dark trees, and how far right of their middle a place lies."""
    shape, side = np.full(np.shape(x), -1.0), np.zeros(np.shape(x))
    for center, top, foot, girth in ((1.20, 0.09, 0.93, 0.095), (1.38, 0.30, 0.88, 0.075)):
        h = np.clip((y - top) / (foot - top), 0, 1)
        middle = center + 0.012 * np.sin(9 * y + 12 * center) + 0.12 * (0.8 - y) ** 2
        ragged = 1 + 0.13 * np.sin(31 * y + 40 * x) + 0.08 * np.sin(67 * y - 30 * x)
        half = np.maximum(girth * np.abs(np.sin(np.pi * h**1.25)) ** 0.75 * ragged, 0.014 * (h > 0.5) * (h < 1))
        inside = half - np.abs(x - middle)
        side = np.where(inside > shape, (x - middle) / girth, side)
        shape = np.maximum(shape, inside)
    return shape, side


def evening_flow(x: Array, y: Array) -> Array:
    """Wind: rings about the sun, whirls in the sky, swaying furrows below, flames in the trees."""
    u, v = np.ones_like(x) * 0.55, 0.35 * np.sin(5 * x + 3 * y)
    for cx, cy, size, spin in (*WHIRLS, (*SUN, 0.22, 2.2)):
        dx, dy = x - cx, y - cy
        pull = 1.9 * np.exp(-(dx**2 + dy**2) / (1.3 * size**2)) / size * spin
        u, v = u - pull * dy, v + pull * dx
    v = v * smooth(0.60, 0.46, y)
    land = smooth(-0.01, 0.01, y - crest(x, 0.60, 0.035, 4.2, 0.6))
    wave = 0.35 * np.cos(7 * x - 9 * y) + 0.2 * np.cos(15 * x + 8 * y)
    plowed = smooth(0.67, 0.72, y) * smooth(0.02, -0.02, y - crest(x, 0.90, 0.03, 3.8, 1.4))
    field = np.stack([1 + plowed * ((x - VANISH[0]) * 3 - 1 + wave), wave * 0.8 + plowed * (y - VANISH[1]) * 3], -1)
    air = np.stack([u, v], -1)
    flame = np.stack([0.5 * poplars(x, y)[1] + 0.3 * np.sin(19 * y + 9 * x), -np.ones_like(x)], -1)
    return mix(mix(air, field, land), flame, smooth(-0.006, 0.006, poplars(x, y)[0]))


def evening_sky(x: Array, y: Array) -> Array:
    """Color the sky: sun, halo of rings, bands of wind and pale whirls."""
    ramp = rgb("#fff3c4", "#ffe14d", "#f09a2c", "#f6cf56", "#a9c6a0", "#3f90b0", "#2a62b0", "#2440a0")
    radius = np.hypot(x - SUN[0], (y - SUN[1]) * 1.05)
    place = (
        radius * 11.5
        + 0.45 * np.sin(46 * radius)
        + 0.9 * smooth(2, 6, 11.5 * radius) * np.sin(7 * x + 19 * y + 3 * np.sin(4 * x))
    )
    sky = np.stack([np.interp(place, [0.7, 1.1, 1.75, 2.4, 3.5, 4.8, 6.8, 9.4], c) for c in ramp.T], -1)
    u, v = x, y
    for cx, cy, size, spin in WHIRLS:
        angle = -2.2 * spin * np.exp(-((u - cx) ** 2 + (v - cy) ** 2) / (1.2 * size**2))
        c, s = np.cos(angle), np.sin(angle)
        u, v = cx + c * (u - cx) - s * (v - cy), cy + s * (u - cx) + c * (v - cy)
    bank = np.sin(13 * v + 2.2 * np.sin(3.1 * u + 0.4)) + 0.55 * np.sin(8 * u - 5 * v) + 0.3 * np.sin(25 * v + 9 * u)
    under = np.sin(13 * (v - 0.05) + 2.2 * np.sin(3.1 * u + 0.4))
    cloud = mix(rgb("#f5e4bd")[0], rgb("#e8935c")[0], smooth(0.1, 1.0, 1 - under) * smooth(1.3, 0.3, radius))
    sky = mix(sky, cloud, 0.85 * smooth(0.1, 1.3, bank) * smooth(0.26, 0.40, radius) * smooth(1.25, 0.95, x - 0.3 * y))
    glow = smooth(0.34, 0.6, y) * np.exp(-(((x - SUN[0]) / 0.6) ** 2))
    return mix(sky, rgb("#f0b541")[0], 0.55 * glow)


def evening(x: Array, y: Array) -> Array:
    """Paint-by-color sketch of the motif: sun, hills, wheat, a stream, poppies and poplars."""
    picture = evening_sky(x, y)
    bands = (
        (crest(x, 0.545, 0.03, 5.1, 2.2), "#3f6fa8", "#27438c", 0.10),
        (crest(x, 0.60, 0.035, 4.2, 0.6), "#2f8a86", "#153a66", 0.12),
        (crest(x, 0.685, 0.022, 3.4, 3.6), "#f2bf35", "#b9741f", 0.30),
        (crest(x, 0.90, 0.03, 3.8, 1.4), "#3e7d4f", "#14344a", 0.14),
    )
    for top, near, far, depth in bands:
        inside = smooth(-0.002, 0.002, y - top)
        furrow = np.sin(11 * (x - VANISH[0]) / np.maximum(y - VANISH[1], 0.05) + np.sin(9 * y))
        shade = np.clip((y - top) / depth, 0, 1) + 0.45 * furrow * (depth > 0.2)
        picture = mix(picture, mix(rgb(near)[0], rgb(far)[0], np.clip(shade, 0, 1)), inside)
    for hx, hy, size in HUTS:
        wall = np.minimum(size - np.abs(x - hx), 0.75 * size - np.abs(y - hy))
        gable = 1.25 * size - np.abs(x - hx) - 0.7 * np.abs(y - hy + 0.6 * size)
        picture = mix(picture, mix(rgb("#fbeecb")[0], rgb("#8fb0c4")[0], 1.0 * (x > hx + 0.3 * size)), 1.0 * (wall > 0))
        picture = mix(picture, rgb("#d9482a")[0], 1.0 * (gable > 0) * (np.abs(y - hy + 0.95 * size) < 0.45 * size))
    bend = 0.62 + 0.30 * (y - 0.69) + 0.11 * np.sin(17 * (y - 0.66))
    stream = (0.012 + 0.22 * (y - 0.66)) - np.abs(x - bend)
    wet = smooth(-0.004, 0.004, stream) * smooth(0.675, 0.69, y)
    picture = mix(picture, mix(rgb("#f7e7a4")[0], rgb("#2a6fae")[0], smooth(0.68, 0.86, y)), wet)
    trees, side = poplars(x, y)
    side = side + 0.35 * np.sin(30 * x + 27 * y + 2 * np.sin(23 * y))
    dark = mix(rgb("#2b6b4e")[0], rgb("#0c1a38")[0], smooth(-0.55, 0.25, side))
    dark = mix(rgb("#b59a3a")[0], dark, smooth(-1.05, -0.6, side))
    return mix(picture, dark, smooth(-0.003, 0.003, trees))


def poppies(x: Array, y: Array) -> Array:
    """Chance of a vermilion touch: scattered through the near field."""
    patch = smooth(0.0, 0.8, np.sin(9 * x + 2 * y) + np.sin(23 * y - 6 * x))
    return 0.6 * patch * smooth(0.70, 0.80, y) * (poplars(x, y)[0] < 0)


def detail(x: Array, y: Array) -> Array:
    """Chance of a fine touch: about the huts."""
    return np.max([1.0 * (np.hypot(x - hx, y - hy) < 1.9 * size) for hx, hy, size in HUTS], axis=0)


def bright(x: Array, y: Array) -> Array:
    """Chance of a highlight: most about the sun and in the wheat."""
    sun = np.exp(-(((x - SUN[0]) ** 2 + (y - SUN[1]) ** 2) / 0.09))
    return np.clip(0.45 + 0.5 * sun + 0.3 * (y > 0.68), 0, 1) * (poplars(x, y)[0] < 0)


BLUES = ("#14243f", "#1a2a6c", "#2450a4", "#3b83bd", "#2b8a8a", "#7fb8a4", "#3f7a4a")
PALETTE = (*BLUES, "#c98a2b", "#f2a72e", "#f4c430", "#fbe9b0", "#e0542b")
EVENING = Painting(
    palette=PALETTE,
    flow=evening_flow,
    underpainting=evening,
    layers=(
        Strokes(0.060, 0.26, 2.6, jitter=0.05, dryness=0.10, relief=0.35, tolerance=0.45),
        Strokes(0.030, 0.20, 2.2, jitter=0.06, dryness=0.25, relief=0.6, tolerance=0.28),
        Strokes(0.017, 0.13, 1.5, jitter=0.08, dryness=0.35, relief=0.9, tolerance=0.22),
        Strokes(0.011, 0.09, 0.5, jitter=0.07, dryness=0.4, relief=1.2, tolerance=0.2, lift=0.10, where=bright),
        Strokes(0.010, 0.05, 2.5, jitter=0.03, dryness=0.2, relief=1.1, tolerance=0.12, where=detail),
        Strokes(0.016, 0.030, 0.22, relief=1.3, tolerance=9, where=poppies, accents=("#d63c1e", "#ee6a35", "#b3261e")),
    ),
)


# ----------------------------------------------------------------------------------- the photograph-like scene

EYE = vec(0, 7.5, 0)
HORIZON, SHORE, SLOPE = 0.50, 80.0, 0.24  # row of the horizon, distance of the quay, rise of the hill
TOWARD_SUN = vec(-0.80, 0.43, -0.42)
SUNLIGHT, SKYLIGHT, HAZE = (
    vec(1.62, 1.08, 0.56),
    vec(0.17, 0.23, 0.36),
    vec(0.62, 0.58, 0.58),
)


@dataclass(frozen=True)
class Solid:
    """A convex body: the points p with normal . p <= bound for all its faces."""

    kind: str
    color: Array
    normals: Array
    bounds: Array
    center: Array
    yaw: float = 0.0
    top: float = 0.0  # height of the walls
    arches: tuple[float, ...] = ()  # where along a bridge its arches stand

    def local(self, points: Array) -> tuple[Array, Array, Array]:
        """Return points in the body's own axes: along, up, and into the depth."""
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        x, y, z = np.moveaxis(points - self.center, -1, 0)
        return c * x - s * z, y, s * x + c * z


@dataclass
class View:
    """The picture being traced: rays per pixel, what they hit and how far off."""

    rays: Array
    depth: Array
    color: Array
    focal: float


def solid(kind: str, color: str, spot: tuple[float, float, float], yaw: float, faces: Faces, **more: Any) -> Solid:
    """Place a body given by local faces (nx, ny, nz, bound)."""
    local = np.array(faces, np.float32)
    local = local / np.linalg.norm(local[:, :3], axis=1, keepdims=True)
    c, s = np.cos(yaw), np.sin(yaw)
    normals = local[:, :3] @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]], np.float32)
    center = np.array(spot, np.float32)
    return Solid(kind, rgb(color)[0] ** 2.2, normals, local[:, 3] + normals @ center, center, yaw, **more)


def box(w: float, h: float, d: float, low: float = -3.0) -> Faces:
    """Return the faces of a box of half width w, height h and half depth d."""
    return [[1, 0, 0, w], [-1, 0, 0, w], [0, 0, 1, d], [0, 0, -1, d], [0, 1, 0, h], [0, -1, 0, -low]]


def gable(w: float, h: float, rise: float) -> Faces:
    """Return the two faces of a pitched roof over half width w, its eaves at height h."""
    return [[rise, w, 0, w * (h + rise)], [-rise, w, 0, w * (h + rise)]]


def house(rng: np.random.Generator, x: float, y: float, z: float, big: float = 1.0) -> list[Solid]:
    """Build a gabled house: its body, a roof with eaves, and a chimney."""
    w, h, d = rng.uniform(3.4, 4.6) * big, rng.uniform(5.4, 9.0) * big, rng.uniform(4.2, 5.5) * big
    rise, yaw = w * rng.uniform(0.85, 1.25), rng.normal(0, 0.34) + (np.pi / 2 if rng.uniform() < 0.4 else 0)
    wall = str(rng.choice(["#d8c08c", "#d0a45c", "#bd7a4c", "#ddd5c0", "#9fb0ab", "#b86a55", "#c4a96e", "#cf9a86"]))
    tile = str(rng.choice(["#935844", "#80503f", "#9c6a50", "#73564a", "#665b55"]))
    spot = (x, y, z)
    eaves = box(w + 0.5, h + rise + 1, d - 0.02, h - 0.15) + gable(w + 0.5, h - 0.15, rise * (1 + 0.5 / w) + 0.25)
    c, s = np.cos(yaw), np.sin(yaw)
    u, v = w * rng.choice([-0.5, 0.5]), d * rng.uniform(-0.6, 0.6)
    stack = (x + c * u + s * v, y + h, z - s * u + c * v)
    return [
        solid("house", wall, spot, yaw, box(w, h + rise, d) + gable(w, h, rise), top=h),
        solid("roof", tile, spot, yaw, eaves, top=h),
        solid("stone", "#9a6a55", stack, yaw, box(0.45, rise * 0.5 + 1.5, 0.45)),
    ]


def boat(x: float, z: float, color: str) -> list[Solid]:
    """Build a moored sailing boat: hull, mast and furled sail."""
    hull: Faces = [[0.5, -0.45, 1, 1.5], [0.5, -0.45, -1, 1.5], [-1, -0.2, 0, 3.0], [0, 1, 0, 0.85], [0, -1, 0, 0.5]]
    return [
        solid("plain", color, (x, 0, z), 0.15, hull),
        solid("plain", "#6b4a30", (x - 0.2, 0, z), 0.15, box(0.09, 9.5, 0.09)),
        solid("plain", "#e8dfc8", (x - 1.6, 1.7, z), 0.15, box(1.4, 0.45, 0.2, 0.0)),
    ]


def town(rng: np.random.Generator) -> list[Solid]:
    """Build the bank, the quay, the bridge, the church and the rows of houses climbing the hill."""
    bank: Faces = [[-1, 0.6, 0, 17], [0, 0, -1, -84], [0, 0, 1, 190], [1, 0, 0, 160], [0, 1, -SLOPE, 1.5 - SLOPE * 86]]
    parts = [
        solid("grass", "#7c8a4a", (0, 0, 0), 0.0, bank),
        solid("stone", "#a89b86", (72, 0, 83), 0.0, box(90, 1.5, 3.2)),
        solid("stone", "#b9aa90", (-48, 0, 84), 0.0, box(31.5, 6.2, 2.4), arches=(-20.5, -6.5, 7.5, 21.5)),
        solid("stone", "#cbbba0", (-48, 0, 84), 0.0, box(31.5, 6.5, 2.7, 6.0)),
    ]
    for row, (z, step) in enumerate(((91.0, 10.6), (106.0, 11.5), (122.0, 12.5), (140.0, 14.0))):
        for x in np.arange(-9 + 3 * row, 74, step):
            if not (row == 1 and 8 < x < 26):
                parts += house(rng, x + rng.normal(0, 0.5), SLOPE * (z - 86) + 1.5, z + rng.uniform(-1, 1.5))
    for x, hull in ((-8.0, "#e9e6dc"), (5.5, "#7f2f28"), (30.0, "#2f5275")):
        parts += boat(x, 74.5 + 0.1 * x, hull)
    spot, w, h = (17.0, 6.0, 107.0), 3.6, 22.0
    peak: Faces = [[1, 0.27, 0, (h + 13) * 0.27], [-1, 0.27, 0, (h + 13) * 0.27]]
    peak += [[0, 0.27, 1, (h + 13) * 0.27], [0, 0.27, -1, (h + 13) * 0.27]]
    nave = (26.5, 6.0, 108.0)
    return [
        *parts,
        solid("church", "#e9dfc9", spot, 0.18, box(w, h, w), top=h),
        solid("stone", "#d8ccb4", spot, 0.18, box(w + 0.35, h + 0.5, w + 0.35, h - 0.4)),
        solid("roof", "#4d6a68", spot, 0.18, [*peak, [0, -1, 0, -h]], top=h),
        solid("church", "#e9dfc9", nave, 0.18 + np.pi / 2, box(5, 16, 8) + gable(5, 10, 5.5), top=10.0),
        solid("roof", "#8f4a36", nave, 0.18 + np.pi / 2, box(5.5, 18, 7.98, 9.8) + gable(5.5, 9.8, 6.4), top=10.0),
    ]


def cross(body: Solid, origin: Array, rays: Array) -> tuple[Array, Array]:
    """Return how far along each ray a body is entered (infinity for a miss) and by which face."""
    speed = rays @ body.normals.T
    reach = (body.bounds - origin @ body.normals.T) / np.where(np.abs(speed) < 1e-7, 1e-7, speed)
    into = np.where(speed < 0, reach, -np.inf)
    out = np.where(speed >= 0, reach, np.inf).min(-1)
    face = into.argmax(-1)
    enter = np.take_along_axis(into, face[..., None], -1)[..., 0]
    miss = (enter >= out) | (enter < 1e-3)
    for arch in body.arches:
        for_u, for_y, _ = body.local(origin + rays * np.where(miss, 1, enter)[..., None])
        out_u, out_y, _ = body.local(origin + rays * np.where(miss, 1, out)[..., None])
        hole = (for_u - arch) ** 2 + np.maximum(for_y - 0.2, 0) ** 2 < 5.4**2
        clear = (out_u - arch) ** 2 + np.maximum(out_y - 0.2, 0) ** 2 < 5.4**2
        miss |= hole & clear
        enter, face = np.where(hole, out - 0.05, enter), np.where(hole, 5, face)
    return np.where(miss, np.inf, enter), face


def frame(body: Solid, view: View) -> tuple[slice, slice]:
    """Return the part of the picture that a body can cover, from its projected corners."""
    rows, cols = view.depth.shape
    triples = np.array(list(combinations(range(len(body.bounds)), 3)))
    triples = triples[np.abs(np.linalg.det(body.normals[triples])) > 1e-4]
    corners = np.linalg.solve(body.normals[triples], body.bounds[triples][..., None])[..., 0]
    corners = corners[(corners @ body.normals.T <= body.bounds + 0.01).all(1)] - EYE
    col = cols / 2 + view.focal * corners[:, 0] / corners[:, 2]
    row = rows * HORIZON - view.focal * corners[:, 1] / corners[:, 2]
    edges = np.concatenate([np.clip([row.min(), row.max() + 2], 0, rows), np.clip([col.min(), col.max() + 2], 0, cols)])
    top, bottom, left, right = edges.astype(int)
    return slice(top, bottom), slice(left, right)


def shadow(bodies: Iterable[Solid], crowns: Array, points: Array) -> Array:
    """Return how much sun reaches points past the bodies and the (x, y, z, radius) crowns of the trees."""
    sun = np.ones(len(points), np.float32)
    for body in bodies:
        near = np.hypot(points[:, 0] - body.center[0], points[:, 2] - body.center[2]) < 60
        hit, _ = cross(body, points[near], np.broadcast_to(TOWARD_SUN, (int(near.sum()), 3)))
        sun[near] *= np.isinf(hit)
    for *center, radius in crowns:
        away = np.array(center, np.float32) - points
        along = away @ TOWARD_SUN
        gap = np.linalg.norm(away - along[:, None] * TOWARD_SUN, axis=1)
        sun *= np.where(along > radius, 0.15 + 0.85 * smooth(0.7 * radius, 1.1 * radius, gap), 1)
    return sun


def windows(color: Array, u: Array, y: Array, body: Solid, noise: Array) -> Array:
    """Draw rows of windows with frames and shutters on a wall."""
    tall = body.kind == "church"
    column, storey = (4.2, 8.5) if tall else (2.35, 2.85)
    a, b = np.abs(u / column % 1 - 0.5), (y - 0.6) / storey % 1
    whole = (np.floor((y - 0.6) / storey) + 0.8) * storey + 0.6 < body.top
    inside = (y > 0.6) & whole & (b > 0.16) & (b < 0.72)
    wide = 0.11 if tall else 0.19
    pane = (a < wide) & inside & (np.abs(a - 0.012) > 0.012) & (np.abs(b - 0.45) > 0.018)
    color = np.where((inside & (a < wide + 0.035))[..., None], color * 0.35 + 0.5, color)
    lit = 0.05 + 0.16 * smooth(0.3, 0.7, b) * (1 + noise)
    color = np.where(pane[..., None], mix([0.02, 0.025, 0.035], [0.9, 0.95, 1.0], lit * 0.6), color)
    leaf = inside & (a > wide + 0.035) & (a < wide + 0.17) & (not tall)
    shutter = np.roll(body.color, 1) * vec(0.25, 0.45, 0.45) + vec(0.02, 0.05, 0.05)
    return np.where(leaf[..., None], shutter * (0.8 + 0.4 * (b * 14 % 1 > 0.5))[..., None], color)


def material(body: Solid, points: Array, normals: Array, tile: Array) -> Array:
    """Return the color of a body's surface before light falls on it."""
    u, y, v = body.local(points)
    steep = np.abs(normals[..., 1]) < 0.3
    flank = np.abs(np.cos(body.yaw) * normals[..., 0] - np.sin(body.yaw) * normals[..., 2]) > 0.7
    u = np.where(flank, v, u)
    rough = sample(tile, (u + points[..., 0] * 0.1) / 9, (y + v * 0.7) / 9)
    color = np.broadcast_to(body.color, points.shape) * (1 + 0.10 * rough)[..., None]
    if body.kind == "roof":
        rows = 0.86 + 0.14 * (y / 0.32 % 1) + 0.16 * sample(tile, np.floor(v / 0.5) * 0.137, np.floor(y / 0.32) * 0.171)
        return color * rows[..., None]
    if body.kind == "grass":
        return mix(color, [0.10, 0.085, 0.05], smooth(-0.2, 1.4, sample(tile, u / 31, v / 31)))
    if body.kind == "stone":
        course = np.floor(y / 0.55)
        joint = (y / 0.55 % 1 < 0.14) | ((u / 1.1 + 0.5 * (course % 2)) % 1 < 0.07)
        tone = 0.9 + 0.12 * sample(tile, np.floor(u / 1.1 + 0.5 * (course % 2)) * 0.173, course * 0.119)
        slime = 1 - 0.65 * smooth(0.9, 0.2, points[..., 1] + 0.15 * rough)
        return color * (np.where(steep, tone * (1 - 0.3 * joint), 1) * slime)[..., None]
    if body.kind == "plain":
        return color
    grime = smooth(2.6, -0.5, y + 0.8 * rough)
    return windows(color * (1 - 0.35 * grime)[..., None], u, y, body, rough)


def illuminate(color: Array, normals: Array, sun: Array, height: Array) -> Array:
    """Light a surface by the sun, by the blue sky above and by what the ground throws back."""
    direct = (np.clip(normals @ TOWARD_SUN, 0, None) * sun)[..., None] * SUNLIGHT
    ambient = SKYLIGHT * (0.62 + 0.38 * normals[..., 1:2]) + vec(0.16, 0.12, 0.07) * (0.5 - 0.5 * normals[..., 1:2])
    return color * (direct + ambient * smooth(-2.5, 4.0, height)[..., None])


def trace_solids(view: View, bodies: list[Solid], crowns: Array, tile: Array) -> None:
    """Trace the bodies into the view, then shade what is seen of them."""
    rows, cols = view.depth.shape
    owner = np.full((rows, cols), -1)
    normals = np.zeros((rows, cols, 3), np.float32)
    for index, body in enumerate(bodies):
        part = frame(body, view)
        hit, face = cross(body, EYE, view.rays[part])
        nearer = hit < view.depth[part]
        view.depth[part][nearer], owner[part][nearer] = hit[nearer], index
        normals[part][nearer] = body.normals[face[nearer]]
    seen = owner >= 0
    points = EYE + view.rays[seen] * view.depth[seen][:, None]
    sun, color, facing = np.zeros(len(points), np.float32), np.zeros_like(points), normals[seen]
    sun = shadow(bodies, crowns, points + facing * 0.03)
    for index, body in enumerate(bodies):
        mine = owner[seen] == index
        color[mine] = material(body, points[mine], facing[mine], tile)
    view.color[seen] = illuminate(color, facing, sun, points[:, 1])


def plant(rng: np.random.Generator, bodies: list[Solid]) -> Array:
    """Choose where trees stand: rows of (x, y, z, radius)."""
    spots = [
        (-20.5, 3.5, 94, 4.6),
        (-25, 4.5, 108, 5.0),
        (-15.6, 4.0, 88.5, 2.6),
        (38, 5.0, 87.2, 2.8),
        (7, 5, 87, 2.3),
    ]
    for turn in range(110):
        x, z = rng.uniform(-40, 95), rng.uniform(*((97, 150), (150, 180))[turn % 2])
        spots.append((x, SLOPE * (z - 86) + rng.uniform(3.0, 6.0), z, rng.uniform(2.6, 4.8)))
    trees = np.array(spots, np.float32)
    free = np.ones(len(trees), bool)
    for body in bodies:
        if body.kind in ("house", "church"):
            free &= np.hypot(trees[:, 0] - body.center[0], trees[:, 2] - body.center[2]) > 5.0
    return trees[free]


def grow(view: View, crowns: Array, bodies: list[Solid], rng: np.random.Generator) -> None:
    """Splat the leaves of all trees into the view: clumps of leaves about each crown's middle."""
    points, normals, colors = [], [], []
    for x, y, z, radius in crowns:
        leaves = int(9.0 * (radius * view.focal / z) ** 2)
        clump = rng.normal(size=(34, 3))
        clump = clump / np.linalg.norm(clump, axis=1, keepdims=True) * rng.uniform(0.45, 0.82, (34, 1))
        out = rng.normal(size=(leaves, 3))
        out /= np.linalg.norm(out, axis=1, keepdims=True)
        pick = rng.integers(34, size=leaves)
        body = clump[pick] + out * rng.uniform(0.2, 0.36, (leaves, 1))
        points.append(vec(x, y, z) + body * radius * vec(1, 1.25, 1))
        normals.append(0.55 * out + 0.45 * body + rng.normal(0, 0.25, out.shape))
        hue = rng.choice(4, p=[0.4, 0.3, 0.2, 0.1])
        green = rgb("#56702f", "#3f6230", "#7d7c33", "#9a6a2a")[hue] ** 2.2
        deep = np.clip(np.linalg.norm(body, axis=1) - 0.25, 0.1, 1) * (0.75 + 0.3 * body[:, 1])
        colors.append(green * (1.5 * deep * rng.uniform(0.6, 1.4, leaves))[:, None])
    place, facing = np.concatenate(points).astype(np.float32), np.concatenate(normals).astype(np.float32)
    facing /= np.linalg.norm(facing, axis=1, keepdims=True)
    sun = shadow([b for b in bodies if b.kind in ("house", "church")], crowns[:0], place)
    color = illuminate(np.concatenate(colors).astype(np.float32), facing, sun, place[:, 1] + 2)
    rows, cols = view.depth.shape
    order = np.argsort(-place[:, 2])
    place, color = place[order], color[order]
    for dx, dy in ((0, 0), (1, 0), (0, 1)):
        col = (cols / 2 + view.focal * place[:, 0] / place[:, 2]).astype(int) + dx
        row = (rows * HORIZON - view.focal * (place[:, 1] - EYE[1]) / place[:, 2]).astype(int) + dy
        seen = (col >= 0) & (col < cols) & (row >= 0) & (row < rows)
        seen[seen] = place[seen, 2] < view.depth[row[seen], col[seen]]
        view.color[row[seen], col[seen]] = color[seen]
        view.depth[row[seen], col[seen]] = place[seen, 2]


def sky(rays: Array, tile: Array) -> Array:
    """Paint the sky: a graded blue, warm toward the horizon, and clouds lit from the sun's side."""
    up = np.clip(rays[..., 1], 0, None)
    clear = mix(vec(0.98, 0.74, 0.50), vec(0.36, 0.50, 0.72), 1 - np.exp(-up * 7))
    clear = mix(clear, vec(0.08, 0.19, 0.44), smooth(0.08, 0.55, up))
    x, y = rays[..., 0] / (up + 0.16), 1 / (up + 0.16)

    def cover(dx: float, dy: float) -> Array:
        wide = sample(tile, (x + dx) / 7 + 0.2, (y + dy) / 6.5 + 0.31)
        return (
            wide
            + 0.45 * sample(tile, (x + dx) / 2.2, (y + dy) / 1.9)
            + 0.14 * sample(tile, (x + dx) / 0.7, (y + dy) / 0.6)
        )

    density = cover(0, 0)
    relief = smooth(-0.35, 0.35, density - cover(-0.12, 0.10))
    cloud = mix(vec(0.44, 0.46, 0.55), vec(1.22, 1.06, 0.86), 1 - relief * smooth(0.1, 1.8, density))
    return mix(clear, cloud, 0.92 * smooth(0.4, 1.5, density) * smooth(0.02, 0.12, up)) * 0.8


def mountains(view: View, tile: Array) -> Array:
    """Render the far shore: wooded hills and bare mountains, fading into the haze; return color and cover."""
    rows, cols = view.depth.shape
    z = np.geomspace(270, 9000, 700, dtype=np.float32)[:, None]
    x = view.rays[0, :, 0][None] * z

    def land(x: Array, z: Array) -> Array:
        ridge = 1 - np.abs(sample(tile, x / 9000 + 0.13, z / 9000 + 0.4))
        fine = sample(tile, x / 2300, z / 2300)
        hills = 10 * smooth(270, 330, z) + 75 * smooth(330, 1700, z) * (1 + 0.5 * fine)
        peaks = smooth(1800, 7500, z) * (900 + 680 * ridge + 120 * fine) * (1 - 0.3 * smooth(-0.2, 1.0, x / z * 2))
        trees = 7 * np.abs(sample(tile, x / 140, z / 140)) * smooth(4000, 300, z)
        return hills + peaks + trees + 22 * smooth(2000, 6000, z) * sample(tile, x / 500, z / 500)

    height, step = land(x, z), 0.012 * z
    normal = np.stack([height - land(x + step, z), step + 0 * x, height - land(x, z + step)], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    bare = smooth(230, 620, height + 60 * sample(tile, x / 700, z / 700))
    color = mix(vec(0.075, 0.11, 0.045), vec(0.20, 0.18, 0.16), bare)
    color = mix(color, vec(0.85, 0.86, 0.9), smooth(800, 1150, height - 600 * (0.75 - normal[..., 1])))
    color = color * (1 + 0.22 * sample(tile, x / 60, z / 60) * smooth(5000, 300, z))[..., None]
    color = illuminate(color, normal, np.ones_like(height), height * 0 + 9)
    color = mix(color, HAZE * vec(0.82, 0.92, 1.08), 1 - np.exp(-z / 10500) + 0 * height)
    rise = np.maximum.accumulate((height - EYE[1]) / z, axis=0)
    wanted = (rows * HORIZON - np.arange(rows)) / view.focal
    result = np.zeros((rows, cols, 4), np.float32)
    for col in range(cols):
        first = np.searchsorted(rise[:, col], wanted)
        seen = (first < len(z)) & (wanted > -EYE[1] / z[0, 0])
        result[seen, col, :3], result[seen, col, 3] = color[first[seen], col], 1
    return result


def water(view: View, backdrop: Array, near: Array, tile: Array) -> Array:
    """Mirror the scene in the lake, broken up by ripples that widen toward the eye."""
    rows, cols = view.depth.shape
    row, col = np.mgrid[0:rows, 0:cols].astype(np.float32)
    horizon, shore = rows * HORIZON, rows * HORIZON + view.focal * EYE[1] / SHORE
    drop = np.maximum(row - horizon, 1)
    z = view.focal * EYE[1] / drop
    x = (col - cols / 2) * z / view.focal
    far = smooth(500, 30, z) * 0.6 + 0.4
    total = np.zeros((rows, cols, 3), np.float32)
    for turn in range(7):
        wave = sample(tile, x / 17 + 0.004 * turn, z / 60) + 0.7 * sample(tile, x / 6 + 0.008 * turn, z / 19)
        breeze = smooth(-0.6, 1.4, sample(tile, x / 260 + 0.6, z / 150))
        swing = wave * rows * 0.024 * far * (0.5 + breeze) + rows * 0.014 * (turn - 3) / 3 * (0.5 + 2 * breeze)
        to_col = (col + 0.12 * swing).clip(0, cols - 1).astype(int)
        mirror = backdrop[(2 * horizon - row + swing - 10).clip(0, horizon - 2).astype(int), to_col]
        line = 2 * shore - row + swing * smooth(0, 0.08, (row - shore) / rows)
        front = near[line.clip(0, rows - 1).astype(int), to_col]
        cover = front[..., 3] * (row > shore) * (line > 0)
        total += mix(mirror, front[..., :3], cover) / 7
    angle = drop / np.hypot(drop, view.focal)
    chop = sample(tile, x / 9, z / 22) * smooth(140, 20, z)
    fresnel = 0.24 + 0.66 * (1 - angle) ** 5 + 0.07 * chop
    deep = vec(0.03, 0.075, 0.085)
    return mix(deep, total * vec(0.93, 0.97, 1.0), fresnel)


def develop(linear: Array, rng: np.random.Generator) -> Array:
    """Develop the picture as film does: bloom, a soft shoulder, warm tint, vignette and grain."""
    rows, cols = linear.shape[:2]
    linear = linear + 0.10 * blur(np.clip(linear - 0.55, 0, 2), rows / 60)
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : cols * 1j]
    linear = linear * (1 - 0.16 * (x**2 + y**2) ** 1.2 / 2)[..., None]
    tone = linear * (2.51 * linear + 0.03) / (linear * (2.43 * linear + 0.59) + 0.14)
    grain = rng.normal(0, 0.018, (rows, cols, 1)) + rng.normal(0, 0.008, (rows, cols, 3))
    tone = np.clip(tone, 0, 1) ** (1 / 2.2)
    return 0.25 * smooth(0, 1, tone) + 0.75 * tone + grain


def photograph(width: int, seed: int) -> Image.Image:
    """Render the content picture: a town on a lake, late in the afternoon."""
    rng = np.random.default_rng(seed)
    cols, rows = width * OVERSAMPLE, width * 2 // 3 * OVERSAMPLE
    row, col = np.mgrid[0:rows, 0:cols].astype(np.float32)
    focal = 0.95 * cols
    rays = np.stack([(col - cols / 2) / focal, (rows * HORIZON - row) / focal, np.ones_like(row)], -1)
    depth = np.where(rays[..., 1] < 0, EYE[1] / np.maximum(-rays[..., 1], 1e-6), np.inf).astype(np.float32)
    view = View(rays, depth.copy(), np.zeros((rows, cols, 3), np.float32), focal)
    tile, soft = fractal(rng, 512, 1.35), fractal(rng, 512, 1.9)
    bodies = town(rng)
    crowns = plant(rng, bodies)
    trace_solids(view, bodies, crowns, tile)
    grow(view, crowns, bodies, rng)
    far = mountains(view, soft)
    backdrop = mix(sky(rays, soft), far[..., :3], far[..., 3])
    hit = view.depth < depth
    veil = 1 - np.exp(-np.where(hit, view.depth, 0) / 1800)
    near = np.concatenate([mix(view.color, HAZE, veil), hit[..., None]], -1)
    wet = (rays[..., 1] < 0) & ~hit & (far[..., 3] == 0)
    picture = np.where(wet[..., None], water(view, backdrop, near, tile), mix(backdrop, near[..., :3], near[..., 3]))
    return to_image(develop(picture, rng), width)


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and write content.png and style.png."""
    parser = argparse.ArgumentParser(description="Render the demo pictures of impasto.")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent, help="folder to write to")
    parser.add_argument("--size", type=int, default=768, help="width in pixels; the height is two thirds of it")
    parser.add_argument("--seed", type=int, default=7, help="seed of all that is left to chance")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    photograph(options.size, options.seed).save(options.out / "content.png", optimize=True)
    paint(EVENING, options.size, options.seed).save(options.out / "style.png", optimize=True)


if __name__ == "__main__":
    main()
