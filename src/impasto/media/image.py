"""Still pictures: files, Pillow images and arrays in; tensors inside. `media.write` writes them.

Inside impasto a picture is always a float32 tensor (1, 3, H, W), RGB in sRGB, range [0, 1]. Everything that a file may
do differently (orientation, color profile, palette, CMYK, gray, 16 bits, transparency) is undone by `read_image`.

Of PNG and TIFF 16 bits per channel are kept; other formats are read with 8. Floats and integers in files are taken as
sRGB unless the file says otherwise.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeAlias, final, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from PIL import ExifTags, Image, ImageCms, PngImagePlugin
from PIL.JpegImagePlugin import JpegImageFile
from torch import Tensor

from impasto.errors import InputError
from impasto.media.formats import (
    FIRST_FRAME_IS_THE_PICTURE,
    Samples,
    check_readable,
    check_size,
    code_points,
    decoding,
    gray_top,
    is_misread,
    is_preview,
    levels_to_unit,
    open_picture,
    sixteen_bits,
    turned,
    unpacked,
    white_is_zero,
)
from impasto.media.gamut import ADOBE, D65, SRGB, Space, from_cicp, from_profile, power, to_xyz
from impasto.media.write import IMAGE_DESCRIPTION


@runtime_checkable
class BinaryFile(Protocol):
    """A file open in binary mode, or anything with its `read` and `seek`."""

    def read(self, size: int = -1, /) -> bytes: ...

    def seek(self, offset: int, /) -> int: ...


Source: TypeAlias = str | os.PathLike[str] | bytes | BinaryFile | Image.Image | npt.NDArray[Any] | Tensor

PROFILE_MODES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK", "Lab": "LAB"}  # of ICC color spaces
PNG_PRIMARIES = (*D65, *SRGB[:6])  # sRGB's, in the order of chunk cHRM
CAMERA_FORMATS = ("JPEG", "MPO", "TIFF")
TOLERANCE = 1e-5  # how far a float may lie outside [0, 1]: rounding, not another range


@final
@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as the rest of impasto sees it.

    Attributes:
        pixels: (1, 3, H, W) float32, RGB in sRGB, range [0, 1]. Never transparent; see `read_image`.
        alpha: (1, 1, H, W) float32, opacity in [0, 1], or None if the picture is opaque everywhere.
    """

    pixels: Tensor
    alpha: Tensor | None = None

    @property
    def channels(self) -> Tensor:
        """The pixels, and behind them the opacity if there is one: `(1, 3 or 4, H, W)`."""
        return self.pixels if self.alpha is None else torch.cat([self.pixels, self.alpha], 1)


# Reading


def read_image(source: Source, *, at_least: int | None = None) -> Picture:
    """Read a picture from a file, bytes, a Pillow image, an array or a tensor.

    ====================================  ======================================================================
    path, bytes, binary file,             any mode; orientation applied, colors converted to sRGB (ICC profiles,
    `PIL.Image.Image`                     CICP, gamma; HDR rolled off above diffuse white)
    array (H, W), (H, W, 1 | 3 | 4)       uint8, uint16, floats in [0, 1], or bool (True = 1)
    tensor (C, H, W), (1, C, H, W)        C = 1, 3 or 4; uint8, floats in [0, 1], or bool, also (H, W); stays on its
                                          device
    ====================================  ======================================================================

    Files are whatever Pillow reads of raster formats, with 16 bits per channel in PNG and TIFF; OpenRaster and Krita;
    and with impasto's extras HEIC (`heif`), cameras' raw files (`raw`) and rare kinds of TIFF (`tiff`).

    Transparent pictures are laid over their own mean color (weighted by opacity): the color hidden under transparent
    pixels is arbitrary, and an invented white or black would enter the statistics of a style and put a hard edge around
    the subject. A picture that is transparent everywhere becomes white. The opacity itself is kept in `Picture.alpha`.

    Args:
        source: the picture.
        at_least: pixels of the short side that suffice: a larger JPEG file is decoded at 1/2, 1/4 or 1/8 of its size if
            that leaves as many, which is several times as fast. Other sources are read at full size.

    Raises:
        InputError: the file is missing, unreadable, damaged, animated, too large (see `PIL.Image.MAX_IMAGE_PIXELS`) or
            no picture; a package is missing; or the array has another shape, type or range.
    """
    if isinstance(source, Tensor):
        return _picture(_from_tensor(source))
    if isinstance(source, np.ndarray):
        return _picture(_from_array(source))
    if isinstance(source, Image.Image):
        name = f"the {source.mode} image"
        if is_preview(source) or is_misread(source):
            raise InputError(f"{name} is of a TIFF that Pillow does not read rightly: give the file's path instead")
        with decoding(name):
            channels = _from_pil(source, name)
        return _picture(channels)
    with _binary(source) as (file, name):
        opened = open_picture(file, name)
        if isinstance(opened, Samples):
            channels = _from_samples(opened)
        else:
            with opened:
                channels = _from_pil(opened, name, file, at_least)
    return _picture(channels)


