"""A studio in this process, and what its page does, without a browser."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from impasto.web.settings import Studio

#: Options of quick jobs.
QUICK = {"size": 48, "encoder": "lite", "scales": 1, "precision": "fp32"}


class Page:
    """What a page asks a studio for."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.queue = client.app.state.queue

    def drop(self, path: Path | str, data: bytes | None = None) -> dict[str, Any]:
        """The answer to a picture."""
        content = Path(path).read_bytes() if data is None else data
        return self.client.post("/api/pictures", content=content, headers={"x-name": Path(path).name})

    def picture(self, path: Path) -> dict[str, str]:
        """A picture in a form."""
        return {"file": self.drop(path).json()["file"]}

    def post(self, form: Any) -> Any:
        return self.client.post("/api/jobs", content=json.dumps(form))

    def pair(self, pair: tuple[Path, Path], **options: Any) -> dict[str, Any]:
        """A form that stylizes."""
        content, style = (self.picture(path) for path in pair)
        return {"job": "stylize", "content": content, "style": [style]} | QUICK | options

    def until(self, job: str, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The job when that is so of it."""
        for _ in range(3000):
            found: dict[str, Any] = self.client.get(f"/api/jobs/{job}").json()
            if reached(found):
                return found
            time.sleep(0.02)
        raise AssertionError(found)

    def ended(self, job: str) -> dict[str, Any]:
        return self.until(job, lambda found: found["status"] not in ("waiting", "painting"))

    def paint(self, form: Any) -> dict[str, Any]:
        """The job of a form, when it has ended."""
        return self.ended(self.post(form).json()["id"])

    def events(self, job: str) -> list[dict[str, Any]]:
        """What the stream of an ended job tells."""
        text = self.client.get(f"/api/jobs/{job}/events").text
        return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]


@pytest.fixture
def open_studio(tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Opens a studio in a folder, with options of the command."""
    pytest.importorskip("starlette", reason="the extra web is not installed")
    from starlette.testclient import TestClient

    from impasto.web.app import studio_app
    from impasto.web.store import Store

    with ExitStack() as stack:

        def open_studio(folder: str = "studio", **options: Any) -> Page:
            settings = Studio(**{"device": "cpu", "threads": 1} | options)
            app = studio_app(settings, Store(tmp_path / folder, settings.disk, settings.pixels))
            return Page(stack.enter_context(TestClient(app, base_url="http://localhost:8787")))

        yield open_studio


@pytest.fixture
def page(open_studio: Callable[..., Page]) -> Page:
    return open_studio()
