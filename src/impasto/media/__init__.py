"""Pictures in files and in memory, to and from tensors."""

from impasto.media.formats import pictures_in
from impasto.media.image import Picture, read_image, read_metadata
from impasto.media.sheet import gallery, sheet, stacked
from impasto.media.write import check_output, encode, to_pil, write_image

__all__ = [
    "Picture",
    "check_output",
    "encode",
    "gallery",
    "pictures_in",
    "read_image",
    "read_metadata",
    "sheet",
    "stacked",
    "to_pil",
    "write_image",
]
