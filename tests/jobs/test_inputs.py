"""What jobs take: pictures in memory, blends by name and by number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import impasto
from impasto.cli.app import app
from impasto.errors import InputError

PICTURE = np.random.default_rng(0).random((48, 64, 3)).astype(np.float32)


def test_an_array_is_a_photograph_also_in_the_job_s_json() -> None:
    job = impasto.Stylize(PICTURE, PICTURE, quality="instant", size=48)
    assert impasto.job_of(job.as_json()) == job
    assert impasto.run(job).pixels.shape == (1, 3, 36, 48)


def test_paintings_are_blended_in_one_pass() -> None:
    other = 1 - PICTURE
    mixed, first = (
        impasto.instant(PICTURE, [PICTURE, other], blend=b, size=48).pixels for b in ((0.5, 0.5), (1.0, 0.0))
    )
    assert not np.allclose(mixed, first, atol=0.01)


def test_a_blend_by_name_on_the_command_line_is_one_pass(tmp_path: Path) -> None:
    photo, out = tmp_path / "photo.png", tmp_path / "out.png"
    Image.fromarray((PICTURE * 255).astype(np.uint8)).save(photo)
    words = ["stylize", str(photo), "--blend", "mosaic=0.5,park=0.5", "-o", str(out), "--size", "48", "--quiet"]
    assert app(words, standalone_mode=False) == 0
    same = impasto.instant(photo, {"mosaic": 0.5, "park": 0.5}, size=48).pixels
    assert np.abs(np.asarray(Image.open(out)) / 255 - same[0].permute(1, 2, 0).numpy()).max() < 1 / 255


def test_a_blend_of_another_length_than_the_named_styles_is_one_line() -> None:
    with pytest.raises(InputError, match="2 weights for 1 styles"):
        impasto.Stylize(PICTURE, style_name="mosaic", blend=(0.5, 0.5))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"blend": 1.0}, (1.0,)),
        ({"style_layers": "relu1_1"}, ("relu1_1",)),
        ({"content_layers": "relu4_1"}, ("relu4_1",)),
        ({"style_scales": 2}, (2.0,)),
        ({"size": "512"}, 512),
        ({"max_memory": "4GB"}, 4e9),
        ({"masks": ("sky.png", 1)}, (("sky.png", 1),)),
    ],
)
def test_python_takes_one_value_for_several_and_words_for_numbers(options: dict[str, Any], expected: Any) -> None:
    ((name, _),) = options.items()
    assert getattr(impasto.Stylize("photo.png", "painting.png", **options), name) == expected
    assert impasto.Texture("bricks.png", size=512).size == (512, 512)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"masks": np.ones((4, 4))}, "masks is a ndarray; it must be pairs of a mask and the number of a style"),
        ({"masks": "sky.png"}, "masks is 'sky.png'; it must be pairs"),
        ({"steps": 2.5}, "steps is 2.5; it must be a whole number"),
        ({"max_memory": "much"}, "max memory is 'much'; it must be a size above 0"),
        ({"style_scales": 1e9}, "at most 8"),
    ],
)
def test_what_python_cannot_use_is_one_line(options: dict[str, Any], said: str) -> None:
    with pytest.raises(impasto.InputError, match=said) as caught:
        impasto.Stylize("photo.png", "painting.png", **options)
    assert "\n" not in str(caught.value)


def test_masks_say_where_styles_by_name_go() -> None:
    photo = torch.rand(3, 32, 48, generator=torch.Generator().manual_seed(0))
    left = torch.zeros(1, 32, 48)
    left[..., :24] = 1
    options: dict[str, Any] = {"size": 48, "feather": 0, "precision": "fp32"}
    names = list(impasto.load_model("gallery").styles)[:2]
    one, other = (impasto.instant(photo, style_name=name, **options).pixels for name in names)
    both = impasto.instant(photo, style_name=names, masks=[(left, 1), (1 - left, 2)], **options).pixels
    torch.testing.assert_close(both[..., :24], one[..., :24])
    torch.testing.assert_close(both[..., 24:], other[..., 24:])
    kept = impasto.instant(photo, style_name=names[0], masks=[(left, 0)], **options).pixels
    torch.testing.assert_close(kept[0, ..., :24], photo[..., :24])
    torch.testing.assert_close(kept[..., 24:], one[..., 24:])
    with pytest.raises(InputError, match="belong to paintings"):
        impasto.instant(photo, style_name=names[0], style_masks=[(left, 1)])


def test_a_tensor_is_a_painting_whose_blocks_are_copied() -> None:
    photo, painting = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert impasto.stylize(photo, painting, quality="quilting", size=32).pixels.shape == (1, 3, 32, 32)
