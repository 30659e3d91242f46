"""What kinds of picture files there are, and how each is opened: by Pillow, by an extra package, or not at all."""

from __future__ import annotations

import io
import logging
import os
import re
import stat
import struct
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, ImageOps, PsdImagePlugin, TiffImagePlugin, UnidentifiedImageError

from impasto.errors import InputError
from impasto.optional import needed

Array: TypeAlias = npt.NDArray[Any]

# Raster formats only: Pillow would start Ghostscript for EPS and guess at TGA, which has no signature.
READABLE = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "JPEG2000", "PPM", "PSD", "ICO", "QOI")
# Several frames, but one picture: phones add previews (MPO), Photoshop its layers.
FIRST_FRAME_IS_THE_PICTURE = ("MPO", "PSD")

LAYERED = (".ora", ".kra")  # OpenRaster and Krita: ZIP archives with the picture as it is seen in `mergedimage.png`
HEIF = (".heic", ".heif", ".hif")
_RAW = "3fr arw cr2 cr3 dng erf fff iiq kdc mef mos mrw nef nrw orf pef raf rw2 sr2 srw x3f"
RAW = tuple(f".{name}" for name in _RAW.split())

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
#: Signatures, after those of `READABLE`, of what people take for pictures that can be read.
OTHERS: Sequence[tuple[bytes, str]] = (
    (rb"gimp xcf", "a GIMP project: export it as PNG"),
    (rb"8BPS", "a Photoshop file with other than 8 bits per channel, or a PSB: save a copy with 8 bits, or as PNG"),
    (rb"%PDF", "a PDF document: export its page as PNG"),
    (rb"\s*(<\?xml.{0,400})?<svg", "an SVG drawing: export it as PNG"),
    (rb"\s*<(!doctype html|html|head|body)", "a web page: download the picture itself"),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "a JPEG XL picture: convert it to PNG"),
    (rb"v/1\x01|#\?RADIANCE|#\?RGBE", "a picture of light (OpenEXR or Radiance HDR): tone-map it to PNG first"),
)
SUBFILE_TYPE, BITS, COMPRESSION, PHOTOMETRIC, ORIENTATION, PLANAR = 254, 258, 259, 262, 274, 284  # TIFF tags
SUB_IFDS, SAMPLE_FORMAT, ICC_PROFILE, DNG_VERSION = 330, 339, 34675, 50706
WEBP = 50001  # of TIFF's compressions
VERSION_INFO = 1057  # of Photoshop's resources
SILENT = logging.NullHandler()
UNSUPPORTED = re.compile("unsupported|not supported|unknown|not (available|installed|configured)", re.I)
LARGEST_MERGED = 2**30  # bytes, of the picture unpacked from a layered file


# Errors


