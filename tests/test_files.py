"""Files are written whole or not at all, as any other program would leave them."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from impasto.errors import InputError
from impasto.files import (
    check_apart,
    check_target,
    file_hash,
    remove_unfinished,
    replacing,
    write_bytes,
    write_text,
)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes and links as on POSIX systems")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize(("mask", "expected"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_umask_decides_who_may_read_a_file(
    umask: Callable[[int], int], mask: int, expected: int, tmp_path: Path
) -> None:
    umask(mask)
    write_text(tmp_path / "a.json", "{}")
    with replacing(tmp_path / "b.safetensors") as new:
        new.unlink()
        os.close(os.open(new, os.O_CREAT | os.O_WRONLY, 0o600))  # as some libraries do
    assert [mode(tmp_path / name) for name in ("a.json", "b.safetensors")] == [expected, expected]


def test_what_a_command_leaves_is_for_all_who_may_read(
    umask: Callable[[int], int], ok: Callable[..., Any], pair: tuple[Path, Path], tmp_path: Path
) -> None:
    umask(0o022)
    options = ("--size", 32, "--steps", 2, "--save-every", 2, "--encoder", "lite", "--quiet")
    ok("stylize", *pair, "-o", tmp_path / "o.png", "--report", tmp_path / "o.json", *options)
    found = {path.name: mode(path) for path in tmp_path.iterdir()}
    assert found == dict.fromkeys(("o.png", "o.json", "o-1-0002.png", "o.png.state.safetensors"), 0o644)


def test_a_link_stays_and_what_it_leads_to_is_written(
    ok: Callable[..., Any], pair: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "real.png", tmp_path / "link.png"
    target.write_text("older")
    link.symlink_to(target)
    ok("stylize", *pair, "-o", link, "--force", "--quality", "instant", "--size", 32)
    assert link.is_symlink() and target.read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["elsewhere", "link.png", "real.png"]


def test_a_link_to_nothing_makes_its_target_and_a_loop_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "new" / "file")
    write_text(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "new" / "file").read_text() == "text"
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(InputError, match="cannot write") as caught:
        write_text(tmp_path / "loop", "text")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError("a NUL")])
def test_a_failed_write_leaves_the_older_file_and_nothing_else(error: BaseException, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("older")
    expected = InputError if isinstance(error, Exception) else KeyboardInterrupt
    with pytest.raises(expected), replacing(path, "the report") as new:
        new.write_text("half of it")
        raise error
    assert path.read_text() == "older" and os.listdir(tmp_path) == ["report.json"]


def test_a_write_that_is_interrupted_by_a_full_disk_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"cannot write the state .*a': No space left on device; choose another"):
        write_bytes(tmp_path / "a", b"1234", "the state")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_a_file_is_refused_beforehand(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "pipe")
    for path, said in (
        (tmp_path, "is a folder"),
        (tmp_path / "pipe", "is no regular file"),
        (tmp_path / "file" / "below", "Not a directory"),
        (tmp_path / ("n" * 300), "cannot use the path"),
        (tmp_path / "nul\0", "cannot use the path"),
        (tmp_path / "file", "--force"),
    ):
        with pytest.raises(InputError, match=said) as caught:
            check_target(path, force=False)
        assert "\n" not in str(caught.value)
    assert check_target(tmp_path / "new" / "folder" / "file", force=False) and not (tmp_path / "new").exists()


def test_two_names_of_one_file_are_one(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    check_apart(output=tmp_path / "file", report=tmp_path / "other", plot=None)
    with pytest.raises(InputError, match="output and report are one file"):
        check_apart(output=tmp_path / "file", report=tmp_path / "link")


def test_the_hash_of_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    assert file_hash(tmp_path / "a").startswith("e3b0c442")
    with pytest.raises(InputError, match="cannot be read: No such file"):
        file_hash(tmp_path / "b")


def test_what_a_killed_process_left_of_a_file_is_found(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.png") as mine, replacing(tmp_path / "b.png") as other:
        mine.write_text("half")
        remove_unfinished(tmp_path / "b.png")
        assert mine.exists() and not other.exists()
        other.touch()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_a_file_that_changes_has_another_hash(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("one")
    first = file_hash(path)
    path.write_text("two!")
    assert file_hash(path) != first
    os.utime(path, ns=(0, 1))
    path.write_text("six!")
    assert file_hash(path) not in (first, None) and file_hash(path) == file_hash(path)
