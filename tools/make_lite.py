"""Make the packaged encoder `lite`: distil VGG-19 into a narrow network. Resumable; see `make lite`.

    python tools/make_lite.py --photos DIR --paintings DIR --teacher vgg19.safetensors

1. The student starts from layer-by-layer least squares: each of its channels imitates one of the teacher's, chosen
   so that together they span the teacher's map best (pivoted Cholesky of the second moments).
2. Student and lifts are trained jointly on relative squared error of maps and of Gram matrices (Muon on whitened
   weights, cosine schedule), on crops of photographs and paintings, noise and mixtures, never the same twice, and on
   half-stylized pictures that the student itself has optimized lately (`OWN` of each batch): where it can be fooled,
   it is shown what the teacher sees.
3. The lifts of all layers are fitted once more by least squares, turned into projections (see
   `impasto.features.lite`), and written as safetensors, convolutions in int8 and the rest in fp16, with the held-out
   errors in the metadata.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from impasto.canvas import Pixels
from impasto.features import load_encoder, resolve_precision
from impasto.features.lite import LITE_LAYERS, LITE_WIDTHS, lite_network, unpacked
from impasto.features.profile import JITTERED
from impasto.features.variants import VGG19_WIDTHS
from impasto.features.vgg import VGG
from impasto.optimize import Adam, Goal, Stage, minimize
from impasto.optimize.moving import jittered
from impasto.pictures.displacement import Displacement, mirrored
from impasto.training.muon import Muon

CROP = 128
#: The layers that are trained on, and how much each counts.
TAPS = {"relu1_1": 0.5, "relu2_1": 1.0, "relu3_1": 1.5, "relu4_1": 3.0, "relu4_2": 1.0, "relu5_1": 5.0}
GRAM_WEIGHT = 1.0
#: Where the student reads a content when it makes pictures of its own.
KEEPING = ("relu4_1", "relu4_2")
#: Of the student's own pictures: how many of a batch, how many are kept, and every how many steps how many are made.
OWN, KEPT, EVERY, MADE = 3, 256, 40, 16


# ---- the form of a file --------------------------------------------------------------------------------------------


def projection(lift: Tensor) -> Tensor:
    """`s R` of a lift `L = Q R`: the `(C, C)` matrix that `lite` multiplies a map with.

    Args:
        lift: `(C_t, C)` with `C ≤ C_t`, which predicts the teacher's map from the student's.
    """
    teacher_channels, channels = lift.shape
    r: Tensor = torch.linalg.qr(lift.double()).R
    scale = float(channels / teacher_channels) ** 0.5
    scaled: Tensor = (scale * r).to(lift.dtype)
    return scaled


def packed(matrix: Tensor) -> Tensor:
    """The upper triangle of `(C, C)`, row by row: all of a projection, whose other half is zeros."""
    rows, columns = torch.triu_indices(*matrix.shape)
    return matrix[rows, columns]


def rounded(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Weights of a convolution in 8 bits, and the step of each channel that it makes, `(C',)`; see `unpacked`."""
    step = weight.flatten(1).abs().amax(1).clamp_min(1e-12) / 127
    return (weight / step.view(-1, 1, 1, 1)).round().to(torch.int8), step


def teacher_channels(layer: str) -> int:
    """Channels of VGG-19's map of that name, such as 512 for `relu4_1`."""
    block, index = layer.removeprefix("relu").split("_")
    return VGG19_WIDTHS[int(block) - 1][int(index) - 1]


# ---- pictures ------------------------------------------------------------------------------------------------------


def split(folders: list[Path]) -> tuple[list[Path], list[Path]]:
    """Files to train on, and one in ten held out (by position in the sorted list, so always the same)."""
    files = sorted(p for f in folders for p in f.rglob("*") if p.suffix.lower() in {".jpg", ".jpeg", ".png"})
    return [p for i, p in enumerate(files) if i % 10], files[::10]


def crop(path: Path, rng: np.random.Generator) -> Tensor:
    """A random `(3, CROP, CROP)` cut of a picture at a random scale, flipped half of the time."""
    image = Image.open(path).convert("RGB")
    short = math.exp(rng.uniform(math.log(CROP * 1.05), math.log(512)))
    ratio = short / min(image.size)
    image = image.resize(
        (max(CROP, round(image.width * ratio)), max(CROP, round(image.height * ratio))), Image.Resampling.LANCZOS
    )
    left, top = (int(rng.integers(0, side - CROP + 1)) for side in image.size)
    pixels = np.asarray(image.crop((left, top, left + CROP, top + CROP)), dtype=np.float32) / 255
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


