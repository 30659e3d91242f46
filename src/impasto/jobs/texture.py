"""More of a sample: `texture`."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from impasto.errors import InputError
from impasto.jobs.base import FILES, INPUT, OptimizingJob
from impasto.methods.patches.settings import FILLING, PatchSettings
from impasto.methods.settings import CLASSIC, EFROS_LEUNG, OPTIMIZE, WEI_LEVOY, TextureSettings
from impasto.options import AUTO, FILE, MODEL, PICTURE, TEXT, known, option

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.jobs.records import Record, Tell
    from impasto.jobs.result import Result
    from impasto.media.image import Source
    from impasto.methods.patches.synthesis import Synthesis


#: The mode in which a texture network makes it.
NETWORK = "network"
#: Long side at which a sample whose pixels are copied is read, at most, if nothing is said.
LARGEST = 512
#: Method -> mode.
MODES = {"gatys": OPTIMIZE[0], NETWORK: NETWORK, **{name: name for name in CLASSIC}}
#: Method -> values of options that are not given.
USUAL: Mapping[str, Mapping[str, Any]] = {
    EFROS_LEUNG: {"size": (256, 256)},
    WEI_LEVOY: {"size": (256, 256), "window": 7},
}


@dataclass(frozen=True, eq=False, repr=False)
class Texture(OptimizingJob, PatchSettings, TextureSettings):
    """A texture like SAMPLE, of any size: from noise by a network's features, or of the sample's own pixels."""

    name: ClassVar[str] = "texture"
    example: ClassVar[str] = "impasto texture bricks.jpg -o wall.png --size 1024x512 --tileable"
    renamed: ClassVar[Mapping[str, str]] = {"statistic": "style_loss"}

    # fmt: off
    sample: Source | None = option(None, PICTURE, "A picture of the texture; or with a mask, a photograph with a hole.",
        group=INPUT, positional=True, metavar="SAMPLE", modes=(*OPTIMIZE, *CLASSIC))
    _: KW_ONLY
    method: str = option(AUTO, TEXT,
        "gatys: optimize noise until a network's features agree (Gatys, Ecker, Bethge 2015); network: one pass of a "
        "trained one (Ulyanov et al. 2016); or of the sample's pixels: efros-leung (Efros and Leung 1999), "
        "wei-levoy (Wei and Levoy 2000), quilting (Efros and Freeman 2001).",
        group=INPUT, choices=tuple(MODES), auto="network with a model, else gatys")
    model: str | None = option(None, MODEL, "Texture network of `impasto train --task texture`, instead of a sample.",
        group=INPUT, metavar="FILE", modes=(NETWORK,))
    style_name: str | None = option(None, TEXT, "Texture of the network, if it has several.", group=INPUT,
        flag="--style", modes=(NETWORK,))
    mask: Source | None = option(None, PICTURE,
        "Picture of a hole (white) in the sample, filled by efros-leung or quilting.", group=INPUT, modes=FILLING)
    coherence: str | None = option(None, FILE, "Picture to write where in the sample each pixel is from: .png.",
        group=FILES, decides=False, modes=CLASSIC)
    # fmt: on

    def __post_init__(self) -> None:
        if self.method == AUTO:
            object.__setattr__(self, "method", "gatys" if self.model is None else NETWORK)
        super().__post_init__()

    def usual(self) -> Mapping[str, Any]:
        return USUAL.get(self.method, {})

    @property
    def mode(self) -> str:
        return MODES.get(self.method, "")

    @property
    def mode_shown(self) -> str:
        return f"with method {self.method}" + ("" if "method" in self.given else ", as none is given")

    def check(self) -> None:
        if self.mode == OPTIMIZE[0]:
            TextureSettings.check(self)
        PatchSettings.check(self)
        if self.sample is None and self.method != NETWORK:
            raise InputError("sample is missing: give a picture of the texture, or a model")
        if self.method == NETWORK and self.model is None:
            raise InputError("model is missing: give the file of a texture network")
        if self.mask is not None and {"size", "tileable", "sample_size"} & self.given:
            raise InputError(
                "with a mask the picture stays as large as it is: leave size, sample size and tileable out"
            )
        if self.method in CLASSIC and self.device not in (AUTO, "cpu"):
            raise InputError(f"{self.method} computes on the processor: leave device out")

    def work(self, tell: Tell) -> Generator[Record, None, Result[Any]]:
        from impasto.jobs.running import memory_limit, open_encoder, optimized, resolved, state_of
        from impasto.media import read_image
        from impasto.methods.texture import texture

        if self.method in CLASSIC:
            return (yield from self._by_copying(tell))
        job, notes = resolved(self)
        if job.method == NETWORK:
            return (yield from self._by_network(job))
        assert job.sample is not None
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

    def _by_copying(self, tell: Tell) -> Generator[Record, None, Result[Any]]:
        """Of the sample's own pixels."""
        from impasto.jobs.copying import copying_records

        return (yield from copying_records(self, tell, lambda progress: copied(self, progress), where=self.coherence))


def copied(job: Texture, progress: Callable[[int, int], None]) -> Synthesis:
    """What a method that copies pixels makes of the job's sample.

    Raises:
        InputError: if the sample or the mask cannot be used.
    """
    from impasto.media import read_image
    from impasto.methods.patches.methods import FILL, SYNTHESIZE
    from impasto.methods.regions import scaled
    from impasto.methods.texture import opaque_part

    assert job.sample is not None
    sample = read_image(job.sample).channels
    if job.mask is not None:
        return FILL[job.method](sample, hole_of(job.mask, sample), job, seed=job.seed, progress=progress)
    sample = opaque_part(sample)
    side = min(max(sample.shape[-2:]), LARGEST) if job.sample_size == AUTO else known(job.sample_size)
    if side != max(sample.shape[-2:]):
        sample = scaled(sample, side)
    return SYNTHESIZE[job.method](sample, job.size, job, seed=job.seed, tileable=job.tileable, progress=progress)


def hole_of(mask: Source, picture: Tensor) -> Tensor:
    """`(H, W)`, whether a pixel of a picture `(1, 3 or 4, H, W)` is more white than black in its mask.

    Raises:
        InputError: if they are of different sizes.
    """
    from impasto.media import read_image

    read = read_image(mask)
    white = read.pixels.mean(1)[0] * (1.0 if read.alpha is None else read.alpha[0, 0])
    if white.shape != picture.shape[-2:]:
        (h, w), (height, width) = white.shape, picture.shape[-2:]
        raise InputError(f"the mask is {w}x{h} and the picture {width}x{height}: they must be of one size")
    return white > 0.5
