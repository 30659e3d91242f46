"""Still pictures: files, Pillow images and arrays in; tensors inside; files out.

Inside impasto a picture is always a float32 tensor (1, 3, H, W), RGB in sRGB, range [0, 1]. Everything that a file may
do differently (orientation, color profile, palette, CMYK, gray, 16 bits, transparency) is undone by `read_image`.

Pillow keeps 16 bits of gray pictures only; RGB pictures with 16 bits per channel are read with 8.
"""

from __future__ import annotations

import errno
import io
import json
import os
import secrets
import stat
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageCms, ImageOps, PngImagePlugin, UnidentifiedImageError
from torch import Tensor

from impasto.errors import InputError

Source: TypeAlias = str | Path | Image.Image | npt.NDArray[Any] | Tensor

# Raster formats only: Pillow would start Ghostscript for EPS and guess at TGA, which has no signature.
READABLE = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "JPEG2000", "PPM", "PSD", "ICO", "QOI")
# Several frames, but one picture: phones add previews (MPO), Photoshop its layers.
FIRST_FRAME_IS_THE_PICTURE = ("MPO", "PSD")

WRITABLE = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
LONGEST_SIDE = {"JPEG": 65_500, "WEBP": 16_383}  # pixels; the encoders refuse more
LONGEST_EXIF = 60_000  # bytes; an EXIF block of JPEG ends at 64 KiB
PROFILE_MODES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK", "Lab": "LAB"}  # of ICC color spaces
IMAGE_DESCRIPTION = 0x010E  # EXIF tag
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


def read_image(source: Source) -> Picture:
    """Read a picture from a file, a Pillow image, an array or a tensor.

    ====================================  ======================================================================
    path or `PIL.Image.Image`             any mode; EXIF orientation applied, color profile converted to sRGB
    array (H, W), (H, W, 1 | 3 | 4)       uint8, uint16, or floats in [0, 1]
    tensor (C, H, W), (1, C, H, W)        C = 1, 3 or 4; uint8, or floats in [0, 1]; stays on its device
    ====================================  ======================================================================

    Transparent pictures are laid over their own mean color (weighted by opacity): the color hidden under transparent
    pixels is arbitrary, and an invented white or black would enter the statistics of a style and put a hard edge around
    the subject. A picture that is transparent everywhere becomes white. The opacity itself is kept in `Picture.alpha`.

    Raises:
        InputError: the file is missing, unreadable, damaged, animated, too large or no picture; or the array has
            another shape, type or range.
    """
    if isinstance(source, Tensor):
        return _picture(_from_tensor(source))
    if isinstance(source, np.ndarray):
        return _picture(_from_array(source))
    if isinstance(source, Image.Image):
        with _pillow_errors(f"the {source.mode} image"):
            channels = _from_pil(source, f"the {source.mode} image")
        return _picture(channels)
    if not isinstance(source, str | Path):
        raise InputError(
            f"cannot read a picture from a {type(source).__name__}: "
            "give a path, a Pillow image, a NumPy array or a tensor"
        )
    path = Path(source)
    _check_readable(path)
    with _pillow_errors(str(path)), path.open("rb") as file, _open(file) as image:
        channels = _from_pil(image, str(path))
    return _picture(channels)


def read_metadata(path: str | Path) -> dict[str, str]:
    """The text that is stored in a picture file.

    Returns:
        The text chunks of a PNG; of other formats, the entries that `write_image` stored (empty if there are none).

    Raises:
        InputError: as for `read_image`.
    """
    path = Path(path)
    _check_readable(path)
    with _pillow_errors(str(path)), path.open("rb") as file, _open(file) as image:
        if isinstance(image, PngImagePlugin.PngImageFile):
            return {str(key): str(value) for key, value in image.text.items()}
        description = image.getexif().get(IMAGE_DESCRIPTION)
    with suppress(TypeError, ValueError):
        entries = json.loads(description)  # type: ignore[arg-type]  # a TypeError is suppressed
        if isinstance(entries, dict):
            return {str(key): str(value) for key, value in entries.items()}
    return {}


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
    is_float = np.issubdtype(array.dtype, np.floating)
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


