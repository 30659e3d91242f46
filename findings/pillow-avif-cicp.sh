#!/bin/sh
# Pillow drops the color description of AVIF (box colr, nclx) and of PNG (chunk cICP): pixels of Display P3 come as they are
# stored, and nothing in Image.info tells that they are not sRGB. For ICC profiles there is Image.info["icc_profile"].
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==13.0.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import io
import struct
import sys
import zlib

import PIL
from PIL import Image

print("Pillow", PIL.__version__)
red = (234, 51, 35)  # in Display P3 what sRGB calls (255, 0, 0)

file = io.BytesIO()
Image.new("RGB", (16, 16), red).save(file, "AVIF", quality=100, subsampling="4:4:4")
srgb = file.getvalue()
assert srgb.count(b"colrnclx\0\x01\0\x0d") == 1
p3 = srgb.replace(b"colrnclx\0\x01\0\x0d", b"colrnclx\0\x0c\0\x0d")  # primaries 12, Display P3

png = io.BytesIO()
Image.new("RGB", (16, 16), red).save(png, "PNG")
chunk = b"cICP" + bytes((12, 13, 0, 1))
chunk = struct.pack(">I", 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
cicp = png.getvalue()[:33] + chunk + png.getvalue()[33:]

same = True
for name, plain, described in (("AVIF", srgb, p3), ("PNG", png.getvalue(), cicp)):
    with Image.open(io.BytesIO(plain)) as first, Image.open(io.BytesIO(described)) as second:
        pixels = first.load()[8, 8], second.load()[8, 8]
        told = sorted(set(map(str, second.info.items())) - set(map(str, first.info.items())))
    print(f"{name}: as sRGB {pixels[0]}, as Display P3 {pixels[1]}, what info tells of it: {told}")
    same = same and pixels[0] == pixels[1] and not told
sys.exit(0 if same else 1)
PYTHON
