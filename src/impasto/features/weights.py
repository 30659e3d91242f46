"""Weights of the VGG encoders: which files there are, where they are looked for, and how they are checked and loaded.

Nothing here uses the network, except `fetch`. A file is looked for in

1. the path that the caller names,
2. the folders of `$IMPASTO_WEIGHTS`,
3. torch's hub cache (`$TORCH_HOME`), where torchvision and other programs keep the same files,
4. impasto's cache (`$IMPASTO_CACHE`), where `fetch` puts them.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import pickle
import re
import struct
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from impasto.errors import InputError, WeightsError, unknown
from impasto.features.vgg import CAFFE, TORCHVISION, VGG16_WIDTHS, VGG19_WIDTHS, Normalization, from_torchvision_names


@dataclass(frozen=True)
class WeightsFile:
    """A published file of weights.

    Attributes:
        name: of the encoder it belongs to, such as `"vgg19"`.
        filenames: the names it may go by; the first is the published one, which `sha256` applies to.
        url: its public home.
        sha256: its SHA-256, in hex, or the first digits of it where no more is known.
        license: in words.
        widths: the network's channels, as for `VGG`.
        normalization: what the weights expect of an image.
        size: of the published file in bytes, if known.
    """

    name: str
    filenames: tuple[str, ...]
    url: str
    sha256: str
    license: str
    widths: Sequence[Sequence[int]]
    normalization: Normalization
    size: int | None = None


_TORCHVISION_LICENSE = "BSD-3-Clause (torchvision); trained on ImageNet"
_CAFFE_LICENSE = "CC BY 4.0 (Visual Geometry Group, University of Oxford); trained on ImageNet"

#: The files by encoder name.
WEIGHTS: dict[str, WeightsFile] = {
    "vgg19": WeightsFile(
        name="vgg19",
        filenames=("vgg19-dcbb9e9d.pth", "vgg19-dcbb9e9d.safetensors"),
        url="https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
        sha256="dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
        license=_TORCHVISION_LICENSE,
        widths=VGG19_WIDTHS,
        normalization=TORCHVISION,
        size=574_673_361,
    ),
    "vgg16": WeightsFile(
        name="vgg16",
        filenames=("vgg16-397923af.pth", "vgg16-397923af.safetensors"),
        url="https://download.pytorch.org/models/vgg16-397923af.pth",
        sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        license=_TORCHVISION_LICENSE,
        widths=VGG16_WIDTHS,
        normalization=TORCHVISION,
    ),
    "vgg19-caffe": WeightsFile(
        name="vgg19-caffe",
        filenames=("vgg19-d01eb7cb.pth", "vgg19-d01eb7cb.safetensors", "vgg19-caffe-features.safetensors"),
        url="https://web.eecs.umich.edu/~justincj/models/vgg19-d01eb7cb.pth",
        sha256="d01eb7cb",
        license=_CAFFE_LICENSE,
        widths=VGG19_WIDTHS,
        normalization=CAFFE,
    ),
    "vgg16-caffe": WeightsFile(
        name="vgg16-caffe",
        filenames=("vgg16-00b39a1b.pth", "vgg16-00b39a1b.safetensors"),
        url="https://web.eecs.umich.edu/~justincj/models/vgg16-00b39a1b.pth",
        sha256="00b39a1b",
        license=_CAFFE_LICENSE,
        widths=VGG16_WIDTHS,
        normalization=CAFFE,
    ),
}


def _entry(name: str) -> WeightsFile:
    if name not in WEIGHTS:
        raise unknown("weights", name, WEIGHTS)
    return WEIGHTS[name]


def _error(message: str) -> WeightsError:
    """A `WeightsError` in one line, whatever a library's message or a path brought in."""
    return WeightsError(" ".join(message.split()))


# --- where files are -------------------------------------------------------------------------------------------------


def cache_folder() -> Path:
    """Where `fetch` puts files: `weights` in `$IMPASTO_CACHE` or in the system's cache folder. It may not exist yet."""
    root = os.environ.get("IMPASTO_CACHE")
    if not root:
        import platformdirs  # one of pooch's requirements

        root = platformdirs.user_cache_dir("impasto")
    return _path(root) / "weights"


def _path(path: str | os.PathLike[str]) -> Path:
    return Path(os.path.expanduser(path))  # unlike Path.expanduser, never an error


def _sources() -> list[tuple[str, Path]]:
    """What each folder is, and the folder."""
    listed = [folder for folder in os.environ.get("IMPASTO_WEIGHTS", "").split(os.pathsep) if folder]
    return [
        *(("$IMPASTO_WEIGHTS", _path(folder)) for folder in listed),
        ("torch's hub cache", _path(torch.hub.get_dir()) / "checkpoints"),
        ("impasto's cache", cache_folder()),
    ]