def noise(rng: np.random.Generator) -> Tensor:
    """Colored noise of a random grain and contrast around a random color, `(3, CROP, CROP)`."""
    side = int(rng.choice([CROP, CROP // 2, CROP // 4, CROP // 16]))
    grain = torch.from_numpy(rng.normal(size=(1, 3, side, side)).astype(np.float32))
    grain = F.interpolate(grain, size=(CROP, CROP), mode="bicubic")[0]
    color = torch.from_numpy(rng.uniform(0.2, 0.8, size=(3, 1, 1)).astype(np.float32))
    return (color + grain * rng.uniform(0.03, 0.4)).clamp(0, 1)


def pictures(photos: list[Path], paintings: list[Path], count: int, seed: int) -> Tensor:
    """`(count, 3, CROP, CROP)`: photographs, paintings, noise, and mixtures of them."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        kind = rng.random()
        x = crop(photos[rng.integers(len(photos))] if kind < 0.5 else paintings[rng.integers(len(paintings))], rng)
        if kind > 0.95:
            x = noise(rng)
        elif kind > 0.85:
            x = (x + (noise(rng) - 0.5) * rng.uniform(0.2, 1.0)).clamp(0, 1)
        found.append(x)
    return torch.stack(found)


# ---- least squares -------------------------------------------------------------------------------------------------


def spanning_channels(moment: Tensor, count: int) -> Tensor:
    """The `count` channels whose linear span leaves least of the others unexplained (pivoted Cholesky, greedy).

    Args:
        moment: `(C, C)` second moments of the channels.
    """
    rest = moment.double().clone()
    chosen: list[int] = []
    for _ in range(min(count, len(moment))):
        gain = rest.square().sum(1) / rest.diagonal().clamp_min(1e-12)
        gain[chosen] = -1
        pivot = int(gain.argmax())
        chosen.append(pivot)
        rest = rest - torch.outer(rest[:, pivot], rest[pivot]) / rest[pivot, pivot].clamp_min(1e-12)
    return torch.tensor(chosen, dtype=torch.long)


class LeastSquares:
    """Streaming linear regression `y ≈ W x`, with a small ridge."""

    def __init__(self) -> None:
        self.xx: Tensor | float = 0.0
        self.xy: Tensor | float = 0.0

    def add(self, x: Tensor, y: Tensor) -> None:
        """Rows: `x` is `(n, inputs)`, `y` is `(n, outputs)`."""
        self.xx = self.xx + (x.T @ x).double()
        self.xy = self.xy + (x.T @ y).double()

    def solve(self, ridge: float = 1e-4) -> Tensor:
        """`W` of shape `(outputs, inputs)`."""
        assert isinstance(self.xx, Tensor)
        n = len(self.xx)
        return torch.linalg.solve(self.xx + ridge * self.xx.trace() / n * torch.eye(n).double(), self.xy).T.float()


def positions(maps: Tensor, limit: int = 400) -> Tensor:
    """`(B, C, H, W)` to rows `(n, C)`: at most `limit` evenly spaced positions of each image."""
    rows = maps.flatten(2).transpose(1, 2)
    stride = max(1, rows.shape[1] // limit)
    return rows[:, ::stride].reshape(-1, maps.shape[1])


class Whitened(nn.Module):
    """A 3×3 convolution whose weights are learnt in the coordinates in which its inputs are uncorrelated.

    The inputs of a layer are positive and alike, so that one step of Adam on plain weights, lr in each, adds up to a
    change of hundreds of lr in the output; the least-squares start is lost in a few steps. `W = V (X + λ)^{-½}`, with
    `X` the second moments of input patches and a constant 1 at the start, makes `V` safe to step in.

    Args:
        moments: `X`, `(9 C + 1, 9 C + 1)`; the last row is of the constant.
        weights: the start, `(C', 9 C + 1)`.
    """

    root: Tensor

    def __init__(self, moments: Tensor, weights: Tensor) -> None:
        super().__init__()
        values, vectors = torch.linalg.eigh(moments.double())
        values = (values.clamp_min(0) + 1e-3 * values.mean()).sqrt()
        self.register_buffer("root", (vectors / values @ vectors.T).float())
        self.v = nn.Parameter((weights.double() @ (vectors * values) @ vectors.T).float())

    def weights(self) -> Tensor:
        with torch.autocast(self.v.device.type, enabled=False):  # the root's digits are needed
            return self.v @ self.root

    def forward(self, x: Tensor) -> Tensor:
        w = self.weights()
        return F.conv2d(x, w[:, :-1].view(len(w), -1, 3, 3), w[:, -1], padding=1)

    @torch.no_grad()
    def convolution(self) -> nn.Conv2d:
        """The same as a plain convolution."""
        w = self.weights()
        conv = nn.Conv2d((w.shape[1] - 1) // 9, len(w), 3, padding=1)
        conv.weight.copy_(w[:, :-1].view_as(conv.weight))
        conv.bias.copy_(w[:, -1])  # type: ignore[union-attr]
        return conv


def begun(path: Path) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """`(C', 9 C + 1)` weights by convolution of a packaged file or a checkpoint, and what else a checkpoint has that
    another training can use."""
    if path.suffix == ".safetensors":
        file = unpacked(load_file(path))
        names = [key.split(".")[1] for key in file if key.endswith(".weight")]
        parts = {n: (file[f"convs.{n}.weight"].flatten(1), file[f"convs.{n}.bias"][:, None]) for n in names}
        return {n: torch.cat(pair, 1) for n, pair in parts.items()}, {}
    saved = torch.load(path, weights_only=True)
    model = saved["model"]
    names = [key.split(".")[2] for key in model if key.endswith(".root")]
    weights = {n: model[f"student.convs.{n}.v"] @ model[f"student.convs.{n}.root"] for n in names}
    return weights, {name: value for name, value in saved.items() if name == "own"}


def padded(weights: Tensor, inputs: int) -> Tensor:
    """`(C', 9 C + 1)` weights of a convolution for more input channels, which count nothing; `inputs` in all."""
    added = weights.new_zeros(len(weights), inputs - weights.shape[1])
    return torch.cat([weights[:, :-1], added, weights[:, -1:]], 1)


def unexplained(theirs: Tensor, ours: Tensor) -> Tensor:
    """Second moments `(C_t, C_t)` of what is left of rows `theirs` after regression on rows `ours`."""
    theirs, ours = theirs.double(), ours.double()
    between = ours.T @ theirs
    inner = ours.T @ ours
    inner += 1e-6 * inner.diagonal().mean() * torch.eye(len(inner))
    return theirs.T @ theirs - between.T @ torch.linalg.solve(inner, between)


@torch.no_grad()
def start_from_least_squares(
    student: VGG, teacher: VGG, images: Tensor, trained: Mapping[str, Tensor] | None = None
) -> None:
    """Give the student whitened weights with which each channel imitates one of the teacher's, layer after layer.

    Args:
        student: gets the weights.
        teacher: VGG-19.
        images: to regress on.
        trained: weights `(C', 9 C + 1)` by convolution of a network that has been trained, as wide or narrower. Its
            channels stay as they are and come first; those that are added imitate what they explain least.
    """
    trained = trained or {}
    batches = images.split(16)
    inputs = [(x - student.mean) / student.std for x in batches]
    for name, conv in list(student.convs.items()):
        assert isinstance(conv, nn.Conv2d)
        relu = name.replace("conv", "relu")
        targets = [teacher(x, [name])[name] for x in batches]
        rows = torch.cat([positions(t) for t in targets])
        patches = [
            F.pad(positions(F.unfold(x, 3, padding=1).unflatten(2, x.shape[2:])), (0, 1), value=1.0) for x in inputs
        ]
        kept = padded(trained[name], patches[0].shape[1]) if name in trained else torch.zeros(0, patches[0].shape[1])
        moment = unexplained(rows.relu(), torch.cat([(p @ kept.T).relu() for p in patches]))
        chosen = spanning_channels(moment, conv.out_channels - len(kept))
        fit = LeastSquares()
        for p, t in zip(patches, targets, strict=True):
            fit.add(p, positions(t)[:, chosen])
        w = fit.solve()
        scale = rows[:, chosen].relu().square().mean(0).sqrt().clamp_min(1e-6)
        w = w / scale[:, None]  # channels of unit size, whatever the teacher's scale
        assert isinstance(fit.xx, Tensor)
        student.convs[name] = layer = Whitened(fit.xx / len(rows), torch.cat([kept, w]))
        inputs = [F.relu(layer(x)) for x in inputs]
        if student.layers[student.layers.index(relu) + 1].startswith("pool"):
            inputs = [F.max_pool2d(x, 2) for x in inputs]
        print(f"start: {name} done", flush=True)


@torch.no_grad()
def fit_lifts(student: VGG, teacher: VGG, images: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]:
    """The lift `(C_t, C)` of each layer by least squares."""
    fits = {name: LeastSquares() for name in layers}
    for x in images.split(16):
        ours, theirs = student(x, layers), teacher(x, layers)
        for name, fit in fits.items():
            fit.add(positions(ours[name], 1024), positions(theirs[name], 1024))
    return {name: fit.solve(1e-5) for name, fit in fits.items()}


# ---- training ------------------------------------------------------------------------------------------------------


def gram(maps: Tensor) -> Tensor:
    rows = maps.flatten(2)
    return rows @ rows.transpose(1, 2) / rows.shape[2]


def errors(maps: Tensor, lift: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Relative squared error of the lifted map (over the batch) and of its Gram matrix (mean over images).

    Where positions outnumber channels, both follow from second moments, and the lifted map, as large as the teacher's,
    is never made: `‖L f − t‖² = tr(L f fᵀ Lᵀ) − 2 tr(t fᵀ Lᵀ) + tr(t tᵀ)`.

    Args:
        maps: the student's, `(B, C, H, W)`.
        lift: `(C_t, C)`.
        target: the teacher's map, `(B, C_t, H, W)`.
    """
    ours, theirs = maps.float().flatten(2), target.float().flatten(2)
    wanted = theirs @ theirs.transpose(1, 2)
    energy = wanted.diagonal(dim1=1, dim2=2).sum()
    if ours.shape[2] > len(lift):
        half = lift @ (ours @ ours.transpose(1, 2))
        between = theirs @ ours.transpose(1, 2)
        error, found = (half * lift).sum() - 2 * (between * lift).sum() + energy, half @ lift.T
    else:
        lifted = lift @ ours
        error, found = F.mse_loss(lifted, theirs, reduction="sum"), lifted @ lifted.transpose(1, 2)
    return error / energy, unlike(found, wanted).mean()


class Distillation(nn.Module):
    """Student and lifts, trained together."""

    def __init__(self) -> None:
        super().__init__()
        self.student = lite_network(projected=False)
        self.student.precision = resolve_precision()
        self.lifts = nn.ParameterDict(
            {
                name: nn.Parameter(torch.zeros(teacher_channels(name), LITE_WIDTHS[int(name[4]) - 1][int(name[6]) - 1]))
                for name in TAPS
            }
        )

    def shape_like(self, state: Mapping[str, Tensor]) -> None:
        """Give the student whitened convolutions, to be filled from a checkpoint."""
        for name in self.student.convs:
            v, root = state[f"student.convs.{name}.v"], state[f"student.convs.{name}.root"]
            self.student.convs[name] = Whitened(torch.eye(len(root)), torch.zeros_like(v))

    def plain(self) -> VGG:
        """A copy of the student with plain convolutions."""
        found = lite_network(projected=False)
        found.precision = self.student.precision
        for name, layer in self.student.convs.items():
            assert isinstance(layer, Whitened)
            found.convs[name] = layer.convolution()
        return found.requires_grad_(False)

    def keep(self, first: str) -> None:
        """Leave the convolutions before `first` as they are, and the lifts of their layers."""
        names = list(self.student.convs)
        for name in names[: names.index(first)]:
            self.student.convs[name].requires_grad_(False)
            if (layer := name.replace("conv", "relu")) in self.lifts:
                self.lifts[layer].requires_grad_(False)

    def forward(self, images: Tensor, teacher: VGG) -> tuple[Tensor, dict[str, float]]:
        taps = {name: weight for name, weight in TAPS.items() if self.lifts[name].requires_grad}
        maps = self.student(images, taps)
        with torch.no_grad():
            target = teacher(images, taps)
        total, parts = torch.zeros(()), {}
        for name, weight in taps.items():
            of_map, of_gram = errors(maps[name], self.lifts[name], target[name])
            total = total + weight * (of_map + GRAM_WEIGHT * of_gram)
            parts[name] = of_map.item()
        return total / sum(taps.values()), parts


def half_stylized(model: Distillation, contents: Tensor, styles: Tensor, rng: np.random.Generator) -> Tensor:
    """What the student paints of `contents` and `styles` as `impasto stylize` has it do, stopped at random."""
    student = model.plain()
    lifts = {name: projection(lift.detach())[..., None, None] for name, lift in model.lifts.items()}

    def lifted(images: Tensor) -> dict[str, Tensor]:
        return {name: F.conv2d(maps, lifts[name]) for name, maps in student(images, TAPS).items()}

    with torch.no_grad():
        wanted = {name: gram(maps) for name, maps in lifted(styles).items() if name != "relu4_2"}
    weight = float(rng.choice([0.0, 0.25, 0.5, 1.0]))  # of the content; the default has a style of 2 for each layer

    def goal(by: Displacement) -> Goal:
        with torch.no_grad():
            shown = {n: maps for n, maps in lifted(mirrored(contents, by)).items() if n in KEEPING}

        def loss(x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            maps = lifted(x)
            style = sum(unlike(gram(maps[name]), target) for name, target in wanted.items())
            content = sum(unlike(maps[name], target) for name, target in shown.items())
            return (style + weight / 2 * content).sum(), {}

        return loss

    turns = jittered(goal, JITTERED["jitter"], int(rng.integers(2**31)))
    steps = int(math.exp(rng.uniform(math.log(5), math.log(120))))
    stage = Stage((CROP, CROP), steps, lambda: turns)
    *_, last = minimize(Pixels(contents), [stage], lambda _: Adam(levels=5))
    return last.image()


def unlike(x: Tensor, target: Tensor) -> Tensor:
    """Relative squared error of each item of a batch, `(B,)`."""
    error = F.mse_loss(x, target, reduction="none").flatten(1).sum(1)
    return error / target.flatten(1).square().sum(1).clamp_min(1e-9)


def learning_rate(step: int, steps: int, peak: float) -> float:
    return peak * min(1.0, (step + 1) / 200) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def train(
    model: Distillation, teacher: VGG, crops: Callable[[int, int], Tensor], args: argparse.Namespace
) -> Iterator[tuple[int, float, dict[str, float]]]:
    """Train to `args.steps`, from the last checkpoint in `args.work`; yields step, loss and relative map errors.

    Args:
        model: student and lifts.
        teacher: VGG-19.
        crops: makes so many pictures from a seed.
        args: of the command line.
    """
    layers = [layer.v for layer in model.student.convs.values() if isinstance(layer, Whitened)]
    convolutions = [v for v in layers if v.requires_grad]
    lifts = [lift for lift in model.lifts.values() if lift.requires_grad]
    optimizer = Muon([{"params": convolutions, "matrices": True}, {"params": lifts}], args.rate, betas=(0.9, 0.98))
    checkpoint = args.work / "checkpoint.pt"
    first, own = 0, torch.zeros(0, 3, CROP, CROP, dtype=torch.half)
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(saved["model"])
        first, own = saved["step"], saved.get("own", own)
        if first:
            optimizer.load_state_dict(saved["optimizer"])
    for step in range(first, args.steps):
        rng = np.random.default_rng([args.seed, step])
        images = crops(args.batch, args.seed + 1_000_000 + step)
        if step % EVERY == 0 and step:
            contents, styles = crops(2 * MADE, args.seed + 500_000_000 + step).split(MADE)
            own = torch.cat([own, half_stylized(model, contents, styles, rng).half()])[-KEPT:]
        if len(own):
            images[:OWN] = own[rng.integers(0, len(own), OWN)].float()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, args.steps, args.rate)
        loss, parts = model(images, teacher)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        yield step + 1, loss.item(), parts
        if (step + 1) % 100 == 0 or step + 1 == args.steps:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1, "own": own}
            save(checkpoint, state)


def save(checkpoint: Path, state: Mapping[str, object]) -> None:
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state), checkpoint.with_suffix(".new"))
    checkpoint.with_suffix(".new").replace(checkpoint)


