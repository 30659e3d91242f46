"""Pictures in files and in memory, to and from tensors."""

from impasto.media.image import (
    Picture,
    check_output,
    encode_image,
    pictures_in,
    read_image,
    read_metadata,
    to_pil,
    write_image,
)
from impasto.media.sheet import gallery, sheet

__all__ = [
    "Picture",
    "check_output",
    "encode_image",
    "gallery",
    "pictures_in",
    "read_image",
    "read_metadata",
    "sheet",
    "to_pil",
    "write_image",
]
