"""More of a sample: `texture`."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from impasto.jobs.base import INPUT, OptimizingJob
from impasto.methods.settings import TextureSettings
from impasto.options import PICTURE, option

if TYPE_CHECKING:
    from impasto.jobs.records import Record, Tell
    from impasto.jobs.result import Result
    from impasto.media.image import Source


@dataclass(frozen=True, eq=False, repr=False)
class Texture(OptimizingJob, TextureSettings):
    """A texture like SAMPLE, of any size, from noise (Gatys, Ecker, Bethge 2015)."""

    name: ClassVar[str] = "texture"
    example: ClassVar[str] = "impasto texture bricks.jpg -o wall.png --size 1024x512 --tileable"
    renamed: ClassVar[Mapping[str, str]] = {"statistic": "style_loss"}

    # fmt: off
    sample: Source = option(None, PICTURE, "A picture of the texture.", group=INPUT, positional=True, required=True,
        metavar="SAMPLE")
    _: KW_ONLY
    # fmt: on

    def work(self, tell: Tell) -> Generator[Record, None, Result[Any]]:
        from impasto.jobs.running import memory_limit, open_encoder, optimized, resolved, state_of
        from impasto.media import read_image
        from impasto.methods.texture import texture

        job, notes = resolved(self)
        sample = read_image(job.sample).channels.to(job.device)
        network = open_encoder(job, padding="circular" if job.tileable else "zeros")
        yield from notes
        steps = texture(network, sample, job, resume=state_of(job), max_memory=memory_limit(job))
        return (yield from optimized(job, self, steps))
