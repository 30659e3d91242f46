"""What paints the frames of a video: network and encoder once, a shot's look once, and a frame's controls each time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from impasto.errors import InputError
from impasto.jobs.running import memory_limit, open_encoder
from impasto.jobs.scene import Scene
from impasto.jobs.stylize import ONE_PASS
from impasto.jobs.video import Video
from impasto.media import read_image
from impasto.media.flow import Estimator, Still, estimator
from impasto.media.image import Source
from impasto.methods.instant import Painter, instant, open_painter
from impasto.methods.regions import Prepare, Region, StyleImage, scaled, unchanged
from impasto.methods.settings import StylizeSettings, encoder_name
from impasto.methods.stylize import recolor
from impasto.methods.tie import Tie
from impasto.methods.video import Follower, Steps
from impasto.networks.models import default_model
from impasto.objective.cache import MemoryCache

#: Every so many frames of a shot, one tells of its colors, and at most so many do.
SAMPLED, MOST_SAMPLES = 8, 8


@dataclass
class FramePainter:
    """Paints frames of one size.

    Attributes:
        job: resolved.
        settings: of a frame by itself.
        regions: of the frame that is painted now.
    """

    job: Video
    settings: StylizeSettings
    regions: Sequence[Region] = ()
    _look: Tensor | None = None
    _masked: Sequence[Region] = ()
    _vectors: list[Tensor] = field(default_factory=list)
    _styles: list[Source] = field(default_factory=list)

    def __post_init__(self) -> None:
        job, self.limit = self.job, memory_limit(self.job)
        self.painter: Painter | None = None
        if job.quality != "ruder":
            model = job.model or default_model(job.style_name)
            self.painter = open_painter(model, job.device, job.precision, self.limit)
        if job.mode != ONE_PASS:
            self.encoder = open_encoder(job)
            self.settings = self.settings.resolved(encoder_name(job.encoder))
            self.cache = MemoryCache()

    def begin(self, samples: Sequence[Tensor]) -> None:
        """A shot begins.

        Args:
            samples: some of its frames, `(1, 3, H, W)`, whose colors count for the whole shot, so that they do not
                change from frame to frame.
        """
        job, device = self.job, self.job.device
        self._look, self._vectors, self._styles = None, [], []
        if not job.style:
            self._own_styles()
            return
        colors = torch.cat([scaled(s, min(256, max(s.shape[-2:]))) for s in samples], 3).to(device)
        prepare = recolor(self.settings, colors)
        if self.painter is not None and self.painter.model.any_style:
            scene = Scene(job.style, style_masks=job.style_masks, device=device)
            self._vectors = scene.described(self.painter, prepare)
        self._styles = [self._prepared(style, prepare) for style in job.style]

    def _own_styles(self) -> None:
        """Those of the network."""
        assert self.painter is not None
        known_styles = self.painter.model.styles
        names = self.job.style_name or (tuple(known_styles) if len(known_styles) == 1 else ())
        if not names:
            listed = ", ".join(known_styles)
            raise InputError(
                f"name a style of the network: {listed}" if listed else "style is missing: give a painting"
            )
        self._vectors = [self.painter.model.blended({name: 1.0}).to(self.job.device) for name in names]

    def _prepared(self, style: Source, prepare: Prepare) -> Source:
        """A painting as it is for the whole shot; a folder as it is."""
        if isinstance(style, str) and Path(style).is_dir():
            return style
        picture = read_image(style).channels.to(self.job.device)
        if prepare is unchanged or self.settings.color == "content-luminance":
            return picture
        opened = StyleImage(picture).opened(prepare)
        return opened.pixels() if opened.mask is None else torch.cat([opened.pixels(), opened.mask], 1)

    def weights_at(self, seconds: float) -> tuple[float, ...]:
        """Of the styles, at a time since the beginning."""
        job = self.job
        keys = job.blend_at
        if not keys:
            return job.blend or (1.0,) * max(len(job.style), len(self._vectors))
        earlier = [key for key in keys if key[0] <= seconds]
        later = [key for key in keys if key[0] > seconds]
        (a, first), (b, second) = (earlier or later)[-1 if earlier else 0], (later or earlier)[0 if later else -1]
        part = (seconds - a) / (b - a) if b > a else 0.0
        return tuple(x + part * (y - x) for x, y in zip(first, second, strict=True))

    def look_at(self, photo: Tensor, seconds: float, masks: Sequence[Source]) -> None:
        """The next frame, `(1, 3, H, W)`, is at that time, with such masks."""
        weights = self.weights_at(seconds)
        if self._vectors and not masks:
            total = sum(weights)
            if not total > 0:
                raise InputError(f"the weights of the styles sum to {total:g} at {seconds:g} s; give one a weight")
            self._look = torch.stack([w / total * v for w, v in zip(weights, self._vectors, strict=True)]).sum(0)
        if self.job.style and (masks or self.job.mode != ONE_PASS):
            pairs = [(mask, number) for mask, (_, number) in zip(masks, self.job.masks, strict=True)]
            self.regions = self._scene(weights, pairs).regions(photo)
            if masks:
                self._masked = replace(self._scene(weights, pairs), looks=self._vectors).regions(photo)

    def _scene(self, weights: Sequence[float], masks: Sequence[tuple[Source, int]]) -> Scene:
        return Scene(self._styles, weights, masks, self.job.style_masks, device=self.job.device)

    def paint(self, photo: Tensor) -> Tensor:
        """A frame by itself: what the network makes of it; itself where there is none."""
        if self.painter is None:
            generator = torch.Generator().manual_seed(self.settings.seed)
            return torch.rand(photo.shape, generator=generator).to(photo)
        if self._look is not None:
            styles: Tensor | Sequence[Region] = self._look
        elif self._vectors:
            styles = self._masked
        else:
            raise InputError("this network paints in its own styles only: name one, or choose the model any")
        return instant(self.painter, photo, styles, self.settings, strength=self.job.strength, grow=False)

    def steps(self) -> Steps | None:
        """The optimization of the frame that is painted now; None in one pass."""
        if self.job.mode == ONE_PASS:
            return None
        job, held = self.job, self.settings
        if held.color in ("content-match", "histogram"):
            held = held.changed(color="style")  # paintings have the shot's colors already
        weight = job.temporal_weight * job.consistency
        return Steps(self.encoder, self.regions, held, job.frame_steps, weight, self.cache, self.limit)

    def alone(self, photo: Tensor) -> Tensor:
        """What the same quality makes of a frame without the others."""
        start, steps = self.paint(photo), self.steps()
        return start if steps is None else steps(photo, start, ())

    def follower(self) -> Follower:
        """What paints the frames of a shot."""
        job = self.job
        paper = job.quality == "ruder"
        usual, part = Tie(), min(1.0, 4 * job.strength)  # what is hardly painted is left alone
        still = replace(usual, share=usual.share * job.consistency * part, most=1 + (usual.most - 1) * part)
        tie = None if paper else still
        ago = job.long_term if job.mode != ONE_PASS else (1,)
        sampling = "bilinear" if paper else "spline"
        return Follower(self.paint, motion_of(job), tie, None, ago, hard=paper, sampling=sampling)


def motion_of(job: Video) -> Estimator:
    """What finds the flow."""
    if job.flow == "none":
        return Still()
    return estimator("dis-fine" if job.flow == "dis" and job.quality == "best" else job.flow)
