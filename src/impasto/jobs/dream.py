"""DeepDream, and zooms into it: `dream`."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from impasto.errors import InputError
from impasto.jobs.base import INPUT, OptimizingJob
from impasto.methods.settings import DreamSettings
from impasto.options import PICTURE, WHOLE, option

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.jobs.records import Record, Tell
    from impasto.jobs.result import Result
    from impasto.media.image import Source


@dataclass(frozen=True, eq=False, repr=False)
class Dream(OptimizingJob, DreamSettings):
    """Make what a layer sees in IMAGE stronger (DeepDream, Mordvintsev 2015)."""

    name: ClassVar[str] = "dream"
    example: ClassVar[str] = "impasto dream photo.jpg -o dream.png --encoder vgg19"

    # fmt: off
    image: Source = option(None, PICTURE, "The picture.", group=INPUT, positional=True, required=True, metavar="IMAGE")
    _: KW_ONLY
    guide: Source | None = option(None, PICTURE, "Picture whose features the dream is drawn to.", group=INPUT)
    zoom: int = option(0, WHOLE, "Frames of a film, each 5 % into the one before; 0: none.", group=INPUT, least=0)
    # fmt: on

    def check(self) -> None:
        super().check()
        if self.zoom and (self.resume is not None or self.save_every):
            raise InputError("a zoom has no state to go on from: leave out resume and save every")

    def work(self, tell: Tell) -> Generator[Record, None, Result[Any]]:
        from impasto.jobs.running import memory_limit, open_encoder, optimized, resolved, state_of
        from impasto.media import read_image
        from impasto.methods.dream import dream

        job, notes = resolved(self)
        photo = read_image(job.image)
        pixels = photo.pixels.to(job.device)
        guide = None if job.guide is None else read_image(job.guide).pixels.to(job.device)
        network = open_encoder(job)
        yield from notes
        if job.zoom:
            return (yield from self._zoomed(job, pixels, photo.alpha, guide, network))
        steps = dream(network, pixels, job, guide=guide, resume=state_of(job), max_memory=memory_limit(job))
        return (yield from optimized(job, self, steps, alpha=photo.alpha))

    def _zoomed(
        self, job: Dream, pixels: Tensor, alpha: Tensor | None, guide: Tensor | None, network: Any
    ) -> Generator[Record, None, Result[Any]]:
        """Frame after frame, each dreamt into what is nearer of the one before; and a film of them."""
        from impasto.jobs.running import memory_limit, optimized
        from impasto.media import check_output
        from impasto.methods.dream import dream, nearer

        if job.output is None:
            raise InputError("a zoom is many pictures: name the first part of their names with output")
        output = Path(job.output)
        names = [output.with_name(f"{output.stem}-{i:04d}{output.suffix}") for i in range(job.zoom)]
        for name in names:
            check_output(name, force=job.force)
        for name in names:
            frame = job.changed(output=str(name), zoom=0, report=job.report if name == names[-1] else None)
            steps = dream(network, pixels, job, guide=guide, max_memory=memory_limit(job))
            result = yield from optimized(frame, None, steps, alpha=alpha)
            pixels = nearer(result.pixels).to(job.device)
            alpha = None if result.alpha is None else nearer(result.alpha)
        film = output.with_suffix(".mp4")
        yield from self._film(film, names)
        return result

    def _film(self, path: Path, frames: list[Path]) -> Generator[Record, None, None]:
        """A video of the frames, if PyAV is installed."""
        from importlib.util import find_spec

        from impasto.jobs.records import Note, Wrote
        from impasto.media import read_image
        from impasto.media.video import VideoWriter, check_video_output

        if find_spec("av") is None:
            yield Note("the frames are written; for a film of them install the extra video (pip install av)")
            return
        with VideoWriter(check_video_output(path, force=self.force), 15) as writer:
            for frame in frames:
                writer.write(read_image(frame).pixels)
        yield Wrote(str(path))
