#!/usr/bin/env bash
# OpenCV 4.11 to 5.0 writes into the mask that seamlessClone, illuminationChange, colorChange and textureFlattening are given, if it has
# one channel: what lies more than 3 pixels inside of it is switched from 255 to 0, and, in the latter three, all the rest to
# 255. The next call with the same array switches it back. So a loop that clones the painted part of each frame of a video
# by one mask is right on frames 1, 3, 5, and leaves frames 2, 4, 6 nearly as they were; nothing is said, and the documentation calls
# the mask an input. 4.10 leaves it as it is, and so do these with a mask of three channels, which they convert first.
# Give each call a copy, mask.copy().
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 5.0.0.93 4.10.0.84; do
    python3 -m venv "$folder/$version"
done
"$folder/5.0.0.93/bin/pip" install --quiet opencv-python-headless==5.0.0.93 numpy==2.4.6
"$folder/4.10.0.84/bin/pip" install --quiet opencv-python-headless==4.10.0.84 numpy==1.26.4
cat > "$folder/clone.py" <<'PYTHON'
import sys

import cv2
import numpy as np

random = np.random.default_rng(1)
painted = cv2.resize(random.integers(0, 256, (12, 16, 3), dtype=np.uint8), (120, 96), interpolation=cv2.INTER_CUBIC)
frame = np.full_like(painted, 90)
mask = np.zeros((96, 120), np.uint8)
mask[20:77, 30:91] = 255
inside = np.zeros_like(mask)
inside[23:74, 33:88] = 255  # 3 pixels smaller on each side
operations = {
    "seamlessClone": (lambda m: cv2.seamlessClone(painted, frame, m, (60, 48), cv2.NORMAL_CLONE), mask - inside),
    "illuminationChange": (lambda m: cv2.illuminationChange(painted, m, None, 0.2, 0.4), 255 - inside),
    "colorChange": (lambda m: cv2.colorChange(painted, m, None, 1.5, 1.0, 0.5), 255 - inside),
    "textureFlattening": (lambda m: cv2.textureFlattening(painted, m), 255 - inside),
}
changed, kept = [], []
print("OpenCV", cv2.__version__)
for name, (operation, expected) in operations.items():
    right = operation(mask.copy()).astype(int)
    used, far, after = mask.copy(), [], []
    for _ in range(4):
        far.append(int(np.abs(operation(used) - right).max()))
        after.append(used.copy())
    three = np.repeat(mask[..., None], 3, 2)
    safe = [int(np.abs(operation(three) - right).max()) for _ in range(4)] == [0] * 4 and (three == mask[..., None]).all()
    print(f"{name}: the same mask 4 times, off by {far}, pixels of the mask that differ {[int((m != mask).sum()) for m in after]}")
    alternates = far[0] == far[2] == 0 and min(far[1], far[3]) > 25
    alternates = alternates and all((m == (mask if i % 2 else expected)).all() for i, m in enumerate(after))
    changed.append(alternates and safe)
    kept.append(far == [0] * 4 and (used == mask).all() and safe)
print("three channels are safe everywhere" if all(changed) or all(kept) else "?")
sys.exit(0 if all(kept if sys.argv[1] == "kept" else changed) else 1)
PYTHON
"$folder/4.10.0.84/bin/python" "$folder/clone.py" kept
"$folder/5.0.0.93/bin/python" "$folder/clone.py" changed
