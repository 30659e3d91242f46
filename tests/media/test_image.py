"""Pictures come in upright, in sRGB and in range, whatever the file; go out whole; and bad ones say what is wrong."""

from __future__ import annotations

import io
import os
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, PngImagePlugin
from torch import Tensor

from impasto.errors import InputError
from impasto.media import (
    Picture,
    check_output,
    encode,
    read_image,
    read_metadata,
    to_pil,
    write_image,
)

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
ORIENTATION = 0x0112


def levels(picture: Picture) -> list[list[list[int]]]:
    """The pixels as (H, W, 3) levels 0..255."""
    nested: list[list[list[int]]] = (picture.pixels[0] * 255).round().int().permute(1, 2, 0).tolist()
    return nested


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> Tensor:
    """(1, C, H, W) of 8-bit levels."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (1, channels, height, width), generator=generator) / 255


def smooth(height: int, width: int) -> Tensor:
    """(1, 3, H, W), a gradient that a lossy format keeps nearly as it is."""
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    return torch.stack((x, y, 1 - x))[None]


def one_line(error: pytest.ExceptionInfo[InputError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


# Reading: orientation, color, transparency

STORED = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
UPRIGHT: dict[int, Callable[[Any], Any]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.T,
    6: lambda a: a[::-1].T,  # rotated clockwise: the first column is what was stored from the bottom up
    7: lambda a: a[::-1, ::-1].T,
    8: lambda a: a.T[::-1],
}


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int, suffix: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(STORED).save(tmp_path / f"a{suffix}", exif=exif)
    gray = np.array(levels(read_image(tmp_path / f"a{suffix}")))[..., 0]
    assert gray.tolist() == UPRIGHT[orientation](STORED).tolist()


def test_orientation_also_turns_alpha_and_deep_gray(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.new("LA", (3, 2), (10, 20)).save(tmp_path / "la.png", exif=exif)
    Image.fromarray(STORED.astype(np.uint16) * 257).save(tmp_path / "deep.png", exif=exif)
    alpha = read_image(tmp_path / "la.png").alpha
    assert alpha is not None and alpha.shape == (1, 1, 3, 2)
    assert np.array(levels(read_image(tmp_path / "deep.png")))[..., 0].tolist() == UPRIGHT[6](STORED).tolist()


@pytest.mark.filterwarnings("ignore")  # Pillow's own
def test_damaged_exif_leaves_the_picture_as_stored(tmp_path: Path) -> None:
    Image.new("RGB", (3, 2), "red").save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f rubbish")
    assert read_image(tmp_path / "a.jpg").pixels.shape == (1, 3, 2, 3)


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """sRGB with the red and the green primary exchanged."""
    return srgb_profile().replace(b"rXYZ", b"____").replace(b"gXYZ", b"rXYZ").replace(b"____", b"gXYZ")


def linear_gray_profile() -> bytes:
    """A version 2 profile of gray that is proportional to light."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    curve = b"curv\0\0\0\0" + struct.pack(">I", 0)
    tags = struct.pack(">I", 2) + b"wtpt" + struct.pack(">2I", 156, 20) + b"kTRC" + struct.pack(">2I", 176, 12)
    body = tags + white + curve
    head = struct.pack(">I4sI4s4s4s", 128 + len(body), b"none", 0x02100000, b"mntr", b"GRAY", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    return head.ljust(128, b"\0") + body


def test_a_color_profile_is_converted_to_srgb(tmp_path: Path) -> None:
    image = Image.new("RGB", (2, 2), (255, 0, 0))
    image.save(tmp_path / "a.png", icc_profile=swapped_profile())
    assert levels(read_image(tmp_path / "a.png"))[0][0] == [0, 255, 0]
    image.convert("RGBA").save(tmp_path / "b.png", icc_profile=swapped_profile())
    assert levels(read_image(tmp_path / "b.png"))[0][0] == [0, 255, 0]
    image.convert("P").save(tmp_path / "c.png", icc_profile=swapped_profile())
    assert levels(read_image(tmp_path / "c.png"))[0][0] == [0, 255, 0]


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_a_gray_profile_is_converted_to_srgb(tmp_path: Path, mode: str) -> None:
    image = Image.new("L", (2, 2), 128)
    deep = Image.fromarray(np.full((2, 2), 128 * 257, np.uint16))
    picture = deep if mode == "I;16" else image.convert(mode)
    picture.save(tmp_path / "a.png", icc_profile=linear_gray_profile())
    # The sRGB curve of 128 / 255: 1.055 * 0.50196 ** (1 / 2.4) - 0.055 = 0.7366, times 255 = 187.8.
    assert levels(read_image(tmp_path / "a.png"))[1][1] == [188, 188, 188]


def test_the_srgb_profile_changes_nothing(tmp_path: Path) -> None:
    pixels = noise(64, 64)
    to_pil(pixels).save(tmp_path / "a.png", icc_profile=srgb_profile())
    assert torch.equal(read_image(tmp_path / "a.png").pixels, pixels)


@pytest.mark.parametrize(
    ("mode", "color", "profile"),
    [
        ("RGB", (255, 0, 0), b"rubbish"),
        ("RGB", (255, 0, 0), swapped_profile()[:200]),
        ("RGB", (255, 0, 0), linear_gray_profile()),  # whole, but not of such pictures
        ("CMYK", (0, 255, 255, 0), swapped_profile()),
    ],
)
def test_a_profile_that_is_broken_or_of_other_pictures_is_ignored(
    tmp_path: Path, mode: str, color: tuple[int, ...], profile: bytes
) -> None:
    Image.new(mode, (2, 2), color).save(tmp_path / "a.tif", icc_profile=profile)
    assert levels(read_image(tmp_path / "a.tif"))[0][0] == [255, 0, 0]


RED, GRAY = (200, 0, 0), (128, 128, 128)
MODES = [
    ("1", 1, (255, 255, 255)),
    ("L", 128, GRAY),
    ("P", 0, (0, 0, 0)),
    ("RGB", RED, RED),
    ("RGBX", (*RED, 0), RED),
    ("RGBA", (*RED, 255), RED),
    ("LA", (128, 255), GRAY),
    ("La", (128, 255), GRAY),
    ("CMYK", (55, 255, 255, 0), RED),
    ("YCbCr", (128, 128, 128), GRAY),
    ("HSV", (0, 255, 200), RED),
    ("LAB", (136, 128, 128), (127, 127, 127)),
    ("I", 128 * 257, GRAY),
    ("I;16", 128 * 257, GRAY),
    ("I;16B", 128 * 257, GRAY),
    ("F", 128 / 255, GRAY),
]


@pytest.mark.parametrize(("mode", "color", "expected"), MODES, ids=[row[0] for row in MODES])
def test_every_pillow_mode_becomes_rgb(mode: str, color: Any, expected: tuple[int, int, int]) -> None:
    picture = read_image(Image.new(mode, (3, 2), color))
    assert picture.pixels.shape == (1, 3, 2, 3)
    assert picture.pixels.dtype == torch.float32
    assert picture.alpha is None
    assert levels(picture)[1][2] == list(expected)


@pytest.mark.parametrize(
    ("name", "mode", "color", "expected", "tolerance"),
    [
        ("a.bmp", "1", 1, (255, 255, 255), 0),
        ("a.gif", "P", 0, (0, 0, 0), 0),
        ("a.png", "L", 128, GRAY, 0),
        ("a.jpg", "CMYK", (55, 255, 255, 0), RED, 4),
        ("a.tif", "CMYK", (55, 255, 255, 0), RED, 0),
        ("a.tif", "F", 128 / 255, GRAY, 0),
        ("a.png", "I;16", 128 * 257, GRAY, 0),
        ("a.ppm", "RGB", RED, RED, 0),
        ("a.webp", "RGB", RED, RED, 4),
    ],
)
def test_files_of_every_kind(
    tmp_path: Path, name: str, mode: str, color: Any, expected: tuple[int, int, int], tolerance: int
) -> None:
    Image.new(mode, (20, 10), color).save(tmp_path / name)
    picture = read_image(str(tmp_path / name))
    assert picture.pixels.shape == (1, 3, 10, 20)
    assert np.abs(np.array(levels(picture)) - np.array(expected)).max() <= tolerance


def test_sixteen_bit_gray_keeps_its_precision(tmp_path: Path) -> None:
    stored = np.array([[0, 1, 32767, 65535]], np.uint16)
    Image.fromarray(stored).save(tmp_path / "a.png")
    expected = torch.tensor([0, 1 / 65535, 32767 / 65535, 1])
    for channel in read_image(tmp_path / "a.png").pixels[0, :, 0]:
        torch.testing.assert_close(channel, expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("mode", "color", "said"),
    [("I", 70_000, "70000"), ("I", -3, "-3"), ("F", 255.0, "255"), ("F", float("nan"), "nan")],
)
def test_gray_levels_out_of_range_are_refused(mode: str, color: float, said: str) -> None:
    with pytest.raises(InputError, match=f"levels from .*{said}.*expected 0 to") as error:
        read_image(Image.new(mode, (2, 2), color))
    one_line(error)


def test_the_palette_entry_that_is_transparent_becomes_alpha(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putdata([0, 1])
    image.save(tmp_path / "a.png", transparency=1)
    picture = read_image(tmp_path / "a.png")
    assert picture.alpha is not None and picture.alpha.flatten().tolist() == [1, 0]
    assert levels(picture) == [[[255, 0, 0], [255, 0, 0]]]  # the hidden blue is gone


def test_transparent_pictures_lie_over_their_mean_color() -> None:
    image = Image.new("RGBA", (4, 1))
    image.putdata([(255, 0, 0, 255), (0, 0, 255, 255), (0, 255, 0, 0), (0, 0, 255, 102)])
    picture = read_image(image)
    # Opacity 1, 1, 0, 0.4; mean red 1 / 2.4, mean blue 1.4 / 2.4; the hidden green adds nothing.
    red, blue = 1 / 2.4, 1.4 / 2.4
    expected = [[1, 0, red, 0.6 * red], [0, 0, 0, 0], [0, 1, blue, 0.4 + 0.6 * blue]]
    torch.testing.assert_close(picture.pixels[0, :, 0], torch.tensor(expected))
    assert picture.alpha is not None
    torch.testing.assert_close(picture.alpha.flatten(), torch.tensor([1, 1, 0, 0.4]))


def test_a_picture_that_is_transparent_everywhere_is_white() -> None:
    assert levels(read_image(Image.new("RGBA", (1, 1), (9, 9, 9, 0)))) == [[[255, 255, 255]]]


# Reading: arrays and tensors

HALF = 128 / 255
FORMS = [
    ("uint8 (H, W)", np.full((2, 3), 128, np.uint8)),
    ("uint8 (H, W, 1)", np.full((2, 3, 1), 128, np.uint8)),
    ("uint8 (H, W, 3)", np.full((2, 3, 3), 128, np.uint8)),
    ("uint16", np.full((2, 3, 3), 128 * 257, np.uint16)),
    ("big-endian uint16", np.full((2, 3, 3), 128 * 257, ">u2")),
    ("float32", np.full((2, 3, 3), HALF, np.float32)),
    ("float64, transposed", np.full((3, 2, 3), HALF).transpose(1, 0, 2)),
    ("read-only float32", np.broadcast_to(np.float32(HALF), (2, 3, 3))),
    ("read-only", np.broadcast_to(np.uint8(128), (2, 3, 3))),
    ("tensor (3, H, W)", torch.full((3, 2, 3), HALF)),
    ("tensor (1, 3, H, W)", torch.full((1, 3, 2, 3), HALF, dtype=torch.float64)),
    ("tensor (1, H, W)", torch.full((1, 2, 3), HALF)),
    ("tensor uint8", torch.full((1, 3, 2, 3), 128, dtype=torch.uint8)),
    ("tensor with a gradient", torch.full((3, 2, 3), HALF, requires_grad=True)),
]


@pytest.mark.parametrize("source", [row[1] for row in FORMS], ids=[row[0] for row in FORMS])
def test_arrays_and_tensors_are_pictures(source: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = read_image(source)
    torch.testing.assert_close(picture.pixels, torch.full((1, 3, 2, 3), HALF))
    assert picture.alpha is None and not picture.pixels.requires_grad


@pytest.mark.parametrize("tensor", [False, True])
def test_a_fourth_channel_is_opacity(tensor: bool) -> None:
    array = np.array([[[1, 0, 0, 1], [0, 1, 0, 0]]], np.float32)  # (1, 2, 4)
    picture = read_image(torch.from_numpy(array).permute(2, 0, 1) if tensor else array)
    assert levels(picture) == [[[255, 0, 0], [255, 0, 0]]]
    assert picture.alpha is not None and picture.alpha.tolist() == [[[[1, 0]]]]


def test_the_source_is_not_shared() -> None:
    source = torch.zeros(1, 3, 2, 2)
    array = np.zeros((2, 2, 3), np.float32)
    read_image(source).pixels.add_(1)
    read_image(array).pixels.add_(1)
    assert source.max() == 0 and array.max() == 0


def test_rounding_beyond_the_range_is_clamped() -> None:
    assert read_image(torch.full((3, 1, 1), 1 + 1e-6)).pixels.max() == 1


BAD_VALUES = [
    (np.zeros((2, 3, 2), np.uint8), r"shape \(2, 3, 2\)"),
    (np.zeros((1, 3, 2, 2), np.uint8), r"shape \(1, 3, 2, 2\)"),
    (np.zeros((0, 3, 3), np.uint8), r"shape \(0, 3, 3\)"),
    (np.zeros(3, np.uint8), r"shape \(3,\)"),
    (np.zeros((2, 3, 3), np.int64), "type int64"),
    (np.full((2, 3, 3), 255.0), "from 255 to 255"),
    (np.full((2, 3, 3), -0.5), "from -0.5 to"),
    (np.full((2, 3, 3), np.nan), "nan"),
    (np.full((2, 3, 3), np.inf), "inf"),
    (torch.zeros(2, 3, 4, 4), r"shape \(2, 3, 4, 4\)"),
    (torch.zeros(4, 4), r"shape \(4, 4\)"),
    (torch.zeros(5, 4, 3), r"shape \(5, 4, 3\).*\(C, H, W\)"),
    (torch.zeros(3, 0, 4), r"shape \(3, 0, 4\)"),
    (torch.zeros(3, 4, 4, dtype=torch.int64), "torch.int64"),
    (torch.tensor([0.0, float("nan"), 1.0]).reshape(3, 1, 1), "nan"),
    (torch.full((3, 2, 2), 2.0), "from 2 to 2"),
    (Image.new("RGB", (0, 3)), "0 x 3"),
    (42, "int"),
    (None, "NoneType"),
]


@pytest.mark.parametrize(("source", "said"), BAD_VALUES)
def test_values_that_are_no_picture_are_refused(source: Any, said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        read_image(source)
    assert "expected" in one_line(error) or "give" in one_line(error) or "convert" in one_line(error)


# Reading: bad files


def frames(path: Path, count: int) -> None:
    first, *others = [Image.new("RGB", (4, 4), (60 * index, 0, 0)) for index in range(count)]
    first.save(path, save_all=True, append_images=others)


def cut(path: Path, keep: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])


@pytest.mark.parametrize("suffix", [".gif", ".tif", ".png", ".webp"])
def test_one_frame_is_a_picture_and_two_are_not(tmp_path: Path, suffix: str) -> None:
    frames(tmp_path / f"one{suffix}", 1)
    frames(tmp_path / f"two{suffix}", 2)
    assert read_image(tmp_path / f"one{suffix}").pixels.shape == (1, 3, 4, 4)
    with pytest.raises(InputError, match=r"two.* has 2 frames or pages.*extract one") as error:
        read_image(tmp_path / f"two{suffix}")
    one_line(error)


def test_the_previews_in_a_phones_picture_do_not_count_as_frames(tmp_path: Path) -> None:
    large, small = Image.new("RGB", (8, 8), RED), Image.new("RGB", (4, 4))
    large.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[small])
    with Image.open(tmp_path / "a.jpg") as image:
        assert getattr(image, "n_frames", 1) == 2
    assert read_image(tmp_path / "a.jpg").pixels.shape == (1, 3, 8, 8)


def bad_file(folder: Path, kind: str) -> Path:
    path = folder / kind
    if kind == "directory":
        path.mkdir()
    elif kind == "empty.png":
        path.touch()
    elif kind == "text.png":
        path.write_text("not a picture\n")
    elif kind == "drawing.eps":
        path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n")
    elif kind == "signature.png":
        path.write_bytes(b"\x89PNG\r\n\x1a\n")
    elif kind.startswith("cut"):
        to_pil(noise(64, 64)).save(path)
        cut(path, 0.5)
    return path


BAD_FILES = [
    ("missing.png", "there is no file.*check the path"),
    ("missing/a.png", "there is no file"),
    ("directory", "is a directory"),
    ("empty.png", "is empty"),
    ("text.png", "not a picture of a known format: convert it"),
    ("drawing.eps", "not a picture of a known format"),
    ("signature.png", "known format|cannot be decoded"),
    ("long" * 100, "cannot use the path"),
    ("nul\0.png", "cannot use the path"),
]
CUT_FILES = [
    ("cut.png", "cannot be decoded.*damaged or cut short"),
    ("cut.jpg", "cannot be decoded.*damaged or cut short"),
    ("cut.webp", "cannot be decoded|known format"),
    ("cut.tif", "cannot be decoded|known format"),
    ("cut.gif", "cannot be decoded"),
    ("cut.bmp", "cannot be decoded"),
]


@pytest.mark.parametrize(("kind", "said"), BAD_FILES + CUT_FILES)
def test_bad_files_are_refused(tmp_path: Path, kind: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        read_image(bad_file(tmp_path, kind))
    one_line(error)


@pytest.mark.parametrize(("kind", "said"), BAD_FILES)
def test_bad_files_have_no_metadata(tmp_path: Path, kind: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        read_metadata(bad_file(tmp_path, kind))
    one_line(error)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(InputError, match="not a regular file"):
        read_image(tmp_path / "a.png")


def test_a_damaged_byte_never_shows_as_another_error(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for suffix in (".png", ".gif", ".tif", ".webp", ".jpg"):
        whole = io.BytesIO()
        to_pil(noise(9, 9)).save(whole, format={".jpg": "JPEG", ".tif": "TIFF"}.get(suffix, suffix[1:]))
        for _ in range(100):
            data = bytearray(whole.getvalue())
            data[random.integers(len(data))] = random.integers(256)
            (tmp_path / f"a{suffix}").write_bytes(data)
            try:
                assert read_image(tmp_path / f"a{suffix}").pixels.isfinite().all()
            except InputError as error:
                assert "\n" not in str(error)


def test_decompression_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (10, 10)).save(tmp_path / "a.png")
    for limit in (None, 60):  # Pillow warns above its limit, and raises above twice that
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        assert read_image(tmp_path / "a.png").pixels.shape == (1, 3, 10, 10)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 49)
    assert read_image(Image.new("RGB", (10, 10))).pixels.shape == (1, 3, 10, 10)  # no file, no bomb
    with pytest.raises(InputError, match=r"10 x 10, more than 98 pixels.*make it smaller") as error:
        read_image(tmp_path / "a.png")
    one_line(error)


def test_a_large_tiff_is_called_large_where_warnings_are_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (10, 10)).save(tmp_path / "a.tif")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 60)
    with pytest.raises(InputError, match=r"too large.*make it smaller"):
        read_image(tmp_path / "a.tif")


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"may not be read.*change its permissions") as error:
        read_image(tmp_path / "a.png")
    one_line(error)


