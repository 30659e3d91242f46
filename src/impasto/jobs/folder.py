"""A folder of photographs, each painted into another folder by the same job."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

from impasto.errors import InputError
from impasto.files import write_text
from impasto.jobs.paint import Brush, paint_records
from impasto.jobs.records import Note, Progress, Record, Tell
from impasto.jobs.report import manifest_of
from impasto.jobs.running import resolved
from impasto.jobs.stylize import ONE_PASS, Stylize
from impasto.media import pictures_in


def targets(folder: Path, output: Path) -> dict[Path, Path]:
    """Photograph -> the PNG to write, in the same folders; names that would collide keep their suffix."""
    inside = output.resolve()
    files = [p for p in pictures_in(folder, recursive=True) if inside not in p.resolve().parents]
    stems = Counter(p.with_suffix("") for p in files)
    return {
        p: output / p.relative_to(folder).with_name(f"{p.stem if stems[p.with_suffix('')] == 1 else p.name}.png")
        for p in files
    }


def is_done(job: Stylize, target: Path) -> bool:
    """Whether a picture is there that this job made of the same photograph and paintings."""
    try:
        theirs = manifest_of(target)["job"]
    except InputError:
        return False
    ours: dict[str, Any] = json.loads(json.dumps(job.as_json(portable=True)))
    return all(theirs.get(name) == value for name, value in ours.items() if name in job.given or name == "job")


def folder_records(job: Stylize, tell: Tell) -> Generator[Record, None, Any]:
    """Paint all photographs of a folder; what was painted before by the same job is left alone."""
    folder = Path(str(job.content))
    if job.output is None:
        raise InputError(f"{folder} is a folder of photographs: name a folder for the pictures with output")
    output = Path(job.output)
    if output.is_file() or output.resolve() == folder.resolve():
        raise InputError(f"{folder} is a folder, so the output must be another one: {output} is not")
    plan = targets(folder, output)
    if not plan:
        raise InputError(f"{folder} holds no pictures: give a photograph, or a folder of some")
    painted, there, failed = 0, 0, list[str]()
    brush: Brush | None = None
    if job.mode == ONE_PASS:  # paintings are measured once
        ready, notes = resolved(job.changed(output=None, report=None))
        brush = Brush(ready, notes)
        yield from notes
    for number, (photo, target) in enumerate(plan.items()):
        yield Progress("painting", number, len(plan), photo.name)
        one = job.changed(content=str(photo), output=str(target), report=None, force=True)
        if not job.force and target.exists():
            if is_done(one, target):
                there += 1
                continue
            yield Note(f"{target} was made by another job: it is painted anew")
        try:
            for record in paint_records(one, tell, brush) if brush is not None else one.records(tell):
                if isinstance(record, Note):
                    yield record
            painted += 1
        except InputError as error:
            failed.append(str(photo))
            yield Note(f"skipped: {error}")
    if job.report is not None:
        about = {"pictures": len(plan), "painted": painted, "there": there, "failed": failed, "job": job.as_json()}
        write_text(job.report, json.dumps(about, indent=1))
    kept = f", {there} were there already (--force paints them anew)" if there else ""
    yield Note(f"painted {painted} of {len(plan)} pictures into {output}{kept}")
    if failed:
        raise InputError(f"{len(failed)} of {len(plan)} pictures could not be painted: {', '.join(failed)}")
