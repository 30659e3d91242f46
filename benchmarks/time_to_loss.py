"""How much sooner `stylize` reaches the loss at which the classic set-up arrives.

    python benchmarks/time_to_loss.py --shared ../shared [--size 512] [--steps 500] [--pairs 5] [--set history=20 …]

Classic, as in the programs of Gatys and of jcjohnson: torch.optim.LBFGS with lr 1 and a history of 100 on values from
0 to 255, 500 evaluations from the photograph or from noise, VGG-19 by plain PyTorch (`plain.py`). With `--clamp end`
values are brought back to their range when the picture is saved, as theirs; with `--clamp always` at each evaluation,
as in PyTorch's tutorial, which arrives at a lower loss. Its loss is multiplied by `SCALE`, as theirs are of that order:
with small ones torch's L-BFGS, whose test of curvature is absolute, stands still. Ours: the default settings with
VGG-19, in the precision that `auto` is here; and the same after 40 steps of `lite` (`warmed_up`), whose time counts.
The loss is the default objective at full size, in float32 by the plain network, of the picture that is saved.

The classic's loss needs all of its steps, its time does not: one evaluation in `--timed-every` is by the plain network
and timed, the others by ours, which has the same values to 1e-4. Its seconds are the median of those times the number
of evaluations, what the optimizer took in between, and the targets. Ours are by the clock, targets included.

Each pair is written when it is done; run again, the pairs that are there are not repeated.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from common import write
from plain import PlainVGG
from torch import Tensor

from impasto.features import Encoder, load_encoder, resolve_precision
from impasto.features.vgg import VGG
from impasto.media import read_image
from impasto.memory import keep_freed_memory
from impasto.methods.presets import quality
from impasto.methods.regions import scaled, whole
from impasto.methods.settings import StylizeSettings
from impasto.methods.stylize import content_term, stylize
from impasto.methods.targets import style_terms
from impasto.objective import Objective

PAIRS = (
    ("seed_figures/tubingen", "seed_figures/starry_night"),
    ("photos/100075", "paintings/candy"),
    ("photos/118035", "paintings/mosaic"),
    ("photos/161062", "paintings/la_muse"),
    ("photos/296007", "paintings/feathers"),
)
#: Of the classic loss: those programs' begin at 1e6 or more, our relative errors at 1 to 10.
SCALE = 1e6
#: Ways of ours -> steps of `lite` before those of VGG-19.
WAYS = {"ours": 0, "warmed_up": 40}


@dataclass(frozen=True)
class Pair:
    """A photograph and a painting, and the loss of both networks."""

    content: Tensor
    style: Tensor
    plain: Objective
    own: Objective
    seconds: float  # that the plain targets took


def prepare(photo: Path, painting: Path, vgg: VGG, plain: PlainVGG, settings: StylizeSettings) -> Pair:
    content, style = read_image(photo).pixels, read_image(painting).pixels
    began = time.perf_counter()
    first = objective(plain, content, style, settings)
    return Pair(content, style, first, objective(vgg, content, style, settings), time.perf_counter() - began)


def objective(encoder: Encoder, content: Tensor, style: Tensor, settings: StylizeSettings) -> Objective:
    """What `stylize` minimizes at full size."""
    picture = scaled(content, settings.size)
    kept = content_term(encoder, picture, settings.content_layers, settings.convention)
    terms = style_terms(encoder, whole(style), settings.size, settings)
    return Objective(encoder, [*terms, (settings.content_weight, kept)])


def classic(pair: Pair, start: str, size: int, steps: int, timed_every: int, clamp: bool) -> dict[str, Any]:
    """The loss of the classic set-up's picture, and its seconds."""
    picture = scaled(pair.content, size)
    mean = torch.tensor([123.68, 116.779, 103.939]).view(1, 3, 1, 1)
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(0))
    x = (picture * 255 - mean if start == "content" else noise).contiguous().requires_grad_()
    all_seconds: list[float] = []

    def closure() -> Tensor:
        began = time.perf_counter()
        timed = len(all_seconds) % timed_every == 0
        if clamp:
            x.data.copy_((x.data + mean).clamp_(0, 255) - mean)
        loss, _ = (pair.plain if timed else pair.own)((x + mean) / 255)
        x.grad = torch.autograd.grad(SCALE * loss, x)[0].contiguous()
        all_seconds.append(time.perf_counter() - began)
        return SCALE * loss.detach()

    optimizer = torch.optim.LBFGS(
        [x], lr=1, history_size=100, max_iter=steps, max_eval=steps, tolerance_grad=-1, tolerance_change=-1
    )
    began = time.perf_counter()
    optimizer.step(closure)  # type: ignore[no-untyped-call]
    between = time.perf_counter() - began - sum(all_seconds)
    timed = all_seconds[::timed_every]
    each = statistics.median(timed)
    with torch.no_grad():
        loss = pair.plain(((x + mean) / 255).clamp(0, 1))[0].item()
    return {"loss": loss, "seconds": pair.seconds + steps * each + between, "evaluation": each, "timed": len(timed)}