# Writing


def test_to_pil_rounds_and_clamps() -> None:
    values = torch.tensor([-0.5, 0.4 / 255, 0.6 / 255, 127.6 / 255, 254.4 / 255, 1.5]).reshape(1, 1, 1, 6)
    image = to_pil(values.repeat(1, 3, 1, 1))
    assert image.mode == "RGB"
    assert np.asarray(image)[0, :, 1].tolist() == [0, 0, 1, 128, 254, 255]


def test_every_level_survives_to_pil_and_back() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    assert np.array_equal(np.asarray(to_pil(read_image(ramp).pixels)), ramp)


@pytest.mark.parametrize(
    ("pixels", "alpha", "said"),
    [
        (torch.zeros(1, 1, 2, 2), None, r"pixels of shape \(1, 1, 2, 2\)"),
        (torch.zeros(2, 3, 2, 2), None, r"pixels of shape \(2, 3, 2, 2\)"),
        (torch.zeros(1, 3, 2, 2, dtype=torch.uint8), None, "uint8"),
        (torch.full((1, 3, 2, 2), float("nan")), None, "NaN"),
        (torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2), "alpha of shape"),
        (torch.zeros(1, 3, 2, 2), torch.zeros(1, 1, 2, 3), r"alpha is \(2, 3\), pixels are \(2, 2\)"),
    ],
)
def test_to_pil_refuses_other_tensors(pixels: Tensor, alpha: Tensor | None, said: str) -> None:
    with pytest.raises(InputError, match=said):
        to_pil(pixels, alpha)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_is_written_and_read_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix.upper()}"
    pixels = smooth(32, 48)
    write_image(path, pixels)
    again = read_image(path).pixels
    assert again.shape == pixels.shape
    lossy = suffix in (".jpg", ".jpeg", ".webp")
    assert (again - pixels).abs().max() <= (0.05 if lossy else 0.5 / 255 + 1e-6)
    with Image.open(path) as image:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        assert "sRGB" in ImageCms.getProfileDescription(profile)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_alpha_survives_a_round_trip(tmp_path: Path, suffix: str) -> None:
    alpha = noise(8, 8, channels=1)
    alpha[..., 0, 0] = 0
    write_image(tmp_path / f"a{suffix}", smooth(8, 8), alpha=alpha)
    again = read_image(tmp_path / f"a{suffix}")
    assert again.alpha is not None and torch.equal(again.alpha, alpha)


