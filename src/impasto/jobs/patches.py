"""What excites a unit in real pictures: `visualize patches`."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from impasto.errors import InputError
from impasto.jobs.base import INPUT
from impasto.jobs.look import CLASSES, Look
from impasto.options import FOLDER, UNITS, WHOLE, option

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.features import Encoder
    from impasto.features.receptive import ReceptiveField
    from impasto.jobs.records import Record, Tell
    from impasto.jobs.result import Result
    from impasto.methods.attribution import Unit
    from impasto.methods.strongest import Answer, Strongest

#: Side of a patch on the sheet, in pixels, and the room between two.
SIDE, GAP = 112, 3
#: Seconds between two times that the index is kept.
SAVED = 20.0


@dataclass(frozen=True, eq=False, repr=False)
class Patches(Look):
    """The patches of a folder's pictures that excite UNITS most, and what guided backpropagation shows in each."""

    name: ClassVar[str] = "visualize patches"
    example: ClassVar[str] = "impasto visualize patches relu4_1:17 relu4_1:30 --photos holidays/ -o sheet.png"

    # fmt: off
    units: tuple[str, ...] = option((), UNITS, "Channels, LAYER:CHANNEL; a row of the sheet for each.", group=INPUT,
        positional=True, metavar="UNIT")
    _: KW_ONLY
    photos: str = option(None, FOLDER, "Folder of pictures, and of folders of them.", group=INPUT, required=True)
    class_number: int | None = option(None, WHOLE, "Class of ImageNet, 0 to 999; needs a whole VGG.", group=INPUT,
        flag="--class", least=0, most=CLASSES - 1)
    count: int = option(9, WHOLE, "Patches of each unit, from as many pictures.", group=INPUT, least=1, most=16)
    size: int = option(256, WHOLE, "Long side at which pictures are read, in pixels.", group=INPUT, least=16)
    # fmt: on

    def chosen(self) -> list[Unit]:
        """The units that are asked for."""
        from impasto.features.imported import LOGITS
        from impasto.methods.attribution import Unit

        if (not self.units) == (self.class_number is None):
            raise InputError("name what to look for: either units LAYER:CHANNEL or class N")
        if self.class_number is not None:
            return [Unit(LOGITS, self.class_number)]
        found = list(dict.fromkeys(Unit.named(unit) for unit in self.units))
        if placed := next((u for u in found if u.position is not None), None):
            raise InputError(f"{placed} is looked for everywhere: leave its position out")
        return found

    def work(self, tell: Tell) -> Generator[Record, None, Result[Any]]:
        from impasto.features.classifier import CLASSIFIER_LAYERS
        from impasto.features.encoder import check_layers
        from impasto.features.receptive import receptive_field
        from impasto.jobs.report import manifest
        from impasto.jobs.result import Result
        from impasto.jobs.running import memory_limit, open_named, resolved, written
        from impasto.methods.plan import PICTURE, fitted
        from impasto.methods.strongest import name_of

        units = self.chosen()
        job, notes = resolved(self)
        yield from notes
        network = open_named(job, classifier=any(unit.classifier for unit in units))
        layers = check_layers([u.layer for u in units], network.layers)
        whole = "pictures are looked at whole"
        fitted(network, layers, (job.size,) * 2, PICTURE * job.size**2, memory_limit(job), gradient=False, whole=whole)
        _check_channels(job, network, units, layers)
        found = yield from _searched(job, network, layers)
        fields = {n: None if n in CLASSIFIER_LAYERS else receptive_field(network, n, job.device) for n in layers}
        shown: dict[str, list[Any]] = {}
        rows = []
        for number, unit in enumerate(units):
            yield from _progress("drawing", number, len(units))
            top = found[unit.layer].of(unit.channel, job.count)
            label = str(unit)
            shown[label] = [[name_of(mark), round(value, 4), *cell] for value, mark, cell in top]
            rows.append(_drawn(job, network, unit, top, fields[unit.layer]))
        result = Result(_sheet(rows, list(shown)), job, None, (), manifest(job) | {"patches": shown})
        yield from written(result, 0.0)
        return result


def _check_channels(job: Patches, network: Encoder, units: Sequence[Unit], layers: Sequence[str]) -> None:
    """Raise InputError, before any picture is looked at, if a layer has no such channel."""
    import torch

    from impasto.features.imported import PROBE

    with torch.no_grad():
        maps = network(torch.zeros(1, 3, PROBE, PROBE, device=job.device), layers)
    for unit in units:
        unit.of(maps[unit.layer])


def _progress(what: str, done: int, total: int) -> Iterator[Record]:
    from impasto.jobs.records import Progress

    yield Progress(what, done, total)


