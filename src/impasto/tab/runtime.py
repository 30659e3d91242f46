"""What computes in the tab: packages from npm, pinned, whose files are known by their hashes."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from impasto.errors import InputError
from impasto.features.weights import cache_folder, expanded
from impasto.files import write_bytes

#: Seconds for npm to fetch one package, of which the larger has 33 MB.
PATIENCE = 600


@dataclass(frozen=True)
class Package:
    """A package of npm.

    Attributes:
        name, version: of it.
        integrity: SHA-512 of its archive, as npm writes it.
        files: SHA-256 of those that are used, by their paths in it.
        license: of it.
    """

    name: str
    version: str
    integrity: str
    files: Mapping[str, str]
    license: str


ORT = Package(
    "onnxruntime-web",
    "1.30.0",
    "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
    {
        "dist/ort.wasm.min.mjs": "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
        "dist/ort-wasm-simd-threaded.mjs": "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
        "dist/ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
    },
    "MIT, Copyright (c) Microsoft Corporation",
)
XZ = Package(
    "xz-decompress",
    "0.2.3",
    "sha512-O8v6HG8T0PrKBcpyWA13GkSYWFvncwzuzcLx5A7++l3HsE3atmoetXjIxrZ/JV/nbvSZ7WS4+3XvREZuVn+rEA==",
    {"dist/package/xz-decompress.min.js": "d83649874b6198df07340a88377613ccd2267aebb9f18b3be26c6904a81bac52"},
    "MIT, (c) Steve Sanderson, Tim Perry; walloc (c) 2020 Igalia, S.L.; xz-embedded is in the public domain",
)
PACKAGES = (ORT, XZ)


def runtime_files(folder: str | None = None) -> dict[str, bytes]:
    """Name -> bytes of the files of `PACKAGES`: from a folder, else impasto's cache, else npm.

    Args:
        folder: the files themselves, a `node_modules`, or what holds one.

    Raises:
        InputError: if a file is not there or is another version's, or npm is absent or cannot fetch it.
    """
    found: dict[str, bytes] = {}
    for package in PACKAGES:
        if folder is not None:
            found |= {Path(path).name: _given(expanded(folder), package, path) for path in package.files}
            continue
        cached = {path: cache_folder().parent / "tab" / Path(path).name for path in package.files}
        if not all(_is(file, package.files[path]) for path, file in cached.items()):
            for path, data in _fetched(package).items():
                write_bytes(cached[path], data, "the runtime")
        found |= {file.name: file.read_bytes() for file in cached.values()}
    return found


def _is(file: Path, digest: str) -> bool:
    return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == digest


def _given(folder: Path, package: Package, path: str) -> bytes:
    within = (path, Path(path).name, f"{package.name}/{path}", f"node_modules/{package.name}/{path}")
    files = [file for file in (folder / place for place in within) if file.is_file()]
    if not files:
        raise InputError(
            f"{str(folder)!r} has no {path} of {package.name}; "
            f"make it with: npm install --prefix FOLDER {' '.join(f'{p.name}@{p.version}' for p in PACKAGES)}"
        )
    if not _is(files[0], package.files[path]):
        raise InputError(f"{str(files[0])!r} is not that of {package.name} {package.version}; give this version's")
    return files[0].read_bytes()


def _fetched(package: Package) -> dict[str, bytes]:
    """Path -> bytes of a package's files, by npm."""
    asked, instead = f"{package.name}@{package.version}", "give its folder with --runtime"
    npm = shutil.which("npm")
    if npm is None:
        raise InputError(f"the page needs {asked}, and there is no npm to fetch it: install Node.js, or {instead}")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", asked, "--silent", "--pack-destination", folder]
        try:
            ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd=folder)
            problem = " ".join(ran.stderr.split())[:200] or f"exit code {ran.returncode}" if ran.returncode else ""
        except (OSError, subprocess.TimeoutExpired) as error:
            problem = str(error)
        archives = list(Path(folder).glob("*.tgz"))
        if problem or not archives:
            raise InputError(f"npm cannot fetch {asked} ({problem or 'no archive'}): is there a network? or {instead}")
        data = archives[0].read_bytes()
        if f"sha512-{base64.b64encode(hashlib.sha512(data).digest()).decode()}" != package.integrity:
            raise InputError(f"npm fetched another {asked} than impasto was tested with: its hash differs; {instead}")
        with tarfile.open(archives[0]) as archive:
            members = {path: archive.extractfile(f"package/{path}") for path in package.files}
            return {path: member.read() for path, member in members.items() if member is not None}