def test_jpeg_has_full_color_resolution_over_white(tmp_path: Path) -> None:
    stripes = torch.zeros(1, 3, 16, 16)
    stripes[:, 0, :, ::2] = 1  # red and blue columns, which 4:2:0 would mix to purple
    stripes[:, 2, :, 1::2] = 1
    write_image(tmp_path / "a.jpg", stripes, quality=100)
    assert (read_image(tmp_path / "a.jpg").pixels - stripes).abs().max() < 0.05
    write_image(tmp_path / "b.jpg", torch.zeros(1, 3, 16, 16), alpha=torch.full((1, 1, 16, 16), 0.25))
    picture = read_image(tmp_path / "b.jpg")
    assert picture.alpha is None
    torch.testing.assert_close(picture.pixels, torch.full((1, 3, 16, 16), 0.75), atol=0.01, rtol=0)


def test_quality_matters(tmp_path: Path) -> None:
    for suffix in (".jpg", ".webp"):
        write_image(tmp_path / f"low{suffix}", noise(32, 32), quality=20)
        write_image(tmp_path / f"high{suffix}", noise(32, 32))
        assert (tmp_path / f"low{suffix}").stat().st_size < (tmp_path / f"high{suffix}").stat().st_size


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_metadata_survives_a_round_trip(tmp_path: Path, suffix: str) -> None:
    metadata = {"impasto": '{"steps": 500}', "style": "Café, 神奈川沖浪裏, 🎨\nsecond line", "empty": ""}
    write_image(tmp_path / f"a{suffix}", smooth(4, 4), metadata=metadata)
    write_image(tmp_path / f"b{suffix}", smooth(4, 4))
    assert read_metadata(tmp_path / f"a{suffix}") == metadata
    assert read_metadata(str(tmp_path / f"b{suffix}")) == {}


