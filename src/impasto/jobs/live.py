"""A camera or a video, painted frame by frame: `live`."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from impasto.errors import InputError
from impasto.jobs.base import COMPUTING, FILES, INPUT, Job
from impasto.methods.settings import COLORS, precision_option, runtime_option
from impasto.options import AUTO, BLEND, FILE, FLAG, MODEL, NAMES, NUMBER, PICTURES, TEXT, WHOLE, Auto, known, option

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.jobs.records import Painted, Record, Tell
    from impasto.media.image import Source
    from impasto.media.video import Frame, Video
    from impasto.methods.instant import Painter
    from impasto.methods.video import Follower

#: Long side at which flow is found in real time, in pixels.
FLOW_SIDE = 320


@dataclass(frozen=True, eq=False, repr=False)
class Live(Job):
    """Paint a camera's pictures or a video while they come. Ctrl-C ends it."""

    name: ClassVar[str] = "live"
    example: ClassVar[str] = "impasto live 0 painting.jpg"

    # fmt: off
    source: str = option(None, TEXT,
        "The number of a camera, a video, a folder of pictures, or a pattern: frames/%04d.png.", group=INPUT,
        positional=True, required=True, metavar="SOURCE")
    style: tuple[Source, ...] = option((), PICTURES, "The painting; several are blended.", group=INPUT, positional=True,
        metavar="PAINTING")
    _: KW_ONLY
    model: str | None = option(None, MODEL, "Model file, .onnx too, or the name of a packaged one.", group=INPUT)
    style_name: tuple[str, ...] = option((), NAMES, "Style of the model's own; several are blended.", group=INPUT,
        flag="--style")
    blend: tuple[float, ...] = option((), BLEND, "Weight of each style: 0.3,0.7.", group=INPUT)
    strength: float = option(1.0, NUMBER, "Strength: from 0, the frames as they are, to 1, the style.", group=INPUT,
        least=0, most=1)
    size: int | Auto = option(AUTO, WHOLE, "Long side of the frames in pixels.", group="picture", least=16, most=16384,
        auto="a video's own, 320 for a camera")
    color: str = option("style", TEXT, "Colors of the result, as for stylize.", group="picture",
        choices=tuple(c for c in COLORS if c != "painting"))
    mirror: bool = option(False, FLAG, "Left and right changed, for cameras.", group="picture")
    frames: int | None = option(None, WHOLE, "Frames after which to stop; all if not given.", group=INPUT, least=1)
    consistency: float = option(1.0, NUMBER,
        "How still it holds: from 0, each frame by itself, to 1.", group="motion", least=0, most=1)
    precision: str = precision_option()
    runtime: str | None = runtime_option()
    batch: int | Auto = option(AUTO, WHOLE,
        "Frames of a video that are painted at once; other numbers round otherwise.", group=COMPUTING, least=1,
        auto="8 on a GPU, as memory goes, else 1; 1 for a camera", decides=False)
    device: str = option("auto", TEXT, "Where to compute: cpu, cuda or mps.", group=COMPUTING,
        auto="a GPU if there is one", decides=False)
    output: str | None = option(None, FILE,
        "Video to write: .mp4, .mov, .mkv, .webm, .gif, .webp, or frames/%04d.png; a window if not given.", group=FILES,
        decides=False)
    force: bool = option(False, FLAG, "Overwrite files that exist.", group=FILES, decides=False)
    # fmt: on

    def check(self) -> None:
        if self.style and self.style_name:
            raise InputError("there are paintings and styles by name: give one or the other")

    def work(self, tell: Tell) -> Generator[Record, None, Any]:
        """A `Painted` for each frame; where `output` is given, they are written, too."""
        from impasto.devices import resolve_device
        from impasto.jobs.records import Note, Wrote
        from impasto.media.video import Loss, Video, VideoWriter, check_video_output

        if self.output is not None:
            check_video_output(self.output, force=self.force, source=self.source)
        device = resolve_device(self.device)
        is_camera = self.source.isdecimal()
        size = (320 if is_camera else None) if self.size == AUTO else known(self.size)
        video = Video(self.source, size)

        def note(text: str) -> None:
            tell(Note(text, lost=isinstance(text, Loss)))

        painted = self.painted(video, device, note, tell)
        if self.output is None:
            yield from painted
            return None
        hold = self.frames is None
        writer = VideoWriter(self.output, video.rate(), None if is_camera else video, tell=note, hold=hold)
        try:
            with writer:
                for frame in painted:
                    writer.write(frame.pixels, frame.seconds)
                    yield frame
        except KeyboardInterrupt:
            from impasto.errors import Interrupted

            if not is_camera:
                made = f"wrote {writer.kept} as far as it went" if writer.kept else "nothing was written"
                raise Interrupted(f"interrupted: {made}") from None
        if writer.kept is not None:
            yield Wrote(str(writer.kept))
        return None

    def painted(self, video: Video, device: str, note: Callable[[str], None], tell: Tell) -> Iterator[Painted]:
        """The frames, painted with one look, some ahead of those that are asked for."""
        import time
        from itertools import chain, islice

        import torch

        from impasto.jobs.ahead import started_ahead
        from impasto.jobs.paint import open_network
        from impasto.jobs.records import Painted
        from impasto.memory import allowance

        painter = open_network(self, self.model or self._usual_model(), device, allowance(device), tell)
        pictures = video.frames(note)
        first = next(pictures)
        look = self._look(painter, first, device)

        @torch.inference_mode()
        def together(group: Sequence[Frame]) -> list[Tensor]:
            return painter.together([self._turned(frame).to(device) for frame in group], look)

        frames, tied = islice(chain([first], pictures), self.frames), self._tied()
        groups = alike(frames, self._batch(device, camera=video.is_camera))
        for group, made in started_ahead(together, groups):
            for place, frame in enumerate(group):
                began, photo = time.perf_counter(), self._turned(frame)
                with torch.inference_mode():
                    pixels = self._mixed(tied(photo, made.result()[place]), photo.to(device))
                yield Painted(pixels.cpu(), frame.seconds, time.perf_counter() - began)

    def _batch(self, device: str, *, camera: bool) -> int:
        """Frames that are painted at once; those of a camera are not waited for."""
        from impasto.devices import GPU_BATCH

        if camera:
            return 1
        return (GPU_BATCH if device.startswith("cuda") else 1) if self.batch == AUTO else known(self.batch)

    def _tied(self) -> Callable[[Tensor, Tensor], Tensor]:
        """From each frame, on the CPU, and what a pass made of it, in turn, to its picture: that, or tied to the one
        before."""
        if not self.consistency:
            return lambda photo, picture: picture
        from itertools import count

        from impasto.media.flow import View, gray_of

        follow, numbers = self._follower(), count(1)

        def tied(photo: Tensor, picture: Tensor) -> Tensor:
            follow.paint = lambda photo: picture
            return follow(photo.to(picture.device), View(next(numbers), gray_of(photo, FLOW_SIDE))).pixels

        return tied

    def _turned(self, frame: Frame) -> Tensor:
        """A frame's pixels, as in a mirror if it shall be."""
        return frame.pixels.flip(3) if self.mirror else frame.pixels

    def _follower(self) -> Follower:
        """What ties frames to those before, in real time."""
        from dataclasses import replace

        from impasto.media.flow import Dis
        from impasto.methods.tie import Tie
        from impasto.methods.video import Follower

        tie = Tie()
        tie = replace(tie, share=tie.share * self.consistency)
        return Follower(lambda photo: photo, Dis("fast"), tie, measures=False, sampling="bicubic")

    def _usual_model(self) -> str:
        """The fastest packaged network that can do it."""
        from impasto.networks.models import default_model

        return default_model(self.style_name, ("live", "gallery")) if self.style or self.style_name else "live"

    def _look(self, painter: Painter, first: Frame, device: str) -> Tensor:
        """The style vector `(1, P)` of all frames: of paintings, or of the model's own styles."""
        from impasto.jobs.scene import Scene
        from impasto.methods.instant import painting_vector
        from impasto.methods.settings import StylizeSettings
        from impasto.methods.stylize import recolor

        if self.style:
            styles = Scene(self.style, self.blend, device=device).regions(None)[0].styles
            return painting_vector(painter, styles, recolor(StylizeSettings(color=self.color), first.pixels.to(device)))
        if self.color in ("content-match", "histogram"):
            raise InputError(f"color {self.color} changes paintings, and there is none; give one after the source")
        if not painter.model.styles:
            raise InputError("this model has no styles of its own; give a painting after the source")
        names = self.style_name or [next(iter(painter.model.styles))]
        if self.blend and len(self.blend) != len(names):
            raise InputError(f"the blend has {len(self.blend)} weights for {len(names)} styles; give one for each")
        return painter.model.blended(dict(zip(names, self.blend or [1.0] * len(names), strict=True))).to(device)

    def _mixed(self, painted: Tensor, plain: Tensor) -> Tensor:
        """A painted frame `(1, 3, H, W)` with as much of the plain one as is asked for."""
        from impasto.methods.instant import with_chroma

        if self.strength < 1:
            painted = plain.lerp(painted, self.strength)
        return with_chroma(painted, plain) if self.color == "content-luminance" else painted


def alike(frames: Iterator[Frame], most: int) -> Iterator[list[Frame]]:
    """Frames in groups of one size, at most so many each; those before an error come before it."""
    group: list[Frame] = []
    while True:
        try:
            frame = next(frames, None)
        except BaseException:
            if group:
                yield group
            raise
        if group and (frame is None or frame.pixels.shape != group[0].pixels.shape):
            yield group
            group = []
        if frame is None:
            return
        group.append(frame)
        if len(group) == most:
            yield group
            group = []
