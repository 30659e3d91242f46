"""What the classic methods of textures cost, and how well they do: `impasto.methods.patches`.

    python benchmarks/classic.py                 # all, into results/classic.json
    python benchmarks/classic.py --only quilting

Samples are scikit-image's (gravel, brick, grass: CC0). CPU seconds of one thread. The plain loop of Efros and Leung is
measured in the same run, on a part of the texture of the same sample, whose pixels must be the same ones; the time of a
whole one is that of its pixels, as all are compared with as many windows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F
from classic_plain import efros_leung as plain
from common import write
from skimage import data
from torch import Tensor

from impasto.media import pictures_in, read_image
from impasto.methods.patches.methods import SYNTHESIZE
from impasto.methods.patches.settings import PatchSettings
from impasto.methods.patches.synthesis import Synthesis
from impasto.methods.patches.wei_levoy import SEARCHES, Exhaustive, Tree

RESULT = Path(__file__).parent / "results" / "classic.json"
SAMPLES: dict[str, Callable[[], Any]] = {"gravel": data.gravel, "brick": data.brick, "grass": data.grass}
METHODS = ("efros-leung", "wei-levoy", "quilting")


def sample(name: str, side: int) -> Tensor:
    """A picture `(1, 3, side, side)` of every second pixel, in color."""
    gray = torch.from_numpy(SAMPLES[name]()[: 2 * side : 2, : 2 * side : 2].copy()).float() / 255
    return torch.stack([gray, gray.square(), gray.sqrt()])[None]


def made(method: str, picture: Tensor, side: int, **options: Any) -> tuple[Synthesis, float]:
    """A texture, and CPU seconds."""
    tileable, seed = options.pop("tileable", False), options.pop("seed", 0)
    began = time.process_time()
    found = SYNTHESIZE[method](picture, (side, side), PatchSettings(**options), seed=seed, tileable=tileable)
    return found, time.process_time() - began


def efros_leung(part: int = 40) -> dict[str, Any]:
    """Against the plain loop; and 256 of 128."""
    picture = sample("gravel", 64)
    small, _ = made("efros-leung", picture, part, window=11)
    began = time.process_time()
    _, source = plain(picture[0].movedim(0, -1).numpy(), (part, part), 11, 0.1, 0.3, 0, False)
    loop = (time.process_time() - began) * 128**2 / part**2
    _, ours = made("efros-leung", picture, 128, window=11)
    _, large = made("efros-leung", sample("gravel", 128), 256, window=11)
    equal = bool(np.array_equal(small.source.numpy(), source))
    return {"plain_s": loop, "s": ours, "times": loop / ours, "equal_pixels": equal, "of_128_to_256_s": large}


class Both(Tree):
    """The tree, which tells the errors of its matches and of the nearest ones for every twentieth line."""

    errors = np.zeros(2)

    def __init__(self, vectors: Any) -> None:
        super().__init__(vectors)
        self.nearest, self.lines = Exhaustive(vectors), 0

    def __call__(self, wanted: Any) -> Any:
        found, self.lines = super().__call__(wanted), self.lines + 1
        if self.lines % 20 == 0:
            places = found, self.nearest(wanted)
            Both.errors += [((self.vectors[place] - wanted) ** 2).sum() for place in places]
        return found


def wei_levoy() -> dict[str, Any]:
    """The tree against all neighborhoods: seconds, and the mean error of matches for the same neighborhoods."""
    found: dict[str, Any] = {}
    for name in SAMPLES:
        picture = sample(name, 256)
        runs = [[made("wei-levoy", picture, 256, window=7, search=s)[1] for s in SEARCHES] for _ in range(2)]
        quick, slow = np.min(runs, 0)  # in turn, as others use the machine, too
        Both.errors[:] = 0
        with mock.patch.dict(SEARCHES, tree=Both):
            made("wei-levoy", picture, 256, window=7)
        ratio = float(Both.errors[0] / Both.errors[1])
        found[name] = {"exhaustive_s": slow, "tree_s": quick, "times": slow / quick, "error_ratio": ratio}
    return found


def quilting() -> dict[str, Any]:
    """1024 of 256, in a process of its own for its memory (not `ru_maxrss`, which begins with that of the parent)."""
    if "--inside" not in sys.argv:
        words = [sys.executable, __file__, "--only", "quilting", "--inside"]
        found: dict[str, Any] = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
        return found
    _, seconds = made("quilting", sample("gravel", 256), 1024)
    (peak,) = (line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    return {"s": seconds, "mb": int(peak) * 1024 / 1e6}


def looks() -> dict[str, Any]:
    """Steps over edges of tiles by those inside, and the largest part of a texture with one offset in the sample."""
    found: dict[str, Any] = {}
    for method in METHODS:
        rows = {name: _look(method, partial(sample, name), range(2)) for name in SAMPLES}
        found[method] = _together(rows)
    return found


def looks_of(folder: Path) -> dict[str, Any]:
    """The same of the pictures of a folder, each reduced to 128 pixels, a part of which is the sample."""
    found: dict[str, Any] = {}
    pictures = {p.stem: read_image(p).pixels for p in pictures_in(folder, recursive=False)}
    pictures = {n: F.interpolate(x, scale_factor=128 / min(x.shape[2:]), mode="area") for n, x in pictures.items()}
    for method in METHODS:
        rows = {
            n: _look(method, lambda side, x=x: x[..., :side, :side].contiguous(), (0,)) for n, x in pictures.items()
        }
        found[method] = _together(rows) | {"samples": rows}
        print(method, found[method], flush=True)
    return found


def _corner(picture: Tensor, side: int) -> Tensor:
    return picture[..., :side, :side].contiguous()


def _together(rows: dict[str, dict[str, float]]) -> dict[str, float]:
    edge, inside = (sum(r[k] for r in rows.values()) for k in ("edge", "inside"))
    return {"wrap_to_inside": edge / inside, "largest_copy": max(r["copy"] for r in rows.values())}


def _look(method: str, of: Callable[[int], Tensor], seeds: Iterable[int]) -> dict[str, float]:
    """Mean steps over edges of tiles and inside, of both directions, and the largest copy of any seed."""
    edge, inside, copied = 0.0, 0.0, 0.0
    for seed in seeds:
        pixels = made(method, of(64), 96, tileable=True, seed=seed, window=7)[0].pixels
        for dim in (2, 3):
            steps = (pixels - pixels.roll(-1, dim)).abs().mean([d for d in range(4) if d != dim])
            edge, inside = edge + float(steps[-1]), inside + float(steps[:-1].mean())
        source = made(method, of(64), 128, seed=seed, window=7)[0].source
        offsets = source - torch.stack(torch.meshgrid(torch.arange(128), torch.arange(128), indexing="ij"))
        counts = (1000 * offsets[0] + offsets[1]).unique(return_counts=True)[1]
        copied = max(copied, float(counts.max()) / 128**2)
    return {"edge": edge, "inside": inside, "copy": copied}


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "efros_leung": efros_leung,
    "wei_levoy": wei_levoy,
    "quilting": quilting,
    "looks": looks,
}


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--only", choices=PARTS)
    a.add_argument("--looks-of", type=Path, help="a folder of samples; only looks at theirs, into classic_samples.json")
    a.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = a.parse_args()
    torch.set_num_threads(1)
    if options.inside:
        print(json.dumps(quilting()))
        return
    if options.looks_of:
        write(RESULT.with_name("classic_samples.json"), looks_of(options.looks_of))
        return
    before = json.loads(RESULT.read_text()) if options.only and RESULT.exists() else {}
    found = {name: before.get(name) if options.only not in (None, name) else part() for name, part in PARTS.items()}
    write(RESULT, found)


if __name__ == "__main__":
    main()
