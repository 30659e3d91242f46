"""Make the packaged decoder of the canvas `natural`: distil TAEF2's into a smaller one. Resumable; see `make natural`.

    python tools/make_natural.py --photos DIR [DIR …] --teacher DIR --minutes 60

`--teacher` has `taef2_encoder.pth` and `taef2_decoder.pth` (madebyollin/taesd, MIT). The decoder learns to make
photographs of what TAEF2's encoder makes of them: pixels (mean distance), features of `lite` (relative squared
distance) and, in the second part, a discriminator of patches (hinge loss; Lim and Ye 2017, "Geometric GAN"; spectral
normalization, Miyato et al. 2018), which together are the losses of Dosovitskiy and Brox 2016. A third of each batch
are latents of no photograph: mixed and noisy ones, for which TAEF2's decoder is the example and the discriminator
looks on.
The state is in build/models; the finished decoder is copied to src/impasto/data, in fp16.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from impasto.canvas.decoder import CHANNELS, Block, Prior, conv, student, taef2_decoder
from impasto.features import load_encoder
from impasto.features.encoder import Encoder
from impasto.features.states import read_tensors
from impasto.files import write_bytes
from impasto.media import pictures_in, sheet, write_image
from impasto.memory import keep_freed_memory
from impasto.objective import Content, Objective
from impasto.optimize import Goal
from impasto.training.loop import sample, train
from impasto.training.photos import Photos, Stream, fingerprint, random_shift, shifted
from impasto.training.recipes import apart
from impasto.training.settings import TrainSettings
from make_models import linked

#: Of a batch, how many are latents of no photograph.
OFF = 3
#: Weights of the losses.
PIXEL, FEATURE, ADVERSARIAL = 3.0, 0.5, 0.05
LAYERS = ("relu1_1", "relu2_1", "relu3_1")
#: Long sides of photographs, relative to 512 pixels: never enlarged, or the decoder would learn blur.
SCALES = (0.4, 0.75)
#: Crops of photographs that are encoded once, and latents of no photograph that are decoded once.
CROPS, MIXED = 3000, 1200


def taef2_encoder(width: int = 64) -> nn.Sequential:
    """TAEF2's encoder, its weights named as in the published file."""
    layers: list[nn.Module] = [conv(3, width), Block(width, 3)]
    for level in range(3):
        layers += [conv(width, width, bias=False, stride=2)] + [Block(width, 3, pool=level == 2) for _ in range(3)]
    return nn.Sequential(*layers, conv(width, CHANNELS))


def opened(path: Path, network: nn.Module) -> nn.Module:
    network.load_state_dict({k: v.float() for k, v in read_tensors(path).items()})
    return network.eval().requires_grad_(False)


def discriminator(width: int = 64) -> nn.Sequential:
    """Scores of patches of 30 pixels: high where they look like a photograph's."""
    layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2)]
    for _ in range(2):
        layers += [nn.Conv2d(width, width, 4, 2, 1), nn.LeakyReLU(0.2)]
    layers += [nn.Conv2d(width, 1, 3, 1, 1)]
    return nn.Sequential(*(spectral_norm(m) if isinstance(m, nn.Conv2d) else m for m in layers))


@dataclass(frozen=True)
class Batch:
    """White latents, and what they are to become; the first `OFF` are of no photograph."""

    number: int
    white: Tensor
    images: Tensor


