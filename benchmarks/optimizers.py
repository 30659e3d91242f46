"""Muon beside Adam: the same network and batches, the loss on held-out photographs after so many steps.

    python benchmarks/optimizers.py --shared ../shared [--steps 200]

The fast network learns one painting (Starry Night) from nothing, from the features of `lite`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from common import write

from impasto.features import load_encoder
from impasto.media import pictures_in
from impasto.training.loop import TrainSettings, train
from impasto.training.loss import LossSettings
from impasto.training.recipes import Material, apart, styles_recipe

RATES = {"adam": (0.0005, 0.001, 0.003), "muon": (0.001, 0.003, 0.006)}
NETWORK = {"width": 32, "deep": 64, "blocks": 3, "rank": 0, "fine": 16}


def curve(material: Material, painting: Path, optimizer: str, rate: float, steps: int) -> list[float]:
    """Held-out losses, four times on the way."""
    recipe = styles_recipe([painting], material, options=NETWORK)
    settings = TrainSettings(
        steps=steps, optimizer=optimizer, rate=rate, warmup=20, average=0.98, look_every=max(1, steps // 4)
    )
    return [round(s.held_out["loss"], 4) for s in train(recipe.task, settings) if s.held_out]


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--shared", type=Path, default=Path("../shared"))
    a.add_argument("--steps", type=int, default=200)
    a.add_argument("--side", type=int, default=128)
    args = a.parse_args()
    painting = next((args.shared / "data" / "seed_figures").glob("starry_night.*"))
    photos, held = apart(pictures_in(args.shared / "data" / "photos", recursive=True))
    material = Material(photos, held, load_encoder("lite"), LossSettings(), side=args.side)
    found: dict[str, list[float]] = {}
    for optimizer, rates in RATES.items():
        for rate in rates:
            found[f"{optimizer} {rate:g}"] = curve(material, painting, optimizer, rate, args.steps)
            print(optimizer, rate, found[f"{optimizer} {rate:g}"], flush=True)
    result = {"painting": painting.name, "steps": args.steps, "side": args.side, "held_out_loss": found}
    write(Path(__file__).parent / "results" / "optimizers.json", result)


if __name__ == "__main__":
    main()
