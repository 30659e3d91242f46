#!/bin/sh
# Pillow reads a Photoshop file in bitmap mode as its negative. In Photoshop's file format a set bit of a bitmap is black
# (psd-tools, asked beside it, inverts); Pillow's mode "1" has 1 for white, and the plugin does not invert.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==13.0.0 psd-tools==1.26.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata
import struct
import sys

import PIL
from PIL import Image

# 16 x 2 pixels, one channel of one bit: the first row set (black), the second clear (white).
header = b"8BPS" + struct.pack(">H6xHIIHH", 1, 1, 2, 16, 1, 0)
with open("bitmap.psd", "wb") as file:
    file.write(header + bytes(12) + struct.pack(">H", 0) + b"\xff\xff\x00\x00")

with Image.open("bitmap.psd") as image:
    seen = [image.getpixel((0, row)) for row in (0, 1)]
print("Pillow", PIL.__version__, "mode", image.mode, "rows set, clear:", seen)

from psd_tools import PSDImage

other = PSDImage.open("bitmap.psd").composite()
theirs = [other.convert("L").getpixel((0, row)) for row in (0, 1)]
print("psd-tools", importlib.metadata.version("psd-tools"), "rows set, clear:", theirs)
print("expected: set bits are black, 0, and clear ones white, 255")
sys.exit(0 if seen == [255, 0] else 1)
PYTHON
