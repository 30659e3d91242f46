"""`visualize patches`: the strongest of a folder, found once, gone on with, and drawn."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import impasto
from impasto.features import load_encoder
from impasto.features.receptive import receptive_field
from impasto.jobs import patches as module
from impasto.jobs.look import picture_at
from impasto.methods.attribution import Unit, gradient, patch, signed
from impasto.methods.strongest import Index, Strongest, by_size

SIZES = [(64, 64), (64, 48), (48, 64), (64, 64), (64, 64), (40, 64)]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of noise, in two levels, with a file that is no picture."""
    folder, random = tmp_path / "photos", np.random.default_rng(0)
    (folder / "deeper").mkdir(parents=True)
    for number, (width, height) in enumerate(SIZES):
        picture = Image.fromarray((random.random((height, width, 3)) * 255).astype(np.uint8))
        picture.save(folder / ("deeper" if number % 2 else "") / f"{number}.png")
    (folder / "bad.png").write_text("no picture")
    return folder


def watched(photos: Path, *units: str, **options: Any) -> tuple[Any, list[Any]]:
    told: list[Any] = []
    job = impasto.Patches(units, photos=str(photos), encoder="lite", **{"size": 64} | options)
    return impasto.run(job, told.append), told


def looked(told: list[Any]) -> int:
    """Batches of pictures that were computed."""
    return sum(getattr(record, "what", "") == "looking at pictures" for record in told)


