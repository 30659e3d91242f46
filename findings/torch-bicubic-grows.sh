#!/bin/sh
# torch.nn.functional.grid_sample(mode="bicubic") raises middle frequencies (its kernel has a = -0.75): a wave of 6 pixels
# that is carried half a pixel back and forth 50 times is 4 times as strong in the end, one of 12 pixels twice, where
# mode="bilinear" loses both. A video that is warped frame after frame grows halos. Interpolate by a cubic spline there.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import math
import sys

import torch
import torch.nn.functional as F


def carried(picture, by, mode):
    """What lies `by` pixels to the right."""
    height, width = picture.shape[-2:]
    x = (2 * (torch.arange(width) + by) + 1) / width - 1
    y = (2 * torch.arange(height) + 1) / height - 1
    grid = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], -1)[None]
    return F.grid_sample(picture, grid, mode=mode, padding_mode="border", align_corners=False)


print("torch", torch.__version__)
gains = {}
for length in (4, 6, 8, 12):
    wave = torch.sin(2 * math.pi * torch.arange(512) / length).expand(1, 1, 4, 512) / 4
    for mode in ("bicubic", "bilinear"):
        picture = wave
        for step in range(50):
            picture = carried(picture, 0.5 if step % 2 else -0.5, mode)
        gains[mode, length] = float(picture[..., 100:400].abs().max() / wave.max())
        print(f"a wave of {length} pixels, {mode}: {gains[mode, length]:.3f} of what it was")
grown = gains["bicubic", 6] > 3 and gains["bicubic", 12] > 1.5
sys.exit(0 if grown and max(gains["bilinear", n] for n in (4, 6, 8, 12)) < 1 else 1)
PYTHON
