"""Weights of encoders and decoders: which files there are, where they are looked for, their hashes, and their download.

Nothing here needs torch, and nothing uses the network except `fetch`. A file is looked for in

1. the path that the caller names,
2. the folders of `$IMPASTO_WEIGHTS`,
3. torch's hub cache (`$TORCH_HOME`), where torchvision and other programs keep the same files,
4. impasto's cache (`$IMPASTO_CACHE`), where `fetch` puts them.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Protocol

from impasto.errors import InputError, WeightsError, unknown
from impasto.features.variants import CAFFE, TORCHVISION, VGG16_WIDTHS, VGG19_WIDTHS, Normalization


@dataclass(frozen=True)
class PublishedFile:
    """A published file of weights.

    Attributes:
        name: of the network it belongs to, such as `"vgg19"`.
        url: its public home.
        sha256: its SHA-256, in hex, or the first digits of it where no more is known.
        license: in words.
        size: of the published file in bytes, if known.
    """

    name: str
    url: str
    sha256: str
    license: str
    size: int | None = field(default=None, kw_only=True)

    @property
    def filenames(self) -> tuple[str, ...]:
        """The names it may go by, first the published one, which `sha256` applies to."""
        return (self.url.rpartition("/")[2],)


@dataclass(frozen=True)
class WeightsFile(PublishedFile):
    """An encoder's weights.

    Attributes:
        widths: the network's channels, as for `VGG`.
        normalization: what the weights expect of an image.
    """

    widths: Sequence[Sequence[int]]
    normalization: Normalization

    @property
    def filenames(self) -> tuple[str, ...]:
        """The published name, and those of its convolutions alone."""
        (name,) = super().filenames
        return name, name.replace(".pth", ".safetensors"), f"{self.name}-features.safetensors"


_BSD = "BSD-3-Clause (torchvision); trained on ImageNet"
_CC = "CC BY 4.0 (Visual Geometry Group, University of Oxford); trained on ImageNet"
_TORCHVISION = "https://download.pytorch.org/models"
_CAFFE = "https://web.eecs.umich.edu/~justincj/models"
_VGG19 = "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44"
_VGG16 = "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"

# fmt: off
#: The files by encoder name.
WEIGHTS = {entry.name: entry for entry in (
    WeightsFile(
        "vgg19", f"{_TORCHVISION}/vgg19-dcbb9e9d.pth", _VGG19, _BSD, VGG19_WIDTHS, TORCHVISION, size=574_673_361
    ),
    WeightsFile("vgg16", f"{_TORCHVISION}/vgg16-397923af.pth", _VGG16, _BSD, VGG16_WIDTHS, TORCHVISION),
    WeightsFile("vgg19-caffe", f"{_CAFFE}/vgg19-d01eb7cb.pth", "d01eb7cb", _CC, VGG19_WIDTHS, CAFFE),
    WeightsFile("vgg16-caffe", f"{_CAFFE}/vgg16-00b39a1b.pth", "00b39a1b", _CC, VGG16_WIDTHS, CAFFE),
)}
# fmt: on
_TAESD = "https://github.com/madebyollin/taesd/raw/5cccb12dc72074a4be35680c3b108548a7c69978"
_TAEF2 = "0a44a31e1ae59eb9dbf9359d24942fd3ef5928162c1800d97a28c61d51be0ab5"
#: The files of decoders that make a canvas's pictures (`impasto.canvas.decoder`), by the canvas's name.
DECODERS = {
    "taef2": PublishedFile(
        "taef2", f"{_TAESD}/taef2_decoder.pth", _TAEF2, "MIT (Ollin Boer Bohan, taesd)", size=2_704_756
    )
}
#: The encoder whose weights come with impasto.
PACKAGED = "lite"


def entry_of(name: str) -> PublishedFile:
    """The row of an encoder or a decoder.

    Raises:
        InputError: if there is none of that name.
    """
    found = WEIGHTS.get(name) or DECODERS.get(name)
    if found is None:
        raise unknown("weights", name, (PACKAGED, *WEIGHTS, *DECODERS))
    return found


def weights_error(message: str) -> WeightsError:
    """A `WeightsError` in one line, whatever a library's message or a path brought in."""
    return WeightsError(" ".join(message.split()))


def cache_folder() -> Path:
    """Where `fetch` puts files: `weights` in `$IMPASTO_CACHE` or in the system's cache folder. It may not exist yet."""
    root = os.environ.get("IMPASTO_CACHE")
    if not root:
        import platformdirs  # one of pooch's requirements

        root = platformdirs.user_cache_dir("impasto")
    return expanded(root) / "weights"


def expanded(path: str | os.PathLike[str]) -> Path:
    return Path(os.path.expanduser(path))  # unlike Path.expanduser, never an error


def _hub_folder() -> str:
    """`torch.hub.get_dir()`, without torch: a folder set in this process counts only where torch is loaded."""
    if (hub := sys.modules.get("torch.hub")) is not None:
        return str(hub.get_dir())
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return os.path.join(os.environ.get("TORCH_HOME", os.path.join(cache, "torch")), "hub")


