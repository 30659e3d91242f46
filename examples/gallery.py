"""Paint a gallery of pictures in a dozen styles, by code alone, to train a network of many styles on.

Only NumPy and Pillow are needed, and the same seed always gives the same pictures:

    python examples/gallery.py --out gallery --size 640 --seed 7 storm mosaic

The oil paintings hand a palette, a flow and a motif to the painter of ``render.py``; the other pictures imitate
crafts (dots, tesserae, leaded glass, gouges, washes, pens, combs), each in one function.  Coordinates run from
(0, 0) at the top left to (1.5, 1) at the bottom right, and colors from 0 to 1.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from render import (
    OVERSAMPLE,
    Array,
    Canvas,
    Painting,
    Strokes,
    blur,
    crest,
    fractal,
    light,
    mix,
    paint,
    rgb,
    sample,
    smooth,
    to_image,
)

# ---------------------------------------------------------------------------------------------- shared tools


def grid(width: int) -> tuple[Array, Array]:
    """Return x and y of every oversampled pixel."""
    rows, cols = width * 2 // 3 * OVERSAMPLE, width * OVERSAMPLE
    y, x = np.mgrid[0:rows, 0:cols].astype(np.float32) / rows
    return x, y


def ramp(value: Array, *codes: str) -> Array:
    """Read a ramp of evenly spaced colors at values from 0 to 1."""
    place = np.linspace(0, 1, len(codes))
    return np.stack([np.interp(value, place, channel) for channel in rgb(*codes).T], -1).astype(np.float32)


def colors(codes: str) -> Array:
    """Read colors separated by spaces."""
    return rgb(*codes.split())


def arrows(u: Array, v: Array) -> Array:
    """Join the two parts of a flow."""
    return np.stack(np.broadcast_arrays(u, v), -1).astype(np.float32)


def lit(color: Array, height: Array) -> Array:
    """Light a colored relief (in pixels) from the upper left, as the painter does."""
    return light(Canvas(color, height.astype(np.float32), color, color, color, color))


def whirl(x: Array, y: Array, cx: float, cy: float, size: float, angle: float) -> tuple[Array, Array]:
    """Turn the plane about a point by an angle that fades with the distance."""
    dx, dy = x - cx, y - cy
    turn = angle * np.exp(-(dx**2 + dy**2) / size**2)
    return cx + np.cos(turn) * dx - np.sin(turn) * dy, cy + np.sin(turn) * dx + np.cos(turn) * dy


def cells(x: Array, y: Array, size: float, rng: np.random.Generator, jitter: float = 0.8) -> tuple[Array, ...]:
    """Split the plane into irregular (Voronoi) cells; return their numbers, offsets from the middle, and rims."""
    spots = rng.uniform(0.5 - jitter / 2, 0.5 + jitter / 2, (256, 256, 2)).astype(np.float32)
    col, row = np.floor(x / size).astype(int), np.floor(y / size).astype(int)
    near, second = np.full(x.shape, 9, np.float32), np.full(x.shape, 9, np.float32)
    number, du, dv = np.zeros(x.shape, int), 0 * near, 0 * near
    for step in range(9):
        across, down = col + step % 3 - 1, row + step // 3 - 1
        spot = spots[down % 256, across % 256]
        u, v = x / size - across - spot[..., 0], y / size - down - spot[..., 1]
        gap = np.hypot(u, v)
        closer = gap < near
        second = np.where(closer, near, np.minimum(second, gap))
        near = np.minimum(near, gap)
        number = np.where(closer, (down % 256) * 256 + across % 256, number)
        du, dv = np.where(closer, u, du), np.where(closer, v, dv)
    return number, du, dv, (second - near) / 2  # the last three in units of the size


def outline(number: Array, radius: float) -> Array:
    """Return 1 on the borders between numbered regions, in lines of the given half width in pixels."""
    edge = np.zeros(number.shape, np.float32)
    edge[:, 1:] += number[:, 1:] != number[:, :-1]
    edge[1:] += number[1:] != number[:-1]
    return smooth(0.10, 0.25, blur(np.minimum(edge, 1), radius) * radius)


def carve(phase: Array, ink: Array) -> Array:
    """Return 1 on lines, one per unit of phase, each covering the share ``ink`` of its period."""
    return smooth(-0.12, 0.12, ink * 1.2 - 0.12 - np.abs(phase % 1 * 2 - 1))


def paper(x: Array, y: Array, rng: np.random.Generator) -> Array:
    """Return the grain of rough paper, about zero."""
    tile = fractal(rng, 512, 0.8)
    return 0.7 * sample(tile, x * 1.5, y * 1.5) + 0.3 * sample(tile, x * 0.4, y * 0.4)


# ---------------------------------------------------------------------------------------------- oil paintings


def storm(width: int, seed: int) -> Image.Image:
    """Breaking waves under a torn sky, in thick diagonal strokes."""
    tile = fractal(np.random.default_rng(seed))

    def ridge(i: int, x: Array) -> Array:
        wave = np.abs(np.sin((4.4 - 0.45 * i) * x + 1.9 * i + 0.3 * np.sin(7 * x + i)))
        return 0.43 + 0.095 * i - (0.05 + 0.035 * i) * (1 - wave) ** 1.4 + 0.02 * np.sin(13 * x + 3 * i)

    def motif(x: Array, y: Array) -> Array:
        cloud = 0.5 + 0.20 * sample(tile, x * 0.7 + y * 0.5, y * 1.4 - x * 0.3) + 0.12 * np.sin(9 * (x + 1.3 * y))
        picture = ramp(cloud, "#0f1724", "#26384d", "#4c6374", "#9aa79f", "#e9dcbf")
        break_ = np.exp(-(((x - 1.06) / 0.26) ** 2) - ((y - 0.29 + 0.25 * (x - 1.06)) / 0.12) ** 2)
        picture = mix(picture, ramp(cloud, "#c9803a", "#f1c873", "#fff3d0"), 0.95 * break_)
        for i in range(6):
            depth = y - ridge(i, x)
            froth = sample(tile, x * 2 + 0.1 * i, y * 1.2) * 0.16 + 0.1 * np.sin(30 * x - 22 * y)
            shade = depth * (7 - 0.5 * i) + froth
            body = ramp(shade, "#f6f1df", "#9fc7bd", "#3e8a8c", "#1d5266", "#12344d", "#0c1c30", "#2d5f6d", "#0c1c30")
            picture = mix(picture, body, smooth(-0.002, 0.002, depth))
        return picture

    def flow(x: Array, y: Array) -> Array:
        turn = 0.6 * sample(tile, x * 0.4, y * 0.4)
        result = arrows(np.cos(turn - 0.7), np.sin(turn - 0.7))
        for i in range(6):
            slope = (ridge(i, x + 0.02) - ridge(i, x - 0.02)) / 0.04
            result = mix(result, arrows(1.0, 1.1 * slope - 0.25), 1.0 * (y > ridge(i, x) - 0.004))
        return result

    def crests(x: Array, y: Array) -> Array:
        return np.max([1.0 * (np.abs(y - ridge(i, x) - 0.004) < 0.014) for i in range(6)], axis=0)

    layers = (
        Strokes(0.085, 0.34, 4.5, jitter=0.06, dryness=0.15, relief=0.5, tolerance=0.5),
        Strokes(0.048, 0.24, 2.0, jitter=0.07, dryness=0.35, relief=0.9, tolerance=0.35),
        Strokes(0.026, 0.15, 1.2, jitter=0.08, dryness=0.4, relief=1.1, tolerance=0.3),
        Strokes(0.016, 0.08, 3.0, 0.04, 0.5, 1.4, 0.5, where=crests, accents=("#fdf8e6", "#dfe9df", "#b7d3cc")),
    )
    blues = ("#0f1724", "#12344d", "#1d5266", "#3e8a8c", "#9fc7bd", "#4c6374", "#26384d")
    return paint(Painting((*blues, "#f6f1df", "#e9c98a", "#c9803a"), flow, motif, layers, "#0f1724"), width, seed)


def field(width: int, seed: int) -> Image.Image:
    """A field of sunflowers up to the horizon, in short dabs of yellow."""
    far = 0.25

    def flowers(x: Array, y: Array) -> tuple[Array, ...]:
        depth = np.maximum(y - far - 0.012 * np.sin(5 * x), 0.02)
        number, u, v, _ = cells((x - 0.75) / depth + 40, np.log(depth) + 6, 0.34, np.random.default_rng(seed), 0.6)
        return number, u, v * 1.15, np.hypot(u, v * 1.15), 1.0 * (y > far + 0.012 * np.sin(5 * x) + 0.02)

    def motif(x: Array, y: Array) -> Array:
        number, u, v, r, land = flowers(x, y)
        angle = np.arctan2(v, u)
        picture = ramp(0.5 + 0.5 * np.sin(9 * y + 12 * x + number), "#1f4a2c", "#4f7a2a", "#93992e", "#2c6a4a")
        petal = 0.36 + 0.13 * np.abs(np.cos(6 * angle + number))
        bloom = ramp((r - 0.1) * 3 + 0.15 * np.sin(12 * angle), "#d9731a", "#f2a516", "#fbc81e", "#ffe66b")
        picture = mix(picture, bloom, smooth(0.01, -0.01, r - petal))
        heart = ramp(r * 6, "#b98a2c", "#4a2413", "#7a3d14")
        picture = mix(picture, heart, smooth(0.01, -0.01, r - 0.17))
        bank = np.sin(17 * y + 3 * np.sin(4 * x)) + 0.7 * np.sin(11 * x - 9 * y)
        sky = ramp(0.5 + 0.28 * bank, "#2f8fa8", "#63b7b5", "#a9d3b4", "#f5eac0")
        sky = mix(sky, rgb("#3d6aa3")[0], smooth(far - 0.07, far - 0.06, y + crest(x, 0, 0.02, 6, 1)))
        return mix(sky, picture, land)

    def flow(x: Array, y: Array) -> Array:
        _, u, v, r, land = flowers(x, y)
        radial = mix(arrows(-v, u), arrows(u, v), smooth(0.15, 0.2, r))
        leaves = arrows(np.sin(23 * x + 9 * y), 0.3 + np.cos(19 * y - 13 * x))
        return mix(arrows(1.0, 0.7 * np.sin(6 * x + 9 * y)), mix(radial, leaves, smooth(0.42, 0.5, r)), land)

    layers = (
        Strokes(0.040, 0.10, 2.2, jitter=0.05, dryness=0.1, relief=0.5, tolerance=0.3),
        Strokes(0.020, 0.065, 2.6, jitter=0.07, dryness=0.2, relief=1.0, tolerance=0.2),
        Strokes(0.013, 0.040, 1.6, jitter=0.09, dryness=0.25, relief=1.3, tolerance=0.2, lift=0.04),
    )
    yellows = ("#ffe66b", "#fbc81e", "#f2a516", "#d9731a", "#7a3d14", "#f5eac0")
    greens = ("#1f4a2c", "#4f7a2a", "#93992e", "#63b7b5", "#2f8fa8", "#3d6aa3")
    return paint(Painting((*yellows, *greens), flow, motif, layers, "#8a5a1c"), width, seed)


def park(width: int, seed: int) -> Image.Image:
    """An alley in autumn after the rain, in blocks of color laid on by a palette knife."""
    tile = fractal(np.random.default_rng(seed), 512, 1.7)
    base = 0.60

    def leaves(x: Array, y: Array) -> Array:
        patch = 0.48 + 0.27 * sample(tile, x * 0.55, y * 0.65) + 0.07 * sample(tile, x * 3, y * 3)
        crown = ramp(patch, "#4a1030", "#a81f24", "#e0481c", "#f58a1b", "#fcc52e", "#fff0a0")
        far = np.exp(-(((x - 0.8) / 0.20) ** 2) - ((y - 0.46) / 0.22) ** 2)
        picture = mix(crown, ramp(patch, "#5c7fb0", "#b9cfd6", "#fdf3cf"), far)
        for place, girth in ((0.10, 0.05), (0.36, 0.032), (0.55, 0.018), (1.03, 0.02), (1.20, 0.034), (1.42, 0.055)):
            bend = x - place - 0.02 * np.sin(7 * y + 20 * place) - 0.5 * girth * np.sin(31 * y)
            trunk = ramp(0.5 + bend / girth, "#9a4a5a", "#25122e", "#101030", "#3b3a80")
            thick = girth * (0.35 + 0.9 * y) - np.abs(bend)
            picture = mix(picture, trunk, smooth(-0.004, 0.004, thick) * smooth(1.0, 0.4, patch * (y < 0.35)))
        return picture

    def motif(x: Array, y: Array) -> Array:
        mirrored = leaves(x + 0.02 * sample(tile, x, y * 4), base - (y - base) * 1.15)
        road = smooth(0.02, -0.02, np.abs(x - 0.8) - 0.05 - 1.35 * (y - base))
        water = mix(mirrored, ramp(0.5 + 0.3 * sample(tile, x, y * 2), "#20235c", "#4b4fa0", "#a7b3e0"), 0 * x + 0.42)
        return mix(leaves(x, y), mix(leaves(x + 0.4, y * 1.2), water, road), 1.0 * (y > base))

    def flow(x: Array, y: Array) -> Array:
        turn = np.round(sample(tile, x * 0.6 + 0.3, y * 0.6) * 2.2) * 0.55
        trunk = np.abs(leaves(x, y).sum(-1)) < 0.75
        turn = np.where(trunk, 1.57, turn + 0.9)
        turn = np.where(y > base, 1.57 * (np.sin(60 * y + 9 * x) > 0.3), turn)
        return arrows(np.cos(turn), np.sin(turn))

    layers = (
        Strokes(0.10, 0.13, 4.0, jitter=0.07, dryness=0.02, relief=0.35, tolerance=1.2),
        Strokes(0.060, 0.080, 2.0, jitter=0.10, dryness=0.05, relief=0.8, tolerance=0.7),
        Strokes(0.034, 0.055, 1.4, jitter=0.12, dryness=0.08, relief=1.2, tolerance=0.5),
        Strokes(0.018, 0.03, 0.13, 0.05, 0.0, 1.5, 9, accents=("#ffd84a", "#ff9a1f", "#fff3bf", "#d8281e", "#6f86d6")),
    )
    warm = ("#4a1030", "#a81f24", "#e0481c", "#f58a1b", "#fcc52e", "#fff0a0")
    return paint(Painting((*warm, "#25122e", "#20235c", "#4b4fa0", "#a7b3e0"), flow, motif, layers), width, seed)


def night(width: int, seed: int) -> Image.Image:
    """A street at night in the rain: lamps and windows, and their reflections drawn out on the wet ground."""
    rng = np.random.default_rng(seed)
    tile, lively = fractal(rng), rng.uniform(0, 1, (64, 64))
    base, lamps = 0.56, ((0.22, 0.20, 0.05), (0.53, 0.36, 0.028), (0.97, 0.36, 0.028), (1.28, 0.20, 0.05))

    def town(x: Array, y: Array) -> Array:
        side = np.maximum(np.abs(x - 0.75), 0.03)
        along, up = np.log(side) * 5 + 20 * (x > 0.75), (base - y) / side
        block = np.floor(along).astype(int)
        tall = 0.75 + 0.55 * lively[block % 64, 3] - 0.25 * side
        picture = ramp(0.45 + 0.22 * sample(tile, x, y * 1.6) + 0.4 * y, "#070a24", "#16206a", "#3b2f8f", "#8e4a9a")
        wall = ramp(lively[block % 64, 5] + 0.1 * np.sin(9 * along), "#0b1030", "#1d1a55", "#123a63", "#3a1748")
        u, v = along * 3, up * 7
        lamp = lively[np.floor(u).astype(int) % 64, np.floor(v).astype(int) % 64]
        pane = (np.abs(u % 1 - 0.5) < 0.30) * (np.abs(v % 1 - 0.5) < 0.33) * (lamp > 0.25)
        glow = ramp((lamp * 7) % 1, "#ffb52e", "#fff2b8", "#ff6a3d", "#39d5e8", "#ff4fa0", "#ffd35c")
        return mix(picture, mix(wall, glow, 1.0 * pane), smooth(0.01, -0.01, up - tall))

    def lights(x: Array, y: Array) -> Array:
        picture = town(x, y)
        for cx, cy, size in lamps:
            picture = mix(picture, rgb("#0a0a1c")[0], 1.0 * (np.abs(x - cx) < size * 0.14) * (y > cy))
            gap = np.hypot(x - cx, y - cy) / size
            halo = ramp(gap / 3, "#fffbe0", "#ffe27a", "#f59a2e", "#a8458c")
            picture = mix(picture, halo, smooth(3.2, 0.4, gap) ** 0.8)
        return picture

    def motif(x: Array, y: Array) -> Array:
        shake = 0.012 * np.sin(70 * y + 9 * np.sin(8 * x)) + 0.012 * sample(tile, x * 2, y * 5)
        mirrored = sum(lights(x + shake, 2 * base - y * (0.9 + 0.06 * k) - 0.04) for k in range(3)) / 3
        street = np.clip(mirrored * 1.45 - 0.06, 0, 1) * rgb("#e9ecff")
        return mix(lights(x, y), street, 1.0 * (y > base))

    def flow(x: Array, y: Array) -> Array:
        side = x - 0.75
        air = arrows(0.35 + 0 * x, 1.0) + 0.5 * arrows(sample(tile, x, y), 0 * x)
        facade = mix(arrows(side, y - base), arrows(0 * x, 1.0), 0.5 + 0.5 * np.sign(np.sin(40 * x)))
        result = mix(facade, air, smooth(0.1, 0.0, y))
        for cx, cy, size in lamps:
            ring = arrows(-(y - cy), x - cx)
            result = mix(result, ring / size, smooth(3.2, 2.4, np.hypot(x - cx, y - cy) / size))
        street = mix(arrows(0.1 * np.sin(9 * x), 1.0), arrows(1.0, 0 * x), 1.0 * (np.sin(80 * y + 5 * x) > 0.75))
        return mix(result, street, 1.0 * (y > base))

    layers = (
        Strokes(0.050, 0.17, 2.2, jitter=0.05, dryness=0.15, relief=0.4, tolerance=0.5),
        Strokes(0.022, 0.10, 2.4, jitter=0.06, dryness=0.3, relief=0.8, tolerance=0.3),
        Strokes(0.013, 0.055, 2.0, jitter=0.08, dryness=0.3, relief=1.1, tolerance=0.25),
    )
    dark = ("#070a24", "#16206a", "#3b2f8f", "#8e4a9a", "#123a63", "#2f7fc0")
    glow = ("#ffb52e", "#fff2b8", "#ff6a3d", "#39d5e8", "#ff4fa0", "#ffe27a")
    return paint(Painting((*dark, *glow), flow, motif, layers, "#070a24"), width, seed)


# ------------------------------------------------------------------------------------------------ other crafts


def riverbank(x: Array, y: Array, tile: Array) -> Array:
    """Sketch a bank with trees, a river with sails and the low sun."""
    picture = ramp(y * 2.2 + 0.06 * np.sin(7 * x + 30 * y), "#4a78d0", "#8fa8e4", "#f2b09a", "#f6c860", "#f08a4a")
    picture = mix(picture, rgb("#fff6c0")[0], smooth(0.16, 0.05, np.hypot(x - 0.98, y - 0.30)))
    hill = crest(x, 0.40, 0.02, 5, 1.0)
    picture = mix(picture, ramp((y - hill) * 9, "#7f7fc8", "#3e74a8"), smooth(-0.004, 0.004, y - hill))
    ripple = (
        np.sin(110 * y + 3 * np.sin(9 * x)) + np.sin(70 * y - 14 * x) + 3 * np.exp(-(((x - 0.98) / 0.1) ** 2)) - 0.5
    )
    water = ramp(0.5 + 0.3 * ripple, "#234a9c", "#2d72b8", "#58a8cf", "#f4cf8c")
    picture = mix(picture, water, smooth(0.45, 0.455, y))
    for cx, foot, tall in ((0.80, 0.52, 0.17), (1.20, 0.60, 0.26), (0.62, 0.48, 0.09)):
        sail = (y > foot - tall) & (y < foot) & (np.abs(x - cx - 0.02) < 0.32 * (y - foot + tall))
        picture = mix(picture, rgb("#fff4dc")[0], 1.0 * sail)
    bank = y - 0.86 + 0.30 * np.exp(-((x / 0.75) ** 2)) + 0.10 * np.cos(4 * x) * 0.5
    sun = 0.5 + 0.30 * sample(tile, x * 0.8, y * 1.5) + 0.25 * np.sin(9 * x + 7 * y)
    picture = mix(picture, ramp(sun, "#1d5c4a", "#3f9440", "#a8c832", "#f3dc4a"), smooth(-0.004, 0.004, bank))
    for cx, cy, size in ((0.14, 0.22, 0.30), (0.44, 0.34, 0.15), (1.46, 0.36, 0.20)):
        ragged = size * (1 + 0.10 * sample(tile, x * 1.5, y * 1.5))
        stem = (np.abs(x - cx) < 0.08 * size) & (y > cy) & (bank < 0.06) & (y < 0.95)
        picture = mix(picture, rgb("#4a2a5c")[0], 1.0 * stem)
        side = 0.5 + (x - cx - y + cy) / size / 2 + 0.12 * sample(tile, x * 2, y * 2)
        leaf = ramp(side, "#1a3a6a", "#1d6a4a", "#6aa832", "#f0c832")
        picture = mix(picture, leaf, smooth(0.01, -0.01, np.hypot(x - cx, (y - cy) * 1.1) - ragged))
    return picture


def dots(width: int, seed: int) -> Image.Image:
    """A riverbank in thousands of dots of unmixed color."""
    rng = np.random.default_rng(seed)
    x, y = grid(width)
    rows, motif = len(x), riverbank(x, y, fractal(rng))
    codes = "#14245c #2d62b8 #58a8cf #1d6a4a #3f9440 #a8c832 #f3dc4a #f2a03c #e0563c #c84a8c #7f5fc0 #fff6dc #f4b8a0"
    palette = colors(codes)
    image = Image.fromarray((mix(rgb("#f3e6c8")[0], motif, 0 * x + 0.25) * 255).astype(np.uint8))
    bumps = Image.new("L", image.size)
    color, height = ImageDraw.Draw(image), ImageDraw.Draw(bumps)
    for size, count in ((0.0125, 9000), (0.0085, 16000)):
        spot = rng.uniform(0, 1, (count, 2)) * (image.size[0], rows)
        wanted = motif[spot[:, 1].astype(int), spot[:, 0].astype(int)]
        strange = np.where(rng.uniform(0, 1, (count, 1)) < 0.06, 1 - wanted, wanted)  # a few of the opposite color
        gap = ((strange[:, None] - palette) ** 2 * (0.8, 1.2, 0.7)).sum(-1)
        pick = np.argmin(gap + 0.05 * rng.gumbel(0, 1, gap.shape), axis=1)
        fill = np.clip(0.72 * palette[pick] + 0.28 * wanted + rng.normal(0, 0.03, (count, 3)), 0, 1) * 255
        radius = size * rows * rng.uniform(0.7, 1.15, count)
        for (px, py), r, shade in zip(spot, radius, fill.astype(int), strict=True):
            color.ellipse((px - r, py - r, px + r, py + r), fill=tuple(map(int, shade)))
            for part in (1.0, 0.75, 0.5):
                height.ellipse((px - r * part, py - r * part, px + r * part, py + r * part), fill=int(240 - 150 * part))
    relief = blur(np.asarray(bumps, np.float32) / 255, rows / 500) * rows / 140
    return to_image(lit(np.asarray(image, np.float32) / 255, relief + 0.2 * paper(x, y, rng)), width)


def fishes(x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Sketch fishes in rippling water; return the colors, and the axes along and across the rows of stones."""
    row = y + 0.045 * np.sin(6.5 * x + 1.5 * np.sin(5 * y)) + 0.02 * np.sin(15 * x - 9 * y)
    along = x + 1.2 * (row - y)
    picture = ramp(0.5 + 0.5 * np.sin(42 * row + np.sin(9 * x)), "#123a6e", "#1f7d9c", "#57b9b4", "#e9edd2")
    places = ((0.48, 0.25, 0.25, 0.25), (1.05, 0.52, 0.28, -0.35), (0.46, 0.76, 0.22, 0.1), (1.24, 0.88, 0.13, 0.3))
    for k, (cx, cy, size, turn) in enumerate((*places, (1.22, 0.14, 0.15, -0.2))):
        u = (np.cos(turn) * (x - cx) + np.sin(turn) * (y - cy)) / size * (1, -1)[k % 2]
        v = (np.cos(turn) * (y - cy) - np.sin(turn) * (x - cx)) / size - 0.16 * u**2 + 0.05
        body = np.where(np.abs(u) < 1, 0.40 * np.sqrt(np.clip(1 - u**2, 0, 1)) * (1 - 0.2 * u) - np.abs(v), -1)
        tail = np.minimum(np.minimum(1.5 - 0.3 * np.cos(9 * v) + u, -0.75 - u), 0.08 - 0.7 * (u + 0.8) - np.abs(v))
        fin = np.minimum(0.34 - np.abs(u + 0.1 - 0.6 * (v + 0.3)), np.minimum(v + 0.66, -v - 0.2))
        shape = np.maximum(np.maximum(body, tail), fin)
        scales = 0.22 * np.sin(26 * u + 6 * np.abs(np.sin(9 * v)))
        skin = ramp(0.5 + v * 1.3 + scales, "#8c1f1c", "#d9481f", "#f29a2a", "#fbd667", "#fff3d4")
        picture = mix(picture, rgb("#201a2e")[0], smooth(-0.08, -0.07, shape))
        picture = mix(picture, skin, smooth(-0.005, 0.005, shape))
        picture = mix(picture, rgb("#5d142a")[0], 1.0 * (np.abs(u - 0.46 + 0.5 * v**2) < 0.045) * (body > 0))
        eye = np.hypot(u - 0.70, v + 0.08)
        picture = mix(mix(picture, rgb("#fff8e0")[0], 1.0 * (eye < 0.12)), rgb("#16121f")[0], 1.0 * (eye < 0.06))
        row, along = (
            np.where(shape > -0.09, v * size + cy, row),
            np.where(shape > -0.09, u * size + 2.4 + 0.8 * k, along),
        )
    return picture, along, row