def search_folders() -> list[Path]:
    """The folders in which weights are looked for, first to last. Some may not exist."""
    return list(dict.fromkeys(folder for _, folder in _sources()))


def _in_folder(folder: Path, entry: WeightsFile) -> Path | None:
    # os.path.isfile is False where Path.is_file raises, as in a folder that may not be read.
    return next((folder / name for name in entry.filenames if os.path.isfile(folder / name)), None)


def find(name: str, path: str | os.PathLike[str] | None = None) -> Path | None:
    """The file with an encoder's weights, or None if there is none.

    Args:
        name: one of `WEIGHTS`.
        path: a file of any name, or a folder that holds one of the entry's `filenames`; no other place is looked at
            then.

    Raises:
        WeightsError: if `path` does not exist, or is a folder without such a file.
    """
    entry = _entry(name)
    if path is None:
        return next((file for folder in search_folders() if (file := _in_folder(folder, entry))), None)
    given = _path(path)
    if os.path.isfile(given):
        return given
    if not os.path.isdir(given):
        raise _error(f"{given} does not exist; it was given as the weights of {name}, a file or a folder")
    file = _in_folder(given, entry)
    if file is None:
        raise _error(f"the folder {given} has no weights of {name}; it would be called {' or '.join(entry.filenames)}")
    return file


def published(path: str | os.PathLike[str], wanted: Sequence[str]) -> str:
    """Whose weights a path holds, by the names that published files go by.

    Args:
        path: a file of any entry of `WEIGHTS`, or a folder with one of the `wanted` entries, the first one first.

    Raises:
        WeightsError: if it does not exist, or its name does not tell.
    """
    given = _path(path)
    if not os.path.exists(given):
        raise _error(f"{given} does not exist; it was given as weights, a file or a folder")
    if os.path.isdir(given):
        found = next((name for name in wanted if _in_folder(given, _entry(name))), None)
        reason = f"holds no weights of {' or '.join(wanted)} under the names they are published with"
    else:
        found = next((name for name, entry in WEIGHTS.items() if given.name in entry.filenames), None)
        reason = "has not the name of a published file, which would tell whose weights it holds"
    if found is None:
        raise _error(f"{given} {reason}; name the encoder with --encoder")
    return found


def missing_message(name: str) -> str:
    """What to tell a user when `find` found nothing: what was looked for, where, and what to do; one line."""
    entry = _entry(name)
    folders = ", ".join(str(folder) for folder in search_folders())
    return (
        f"the weights of {name} are not on this machine: looked for {' or '.join(entry.filenames)} in {folders}; "
        f"get them with `impasto weights fetch {name}`"
    )


@dataclass(frozen=True)
class WeightsStatus:
    """Whether an encoder's weights are on this machine.

    Attributes:
        path: the file, if there is one.
        source: what the folder is that it was found in, such as `"torch's hub cache"`.
    """

    name: str
    path: Path | None
    source: str | None
    license: str
    url: str


def status() -> list[WeightsStatus]:
    """A row for each entry of `WEIGHTS`. Files are looked for, not opened."""
    rows = []
    for entry in WEIGHTS.values():
        found = ((file, source) for source, folder in _sources() if (file := _in_folder(folder, entry)))
        path, source = next(found, (None, None))
        rows.append(WeightsStatus(entry.name, path, source, entry.license, entry.url))
    return rows


# --- checking --------------------------------------------------------------------------------------------------------


def verify(path: Path, entry: WeightsFile) -> str | None:
    """Check a file's SHA-256, where it is known: for a file that goes by the published name.

    A large file takes seconds, so that its hash is noted in impasto's cache with the file's size and time of change,
    and computed again only when one of these differs.

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
        raise _error(f"{path} cannot be read: {error.strerror or error}") from error
    if not digest.startswith(entry.sha256):
        short = f" (it has {size} bytes, not {entry.size})" if entry.size not in (None, size) else ""
        raise _error(
            f"{path} is damaged or not the published file{short}: its SHA-256 is {digest[: len(entry.sha256)]}, not "
            f"{entry.sha256}; delete it and run `impasto weights fetch {entry.name}`"
        )
    return digest


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stamps() -> dict[str, object]:
    """`{file: [size, time of change in ns, SHA-256]}` of the files hashed so far."""
    try:
        stamps = json.loads((cache_folder() / "verified.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return stamps if isinstance(stamps, dict) else {}


def _known_digest(path: Path) -> str | None:
    stat = path.stat()
    match _stamps().get(str(path.resolve())):
        case [stat.st_size, stat.st_mtime_ns, str(digest)]:
            return digest
    return None


def _remember(path: Path, digest: str) -> str:
    """Note a file's hash, if the cache can be written to."""
    with suppress(OSError):
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        stat = path.stat()
        stamps = _stamps() | {str(path.resolve()): [stat.st_size, stat.st_mtime_ns, digest]}
        handle, temporary = tempfile.mkstemp(dir=folder, suffix=".json")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(stamps, file, indent=1)
            os.replace(temporary, folder / "verified.json")  # never half a file, even with two programs at it
        except OSError:
            os.unlink(temporary)
    return digest