def read_metadata(source: str | os.PathLike[str] | bytes | BinaryFile) -> dict[str, str]:
    """The text that is stored in a picture file.

    Returns:
        The text chunks of a PNG; of other formats, the entries that `write_image` stored (empty if there are none).

    Raises:
        InputError: as for `read_image`.
    """
    with _binary(source) as (file, name):
        image = open_picture(file, name)
        if isinstance(image, PngImagePlugin.PngImageFile):
            if "impasto" in image.info:  # ours stands before the pixels, which need not be decoded
                return {str(name): text for name, text in image.info.items() if isinstance(text, str)}
            return {str(key): str(value) for key, value in image.text.items()}
        description = None if isinstance(image, Samples) else image.getexif().get(IMAGE_DESCRIPTION)
    with suppress(TypeError, ValueError):
        entries = json.loads(description)  # type: ignore[arg-type]  # a TypeError is suppressed
        if isinstance(entries, dict):
            return {str(key): str(value) for key, value in entries.items()}
    return {}


@contextmanager
def _binary(source: object) -> Iterator[tuple[BinaryIO, str]]:
    """A file that can be read from any place, and what to call it; errors of decoders are turned into InputError."""
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        check_readable(path)
        with decoding(str(path)), path.open("rb") as file:
            yield unpacked(file, str(path)), str(path)
        return
    if isinstance(source, BinaryFile):
        with suppress(OSError):  # a stream
            source.seek(0)
        source = source.read()
    if not isinstance(source, bytes | bytearray | memoryview):
        raise InputError(
            f"cannot read a picture from a {type(source).__name__}: "
            "give a path, bytes, a binary file, a Pillow image, a NumPy array or a tensor"
        )
    if not source:
        raise InputError("the picture given is empty (0 bytes): give the bytes of a picture file")
    name = "the picture given as bytes"
    with decoding(name):
        yield unpacked(io.BytesIO(source), name), name


def _picture(channels: Tensor) -> Picture:
    """(C, H, W) in [0, 1], C = 1, 3 or 4, as a Picture."""
    color, alpha = channels[None, :3], channels[None, 3:]  # (1, 1 | 3, H, W), (1, 0 | 1, H, W)
    if color.shape[1] == 1:
        color = color.repeat(1, 3, 1, 1)
    if alpha.numel() == 0 or bool((alpha == 1).all()):
        return Picture(color.contiguous())
    weight = alpha.sum()
    mean = (color * alpha).sum((2, 3), keepdim=True) / weight if weight > 0 else torch.ones_like(color[..., :1, :1])
    return Picture((color * alpha + mean * (1 - alpha)).clamp(0, 1), alpha.contiguous())