def mosaic(width: int, seed: int) -> Image.Image:
    """Fishes in rows of uneven stones set in mortar."""
    rng = np.random.default_rng(seed)
    x, y = grid(width)
    picture, along, row = fishes(x, y)
    wobble = 0.004 * sample(fractal(rng, 256), x * 2, y * 2)
    number, u, v, rim = cells(along + wobble, row + wobble + 2, 0.024, rng, 0.5)
    count = np.maximum(np.bincount(number.ravel(), minlength=65536), 1)
    mean = [np.bincount(number.ravel(), channel.ravel(), 65536) / count for channel in np.moveaxis(picture, -1, 0)]
    tone = rng.normal(0, 0.07, (65536, 1)) + rng.normal(0, 0.035, (65536, 3))
    tilt = rng.normal(0, 0.25, (65536, 2))[number]
    slant, grain = tilt[..., 0] * u + tilt[..., 1] * v, paper(x, y, rng)
    stone = (np.stack(mean, -1) + tone)[number] * (1 + 0.25 * slant)[..., None] + 0.05 * grain[..., None]
    color = mix(rgb("#7d7364")[0] + 0.09 * grain[..., None], stone, smooth(0.03, 0.10, rim))
    height = (2.2 * smooth(0.03, 0.2, rim) + 0.9 * slant) * len(x) / 700
    return to_image(lit(color, height), width)


