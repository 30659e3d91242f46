"""Every kind of file is read as the picture that it is; what cannot be read says why and what to do."""

from __future__ import annotations

import base64
import io
import struct
import sys
import warnings
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
import torch
from PIL import Image, ImageCms
from torch import Tensor

from impasto.errors import InputError
from impasto.media import pictures_in, read_image, read_metadata, write_image

Array = npt.NDArray[Any]
DEEP = np.random.default_rng(0).integers(0, 65536, (5, 7, 4)).astype(np.uint16)
DEEP[0, 0], DEEP[0, 1] = 65535, 1
RGB, GRAY = DEEP[..., :3], DEEP[..., 0]


def planes(source: Any) -> Tensor:
    """(H, W, 3) of what is read."""
    return read_image(source).pixels[0].permute(1, 2, 0)


def unit(levels: Array) -> Tensor:
    """Levels of 16 bits as (H, W, 3) in [0, 1]."""
    color = np.repeat(levels[..., None], 3, 2) if levels.ndim == 2 else levels
    return torch.from_numpy(color.astype(np.float32) / np.float32(65535))


def png(values: Array, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of 8 or 16 bits, gray, RGB or RGBA, with chunks before its pixels."""
    height, width, channels = np.atleast_3d(values).shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    big = values.astype(">u2" if values.dtype == np.uint16 else np.uint8)
    rows = b"".join(b"\0" + big[y].tobytes() for y in range(height))
    head = struct.pack(">2I5B", width, height, big.itemsize * 8, kind, 0, 0, 0)
    parts = [(b"IHDR", head), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )


def tiff(values: Array, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


def refused(source: Any) -> str:
    with pytest.raises(InputError) as error:
        read_image(source)
    message = str(error.value)
    assert "\n" not in message and len(message) < 400
    return message


def without(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)


# 16 bits


@pytest.mark.parametrize("channels", [3, 4])
def test_a_png_of_sixteen_bits_keeps_them(channels: int) -> None:
    values = DEEP[..., :channels].copy()
    if channels == 4:
        values[..., 3] = 65535
    torch.testing.assert_close(planes(png(values)), unit(RGB), rtol=0, atol=1e-7)


@pytest.mark.parametrize("values", [DEEP, DEEP[..., [0, 3]]], ids=["RGB", "gray"])
def test_deep_opacity_is_kept(values: Array) -> None:
    picture, expected = read_image(png(values)), read_image(DEEP if values is DEEP else DEEP[..., [0, 0, 0, 3]])
    assert picture.alpha is not None and expected.alpha is not None
    torch.testing.assert_close(picture.alpha, expected.alpha, rtol=0, atol=1e-7)
    torch.testing.assert_close(picture.pixels, expected.pixels, rtol=0, atol=1e-6)


def test_the_transparent_color_of_a_deep_png_is_compared_with_sixteen_bits() -> None:
    values = np.full((1, 2, 3), 1000, np.uint16)
    values[0, 1] = 1001, 1000, 1000
    values[0, 0, 0] = 60000
    values[0, 1, 0] = 60001
    alpha = read_image(png(values, (b"tRNS", struct.pack(">3H", 60000, 1000, 1000)))).alpha
    assert alpha is not None and alpha.flatten().tolist() == [0, 1]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "options",
    [{}, {"compression": "zlib"}, {"compression": "lzw", "predictor": True}, {"rowsperstrip": 2}, {"tile": (16, 16)}],
)
def test_a_tiff_of_sixteen_bits_keeps_them(order: Any, options: dict[str, Any]) -> None:
    data = tiff(RGB, photometric="rgb", byteorder=order, **options)
    torch.testing.assert_close(planes(data), unit(RGB), rtol=0, atol=1e-7)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha"])
def test_straight_and_premultiplied_opacity(kind: str, compression: Any) -> None:
    alpha = DEEP[..., 3:].astype(np.float64) / 65535
    color = (RGB * alpha).round().astype(np.uint16) if kind == "assocalpha" else RGB
    stored = np.concatenate((color, DEEP[..., 3:]), 2)
    picture = read_image(tiff(stored, photometric="rgb", extrasamples=[kind], compression=compression))
    expected = read_image(DEEP)
    assert picture.alpha is not None and expected.alpha is not None
    torch.testing.assert_close(picture.alpha, expected.alpha)
    torch.testing.assert_close(picture.pixels, expected.pixels, rtol=0, atol=1e-4)


def test_a_deep_picture_is_turned_and_its_profile_converted() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"____").replace(b"gXYZ", b"rXYZ").replace(b"____", b"gXYZ")
    tags = [(274, 3, 1, 6, True)]
    data = tiff(RGB, photometric="rgb", extratags=[*tags, (34675, 7, len(swapped), swapped, True)])
    torch.testing.assert_close(planes(data), unit(RGB[::-1].swapaxes(0, 1)[..., [1, 0, 2]]), rtol=0, atol=2e-3)
    planar = tiff(RGB.transpose(2, 0, 1), photometric="rgb", planarconfig="separate", extratags=tags)
    torch.testing.assert_close(planes(planar), unit(RGB[::-1].swapaxes(0, 1)))


# Kinds of TIFF that Pillow misreads or does not read

FLOATS = (RGB / 65535).astype(np.float32)
KINDS = {
    "white is zero": ({"photometric": "miniswhite"}, 65535 - GRAY, GRAY),
    "white is zero, big-endian": ({"photometric": "miniswhite", "byteorder": ">"}, 65535 - GRAY, GRAY),
    "white is zero, float": ({"photometric": "miniswhite"}, (1 - GRAY / 65535).astype(np.float32), GRAY),
    "planar": ({"photometric": "rgb", "planarconfig": "separate"}, RGB.transpose(2, 0, 1), RGB),
    "planar, packed": (
        {"photometric": "rgb", "planarconfig": "separate", "compression": "lzw"},
        RGB.transpose(2, 0, 1),
        RGB,
    ),
    "float RGB": ({"photometric": "rgb"}, FLOATS, RGB),
    "double RGB": ({"photometric": "rgb"}, FLOATS.astype(np.float64), RGB),
    "float gray": ({"photometric": "minisblack"}, FLOATS[..., 0], GRAY),
    "double gray": ({"photometric": "minisblack"}, FLOATS[..., 0].astype(np.float64), GRAY),
    "32-bit RGB": ({"photometric": "rgb"}, RGB.astype(np.uint32) * 65537, RGB),
    "gray with opacity": (
        {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": ["unassalpha"]},
        np.stack((GRAY, np.full_like(GRAY, 65535)), 2),
        GRAY,
    ),
    "LZMA": ({"photometric": "rgb", "compression": "lzma"}, RGB, RGB),
}


@pytest.mark.parametrize("kind", KINDS)
def test_rare_tiffs(kind: str) -> None:
    options, stored, expected = KINDS[kind]
    torch.testing.assert_close(planes(tiff(stored, **options)), unit(expected), rtol=0, atol=1e-6)


def test_premultiplied_floats() -> None:
    alpha = DEEP[..., 3:].astype(np.float32) / 65535
    picture = read_image(
        tiff(np.concatenate((FLOATS * alpha, alpha), 2), photometric="rgb", extrasamples=["assocalpha"])
    )
    torch.testing.assert_close(picture.pixels, read_image(DEEP).pixels, rtol=0, atol=1e-5)


def test_floats_may_be_rounded_beyond_their_range() -> None:
    assert planes(tiff(np.array([[[-1e-6, 0.5, 1 + 1e-6]]], np.float32), photometric="rgb"))[0, 0].tolist() == [
        0,
        0.5,
        1,
    ]
    assert "levels from -0.5 to 1" in refused(tiff(np.array([[[-0.5, 0.5, 1]]], np.float32), photometric="rgb"))


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_fourth_channel_that_is_no_opacity_is_dropped(compression: Any) -> None:
    picture = read_image(tiff(DEEP, photometric="rgb", extrasamples=["unspecified"], compression=compression))
    assert picture.alpha is None
    torch.testing.assert_close(picture.pixels[0].permute(1, 2, 0), unit(RGB), rtol=0, atol=1e-7)


def test_half_floats() -> None:
    data = tiff(FLOATS.astype(np.float16), photometric="rgb")
    torch.testing.assert_close(planes(data), unit(RGB), rtol=0, atol=1e-3)


def test_cmyk_with_opacity_and_webp_in_a_tiff() -> None:
    ink = np.zeros((8, 8, 5), np.uint8)
    ink[..., 1:3] = 255
    data = tiff(ink, photometric="separated", extrasamples=["unassalpha"])
    assert (planes(data)[0, 0] * 255).round().tolist() == [255, 0, 0]
    color = np.full((16, 16, 3), 90, np.uint8)
    packed = planes(tiff(color, photometric="rgb", compression="webp"))
    assert packed.shape == (16, 16, 3) and (packed * 255 - 90).abs().max() <= 3


def test_signed_samples_have_no_white() -> None:
    for dtype in (np.int16, np.int8):
        for data in ((GRAY // 512).astype(dtype), (RGB // 512).astype(dtype)):
            options = {"photometric": "rgb" if data.ndim == 3 else "minisblack"}
            assert "expected unsigned" in refused(tiff(data, **options))


def test_twelve_bits_are_stretched_and_nearly_black_ones_named() -> None:
    twelve = tiff(GRAY >> 4, photometric="minisblack")
    assert "nearly black" in refused(twelve) and "4095 of 65535" in refused(twelve)
    assert "nearly black" in refused(png(RGB >> 4))
    head = struct.pack("<2sHI", b"II", 42, 8)
    tags = [(256, 4), (257, 1), (258, 12), (259, 1), (262, 1), (273, 8 + 2 + 12 * 8 + 4), (278, 1), (279, 6)]
    entries = b"".join(struct.pack("<2HIHH", tag, 3, 1, value, 0) for tag, value in tags)
    packed = head + struct.pack("<H", len(tags)) + entries + bytes(4) + bytes.fromhex("000fff800001")
    assert planes(packed)[0, :, 0].tolist() == pytest.approx([0, 1, 0x800 / 4095, 1 / 4095])


def test_pillows_integers_of_eight_bits() -> None:
    image = Image.fromarray(np.array([[0, 128, 255]], np.uint8)).convert("I")
    assert (planes(image)[0, :, 0] * 255).round().tolist() == [0, 128, 255]


def test_a_tiff_is_never_told_to_become_a_tiff(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "tifffile")
    for options, stored, _ in (KINDS["float RGB"], KINDS["planar"], KINDS["32-bit RGB"]):
        message = refused(tiff(stored, **options))
        assert "TIFF of a rare kind" in message and "the extra tiff" in message and "WebP or TIFF" not in message


def test_pages_are_counted_in_rare_tiffs_too() -> None:
    assert "2 frames or pages" in refused(tiff(np.stack((FLOATS, FLOATS)), photometric="rgb"))


# Colors without an ICC profile


def test_cicp_in_png_and_avif(tmp_path: Path) -> None:
    p3 = np.full((4, 4, 3), (234, 51, 35), np.uint8)  # sRGB's red in Display P3
    assert (planes(png(p3, (b"cICP", bytes((12, 13, 0, 1)))))[0, 0] * 255).round().tolist() == [255, 0, 0]
    assert (planes(png(p3))[0, 0] * 255).round().tolist() == [234, 51, 35]
    file = io.BytesIO()
    Image.fromarray(p3.repeat(4, 0).repeat(4, 1)).save(file, "AVIF", quality=100, subsampling="4:4:4")
    data = file.getvalue()
    as_srgb, as_p3 = planes(data), planes(data.replace(b"colrnclx\0\1\0\r", b"colrnclx\0\x0c\0\r"))
    assert (as_srgb * 255 - torch.tensor([234.0, 51, 35])).abs().max() < 5
    assert (as_p3 * 255 - torch.tensor([255.0, 0, 0])).abs().max() < 25 and as_p3[0, 0, 0] > as_srgb[0, 0, 0]


def test_hdr_is_not_washed_out() -> None:
    # 18 % gray and sRGB's red at diffuse white as PQ in BT.2020, 16 bits.
    gray = round(0.4106 * 65535)
    values = np.full((2, 2, 3), gray, np.uint16)
    assert planes(png(values, (b"cICP", bytes((9, 16, 0, 1)))))[0, 0].tolist() == pytest.approx([0.461] * 3, abs=5e-3)
    assert planes(png(values))[0, 0].tolist() == pytest.approx([0.4106] * 3, abs=1e-4)


def test_a_cicp_chunk_goes_before_a_profile() -> None:
    p3 = np.full((4, 4, 3), (234, 51, 35), np.uint8)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    chunks = [(b"cICP", bytes((12, 13, 0, 1))), (b"iCCP", b"sRGB\0\0" + zlib.compress(profile))]
    assert (planes(png(p3, *chunks))[0, 0] * 255).round().tolist() == [255, 0, 0]
    assert (planes(png(p3, chunks[1]))[0, 0] * 255).round().tolist() == [234, 51, 35]


def test_an_srgb_chunk_goes_before_gamma() -> None:
    middle = np.full((1, 1, 3), 128, np.uint8)
    linear = (b"gAMA", struct.pack(">I", 100_000))
    assert planes(png(middle, linear))[0, 0].tolist() == pytest.approx([188 / 255] * 3, abs=2e-3)
    assert (planes(png(middle, (b"sRGB", b"\0"), linear))[0, 0] * 255).round().tolist() == [128] * 3
    assert (planes(png(middle, (b"gAMA", struct.pack(">I", 45_455))))[0, 0] * 255).round().tolist() == [128] * 3
    gray = planes(png(np.full((1, 1), 32896, np.uint16), linear))
    assert gray[0, 0].tolist() == pytest.approx([188 / 255] * 3, abs=2e-3)


def test_a_cameras_adobe_rgb_is_told_by_its_exif() -> None:
    image = Image.new("RGB", (16, 16), (100, 200, 100))
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    file = io.BytesIO()
    image.save(file, "JPEG", exif=exif, quality=100)
    # sRGB has less green: 100, 200, 100 in Adobe RGB has no red in sRGB.
    red, green, blue = planes(file)[0, 0].tolist()
    assert red == 0 and green == pytest.approx(0.79, abs=0.02) and blue == pytest.approx(0.37, abs=0.03)


# Raw files


def thumbnail_and_picture(**extra: Any) -> bytes:
    """A TIFF as NEF is: a small picture first, marked as reduced, the other in a SubIFD."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(np.zeros((12, 16, 3), np.uint8), photometric="rgb", subfiletype=1, subifds=1, **extra)
        writer.write(np.zeros((48, 64), np.uint16), photometric="minisblack")
    return file.getvalue()


def dng() -> bytes:
    """A small raw file with a gray picture in it, the right half brighter."""
    sensor = np.full((64, 64), 1000, np.uint16)
    sensor[:, 32:] = 3000
    matrix = tuple(part for number in (1, 0, 0, 0, 1, 0, 0, 0, 1) for part in (number, 1))
    tags = [
        (50706, 1, 4, (1, 4, 0, 0), True),
        (50708, 2, 0, "impasto test", True),
        (33421, 3, 2, (2, 2), True),
        (33422, 1, 4, (0, 1, 1, 2), True),
        (50721, 10, 9, matrix, True),
        (50728, 5, 3, (1, 1, 1, 1, 1, 1), True),
        (50717, 4, 1, 4095, True),
    ]
    return tiff(sensor, photometric=32803, extratags=tags)


def linear_dng() -> bytes:
    """A raw file whose values have three channels already, so that Pillow would open it."""
    tags = [(50706, 1, 4, (1, 4, 0, 0), True)]
    return tiff(np.zeros((4, 4, 3), np.uint8), photometric="rgb", extratags=tags)


def test_a_raw_file_is_developed_not_its_preview() -> None:
    pytest.importorskip("rawpy")
    pixels = planes(dng())
    assert pixels.shape == (64, 64, 3)
    assert pixels[:, :28].mean() < pixels[:, 36:].mean() - 0.1


@pytest.mark.parametrize("name", ["a.nef", "a.tif", "a.ARW"])
def test_a_raw_file_without_the_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    without(monkeypatch, "rawpy")
    (tmp_path / name).write_bytes(thumbnail_and_picture())
    message = refused(tmp_path / name)
    assert "camera's raw file" in message and "develop it" in message and "the extra raw" in message
    with pytest.raises(InputError, match="give the file's path"), Image.open(tmp_path / name) as image:
        read_image(image)


@pytest.mark.parametrize(
    "data",
    [
        dng(),
        linear_dng(),
        b"FUJIFILMCCD-RAW 0201",
        b"IIU\0\x18\0\0\0",
        b"\0\0\0\x18ftypcrx \0\0\0\1",
        b"II*\0\x10\0\0\0CR\2\0",
    ],
)
def test_raw_files_are_known_by_what_is_in_them(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "rawpy")
    assert "camera's raw file" in refused(data)


def test_a_reduced_picture_alone_is_a_picture() -> None:
    assert planes(tiff(np.full((4, 4, 3), 9, np.uint8), photometric="rgb", subfiletype=1)).shape == (4, 4, 3)


# Layered files, HEIC, and what is no picture


def archive(data: bytes | None, name: str = "mergedimage.png") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("mimetype", "image/openraster")
        if data is not None:
            packed.writestr(name, data)
    return file.getvalue()


@pytest.mark.parametrize("suffix", [".ora", ".kra"])
def test_layered_files_are_read_as_they_are_seen(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a{suffix}").write_bytes(archive(png(RGB)))
    torch.testing.assert_close(planes(tmp_path / f"a{suffix}"), unit(RGB), rtol=0, atol=1e-7)
    assert read_metadata(tmp_path / f"a{suffix}") == {}


def test_archives_without_a_picture_and_bombs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no merged picture" in refused(archive(None))
    assert "cannot be decoded" in refused(archive(png(RGB))[:60])
    monkeypatch.setattr("impasto.media.formats.LARGEST_MERGED", 100)
    assert "more than" in refused(archive(b"\0" * 101))


# 16 x 16 pixels, left (200, 30, 30), right (30, 30, 200), written by pillow-heif.
HEIC = (
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAXxtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJp"
    "bG9jAAAAAERAAAEAAQAAAAABoAABAAAAAAAAAEEAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAAB"
    "AAAA/GlwcnAAAADcaXBjbwAAAHVodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEA"
    "AQApQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbqrprm4CGgwIAAAAyAAAADAIRiAAEABkQBwXPBiQAAABNjb2xybmNseAABAA0ABoAAAAAU"
    "aXNwZQAAAAAAAABAAAAAQAAAAChjbGFwAAAAEAAAAAEAAAAQAAAAAf///9AAAAAC////0AAAAAIAAAAQcGl4aQAAAAADCAgIAAAAGGlw"
    "bWEAAAAAAAAAAQABBYECAwWEAAAASW1kYXQAAAA9KAGvCchfINAjmJb/e3/8dchOe4/7TRXD9H2Nmn3bQXr6u1TJvzfQ81Mau9nEBg+g"
    "6iNFctVOgOMoYqvafA=="
)


def test_heic_is_read_or_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pi_heif")
    data = base64.b64decode(HEIC)
    pixels = (planes(data) * 255).round()
    assert pixels.shape == (16, 16, 3)
    assert (pixels[8, 2] - torch.tensor([200.0, 30, 30])).abs().max() < 12
    assert (pixels[8, 13] - torch.tensor([30.0, 30, 200])).abs().max() < 12
    without(monkeypatch, "pi_heif")
    message = refused(data)
    assert "HEIC" in message and "JPEG" in message and "the extra heif" in message


def psd(mode: int, bits: int, channels: int, data: bytes, resources: bytes = b"") -> bytes:
    """A Photoshop file of 16 x 2 pixels without layers."""
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, channels, 2, 16, bits, mode) + bytes(4)
    return head + struct.pack(">I", len(resources)) + resources + bytes(4) + b"\0\0" + data


def test_photoshops_bitmaps_are_no_negatives() -> None:
    pixels = planes(psd(0, 1, 1, b"\xff\xff\0\0"))  # 1 is black
    assert pixels[0].max() == 0 and pixels[1].min() == 1
    packed = psd(0, 1, 1, b"")[:-2] + struct.pack(">3H", 1, 2, 2) + b"\xff\xff\xff\0"  # PackBits: 2 x ff, 2 x 0
    pixels = planes(packed)
    assert pixels[0].max() == 0 and pixels[1].min() == 1


def test_a_photoshop_file_without_its_composite_is_no_white_picture() -> None:
    blank = bytes((255,)) * (16 * 2 * 3)
    resource = b"8BIM" + struct.pack(">H2xI", 1057, 6)
    assert "Maximize Compatibility" in refused(psd(3, 8, 3, blank, resource + b"\0\0\0\1\0\0"))
    assert planes(psd(3, 8, 3, blank, resource + b"\0\0\0\1\1\0")).min() == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (psd(3, 16, 3, bytes(192)), "Photoshop"),
        (b"gimp xcf v011\0", "GIMP"),
        (b"%PDF-1.7\n", "PDF"),
        (b"<?xml version='1.0'?>\n<svg xmlns='x'/>", "SVG"),
        (b"<!DOCTYPE html>\n<html>", "web page"),
        (b"\xff\x0a\0\0", "JPEG XL"),
        (b"v/1\x01\2\0\0\0", "OpenEXR"),
    ],
)
def test_files_of_other_kinds_are_called_by_name(data: bytes, said: str) -> None:
    assert said in refused(data)