def _from_tensor(tensor: Tensor) -> Tensor:
    """(C, H, W) or (1, C, H, W), uint8 or float, as (C, H, W) float32 in [0, 1]."""
    channels = tensor.detach()
    if channels.dtype == torch.bool:  # a mask
        channels = (channels[None] if channels.ndim == 2 else channels).to(torch.float32)
    if channels.ndim == 4 and channels.shape[0] == 1:
        channels = channels[0]
    if channels.ndim != 3 or channels.shape[0] not in (1, 3, 4) or channels.numel() == 0:
        raise InputError(
            f"a tensor of shape {tuple(tensor.shape)} is no picture: "
            "expected (C, H, W) or (1, C, H, W) with C = 1, 3 or 4"
        )
    if channels.dtype == torch.uint8:
        return channels.to(torch.float32) / 255
    if not channels.dtype.is_floating_point:
        raise InputError(f"a tensor of type {channels.dtype} is no picture: convert it to uint8 or to floats in [0, 1]")
    return _unit_range(channels.to(torch.float32), "tensor")


def _from_array(array: npt.NDArray[Any]) -> Tensor:
    """(H, W) or (H, W, 1 | 3 | 4), uint8, uint16 or float, as (C, H, W) float32 in [0, 1]."""
    pixels = array[..., None] if array.ndim == 2 else array
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or pixels.size == 0:
        raise InputError(
            f"an array of shape {array.shape} is no picture: expected (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)"
        )
    is_float = array.dtype.kind in "fb"  # bool: a mask
    if not is_float and (array.dtype.kind, array.dtype.itemsize) not in (("u", 1), ("u", 2)):  # in any byte order
        raise InputError(
            f"an array of type {array.dtype} is no picture: convert it to uint8, uint16 or to floats in [0, 1]"
        )
    floats = np.array(pixels, dtype=np.float32, order="C")  # a copy, so that torch may own it
    channels = torch.from_numpy(floats).permute(2, 0, 1).contiguous()
    return _unit_range(channels, "array") if is_float else channels / float(np.iinfo(array.dtype).max)


def _unit_range(values: Tensor, kind: str) -> Tensor:
    """`values` if they are finite and in [0, 1], but for rounding."""
    low, high = (float(value) for value in values.aminmax())  # NaN if there is one
    if not (low >= -TOLERANCE and high <= 1 + TOLERANCE):
        raise InputError(
            f"the {kind} holds values from {low:g} to {high:g}: expected finite floats in [0, 1]; "
            "divide 8-bit values by 255"
        )
    return values.clamp(0, 1)


def _from_pil(image: Image.Image, name: str, file: BinaryIO | None = None, at_least: int | None = None) -> Tensor:
    """A Pillow image of any mode, perhaps still in its file, as (C, H, W) float32 in [0, 1], C = 1, 3 or 4."""
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format not in FIRST_FRAME_IS_THE_PICTURE:
        raise InputError(f"{name} has {frames} frames or pages: expected a still picture; extract one of them first")
    if at_least is not None and isinstance(image, JpegImageFile):
        image.draft(None, (at_least, at_least))
    check_size(name, *image.size, limited=file is not None)
    space = _space(image, file)
    if file is not None:
        samples = sixteen_bits(image, file, name)
        if samples is not None:
            return _from_samples(samples, space)
    image.load()
    if image.mode.startswith("I") or image.mode == "F":
        gray = levels_to_unit(np.asarray(turned(image)), gray_top(image), name)[..., None]
        return _from_samples(Samples(1 - gray if white_is_zero(image) else gray, image.info.get("icc_profile")), space)
    profile = _profile(image.info.get("icc_profile"))
    image = turned(image)
    if image.mode == "La":  # premultiplied; Pillow converts it to nothing else
        image = image.convert("LA")
    straight = image.convert("RGBA") if image.has_transparency_data else image
    if space is not None:
        pixels = np.asarray(straight.convert("RGBA" if straight.mode == "RGBA" else "RGB"))
        return _from_samples(Samples(np.asarray(pixels / 255, np.float32)), space)
    if straight is image:
        return _from_array(np.asarray(_to_srgb(image, profile)))
    color = _to_srgb(straight.convert("L") if image.mode in ("LA", "L") else straight.convert("RGB"), profile)
    color.putalpha(straight.getchannel("A"))
    return _from_array(np.asarray(color))


