"""Where in many pictures the channels of a layer answer most strongly (Zeiler and Fergus 2014, §4)."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import torch
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor

from impasto.errors import InputError
from impasto.features.encoder import Encoder
from impasto.features.fingerprint import fingerprint
from impasto.features.weights import cache_folder
from impasto.files import read_tensors, write_bytes

#: The value, the picture's mark, and row and column of the cell.
Answer: TypeAlias = tuple[float, str, tuple[int, int]]
#: Places of each channel that are kept, one in each picture at most.
KEPT = 16
#: Pixels of the pictures that are computed at once, and of all that wait for others of their size.
AT_ONCE, WAITING = 8 * 256**2, 64 * 256**2


@dataclass
class Strongest:
    """The strongest answers of each channel of a layer, one in each picture.

    Attributes:
        values: `(C, K)`, the largest first; -inf where there were not so many pictures.
        pictures: `(C, K)`, their numbers, in `seen`.
        cells: `(C, K, 2)`, rows and columns in the layer's map.
        seen: marks of the pictures so far.
    """

    values: Tensor = field(default_factory=lambda: torch.zeros(0, KEPT))
    pictures: Tensor = field(default_factory=lambda: torch.zeros(0, KEPT, dtype=torch.int64))
    cells: Tensor = field(default_factory=lambda: torch.zeros(0, KEPT, 2, dtype=torch.int64))
    seen: list[str] = field(default_factory=list)

    def add(self, maps: Tensor, marks: Sequence[str]) -> None:
        """Take in the maps `(B, C, H, W)` of pictures of these marks; what is not finite is no answer.

        Raises:
            InputError: if they have other channels than those before.
        """
        channels, width = maps.shape[1], maps.shape[3]
        if len(self.values) not in (0, channels):
            raise InputError(
                f"the layer has {len(self.values)} channels in one picture and {channels} in another: choose one whose "
                "maps are (B, C, H, W)"
            )
        if not len(self.values):
            self.values = torch.full((channels, KEPT), -torch.inf)
            self.pictures, self.cells = self.pictures.new_zeros(channels, KEPT), self.cells.new_zeros(channels, KEPT, 2)
        largest, where = (x.cpu().T for x in maps.flatten(2).max(2))
        numbers = torch.arange(len(self.seen), len(self.seen) + len(marks)).expand(channels, -1)
        cells = torch.stack((where // width, where % width), 2)
        largest = torch.where(largest.isfinite(), largest, -torch.inf)
        values = torch.cat((self.values, largest.float()), 1)
        order = values.argsort(dim=1, descending=True, stable=True)[:, :KEPT]
        self.values = values.gather(1, order)
        self.pictures = torch.cat((self.pictures, numbers), 1).gather(1, order)
        self.cells = torch.cat((self.cells, cells), 1).gather(1, order[..., None].expand(-1, -1, 2))
        self.seen += marks

    def of(self, channel: int, count: int) -> list[Answer]:
        """A channel's strongest answers, the strongest first.

        Raises:
            InputError: if there is no such channel.
        """
        if channel >= len(self.values):
            raise InputError(f"the layer has {len(self.values)} channels, counted from 0; there is no {channel}")
        rows = zip(self.values[channel].tolist(), self.pictures[channel].tolist(), self.cells[channel].tolist(),
                   strict=True)  # fmt: skip
        return [(v, self.seen[n], (y, x)) for v, n, (y, x) in rows if v > -torch.inf][:count]


class Index:
    """What is kept on disk of a layer's strongest answers in a folder of pictures.

    Args:
        encoder: that looks.
        layer: of it.
        about: all else that the answers depend on, such as the folder and the size at which pictures are read.
    """

    def __init__(self, encoder: Encoder, layer: str, about: object) -> None:
        key = hashlib.sha256(f"2 {fingerprint(encoder)} {layer} {KEPT} {about!r}".encode()).hexdigest()
        self.path = cache_folder().parent / "patches" / f"{key}.safetensors"

    def load(self, marks: Iterable[str]) -> Strongest:
        """What is kept, if all the pictures that it is of are still there as they were; else nothing."""
        try:
            found = read_tensors(self.path)[1]
            seen: list[str] = json.loads(found["seen"].numpy().tobytes())
            kept = Strongest(found["values"], found["pictures"], found["cells"], seen)
        except (OSError, SafetensorError, KeyError, ValueError):
            return Strongest()
        return kept if set(seen) <= set(marks) else Strongest()

    def save(self, found: Strongest) -> None:
        """Keep it, to be gone on from.

        Raises:
            InputError: if it cannot be written.
        """
        # The names of a million pictures are too long for a file's metadata.
        seen = torch.frombuffer(bytearray(json.dumps(found.seen).encode()), dtype=torch.uint8)
        tensors = {"values": found.values, "pictures": found.pictures, "cells": found.cells, "seen": seen}
        write_bytes(self.path, save({n: t.contiguous() for n, t in tensors.items()}), "the index")


def name_of(mark: str) -> str:
    """The name of a marked picture in its folder."""
    return mark.rsplit("|", 2)[0]


def mark_of(path: Path, folder: Path) -> str:
    """A picture's name in its folder, with what tells whether it has changed."""
    about = os.stat(path)
    return f"{path.relative_to(folder).as_posix()}|{about.st_size}|{about.st_mtime_ns}"


def by_size(pictures: Iterable[tuple[str, Tensor]]) -> Iterator[tuple[list[str], Tensor]]:
    """Pictures `(1, 3, H, W)` with their marks, in batches `(B, 3, H, W)` of one size."""
    waiting: dict[torch.Size, list[tuple[str, Tensor]]] = {}
    held = 0

    def batch(size: torch.Size) -> tuple[list[str], Tensor]:
        marks, tensors = zip(*waiting.pop(size), strict=True)
        return list(marks), torch.cat(tensors)

    for mark, picture in pictures:
        same = waiting.setdefault(picture.shape, [])
        same.append((mark, picture))
        pixels = picture.shape[-2] * picture.shape[-1]
        held += pixels
        if len(same) * pixels >= AT_ONCE:
            held -= len(same) * pixels
            yield batch(picture.shape)
        elif held > WAITING:
            most = max(waiting, key=lambda size: len(waiting[size]))
            held -= len(waiting[most]) * most[-2] * most[-1]
            yield batch(most)
    for size in list(waiting):
        yield batch(size)


@torch.inference_mode()
def search(
    encoder: Encoder,
    found: Mapping[str, Strongest],
    pictures: Iterable[tuple[str, Tensor]],
    left_out: Callable[[list[str], str], None],
) -> Iterator[int]:
    """Look at pictures, and add the answers of some layers.

    Args:
        encoder: with the layers.
        found: layer -> what is added to.
        pictures: marks and pictures `(1, 3, H, W)`, RGB, [0, 1].
        left_out: told of those that the encoder cannot take, and why.

    Yields:
        How many pictures each batch had.
    """
    for marks, batch in by_size(pictures):
        try:
            maps = encoder(batch, found)
        except InputError as error:
            left_out(marks, str(error))
            yield len(marks)
            continue
        for layer, strongest in found.items():
            strongest.add(maps[layer], marks)
        yield len(marks)