# --- loading ---------------------------------------------------------------------------------------------------------

# What torch.load and safetensors are seen to raise on damaged files; no other kind of error is hidden.
_READ_ERRORS = (
    AssertionError, AttributeError, EOFError, ImportError, LookupError, MemoryError, OSError, OverflowError,
    RuntimeError, TypeError, ValueError, pickle.UnpicklingError, struct.error, zipfile.BadZipFile, SafetensorError,
)  # fmt: skip


def load_state(path: Path, entry: WeightsFile) -> dict[str, Tensor]:
    """An encoder's weights, checked, under the names of `VGG`'s state dict.

    Reads `.safetensors` files, and what `torch.save` wrote (without running code from it). The file has torchvision's
    names (`features.0.weight`, …), bare or under `state_dict`; what it has besides, such as `classifier.*`, is left
    out. Weights for BGR are turned into weights for RGB.

    Returns:
        `{"convs.conv1_1.weight": (64, 3, 3, 3), "convs.conv1_1.bias": (64,), …}`, float32, on the CPU.

    Raises:
        WeightsError: if the file cannot be read, or a tensor is missing, of another shape, or not finite.
    """
    read = _read_safetensors if path.suffix.lower() == ".safetensors" else read_torch
    raw = read(path)
    state = from_torchvision_names(raw, entry.widths)
    wrong = f"{path} does not hold the weights of {entry.name}"
    loaded: dict[str, Tensor] = {}
    for name, shape in _shapes(entry.widths).items():
        short = name.removeprefix("convs.")
        if name not in state:
            convs = sum(key.startswith("features.") and value.ndim == 4 for key, value in raw.items())
            raise _error(
                f"{wrong}: {short}, of shape {shape}, is missing "
                f"(the file has {convs} convolutions, {entry.name} has {sum(map(len, entry.widths))})"
            )
        tensor = state[name]
        if tuple(tensor.shape) != shape:
            raise _error(f"{wrong}: {short} has shape {tuple(tensor.shape)}, not {shape}")
        if not (tensor.is_floating_point() and tensor.layout is torch.strided and tensor.device.type == "cpu"):
            raise _error(f"{path}: {short} is {tensor.dtype}, {tensor.layout}; it must be plain floating point numbers")
        # A copy: the file may be mapped into memory, and change later.
        loaded[name] = tensor.detach().to(torch.float32, memory_format=torch.contiguous_format, copy=True)
        if not loaded[name].isfinite().all():
            raise _error(f"{path} is damaged: {short}, of shape {shape}, has values that are not finite")
    if entry.normalization.bgr:
        loaded["convs.conv1_1.weight"] = loaded["convs.conv1_1.weight"].flip(1)
    return loaded


def _shapes(widths: Sequence[Sequence[int]]) -> dict[str, tuple[int, ...]]:
    """Shape of each tensor of the network, from shallow to deep."""
    shapes: dict[str, tuple[int, ...]] = {}
    channels = 3
    for block, block_widths in enumerate(widths, 1):
        for index, width in enumerate(block_widths, 1):
            shapes[f"convs.conv{block}_{index}.weight"] = (width, channels, 3, 3)
            shapes[f"convs.conv{block}_{index}.bias"] = (width,)
            channels = width
    return shapes


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return {key: file.get_tensor(key) for key in file.keys() if key.startswith("features.")}  # noqa: SIM118
    except _READ_ERRORS as error:
        raise _unreadable(path, "safetensors", error) from error


def read_torch(path: Path) -> dict[str, Tensor]:
    """Every tensor of what `torch.save` wrote, read without running code from it.

    Raises:
        WeightsError: if the file cannot be read.
    """
    try:
        # Files from before torch 1.6, torchvision's and Caffe's among them, are no zip archives and cannot be mapped.
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except _READ_ERRORS as error:
        raise _unreadable(path, "PyTorch", error) from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping):
        raise _error(f"{path} holds no weights: it has a {type(content).__name__} where a state dict was expected")
    return {k: v for k, v in content.items() if isinstance(k, str) and isinstance(v, Tensor)}