# ---- result --------------------------------------------------------------------------------------------------------


@torch.no_grad()
def held_out(student: VGG, lifts: Mapping[str, Tensor], teacher: VGG, images: Tensor) -> dict[str, tuple[float, float]]:
    """Relative error of map and Gram matrix by layer, on pictures that were not trained on."""
    found: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in lifts}
    for x in images.split(16):
        ours, theirs = student(x, lifts), teacher(x, lifts)
        for name, lift in lifts.items():
            found[name].append(errors(ours[name], lift, theirs[name]))
    return {n: tuple(round(float(torch.stack(e).mean()), 4) for e in zip(*v, strict=True)) for n, v in found.items()}  # type: ignore[misc]


def export(student: VGG, lifts: Mapping[str, Tensor], path: Path, about: Mapping[str, object]) -> None:
    """Write the packaged file: weights of convolutions in 8 bits, everything else in 16."""
    tensors = {}
    for name, value in student.state_dict().items():
        if name.endswith(".weight"):
            tensors[name], step = rounded(value)
            tensors[f"{name}.step"] = step
        else:
            tensors[name] = value.half().contiguous()
    for name, lift in lifts.items():
        tensors[f"projections.{name}"] = packed(projection(lift)).half()
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata={"impasto": json.dumps(about)})


