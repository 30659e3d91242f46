"""Whether the styles that `impasto.StyleAugment` draws are styles, and whether training with them helps.

    python benchmarks/augment.py [--draws 10000] [--seeds 5] [--paintings DIR …] [--sheet FILE]

Draws: how many of them give pictures that are not finite; and, with paintings, how far mean and deviation of what a
style says (colors, features) lie from those of their vectors. Training: a small network learns scikit-learn's digits
(painted on plain ground of random colors, 32×32), with random styles and without; its accuracy is told for digits as
they are, and under textures it never saw: bars, checks and stains behind and in front of the strokes, and styles of
held-out paintings where some are given.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from common import write
from torch import Tensor, nn

import impasto
from impasto.media import pictures_in, sheet, write_image
from impasto.networks.models import load_model
from impasto.training.photos import opened

SIDE, LEARNT, EPOCHS, BATCH = 32, 600, 16, 50
#: Parts of the vector that are compared with those of paintings.
COLORS = ("mean lightness", "mean red to blue", "mean green to magenta")


def draws(count: int, batch: int = 100) -> dict[str, int]:
    """Pictures in so many random styles, and how many are not finite."""
    transform, bad = impasto.StyleAugment(p=1, strength=(1, 1), seed=0), 0
    generator = torch.Generator().manual_seed(1)
    for _ in range(count // batch):
        made = transform(torch.rand(batch, 3, SIDE, SIDE, generator=generator))
        bad += int((~made.isfinite()).flatten(1).any(1).sum())
    return {"drawn": count // batch * batch, "not_finite": bad}


@torch.inference_mode()
def likeness(paintings: list[Path], count: int = 400) -> dict[str, Any]:
    """Mean and deviation of drawn styles beside those of paintings: of their colors, and of the features' energy."""
    model, random = load_model("any"), torch.Generator().manual_seed(2)
    real = torch.cat([model.generator.moments(opened(p, 512)[None]) for p in paintings[::4]])
    drawn = torch.cat([model.sample(random) for _ in range(count)])
    found: dict[str, Any] = {"paintings": len(real), "drawn": count}
    for name, vectors in (("of paintings", real), ("of draws", drawn)):
        free = model.generator.unbounded(vectors)
        colors = vectors[:, model.generator.colors][:, :3]
        found[name] = {
            **{n: [round(float(c.mean()), 3), round(float(c.std()), 3)] for n, c in zip(COLORS, colors.T, strict=True)},
            **{
                f"layer {i}": [round(float(part.mean()), 3), round(float(part.std(0).mean()), 3)]
                for i, part in enumerate(free[:, a:b] for a, b in model.generator.parts())
            },
        }
    return found


