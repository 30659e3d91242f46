"""Labeled sheets of pictures."""

from __future__ import annotations

from collections.abc import Sequence

import PIL.Image
from PIL import ImageDraw, ImageFont
from torch import Tensor

from impasto.media.image import read_image, to_pil


def sheet(
    rows: Sequence[Sequence[Tensor]], row_labels: Sequence[str], column_labels: Sequence[str], *, gap: int = 6
) -> Tensor:
    """Pictures of one size in a grid on white, with labels above the columns and beside the rows.

    Args:
        rows: pictures `(1, 3, H, W)`, RGB, [0, 1], row by row.
        row_labels, column_labels: one for each.
        gap: between pictures, in pixels.

    Returns:
        `(1, 3, H', W')`, RGB, [0, 1].
    """
    height, width = rows[0][0].shape[-2:]
    points = max(10, height // 12)
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
