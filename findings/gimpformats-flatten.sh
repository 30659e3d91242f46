#!/bin/sh
# gimpformats 2025 (with blendmodes 2025) flattens GIMP's pictures (.xcf) otherwise than GIMP does, in everyday cases, without a word.
# A layer's mask is multiplied into its colors as well as into its alpha, so that soft edges have a dark fringe, and it is used
# though it is switched off. A visible layer that lies wholly left of the canvas, or above it, as a smaller canvas leaves them, erases
# all layers below it; to the right and below it does nothing, as it should. Of files without the float opacity that
# GIMP 2.10 adds, so of all older ones, opacity is taken as 255 instead of 1, and the alpha of the result is nonsense.
# Take each layer's own picture, mask and offsets (raw_layers), and lay them over one another yourself.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet gimpformats==2025 blendmodes==2025 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata
import struct
import sys

from gimpformats.gimpXcfDocument import GimpDocument

SIDE = 16
END = bytes(8)


def words(*numbers):
    return struct.pack(f">{len(numbers)}i", *numbers)


def item(start, head, pixel, pointers):
    """The bytes of a layer or a mask of one color that starts at a place of the file; its mask, if it has one, follows it."""
    at = start + len(head) + 4 * pointers
    body = words(SIDE, SIDE, len(pixel), at + 20, 0) + words(SIDE, SIDE, at + 32, 0) + pixel * SIDE**2
    return head, at, body


def flat(*layers, new=True):
    """The middle of a flattened picture of layers, the uppermost first: color, offsets, mask (its level, whether it is on)."""
    head = b"gimp xcf file\0" + words(SIDE, SIDE, 0) + words(17, 1) + b"\0" + END  # version 0, not compressed
    start = len(head) + 4 * (len(layers) + 2)
    places, data = [], b""
    for color, offsets, mask in layers:
        places.append(start + len(data))
        properties = words(6, 4, 255) + (struct.pack(">iif", 33, 4, 1.0) if new else b"")  # opacity, as integer and as float
        properties += words(8, 4, 1, 7, 4, 0, 15, 8, *offsets) + (words(11, 4, mask[1]) if mask else b"")
        one, at, body = item(places[-1], words(SIDE, SIDE, 1, 2) + b"a\0" + properties + END, bytes(color), 2)
        data += one + words(at, at + len(body) if mask else 0) + body
        if mask:
            one, at, body = item(start + len(data), words(SIDE, SIDE, 2) + b"m\0" + END, bytes([mask[0]]), 1)
            data += one + words(at) + body
    with open("a.xcf", "wb") as file:
        file.write(head + words(*places, 0, 0) + data)
    return GimpDocument("a.xcf").image.getpixel((8, 8))


print(*[(name, importlib.metadata.version(name)) for name in ("gimpformats", "blendmodes")])
white, red, here = (255, 255, 255, 255), (240, 0, 0, 255), (0, 0)
below = (white, here, None)
masked = {level: flat((white, here, (level, 1)), below) for level in (255, 128, 0)}
print("white with a mask of 255, 128, 0 over white:", masked)
off = flat((red, here, (0, 0)), below)
print("red with a mask of 0 that is switched off, over white:", off)
places = {"left": (-SIDE, 0), "above": (0, -SIDE), "right": (SIDE, 0), "under": (0, SIDE)}
moved = {name: flat((red, place, None), below) for name, place in places.items()}
print("red outside of the canvas, over white:", moved)
old = flat((red, here, None), below, new=False)
print("red over white, opacity as an integer only:", old)
assert masked[255] == masked[0] == moved["right"] == moved["under"] == white and flat((red, here, None), below) == red
wrong = [masked[128][:3] != white[:3], moved["left"] == moved["above"] == (0, 0, 0, 0), off == white, old != red]
sys.exit(0 if all(wrong) else 1)
PYTHON
