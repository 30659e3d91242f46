"""Super-resolution by a feature and by a pixel loss, each trained for so many minutes (Johnson et al. 2016, §4.2).

    python benchmarks/superres.py --shared ../shared [--minutes 14] [--sheet FILE]

The ten photographs of the yardstick (`../shared/tools/peer_microast.json`) are kept out of the training, made a quarter
as large and enlarged again. PSNR in dB and SSIM by luma, and the relative error of VGG-19's relu2_2, all on average.
What was trained already is kept in `--work`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

import torch
from common import write
from torch import Tensor
from train_minutes import linked, middle

from impasto.features import Encoder, load_encoder
from impasto.media import read_image, sheet, write_image
from impasto.networks.models import load_upscaler
from impasto.networks.superres import SuperResolution, enlarge, shrink, upscale
from impasto.pictures.metrics import psnr, ssim

FACTOR = 4
LOSSES = ("pixel", "feature")


def trained(loss: str, photos: Path, minutes: float, work: Path) -> SuperResolution:
    """The network of that loss, trained if it is not there yet."""
    model = work / f"sr-{loss}.safetensors"
    if not model.exists():
        words = ["--task", "super-resolution", "--scale", str(FACTOR), "--loss", loss, "--photos", str(photos)]
        words += ["--side", "144", "--minutes", str(minutes), "--steps", "20000", "--force", "-o", str(model)]
        command = [sys.executable, "-m", "impasto", "train", *words, "--report", str(model.with_suffix(".json"))]
        subprocess.run(command, check=True)
    return load_upscaler(model).generator


@torch.no_grad()
def measured(made: Tensor, original: Tensor, vgg: Encoder) -> dict[str, float]:
    """Likeness of a picture to the original, both `(1, 3, H, W)`."""
    seen, wanted = (vgg(x, ["relu2_2"])["relu2_2"] for x in (made, original))
    feature = (seen - wanted).square().sum() / wanted.square().sum()
    found = {"psnr": psnr(made, original, FACTOR), "ssim": ssim(made, original, FACTOR), "relu2_2": feature}
    return {name: round(value.item(), 4) for name, value in found.items()}


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--shared", type=Path, default=Path("../shared"))
    a.add_argument("--minutes", type=float, default=14.0)
    a.add_argument("--work", type=Path, default=Path("build/superres"))
    a.add_argument("--sheet", type=Path)
    args = a.parse_args()
    folder = args.shared / "data" / "photos"
    yardstick = json.loads((args.shared / "tools" / "peer_microast.json").read_text())["rows"]
    held = sorted({folder / row["c"] for row in yardstick})
    photos = linked(sorted(folder.glob("*.jpg")), held, args.work / "photos")
    networks = {loss: trained(loss, photos, args.minutes, args.work) for loss in LOSSES}
    vgg = load_encoder("vgg19-caffe", weights=args.shared / "weights")
    rows, shown = [], []
    for path in held:
        original = read_image(path).pixels
        original = original[..., : original.shape[2] // FACTOR * FACTOR, : original.shape[3] // FACTOR * FACTOR]
        small = shrink(original, FACTOR)
        made = {"bicubic": enlarge(small, FACTOR).clamp(0, 1)}
        made |= {loss: upscale(network, small) for loss, network in networks.items()}
        rows.append({name: measured(picture, original, vgg) for name, picture in made.items()} | {"photo": path.name})
        shown.append([middle(x, 240) for x in (original, *made.values())])
    manners = ("bicubic", *LOSSES)
    mean = {m: {n: round(statistics.fmean(r[m][n] for r in rows), 4) for n in rows[0][m]} for m in manners}
    if args.sheet:
        write_image(args.sheet, sheet(shown[:6], [r["photo"] for r in rows[:6]], ["original", *manners]))
    result = {"factor": FACTOR, "minutes": args.minutes, "photos": len(rows), "mean": mean, "rows": rows}
    write(Path(__file__).parent / "results" / "superres.json", result)


if __name__ == "__main__":
    main()
