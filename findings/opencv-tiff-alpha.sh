#!/usr/bin/env bash
# OpenCV 4.10 and 5.0 read a TIFF of 8 bits with straight alpha (ExtraSamples 2, "unassociated", as Pillow and most painting programs
# write it) with its colors multiplied by alpha, though IMREAD_UNCHANGED asks for what the file holds: (200, 100, 40) with half
# alpha comes as (100, 50, 20), and everything where alpha is 0 as black, for good. IMREAD_COLOR gives the same darkened colors
# without the alpha, of 16 bits as well. But the same picture with 16 bits and IMREAD_UNCHANGED, or as PNG, comes straight, and a
# TIFF whose colors are multiplied already (ExtraSamples 1) comes multiplied: what the four numbers mean depends on depth,
# flag and format, and nothing tells. TIFF 6.0, section 18, says what is stored; tifffile returns that, and Pillow straight colors.
# A style transfer of a cut-out sees dark edges, and composed again by its alpha they are darkened twice. Read TIFF with tifffile.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet opencv-python-headless==5.0.0.93 tifffile==2026.3.3 pillow==13.0.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import cv2
import numpy as np
import tifffile
from PIL import Image

print("OpenCV", cv2.__version__)
picture = np.zeros((2, 2, 4), np.uint8)
picture[:] = (200, 100, 40, 128)
picture[1] = (200, 100, 40, 0)
Image.fromarray(picture).save("pillow8.tif")
Image.fromarray(picture).save("straight8.png")
tifffile.imwrite("straight8.tif", picture, photometric="rgb", extrasamples=["unassalpha"])
tifffile.imwrite("straight16.tif", picture.astype(np.uint16) * 257, photometric="rgb", extrasamples=["unassalpha"])
multiplied = picture.copy()
multiplied[..., :3] = np.round(picture[..., :3] * (picture[..., 3:] / 255))
tifffile.imwrite("multiplied8.tif", multiplied, photometric="rgb", extrasamples=["assocalpha"])
found = {}
for name in ("straight8.png", "straight8.tif", "pillow8.tif", "straight16.tif", "multiplied8.tif"):
    seen = cv2.imread(name, cv2.IMREAD_UNCHANGED)
    scale = 257 if seen.dtype == np.uint16 else 1
    color = cv2.imread(name, cv2.IMREAD_COLOR)
    with Image.open(name) as image:
        other = np.asarray(image.convert("RGBA"))
    pixels = [(seen[row, 0, [2, 1, 0, 3]] // scale).tolist() for row in (0, 1)]
    found[name] = [*pixels, color[0, 0, ::-1].tolist()]
    held = (tifffile.imread(name)[0, 0] // scale).tolist() if name.endswith("tif") else "-"
    print(f"{name}: unchanged {pixels[0]}, clear {pixels[1]}, color {found[name][2]}; tifffile {held}, Pillow {other[0, 0].tolist()}")
straight = [[200, 100, 40, 128], [200, 100, 40, 0], [200, 100, 40]]
dark = [[100, 50, 20, 128], [0, 0, 0, 0], [100, 50, 20]]
with tifffile.TiffFile("pillow8.tif") as file:
    assert [int(x) for x in file.pages[0].extrasamples] == [2]
    assert (file.asarray() == picture).all()
right = found["straight8.png"] == straight and found["straight16.tif"] == [*straight[:2], dark[2]]
right = right and found["multiplied8.tif"] == dark
sys.exit(0 if right and found["straight8.tif"] == found["pillow8.tif"] == dark else 1)
PYTHON
