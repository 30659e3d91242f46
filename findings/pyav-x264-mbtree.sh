#!/bin/sh
# The same frames, encoded by libx264 as PyAV's wheels bring it, with one thread, are not always the same bytes: now and
# then, depending on what freed memory held, some packets differ, and decoded pixels by a few levels. Without the
# macroblock tree (x264-params mbtree=0) they are the same each time.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 numpy
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import hashlib
import sys
from fractions import Fraction

import av
import numpy as np

blocks = np.random.default_rng(0).integers(0, 255, (6, 16, 3)).astype(np.uint8).repeat(12, 0).repeat(8, 1)
frames = [np.ascontiguousarray(blocks[:48, 2 * i : 2 * i + 64]) for i in range(12)]


def encoded(options):
    """A hash of the packets of those twelve frames."""
    digest = hashlib.sha256()
    container = av.open("out.mp4", "w")
    stream = container.add_stream("libx264", rate=10, options={"crf": "18", "preset": "veryfast", **options})
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    for number, levels in enumerate([*frames, None]):
        frame = None
        if levels is not None:
            frame = av.VideoFrame.from_ndarray(levels, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 10)
        for packet in stream.encode(frame):
            digest.update(bytes(packet))
            container.mux(packet)
    container.close()
    return digest.hexdigest()[:8]


def hashes(options, most):
    """Those that are found, until there are two."""
    found = set()
    for turn in range(most):
        sizes = (100, 1000, 5000, 20000, 60000, 100000, 130000, 500000, 2000000)
        garbage = [np.full(n, (37 * turn + 1) % 251, np.uint8) for n in sizes * 5]  # what freed memory will hold
        del garbage
        found.add(encoded(options))
        if len(found) > 1:
            break
    return turn + 1, found


print("PyAV", av.__version__)
turns, plain = hashes({"threads": "1"}, 1500)
print(f"as it is: {len(plain)} outputs of the same frames in {turns} turns: {sorted(plain)}")
turns, without = hashes({"threads": "1", "x264-params": "mbtree=0"}, max(400, 3 * turns))
print(f"without the macroblock tree: {len(without)} output in {turns} turns: {sorted(without)}")
sys.exit(0 if len(plain) > 1 and len(without) == 1 else 1)
PYTHON
