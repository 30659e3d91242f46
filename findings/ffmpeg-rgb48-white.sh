#!/bin/sh
# FFmpeg's scaler makes RGB of 16 bits (rgb48, gbrp16) out of 10-bit limited-range YCbCr with 65283 for white instead of 65535, so
# white is 254 of 255; and with flags=accurate_rnd+full_chroma_int, unscaled, rgb48 wraps around: the blue of pure red is not 0.
# Exits 0 while white is not 65535, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 numpy
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from fractions import Fraction

import av
import numpy as np

print("PyAV", av.__version__, "libswscale", av.library_versions["libswscale"])
flags = "area+accurate_rnd+full_chroma_int+full_chroma_inp"
found = {}
for name, levels in (("white", (940, 512, 512)), ("red", (250, 409, 960))):  # BT.709, limited range
    for form in ("rgb48le", "gbrp16le"):
        graph = av.filter.Graph()
        steps = [graph.add_buffer(width=64, height=64, format="yuv420p10le", time_base=Fraction(1, 25))]
        steps.append(graph.add("scale", f"in_color_matrix=bt709:in_range=tv:flags={flags}"))
        steps.append(graph.add("format", f"pix_fmts={form}"))
        steps.append(graph.add("buffersink"))
        for one, other in zip(steps, steps[1:]):
            one.link_to(other)
        graph.configure()
        frame = av.VideoFrame(64, 64, "yuv420p10le")
        for plane, level in zip(frame.planes, levels):
            plane.update(np.full(plane.buffer_size // 2, level, np.uint16).tobytes())
        frame.pts = 0
        graph.vpush(frame)
        pixels = graph.vpull().to_ndarray().reshape(-1, 3)
        found[name, form] = np.unique(pixels, axis=0).tolist()
        print(name, form, found[name, form])
sys.exit(0 if found["white", "gbrp16le"] != [[65535] * 3] else 1)
PYTHON