def reason(error: Exception) -> str:
    """A short line that says what went wrong."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return clip(" ".join(text.split()) or type(error).__name__)


def clip(text: str) -> str:
    """`text` cut to 200 characters."""
    return text if len(text) <= 200 else text[:197] + "..."


@contextmanager
def decoding(name: str) -> Iterator[None]:
    """Turn whatever a decoder raises into one InputError that starts with `name`.

    Warnings are left to Python's filters: to set these aside is not safe in threads.
    """
    try:
        yield
    except (InputError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise InputError(f"{name} is not a picture of a known format: convert it to PNG, JPEG, WebP or TIFF") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:  # the latter if warnings are errors
        raise InputError(f"{name} is too large ({reason(error)}): make it smaller first") from error
    except PermissionError as error:
        raise InputError(f"{name} may not be read ({reason(error)}): change its permissions") from error
    except (
        Exception
    ) as error:  # on damaged data decoders raise nearly anything: struct.error, KeyError, zlib.error, ...
        if UNSUPPORTED.search(str(error)):
            raise InputError(f"{name} is of a kind that cannot be read ({reason(error)}): convert it to PNG") from error
        raise InputError(
            f"{name} cannot be decoded ({reason(error)}): it seems damaged or cut short; copy or download it again"
        ) from error


# Files and folders


def status(path: Path) -> os.stat_result | None:
    """What the file system knows of `path`, None if there is nothing.

    Raises:
        InputError: no such path can exist, or it may not be looked at.
    """
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(f"cannot use the path {clip(str(path))!r}: {reason(error)}") from error


def check_readable(path: Path) -> None:
    """Raise InputError unless `path` is a file with something in it."""
    if re.match(r"(https?|ftp|s3|gs):/", str(path)):
        raise InputError(f"{str(path)!r} is an address: download the picture, then name the file")
    found = status(path)
    if found is None:
        raise InputError(f"there is no file {str(path)!r}: check the path")
    if stat.S_ISDIR(found.st_mode):
        raise InputError(f"{str(path)!r} is a directory: name a picture file in it")
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{str(path)!r} is not a regular file: name a picture file")
    if found.st_size == 0:
        raise InputError(f"{str(path)!r} is empty (0 bytes): copy or download it again")


def suffixes() -> set[str]:
    """Suffixes, in lower case, of the files that `read_image` can read with the packages that are installed."""
    known = {suffix for suffix, kind in Image.registered_extensions().items() if kind in READABLE}
    heif = HEIF if find_spec("pi_heif") else ()
    return known | {*LAYERED, *heif, *(RAW if find_spec("rawpy") else ())}


def pictures_in(
    folder: str | os.PathLike[str], *, recursive: bool, notice: Callable[[str], None] = lambda text: None
) -> list[Path]:
    """The picture files in a folder, sorted; hidden ones and those in hidden folders are left out.

    Args:
        folder: to search.
        recursive: whether folders in it are searched, too.
        notice: told, in a sentence, of the kinds of files that were left out.

    Raises:
        InputError: there is no such folder, or no picture in it.
    """
    root = Path(folder)
    found = status(root)
    if found is None or not stat.S_ISDIR(found.st_mode):
        raise InputError(f"there is no folder {clip(str(root))!r}: name a folder of pictures")
    paths = [p for p in (root.rglob("*") if recursive else root.iterdir()) if p.is_file()]
    paths = [p for p in paths if not any(part.startswith(".") for part in p.relative_to(root).parts)]
    known = suffixes()
    pictures = sorted(p for p in paths if p.suffix.lower() in known)
    others = Counter(p.suffix.lower() or "no suffix" for p in paths if p.suffix.lower() not in known)
    left_out = ", ".join(f"{count} × {suffix}" for suffix, count in sorted(others.items()))
    if not pictures:
        said = f"only {left_out}" if left_out else "no files"
        raise InputError(f"{str(root)!r} holds no pictures ({said}): it needs files like photo.jpg or photo.png")
    if left_out:
        notice(f"left out in {root}: {left_out}")
    return pictures


# Opening


@dataclass(frozen=True, eq=False)
class Samples:
    """A decoded picture of more than 8 bits.

    Attributes:
        values: (H, W, C) float32 in [0, 1], C = 1 to 4, upright, straight alpha last where C is even.
        profile: the ICC profile, None for sRGB.
    """

    values: npt.NDArray[np.float32]
    profile: bytes | None = None


def unpacked(file: BinaryIO, name: str) -> BinaryIO:
    """The merged picture in an OpenRaster or Krita file; other files as they are."""
    if file.read(4) != b"PK\3\4":
        return file
    with zipfile.ZipFile(file) as archive:
        try:
            member = archive.getinfo("mergedimage.png")
        except KeyError:
            raise InputError(f"{name} is a ZIP archive with no merged picture in it: give a picture file") from None
        if member.file_size > LARGEST_MERGED:
            raise InputError(f"the picture in {name} has {member.file_size} bytes, more than 1 GiB: export it as PNG")
        with archive.open(member) as packed:
            return io.BytesIO(packed.read(member.file_size))


def open_picture(file: BinaryIO, name: str) -> Image.Image | Samples:
    """A picture file of any kind, not yet decoded where Pillow reads it.

    Raises:
        InputError: a kind that cannot be read, or a package is missing.
        Exception: anything, on damaged files.
    """
    file.seek(0)
    head = file.read(512)
    if _is_heif(head):
        heif = _extra("pi_heif", "heif", f"{name} is a HEIC picture; convert it to JPEG")
        container = heif.open_heif(file)
        check_size(name, *container.size)
        heic: Image.Image = container.to_pillow()
        return heic
    if Path(name).suffix.lower() in RAW or _is_raw(head):
        return _developed(file, name)
    try:
        image = with_pillow(file)
    except UnidentifiedImageError:
        if head.startswith(TIFF):
            return _odd_tiff(file, name)
        for signature, advice in OTHERS:
            if re.match(signature, head, re.I | re.S):
                raise InputError(f"{name} is {advice}") from None
        raise
    if is_preview(image):
        return _developed(file, name)
    if is_misread(image):
        return _odd_tiff(file, name)
    if isinstance(image, PsdImagePlugin.PsdImageFile):
        _mend_psd(image, name)
    return image


def with_pillow(file: BinaryIO) -> ImageFile.ImageFile:
    """What `Image.open` does, but for its warning of large pictures: see `check_size`.

    Raises:
        UnidentifiedImageError: not of a format in `READABLE`.
    """
    Image.init()  # registers the formats; AVIF and JPEG 2000 are optional parts of Pillow
    file.seek(0)
    head = file.read(16)
    for factory, accept in (Image.OPEN[kind] for kind in READABLE if kind in Image.OPEN):
        with suppress(SyntaxError, IndexError, TypeError, KeyError, struct.error):
            accepted = accept is None or accept(head)
            if accepted and not isinstance(accepted, str):  # a text: why this Pillow cannot read it
                file.seek(0)
                return factory(file, "")
    raise UnidentifiedImageError("cannot identify the image file")


def check_size(name: str, width: int, height: int, *, limited: bool = True) -> None:
    """Raise InputError for no pixels, or, if `limited`, for more than Pillow's limit against decompression bombs: twice
    `PIL.Image.MAX_IMAGE_PIXELS`, 179 million unless it is changed."""
    if width < 1 or height < 1:
        raise InputError(f"{name} is {width} x {height} pixels: expected at least 1 x 1")
    if limited and Image.MAX_IMAGE_PIXELS is not None and width * height > 2 * Image.MAX_IMAGE_PIXELS:
        raise InputError(
            f"{name} is {width} x {height}, more than {2 * Image.MAX_IMAGE_PIXELS} pixels, the limit against "
            "decompression bombs: make it smaller first, or raise PIL.Image.MAX_IMAGE_PIXELS"
        )


def sixteen_bits(image: Image.Image, file: BinaryIO, name: str) -> Samples | None:
    """A picture of 16 bits a channel, of which Pillow keeps 8: its high and its low bytes, decoded one by one.

    Args:
        image: as `open_picture` gave it.
        file: that it is in.
        name: of the file.

    Returns:
        None if the picture has 8 bits.
    """
    mode, _, order = _raw_mode(image).partition(";16")
    if order not in ("B", "L", "N") or mode not in ("RGB", "RGBA", "RGBX", "RGBa", "LA"):
        return None
    if mode == "LA":  # only in PNG: its four bytes are unpacked as they are
        values = _unpacked_as(file, "RGBA").view(">u2")
    else:  # unpacking in the other order gives the low bytes
        low = "B" if order == "L" or (order == "N" and sys.byteorder == "little") else "L"
        high_byte, low_byte = (_unpacked_as(file, f"{mode.upper()};16{byte}") for byte in (order, low))
        values = high_byte.astype(np.uint16) << 8 | low_byte
    key = image.info.get("transparency")
    if isinstance(key, tuple) and values.shape[2] == 3:  # the color that stands for nothing
        opaque = np.any(values != np.array(key), axis=2, keepdims=True)
        values = np.concatenate((values, opaque * np.uint16(65535)), 2)
    return Samples(_straight(levels_to_unit(values, 65535, name), mode == "RGBa"), image.info.get("icc_profile"))


def _unpacked_as(file: BinaryIO, mode: str) -> npt.NDArray[np.uint8]:
    """(H, W, C), upright, of a file decoded with another raw mode of Pillow than its own."""
    image = with_pillow(file)
    image.tile = [_with_raw_mode(tile, mode) for tile in image.tile]
    image.load()
    return np.ascontiguousarray(turned(image))


def _raw_mode(image: Image.Image) -> str:
    """How Pillow unpacks an image in a file: the only argument of its decoder, or the first."""
    if not isinstance(image, ImageFile.ImageFile) or not image.tile:
        return ""
    args = image.tile[0].args
    return str(args[0] if isinstance(args, tuple) and args else args)


def _with_raw_mode(tile: Any, mode: str) -> Any:
    return tile._replace(args=mode if isinstance(tile.args, str) else (mode, *tile.args[1:]))


def turned(image: Image.Image) -> Image.Image:
    """A loaded image upright; as it is stored if its EXIF block is damaged."""
    with suppress(Exception):
        return ImageOps.exif_transpose(image)
    return image


def levels_to_unit(values: Array, top: float, name: str) -> npt.NDArray[np.float32]:
    """Levels from 0 to `top` as [0, 1].

    Raises:
        InputError: values out of this range; or nearly black ones, as of 12 bits in a file of 16.
    """
    low, high = float(values.min()), float(values.max())
    if not (low >= -1e-5 * top and high <= (1 + 1e-5) * top):  # but for rounding
        raise InputError(
            f"{name} holds levels from {low:g} to {high:g}: expected 0 to {top:g}; save it with 8 or 16 bits"
        )
    if top > 4095 and 0 < high / top <= 4095 / 65535:
        raise InputError(
            f"{name} is nearly black: its levels end at {high:g} of {top:g}, as of 12 bits in a file of 16; "
            "stretch them first"
        )
    return np.clip(np.asarray(values / np.float32(top), np.float32), 0, 1)


def _straight(values: npt.NDArray[np.float32], premultiplied: bool) -> npt.NDArray[np.float32]:
    """(H, W, C), alpha last, with colors divided by it if they were multiplied."""
    if not premultiplied:
        return values
    alpha = values[..., -1:]
    return np.concatenate((np.clip(values[..., :-1] / np.maximum(alpha, 1e-6), 0, 1), alpha), 2)


def code_points(file: BinaryIO) -> tuple[int, int] | None:
    """CICP color primaries and transfer characteristics of a PNG (chunk cICP), an AVIF or a HEIC (box colr, nclx)."""
    file.seek(0)
    head = file.read(2**16)
    if head[4:8] == b"ftyp" and (at := head.find(b"colrnclx")) >= 0:
        return struct.unpack_from(">HH", head, at + 8)
    at = 8
    while head.startswith(b"\x89PNG") and at + 12 <= len(head):  # size, type, data, checksum
        if head[at + 4 : at + 8] == b"cICP":
            return head[at + 8], head[at + 9]
        at += 12 + int.from_bytes(head[at : at + 4], "big")
    return None


def _extra(package: str, extra: str, why: str) -> Any:
    """An optional package; the error begins with what it is needed for."""
    try:
        return needed(package, extra)
    except InputError as error:
        raise InputError(f"{why}, or use {str(error).removeprefix('this needs ')}") from error


def _is_heif(head: bytes) -> bool:
    """Whether a file is HEIF, and not AVIF, which shares its container."""
    brands = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")
    return head[4:8] == b"ftyp" and head[8:12] in brands and b"avif" not in head[: int.from_bytes(head[:4], "big")]


def _mend_psd(image: PsdImagePlugin.PsdImageFile, name: str) -> None:
    """In bitmap mode 1 is black, which Pillow takes for white; and there may be no composite."""
    if image.mode == "1":
        image.tile = [_with_raw_mode(tile, "1;I") for tile in image.tile]
    if any(number == VERSION_INFO and data[4:5] == b"\0" for number, _, data in image.resources):
        raise InputError(f"{name} holds layers only: save it with Maximize Compatibility, or as PNG")


# Raw files


def _is_raw(head: bytes) -> bool:
    """Whether a file begins like the raw files that are no TIFF, or like Canon's CR2."""
    starts = (b"FUJIFILMCCD-RAW", b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"FOVb", b"\0MRM")
    return head.startswith(starts) or head[4:12] == b"ftypcrx " or (head.startswith(TIFF) and head[8:10] == b"CR")


