"""A sitting of `any` under the conditions of use: whole photographs at about 512 pixels, like whole paintings.

    python tools/finish_any.py OUT.safetensors --photos DIR … --paintings DIR … --teacher DIR --minutes 95

One pair a step, compared by VGG-19, in bfloat16 where the processor has it. It begins with the packaged `any` (or
`--body FILE`), to which a prediction of styles is added if it has none, and goes on where it was cut. Pictures of the
yardstick (`make_models.YARDSTICK`) and every twentieth painting of the last folder are kept out of the training.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from impasto.features import load_encoder, resolve_precision
from impasto.media import read_image
from impasto.networks.models import Model, distribution, load_model, save_model
from impasto.networks.quarter import Quarter
from impasto.networks.styled import AnyStyle
from impasto.pictures.resample import lanczos
from impasto.training import loop
from impasto.training.anystyle import AnyStyleTask, Painting, mirrored, random_style
from impasto.training.loss import LossSettings
from impasto.training.painting import PaintedBatch
from impasto.training.photos import opened, random_shift, tried
from impasto.training.settings import TrainSettings
from make_models import YARDSTICK

#: Steps that share a painting, about: to measure one takes a third of a step.
REUSE = 3
#: Of a photograph and of a painting as the content.
SHARES = (0.85, 0.15)


def pictures(folders: Sequence[Path]) -> list[Path]:
    found = [p for folder in folders for p in sorted(folder.rglob("*"))]
    return [p for p in found if p.suffix.lower() in (".jpg", ".jpeg", ".png") and p.name not in YARDSTICK]


def judges(paintings: Sequence[Path]) -> list[Path]:
    """Those of a folder that are kept apart."""
    return list(paintings[7::20])


class WholePictures(AnyStyleTask):
    """One photograph and one painting a step, neither cut."""

    def batch(self, number: int) -> PaintedBatch:
        if number < 0:
            apart = self.apart
            content = opened(apart[(-number * 5) % len(apart)], 512)[None]
            content = content[..., : content.shape[2] // 16 * 16, : content.shape[3] // 16 * 16]
            style = self.style(number)
        else:
            content = self.content(number)
            rng = np.random.default_rng([self.seed, 1, number])
            first = number // REUSE
            for old in [i for i in self._known if 0 <= i < first]:
                del self._known[old]
            style = self.style(first + int(rng.integers(0, self.window)))
        return PaintedBatch(content, style.pixels, style.targets, random_shift(self.seed, number))

    def content(self, number: int) -> Tensor:
        rng = np.random.default_rng([self.seed, 7, number])
        kinds = (self.contents, self.paintings)

        def draw() -> Tensor:
            kind = kinds[int(rng.choice(2, p=SHARES))]
            return read_image(kind[int(rng.integers(len(kind)))]).pixels

        x = tried(draw)
        side = 512 * math.exp(rng.uniform(math.log(0.8), math.log(1.1)))
        height, width = (max(160, int(n * side / max(x.shape[2:])) // 16 * 16) for n in x.shape[2:])
        x = lanczos(x, (height, width))
        return x.flip(3) if rng.random() < 0.5 else x

    def style(self, number: int) -> Painting:
        if number not in self._known:
            if number >= 0:
                rng = np.random.default_rng([self.seed, 2, number])
                painting = tried(lambda: random_style(self.paintings, rng))
            else:
                painting = opened(self.paintings_apart[(-number) % len(self.paintings_apart)], 512)
            painting = mirrored(painting, 128)[None]
            self._known[number] = Painting(painting, self.loss.measured(self.encoder, painting))
        return self._known[number]


@torch.no_grad()
def with_prediction(network: Quarter, styles: Sequence[Path], hidden: int, rank: int, seed: int) -> Quarter:
    """`network`, with a prediction of styles whose code is that of random ones, if it has none."""
    if network.prediction is not None or not hidden:
        return network
    torch.manual_seed(seed)
    network = network.grown(rank=rank, prediction=hidden).eval()
    rng = np.random.default_rng([seed, 3])
    network.fit_prediction([mirrored(tried(lambda: random_style(styles, rng)), 128)[None] for _ in range(400)])
    return network


def arguments() -> argparse.Namespace:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("out", type=Path)
    a.add_argument("--photos", type=Path, nargs="+", required=True)
    a.add_argument("--paintings", type=Path, nargs="+", required=True)
    a.add_argument("--teacher", type=Path, required=True, help="folder of VGG-19's weights")
    a.add_argument("--body", default="any")
    a.add_argument("--minutes", type=float, default=95.0)
    a.add_argument("--style-weight", type=float, default=6.0)
    a.add_argument("--rate", type=float, default=5e-4)
    a.add_argument("--prediction", type=int, default=64, help="hidden units; 0 for none")
    a.add_argument("--rank", type=int, default=16, help="of the mixings that are predicted, too")
    a.add_argument("--seed", type=int, default=51)
    return a.parse_args()


def main() -> None:
    args = arguments()
    torch.set_num_threads(1)
    precision = resolve_precision()
    encoder = load_encoder("vgg19-caffe", weights=args.teacher, precision=precision)
    encoder.requires_grad_(False)
    photos = pictures(args.photos)
    judged = judges(pictures(args.paintings[-1:]))
    paintings = [p for p in pictures(args.paintings) if p not in judged]
    styles = [*paintings] * 3 + photos[::2]
    body = load_model(args.body).generator
    assert isinstance(body, Quarter)
    network = with_prediction(body, styles, args.prediction, args.rank, args.seed)
    network.train().requires_grad_()
    loss = LossSettings(style_weight=args.style_weight, soft=True)
    apart = (photos[::20], judged)
    task = WholePictures(AnyStyle(network), photos, styles, apart, encoder, loss, batch=1, window=30, seed=args.seed)
    task.contents, task.apart = [p for i, p in enumerate(photos) if i % 20], photos[::20]
    settings = TrainSettings(
        steps=100_000, minutes=args.minutes, rate=args.rate, average=0.997, precision=precision, seed=args.seed,
        held_out_batches=12, look_every=200, save_every=50, warmup=100,
    )  # fmt: skip
    identity = {"style_weight": args.style_weight}
    curve, sums, count = [], dict[str, float](), 0
    checkpoint = args.out.with_suffix(".checkpoint.pt")
    for step in loop.train(task, settings, checkpoint=checkpoint, identity=identity):
        sums, count = {k: sums.get(k, 0.0) + v for k, v in step.losses.items()}, count + 1
        if step.held_out or step.step % 50 == 0:
            mean = {k: round(v / count, 4) for k, v in sums.items()}
            curve.append(
                {"step": step.step, "seconds": round(step.seconds, 1), "mean": mean, "held_out": step.held_out}
            )
            print(json.dumps(curve[-1]), flush=True)
            sums, count = {}, 0
    save_model(finished(task, paintings, args, curve), args.out)


@torch.no_grad()
def finished(task: WholePictures, paintings: Sequence[Path], args: argparse.Namespace, curve: list) -> Model:
    network = task.network.generator.eval()
    vectors = torch.cat([network.moments(opened(p, 512)[None]) for p in paintings])
    model = Model("quarter", network, any_style=True, distribution=distribution(network, vectors))
    kept = ("minutes", "rate", "style_weight", "prediction", "rank", "seed")
    model.about = load_model("any").about | {"sitting": {k: getattr(args, k) for k in kept}}
    about = model.about["sitting"] | {"steps": curve[-1]["step"], "seconds": curve[-1]["seconds"], "curve": curve}
    args.out.with_suffix(".json").write_text(json.dumps(about, indent=1))
    return model


if __name__ == "__main__":
    main()