def _space(image: Image.Image, file: BinaryIO | None) -> Space | None:
    """The color space that a picture names in another way than by an ICC profile; None for sRGB or with a profile."""
    points = code_points(file) if file is not None else None
    if points is not None and (image.format == "PNG" or "icc_profile" not in image.info):
        return from_cicp(*points)
    if "icc_profile" in image.info:
        return None
    gamma = image.info.get("gamma")
    if gamma and "srgb" not in image.info:
        primaries = image.info.get("chromaticity", PNG_PRIMARIES)  # of white, red, green and blue
        if abs(gamma - 1 / 2.2) > 0.01 or np.abs(np.subtract(primaries, PNG_PRIMARIES)).max() > 0.01:
            return Space(to_xyz((*primaries[2:], *primaries[:2])), (power(1 / gamma),))
        return None
    with suppress(Exception):  # damaged EXIF
        if (
            image.format in CAMERA_FORMATS and image.getexif().get_ifd(ExifTags.IFD.Interop).get(1) == "R03"
        ):  # a camera's Adobe RGB
            return Space(to_xyz(ADOBE), (power(563 / 256),))
    return None


def _from_samples(samples: Samples, space: Space | None = None) -> Tensor:
    """More than 8 bits, or another space, as (C, H, W) float32 sRGB in [0, 1], C = 1, 3 or 4."""
    count = samples.values.shape[2]
    color, alpha = np.split(samples.values, [count - (count % 2 == 0)], axis=2)
    if alpha.size and color.shape[2] == 1:
        color = color.repeat(3, axis=2)
    if space is not None:
        color = space.to_srgb(np.broadcast_to(color, (*color.shape[:2], 3)))
    elif samples.profile:
        color = _deep_to_srgb(color, samples.profile)
    return _from_array(np.concatenate((color, alpha), axis=2))


def _deep_to_srgb(color: npt.NDArray[np.float32], data: bytes) -> npt.NDArray[np.float32]:
    """(H, W, 1 | 3) of an ICC profile as sRGB. Pillow converts 8 bits only: matrices are applied here, the curve of
    gray is interpolated between 256 levels, and only RGB profiles with tables are converted with 8 bits."""
    if color.shape[2] == 3:
        with suppress(Exception):  # a damaged profile
            if (space := from_profile(data)) is not None:
                return space.to_srgb(color)
    profile = _profile(data)
    if profile is None:
        return color
    levels = (color * 255).round().astype(np.uint8) if color.shape[2] == 3 else np.arange(256, dtype=np.uint8)[None]
    converted = np.asarray(_to_srgb(Image.fromarray(levels), profile)) / 255
    if color.shape[2] == 1:
        converted = np.interp(color, levels[0] / 255, converted[0].mean(axis=1))
    return np.asarray(converted, np.float32)


def _profile(data: bytes | None) -> ImageCms.ImageCmsProfile | None:
    """A color profile, None if there is none or it is broken."""
    with suppress(ImageCms.PyCMSError, OSError, TypeError):
        return ImageCms.ImageCmsProfile(io.BytesIO(data)) if data else None
    return None


def _to_srgb(image: Image.Image, profile: ImageCms.ImageCmsProfile | None) -> Image.Image:
    """An opaque 8-bit image as RGB in sRGB; a profile that does not fit the image is ignored."""
    if profile is None and image.mode == "LAB":
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    if profile is not None:
        mode = PROFILE_MODES.get(profile.profile.xcolor_space.strip())
        gray, separate = image.mode in ("1", "L"), image.mode in ("CMYK", "LAB")
        fits = image.mode == mode or (mode == "L" and gray) or (mode == "RGB" and not separate)
        if not fits:
            return _to_srgb(image, None)
        with suppress(ImageCms.PyCMSError, OSError, ValueError):
            converted = ImageCms.profileToProfile(
                image.convert(mode),
                profile,
                ImageCms.createProfile("sRGB"),
                renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
                outputMode="RGB",
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
            assert converted is not None  # None only if converted in place
            return converted
    return image.convert("RGB")
