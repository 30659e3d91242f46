"""Labeled sheets of pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence

import PIL.Image
import torch
from PIL import ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional

from impasto.media.image import read_image
from impasto.media.write import to_pil


def gallery(pictures: Sequence[Tensor], labels: Sequence[str], *, columns: int = 0, least: int = 96) -> Tensor:
    """Pictures in a nearly square grid, each with its label above, small ones enlarged by whole pixels alike.

    Args:
        pictures: `(1, 3, H, W)` or `(1, 1, H, W)` each, of one size, [0, 1].
        labels: one for each.
        columns: how many; 0 for nearly as many as rows.
        least: short side that pictures are enlarged to, in pixels.

    Returns:
        `(1, 3, H', W')`, RGB, [0, 1].
    """
    columns = columns or math.ceil(math.sqrt(len(pictures)))
    times = max(1, math.ceil(least / min(pictures[0].shape[-2:])))
    shown = [p.cpu().expand(1, 3, -1, -1).repeat_interleave(times, 2).repeat_interleave(times, 3) for p in pictures]
    rows = [shown[i : i + columns] for i in range(0, len(shown), columns)]
    strips = [sheet([row], [""], labels[i * columns : i * columns + len(row)]) for i, row in enumerate(rows)]
    width = max(strip.shape[3] for strip in strips)
    return torch.cat([functional.pad(strip, (0, width - strip.shape[3]), value=1.0) for strip in strips], 2)


def stacked(pages: Sequence[Tensor], labels: Sequence[str]) -> Tensor:
    """Pages `(1, 3, H, W)` of any size, each with its label above, one below the other on white."""
    titled = [sheet([[page]], [""], [label], points=18) for page, label in zip(pages, labels, strict=True)]
    width = max(page.shape[3] for page in titled)
    return torch.cat([functional.pad(page, (0, width - page.shape[3]), value=1.0) for page in titled], 2)


def sheet(
    rows: Sequence[Sequence[Tensor]],
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    *,
    gap: int = 6,
    points: int = 0,
) -> Tensor:
    """Pictures of one size in a grid on white, with labels above the columns and beside the rows.

    Args:
        rows: pictures `(1, 3, H, W)`, RGB, [0, 1], row by row.
        row_labels, column_labels: one for each.
        gap: between pictures, in pixels.
        points: height of the letters; what suits the pictures if 0.

    Returns:
        `(1, 3, H', W')`, RGB, [0, 1].
    """
    height, width = rows[0][0].shape[-2:]
    points = points or max(10, height // 12)
    font = ImageFont.load_default(size=points)
    probe = ImageDraw.Draw(PIL.Image.new("RGB", (1, 1)))
    left = round(max(probe.textlength(label, font=font) for label in row_labels)) + 2 * gap
    top = round(points * 1.3) + 2 * gap
    page = PIL.Image.new("RGB", (left + (width + gap) * len(rows[0]), top + (height + gap) * len(rows)), "white")
    draw = ImageDraw.Draw(page)
    for column, label in enumerate(column_labels):
        draw.text((left + column * (width + gap) + width / 2, top / 2), label, "black", font, anchor="mm")
    for row, (label, pictures) in enumerate(zip(row_labels, rows, strict=True)):
        y = top + row * (height + gap)
        draw.text((left - gap, y + height / 2), label, "black", font, anchor="rm")
        for column, picture in enumerate(pictures):
            page.paste(to_pil(picture.cpu()), (left + column * (width + gap), y))
    return read_image(page).pixels
