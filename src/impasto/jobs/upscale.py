"""Larger pictures by a network: `upscale`."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from impasto.errors import InputError
from impasto.jobs.base import INPUT, PictureJob
from impasto.options import FLAG, MODELS, PICTURE, WHOLE, option

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.jobs.records import Record, Tell
    from impasto.jobs.result import Result
    from impasto.media.image import Source
    from impasto.networks.superres import SuperResolution


@dataclass(frozen=True, eq=False, repr=False)
class Upscale(PictureJob):
    """Enlarge PICTURE by a trained network (Johnson et al. 2016)."""

    name: ClassVar[str] = "upscale"
    example: ClassVar[str] = "impasto upscale small.jpg -o large.png --model x4.safetensors"

    # fmt: off
    picture: Source = option(None, PICTURE, "The picture to enlarge.", group=INPUT, positional=True, required=True,
        metavar="PICTURE")
    _: KW_ONLY
    model: tuple[str, ...] = option((), MODELS,
        "Model of `impasto train --task super-resolution`; several to compare.", group=INPUT, required=True)
    compare: bool = option(False, FLAG,
        "Shrink the picture first; draw and measure what each model makes of that, beside bicubic interpolation.",
        group=INPUT)
    tile: int = option(256, WHOLE, "Side of the tiles in pixels; larger ones take more memory.",
        group="computing", least=16, decides=False)
    # fmt: on

    def check(self) -> None:
        if len(self.model) > 1 and not self.compare:
            raise InputError(f"there are {len(self.model)} models; give one, or add compare")

    def work(self, tell: Tell) -> Generator[Record, None, Result[Any]]:
        from impasto.jobs.records import Measured
        from impasto.jobs.report import manifest
        from impasto.jobs.result import Result
        from impasto.jobs.running import memory_limit, resolved, written
        from impasto.media import read_image
        from impasto.networks.models import load_upscaler
        from impasto.networks.superres import enlarge, upscale
        from impasto.training.recipes import style_names

        job, notes = resolved(self)
        names = style_names([Path(name) for name in job.model])  # of their files; two of one name are told apart
        networks = {
            name: load_upscaler(given).to(job.device).generator for name, given in zip(names, job.model, strict=True)
        }
        found = read_image(job.picture)
        pixels, alpha = found.pixels.to(job.device), found.alpha
        yield from notes
        if job.compare:
            made, measured = _compared(pixels, networks, job.tile)
            alpha = None
            yield Measured(measured)
        else:
            (network,) = networks.values()
            made = upscale(network, pixels, job.tile, max_memory=memory_limit(job)).cpu()
            alpha = None if alpha is None else enlarge(alpha, network.factor).clamp(0, 1)
        result = Result(made, job, alpha, (), manifest(job))
        yield from written(result, 0.0, f"{made.shape[-1]}x{made.shape[-2]}")
        return result


def _compared(
    picture: Tensor, networks: Mapping[str, SuperResolution], tile: int
) -> tuple[Tensor, dict[str, dict[str, float]]]:
    """A sheet of the picture, and of what bicubic interpolation and each network make of it shrunk (as Johnson et al.
    2016, fig. 8); and PSNR in dB and SSIM of each, by luma, without as many pixels at the border as the factor.
    """
    from impasto.media import sheet
    from impasto.networks.superres import enlarge, shrink, upscale
    from impasto.pictures.metrics import psnr, ssim

    factors = {network.factor for network in networks.values()}
    if len(factors) > 1:
        raise InputError(f"the models enlarge by {' and '.join(map(str, sorted(factors)))}; give models of one factor")
    (factor,) = factors
    height, width = (n // factor * factor for n in picture.shape[-2:])
    if min(height, width) < 11 + 2 * factor:
        raise InputError(f"the picture is too small to compare; both sides must be at least {11 + 2 * factor} pixels")
    original = picture[..., :height, :width]
    small = shrink(original, factor)
    made = {"bicubic": enlarge(small, factor).clamp(0, 1)}
    made |= {name: upscale(network, small, tile) for name, network in networks.items()}
    measured = {
        name: {"PSNR (dB)": psnr(x, original, factor).item(), "SSIM": ssim(x, original, factor).item()}
        for name, x in made.items()
    }
    labels = [f"{name} {row['PSNR (dB)']:.2f} dB {row['SSIM']:.3f}" for name, row in measured.items()]
    return sheet([[x.cpu() for x in (original, *made.values())]], [""], ["original", *labels]), measured
