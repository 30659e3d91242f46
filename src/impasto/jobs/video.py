"""A video, painted so that it holds still: `video`."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import KW_ONLY, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

from impasto.errors import InputError
from impasto.jobs.base import FILES, INPUT
from impasto.jobs.stylize import ONE_PASS, REFINED, Stylize
from impasto.methods.presets import VIDEO_QUALITIES
from impasto.methods.settings import LONGEST, OPTIMIZE, PICTURE, StylizeSettings
from impasto.options import (
    AUTO,
    FILE,
    FLAG,
    KEYFRAMES,
    NUMBER,
    SECONDS,
    TEXT,
    WHOLE,
    WHOLES,
    Auto,
    known,
    option,
)

if TYPE_CHECKING:
    from impasto.jobs.records import Record, Tell

#: Group of the options that make a video hold still, and the modes with a tie over a network's picture.
MOTION = "motion"


@dataclass(frozen=True, eq=False, repr=False)
class Video(Stylize):
    """Paint a video so that it holds still."""

    name: ClassVar[str] = "video"
    example: ClassVar[str] = "impasto video clip.mp4 painting.jpg -o painted.mp4"
    renamed: ClassVar[Mapping[str, str]] = {"source": "content", "steady": "consistency"}
    # fmt: off
    left_out: ClassVar[frozenset[str]] = frozenset((
        "semantic", "style_map", "save_every", "resume", "plot", "layer_losses", "runtime", "init", "warmup_steps",
        "warmup_encoder", "cache", "cuda_graphs", "block", "overlap", "tolerance", "rounds",
    ))

    content: str = option(None, TEXT, "A video, a folder of pictures, or a pattern such as frames/%04d.png.",
        group=INPUT, positional=True, required=True, metavar="IN")
    _: KW_ONLY
    quality: str = option("auto", TEXT,
        "instant: one pass of a network for each frame; quick, best: a few steps of an optimization for each, too; "
        "ruder: the settings of the paper.", group=INPUT, choices=tuple(VIDEO_QUALITIES), auto="instant")
    size: int | Auto = option(AUTO, WHOLE, "Long side of the result in pixels; strokes grow with it.",  # type: ignore[assignment]
        group=PICTURE, least=16, most=LONGEST, auto="the video's own, at most 512 unless instant")
    consistency: float = option(1.0, NUMBER,
        "How still it holds: from 0, each frame by itself, to 1.", group=MOTION, least=0, most=1)
    flow: str = option("dis", TEXT,
        "Optical flow: dis, dis-fast, dis-fine, deepflow, none, a folder of .flo or KITTI .png files "
        "(backward_2_1.flo, forward_1_2.flo), or a pattern of their paths with {this} and {that}.", group=MOTION,
        metavar="NAME")
    passes: int | Auto = option(AUTO, WHOLE, "Passes over each shot, forward and backward in turn.", group=MOTION,
        least=1, auto="2 with best, else 1", modes=OPTIMIZE)
    long_term: tuple[int, ...] = option((1,), WHOLES,
        "Frames ago to which a frame is tied where they see it: 1,2,4; the nearer one counts first.", group=MOTION,
        least=1, most=100, modes=OPTIMIZE)
    temporal_weight: float = option(800.0, NUMBER, "Weight of what ties a frame to those before.", group=MOTION,
        least=0, modes=OPTIMIZE)
    frame_steps: int = option(6, WHOLE, "Steps of each frame after a shot's first.", group=MOTION, least=1,
        modes=OPTIMIZE)
    blend_at: tuple[tuple[float, tuple[float, ...]], ...] = option((), KEYFRAMES,
        "Weights of the styles at a time; several are joined by straight lines.", group=INPUT)
    start: float = option(0.0, SECONDS, "Time to begin at.", group=INPUT, least=0, flag="--from")
    end: float | None = option(None, SECONDS, "Time to end at.", group=INPUT, above=0, flag="--to")
    fps: float | None = option(None, NUMBER,
        "Frames in a second; as they come if not given, of a folder or a pattern 25.", group=INPUT, above=0, most=1000)
    loop: bool = option(False, FLAG, "Join the end to the beginning without a jump.", group=MOTION)
    compare: bool = option(False, FLAG,
        "Show frames, each by itself, and the result side by side, and tell how still both hold.", group=FILES)
    shots: bool = option(False, FLAG, "Tell where the shots are, and paint nothing.", group=FILES, decides=False)
    workers: int = option(1, WHOLE, "Processes that paint shots side by side.", group="computing", least=1,
        decides=False)
    output: str | None = option(None, FILE,
        "Video to write: .mp4, .mov, .mkv, .webm, .gif, .webp, or a pattern such as out/%04d.png.", group=FILES,
        decides=False)
    # fmt: on

    def __post_init__(self) -> None:
        if self.quality == AUTO:
            object.__setattr__(self, "quality", "instant")
        super().__post_init__()

    def usual(self) -> Mapping[str, Any]:
        if self.quality not in VIDEO_QUALITIES:
            return {}
        preset, plain = VIDEO_QUALITIES[self.quality], StylizeSettings()
        found = {f.name: getattr(preset.still(), f.name) for f in fields(plain)}
        found = {n: v for n, v in found.items() if v != getattr(plain, n) and n not in self.left_out and n != "size"}
        return found | dict(preset.video)

    @property
    def mode(self) -> str:
        return {"instant": ONE_PASS, "ruder": OPTIMIZE[0]}.get(self.quality, REFINED)

    @property
    def turns(self) -> int:
        """How often each shot is painted; of best and others see `usual`."""
        return 1 if self.passes == AUTO else known(self.passes)

    def check_size(self) -> None:
        if self.size != AUTO:
            super().check_size()

    def check(self) -> None:
        super().check()
        count = len(self.style) or len(self.style_name)
        for time, weights in self.blend_at:
            if len(weights) != count:
                raise InputError(
                    f"blend at {time:g} s has {len(weights)} weights for {count} styles; give one for each"
                )
        if self.end is not None and self.end <= self.start:
            raise InputError(f"the end at {self.end:g} s is not after the start at {self.start:g} s")

    def settings(self, size: int) -> StylizeSettings:
        """Those of a frame by itself, at so many pixels on the long side."""
        found = {f.name: getattr(self, f.name) for f in fields(StylizeSettings)}
        return StylizeSettings(**found | {"size": size, "init": "content"})

    def work(self, tell: Tell) -> Generator[Record, None, Any]:
        from impasto.jobs.film import film_records

        return film_records(self, tell)
