#!/usr/bin/env bash
# FFmpeg 8.1's filter lut3d (PyAV 18.1) reads each .3dl file as one of 17 points a side with numbers of 12 bits, whatever it holds. The file
# tells its size by its first line, which has one number for each point of a side, and FFmpeg skips it. A table of 33 points
# is read from its first 4913 rows, into the wrong places: white comes as a strong blue, and so does gray, darker. Numbers of 10
# bits come a quarter as bright, of 16 bits 16 times as bright, so white nearly everywhere. Nothing is said, and the
# documentation names the format ("AfterEffects") without a limit. OpenColorIO 2.6 wrote the tables of 17 and 33 points here, both
# of 12 bits, in its format "flame" (squares of their input); those of 10 and 16 are the former scaled; it reads all rightly.
# Have the table written as .cube, or convert it by OpenColorIO (ociobakelut) before it goes over a video.
# Exits 0 while this is so, 1 when the behavior changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 opencolorio==2.6.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import av
import numpy as np
import PyOpenColorIO as ocio
from av.filter import Graph

SIDE = 16
CONFIG = """ocio_profile_version: 2
roles: {default: linear}
displays: {one: [!<View> {name: one, colorspace: square}]}
colorspaces:
  - !<ColorSpace> {name: linear}
  - !<ColorSpace> {name: square, from_scene_reference: !<ExponentTransform> {value: [2, 2, 2, 1]}}
"""
COLORS = {"black": (0, 0, 0), "gray": (0.5, 0.5, 0.5), "color": (0.25, 0.5, 0.75), "white": (1, 1, 1)}


def bake(size):
    baker = ocio.Baker()
    baker.setConfig(ocio.Config.CreateFromStream(CONFIG))
    baker.setFormat("flame")
    baker.setInputSpace("linear")
    baker.setTargetSpace("square")
    baker.setCubeSize(size)
    return baker.bake()


def ffmpeg(name, color):
    graph = Graph()
    first = graph.add("buffer", f"video_size={SIDE}x{SIDE}:pix_fmt=gbrpf32le:time_base=1/25:pixel_aspect=1/1")
    table, last = graph.add("lut3d", f"file={name}"), graph.add("buffersink")
    first.link_to(table)
    table.link_to(last)
    graph.configure()
    picture = np.zeros((SIDE, SIDE, 3), np.float32) + np.array(color, np.float32)
    first.push(av.VideoFrame.from_ndarray(picture, format="gbrpf32le"))
    return last.pull().to_ndarray()[0, 0]


def colorio(name, color):
    step = ocio.FileTransform(name, interpolation=ocio.INTERP_LINEAR)
    made = np.array([[color]], np.float32)
    ocio.Config.CreateRaw().getProcessor(step).getDefaultCPUProcessor().applyRGB(made)
    return made[0, 0]


tables = {"17-12": bake(17), "33-12": bake(33)}
first, *rows = tables["17-12"].splitlines()
numbers = [[int(x) for x in row.split()] for row in rows if len(row.split()) == 3 and row[0].isdigit()]
for bits in (10, 16):
    scaled = [" ".join(str(round(x * (2**bits - 1) / 4095)) for x in row) for row in numbers]
    tables[f"17-{bits}"] = "\n".join([first, *scaled]) + "\n"
print("FFmpeg's libavfilter", av.library_versions["libavfilter"], "OpenColorIO", ocio.__version__)
found = {}
for name, text in tables.items():
    points = len(text.splitlines()[0].split())
    assert f"{points}-" == name[:3] and sum(len(line.split()) == 3 and line[0].isdigit() for line in text.splitlines()[1:]) == points**3
    with open(f"{name}.3dl", "w") as file:
        file.write(text)
    for color, value in COLORS.items():
        found[name, color] = ffmpeg(f"{name}.3dl", value)
        theirs = colorio(f"{name}.3dl", value)
        assert np.abs(theirs - np.square(value)).max() < 0.002
        print(f"{name} bits, {color}: FFmpeg {found[name, color].round(3).tolist()}, OpenColorIO {theirs.round(3).tolist()}")
squares = {color: np.square(value) for color, value in COLORS.items()}
right = all(np.abs(found["17-12", color] - square).max() < 0.002 for color, square in squares.items())
wrong = all(np.abs(found["17-10", color] - square / 4).max() < 0.002 for color, square in squares.items())
wrong = wrong and all(np.abs(found["17-16", color] - square * 16).max() < 0.02 for color, square in squares.items())
wrong = wrong and np.abs(found["33-12", "white"] - (0.016, 0.25, 0.765)).max() < 0.002
wrong = wrong and np.abs(found["33-12", "gray"] - (0.004, 0.062, 0.191)).max() < 0.002
sys.exit(0 if right and wrong else 1)
PYTHON