def glass(width: int, seed: int) -> Image.Image:
    """A rose window: glowing panes between dark leads."""
    rng = np.random.default_rng(seed)
    x, y = grid(width)
    tile = fractal(rng, 512, 1.4)
    dx, dy = x - 0.75, y - 0.5
    r, angle = np.hypot(dx, dy), np.arctan2(dy, dx) / (2 * np.pi)
    ring = np.digitize(r, (0.06, 0.16, 0.30, 0.46, 0.60))
    leaf = np.floor(angle * np.array([1, 8, 16, 16, 32, 32])[ring] + 0.5 * (ring % 2)).astype(int)
    bay = np.array([0, 0.025, 0.05, 0.055, 0.04, 0])[ring] * np.abs(np.sin(np.pi * angle * 16))
    arch = (r - np.array([0, 0.06, 0.16, 0.30, 0.46, 0.6])[ring] < 0.02 + bay).astype(int)
    patch, _, _, _ = cells(x + 0.03 * np.sin(9 * y), y + 0.03 * np.sin(9 * x), 0.085, rng, 0.9)
    number = np.where(ring == 5, 10000 + patch, ring * 1000 + (leaf % 64) * 8 + arch)
    small = np.where((ring == 5) | (ring == 0), 0, cells(x, y, 0.12, rng, 0.9)[0])
    hue = rng.uniform(0, 1, 80000)
    codes = ("#0b2fa8", "#1457d8", "#0a8fc0", "#c4121f", "#e8501a", "#f7b418", "#0f8a4a", "#7a1fa0", "#f0d070")
    first = (ring * 2 + leaf % 2 * 3 + arch * 4) % len(codes)
    pick = np.where(ring == 5, np.array([0, 0, 1, 1, 2, 7, 6, 3, 0, 5])[(hue[number] * 10).astype(int)], first)
    color = rgb(*codes)[pick] ** 1.1 * (0.85 + 0.35 * hue[(number + 7 * small) % 80000])[..., None]
    shift = hue[(number + 3 * small) % 80000]
    streak = sample(tile, x * 0.7 + shift, y * 2.5 + 3 * shift) + 0.4 * sample(tile, x * 4, y * 4 + shift)
    bubbles = smooth(0.16, 0.05, np.hypot(*cells(x, y, 0.02, rng, 0.9)[1:3])) * (sample(tile, x * 3, y * 3) > 0.6)
    lead = outline(number + 1000000 * small, len(x) / 260)
    frame = outline(np.where(ring == 5, 5, ring), len(x) / 130)
    dark = np.maximum(lead, frame)
    inside = blur(1 - dark, len(x) / 60)
    color = color * (0.35 + 0.95 * inside + 0.17 * streak)[..., None] + 0.25 * bubbles[..., None]
    color = mix(color + 0.10 * np.clip(streak, 0, 2)[..., None] * inside[..., None], rgb("#14110f")[0], dark)
    color = color + 0.35 * blur(np.clip(color - 0.25, 0, 1), len(x) / 70)
    height = (4 * blur(dark, len(x) / 300) + 0.35 * streak * (1 - dark)) * len(x) / 700
    return to_image(lit(np.clip(color, 0, 1).astype(np.float32), height), width)