def _sources() -> list[tuple[str, Path]]:
    """What each folder is, and the folder."""
    listed = [folder for folder in os.environ.get("IMPASTO_WEIGHTS", "").split(os.pathsep) if folder]
    return [
        *(("$IMPASTO_WEIGHTS", expanded(folder)) for folder in listed),
        ("torch's hub cache", expanded(_hub_folder()) / "checkpoints"),
        ("impasto's cache", cache_folder()),
    ]


def search_folders() -> list[Path]:
    """The folders in which weights are looked for, first to last. Some may not exist."""
    return list(dict.fromkeys(folder for _, folder in _sources()))


def _filenames(name: str) -> tuple[str, ...]:
    return (f"{PACKAGED}.safetensors",) if name == PACKAGED else entry_of(name).filenames


def _in_folder(folder: Path, name: str) -> Path | None:
    # os.path.isfile is False where Path.is_file raises, as in a folder that may not be read.
    return next((folder / file for file in _filenames(name) if os.path.isfile(folder / file)), None)


def _places(name: str) -> Iterator[tuple[Path, str]]:
    """Each file with an encoder's weights, and what the folder is that it was found in."""
    sources = [("packaged", Path(str(files("impasto"))) / "data")] if name == PACKAGED else _sources()
    return ((file, source) for source, folder in sources if (file := _in_folder(folder, name)))


def find(name: str, path: str | os.PathLike[str] | None = None) -> Path | None:
    """The file with an encoder's weights, or None if there is none.

    Args:
        name: one of `WEIGHTS` or `DECODERS`, or `lite`, whose weights are packaged.
        path: a file of any name, or a folder that holds one of the entry's `filenames`; no other place is searched
            then.

    Raises:
        WeightsError: if `path` does not exist, or is a folder without such a file.
    """
    filenames = _filenames(name)
    if path is None:
        return next((file for file, _ in _places(name)), None)
    given = expanded(path)
    if os.path.isfile(given):
        return given
    if not os.path.isdir(given):
        raise weights_error(f"{given} does not exist; it was given as the weights of {name}, a file or a folder")
    file = _in_folder(given, name)
    if file is None:
        raise weights_error(f"the folder {given} has no weights of {name}; it would be called {' or '.join(filenames)}")
    return file


def locate(name: str, path: str | os.PathLike[str] | None = None) -> Path:
    """`find(name, path)`, but weights that are not on this machine are an error.

    Raises:
        WeightsError: also if there is no such file, with what was looked for, where, and what to do.
    """
    if (file := find(name, path)) is not None:
        return file
    raise weights_error(
        f"the weights of {name} are not on this machine: looked for {' or '.join(_filenames(name))} in "
        f"{', '.join(map(str, search_folders()))}; get them with `impasto weights fetch {name}`"
    )


def published(path: str | os.PathLike[str], wanted: Sequence[str]) -> str:
    """Whose weights a path holds, by the names that published files go by.

    Args:
        path: a file of any entry of `WEIGHTS`, or a folder with one of the `wanted` entries, the first one first.

    Raises:
        WeightsError: if it does not exist, or its name does not tell.
    """
    given = expanded(path)
    if not os.path.exists(given):
        raise weights_error(f"{given} does not exist; it was given as weights, a file or a folder")
    if os.path.isdir(given):
        found = next((name for name in wanted if _in_folder(given, name)), None)
        reason = f"holds no weights of {' or '.join(wanted)} under the names they are published with"
    else:
        found = next((name for name, entry in WEIGHTS.items() if given.name in entry.filenames), None)
        reason = "has not the name of a published file, which would tell whose weights it holds"
    if found is None:
        raise weights_error(f"{given} {reason}; name the encoder with --encoder")
    return found


@dataclass(frozen=True)
class WeightsStatus:
    """Whether an encoder's weights are on this machine.

    Attributes:
        path: the file, if there is one.
        source: what the folder is that it was found in, such as `"torch's hub cache"`.
        url: its public home; empty for packaged weights.
    """

    name: str
    path: Path | None
    source: str | None
    license: str
    url: str


def status() -> list[WeightsStatus]:
    """A row for `lite` and for each entry of `WEIGHTS` and `DECODERS`. Files are looked for, not opened."""
    entries = [*WEIGHTS.values(), *DECODERS.values()]
    rows = [(PACKAGED, "Apache-2.0", ""), *((e.name, e.license, e.url) for e in entries)]
    return [WeightsStatus(name, *next(_places(name), (None, None)), *about) for name, *about in rows]


# --- checking and fetching ------------------------------------------------------------------------------------------

#: Attempts after the first, a second or more apart, where the connection was lost or there was none.
RETRIES = 2
_CHUNK = 1 << 18  # bytes