def test_a_good_file_that_pillow_cannot_read_is_not_called_damaged() -> None:
    masks = struct.pack("<3I", 0x3FF00000, 0xFFC00, 0x3FF)  # ten bits a channel
    head = struct.pack("<IiiHHIIiiII", 40, 1, 1, 1, 32, 3, 4, 0, 0, 0, 0)
    data = b"BM" + struct.pack("<IHHI", 70, 0, 0, 66) + head + masks + bytes(4)
    message = refused(data)
    assert "cannot be read" in message and "convert it to PNG" in message and "damaged" not in message


# Sources


@pytest.mark.parametrize("data", [png(RGB), tiff(RGB, photometric="rgb", compression="zlib")])
def test_bytes_and_open_files_are_sources(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    file = io.BytesIO(data)
    file.seek(5)  # as after writing
    with (tmp_path / "a").open("rb") as opened:
        for source in (data, bytearray(data), memoryview(data), file, opened, tmp_path / "a"):
            torch.testing.assert_close(planes(source), unit(RGB), rtol=0, atol=1e-7)


def test_empty_bytes_texts_and_addresses_are_refused(tmp_path: Path) -> None:
    assert "0 bytes" in refused(b"")
    (tmp_path / "a.txt").write_text("a")
    with (tmp_path / "a.txt").open() as text:
        assert "give a path" in refused(text)
    for address in ("https://example.com/a.jpg", Path("https://example.com/a.jpg")):
        assert "download" in refused(address)


def test_truth_is_a_mask() -> None:
    mask = np.array([[True, False]])
    for source in (mask, torch.from_numpy(mask), torch.from_numpy(mask)[None], mask[..., None]):
        assert planes(source)[0, :, 0].tolist() == [1, 0]


def test_metadata_of_bytes() -> None:
    assert read_metadata(png(RGB, (b"tEXt", b"Author\0someone"))) == {"Author": "someone"}


def test_a_large_jpeg_is_decoded_at_the_size_that_suffices(tmp_path: Path) -> None:
    y, x = torch.meshgrid(torch.linspace(0, 1, 160), torch.linspace(0, 1, 320), indexing="ij")
    write_image(tmp_path / "a.jpg", torch.stack((x, y, 1 - x))[None])
    write_image(tmp_path / "a.png", torch.stack((x, y, 1 - x))[None])
    for least, size in ((None, (160, 320)), (161, (160, 320)), (80, (80, 160)), (41, (80, 160)), (8, (20, 40))):
        small = read_image(tmp_path / "a.jpg", at_least=least).pixels
        assert small.shape[2:] == size
        expected = torch.nn.functional.interpolate(read_image(tmp_path / "a.jpg").pixels, size, mode="area")
        assert (small - expected).abs().max() < 0.03
    assert read_image(tmp_path / "a.png", at_least=8).pixels.shape[2:] == (160, 320)


def test_threads_leave_the_filters_of_warnings_alone(tmp_path: Path) -> None:
    sources = [png(RGB), tiff(RGB, photometric="rgb"), b"no picture at all", tiff(FLOATS, photometric="rgb")] * 20
    before = list(warnings.filters)

    def attempt(source: bytes) -> bool:
        try:
            return read_image(source).pixels.numel() > 0
        except InputError:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(attempt, sources)) == [True, True, False, True] * 20
    assert list(warnings.filters) == before


