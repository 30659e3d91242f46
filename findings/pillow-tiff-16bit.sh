#!/bin/sh
# Pillow reads two valid kinds of TIFF with 16 bits as other pictures, without an error: gray whose white is zero
# (PhotometricInterpretation 0) comes as its negative, though it is right with 8 bits; RGB stored plane by plane
# (PlanarConfiguration 2) without compression comes scrambled, though it is right with 8 bits.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==13.0.0 tifffile==2026.3.3 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import PIL
import tifffile
from PIL import Image

print("Pillow", PIL.__version__)
ramp = np.linspace(0, 255, 64).round().astype(np.uint8)[None].repeat(48, 0)
color = np.stack((ramp, ramp[:, ::-1], np.full_like(ramp, 100)))


def read(name, pixels, **options):
    tifffile.imwrite(name, pixels, **options)
    with Image.open(name) as image:
        values = np.asarray(image).astype(np.float64)
    return values / 257 if values.max() > 255 else values


errors = {}
for bits in (8, 16):
    kind, scale = (np.uint8, 1) if bits == 8 else (np.uint16, 257)
    negative = read("a.tif", (255 - ramp).astype(kind) * kind(scale), photometric="miniswhite")
    planar = read("b.tif", color.astype(kind) * kind(scale), photometric="rgb", planarconfig="separate")
    errors[bits] = [np.abs(negative - ramp).mean(), np.abs(planar - color.transpose(1, 2, 0)).mean()]
    print(f"{bits:2} bits: mean error of 255, white is zero {errors[bits][0]:.1f}, planar RGB {errors[bits][1]:.1f}")
sys.exit(0 if max(errors[8]) < 1 and min(errors[16]) > 20 else 1)
PYTHON
