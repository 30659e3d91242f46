"""The figure of the lecture, textures by every method side by side: `textures`."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from impasto.jobs.base import INPUT, OptimizingJob
from impasto.methods.patches.settings import PatchSettings
from impasto.methods.settings import CLASSIC, EFROS_LEUNG, OPTIMIZE, TextureSettings
from impasto.options import AUTO, PICTURES, WHOLES, known, option

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.jobs.records import Record, Tell
    from impasto.jobs.result import Result
    from impasto.media.image import Source
    from impasto.optimize import Step

#: Long side at which samples are read if nothing is said.
SIDE = 128


@dataclass(frozen=True, eq=False, repr=False)
class Textures(OptimizingJob, TextureSettings):
    """Textures like each SAMPLE (rows) by every method, Efros and Leung's with growing windows (columns)."""

    name: ClassVar[str] = "textures"
    example: ClassVar[str] = "impasto textures bricks.jpg gravel.jpg -o sheet.png --windows 5,11,21"
    left_out: ClassVar[frozenset[str]] = frozenset(("own_size", "resume", "save_every"))

    # fmt: off
    sample: tuple[Source, ...] = option((), PICTURES, "Pictures of textures.", group=INPUT, positional=True,
        required=True, metavar="SAMPLE")
    _: KW_ONLY
    windows: tuple[int, ...] = option((5, 11, 21), WHOLES, "Sides of Efros and Leung's windows, a column each, odd.",
        group=INPUT, least=3)
    # fmt: on

    def usual(self) -> Mapping[str, Any]:
        return {"size": (160, 160)}

    @property
    def mode(self) -> str:
        return OPTIMIZE[0]

    def check(self) -> None:
        super().check()
        self.settings()

    def settings(self) -> dict[str, PatchSettings]:
        """Label of a column -> settings of the method that is its first word."""
        found = {f"{EFROS_LEUNG} {n}": PatchSettings(window=n) for n in self.windows}
        return found | {name: PatchSettings(window=7) for name in CLASSIC if name != EFROS_LEUNG}

    def work(self, tell: Tell) -> Generator[Record, None, Result[Any]]:
        from impasto.jobs.running import in_turn, memory_limit, open_encoder, resolved
        from impasto.media import read_image
        from impasto.methods.patches.methods import SYNTHESIZE
        from impasto.methods.regions import scaled
        from impasto.methods.texture import opaque_part, texture

        job, notes = resolved(self)
        network = open_encoder(job, padding="circular" if job.tileable else "zeros")
        yield from notes
        plain = TextureSettings(**{n: getattr(job, n) for n in TextureSettings().as_dict() if n not in job.left_out})
        cells: dict[str, Tensor | Iterator[Step] | Callable[[], Tensor]] = {}
        for number, source in enumerate(job.sample, 1):
            side = SIDE if job.sample_size == AUTO else known(job.sample_size)
            sample = scaled(opaque_part(read_image(source).channels), side)
            cells[f"{number}"] = framed(sample[:, :3], job.size)
            for label, settings in job.settings().items():
                make = partial(SYNTHESIZE[label.split()[0]], sample, job.size, settings)
                cells[f"{number} {label}"] = partial(_pixels, make, job.seed, job.tileable)
            own = plain.changed(sample_size=AUTO, own_size=True)
            cells[f"{number} gatys"] = texture(network, sample.to(job.device), own, max_memory=memory_limit(job))
        columns = ["sample", *job.settings(), "gatys"]
        return (yield from in_turn(job, cells, rows=[""] * len(job.sample), columns=columns))


def _pixels(make: Callable[..., Any], seed: int, tileable: bool) -> Tensor:
    pixels: Tensor = make(seed=seed, tileable=tileable).pixels
    return pixels


def framed(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """A picture `(1, 3, H, W)` in the middle of a white one of a width and height, cut to it where it is larger."""
    from torch.nn.functional import pad

    height, width = picture.shape[-2:]
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return pad(picture, (left, size[0] - width - left, top, size[1] - height - top), value=1.0)
