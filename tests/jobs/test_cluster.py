"""Ray as workers: what each node must see, and that nothing is lost on the way."""

from __future__ import annotations

import json
import os
import shutil
import sys
import types
from pathlib import Path

import pytest

import impasto
from impasto.errors import InputError
from impasto.jobs.cluster import connected, seen

#: A picture of this name ends the process that reads it.
DEADLY = """
import io, os
real = io.open
def deadly(file, *args, **more):
    if str(file).endswith("poison.png"):
        os.kill(os.getpid(), 9)
    return real(file, *args, **more)
io.open = deadly
"""


def test_a_node_says_what_it_does_not_see(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    mark.touch()
    here, own = str(tmp_path), str(tmp_path / "own")
    assert seen((here, str(mark), own)) == "" and Path(own).exists()
    assert seen((f"{here}/photos", str(mark), own)) == f"{here}/photos is not there"
    assert seen((here, f"{here}/x/mark", own)) == f"{here}/x is another folder there"
    assert "cannot be written to there" in seen((here, str(mark), f"{here}/x/own"))


def test_without_ray_it_is_said_how_to_get_it(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"this needs the package ray.*extra ray"):
        impasto.batch(str(pair[0].parent / "paintings"), pair[1], output=str(tmp_path), ray="auto", quality="instant")


@pytest.mark.parametrize(
    ("address", "said"), [("auto", "cannot be started here"), ("10.0.0.1:1", "cannot be reached at")]
)
def test_a_cluster_that_is_not_there_is_one_line(address: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def init(address: str | None = None, **options: object) -> None:
        asked.append(address)
        raise ConnectionError("nobody there") if address else RuntimeError("The node timed out.\nDetails")

    monkeypatch.setitem(sys.modules, "ray", types.SimpleNamespace(init=init))
    with pytest.raises(InputError, match=said) as caught:
        connected(address)
    assert "\n" not in str(caught.value) and asked == ([address, None] if address == "auto" else [address])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_on_ray_it_is_as_here(pictures: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    photos, path = tmp_path / "photos", tmp_path / "path"
    for folder in (photos, path):
        folder.mkdir()
    for name in ("content", "other", "poison"):
        shutil.copy(pictures["style" if name == "poison" else name], photos / f"{name}.png")
    (photos / "bad.png").write_text("no picture")
    (path / "sitecustomize.py").write_text(DEADLY)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(path), *sys.path]))
    monkeypatch.chdir(tmp_path)
    options = {"quality": "instant", "size": 32, "threads": 1}
    found = impasto.batch("photos", pictures["style"], output="ray", ray="auto", **options)
    assert (found.painted, found.failed, found.died) == (2, 2, 2)
    rows = [json.loads(line) for line in Path("ray/report.jsonl").read_text().splitlines()]
    assert {row["picture"] for row in rows if row["state"] == "failed"} == {"bad.png", "poison.png"}
    (photos / "poison.png").unlink()
    impasto.batch("photos", pictures["style"], output="here", workers=0, **options)
    for name in ("content.png", "other.png"):
        assert Path("ray", name).read_bytes() == Path("here", name).read_bytes()
    assert sorted(p.name for p in Path("ray").iterdir()) == ["content.png", "other.png", "report.jsonl"]