def show(file: Path, paintings: list[Path], photo: Path) -> None:
    """Forty draws, and beside them styles of paintings, all of one photograph."""
    picture = opened(photo, 256)[None]
    drawn = impasto.StyleAugment(p=1, strength=(1, 1), seed=3)(picture.expand(24, -1, -1, -1))
    model = load_model("any")
    real = [model(picture, model.predict(opened(p, 512)[None])) for p in paintings[:: len(paintings) // 24][:24]]
    rows = [[*drawn[i : i + 6].split(1)] for i in range(0, 24, 6)] + [real[i : i + 6] for i in range(0, 24, 6)]
    write_image(file, sheet(rows, ["drawn"] * 4 + ["paintings"] * 4, [""] * 6))


def digits() -> tuple[Tensor, Tensor]:
    """Strokes `(N, 1, 32, 32)` in [0, 1], and what they are."""
    from sklearn.datasets import load_digits

    data = load_digits()
    strokes = torch.from_numpy(data.images).float()[:, None] / 16
    return F.interpolate(strokes, SIDE, mode="bicubic").clamp(0, 1), torch.from_numpy(data.target)


def colored(strokes: Tensor, random: torch.Generator) -> Tensor:
    """On plain ground: `(N, 3, 32, 32)`, two random colors that differ in lightness."""
    count = len(strokes)
    ink, ground = torch.rand(2, count, 3, 1, 1, generator=random)
    light = torch.rand(count, 1, 1, 1, generator=random) < 0.5
    ground = torch.where(light, 0.6 + 0.4 * ground, 0.4 * ground)
    ink = torch.where(light, 0.4 * ink, 0.6 + 0.4 * ink)
    return torch.lerp(ground.expand(-1, -1, SIDE, SIDE), ink.expand(-1, -1, SIDE, SIDE), strokes)


def textured(pictures: Tensor, kind: str, random: torch.Generator) -> Tensor:
    """Pictures with a texture that no training saw."""
    count = len(pictures)
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    turn, step = torch.rand(2, count, 1, 1, generator=random)
    turn, period = turn * np.pi, 4 + 6 * step
    u, v = x * turn.cos() + y * turn.sin(), y * turn.cos() - x * turn.sin()
    if kind == "bars":
        pattern = (u * 2 * np.pi / period).sin().sign()
    elif kind == "checks":
        pattern = ((u * 2 * np.pi / period).sin() * (v * 2 * np.pi / period).sin()).sign()
    else:
        pattern = F.interpolate(torch.randn(count, 1, 8, 8, generator=random), SIDE, mode="bicubic")[:, 0]
    tint = torch.rand(count, 3, 1, 1, generator=random) - 0.5
    return (pictures + (0.25 + 0.5 * tint) * pattern[:, None]).clamp(0, 1)


def network() -> nn.Sequential:
    def block(inward: int, outward: int) -> list[nn.Module]:
        return [nn.Conv2d(inward, outward, 3, padding=1), nn.BatchNorm2d(outward), nn.ReLU(), nn.MaxPool2d(2)]

    return nn.Sequential(*block(3, 16), *block(16, 32), *block(32, 64), nn.Flatten(), nn.Linear(64 * 16, 10))


def trained(strokes: Tensor, labels: Tensor, seed: int, transform: impasto.StyleAugment | None) -> nn.Module:
    random = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    model = network()
    steps = EPOCHS * (len(strokes) // BATCH)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(strokes), generator=random).split(BATCH)[: len(strokes) // BATCH]:
            pictures = colored(strokes[chosen], random)
            pictures = pictures if transform is None else transform(pictures)
            loss = F.cross_entropy(model(pictures), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


@torch.inference_mode()
def accuracy(model: nn.Module, pictures: Tensor, labels: Tensor) -> float:
    return float((model(pictures).argmax(1) == labels).float().mean())


def compared(seed: int, held_out: Path | None) -> dict[str, dict[str, float]]:
    """Accuracies with and without random styles, by kind of test picture."""
    strokes, labels = digits()
    order = torch.randperm(len(strokes), generator=torch.Generator().manual_seed(seed))
    learn, test = order[:LEARNT], order[LEARNT:]
    random = torch.Generator().manual_seed(1000 + seed)
    plain = colored(strokes[test], random)
    tests = {"plain": plain} | {kind: textured(plain, kind, random) for kind in ("bars", "checks", "stains")}
    if held_out is not None:
        tests["painted"] = impasto.StyleAugment(p=1, strength=(1, 1), styles=held_out, seed=seed)(plain)
    found = {}
    for name, transform in (("without", None), ("with", impasto.StyleAugment(p=0.5, seed=seed))):
        model = trained(strokes[learn], labels[learn], seed, transform)
        found[name] = {kind: round(accuracy(model, x, labels[test]), 4) for kind, x in tests.items()}
    print(seed, found, flush=True)
    return found


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--draws", type=int, default=10000, help="0: those of before are kept")
    a.add_argument("--seeds", type=int, default=5)
    a.add_argument("--paintings", type=Path, nargs="*", default=[], help="folders, for the distribution")
    a.add_argument("--held-out", type=Path, help="a folder of paintings for test pictures")
    a.add_argument("--sheet", type=Path)
    a.add_argument("--photo", type=Path, help="of the sheet")
    args = a.parse_args()
    out = Path(__file__).parent / "results" / "augment.json"
    result: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {}
    if args.draws:
        result["draws"] = draws(args.draws)
        write(out, result)
    paintings = [Path(p) for folder in args.paintings for p in pictures_in(folder, recursive=True)]
    if paintings:
        result["likeness"] = likeness(paintings)
        write(out, result)
    if args.sheet:
        show(args.sheet, paintings, args.photo)
    rows = [compared(seed, args.held_out) for seed in range(args.seeds)]
    for name in ("without", "with") if rows else ():
        kinds = rows[0][name]
        result[name] = {
            k: [round(f([r[name][k] for r in rows]), 4) for f in (statistics.fmean, statistics.pstdev)] for k in kinds
        }
    write(
        Path(__file__).parent / "results" / "augment.json", result | {"learnt": LEARNT, "epochs": EPOCHS, "seeds": rows}
    )


if __name__ == "__main__":
    main()
