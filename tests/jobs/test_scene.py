"""From paths, arrays, masks and maps to regions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import impasto
from impasto.errors import InputError
from impasto.files import file_hash
from impasto.jobs.scene import Scene
from impasto.methods.regions import segments


def painting(seed: int = 0, height: int = 24, width: int = 32) -> Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))


def white(alpha: np.ndarray, gray: int = 255) -> np.ndarray:
    """White, or another gray, on transparent."""
    return np.dstack([np.full((*alpha.shape, 3), gray, np.uint8), alpha])


LEFT = np.zeros((24, 32), np.uint8)
LEFT[:, :16] = 255
CONTENT = painting(9)[None]


def test_a_mask_is_gray_times_opacity() -> None:
    plain, erased = (Scene([painting()], masks=[(m, 1)]).regions(CONTENT)[0].mask for m in (LEFT, white(LEFT)))
    torch.testing.assert_close(erased, plain)
    (style,) = Scene([painting()], style_masks=[(white(LEFT), 1)]).regions(None)[0].styles
    torch.testing.assert_close(style.mask, plain)


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (LEFT // 255, r"brightest value is 1 of 255; multiply its values by 255,"),
        (LEFT // 51, r"brightest value is 5 of 255; multiply its values by 51,"),
        ((LEFT // 255).astype(np.uint16), r"multiply its values by 65535,"),
        (0 * LEFT, "is empty"),
        (white(LEFT, gray=0), "is empty"),
        (white(0 * LEFT), "is empty"),
    ],
)
def test_masks_that_are_black_or_nearly_so_are_refused_by_number(mask: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=f"^mask 2 {said}|^mask 2 is nearly black.*{said}"):
        Scene([painting(), painting(1)], masks=[(LEFT, 1), (mask, 2)]).regions(CONTENT)
    with pytest.raises(InputError, match=f"^style mask of style 1 {said}|^style mask of style 1 is nearly.*{said}"):
        Scene([painting()], style_masks=[(mask, 1)]).regions(CONTENT)


def test_several_masks_of_one_style_unite_whatever_their_sizes() -> None:
    right = 255 - LEFT
    scene = Scene([painting()], masks=[(LEFT, 1), (right[::2, ::2], 1)], style_masks=[(LEFT, 1), (right, 1)])
    (region,) = scene.regions(CONTENT)
    assert region.mask is not None and torch.cat([region.mask[..., :15], region.mask[..., 17:]], 3).min() > 0.95
    assert region.styles[0].mask is not None and region.styles[0].mask.min() == 1


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((0,), ["the masks protect everything: nothing is painted"]),
        ((1,), ["give style 1 the whole picture"]),
        ((), []),
    ],
)
def test_it_is_said_when_masks_cover_everything(numbers: Sequence[int], said: list[str]) -> None:
    told: list[str] = []
    everything = np.full((24, 32), 255, np.uint8)
    masks = [(everything, n) for n in numbers] or [(LEFT, 1)]
    Scene([painting()], masks=masks, notice=told.append).regions(CONTENT)
    assert len(told) == len(said) and all(s in t for s, t in zip(said, told, strict=True))


def test_a_painting_counts_where_it_is_opaque_and_must_somewhere() -> None:
    cut_out = torch.cat([painting(), torch.from_numpy(LEFT)[None] / 255])
    top = np.zeros((24, 32), np.uint8)
    top[:12] = 255
    (style,) = Scene([cut_out], style_masks=[(top, 1)]).regions(None)[0].styles
    mask = style.opened().mask
    assert style.pixels().shape == (1, 3, 24, 32) and mask is not None
    assert mask[..., :12, :16].min() == 1 and mask[..., 16:].max() == mask[..., 12:, :].max() == 0
    nothing = torch.cat([painting(), torch.zeros(1, 24, 32)])
    with pytest.raises(InputError, match="nothing of the style 2 counts: it is transparent"):
        Scene([painting(), nothing]).regions(None)
    with pytest.raises(InputError, match="nothing of the style counts"):
        Scene([cut_out], style_masks=[(255 - LEFT, 1)]).regions(None)


def classes(content_map: object, style_map: object, notice: Callable[[str], None] = print) -> list[list[Tensor]]:
    scene = Scene([painting()], semantic=[content_map, style_map], notice=notice)  # type: ignore[list-item]
    guide, theirs = scene.guide(), scene.regions(CONTENT)[0].styles[0].guide
    assert guide is not None and theirs is not None
    return segments(guide, [theirs])


def test_what_is_transparent_in_a_map_is_a_class_of_its_own() -> None:
    red = white(LEFT)
    red[..., 1:3] = 0
    found = classes(red, red.transpose(1, 0, 2))
    left = torch.from_numpy(LEFT)[None, None] / 255
    assert len(found) == 2
    for ours, theirs in found:
        torch.testing.assert_close(ours if ours[0, 0, 0, 0] else 1 - ours, left)
        torch.testing.assert_close(theirs, ours.mT)


def test_a_map_of_one_color_is_said_once() -> None:
    told: list[str] = []
    scene = Scene([painting()], semantic=[LEFT, 0 * LEFT], notice=told.append)
    for _ in range(2):
        scene.regions(CONTENT)
        scene.guide()
    assert told == ["the semantic map of style 1 has one color only, so it tells no parts apart"]


def test_paintings_among_several_and_in_folders_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in (tmp_path / "one.png", folder / "two.png"):
        Image.new("RGB", (32, 24), "red").save(path)
    names = [s.name for s in Scene([tmp_path / "one.png", folder, painting()]).regions(None)[0].styles]
    assert names == ["style one.png", "style two.png", "style 3"]
    assert [s.name for s in Scene([painting()]).regions(None)[0].styles] == ["style"]
    with pytest.raises(InputError, match="style 2 is a folder, which takes no style mask"):
        Scene([painting(), folder], style_masks=[(LEFT, 2)]).regions(None)


def test_a_manifest_names_each_file_in_its_role_and_a_missing_one_is_named(tmp_path: Path) -> None:
    path, missing = tmp_path / "one.png", tmp_path / "nofile.png"
    Image.new("RGB", (32, 24), "red").save(path)
    job = impasto.Stylize(path, path, masks=((path, 0), (LEFT, 1)), style_masks=(path, 1))
    told = job.as_json(portable=True)
    one = {"file": "one.png", "sha256": file_hash(path)}
    assert told["content"] == one and told["style"] == [one] and told["style_masks"] == [[one, 1]]
    (first, second), (number, other) = told["masks"]
    assert (first, second, other) == (one, 0, 1) and number.keys() == {"sha256"} and number != one
    roles: list[dict[str, Any]] = [{"masks": (missing, 0)}, {"semantic": (path, missing)}, {"style": missing}]
    for role in roles:
        with pytest.raises(InputError, match=r"there is no file .*nofile.png"):
            impasto.stylize(path, **{"style": path, "size": 32} | role)
