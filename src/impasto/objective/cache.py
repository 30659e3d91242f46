"""Statistics of styles on disk, so that a folder of paintings is read once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor

from impasto.errors import InputError
from impasto.features.weights import cache_folder
from impasto.files import read_tensors, write_bytes


def statistics_folder() -> Path:
    """Where statistics of paintings are kept: `statistics` beside the weights' folder."""
    return cache_folder().parent / "statistics"


class StatisticsCache:
    """Mean statistics by layer, a small file for each picture.

    Args:
        folder: of the files; made when it is needed.
        most: bytes to keep; the files used longest ago are removed.
    """

    def __init__(self, folder: str | os.PathLike[str], most: int = 2**30) -> None:
        self.folder = Path(folder)
        self.most = most

    def key(self, encoder: str, about: object, picture: Tensor, mask: Tensor | None) -> str:
        """The name of an entry: all that its statistics depend on."""
        digest = hashlib.sha256(f"1 {encoder} {about!r} {tuple(picture.shape)}".encode())
        for tensor in (picture, mask):
            if tensor is not None:
                digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def get(self, key: str) -> dict[str, Tensor] | None:
        """The entry, or None if there is none or it is damaged."""
        path = self.folder / f"{key}.safetensors"
        try:
            found = read_tensors(path)[1]
            path.touch()
        except (OSError, SafetensorError):
            return None
        return found

    def put(self, key: str, entry: Mapping[str, Tensor]) -> None:
        """Keep an entry; a folder that cannot be written to is no error."""
        path = self.folder / f"{key}.safetensors"
        try:
            write_bytes(path, save({n: v.detach().cpu().contiguous() for n, v in entry.items()}))
            files = sorted((f.stat().st_mtime, f.stat().st_size, f) for f in self.folder.glob("*.safetensors"))
            excess = sum(size for _, size, _ in files) - self.most
            for _, size, file in files:
                if excess <= 0:
                    break
                file.unlink(missing_ok=True)
                excess -= size
        except (InputError, OSError, SafetensorError):
            return


class MemoryCache(StatisticsCache):
    """Statistics in memory, for pictures that are painted one after the other."""

    def __init__(self) -> None:
        super().__init__("")
        self._entries: dict[str, dict[str, Tensor]] = {}

    def get(self, key: str) -> dict[str, Tensor] | None:
        return self._entries.get(key)

    def put(self, key: str, entry: Mapping[str, Tensor]) -> None:
        self._entries[key] = dict(entry)