def verify(path: Path, entry: PublishedFile) -> str | None:
    """Check a file's SHA-256, where it is known: for a file that goes by the published name.

    A large file takes seconds, so that its hash is noted in impasto's cache, and computed again only when the file's
    size or time of change differs.

    Returns:
        The SHA-256, or None for a file whose hash is not known (it was not read then).

    Raises:
        WeightsError: if the file is not the published one, or cannot be read.
    """
    if path.name != entry.filenames[0]:
        return None
    try:
        digest = _known_digest(path) or _remember(path, _digest(path))
        size = path.stat().st_size
    except OSError as error:
        raise weights_error(f"{path} cannot be read: {error.strerror or error}") from error
    if not digest.startswith(entry.sha256):
        short = f" (it has {size} bytes, not {entry.size})" if entry.size not in (None, size) else ""
        raise weights_error(
            f"{path} is damaged or not the published file{short}: its SHA-256 is {digest[: len(entry.sha256)]}, not "
            f"{entry.sha256}; delete it and run `impasto weights fetch {entry.name}`"
        )
    return digest


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _noted(path: Path) -> Path:
    """Where a file's hash is noted while it is as it is now."""
    stat = path.stat()
    state = f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}"
    return cache_folder() / "verified" / hashlib.sha256(state.encode()).hexdigest()


def _known_digest(path: Path) -> str | None:
    with suppress(OSError, ValueError):
        text = _noted(path).read_text(encoding="ascii")
        return text if re.fullmatch("[0-9a-f]{64}", text) else None  # half of one, or somebody else's
    return None


def _remember(path: Path, digest: str) -> str:
    """Note a file's hash, if the cache can be written to."""
    with suppress(OSError):
        note = _noted(path)
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(digest, encoding="ascii")
    return digest


class Progress(Protocol):
    """What reports a download: pooch sets `total`, in bytes, and calls the others; tqdm's bars are of this shape."""

    total: int

    def update(self, count: int, /) -> object: ...
    def reset(self) -> object: ...
    def close(self) -> object: ...


def fetch(name: str, folder: str | os.PathLike[str] | None = None, *, progress: Progress | bool = False) -> Path:
    """Download an encoder's weights and check them, unless they are packaged or in the folder and sound.

    Args:
        name: one of `WEIGHTS` or `DECODERS`, or `lite`.
        folder: where to put the file, by default `cache_folder()`.
        progress: an object that is told how far the download is; `True` is a bar by tqdm, if that is installed.

    Returns:
        The file.

    Raises:
        WeightsError: if the file cannot be had, or is not the published one. The folder is as it was then.
    """
    if name == PACKAGED:
        return locate(name)
    entry = entry_of(name)
    target = (expanded(folder) if folder is not None else cache_folder()) / entry.filenames[0]
    if os.path.isfile(target):
        with suppress(WeightsError):  # damaged: it is replaced once there is a sound one
            verify(target, entry)
            return target
    try:
        digest = _download(entry, target, progress)
    except (OSError, _Refused) as error:  # what requests raises is an OSError
        raise weights_error(
            f"the weights of {name} could not be fetched: {_reason(error)}; "
            f"{entry.url} can also be downloaded by hand and put into {target.parent} as {target.name}"
        ) from error
    _remember(target, digest)
    return target


class _Refused(Exception):
    """What another attempt would not better: it is not one of those after which pooch makes one."""


def _download(entry: PublishedFile, target: Path, progress: Progress | bool) -> str:
    """Put the published file at `target`; its SHA-256."""
    import pooch  # type: ignore[import-untyped]
    import requests

    try:
        http = pooch.HTTPDownloader(progressbar=progress, chunk_size=_CHUNK)
    except ValueError as error:
        raise InputError("progress=True needs tqdm (pip install tqdm); or pass an object that reports it") from error
    digest = ""

    def download(url: str, file: str, store: object) -> None:
        nonlocal digest
        if not isinstance(progress, bool):
            progress.reset()
        try:
            http(url, file, store)
        except requests.HTTPError as error:
            error.response.close()  # pooch leaves it open
            raise _Refused(f"the server answered {error.response.status_code} {error.response.reason}") from error
        digest = _digest(Path(file))
        if not digest.startswith(entry.sha256):  # of some only the first digits are known, which pooch cannot compare
            shown = digest[: len(entry.sha256)]
            raise _Refused(f"what came is not the published file (its SHA-256 is {shown}, not {entry.sha256})")
        os.chmod(file, 0o644)  # pooch's own files are for their owner only

    logger, part = pooch.get_logger(), target.with_name(f"{target.name}.part")
    level = logger.level
    logger.setLevel(logging.WARNING)  # it writes to standard error of its own accord
    try:
        part.unlink(missing_ok=True)
        store = pooch.create(
            part.parent, "", registry={part.name: None}, urls={part.name: entry.url}, retry_if_failed=RETRIES
        )
        os.replace(store.fetch(part.name, downloader=download), target)
    finally:
        logger.setLevel(level)
    return digest


def _reason(error: Exception) -> str:
    import requests

    match error:
        case requests.Timeout():
            return "the server does not answer"
        case requests.ConnectionError() | requests.exceptions.ChunkedEncodingError():
            return "no connection to the server, or it was lost"
        case OSError(strerror=str(what)):
            return f"the file cannot be written: {what}"
    return str(error)
