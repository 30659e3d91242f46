"""More of a sample: `texture`."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from impasto.errors import InputError
from impasto.jobs.base import INPUT, OptimizingJob
from impasto.methods.settings import OPTIMIZE, TextureSettings
from impasto.options import MODEL, PICTURE, TEXT, option

if TYPE_CHECKING:
    from impasto.jobs.records import Record, Tell
    from impasto.jobs.result import Result
    from impasto.media.image import Source


#: The mode in which a texture network makes it.
NETWORK = "network"


@dataclass(frozen=True, eq=False, repr=False)
class Texture(OptimizingJob, TextureSettings):
    """A texture like SAMPLE, of any size, from noise (Gatys, Ecker, Bethge 2015)."""

    name: ClassVar[str] = "texture"
    example: ClassVar[str] = "impasto texture bricks.jpg -o wall.png --size 1024x512 --tileable"
    renamed: ClassVar[Mapping[str, str]] = {"statistic": "style_loss"}

    # fmt: off
    sample: Source | None = option(None, PICTURE, "A picture of the texture.", group=INPUT, positional=True,
        metavar="SAMPLE", modes=OPTIMIZE)
    _: KW_ONLY
    model: str | None = option(None, MODEL, "Texture network of `impasto train --task texture`, instead of a sample.",
        group=INPUT, metavar="FILE", modes=(NETWORK,))
    style_name: str | None = option(None, TEXT, "Texture of the network, if it has several.", group=INPUT,
        flag="--style", modes=(NETWORK,))
    # fmt: on

    @property
    def mode(self) -> str:
        return OPTIMIZE[0] if self.model is None else NETWORK

    @property
    def mode_shown(self) -> str:
        return "without a model" if self.model is None else "with a model"

    def check(self) -> None:
        super().check()
        if self.sample is None and self.model is None:
            raise InputError("sample is missing: give a picture of the texture, or a model")

    def work(self, tell: Tell) -> Generator[Record, None, Result[Any]]:
        from impasto.jobs.running import memory_limit, open_encoder, optimized, resolved, state_of
        from impasto.media import read_image
        from impasto.methods.texture import texture

        job, notes = resolved(self)
        if job.sample is None:
            return (yield from self._by_network(job))
        sample = read_image(job.sample).channels.to(job.device)
        network = open_encoder(job, padding="circular" if job.tileable else "zeros")
        yield from notes
        steps = texture(network, sample, job, resume=state_of(job), max_memory=memory_limit(job))
        return (yield from optimized(job, self, steps))

    def _by_network(self, job: Texture) -> Generator[Record, None, Result[Any]]:
        """One pass of a texture network (Ulyanov et al. 2016)."""
        from impasto.jobs.report import manifest
        from impasto.jobs.result import Result
        from impasto.jobs.running import written
        from impasto.networks.painter import open_model, texture_from_model

        model = open_model(job.model).to(job.device)
        pixels = texture_from_model(model, job.size, job.seed, job.style_name).cpu()
        result = Result(pixels, job, None, (), manifest(job))
        yield from written(result, 0.0)
        return result