def _searched(
    job: Patches, network: Encoder, layers: Sequence[str]
) -> Generator[Record, None, Mapping[str, Strongest]]:
    """The strongest answers of layers in all pictures: those that are kept, and of the pictures that are new."""
    from impasto.jobs.records import Note
    from impasto.media import pictures_in
    from impasto.methods.strongest import Index, mark_of

    folder, notes = Path(job.photos), list[Note]()
    marks = {mark_of(p, folder): p for p in pictures_in(folder, recursive=True, notice=lambda t: notes.append(Note(t)))}
    yield from notes
    indices = {layer: Index(network, layer, (str(folder.resolve()), job.size)) for layer in layers}
    found = {layer: index.load(marks) for layer, index in indices.items()}
    alike: dict[frozenset[str], list[str]] = {}
    for layer in layers:  # those that have seen the same are computed in one pass
        alike.setdefault(frozenset(found[layer].seen), []).append(layer)
    for seen, together in alike.items():
        todo = {mark: path for mark, path in marks.items() if mark not in seen}
        yield from _looked(job, network, {n: (found[n], indices[n]) for n in together}, todo, len(seen))
    if not all(strongest.seen for strongest in found.values()):
        raise InputError(f"{job.photos} holds no picture that could be looked at; give a folder with others")
    return found


def _looked(
    job: Patches, network: Encoder, layers: Mapping[str, Any], todo: Mapping[str, Path], before: int
) -> Generator[Record, None, None]:
    """Look at the pictures that are left, and keep what is found from time to time."""
    from impasto.jobs.ahead import ahead
    from impasto.jobs.records import Note, Progress
    from impasto.methods.strongest import name_of, search

    bad, unkept = list[str](), list[str]()

    def left_out(marks: list[str], why: str) -> None:
        bad.extend(f"{name_of(mark)}: {why}" for mark in marks)

    def pictures() -> Iterator[tuple[str, Tensor]]:
        for mark, path in todo.items():
            try:
                yield mark, _read(job, path)
            except InputError as error:
                left_out([mark], str(error))

    def keep() -> None:
        for strongest, index in layers.values():
            try:
                index.save(strongest)
            except InputError as error:  # the sheet does not need it
                unkept[:] = [str(error)]

    done, kept, total = before, time.monotonic(), before + len(todo)
    try:
        for count in search(network, {n: s for n, (s, _) in layers.items()}, ahead(pictures()), left_out):
            done += count
            yield Progress("looking at pictures", done, total)
            if time.monotonic() - kept > SAVED:
                keep()
                kept = time.monotonic()
    finally:
        if done > before:
            keep()
    if unkept:
        yield Note(f"nothing is kept for the next search: {unkept[0]}")
    if bad:
        yield Note(f"left out {len(bad)} pictures, the first is {bad[0]}", lost=True)


def _read(job: Patches, path: Path) -> Tensor:
    """A picture as the network is shown it, `(1, 3, H, W)`."""
    from impasto.jobs.look import picture_at

    return picture_at(path, job.size, job.device, at_least=job.size)


def _drawn(
    job: Patches, network: Encoder, unit: Unit, top: Sequence[Answer], field: ReceptiveField | None
) -> list[Tensor]:
    """A unit's patches and their guided gradients, each as a square of small pictures."""
    from impasto.methods.attribution import patch
    from impasto.methods.strongest import name_of

    pairs = [patch(network, _read(job, Path(job.photos) / name_of(mark)), unit, cell, field) for _, mark, cell in top]
    return [_square([pair[i].cpu() for pair in pairs], job.count) for i in (0, 1)]


def _square(pictures: Sequence[Tensor], count: int) -> Tensor:
    """Pictures, nearly as many rows as columns, on white."""
    from torch import ones
    from torch.nn.functional import pad

    columns = math.ceil(math.sqrt(count))
    blank = ones(1, 3, SIDE, SIDE)
    cells = [_fitted(p) for p in pictures] + [blank] * (columns * math.ceil(count / columns) - len(pictures))
    cells = [pad(cell, (0, GAP, 0, GAP), value=1.0) for cell in cells]
    rows = [_joined(cells[i : i + columns], 3) for i in range(0, len(cells), columns)]
    return _joined(rows, 2)[..., :-GAP, :-GAP]


def _joined(pictures: Sequence[Tensor], dim: int) -> Tensor:
    import torch

    return torch.cat(list(pictures), dim)


def _fitted(picture: Tensor) -> Tensor:
    """A picture in the middle of a white square that it fills: very small ones are enlarged by whole pixels."""
    from torch.nn.functional import pad

    from impasto.methods.regions import scaled

    times = SIDE // max(picture.shape[-2:])
    if times > 2:
        picture = picture.repeat_interleave(times, 2).repeat_interleave(times, 3)
    else:
        picture = scaled(picture, SIDE).clamp(0, 1)
    down, right = SIDE - picture.shape[-2], SIDE - picture.shape[-1]
    return pad(picture, (right // 2, right - right // 2, down // 2, down - down // 2), value=1.0)


def _sheet(rows: Sequence[Sequence[Tensor]], labels: Sequence[str]) -> Tensor:
    from impasto.media import sheet

    return sheet(rows, labels, ["strongest patches", "guided backpropagation"])
