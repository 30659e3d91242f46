#!/bin/sh
# FFmpeg 8.0 (PyAV 16.1): an MP4 written with movflags +hybrid_fragmented+delay_moov that is shorter than one fragment holds no
# packet once it is closed, without an error; 8.1 (PyAV 18.1) writes all. +hybrid_fragmented with use_editlist=1 works in both.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/write.py" <<'PYTHON'
import sys

import av
import numpy as np

counts = []
for flags in ({"movflags": "+hybrid_fragmented+delay_moov"}, {"movflags": "+hybrid_fragmented", "use_editlist": "1"}):
    with av.open(sys.argv[1], "w", options=flags) as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(10):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), i, np.uint8), format="rgb24")))
        container.mux(stream.encode())
    with av.open(sys.argv[1]) as container:
        counts.append(sum(packet.size > 0 for packet in container.demux(video=0)))
print("PyAV", av.__version__, "libavformat", av.library_versions["libavformat"], "packets:", counts)
sys.exit(0 if counts == [int(n) for n in sys.argv[2:]] else 1)
PYTHON
python3 -m venv "$folder/venv"
for run in "16.1.0 0 10" "18.1.0 10 10"; do
    set -- $run
    "$folder/venv/bin/pip" install --quiet "av==$1" numpy
    "$folder/venv/bin/python" "$folder/write.py" "$folder/a.mp4" "$2" "$3"
done