def _unreadable(path: Path, kind: str, error: BaseException) -> WeightsError:
    """A file that its loader refused. Torch's words on pickles are long and advise against safety: not repeated."""
    if isinstance(error, OSError) and error.strerror:
        return _error(f"{path} cannot be read: {error.strerror}")
    if os.path.isfile(path) and os.path.getsize(path) == 0:
        return _error(f"{path} is empty, where a {kind} file was expected")
    code = re.search(r"GLOBAL ([\w.]+)", str(error)) if isinstance(error, pickle.UnpicklingError) else None
    if code:
        return _error(f"{path} was refused: it holds Python code ({code[1]}), where only tensors were expected")
    # The other kinds are slips of the loader on nonsense, and tell a user nothing.
    told = re.split(r"\.\s|\n", str(error))[0][:120] if isinstance(error, (SafetensorError, RuntimeError)) else ""
    return _error(f"{path} is not a {kind} file, or is damaged or cut short" + (f": {told}" if told else ""))


# --- fetching --------------------------------------------------------------------------------------------------------

_ATTEMPTS = 3
_PAUSE = 1.0  # seconds before the second attempt, twice as long before the third
_CHUNK = 1 << 18  # bytes


class Progress(Protocol):
    """What reports a download: pooch sets `total`, in bytes, and calls the others; tqdm's bars are of this shape."""

    total: int

    def update(self, count: int, /) -> object: ...
    def reset(self) -> object: ...
    def close(self) -> object: ...


def fetch(name: str, folder: str | os.PathLike[str] | None = None, *, progress: Progress | bool = False) -> Path:
    """Download an encoder's weights and check them, unless they are in the folder and sound.

    Args:
        name: one of `WEIGHTS`.
        folder: where to put the file, by default `cache_folder()`.
        progress: an object that is told how far the download is; `True` is a bar by tqdm, if that is installed.

    Returns:
        The file.

    Raises:
        WeightsError: if the file cannot be had, or is not the published one. The folder is as it was then.
    """
    entry = _entry(name)
    target = (_path(folder) if folder is not None else cache_folder()) / entry.filenames[0]
    if os.path.isfile(target):
        with suppress(WeightsError):  # damaged: it is replaced once there is a sound one
            verify(target, entry)
            return target

    import requests

    try:
        digest = _download(entry, target, progress)
    except requests.HTTPError as error:
        reason = str(error)
        if (answer := error.response) is not None:
            reason = f"{answer.status_code} {answer.reason}"
            answer.close()  # pooch leaves it open
        raise _not_fetched(entry, target, f"the server answered {reason}") from error
    except requests.Timeout as error:
        raise _not_fetched(entry, target, "the server does not answer") from error
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
        raise _not_fetched(entry, target, "no connection to the server, or it was lost") from error
    except requests.RequestException as error:
        raise _not_fetched(entry, target, str(error)) from error
    except OSError as error:
        raise _not_fetched(entry, target, f"the file cannot be written: {error.strerror or error}") from error
    _remember(target, digest)
    return target


def _download(entry: WeightsFile, target: Path, progress: Progress | bool) -> str:
    """Put the published file at `target`; its SHA-256. A lost connection is tried again, a wrong file is not."""
    import pooch  # type: ignore[import-untyped]
    import requests

    try:
        downloader = pooch.HTTPDownloader(progressbar=progress, chunk_size=_CHUNK)
    except ValueError as error:
        raise InputError("progress=True needs tqdm (pip install tqdm); or pass an object that reports it") from error
    known = f"sha256:{entry.sha256}" if len(entry.sha256) == 64 else None
    part = target.with_name(f"{target.name}.part")
    for attempt in range(1, _ATTEMPTS + 1):
        part.unlink(missing_ok=True)
        try:
            with _quiet(pooch.get_logger()):
                pooch.retrieve(entry.url, known, fname=part.name, path=part.parent, downloader=downloader)
            break
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
            if attempt == _ATTEMPTS:
                raise
            time.sleep(_PAUSE * attempt)
            if not isinstance(progress, bool):
                progress.reset()
        except requests.RequestException:
            raise
        except ValueError as error:  # pooch's word for another hash
            raise _not_fetched(entry, target, f"what came is not the published file ({error})") from error
    try:
        digest = entry.sha256 if known else _digest(part)
        if not digest.startswith(entry.sha256):
            reason = f"what came is not the published file (its SHA-256 is {digest[: len(entry.sha256)]}"
            raise _not_fetched(entry, target, f"{reason}, not {entry.sha256})")
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return digest


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Pooch's logger writes to standard error of its own accord."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _not_fetched(entry: WeightsFile, target: Path, reason: str) -> WeightsError:
    return _error(
        f"the weights of {entry.name} could not be fetched: {reason}; "
        f"{entry.url} can also be downloaded by hand and put into {target.parent} as {target.name}"
    )