def woodcut(width: int, seed: int) -> Image.Image:
    """Mountains, firs and a lake under a red sun, cut in black lines on cream."""
    rng = np.random.default_rng(seed)
    x, y = grid(width)
    tile = fractal(rng, 512, 1.6)
    rough, fine = sample(tile, x * 0.8, y * 0.8), sample(tile, x * 5, y * 5)
    dx, dy = x - 1.02, y - 0.27
    r = np.hypot(dx, dy)
    rays = 0.15 * np.sin(11 * np.arctan2(dy, dx) + 5 * r)
    disk = r < 0.17
    state = [
        34 * r + 0.25 * rough,
        np.where(disk, 0.16 + 0.05 * rough, 0.25 + 0.25 * r + rays),
        1 * disk,
    ]  # phase, ink, number
    block = ramp(y * 1.8 + 0.06 * rough, "#e9b25a", "#f2d9a0", "#f3e7c9")

    def add(within: Array, phase: Array, ink: Array, number: int, code: str) -> None:
        state[:] = [np.where(within, new, old) for new, old in zip((phase, ink, number), state, strict=True)]
        block[within] = rgb(code)[0]

    add(disk, state[0], state[1], 1, "#d2391f")
    for i, code in enumerate(("#e7c98e", "#efdfb8", "#e3bf7c")):
        pitch, base = (0.62, 0.45, 0.33)[i], 0.36 + 0.12 * i
        ahead = ((x + 0.21 * i + 0.05 * sample(tile, x * 0.5, 0 * x + 0.3 * i)) / pitch) % 1 - 0.5
        bent = ahead + 0.10 * np.sin(24 * y + 3 * rough)  # the ridge line that runs down from the summit
        depth = y - base - 0.42 * pitch * np.abs(ahead) - 0.012 * np.sin(40 * x)
        side = np.where(bent > 0, 1.0, -1.0)
        phase = (x - side * (0.9 * depth + 0.02 * np.sin(30 * depth))) * (30 - 4 * i) + 0.15 * rough
        add(depth > 0, phase, np.where(bent > 0, 0.80, 0.16) + 0.35 * depth, 5 + i, code)
    mirror = smooth(0.18, 0.05, np.abs(x - 1.02 - 0.03 * np.sin(80 * y)))
    phase = 45 * np.sqrt(np.maximum(y - 0.55, 0)) + 0.35 * np.sin(14 * x + 9 * y) + 0.3 * rough
    add(y > 0.72, phase, 0.55 - 0.35 * mirror + 0.22 * np.sin(5 * x + 22 * y), 9, "#f0e2bd")
    block = np.where((y > 0.72)[..., None], mix(block, rgb("#d2391f")[0], 0.9 * mirror), block)
    for cx, foot, tall in ((0.40, 0.94, 0.52), (1.40, 1.0, 0.66), (0.62, 0.86, 0.26), (0.17, 1.04, 0.94)):
        h, out = np.clip((y - foot + tall) / tall, 0, 1), np.abs(x - cx)
        skirt = (0.40 + 0.60 * (h * 9 % 1)) * h**0.8 * tall * 0.26 + 0.004
        within = (out < skirt + 0.002 * fine) & (y > foot - tall) & (y < foot)
        ink = np.where(x > cx, 0.93, 0.62) - 0.25 * np.sin(40 * out)
        add(within, 26 * (y - 0.8 * out) + 0.1 * fine, ink, 20 + int(cx * 50), "#e9d9ae")
    black = np.maximum(carve(state[0], state[1] + 0.05 * fine), outline(state[2], len(x) / 420))
    chips = 0.8 * smooth(1.7, 2.1, sample(tile, x * 7 + 0.5, y * 3))
    grain = (0.035 * sample(tile, x * 0.4, y * 9) + 0.02 * paper(x, y, rng))[..., None]
    return to_image(mix(block + grain, rgb("#17130f")[0] + grain, black * (1 - chips)), width)


