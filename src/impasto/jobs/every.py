"""Every job by name: what fronts are made of. Importing this imports no torch."""

from __future__ import annotations

from impasto.jobs.base import Job
from impasto.jobs.batch import Batch
from impasto.jobs.dream import Dream
from impasto.jobs.export import Export
from impasto.jobs.grid import Grid
from impasto.jobs.invert import Invert, Reconstruct
from impasto.jobs.live import Live
from impasto.jobs.look import Activations, Deconv, Excite, Filters, Guided, Saliency, SmoothGrad
from impasto.jobs.patches import Patches
from impasto.jobs.stylize import Doodle, Stylize
from impasto.jobs.texture import Texture
from impasto.jobs.textures import Textures
from impasto.jobs.train import Train
from impasto.jobs.upscale import Upscale
from impasto.jobs.video import Video

#: Name -> class, in the order of help texts.
JOBS: dict[str, type[Job]] = {
    job.name: job
    for job in (
        Stylize,
        Batch,
        Doodle,
        Video,
        Live,
        Texture,
        Textures,
        Dream,
        Invert,
        Reconstruct,
        Grid,
        Train,
        Upscale,
        Export,
        Filters,
        Activations,
        Saliency,
        Deconv,
        Guided,
        SmoothGrad,
        Excite,
        Patches,
    )
}