def is_preview(image: Image.Image) -> bool:
    """Whether the first picture in a TIFF stands for another one, which only raw developers read."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return False
    tags = image.tag_v2
    return DNG_VERSION in tags or (bool(tags.get(SUBFILE_TYPE, 0) & 1) and SUB_IFDS in tags)


def _developed(file: BinaryIO, name: str) -> Samples:
    """A raw file in sRGB, with the camera's white balance."""
    why = f"{name} is a camera's raw file, of which only a preview can be read; develop it to TIFF or JPEG"
    rawpy = _extra("rawpy", "raw", why)
    file.seek(0)
    with rawpy.imread(file) as raw:
        check_size(name, raw.sizes.width, raw.sizes.height)
        pixels: Array = raw.postprocess(output_bps=16, use_camera_wb=True, gamma=(2.4, 12.92))
    return Samples(np.asarray(pixels / np.float32(65535), np.float32))


# TIFF


def is_misread(image: Image.Image) -> bool:
    """Whether Pillow makes something else of a TIFF: signed samples, 16 bits plane by plane; WebP it cannot decode."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return False
    tags = image.tag_v2
    deep_planes = tags.get(PLANAR) == 2 and max(tags.get(BITS, (1,))) > 8
    return 2 in tags.get(SAMPLE_FORMAT, ()) or deep_planes or tags.get(COMPRESSION) == WEBP


def white_is_zero(image: Image.Image) -> bool:
    """Whether an image of more than 8 bits is a negative, which Pillow turns only with 8."""
    return isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(PHOTOMETRIC) == 0


def gray_top(image: Image.Image) -> float:
    """The level of white in a gray image of more than 8 bits."""
    if image.mode == "F":
        return 1.0
    if image.format is None and image.mode == "I" and np.asarray(image).max() <= 255:
        return 255.0  # what Image.convert("I") makes of 8 bits
    twelve = isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(BITS) == (12,)
    return 4095.0 if twelve else 65535.0


def _odd_tiff(file: BinaryIO, name: str) -> Image.Image | Samples:
    """A TIFF that Pillow cannot read, or not rightly."""
    why = f"{name} is a TIFF of a rare kind, or damaged; save it with 8 or 16 bits, not plane by plane"
    tifffile = _extra("tifffile", "tiff", why)
    logging.getLogger("tifffile").addHandler(SILENT)  # else Python prints its warnings
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages[0]
        if DNG_VERSION in page.tags or (page.subfiletype & 1 and SUB_IFDS in page.tags):
            return _developed(file, name)
        if len(tiff.pages) > 1:
            raise InputError(f"{name} has {len(tiff.pages)} frames or pages: expected a still picture; extract one")
        check_size(name, page.imagewidth, page.imagelength)
        kind, photometric = page.dtype, int(page.photometric)
        if kind is None or kind.kind not in "uf" or photometric not in (0, 1, 2, 5) or page.samplesperpixel > 8:
            raise InputError(
                f"{name} is a TIFF of {kind} samples, photometric {photometric}: expected unsigned or float gray, RGB "
                "or CMYK; save it with 8 or 16 bits"
            )
        stored: Array = page.asarray()
        pixels = np.moveaxis(stored, 0, -1) if page.axes.startswith("S") else np.atleast_3d(stored)
        return _from_page(pixels, page, name)


def _from_page(pixels: Array, page: Any, name: str) -> Image.Image | Samples:
    """(H, W, C) of a tifffile page, as they are stored."""
    orientation, profile = (page.tags[tag].value if tag in page.tags else None for tag in (ORIENTATION, ICC_PROFILE))
    pixels = pixels[::-1] if orientation in (3, 4, 6, 7) else pixels
    pixels = pixels[:, ::-1] if orientation in (2, 3, 7, 8) else pixels
    pixels = pixels.swapaxes(0, 1) if orientation in (5, 6, 7, 8) else pixels
    values = levels_to_unit(pixels, 1.0 if pixels.dtype.kind == "f" else 2.0**page.bitspersample - 1, name)
    if page.photometric == 5:
        ink = Image.fromarray((values[..., :4] * 255).round().astype(np.uint8), "CMYK")
        ink.info["icc_profile"] = profile
        return ink
    colors = 3 if page.photometric == 2 else 1
    extra = int(page.extrasamples[0]) if page.extrasamples else 0  # 1: premultiplied alpha, 2: straight alpha
    values = _straight(values[..., : colors + (extra in (1, 2))], extra == 1)
    if page.photometric == 0:
        values[..., 0] = 1 - values[..., 0]
    return Samples(values, profile)