def test_metadata_of_png_are_international_text(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", smooth(4, 4), metadata={"style": "plain"})
    assert b"iTXtstyle\0" in (tmp_path / "a.png").read_bytes()
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "someone")
    Image.new("L", (1, 1)).save(tmp_path / "b.png", pnginfo=info)
    assert read_metadata(tmp_path / "b.png") == {"Author": "someone"}


def test_a_foreign_description_is_no_metadata(tmp_path: Path) -> None:
    for description in ("Sunset at the lake", "[1, 2]", "17"):
        exif = Image.Exif()
        exif[0x010E] = description
        Image.new("L", (1, 1)).save(tmp_path / "a.jpg", exif=exif)
        assert read_metadata(tmp_path / "a.jpg") == {}


def test_odd_metadata_do_not_cost_the_picture(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", smooth(4, 4), metadata={"file": "caf\udce9.png"})
    assert read_metadata(tmp_path / "a.png") == {"file": "caf?.png"}
    write_image(tmp_path / "a.jpg", smooth(4, 4), metadata={"long": "x" * 70_000})
    assert read_metadata(tmp_path / "a.jpg") == {}


@pytest.mark.parametrize("name", ["", "x" * 80, "nul\0", "神"])
def test_metadata_names_that_png_cannot_hold_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="metadata name"):
        write_image(tmp_path / "a.png", smooth(4, 4), metadata={name: "x"})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_pixels_give_the_same_bytes(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image(tmp_path / f"a{suffix}", smooth(4, 4), metadata={"a": "b"})
    later = bytearray(srgb_profile())
    later[24:36] = bytes(12)  # as if the profile were made at another time
    monkeypatch.setattr(ImageCms.ImageCmsProfile, "tobytes", lambda _: bytes(later))
    write_image(tmp_path / f"b{suffix}", smooth(4, 4), metadata={"a": "b"})
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_encoded_bytes_are_those_of_the_file(tmp_path: Path, suffix: str) -> None:
    alpha, metadata = noise(4, 4, channels=1), {"a": "b"}
    write_image(tmp_path / f"a{suffix}", smooth(4, 4), alpha=alpha, metadata=metadata)
    assert encode(smooth(4, 4), suffix, alpha=alpha, metadata=metadata) == (tmp_path / f"a{suffix}").read_bytes()


def test_encode_refuses_other_formats_and_shapes() -> None:
    for pixels, suffix, said in ((smooth(2, 2), ".gif", "suffix is '.gif'"), (smooth(2, 2)[:, :1], ".png", "shape")):
        with pytest.raises(InputError, match=said) as error:
            encode(pixels, suffix)
        one_line(error)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_umask_is_honored(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        write_image(tmp_path / "a.png", smooth(2, 2))
    finally:
        os.umask(before)
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == mode


def test_missing_folders_are_made_and_files_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.png"
    write_image(path, torch.zeros(1, 3, 2, 2))
    write_image(path, torch.ones(3, 2, 2))
    assert read_image(path).pixels.min() == 1
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")
def test_the_file_has_ordinary_permissions_and_links_stay(tmp_path: Path) -> None:
    real, link = tmp_path / "real.png", tmp_path / "link.png"
    real.touch()
    link.symlink_to(real)
    expected = real.stat().st_mode
    write_image(link, smooth(2, 2))
    assert link.is_symlink() and real.stat().st_mode == expected
    assert read_image(real).pixels.shape == (1, 3, 2, 2)


@pytest.mark.parametrize("where", ["save", "fsync", "replace"])
@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failing_save_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, failure: BaseException
) -> None:
    path = tmp_path / "a.png"
    write_image(path, smooth(4, 4))
    before = path.read_bytes()

    def fail(image: object, file: Any = None, *_: object, **__: object) -> None:
        if where == "save":
            file.write(b"half a picture")
        raise failure

    owner: Any = {"save": Image.Image, "fsync": os, "replace": os}[where]
    monkeypatch.setattr(owner, where, fail)
    expected = KeyboardInterrupt if isinstance(failure, KeyboardInterrupt) else InputError
    with pytest.raises(expected) as error:
        write_image(path, noise(4, 4))
    if expected is InputError:
        assert "No space left on device" in str(error.value) and "\n" not in str(error.value)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_write_image_refuses_what_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    long = torch.zeros(1, 3, 1, 16_384)
    for path, pixels, options, said in [
        ("folder.png", smooth(2, 2), {}, "cannot write.*directory"),
        ("file/a.png", smooth(2, 2), {}, "cannot write"),
        ("a.bmp", smooth(2, 2), {}, "suffix is '.bmp'"),
        ("a.jpg", smooth(2, 2), {"quality": 0}, "quality 0"),
        ("a.jpg", smooth(2, 2), {"quality": 101}, "quality 101"),
        ("a.webp", long, {}, "16384 x 1 .*at most 16383: write .png"),
        ("a.jpg", torch.zeros(1, 3, 65_501, 1), {}, "1 x 65501 .*at most 65500"),
    ]:
        with pytest.raises(InputError, match=said) as error:
            write_image(tmp_path / str(path), pixels, **options)  # type: ignore[arg-type]
        one_line(error)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder.png"]


# Where the output goes


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_good_output_passes_and_writes_nothing(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "new" / "folder" / f"a{suffix}"
    assert check_output(str(path), force=False) == path
    assert not list(tmp_path.iterdir())


def test_an_existing_output_needs_force(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"precious")
    with pytest.raises(InputError, match=r"exists.*--force") as error:
        check_output(tmp_path / "a.png", force=False)
    one_line(error)
    assert check_output(tmp_path / "a.png", force=True) == tmp_path / "a.png"
    assert (tmp_path / "a.png").read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.gif", r"suffix is '\.gif'; expected one of \.png, \.jpg, \.jpeg, \.webp, \.tif, \.tiff"),
        ("a", "suffix is ''"),
        ("", "suffix is ''"),
        ("folder.png", "is a folder"),
        ("file/a.png", "Not a directory"),
        ("file/deeper/a.png", "Not a directory"),
        ("x" * 300 + ".png", "cannot use the path"),
        ("nul\0.png", "cannot use the path"),
    ],
)
@pytest.mark.parametrize("force", [False, True])
def test_a_bad_output_is_refused_before_the_work(tmp_path: Path, name: str, said: str, force: bool) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=said) as error:
        check_output(tmp_path / name if name else "", force=force)
    one_line(error)


def test_a_folder_that_takes_no_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    def refuse(*_: object, dir: Path, **__: object) -> None:
        asked.append(dir)
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(InputError, match=r"Read-only file system; choose another folder") as error:
        check_output(tmp_path / "new" / "a.png", force=False)
    one_line(error)
    assert asked == [tmp_path]