def ours(
    pair: Pair, encoder: Encoder, settings: StylizeSettings, losses: dict[str, float], most: int
) -> dict[str, Any]:
    """Seconds to each of the losses, None where it was not reached in `most` steps of the last scale."""
    chosen = settings.changed(steps=most, first_steps=settings.steps if len(settings.sizes()) > 1 else 0)
    found: dict[str, Any] = dict.fromkeys(losses)
    began, scoring = time.perf_counter(), 0.0
    warmup = load_encoder(chosen.warmup_encoder, precision=chosen.precision) if chosen.warms_up else None
    for step in stylize(encoder, pair.content, pair.style, chosen, warmup=warmup):
        now = time.perf_counter()
        for start, loss in losses.items():
            if found[start] is None and step.scale == step.scales and step.loss <= loss:
                with torch.no_grad():
                    scored = pair.plain(step.image())[0].item()
                if scored <= loss:
                    found[start] = {"seconds": now - began - scoring, "step": step.step, "loss": scored}
        scoring += time.perf_counter() - now
        if None not in found.values():
            break
    return found


def main() -> None:
    a = argparse.ArgumentParser()
    a.add_argument("--shared", type=Path, required=True)
    a.add_argument("--size", type=int, default=512)
    a.add_argument("--steps", type=int, default=500, help="of the classic set-up")
    a.add_argument("--most", type=int, default=500, help="steps of ours, in the last scale")
    a.add_argument("--timed-every", type=int, default=25)
    a.add_argument("--pairs", type=int, default=len(PAIRS))
    a.add_argument("--clamp", choices=("always", "end"), default="always")
    a.add_argument("--set", nargs="*", default=[], help="settings of ours as NAME=VALUE")
    a.add_argument("--out", type=Path)
    a = a.parse_args()
    out = a.out or Path(f"benchmarks/results/time_to_loss_{a.size}_{a.clamp}.json")
    keep_freed_memory()
    vgg = load_encoder("vgg19-caffe", weights=a.shared / "weights")
    assert isinstance(vgg, VGG)
    plain = PlainVGG(vgg)
    changes = {name: json.loads(value) for name, value in (item.split("=") for item in a.set)}
    precise = {"precision": resolve_precision()} | changes
    settings = quality("best").changed(size=a.size, encoder="vgg19-caffe").changed(**precise).resolved("vgg19-caffe")
    fast = load_encoder("vgg19-caffe", weights=a.shared / "weights", precision=settings.precision)
    about = {
        "size": a.size,
        "steps": a.steps,
        "clamp": a.clamp,
        "scale": SCALE,
        "settings": json.loads(json.dumps(settings.as_dict())),
    }
    before = json.loads(out.read_text()) if out.exists() else {}
    rows: dict[str, Any] = before.get("pairs", {}) if all(before.get(k) == v for k, v in about.items()) else {}
    for photo, painting in PAIRS[: a.pairs]:
        name = f"{Path(photo).name}-{Path(painting).name}"
        if name in rows:
            continue
        paths = [a.shared / "data" / f"{p}.jpg" for p in (photo, painting)]
        pair = prepare(*paths, vgg, plain, settings)
        row = {s: classic(pair, s, a.size, a.steps, a.timed_every, a.clamp == "always") for s in ("content", "noise")}
        losses = {s: r["loss"] for s, r in row.items()}
        reached = {
            way: ours(pair, fast, settings.changed(warmup_steps=steps), losses, a.most) for way, steps in WAYS.items()
        }
        rows[name] = row | reached
        write(out, about | {"times_sooner": {way: medians(rows, way) for way in WAYS}, "pairs": rows})


def medians(rows: dict[str, Any], way: str) -> dict[str, float]:
    """How many times sooner, by start; a loss that was not reached counts as 0 times."""
    return {
        start: statistics.median(
            row[start]["seconds"] / row[way][start]["seconds"] if row[way][start] else 0.0 for row in rows.values()
        )
        for start in ("content", "noise")
    }


if __name__ == "__main__":
    main()
