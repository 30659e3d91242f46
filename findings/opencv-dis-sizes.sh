#!/bin/sh
# OpenCV's DISOpticalFlow remembers small pictures: once an object has seen a pair of 56x40, it finds another flow between
# two pictures of 160x120 than it did before, or than a new object does, for good. Presets ultrafast and fast; medium not.
# Make one object for each size of picture.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet opencv-python-headless==5.0.0.93 numpy
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import cv2
import numpy as np


def pair(height, width, seed):
    """Two pictures of noise."""
    found = []
    for number in (seed, seed + 1):
        noise = np.random.default_rng(number).integers(0, 255, (height, width)).astype(np.uint8)
        found.append(cv2.GaussianBlur(noise, (0, 0), 3))
    return found


print("OpenCV", cv2.__version__)
changed = {}
for name in ("ULTRAFAST", "FAST", "MEDIUM"):
    preset = getattr(cv2, f"DISOPTICAL_FLOW_PRESET_{name}")
    search = cv2.DISOpticalFlow_create(preset)
    before = search.calc(*pair(120, 160, 1), None)
    again = search.calc(*pair(120, 160, 1), None)
    scale = search.getFinestScale()
    search.calc(*pair(40, 56, 7), None)
    after = search.calc(*pair(120, 160, 1), None)
    new = cv2.DISOpticalFlow_create(preset).calc(*pair(120, 160, 1), None)
    changed[name] = float(abs(after - before).max())
    print(f"{name}: {changed[name]:.1f} pixels apart after a small pair; finest scale {scale} -> {search.getFinestScale()}")
    assert (again == before).all() and (new == before).all()
sys.exit(0 if changed["ULTRAFAST"] > 1 and changed["FAST"] > 1 and changed["MEDIUM"] == 0 else 1)
PYTHON
