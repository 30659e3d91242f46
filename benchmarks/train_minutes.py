"""A network trained for a quarter of an hour, beside optimization and beside the published recipe in the same time.

    python benchmarks/train_minutes.py --shared ../shared [--minutes 15] [--painting FILE] [--recipes impasto]

Twenty photographs are kept out of both trainings: `impasto train`, and the recipe of Johnson et al. 2016
(their network, batches of four crops of 256, VGG's features) from nothing. Each photograph is then painted by both
networks and by 150 steps of optimization with the same objective: as `impasto stylize` does it, and by L-BFGS on pixels
alone (`lbfgs`), as it was always done. Of our network there is also what `--quality refined` makes in a few steps
from its picture. All are judged by the objective's parts, with `lite` and, where it is found, VGG-19. What was trained
already is kept in `--work`. The body that `impasto train` begins with, `any`, may have seen these photographs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from common import write
from torch import Tensor

from impasto.features import Encoder, load_encoder
from impasto.media import read_image, sheet, write_image
from impasto.memory import keep_freed_memory
from impasto.methods.instant import Painter, open_painter
from impasto.methods.presets import quality
from impasto.methods.regions import scaled
from impasto.methods.settings import StylizeSettings
from impasto.methods.stylize import stylize
from impasto.training.loss import LossSettings

RESULT = Path(__file__).parent / "results" / "train_minutes.json"
#: The one that weights mean the same in: `impasto train`'s.
LOSS = LossSettings()
#: Ways of optimization -> settings; with the objective's own weights.
OPTIMIZATIONS: dict[str, dict[str, Any]] = {"optimization": {}, "lbfgs": {"optimizer": "lbfgs", "levels": 1}}
#: Arguments of `impasto train`: its defaults, and the published recipe with the features that there are.
RECIPES = {
    "impasto": [],
    "published": [
        *("--network", "johnson", "--body", "none", "--optimizer", "adam", "--rate", "0.001"),
        *("--batch", "4", "--side", "256", "--loss-encoder", "vgg19-caffe"),
    ],
}


def trained(recipe: str, painting: Path, photos: Path, minutes: float, work: Path, weights: list[str]) -> Path:
    """The model of that recipe, trained if it is not there yet."""
    model = work / f"{recipe}.safetensors"
    if not model.exists():
        words = [*RECIPES[recipe], *(weights if recipe == "published" else []), "--steps", "100000"]
        command = [sys.executable, "-m", "impasto", "train", str(painting), "--photos", str(photos), "-o", str(model)]
        report = ["--report", str(model.with_suffix(".json")), "--force"]
        subprocess.run([*command, "--minutes", str(minutes), *words, *report], check=True)
    return model


def objective_settings(content: Tensor, style: Tensor, steps: int, way: str) -> StylizeSettings:
    """So many steps from the photograph with the objective of `impasto train`: the same layers, weights, and size of
    the painting."""
    size = max(content.shape[-2:])
    return StylizeSettings(
        size=size,
        style_scales=(max(style.shape[-2:]) / size,),
        content_layers=LOSS.content_layers,
        style_layers=LOSS.style_layers,
        steps=steps,
        scales=1,
        init="content",
        content_weight=LOSS.content_weight,
        style_weight=LOSS.style_weight,
        tv_weight=0.0,
        balance=1.0,
        **OPTIMIZATIONS[way],
    )


def optimized(
    encoder: Encoder, content: Tensor, style: Tensor, settings: StylizeSettings, init: Tensor | None = None
) -> Tensor:
    """The picture after the last step, from the photograph if not from `init`."""
    for step in stylize(encoder, content, style, settings, init=init):
        last = step
    return last.image()


def refined_settings(content: Tensor, style: Tensor) -> StylizeSettings:
    """Those of `impasto stylize --quality refined`, with the same objective but for the preset's balance."""
    refined = quality("refined")
    return objective_settings(content, style, refined.steps, "optimization").changed(balance=refined.balance)


@torch.no_grad()
def parts(encoder: Encoder, picture: Tensor, content: Tensor, style: Tensor) -> dict[str, float]:
    """Relative content and style errors of a picture, without their weights."""
    targets = LOSS.measured(encoder, style)
    found = LOSS.objective(encoder, content, targets)(picture.clamp(0, 1))[1]
    weights = {"content": LOSS.content_weight, "style": LOSS.style_weight}
    return {name: found[name].item() / weight for name, weight in weights.items()}


