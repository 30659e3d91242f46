"""Files: written whole or not at all, checked before the work, found in folders."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


@contextmanager
def replacing(path: str | os.PathLike[str], what: str = "") -> Iterator[Path]:
    """A temporary name beside `path`, which takes its place when the block ends; on failure nothing is left of it.

    Folders are made, a link stays a link, and the file's mode is that of any new file.

    Args:
        path: of the file to write.
        what: it is, for the message: "the state".

    Raises:
        InputError: if it cannot be written.
    """
    shown = f"{what} {os.fspath(path)!r}".strip()
    temporary = None
    try:
        target = Path(path).resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        temporary = target.with_name(f"{_unfinished(target)}{secrets.token_hex(4)}{target.suffix}")
        temporary.touch()
        mode = temporary.stat().st_mode
        yield temporary
        os.chmod(temporary, mode)  # some libraries make files that nobody else may read
        os.replace(temporary, target)
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: a NUL; RuntimeError: a loop of links
        reason = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())
        raise InputError(f"cannot write {shown}: {reason}; choose another name or folder") from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _unfinished(target: Path) -> str:
    """How the temporary names of a file begin."""
    return f".impasto-{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:8]}-"


def remove_unfinished(path: str | os.PathLike[str]) -> None:
    """Remove what a process left of a file whose writing it did not survive, as nobody writes it now."""
    target = Path(path).resolve()
    with suppress(OSError):
        for left in target.parent.glob(f"{_unfinished(target)}*"):
            left.unlink(missing_ok=True)


def write_bytes(path: str | os.PathLike[str], data: bytes, what: str = "") -> None:
    """Write a file, whole or not at all; see `replacing`."""
    with replacing(path, what) as new, new.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file, whole or not at all; see `replacing`."""
    write_bytes(path, text.encode())


def read_tensors(path: str | os.PathLike[str]) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of a safetensors file; its errors are `OSError` and `SafetensorError`."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def check_target(path: str | os.PathLike[str], *, force: bool, suffixes: tuple[str, ...] = ()) -> Path:
    """Find out whether a file can be written, before any work is spent on it. Writes nothing.

    Args:
        path: of the file; missing folders are fine if they can be made.
        force: whether a file that is already there may be replaced.
        suffixes: that its name may end in; any if empty.

    Raises:
        InputError: another suffix; a folder; an existing file without `force`; a folder that takes no files.
    """
    target = Path(path)
    if suffixes and target.suffix.lower() not in suffixes:
        raise InputError(
            f"cannot write {str(target)!r}: its suffix is {target.suffix!r}; expected one of {', '.join(suffixes)}"
        )
    try:
        found = bool(target.stat())
    except (FileNotFoundError, NotADirectoryError):
        found = False
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(f"cannot use the path {str(target)[:200]!r}: {error}") from error
    if found and not target.is_file():
        kind = "a folder" if target.is_dir() else "no regular file"
        raise InputError(f"the output {str(target)!r} is {kind}: give the name of a file")
    if found and not force:
        raise InputError(f"the output {str(target)!r} exists: give another name, or --force to replace it")
    try:
        folder = next(parent for parent in target.absolute().parents if os.path.lexists(parent))
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"cannot write {str(target)!r}: {reason}; choose another folder") from error
    return target


def check_apart(**paths: str | os.PathLike[str] | None) -> None:
    """Raise InputError if two of the files by role are one."""
    seen: dict[Path, str] = {}
    for role, path in paths.items():
        if path is not None:
            place = Path(path).resolve()
            if place in seen:
                raise InputError(f"{seen[place]} and {role} are one file, {os.fspath(path)!r}: give each its own")
            seen[place] = role


def file_hash(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file, in hex; it is read once, as long as size and time stay the same.

    Raises:
        InputError: if it cannot be read.
    """
    try:
        about = os.stat(path)
        return _digest(os.path.abspath(path), about.st_ino, about.st_size, about.st_mtime_ns)
    except (OSError, ValueError) as error:
        raise InputError(f"{os.fspath(path)!r} cannot be read: {getattr(error, 'strerror', None) or error}") from error


@lru_cache(512)
def _digest(path: str, *about: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
