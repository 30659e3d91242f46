#!/usr/bin/env bash
# opencv-contrib 4.5 to 5.0: ximgproc.l0Smooth (L0 gradient minimization, Xu and others 2011, used to flatten pictures into areas of color)
# does not compute what the paper says. It solves its equations by Fourier transforms, in which the picture goes around, but
# takes the differences at the borders by repeating and by mirroring pixels: a difference that is left in the first column or row
# then changes the mean of the whole picture. Two flat halves of (40, 90, 160) and (200, 150, 60) with a little noise come out
# as (0, 30, 255) and (36, 87, 164); of scikit-image's photograph of a camera the mean goes from 129 to 141, and of its mirror
# image to 144. The paper's equations in 12 lines of NumPy, with differences that go around, as in the authors' own code,
# keep the mean exactly and the halves apart. And a picture in float32 is overwritten by the call, though it is an input.
# Use such lines (below), on a picture that is padded by reflection.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet opencv-contrib-python-headless==5.0.0.93 scikit-image==0.26.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import cv2
import numpy as np
from skimage import data


def smooth(picture, weight=0.02, growth=2.0):
    """L0 smoothing of a picture of 0 to 1, with borders that go around."""
    rows, columns = picture.shape[:2]
    across = 2 - 2 * np.cos(2 * np.pi * np.arange(columns) / columns)
    down = 2 - 2 * np.cos(2 * np.pi * np.arange(rows) / rows)
    power = (across[None] + down[:, None])[..., None]
    start, made, beta = np.fft.fft2(picture, axes=(0, 1)), picture, 2 * weight
    while beta < 1e5:
        right, below = np.roll(made, -1, 1) - made, np.roll(made, -1, 0) - made
        flat = ((right**2 + below**2).sum(2) <= weight / beta)[..., None]
        right, below = np.where(flat, 0, right), np.where(flat, 0, below)
        back = np.roll(right, 1, 1) - right + np.roll(below, 1, 0) - below
        made = np.fft.ifft2((start + beta * np.fft.fft2(back, axes=(0, 1))) / (1 + beta * power), axes=(0, 1)).real
        beta *= growth
    return made


print("OpenCV", cv2.__version__)
halves = np.zeros((64, 64, 3))
halves[:, :32], halves[:, 32:] = (40, 90, 160), (200, 150, 60)
halves = np.clip(halves + np.random.default_rng(1).normal(0, 4, halves.shape), 0, 255).astype(np.uint8)
theirs, ours = cv2.ximgproc.l0Smooth(halves), 255 * smooth(halves / 255)
for name, made in {"l0Smooth": theirs, "the paper": ours}.items():
    print(f"two halves, {name}: left {made[32, 16].round(1).tolist()}, right {made[32, 48].round(1).tolist()}")
camera = cv2.resize(data.camera(), (256, 256), interpolation=cv2.INTER_AREA)
means = {}
for name, picture in {"camera": camera, "mirrored": camera[:, ::-1].copy()}.items():
    paper = 255 * smooth(picture[..., None] / 255)
    means[name] = [float(m.mean()) for m in (picture, cv2.ximgproc.l0Smooth(picture), paper)]
    print(f"{name}: mean {means[name][0]:.1f}, after l0Smooth {means[name][1]:.1f}, after the paper's {means[name][2]:.1f}")
floats = (halves / 255).astype(np.float32)
given = floats.copy()
cv2.ximgproc.l0Smooth(given)
print(f"a float32 picture given to l0Smooth: changed by up to {np.abs(given - floats).max():.2f}")
right = np.abs(ours[32, 16] - (40, 90, 160)).max() < 3 and np.abs(ours[32, 48] - (200, 150, 60)).max() < 3
right = right and all(abs(m[2] - m[0]) < 1e-6 for m in means.values())
wrong = np.abs(theirs[32, 16].astype(int) - (0, 30, 255)).max() < 8 and np.abs(theirs[32, 48].astype(int) - (36, 87, 164)).max() < 8
wrong = wrong and abs(means["camera"][1] - 141.1) < 1 and abs(means["mirrored"][1] - 144.4) < 1
sys.exit(0 if right and wrong and np.abs(given - floats).max() > 0.3 else 1)
PYTHON