def test_the_strongest_are_those_of_a_plain_search(photos: Path) -> None:
    result, told = watched(photos, "relu2_1:5", "relu3_1:7", count=4)
    encoder, expected = load_encoder("lite"), []
    for path in photos.rglob("[0-9].png"):
        maps = encoder(picture_at(path, 64, "cpu"), ["relu2_1"])["relu2_1"][0, 5]
        expected.append((float(maps.max()), path.relative_to(photos).as_posix(), int(maps.argmax())))
    rows = result.about["patches"]["relu2_1:5"]
    assert [row[0] for row in rows] == [name for _, name, _ in sorted(expected, reverse=True)[:4]]
    best = max(expected)
    assert rows[0][1] == pytest.approx(best[0], abs=1e-3)
    width = -(-SIZES[int(Path(best[1]).stem)][0] // 2)
    assert rows[0][2:] == [best[2] // width, best[2] % width]
    assert any("left out 1 pictures" in record.text for record in told if hasattr(record, "lost") and record.lost)
    assert set(result.about["patches"]) == {"relu2_1:5", "relu3_1:7"} and result.pixels.std() > 0.05
    assert str(photos.parent) not in json.dumps(result.about)


def test_a_folder_is_looked_at_once_and_what_is_new_is_added(photos: Path) -> None:
    first, told = watched(photos, "relu2_1:5", count=6)
    assert looked(told) > 0
    other, told = watched(photos, "relu2_1:6", count=6)
    assert looked(told) == 0 and other.about["patches"] != first.about["patches"]
    assert looked(watched(photos, "relu3_1:6")[1]) > 0
    Image.fromarray(np.full((64, 64, 3), 200, np.uint8)).save(photos / "new.png")
    again, told = watched(photos, "relu2_1:5", count=7)
    assert looked(told) == 1 and len(again.about["patches"]["relu2_1:5"]) == 7
    os.utime(photos / "0.png", (1, 1))  # changed: all is looked at anew
    assert looked(watched(photos, "relu2_1:5", count=6)[1]) > 1


def test_an_interrupted_search_goes_on_where_it_was(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto.methods.strongest.AT_ONCE", 1)
    read: list[Path] = []
    usual = module._read
    monkeypatch.setattr(module, "_read", lambda job, path: (read.append(path), usual(job, path))[1])
    job = impasto.Patches(("relu2_2:3",), photos=str(photos), encoder="lite", size=64, count=6)
    records = job.records()
    while getattr(next(records), "what", "") != "looking at pictures":
        pass
    next(records)
    records.close()
    read.clear()
    result = impasto.run(job)
    assert len({p for p in read if p.name != "bad.png"}) == 6  # drawn, all of them
    todo = {p for p in read if read.count(p) == 2}
    assert 0 < len(todo) < 6
    monkeypatch.setenv("IMPASTO_CACHE", str(photos.parent / "empty"))
    assert impasto.run(job).about["patches"] == result.about["patches"]


@pytest.mark.parametrize("cell", [(0, 0), (9, 12), (17, 3), (23, 23)])
def test_the_gradient_of_a_part_is_that_of_the_whole_picture(cell: tuple[int, int]) -> None:
    encoder, picture = load_encoder("lite"), torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    field = receptive_field(encoder, "relu3_1")
    assert field is not None
    seen, shown = patch(encoder, picture, Unit("relu3_1", 3), cell, field)
    whole = gradient(encoder, picture, Unit("relu3_1", 3, cell), "guided")
    rows, columns = field.of(cell)
    inside = [slice(max(0, s.start), s.stop) for s in (rows, columns)]
    assert seen.shape == shown.shape == (1, 3, 24, 24)
    mine = [slice(max(0, -s.start), max(0, -s.start) + min(96, s.stop) - max(0, s.start)) for s in (rows, columns)]
    assert torch.equal(seen[..., mine[0], mine[1]], picture[..., inside[0], inside[1]])
    padded = torch.zeros(1, 3, 24, 24)
    padded[..., mine[0], mine[1]] = whole[..., inside[0], inside[1]]
    torch.testing.assert_close(shown, signed(padded), atol=1e-3, rtol=0)


def test_batches_are_of_one_size_and_none_is_lost() -> None:
    pictures = [(str(n), torch.zeros(1, 3, *size)) for n, size in enumerate(SIZES * 40)]
    batches = list(by_size(iter(pictures)))
    assert sorted(mark for marks, _ in batches for mark in marks) == sorted(mark for mark, _ in pictures)
    assert all(len(marks) == len(batch) for marks, batch in batches) and len(batches) < len(pictures) / 4


def test_channels_keep_their_own_strongest() -> None:
    found = Strongest()
    maps = torch.arange(60.0).view(5, 2, 2, 3)
    found.add(maps[:2], ["a", "b"])
    found.add(-maps[2:], ["c", "d", "e"])
    assert found.of(1, 3) == [(23.0, "b", (1, 2)), (11.0, "a", (1, 2)), (-30.0, "c", (0, 0))]
    with pytest.raises(impasto.InputError, match="there is no 2"):
        found.of(2, 3)


def test_what_is_not_finite_is_no_answer() -> None:
    found = Strongest()
    found.add(torch.tensor([1.0, torch.nan, torch.inf, 2.0]).view(4, 1, 1, 1), ["a", "b", "c", "d"])
    assert found.of(0, 4) == [(2.0, "d", (0, 0)), (1.0, "a", (0, 0))]


def test_an_index_of_very_many_names_is_kept_and_a_damaged_one_is_none(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path))
    index, names = Index(load_encoder("lite"), "relu1_1", "x"), [f"a long name {n}" for n in range(300)]
    found = Strongest()
    found.add(torch.arange(300.0).view(300, 1, 1, 1), names)
    index.save(found)
    assert index.load(names).of(0, 1) == [(299.0, names[-1], (0, 0))]
    # safetensors refuses a header of more than 100 MB, such as the names of a million pictures.
    assert int.from_bytes(index.path.read_bytes()[:8], "little") < 1000
    save_file({"seen": torch.frombuffer(bytearray(b"[]"), dtype=torch.uint8)}, index.path)
    assert index.load(names).seen == []


def test_a_unit_that_is_named_twice_is_shown_once(photos: Path) -> None:
    result, _ = watched(photos, "relu2_1:5", "relu2_1:05", count=2)
    assert list(result.about["patches"]) == ["relu2_1:5"]


def test_a_cache_that_cannot_be_written_is_told(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (photos.parent / "file").touch()
    monkeypatch.setenv("IMPASTO_CACHE", str(photos.parent / "file" / "cache"))
    result, told = watched(photos, "relu2_1:5", count=2)
    assert len(result.about["patches"]["relu2_1:5"]) == 2
    assert any(getattr(record, "text", "").startswith("nothing is kept for the next search") for record in told)


def test_a_size_that_does_not_fit_is_refused_first(photos: Path) -> None:
    with pytest.raises(impasto.InputError, match=r"20000x20000 needs .* max-memory is 4\.0 GB"):
        watched(photos, "relu2_1:5", size=20000, max_memory="4GB")


def test_maps_with_channels_elsewhere_are_one_line(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (photos.parent / "last_net.py").write_text(
        "from torch import nn\n"
        "class net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.conv, self.last = nn.Conv2d(3, 4, 3), nn.LayerNorm(4)\n"
        "    def forward(self, x):\n"
        "        return self.last(self.conv(x).permute(0, 2, 3, 1))\n"
    )
    monkeypatch.chdir(photos.parent)
    job = impasto.Patches(("last:1",), photos=str(photos), encoder="last_net:net", size=64)
    with pytest.raises(impasto.InputError, match="channels in one picture and"):
        impasto.run(job)


BAD = {
    "no unit": "",
    "a position": "relu3_1:2:1,1",
    "an unknown layer": "relu9_9:1",
    "a channel too many": "relu2_1:99999",
    "both": "relu2_1:1 --class 3",
    "a class of lite": "--class 3",
    "a class of lite beside a unit": "relu2_1:1 logits:3",
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_looked_for_is_one_line(case: str, photos: Path, refused: Callable[..., str]) -> None:
    out = photos.parent / "out.png"
    refused("visualize", "patches", *BAD[case].split(), "--photos", photos, "--size", 48, "-o", out, "--quiet")
    assert not out.exists()


def test_filters_of_several_networks_are_one_sheet(tmp_path: Path, ok: Callable[..., Any], monkeypatch: Any) -> None:
    (tmp_path / "other_net.py").write_text("from torch import nn\ndef net(): return nn.Conv2d(3, 5, 7)\n"
                                           "def wrapped(): return nn.Sequential(net())\n")  # fmt: skip
    monkeypatch.chdir(tmp_path)
    words = ("visualize", "filters", "--encoder", "lite", "-o", "f.png", "--quiet")
    ok(*words)
    alone = impasto.read_image("f.png").pixels.shape
    ok(*words, "--compare", "other_net:wrapped", "--force")
    assert impasto.read_image("f.png").pixels.shape != alone
    with pytest.raises(impasto.InputError, match="no file may run"):
        impasto.again("f.png")
