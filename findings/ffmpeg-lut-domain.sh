#!/usr/bin/env bash
# FFmpeg 8.1's filters lut3d and lut1d (PyAV 18.1), and pillow-lut 1.1, do not do what a .cube file's DOMAIN_MIN and DOMAIN_MAX say. FFmpeg
# takes the width of the domain, but nothing off for where it begins, and no width below 1 (the scale is cut at 1): a table
# for -0.5 to 1.5, as made for pictures with values beyond white, is read half a unit too low, and one for 0 to 0.5, for a dark
# log picture, as one for 0 to 1. pillow-lut leaves both lines out, so that 0 to 2 is wrong with it too. Nothing is said.
# Adobe's specification of the format (Cube LUT 1.0) has the first row of the table at DOMAIN_MIN and the last at DOMAIN_MAX;
# OpenColorIO 2.6, asked beside them, does it so. All tables here hold the square of their input, of 0.25 and 0.5.
# Grades from other programs come out with other colors. Resample such a table to 0 to 1 first, or apply it by OpenColorIO.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 opencolorio==2.6.0 pillow-lut==1.1.0 pillow==13.0.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import itertools
import sys
from importlib.metadata import version

import av
import numpy as np
import pillow_lut
import PyOpenColorIO as ocio
from av.filter import Graph
from PIL import Image

SIZE, SIDE = 33, 16


def write(low, high, cube):
    numbers = [low + (high - low) * i / (SIZE - 1) for i in range(SIZE)]
    rows = itertools.product(numbers, numbers, numbers) if cube else ((n, n, n) for n in numbers)
    with open("a.cube", "w") as file:
        print("LUT_3D_SIZE" if cube else "LUT_1D_SIZE", SIZE, file=file)
        print("DOMAIN_MIN", low, low, low, file=file)
        print("DOMAIN_MAX", high, high, high, file=file)
        for blue, green, red in rows:
            print(f"{red * red:.6f} {green * green:.6f} {blue * blue:.6f}", file=file)


def ffmpeg(level, cube):
    graph = Graph()
    first = graph.add("buffer", f"video_size={SIDE}x{SIDE}:pix_fmt=gbrpf32le:time_base=1/25:pixel_aspect=1/1")
    last = graph.add("buffersink")
    table = graph.add("lut3d" if cube else "lut1d", "file=a.cube")
    first.link_to(table)
    table.link_to(last)
    graph.configure()
    first.push(av.VideoFrame.from_ndarray(np.full((SIDE, SIDE, 3), level, np.float32), format="gbrpf32le"))
    return float(last.pull().to_ndarray()[0, 0, 0])


def colorio(level):
    step = ocio.FileTransform("a.cube", interpolation=ocio.INTERP_LINEAR)
    made = np.full((1, 1, 3), level, np.float32)
    ocio.Config.CreateRaw().getProcessor(step).getDefaultCPUProcessor().applyRGB(made)
    return float(made[0, 0, 0])


def pillow(level):
    picture = Image.new("RGB", (1, 1), (round(level * 255),) * 3)
    return picture.filter(pillow_lut.load_cube_file("a.cube")).getpixel((0, 0))[0] / 255


print("FFmpeg's libavfilter", av.library_versions["libavfilter"], *[f"{n} {version(n)}" for n in ("opencolorio", "pillow-lut")])
found = {}
for low, high in ((0, 1), (0, 2), (0, 0.5), (-0.5, 1.5)):
    for cube in (True, False):
        write(low, high, cube)
        row = {"FFmpeg": [ffmpeg(x, cube) for x in (0.25, 0.5)], "OpenColorIO": [colorio(x) for x in (0.25, 0.5)]}
        if cube:
            row["pillow-lut"] = [pillow(x) for x in (0.25, 0.5)]
        found[low, high, cube] = row
        print("3D" if cube else "1D", f"{low} to {high}:", {name: np.round(made, 3).tolist() for name, made in row.items()})


def near(made, *wanted):
    return bool(np.abs(np.subtract(made, wanted)).max() < 0.01)


right = all(near(row["OpenColorIO"], 1 / 16, 1 / 4) for row in found.values())
right = right and all(near(found[0, high, cube]["FFmpeg"], 1 / 16, 1 / 4) for high in (1, 2) for cube in (True, False))
right = right and near(found[0, 1, True]["pillow-lut"], 1 / 16, 1 / 4)
wrong = all(near(found[0, 0.5, cube]["FFmpeg"], 1 / 64, 1 / 16) for cube in (True, False))
wrong = wrong and all(near(found[-0.5, 1.5, cube]["FFmpeg"], 1 / 16, 0) for cube in (True, False))
expected = {(0, 2): (1 / 4, 1), (0, 0.5): (1 / 64, 1 / 16), (-0.5, 1.5): (0, 1 / 4)}
wrong = wrong and all(near(found[*domain, True]["pillow-lut"], *wanted) for domain, wanted in expected.items())
sys.exit(0 if right and wrong else 1)
PYTHON