def test_reading_sets_no_filters_even_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("the process's filters were touched")

    monkeypatch.setattr(warnings, "simplefilter", fail)
    monkeypatch.setattr(warnings, "catch_warnings", fail)
    assert planes(png(RGB)).shape == (5, 7, 3)


# Folders


def test_pictures_in_a_folder_are_sorted_and_complete(tmp_path: Path) -> None:
    names = ["b.JPG", "a.png", "c.gif", "d.avif", "e.jp2", "f.jfif", "g.ora", "h.psd"]
    for name in [*names, ".hidden.png", "notes.txt", "more.txt", "README"]:
        (tmp_path / name).touch()
    for folder in ("deep", ".cache"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "z.png").touch()
    (tmp_path / "folder.png").mkdir()
    told: list[str] = []
    found = pictures_in(tmp_path, recursive=False, notice=told.append)
    assert [p.name for p in found] == sorted(names)
    assert len(told) == 1 and "2 × .txt" in told[0] and "1 × no suffix" in told[0]
    assert pictures_in(str(tmp_path), recursive=True) == sorted([*found, tmp_path / "deep" / "z.png"])


def test_a_folder_may_be_above_a_hidden_one(tmp_path: Path) -> None:
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "z.png").touch()
    assert len(pictures_in(tmp_path / ".cache", recursive=True)) == 1


def test_a_folder_without_pictures_says_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no pictures \(no files\)"):
        pictures_in(tmp_path, recursive=True)
    (tmp_path / "a.xcf").touch()
    with pytest.raises(InputError, match=r"only 1 × \.xcf"):
        pictures_in(tmp_path, recursive=True)
    with pytest.raises(InputError, match="no folder"):
        pictures_in(tmp_path / "none", recursive=True)
    with pytest.raises(InputError, match="no folder"):
        pictures_in(tmp_path / "a.xcf", recursive=True)


def test_raw_files_and_heic_are_found_where_they_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.heic", "b.nef", "c.png"):
        (tmp_path / name).touch()
    monkeypatch.setattr("impasto.media.formats.find_spec", lambda name: object())
    assert [p.name for p in pictures_in(tmp_path, recursive=False)] == ["a.heic", "b.nef", "c.png"]
    monkeypatch.setattr("impasto.media.formats.find_spec", lambda name: None)
    assert [p.name for p in pictures_in(tmp_path, recursive=False)] == ["c.png"]
