"""The runtime is the pinned one, whoever brings it."""

from __future__ import annotations

import base64
import hashlib
import io
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from impasto.errors import InputError
from impasto.tab import runtime
from impasto.tab.runtime import Package, runtime_files


def archive_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, data in files.items():
            member = tarfile.TarInfo(f"package/{path}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


FILES = {"dist/a.mjs": b"a", "dist/a.wasm": b"b"}
ARCHIVE = archive_of(FILES | {"dist/other.js": b"c"})
PACKAGE = Package(
    "a",
    "1.0",
    f"sha512-{base64.b64encode(hashlib.sha512(ARCHIVE).digest()).decode()}",
    {path: hashlib.sha256(data).hexdigest() for path, data in FILES.items()},
    "MIT",
)


@pytest.fixture
def npm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[str]]:
    """Has npm bring an archive, or fail; the list of what it was asked for."""
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(runtime, "PACKAGES", (PACKAGE,))

    def npm(archive: bytes = ARCHIVE, problem: str = "") -> list[str]:
        asked: list[str] = []

        def run(command: list[str], **about: Any) -> subprocess.CompletedProcess[str]:
            asked.append(command[2])
            if not problem:
                Path(about["cwd"], "a-1.0.tgz").write_bytes(archive)
            return subprocess.CompletedProcess(command, bool(problem), "", problem)

        monkeypatch.setattr(runtime.subprocess, "run", run)
        monkeypatch.setattr(runtime.shutil, "which", lambda name: name)
        return asked

    return npm


def test_npm_is_asked_once(npm: Callable[..., list[str]], tmp_path: Path) -> None:
    asked = npm()
    for _ in range(2):
        assert runtime_files() == {"a.mjs": b"a", "a.wasm": b"b"}
    assert asked == ["a@1.0"]
    (tmp_path / "cache" / "tab" / "a.wasm").write_bytes(b"damaged")
    assert runtime_files()["a.wasm"] == b"b" and len(asked) == 2


def test_another_archive_is_refused(npm: Callable[..., list[str]]) -> None:
    npm(archive_of(FILES))
    with pytest.raises(InputError, match="its hash differs; give its folder with --runtime"):
        runtime_files()


def test_npm_that_fails_gets_one_line(npm: Callable[..., list[str]]) -> None:
    npm(problem="npm error code ENOTFOUND\nnpm error network\n")
    with pytest.raises(InputError, match=r"cannot fetch a@1.0 .npm error code ENOTFOUND npm error network") as error:
        runtime_files()
    assert "\n" not in str(error.value)


def test_without_npm_it_says_what_to_do(npm: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    npm()
    monkeypatch.setattr(runtime.shutil, "which", lambda name: None)
    with pytest.raises(InputError, match=r"there is no npm to fetch it: install Node.js, or give its folder"):
        runtime_files()


@pytest.mark.parametrize("within", ["", "dist/", "a/dist/", "node_modules/a/dist/"])
def test_a_folder_gives_it_by_hand(npm: Callable[..., list[str]], tmp_path: Path, within: str) -> None:
    asked = npm()
    with pytest.raises(InputError, match=r"has no dist/a.mjs of a; make it with: npm install --prefix FOLDER a@1.0"):
        runtime_files(str(tmp_path))
    for path, data in FILES.items():
        file = tmp_path / within / Path(path).name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    assert runtime_files(str(tmp_path)) == {"a.mjs": b"a", "a.wasm": b"b"} and not asked
    file.write_bytes(b"newer")
    with pytest.raises(InputError, match=r"is not that of a 1.0; give this version's"):
        runtime_files(str(tmp_path))
