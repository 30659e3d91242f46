#!/bin/sh
# torchmetrics.functional.image.total_variation takes 8-bit pictures as they are read, and subtracts them as 8-bit numbers:
# where a picture darkens to the right or downwards, the difference wraps around. A picture and its mirror image have
# different variations, and a smooth descent has 255 a pixel; floats are right. Convert before measuring.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 torchmetrics==1.9.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import torch
from torchmetrics.functional.image import total_variation

print("torch", torch.__version__, "torchmetrics", version("torchmetrics"))
ramp = torch.arange(0, 256, dtype=torch.uint8).expand(1, 3, 4, 256)
found = {}
for name, picture in {"brighter to the right": ramp, "its mirror image": ramp.flip(3)}.items():
    found[name] = [float(total_variation(x)) for x in (picture, picture.float())]
    print(f"{name}: {found[name][0]:.0f} in uint8, {found[name][1]:.0f} in float32")
(up, right), (down, same) = found.values()
sys.exit(0 if up == right == same and down == 255 * right else 1)
PYTHON