def petals(rng: np.random.Generator) -> list[tuple[float, float, float, float, float, str]]:
    """Scatter washes: (x, y, length, breadth, direction, color) of backdrop, leaves, petals and splashes."""
    washes = []
    for _ in range(26):
        px, py = rng.uniform(0, 1.5), rng.uniform(0, 1)
        code = ("#bcd7d9", "#d9c7dd", "#f3d9b8", "#c4d8b0", "#e9c3c6")[rng.integers(5)]
        washes.append((px, py, rng.uniform(0.15, 0.32), rng.uniform(0.10, 0.22), rng.uniform(0, 6), code))
    for _ in range(90):
        code = ("#5c8f4e", "#3f7a66", "#93a83e", "#2f6a70", "#7a9a6a")[rng.integers(5)]
        size = rng.uniform(0.06, 0.15)
        washes.append((rng.uniform(0, 1.5), rng.uniform(0, 1), size, 0.24 * size, rng.normal(-1.2, 0.9), code))
    for step in range(40):
        px, py = (step % 8 + rng.uniform(0.1, 0.9)) * 0.19, (step // 8 + rng.uniform(0.1, 0.9)) * 0.2
        size, turn = rng.uniform(0.035, 0.085), rng.uniform(0, 6)
        shades = (("#d83a56", "#ee7a72"), ("#6a3fa0", "#a06cc8"), ("#f0a030", "#f6c84a"), ("#2f5fb4", "#6a9ad8"))
        pair = shades[rng.integers(4)]
        for k in range(6):
            way = turn + k * np.pi / 3 + rng.normal(0, 0.12)
            place = px + size * np.cos(way), py + size * np.sin(way)
            washes.append((*place, size * rng.uniform(0.85, 1.1), size * 0.62, way, pair[k % 2]))
        washes.append((px, py, size * 0.3, size * 0.3, 0.0, "#5a3a2a"))
    for _ in range(150):
        size = rng.gamma(2, 0.0022)
        code = ("#d83a56", "#2f5fb4", "#5c8f4e", "#6a3fa0", "#f0a030")[rng.integers(5)]
        washes.append((rng.uniform(0, 1.5), rng.uniform(0, 1), size, size, 0.0, code))
    return washes


def wash(width: int, seed: int) -> Image.Image:
    """Blossoms in watercolor: translucent washes with dark edges on rough paper."""
    rng = np.random.default_rng(seed)
    x, y = grid(width)
    tile, grain = fractal(rng, 512, 1.5), paper(x, y, rng)
    absorbed = np.zeros((*x.shape, 3), np.float32)
    for px, py, length, breadth, way, code in petals(rng):
        reach = 1.5 * max(length, breadth) + 0.01
        top, left = (max(0, int((place - reach) * len(x))) for place in (py, px))
        box = np.s_[top : max(0, int((py + reach) * len(x))), left : max(0, int((px + reach) * len(x)))]
        dx, dy, shift = x[box] - px, y[box] - py, rng.uniform(0, 1)
        u, v = np.cos(way) * dx + np.sin(way) * dy, np.cos(way) * dy - np.sin(way) * dx
        wavy = (
            sample(tile, x[box] * 0.7 + shift, y[box] * 0.7) * 0.12
            + sample(tile, x[box] * 3, y[box] * 3 + shift) * 0.05
        )
        inside = (1 - np.sqrt((u / length) ** 2 + (v / breadth) ** 2) + wavy) * breadth
        pool = sample(tile, x[box] * 0.9, y[box] * 0.9 + shift)
        edge = np.exp(-(((inside - 0.004) / 0.0035) ** 2))
        dense = 0.50 + 0.80 * edge + 0.24 * pool + 0.16 * grain[box] + 0.3 * u / length
        absorbed[box] -= np.log(rgb(code)[0]) * (np.clip(dense, 0.1, 2) * smooth(0, 0.004, inside))[..., None]
    bloom = smooth(0.25, 0.0, np.abs(sample(tile, x * 0.8 + 0.5, y * 0.8) - 0.7)) * 0.12
    absorbed = 2.6 * np.tanh(absorbed / 2.6)  # paint over paint never gets quite black
    sheet = rgb("#fbf5e6")[0] * np.exp(-absorbed * (0.9 - bloom)[..., None])
    return to_image(sheet * (1 + 0.028 * grain + 0.03 * (grain - np.roll(grain, 1, (0, 1))))[..., None], width)


def waves(width: int, seed: int) -> Image.Image:
    """Curling waves as on a Japanese color print: banded colors, outlines, claws of foam."""
    rng = np.random.default_rng(seed)
    x, y = grid(width)
    tile = fractal(rng, 512, 1.7)
    number = np.floor(
        13 * (y + 0.05 * np.sin(5 * x + 1) + 0.03 * np.sin(13 * x) + 0.02 * np.sin(31 * x + 9 * y))
    ).astype(int)
    tint = ramp(y * 2.2 + 0.05 * sample(tile, x, y), "#5f8296", "#d9cfae", "#f2d6a0", "#e5a27a")
    color = tint + np.where(number % 2, 0.05, -0.05)[..., None] * rgb("#ffffdd")[0]
    for i in range(7):
        base, tall, pitch = 0.30 + 0.135 * i, 0.17 + 0.01 * i, (0.62, 0.55, 0.70, 0.58, 0.66, 0.6, 0.5)[i]
        start, u, v = rng.uniform(0, pitch), x, y
        for n in range(-1, 4):
            u, v = whirl(u, v, start + n * pitch + 0.055, base - 0.45 * tall, 0.085 + 0.006 * i, 3.3)
        swing = np.abs(np.sin(np.pi * (u - start) / pitch))
        depth = v - base + 1.15 * tall * (1 - swing) ** 1.6
        claws = 0.014 + 0.030 * np.abs(np.sin(55 * u + 30 * v)) ** 0.6 + 0.008 * np.abs(np.sin(160 * u))
        band = np.floor(depth * 26 + 0.4 * np.sin(14 * u)).astype(int)
        body = rgb("#16325c", "#2f6291", "#16325c", "#6f9fb5", "#1e4778", "#c9d6c4")[band % 6]
        foam = depth < claws * (0.6 + 0.9 * (1 - swing))
        number = np.where(depth > 0, 1000 * (i + 1) + np.where(foam, 999, band), number)
        layer = np.where(foam[..., None], rgb("#f6efdd")[0], body)
        color = np.where((depth > 0)[..., None], layer, color)
    spray = cells(x, y, 0.035, rng, 0.9)
    drop = (
        (np.hypot(spray[1], spray[2]) < 0.10 + spray[0] % 5 * 0.04) & (sample(tile, x * 0.9, y * 0.9) > 0.6) & (y < 0.6)
    )
    color = np.where(drop[..., None], rgb("#f6efdd")[0], color)
    ink = outline(np.where(drop, -5, number), len(x) / 480)
    wood = 0.045 * sample(tile, x * 0.35 + 0.02 * np.sin(9 * y), y * 7) + 0.03 * paper(x, y, rng)
    return to_image(mix(color, rgb("#10203e")[0], 0.92 * ink) * (1 + 1.4 * wood)[..., None], width)


def figure(kind: int, u: Array, v: Array) -> Array:
    """Return a map that is positive inside one of eight shapes of about unit size."""
    r = np.hypot(u, v)
    checks = np.where((np.floor(u * 3) + np.floor(v * 3)) % 2 == 0, 1.0, -1.0)
    rings = np.minimum(1 - r, 0.10 - np.abs((r * 3.5) % 1 - 0.5) * 0.5 + 0.05)
    return (
        1 - r,
        np.minimum(v + 0.5, 0.5 - 0.87 * np.abs(u) - 0.5 * v),
        np.minimum(1 - np.abs(u), 0.055 - np.abs(v)),
        0.09 - np.abs(r - 0.85),
        np.minimum(1 - r, v),
        np.minimum(np.minimum(0.8 - np.abs(u), 0.5 - np.abs(v)), checks),
        rings,
        np.minimum(1 - np.abs(u), 0.05 - np.abs(v - 0.25 * np.sin(7 * u))),
    )[kind]


def shapes(width: int, seed: int) -> Image.Image:
    """Circles, triangles, bars and checks over each other, shaded and hatched."""
    rng = np.random.default_rng(seed)
    x, y = grid(width)
    tile = fractal(rng, 512, 1.6)
    haze = 0.5 + 0.25 * sample(tile, x * 0.5, y * 0.5)
    color = ramp(haze, "#c9a86a", "#efe0b8", "#f6ecd2", "#dfc9c0", "#9fb4c4")
    palette = colors("#1b2a6b #d7261e #f2b81c #1f7a5a #e8743b #6b2f8a #2f86c8 #243a8f #f6ecd2 #e59aa8 #7ab8a0 #8c1c3a")
    sizes = np.sort(0.035 + 0.30 * rng.beta(1.1, 3.2, 150))[::-1]
    for k, size in enumerate(sizes):
        px, py, turn = rng.uniform(0, 1.5), rng.uniform(0, 1), rng.uniform(0, 6.3)
        top, left = (max(0, int((place - 1.3 * size) * len(x))) for place in (py, px))
        box = np.s_[top : int((py + 1.3 * size) * len(x)), left : int((px + 1.3 * size) * len(x))]
        dx, dy = (x[box] - px) / size, (y[box] - py) / size
        u, v = np.cos(turn) * dx + np.sin(turn) * dy, np.cos(turn) * dy - np.sin(turn) * dx
        inside = figure((0, 1, 2, 3, 4, 5, 6, 7, 2, 1, 0)[rng.integers(11)], u, v) * size
        first, second = palette[rng.integers(12, size=2)]
        fill = mix(first, second, np.clip(0.5 + 0.6 * u + 0.12 * sample(tile, x[box] * 2, y[box] * 2), 0, 1))
        hatch = carve(u * size * rng.uniform(45, 80), 0 * u + 0.28) * (rng.uniform() < 0.45) * (v > -0.2)
        fill = mix(fill, palette[rng.integers(12)], 0.85 * hatch)
        if rng.uniform() < 0.4:
            fill = fill * (0.35 + 0.75 * color[box])
        cover = smooth(-0.001, 0.001, inside) * rng.uniform(0.75, 1.0)
        halo = smooth(0.03, 0.0, np.abs(inside)) * 0.18 * (k % 3 == 0)
        color[box] = mix(
            mix(color[box] * (1 - halo)[..., None], fill, cover),
            rgb("#111318")[0],
            (k % 2) * smooth(0.0022, 0.001, np.abs(inside)),
        )
    weave = 0.5 * paper(x, y, rng) + 0.25 * (np.sin(900 * x) + np.sin(900 * y))
    return to_image(lit(color, (0.9 * weave + 0.8 * sample(tile, x * 3, y * 3)) * len(x) / 1000), width)


def marble(width: int, seed: int) -> Image.Image:
    """Marbled paper: floating inks, combed and stirred."""
    rng = np.random.default_rng(seed)
    x, y = grid(width)
    tile = fractal(rng, 512, 2.2)
    u, v = x, y
    for _ in range(16):
        u, v = whirl(
            u,
            v,
            rng.uniform(0, 1.5),
            rng.uniform(0, 1),
            rng.uniform(0.07, 0.16),
            rng.choice((-1, 1)) * rng.uniform(2, 5),
        )
    v = v + 0.13 * (np.abs((u * 9) % 1 - 0.5) * 2) ** 1.8  # a comb drawn down
    u = u + 0.05 * np.exp(-8 * np.abs(np.sin(4.5 * np.pi * v)))  # and another drawn across
    v = v + 0.05 * np.abs(np.sin(18 * np.pi * u)) ** 0.7 + 0.035 * sample(tile, u * 0.6, v * 0.6)
    inks = colors("#10243f #f3e9d2 #b3202c #10243f #e0a030 #1f6a78 #f3e9d2 #0f4a4a #d9623a #10243f #8fb8a8 #6a1f3a")
    edges = np.cumsum(rng.uniform(0.2, 1.5, 360)) / 36 - 3
    band = np.searchsorted(edges, v + 0.006 * sample(tile, u * 2, v * 2))
    color = inks[rng.permutation(360)[band % 360] % len(inks)]
    near = np.minimum(np.abs(v - edges[np.clip(band, 0, 359)]), np.abs(v - edges[np.clip(band - 1, 0, 359)]))
    color = color * (0.86 + 0.14 * smooth(0, 0.008, near) + 0.05 * sample(tile, x * 2, y * 2))[..., None]
    drops = cells(u, v, 0.05, rng, 0.95)
    stone = smooth(0.13, 0.11, np.hypot(drops[1], drops[2])) * (drops[0] % 5 < 2)
    color = mix(color, inks[drops[0] % 7], 0.9 * stone)
    return to_image(color * (1 + 0.03 * paper(x, y, rng))[..., None], width)


GALLERY: dict[str, Callable[[int, int], Image.Image]] = {
    work.__name__: work
    for work in (storm, field, park, night, dots, mosaic, glass, woodcut, wash, waves, shapes, marble)
}


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and write the pictures asked for, or all of them."""
    parser = argparse.ArgumentParser(description="Paint a gallery of pictures in many styles.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which to paint, of {', '.join(GALLERY)}; all if none"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--size", type=int, default=640, help="width in pixels; the height is two thirds of it")
    parser.add_argument("--seed", type=int, default=7, help="seed of all that is left to chance")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in GALLERY]
    if unknown:
        parser.error(f"no picture is called {', '.join(unknown)}; choose from {', '.join(GALLERY)}")
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.names or GALLERY:
        GALLERY[name](options.size, options.seed).save(options.out / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
