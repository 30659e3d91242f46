"""Tensors to picture files, Pillow images and bytes."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageCms, PngImagePlugin
from torch import Tensor

from impasto.errors import InputError
from impasto.files import check_target, write_bytes
from impasto.media.formats import clip, reason

WRITABLE = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
LONGEST_SIDE = {"JPEG": 65_500, "WEBP": 16_383}  # pixels; the encoders refuse more
LONGEST_EXIF = 60_000  # bytes; an EXIF block of JPEG ends at 64 KiB
IMAGE_DESCRIPTION = 0x010E  # EXIF tag


def to_pil(pixels: Tensor, alpha: Tensor | None = None) -> Image.Image:
    """Pixels as a Pillow image of 8 bits, values clamped to [0, 1] and rounded to the nearest level.

    Args:
        pixels: (1, 3, H, W) or (3, H, W), floats in [0, 1].
        alpha: (1, 1, H, W) or (1, H, W), opacity in [0, 1].

    Returns:
        An RGB image, RGBA with `alpha`.

    Raises:
        InputError: another shape or type, or NaN.
    """
    color = _plane(pixels, 3, "pixels")
    if alpha is None:
        return Image.fromarray(_levels(color))
    opacity = _plane(alpha, 1, "alpha")
    if opacity.shape[1:] != color.shape[1:]:
        raise InputError(f"alpha is {tuple(opacity.shape[1:])}, pixels are {tuple(color.shape[1:])}: expected one size")
    return Image.fromarray(_levels(torch.cat((color, opacity))))


def _plane(tensor: Tensor, channels: int, name: str) -> Tensor:
    """(1, C, H, W) or (C, H, W) as float32 (C, H, W) in the computer's own memory, checked."""
    plane = tensor.detach()
    plane = plane[0] if plane.ndim == 4 and plane.shape[0] == 1 else plane
    if plane.ndim != 3 or plane.shape[0] != channels or plane.numel() == 0 or not plane.dtype.is_floating_point:
        raise InputError(
            f"{name} of shape {tuple(tensor.shape)} and type {tensor.dtype}: expected floats (1, {channels}, H, W)"
        )
    if bool(plane.isnan().any()):
        raise InputError(f"{name} of shape {tuple(tensor.shape)} hold NaN: expected values in [0, 1]")
    return plane.to("cpu", torch.float32)


def _levels(planes: Tensor) -> npt.NDArray[np.uint8]:
    """(C, H, W) in [0, 1] as (H, W, C) levels 0..255."""
    levels = (planes.clamp(0, 1) * 255).round().to(torch.uint8)
    return np.ascontiguousarray(levels.permute(1, 2, 0).numpy())


def check_output(path: str | Path, *, force: bool) -> Path:
    """Find out whether a picture can be written to `path`: `check_target` for the suffixes of pictures."""
    return check_target(path, force=force, suffixes=tuple(WRITABLE))


def encode(
    pixels: Tensor,
    suffix: str = ".png",
    *,
    alpha: Tensor | None = None,
    metadata: Mapping[str, str] | None = None,
    quality: int = 95,
) -> bytes:
    """The bytes of a picture file; see `write_image`, which has the same arguments.

    Args:
        suffix: of the format, such as `.png`.
    """
    kind = _format(Path(f"picture{suffix}"))
    if not 1 <= quality <= 100:
        raise InputError(f"quality {quality} is out of range: expected 1 to 100")
    if kind == "JPEG" and alpha is not None:
        flat = to_pil(pixels, alpha)  # checks the shapes, too
        image = Image.alpha_composite(Image.new("RGBA", flat.size, "white"), flat).convert("RGB")
    else:
        image = to_pil(pixels, alpha)
    limit = LONGEST_SIDE.get(kind)
    if limit is not None and max(image.size) > limit:
        raise InputError(
            f"{image.width} x {image.height} pixels are too many for {kind}, a side of which is at most {limit}: "
            "write .png or .tiff"
        )
    encoded = io.BytesIO()
    try:
        image.save(encoded, format=kind, **_options(kind, metadata or {}, quality))
    except (OSError, ValueError) as error:  # an encoder's limit
        raise InputError(f"cannot encode {image.width} x {image.height} pixels as {kind}: {reason(error)}") from error
    return encoded.getvalue()


def write_image(
    path: str | Path,
    pixels: Tensor,
    *,
    alpha: Tensor | None = None,
    metadata: Mapping[str, str] | None = None,
    quality: int = 95,
) -> None:
    """Write a picture with its sRGB profile: whole or not at all, replacing what is there; missing folders are made.

    ==========  ======================================  ==========================================================
    suffix      picture                                 metadata
    ==========  ======================================  ==========================================================
    .png        lossless, with alpha                    one international text chunk an entry
    .jpg .jpeg  `quality`, full color resolution        JSON in the EXIF image description; left out if it would
                (4:4:4), alpha laid over white          be over 60 kB
    .webp       `quality`, with alpha                   as JPEG
    .tif .tiff  lossless (Deflate), with alpha          as JPEG
    ==========  ======================================  ==========================================================

    The same pixels give the same bytes.

    Args:
        path: of the file; its suffix selects the format.
        pixels: (1, 3, H, W) or (3, H, W), RGB in sRGB, floats in [0, 1].
        alpha: (1, 1, H, W) or (1, H, W), opacity in [0, 1].
        metadata: names (1 to 79 Latin-1 characters) and texts to store.
        quality: of JPEG and WebP, 1 to 100.

    Raises:
        InputError: unknown suffix, shape, quality or name; a side too long for the format; or writing failed.
    """
    target = Path(path)
    _format(target)
    write_bytes(target, encode(pixels, target.suffix, alpha=alpha, metadata=metadata, quality=quality))


def _format(path: Path) -> str:
    """Pillow's name of the format to write."""
    kind = WRITABLE.get(path.suffix.lower())
    if kind is None:
        raise InputError(
            f"cannot write {str(path)!r}: its suffix is {path.suffix!r}; expected one of {', '.join(WRITABLE)}"
        )
    return kind


def _options(kind: str, metadata: Mapping[str, str], quality: int) -> dict[str, Any]:
    """Pillow's keywords for one format."""
    options: dict[str, Any] = {"icc_profile": _srgb_profile()}
    if kind == "PNG":
        options["pnginfo"] = _text_chunks(metadata)
        return options
    description = json.dumps(dict(metadata))  # escaped to ASCII, all that EXIF allows
    if metadata and len(description) <= LONGEST_EXIF:
        options["exif"] = Image.Exif()
        options["exif"][IMAGE_DESCRIPTION] = description
    if kind == "JPEG":
        return options | {"quality": quality, "subsampling": "4:4:4"}
    if kind == "WEBP":
        return options | {"quality": quality}
    return options | {"compression": "tiff_adobe_deflate"}


def _text_chunks(metadata: Mapping[str, str]) -> PngImagePlugin.PngInfo:
    chunks = PngImagePlugin.PngInfo()
    for key, value in metadata.items():
        if not 1 <= len(key) <= 79 or "\0" in key or any(ord(letter) > 255 for letter in key):
            raise InputError(f"metadata name {clip(key)!r}: PNG expects 1 to 79 Latin-1 characters, and no NUL")
        clean = value.encode("utf-8", "replace").decode("utf-8")  # file names may hold lone surrogates
        chunks.add_itxt(key, clean)
    return chunks


def _srgb_profile() -> bytes:
    """The sRGB profile, without the time of its making: files are to be reproducible."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    made = bytes((0x07, 0xD0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0))  # 2000-01-01 00:00:00
    return profile[:24] + made + profile[36:]
