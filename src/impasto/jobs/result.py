"""What a job gives back."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import PIL.Image
from torch import Tensor

from impasto.files import check_target
from impasto.jobs.base import Job
from impasto.media import encode, to_pil, write_image
from impasto.optional import needed

J = TypeVar("J", bound=Job, covariant=True)


@dataclass(frozen=True, eq=False, repr=False)
class Result(Generic[J]):
    """What a job made. A notebook shows it as its picture.

    Attributes:
        pixels: `(N, 3, H, W)`, RGB, [0, 1].
        job: what was run, with all that `auto` stood for.
        alpha: the photograph's opacity at that size, `(1, 1, H, W)`, [0, 1]; None if it is opaque.
        curve: one entry for each step: scale, step, loss, and its weighted parts by term and layer.
        about: the manifest: the job, hashes of its inputs, versions, machine.
    """

    pixels: Tensor
    job: J
    alpha: Tensor | None = None
    curve: Sequence[dict[str, Any]] = ()
    about: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        count, _, height, width = self.pixels.shape
        return f"Result of {self.job.name}: {f'{count} pictures of ' if count > 1 else ''}{width}x{height}"

    @property
    def settings(self) -> J:
        """The job, whose fields are the settings."""
        return self.job

    @property
    def losses(self) -> list[dict[str, float]]:
        """The weighted parts of the loss by name, for each step."""
        return [dict(entry["losses"]) for entry in self.curve]

    @property
    def image(self) -> PIL.Image.Image:
        """The first picture, 8 bits, RGB, or RGBA where the photograph is transparent."""
        return to_pil(self.pixels[:1], self.alpha)

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the picture with its manifest; the suffix selects the format.

        Raises:
            InputError: if it cannot be written, or is there and `force` is not given.
        """
        check_target(path, force=force)
        write_image(Path(path), self.pixels[:1], alpha=self.alpha, metadata=self.metadata())

    def to_bytes(self, suffix: str = ".png") -> bytes:
        """The picture with its manifest as a file's bytes."""
        return encode(self.pixels[:1], suffix, alpha=self.alpha, metadata=self.metadata())

    def metadata(self) -> dict[str, str]:
        """What picture files say of their making."""
        return {"impasto": json.dumps(self.about)} if self.about else {}

    def table(self) -> list[dict[str, float]]:
        """A row for each step: scale, step, loss, and all its parts; for `pandas.DataFrame` and CSV files."""
        plain = ("scale", "step", "seconds", "loss")
        return [{k: e[k] for k in plain if k in e} | e["losses"] for e in self.curve]

    def csv(self) -> str:
        """`table` as CSV."""
        rows = self.table()
        names = list(dict.fromkeys(name for row in rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, names, lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """The losses over the steps, as a matplotlib figure, which is also written to a path that is given.

        Raises:
            InputError: if matplotlib is not installed, or the file cannot be written.
        """
        figure = needed("matplotlib.figure", "plot").Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        names = dict.fromkeys(name for losses in self.losses for name in losses)
        for name in names:
            axes.plot([losses.get(name) for losses in self.losses], label=name)
        axes.set(xlabel="step", ylabel="weighted loss", yscale="symlog" if "dream" in names else "log")
        axes.legend()
        if path is not None:
            figure.savefig(path)
        return figure

    def _repr_png_(self) -> bytes:
        return self.to_bytes(".png")