def middle(picture: Tensor, side: int) -> Tensor:
    """The square in the middle of `(1, 3, H, W)`."""
    top, left = ((n - side) // 2 for n in picture.shape[-2:])
    return picture[..., top : top + side, left : left + side]


def photographs(shared: Path) -> list[Path]:
    """All there are."""
    return sorted((shared / "data" / "photos").glob("*.jpg"))


def held_out(shared: Path, count: int) -> list[Path]:
    """So many of the photographs, spread over all of them."""
    files = photographs(shared)
    return files[:: max(1, len(files) // count)][:count]


def linked(files: list[Path], held: list[Path], folder: Path) -> Path:
    """A folder of links to the files that are not held out."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in files:
        if path not in held and not (folder / path.name).exists():
            (folder / path.name).symlink_to(path.resolve())
    return folder


def judged(
    path: Path, painters: Mapping[str, Painter], judges: Mapping[str, Encoder], style: Tensor, size: int, steps: int
) -> tuple[dict[str, Any], list[Tensor]]:
    """The parts of the objective for one photograph painted in each manner, and the pictures."""
    content = scaled(read_image(path).pixels, size)
    pictures, row = {}, dict[str, Any](photo=path.name)
    for way in OPTIMIZATIONS:
        began = time.perf_counter()
        pictures[way] = optimized(judges["lite"], content, style, objective_settings(content, style, steps, way))
        row[f"seconds_{way}"] = time.perf_counter() - began
    for name, painter in painters.items():
        pictures[name] = painter(content, painter.model.blended(dict.fromkeys(painter.model.styles, 1.0)))
    if "impasto" in painters:
        began = time.perf_counter()
        settings = refined_settings(content, style)
        pictures["refined"] = optimized(judges["lite"], content, style, settings, pictures["impasto"])
        row["seconds_refined"] = time.perf_counter() - began
    for name, picture in pictures.items():
        row[name] = {judge: parts(encoder, picture, content, style) for judge, encoder in judges.items()}
    return row, [content, *pictures.values()]


def earlier(path: Path, **same: object) -> dict[str, dict[str, Any]]:
    """Photograph -> what was measured before in the same setting: of recipes that are not run again."""
    found = json.loads(path.read_text()) if path.exists() else {}
    return {row["photo"]: row for row in found.get("rows", []) if same.items() <= found.items()}


def means(rows: list[dict[str, Any]], manners: Sequence[str], judges: Iterable[str]) -> dict[str, Any]:
    """Over the photographs: manner -> judge -> part."""

    def mean(manner: str, judge: str, part: str) -> float:
        return round(statistics.fmean(row[manner][judge][part] for row in rows), 4)

    return {m: {j: {part: mean(m, j, part) for part in ("content", "style")} for j in judges} for m in manners}


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--shared", type=Path, default=Path("../shared"))
    a.add_argument("--painting", type=Path, help="Starry Night if not given")
    a.add_argument("--minutes", type=float, default=15.0)
    a.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    a.add_argument("--photos-held", type=int, default=20)
    a.add_argument("--steps", type=int, default=150)
    a.add_argument("--size", type=int, default=256)
    a.add_argument("--work", type=Path, default=Path("build/train_minutes"))
    a.add_argument("--sheet", type=Path, help="the first six photographs in each manner")
    args = a.parse_args()
    keep_freed_memory()
    painting = args.painting or next((args.shared / "data" / "seed_figures").glob("starry_night.*"))
    held = held_out(args.shared, args.photos_held)
    photos = linked(photographs(args.shared), held, args.work / "photos")
    own = [str(p) for p in [args.shared / "weights"] if p.is_dir()]
    weights = ["--weights", *own] if own else []
    painters = {
        name: open_painter(trained(name, painting, photos, args.minutes, args.work, weights)) for name in args.recipes
    }
    judges = {"lite": load_encoder("lite")}
    if own:
        judges["vgg19"] = load_encoder("vgg19-caffe", weights=own[0])
    style = scaled(read_image(painting).pixels, 512)
    rows: list[dict[str, Any]] = []
    shown: list[list[Tensor]] = []
    before = earlier(RESULT, painting=painting.name, minutes=args.minutes, size=args.size)
    for path in held:
        row, pictures = judged(path, painters, judges, style, args.size, args.steps)
        rows.append(before.get(path.name, {}) | row)
        shown.append(pictures)
        print(row, flush=True)
    manners = [*OPTIMIZATIONS, *(name for name in (*RECIPES, "refined") if all(name in row for row in rows))]
    if args.sheet:
        size = max(shown[0][0].shape[-2:])
        square = [[middle(p, size * 5 // 8) for p in row] for row in shown[:6]]
        refined = ["refined"] if "impasto" in args.recipes else []
        names = ["photograph", *OPTIMIZATIONS, *args.recipes, *refined]
        write_image(args.sheet, sheet(square, [r["photo"] for r in rows[:6]], names))
    result = {"painting": painting.name, "minutes": args.minutes, "photos": len(held), "size": args.size}
    result |= {"steps": args.steps, "mean": means(rows, manners, judges), "rows": rows}
    write(RESULT, result)


if __name__ == "__main__":
    main()
