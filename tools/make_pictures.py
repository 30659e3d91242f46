"""Make the pictures of README and docs again, by impasto's own commands from the project's own scene and painting.

    python tools/make_pictures.py                       # all, into docs/images: `make pictures`
    python tools/make_pictures.py --only gallery --out /tmp

Each picture is a sheet of what the commands below give; the number of threads is fixed, since it decides the result.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw
from skimage import data
from torch import Tensor

from impasto.cli.app import app
from impasto.media import gallery, read_image, write_image
from impasto.pictures.resample import lanczos

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
#: As `make demo`.
THREADS = 2
#: Of JPEG files: pages are read over slow lines, too.
QUALITY = 80
SMALL = "photo.png painting.png --encoder lite --size 320"
#: Side of textures.
SIDE = 256
STYLES = (
    "storm", "field", "park", "night", "dots", "mosaic", "glass", "woodcut", "wash", "waves", "shapes", "marble",
)  # fmt: skip


@dataclass(frozen=True)
class Sheet:
    """A picture of the docs.

    Attributes:
        cells: label -> an input's file, or a command without `-o`.
        columns: of the sheet; 0: the one cell as it is, without its label.
        width: of the cells in pixels.
    """

    cells: Mapping[str, str]
    columns: int = 3
    width: int = 320


PICTURES = {
    "demo": Sheet({"": "stylize photo.png painting.png --encoder lite"}, 0),
    "qualities": Sheet(
        {
            "the photograph": "photo.png",
            "the painting": "painting.png",
            "--quality best": f"stylize {SMALL}",
            "--quality quick": "stylize photo.png painting.png --size 320 --quality quick",
            "--quality refined": "stylize photo.png painting.png --size 320 --quality refined",
            "--quality instant": "stylize photo.png painting.png --size 320 --quality instant",
        }
    ),
    "controls": Sheet(
        {
            "--style-loss gram": f"stylize {SMALL}",
            "--style-loss wasserstein": f"stylize {SMALL} --style-loss wasserstein",
            "--style-loss patches": f"stylize {SMALL} --style-loss patches --scales 2 --content-weight 5 --steps 40",
            "--style-scale 0.5": f"stylize {SMALL} --style-scale 0.5",
            "--color content-luminance": f"stylize {SMALL} --color content-luminance",
            "--color histogram": f"stylize {SMALL} --color histogram",
            "--mask sky.png 0": f"stylize {SMALL} --mask sky.png 0",
            "--dream relu4_2": f"stylize {SMALL} --dream relu4_2 --dream-weight 3",
            "--content-weight 0": f"stylize {SMALL} --content-weight 0 --init noise --scales 2",
        }
    ),
    "regions": Sheet(
        {
            "sky.png": "sky.png",
            "ground.png": "ground.png",
            "one painting in each": "stylize photo.png painting.png mosaic.png --encoder lite "
            "--size 320 --mask sky.png 1 --mask ground.png 2",
        }
    ),
    "doodle": Sheet(
        {
            "painting.png": "painting.png",
            "painting_map.png": "painting_map.png",
            "map.png": "map.png",
            "the doodle": "doodle map.png painting.png painting_map.png --encoder lite --size 320",
        },
        2,
    ),
    "gallery": Sheet({name: f"stylize photo.png --style {name}" for name in STYLES}, 4, 256),
    "blends": Sheet(
        {
            "mosaic=0.5,park=0.5": "stylize photo.png --blend mosaic=0.5,park=0.5",
            "dots=0.5,night=0.5": "stylize photo.png --blend dots=0.5,night=0.5",
            "--style mosaic --strength 0.5": "stylize photo.png --style mosaic --strength 0.5",
        }
    ),
    "texture": Sheet(
        {
            "the sample": "sample.png",
            "texture": f"texture sample.png --encoder lite --size {SIDE}",
            "--tileable, four times": f"texture sample.png --encoder lite --size {SIDE} --tileable",
        },
        width=SIDE,
    ),
    "textures": Sheet(
        {
            "": "textures brick.png gravel.png sample.png --encoder lite --sample-size 64 --size 112 "
            "--windows 5,9,17 --steps 60"
        },
        0,
    ),
    "copying": Sheet(
        {
            "photo.png": "photo.png",
            "--mask spire.png": "texture photo.png --mask spire.png --method quilting --block 24",
            "--quality quilting": "stylize photo.png painting.png --quality quilting",
        }
    ),
    "looking": Sheet(
        {
            "dream": "dream photo.png --encoder lite --size 320",
            "visualize guided": "visualize guided photo.png --unit relu4_1:17 --encoder lite --size 320",
            "invert --layer relu4_1": "invert photo.png --encoder lite --layer relu4_1 --size 320",
        }
    ),
}


def write_inputs(folder: Path) -> None:
    """The files that the commands name: scene, paintings, masks and maps."""
    for name, source in {"photo": "content", "painting": "style"}.items():
        (folder / f"{name}.png").write_bytes((ROOT / "examples" / f"{source}.png").read_bytes())
    words = [sys.executable, str(ROOT / "examples" / "gallery.py"), "--out", str(folder), "--size", "480", "mosaic"]
    subprocess.run(words, check=True)
    Image.open(folder / "mosaic.png").crop((0, 0, 320, 320)).save(folder / "sample.png")
    sky, ground = Image.new("L", (768, 512), 0), Image.new("L", (768, 512), 255)
    skyline = [(0, 0), (0, 120), (130, 105), (330, 130), (440, 80), (474, 110), (498, 30), (526, 110), (600, 130),
               (768, 140), (768, 0)]  # fmt: skip
    for picture, color in ((sky, 255), (ground, 0)):
        ImageDraw.Draw(picture).polygon(skyline, color)
    sky.save(folder / "sky.png")
    ground.save(folder / "ground.png")
    spire = Image.new("L", (768, 512))
    ImageDraw.Draw(spire).polygon([(470, 109), (499, 24), (530, 109)], 255)
    spire.save(folder / "spire.png")
    for name, pixels in {"brick": data.brick(), "gravel": data.gravel()}.items():
        Image.fromarray(pixels[:320, :320]).resize((160, 160)).save(folder / f"{name}.png")
    flat(sun=(265, 210), trees=(625, 715), right=True).save(folder / "painting_map.png")
    flat(sun=(540, 170), trees=(120, 215), right=False).save(folder / "map.png")


def flat(sun: tuple[int, int], trees: tuple[int, int], right: bool) -> Image.Image:
    """What is where: a sky with a sun over hills, a field and a meadow with two trees.

    Args:
        sun: its middle, in pixels of 768x512.
        trees: horizontal places of a tall and a small one.
        right: whether the meadow rises to the right or falls.
    """
    picture = Image.new("RGB", (768, 512), (60, 110, 200))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((sun[0] - 145, sun[1] - 125, sun[0] + 145, sun[1] + 125), (250, 220, 80))
    draw.rectangle((0, 275, 768, 345), (30, 50, 130))
    draw.rectangle((0, 345, 768, 470), (220, 150, 30))
    low, high = (445, 475) if right else (475, 445)
    draw.polygon([(0, high), (384, 455), (768, low), (768, 512), (0, 512)], (40, 110, 60))
    for x, top, wide in ((trees[0], 60, 45), (trees[1], 170, 35)):
        draw.polygon(
            [(x, top), (x + wide, 300), (x + wide // 2, 455), (x - wide // 2, 455), (x - wide, 300)], (15, 30, 40)
        )
    return picture


def painted(command: str, number: int) -> Tensor:
    """What a command paints in the working folder, `(1, 3, H, W)`; or the picture that it names."""
    if " " not in command:
        return read_image(command).pixels
    output = f"out-{number}.png"
    app([*shlex.split(command), "-o", output, "--threads", str(THREADS), "--quiet", "--force"], standalone_mode=False)
    pixels = read_image(output).pixels
    return pixels.repeat(1, 1, 2, 2) if "--tileable" in command else pixels


def make(name: str, out: Path) -> None:
    """Paint the cells of a picture and write it."""
    sheet = PICTURES[name]
    cells = [painted(command, number) for number, command in enumerate(sheet.cells.values())]
    if sheet.columns:
        height, width = cells[-1].shape[-2:]
        size = (round(height * sheet.width / width), sheet.width)
        cells = [lanczos(cell, size).clamp(0, 1) for cell in cells]
        page = gallery(cells, list(sheet.cells), columns=sheet.columns)
    else:
        page = cells[0]
    write_image(out / f"{name}.jpg", page, quality=QUALITY)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PICTURES, default=list(PICTURES), help="names of pictures")
    parser.add_argument("--out", type=Path, default=IMAGES, help="folder to write to (default: docs/images)")
    chosen = parser.parse_args()
    out = chosen.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        write_inputs(Path(folder))
        os.chdir(folder)
        for name in chosen.only:
            make(name, out)
            print(out / f"{name}.jpg")


if __name__ == "__main__":
    main()