def _check_readable(path: Path) -> None:
    """Raise InputError unless `path` is a file with something in it."""
    found = _stat(path)
    if found is None:
        raise InputError(f"there is no file {str(path)!r}: check the path")
    if stat.S_ISDIR(found.st_mode):
        raise InputError(f"{str(path)!r} is a directory: name a picture file in it")
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{str(path)!r} is not a regular file: name a picture file")
    if found.st_size == 0:
        raise InputError(f"{str(path)!r} is empty (0 bytes): copy or download it again")


def _stat(path: Path) -> os.stat_result | None:
    """What the file system knows of `path`, None if there is nothing.

    Raises:
        InputError: no such path can exist, or it may not be looked at.
    """
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(f"cannot use the path {_clip(str(path))!r}: {_reason(error)}") from error


@contextmanager
def _pillow_errors(name: str) -> Iterator[None]:
    """Turn whatever Pillow raises or warns about into one InputError that starts with `name`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except (InputError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(
            f"{name} has more than {Image.MAX_IMAGE_PIXELS} pixels, Pillow's limit against decompression bombs: "
            "make it smaller first"
        ) from error
    except UnidentifiedImageError as error:
        raise InputError(f"{name} is not a picture of a known format: convert it to PNG, JPEG, WebP or TIFF") from error
    except PermissionError as error:
        raise InputError(f"{name} may not be read ({_reason(error)}): change its permissions") from error
    except (
        Exception
    ) as error:  # on damaged data decoders raise nearly anything: struct.error, KeyError, zlib.error, ...
        raise InputError(
            f"{name} cannot be decoded ({_reason(error)}): it seems damaged or cut short; copy or download it again"
        ) from error


def _reason(error: Exception) -> str:
    """A short line that says what went wrong."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return _clip(" ".join(text.split()) or type(error).__name__)


def _clip(text: str) -> str:
    return text if len(text) <= 200 else text[:197] + "..."


def _open(file: Any) -> Image.Image:
    Image.init()  # registers the formats; AVIF and JPEG 2000 are optional parts of Pillow
    return Image.open(file, formats=[name for name in READABLE if name in Image.OPEN])


def _from_pil(image: Image.Image, name: str) -> Tensor:
    """A Pillow image of any mode as (C, H, W) float32 in [0, 1], C = 1, 3 or 4."""
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format not in FIRST_FRAME_IS_THE_PICTURE:
        raise InputError(f"{name} has {frames} frames or pages: expected a still picture; extract one of them first")
    if 0 in image.size:
        raise InputError(f"{name} is {image.width} x {image.height} pixels: expected at least 1 x 1")
    image.load()
    profile = _profile(image)
    with suppress(Exception):  # damaged EXIF: the picture itself is fine, and stays as it is stored
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        return _deep_gray(image, profile, name)
    if not image.has_transparency_data:
        return _from_array(np.asarray(_to_srgb(image, profile)))
    if image.mode == "La":  # premultiplied; Pillow converts it to nothing else
        image = image.convert("LA")
    straight = image.convert("RGBA")
    color = _to_srgb(straight.convert("L") if image.mode in ("LA", "L") else straight.convert("RGB"), profile)
    color.putalpha(straight.getchannel("A"))
    return _from_array(np.asarray(color))


def _profile(image: Image.Image) -> ImageCms.ImageCmsProfile | None:
    """The embedded color profile, None if there is none or it is broken."""
    data = image.info.get("icc_profile")
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