class Learning(nn.Module):
    """What is trained: the decoder, and the discriminator beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.prior, self.discriminator = Prior(student()), discriminator()

    def forward(self, white: Tensor) -> Tensor:
        found: Tensor = self.prior(white)
        return found


class Distillation:
    """Photographs and mixtures of them, through TAEF2, to the student."""

    def __init__(self, files: list[Path], teacher: Path, encoder: Encoder, args: argparse.Namespace) -> None:
        torch.manual_seed(args.seed)
        learning = Learning().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network: nn.Module = learning
        self.encode = opened(teacher / "taef2_encoder.pth", taef2_encoder())
        self.decode = opened(teacher / "taef2_decoder.pth", taef2_decoder())
        kept, held = apart(files)
        self.photos = Stream(Photos(kept, args.side, args.seed, SCALES), args.batch)
        self.count = args.batch
        self.photos_apart = Stream(Photos(held, args.side, args.seed + 1, SCALES), args.batch)
        self.encoder, self.seed, self.adversarial_from = encoder, args.seed, args.adversarial_from
        self.bf16 = args.precision == "bf16"

    @torch.no_grad()
    def prepare(self, path: Path) -> None:
        """What both of TAEF2's networks say, once for all sittings; and the spread of photographs' latents."""
        if not path.exists():
            pairs = [self._encoded(self.photos(n)) for n in range(-(-CROPS // self.count))]
            latents, images = (torch.cat(x) for x in zip(*pairs, strict=True))
            rows = latents.float().transpose(0, 1).flatten(1)
            prior = Prior(nn.Identity())
            prior.mean.copy_(rows.mean(1))
            prior.root.copy_(torch.linalg.cholesky(torch.cov(rows.double())).float())
            mixed = self._mixed(prior.white(latents.float()), torch.Generator().manual_seed(self.seed))
            examples = torch.cat([self._decoded(prior.latents(w.float())) for w in mixed.split(self.count)])
            made = {"white": prior.white(latents.float()).half(), "images": images, "mixed": mixed}
            made |= {"examples": examples, "mean": prior.mean, "root": prior.root}
            write_bytes(path, save({k: v.contiguous() for k, v in made.items()}), "what was prepared")
        self.bank = load_file(path)
        self.network.prior.mean.copy_(self.bank["mean"])
        self.network.prior.root.copy_(self.bank["root"])

    def _encoded(self, images: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast("cpu", torch.bfloat16, self.bf16):
            latents: Tensor = self.encode(images.contiguous(memory_format=torch.channels_last))
        return latents.half(), (images * 255).round().byte()

    def _decoded(self, latents: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, self.bf16):
            images: Tensor = self.decode(latents.contiguous(memory_format=torch.channels_last))
        return (images.float().clamp(0, 1) * 255).round().byte()

    def _mixed(self, white: Tensor, generator: torch.Generator) -> Tensor:
        """Sums of two photographs' latents, as wide as one's, and noise on them."""
        one, other = (torch.randint(len(white), (MIXED,), generator=generator) for _ in range(2))
        share, strength = torch.rand((2, MIXED, 1, 1, 1), generator=generator)
        found = white[one] * share.sqrt() + white[other] * (1 - share).sqrt()
        return (found + 0.6 * strength * torch.randn(found.shape, generator=generator)).half()

    @torch.no_grad()
    def batch(self, number: int) -> Batch:
        if number < 0:
            latents, images = self._encoded(self.photos_apart(-number))
            return Batch(number, self.network.prior.white(latents.float()), images.float() / 255)
        generator = torch.Generator().manual_seed(self.seed * 2**32 + number)
        off = torch.randint(MIXED, (OFF,), generator=generator)
        on = torch.randint(len(self.bank["white"]), (self.count - OFF,), generator=generator)
        white = torch.cat([self.bank["mixed"][off], self.bank["white"][on]])
        images = torch.cat([self.bank["examples"][off], self.bank["images"][on]])
        return Batch(number, white.float(), images.float() / 255)

    def output(self, batch: Batch) -> Tensor:
        found: Tensor = self.network(batch.white.contiguous(memory_format=torch.channels_last))
        return found

    def goal(self, batch: Batch) -> Goal:
        shift = random_shift(self.seed, batch.number)
        off = OFF if batch.number >= 0 else 0
        target, plain = shifted(batch.images, shift), shifted(batch.images[off:], shift)
        with torch.no_grad():
            kept = self.encoder(plain, list(LAYERS))
        feature = Objective(
            self.encoder,
            [(FEATURE, Content(kept, dict.fromkeys(LAYERS, 1.0), "relative", name="feature"))],
        )

        def goal(image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            made = shifted(image, shift)
            total, parts = feature(made[off:].clamp(0, 1))
            pixel = PIXEL * (made - target).abs().mean()
            total, parts = total + pixel, {**parts, "pixel": pixel.detach()}
            if batch.number >= self.adversarial_from:
                for name, part in self._adversarial(made, plain).items():
                    total, parts[name] = total + part, part.detach()
            return total, parts

        return goal

    def _adversarial(self, made: Tensor, real: Tensor) -> dict[str, Tensor]:
        """Both players' losses at once: the decoder's does not reach the discriminator's weights, nor the opposite."""
        judge: nn.Module = self.network.discriminator
        with torch.autocast("cpu", torch.bfloat16, self.bf16):
            fooled = -judge.requires_grad_(False)(made.contiguous(memory_format=torch.channels_last)).float().mean()
            judge.requires_grad_(True)
            both = torch.cat([real, made.detach()]).contiguous(memory_format=torch.channels_last)
            scores = judge(both).float()
        told = (1 - scores[: len(real)]).relu().mean() + (1 + scores[len(real) :]).relu().mean()
        return {"adversarial": ADVERSARIAL * fooled, "discriminator": told}


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--photos", type=Path, nargs="+", required=True)
    a.add_argument("--teacher", type=Path, required=True)
    a.add_argument("--minutes", type=float, default=60.0)
    a.add_argument("--steps", type=int, default=20000)
    a.add_argument("--adversarial-from", type=int, default=2000)
    a.add_argument("--rate", type=float, default=2e-3)
    a.add_argument("--optimizer", default="muon")
    a.add_argument("--batch", type=int, default=8)
    a.add_argument("--side", type=int, default=128)
    a.add_argument("--seed", type=int, default=0)
    a.add_argument("--warmup", type=int, default=100)
    a.add_argument("--precision", default="bf16", choices=("bf16", "fp32"))
    a.add_argument("--work", type=Path, default=Path("build/models"))
    a.add_argument("--out", type=Path, default=Path("src/impasto/data"))
    args = a.parse_args()
    keep_freed_memory()
    folder = linked(args.photos, args.work / "photos-natural", kept_out=True)
    files = pictures_in(folder, recursive=True)
    task = Distillation(files, args.teacher, load_encoder("lite", precision=args.precision), args)
    task.prepare(args.work / "natural-bank.safetensors")
    settings = TrainSettings(
        steps=args.steps, minutes=args.minutes, optimizer=args.optimizer, rate=args.rate, average=0.995, save_every=500,
        precision=args.precision, seed=args.seed, warmup=args.warmup, held_out_batches=4, look_every=250,
    )  # fmt: skip
    identity = {"photographs": fingerprint(files), "adversarial_from": args.adversarial_from, "batch": args.batch}
    for step in train(task, settings, checkpoint=args.work / "natural.checkpoint.pt", identity=identity):
        if step.step % 10 == 0:
            losses = " ".join(f"{name} {value:.4f}" for name, value in step.losses.items())
            print(f"{time.strftime('%H:%M:%S')} step {step.step} {step.seconds:.0f} s: {losses}", flush=True)
        if step.held_out is not None:
            print("held out", step.held_out, flush=True)
            images, made = sample(task, step.network())
            assert images is not None
            rows = [[x[None] for x in row] for row in (images, made)]
            write_image(args.work / "natural-samples.png", sheet(rows, ["photo", "decoder"], [""] * len(made)))
            finish(step.network().prior, args.work / "natural.safetensors")
    finish(task.network.prior, args.out / "natural.safetensors")


def finish(prior: nn.Module, path: Path) -> None:
    """The decoder's file, in fp16."""
    state = {name: values.half().contiguous() for name, values in prior.state_dict().items()}
    about = {"licence": "Apache-2.0", "latents": "TAEF2 (madebyollin/taesd, MIT)"}
    write_bytes(path, save(state, about), "the decoder")


if __name__ == "__main__":
    main()
