"""The page of `export --web` in a real browser, from a server that knows nothing of it: `make test-browser`."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import impasto
from impasto.errors import InputError
from impasto.jobs.base import job_of, locate_in
from impasto.jobs.export import Export
from impasto.jobs.paint import Stylize
from impasto.media import read_metadata
from impasto.methods.growth import passes, resized
from impasto.networks.models import Model, save_model
from impasto.networks.quarter import Quarter
from impasto.tab.runtime import runtime_files

pytestmark = pytest.mark.browser
pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network for any painting, with two styles of its own."""
    torch.manual_seed(0)
    generator = Quarter(24, 24, 1, 2).eval()  # wide enough for `impasto.tab.rows`
    with torch.no_grad():
        for weights in generator.parameters():
            weights.copy_((0.2 * torch.randn_like(weights)).half())
        found = torch.cat([generator.moments(torch.rand(1, 3, 48, 48) ** (i + 1)) for i in range(2)])
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    save_model(Model("quarter", generator, dict(zip(("waves", "dots"), found, strict=True)), True), path)
    return path


@pytest.fixture(scope="module")
def folder(chromium: Any, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a server with the page in `sub`."""
    try:
        runtime_files()
    except InputError as error:
        pytest.skip(str(error))
    root = tmp_path_factory.mktemp("server")
    for _ in Export(str(model), web=str(root / "sub")).records():
        pass
    return root


class Server(ThreadingHTTPServer):
    """A static server, as plain as they come; `sent` are the bytes of its answers' bodies."""

    def __init__(self, folder: Path) -> None:
        self.sent = 0
        super().__init__(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
        self.address = f"http://127.0.0.1:{self.server_port}/sub/"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def end(self) -> None:
        self.shutdown()
        self.server_close()


class Handler(SimpleHTTPRequestHandler):
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".mjs": "text/javascript"}
    server: Server

    def copyfile(self, source: Any, outputfile: Any) -> None:
        data = source.read()
        self.server.sent += len(data)
        outputfile.write(data)

    def log_message(self, *about: Any) -> None:
        pass


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    yield server
    server.end()


@pytest.fixture
def open_page(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens an address; nothing may be sent, nothing asked of another server, and nothing may go wrong in the page."""
    contexts: list[Any] = []
    asked: list[tuple[str, str]] = []
    wrong: list[str] = []

    def open_page(address: str, width: int = 1280) -> Any:
        context = chromium.new_context(viewport={"width": width, "height": 800}, accept_downloads=True)
        contexts.append(context)
        page = context.new_page()
        context.on("request", lambda request: asked.append((request.method, request.url)))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.goto(address)
        page.get_by_text("Ready, without a network, too.").wait_for(timeout=60_000)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong
    assert all(method == "GET" for method, _ in asked)
    assert all(url.startswith(("http://127.0.0.1:", "blob:", "data:")) for _, url in asked)


def give(page: Any, photo: Path, *paintings: Path, size: int = 256) -> None:
    page.locator("#photo-drop input").set_input_files(photo)
    if paintings:
        page.locator("#paintings-drop input").set_input_files(list(paintings))
    page.get_by_label("Size", exact=True).first.select_option(str(size))


def painted(page: Any, path: Path) -> np.ndarray[Any, Any]:
    """The picture that the page paints, from the file that it saves."""
    page.get_by_role("button", name="Paint", exact=True).click()
    page.get_by_text("Painted in").wait_for(timeout=180_000)
    with page.expect_download() as download:
        page.get_by_role("link", name="Save as PNG").click()
    download.value.save_as(path)
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


def assert_alike(found: np.ndarray[Any, Any], result: impasto.Result[Any]) -> None:
    expected = np.asarray(result.image).astype(int)
    assert found.shape == expected.shape and expected[..., :3].std() > 10
    difference = abs(found - expected)
    assert difference.mean() <= 1 and difference.max() <= 4


def test_it_paints_what_the_command_paints(
    server: Server,
    open_page: Any,
    pictures: dict[str, Path],
    model: Path,
    tmp_path: Path,
    ok: Callable[..., Any],
) -> None:
    page = open_page(server.address)
    photo, style, other = (pictures[name] for name in ("content", "style", "other"))
    give(page, photo, style, other)
    page.get_by_label("Share of other.png").fill("0.5")
    page.get_by_label("Strength").fill("0.6")
    found = painted(page, tmp_path / "out.png")
    settings = {"size": 256, "blend": [1, 0.5], "strength": 0.6, "precision": "fp32", "model": str(model)}
    assert_alike(found, impasto.instant(photo, [style, other], **settings))
    job = job_of(
        json.loads(read_metadata(tmp_path / "out.png")["impasto"])["job"], locate_in([photo.parent, model.parent])
    )
    assert job == Stylize(str(photo), (str(style), str(other)), quality="instant", **settings)
    assert "strength" in ok("info", tmp_path / "out.png").out
    ok("again", tmp_path / "out.png", "-o", tmp_path / "again.png", "--inputs", photo.parent, "--inputs", model.parent)
    with Image.open(tmp_path / "again.png") as image:
        assert abs(np.asarray(image).astype(int) - found).max() <= 4
    page.get_by_label("Before and after: percent").fill("50")
    assert page.locator("#before").get_attribute("style") == "clip-path: inset(0px 50% 0px 0px);"


def test_a_style_of_the_network_and_a_photograph_with_holes(
    server: Server, open_page: Any, pictures: dict[str, Path], model: Path, tmp_path: Path
) -> None:
    with Image.open(pictures["content"]) as image:
        holed = image.convert("RGBA")
    holed.paste((0, 0, 0, 0), (0, 0, 40, 80))
    holed.save(tmp_path / "holed.png")
    page = open_page(server.address)
    give(page, tmp_path / "holed.png")
    page.get_by_role("button", name="waves").click()
    found = painted(page, tmp_path / "out.png")
    assert found.shape[2] == 4
    settings = {"style_name": "waves", "size": 256, "precision": "fp32", "model": str(model)}
    assert_alike(found, impasto.instant(tmp_path / "holed.png", **settings))


def test_a_painting_s_colors_and_strokes_that_grow(
    server: Server, open_page: Any, pictures: dict[str, Path], model: Path, tmp_path: Path
) -> None:
    page = open_page(server.address)
    photo, style = pictures["content"], pictures["style"]
    give(page, photo, style, size=768)
    found = painted(page, tmp_path / "out.png")
    settings = {"size": 768, "precision": "fp32", "model": str(model)}
    result = impasto.instant(photo, style, **settings)
    assert_alike(found, result)
    for other in ({"color": "style"}, {"size": 700}):  # neither is left out
        plain = impasto.instant(photo, style, **settings | other).image.resize(result.image.size)
        assert abs(found - np.asarray(plain).astype(int)).mean() > 2
    written = json.loads(read_metadata(tmp_path / "out.png")["impasto"])["job"]
    job = job_of(written, locate_in([photo.parent, model.parent]))
    assert job == Stylize(str(photo), (str(style),), quality="instant", **settings)  # `again` paints the same


def test_sizes_of_passes_and_torch_s_bicubic_filter(server: Server, open_page: Any) -> None:
    page = open_page(server.address)
    for height, width in ((1365, 2048), (768, 301), (512, 700)):
        asked = f"passes([{width}, {height}], {max(width, height)})"
        found = page.evaluate(f"import(document.baseURI + 'growth.js').then(({{ passes }}) => {asked})")
        assert [(h, w) for w, h in found] == passes((height, width), max(height, width))
    picture = torch.rand(1, 1, 20, 30)
    for height, width in ((11, 50), (33, 7)):
        given = f"Float32Array.from({picture.flatten().tolist()}), [30, 20], [{width}, {height}]"
        found = page.evaluate(f"import(document.baseURI + 'resize.js').then(({{ bicubic }}) => [...bicubic({given})])")
        torch.testing.assert_close(torch.tensor(found), resized(picture, (height, width)).flatten())


def test_a_second_visit_loads_nothing_and_needs_no_server(
    server: Server, open_page: Any, folder: Path, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    page = open_page(server.address)
    whole = sum(file.stat().st_size for file in (folder / "sub").iterdir())
    assert server.sent < whole + 100_000  # a page's own files may come twice
    assert not page.evaluate("crossOriginIsolated")
    give(page, *pair)
    first = painted(page, tmp_path / "first.png")
    server.sent = 0
    page.reload()
    page.get_by_text("Ready, without a network, too.").wait_for()
    assert server.sent == 0
    server.shutdown()
    page.reload()
    page.get_by_text("Ready, without a network, too.").wait_for()
    assert page.evaluate("crossOriginIsolated")
    give(page, *pair)
    second = painted(page, tmp_path / "second.png")
    assert abs(first - second).max() <= 1  # with several threads


def test_by_keyboard_narrow_and_named(server: Server, open_page: Any, pair: tuple[Path, Path]) -> None:
    page = open_page(server.address, width=320)
    page.on("filechooser", lambda chooser: None)  # choosers are waited for before a key can open one

    def reach(found: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate(f"document.activeElement.matches('{found}')"):
                return
        raise AssertionError(found)

    for field, path in (("#photo-drop input", pair[0]), ("#paintings-drop input", pair[1])):
        reach(field)
        with page.expect_file_chooser() as chooser:
            page.keyboard.press("Space")
        chooser.value.set_files(path)
        page.locator("form").get_by_text(path.name).wait_for()
    reach("#size")
    page.keyboard.press("ArrowUp")
    reach("#paint")
    page.keyboard.press("Enter")
    page.get_by_text("Painted in").wait_for(timeout=180_000)
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    unnamed = page.evaluate(
        """[...document.querySelectorAll("input, select, button, a, textarea")].filter((e) => e.offsetParent &&
        !(e.labels?.length || e.getAttribute("aria-label") || e.textContent.trim())).map((e) => e.outerHTML)"""
    )
    assert unnamed == []


def test_the_camera_and_what_goes_wrong(server: Server, open_page: Any, pictures: dict[str, Path]) -> None:
    page = open_page(server.address)
    page.get_by_role("button", name="Paint", exact=True).click()
    page.get_by_role("alert").get_by_text("a photograph is missing").wait_for()
    give(page, pictures["text"], pictures["style"])
    page.get_by_role("button", name="Paint", exact=True).click()
    page.get_by_role("alert").get_by_text("text.png cannot be read by this browser").wait_for()
    page.get_by_role("button", name="Remove text.png").click()
    page.get_by_role("button", name="Start the camera").click()
    page.get_by_text("pictures a second").wait_for(timeout=60_000)
    page.get_by_role("button", name="Take as photograph").click()
    page.get_by_text("camera.png").wait_for()
    page.get_by_role("button", name="Stop the camera").click()
    assert page.locator("#rate").inner_text() == ""