def _deep_gray(image: Image.Image, profile: ImageCms.ImageCmsProfile | None, name: str) -> Tensor:
    """Gray of 16 or 32 bits, or floats, as (1, H, W) in [0, 1]; integers are taken as 16 bits."""
    values = np.asarray(image).astype(np.float64)
    top = 1.0 if image.mode == "F" else 65535.0
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= top):
        raise InputError(
            f"{name} holds gray levels from {low:g} to {high:g}: expected 0 to {top:g}; save it with 8 or 16 bits"
        )
    gray = values / top
    if profile is not None:  # Pillow converts 8 bits only: convert all 256 levels, and interpolate between them
        levels = np.arange(256, dtype=np.uint8)[None]
        curve = np.asarray(_to_srgb(Image.fromarray(levels), profile))[0].mean(axis=1) / 255
        gray = np.interp(gray, levels[0] / 255, curve)
    return _from_array(gray)


# Writing


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
    """Find out whether a picture can be written to `path`, before any work is spent on it. Writes nothing.

    Missing folders are fine if they can be made; `write_image` makes them.

    Args:
        path: of the picture to be written; its suffix selects the format.
        force: whether a file that is already there may be replaced.

    Returns:
        The path.

    Raises:
        InputError: unknown suffix; a directory; an existing file without `force`; a folder that cannot be written to.
    """
    target = Path(path)
    _format(target)
    found = _stat(target)
    if found is not None and not stat.S_ISREG(found.st_mode):
        kind = "a directory" if stat.S_ISDIR(found.st_mode) else "not a regular file"
        raise InputError(f"the output {str(target)!r} is {kind}: give the name of a picture file")
    if found is not None and not force:
        raise InputError(f"the output {str(target)!r} exists: give another name, or --force to replace it")
    folder = next(parent for parent in target.absolute().parents if os.path.lexists(parent))
    if not folder.is_dir():
        raise InputError(f"cannot write {str(target)!r}: {str(folder)!r} is not a directory; choose another folder")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"cannot write {str(target)!r}: the folder {str(folder)!r} takes no files ({_reason(error)}); "
            "choose another folder"
        ) from error
    return target


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
    kind = _format(target)
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
    _replace(target, image, kind, _options(kind, metadata or {}, quality))


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
            raise InputError(f"metadata name {_clip(key)!r}: PNG expects 1 to 79 Latin-1 characters, and no NUL")
        clean = value.encode("utf-8", "replace").decode("utf-8")  # file names may hold lone surrogates
        chunks.add_itxt(key, clean)
    return chunks


def _srgb_profile() -> bytes:
    """The sRGB profile, without the time of its making: files are to be reproducible."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    made = bytes((0x07, 0xD0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0))  # 2000-01-01 00:00:00
    return profile[:24] + made + profile[36:]


def encode_image(
    pixels: Tensor, suffix: str = ".png", *, alpha: Tensor | None = None, metadata: Mapping[str, str] | None = None
) -> bytes:
    """TEMPORARY until readers merge."""
    import tempfile as t

    with t.TemporaryDirectory() as d:
        path = Path(d) / f"x{suffix}"
        write_image(path, pixels, alpha=alpha, metadata=metadata)
        return path.read_bytes()


def pictures_in(folder: str | Path, *, recursive: bool = False) -> list[Path]:
    """TEMPORARY until readers merge."""
    return sorted(
        p
        for p in (Path(folder).rglob("*") if recursive else Path(folder).iterdir())
        if p.suffix.lower() in {".png", ".jpg"}
    )


def _replace(target: Path, image: Image.Image, kind: str, options: Mapping[str, Any]) -> None:
    """Save `image` next to `target`, then move it there in one step; on failure leave no trace."""
    try:
        target = target.resolve()  # a link stays a link
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        temporary = target.with_name(f".impasto-{secrets.token_hex(6)}.tmp")
        try:
            with temporary.open("xb") as file:
                image.save(file, format=kind, **options)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except (
        OSError,
        ValueError,
        RuntimeError,
    ) as error:  # ValueError: an encoder's limit; RuntimeError: a loop of links
        raise InputError(
            f"cannot write {_clip(str(target))!r}: {_reason(error)}; choose another name or folder"
        ) from error