def load_teacher(path: str | None) -> VGG:
    teacher = load_encoder("vgg19-caffe", weights=path, precision="auto")
    assert isinstance(teacher, VGG)
    return teacher


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--photos", type=Path, nargs="+", required=True)
    a.add_argument("--paintings", type=Path, nargs="+", required=True)
    a.add_argument("--teacher", help="weights of vgg19-caffe; found as usual if not given")
    a.add_argument("--work", type=Path, default=Path("build/lite"))
    a.add_argument("--out", type=Path, default=Path("src/impasto/data/lite.safetensors"))
    a.add_argument(
        "--begin", type=Path, help="a packaged file or a checkpoint to go on from; narrower ones are widened"
    )
    names = [layer.replace("relu", "conv") for layer in LITE_LAYERS]
    a.add_argument("--first", choices=names, default=names[0], help="convolution that learns; those before stay")
    a.add_argument("--steps", type=int, default=8000)
    a.add_argument("--batch", type=int, default=8)
    a.add_argument("--rate", type=float, default=5e-4)
    a.add_argument("--seed", type=int, default=0)
    args = a.parse_args()
    began = time.time()
    torch.manual_seed(args.seed)
    teacher = load_teacher(args.teacher)
    photos, photos_apart = split(args.photos)
    paintings, paintings_apart = split(args.paintings)
    model = Distillation()
    images = pictures(photos, paintings, 288, args.seed + 12345)
    if (args.work / "checkpoint.pt").exists():
        model.shape_like(torch.load(args.work / "checkpoint.pt", weights_only=True)["model"])
    else:
        weights, kept = begun(args.begin) if args.begin else ({}, {})
        start_from_least_squares(model.student, teacher, images, weights)
        lifts = fit_lifts(model.student, teacher, images, tuple(TAPS))
        model.load_state_dict({f"lifts.{k}": v for k, v in lifts.items()}, strict=False)
        save(args.work / "checkpoint.pt", {"model": model.state_dict(), "step": 0} | kept)

    model.keep(args.first)

    def crops(count: int, seed: int) -> Tensor:
        return pictures(photos, paintings, count, seed).half().float()

    recent = 0.0
    for step, loss, parts in train(model, teacher, crops, args):
        recent = loss if not recent else 0.97 * recent + 0.03 * loss
        if step % 50 == 0 or step == 1:
            shown = " ".join(f"{n} {v:.3f}" for n, v in parts.items())
            print(f"step {step} loss {recent:.4f} {shown} {time.time() - began:.0f} s", flush=True)
    student = model.plain().eval()
    student.precision = teacher.precision = "fp32"  # what is measured and fitted is exact
    own = torch.load(args.work / "checkpoint.pt", weights_only=True)["own"].float()
    everything = torch.cat([pictures(photos, paintings, 384, args.seed + 777), own[::2]])
    lifts = fit_lifts(student, teacher, everything, LITE_LAYERS)
    scores = held_out(student, lifts, teacher, pictures(photos_apart, paintings_apart, 128, 99))
    for name, (of_map, of_gram) in scores.items():
        print(f"held out: {name} map {of_map:.3f} gram {of_gram:.4f}")
    export(student, lifts, args.out, {"steps": args.steps, "seed": args.seed, "held_out": scores})
    print(f"wrote {args.out} after {time.time() - began:.0f} s")


if __name__ == "__main__":
    main()
