"""The studio's page in a real browser: `make test-browser`."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from impasto.media import read_metadata

pytestmark = pytest.mark.browser

#: The command, which tells of each look-up of a name and each connection elsewhere.
WATCHED = """
import sys
def hook(event, values):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect"):
        if not any(local in str(values) for local in ("127.0.0.1", "localhost")):
            print("ELSEWHERE", event, values, file=sys.stderr)
sys.addaudithook(hook)
from impasto.cli import main
main()
"""


class Server:
    """The command in a process of its own."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        command = [sys.executable, "-c", WATCHED, "studio", "--port", str(port), "--folder", str(folder)]
        self.process = subprocess.Popen([*command, "--device", "cpu"], stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        assert found, line
        self.address, self.port = found[0], int(found[1])

    def end(self, how: int = signal.SIGINT) -> None:
        self.process.send_signal(how)
        self.process.wait(20)
        assert self.process.stderr is not None
        assert "ELSEWHERE" not in self.process.stderr.read()
        self.process.stderr.close()


@pytest.fixture
def server(chromium: Any, tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "studio")
    yield server
    if server.process.poll() is None:
        server.end()
        assert server.process.returncode == 0


@pytest.fixture
def open_page(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens an address; nothing may be asked of another server, and nothing may go wrong in the page."""
    contexts: list[Any] = []
    asked: list[str] = []
    wrong: list[str] = []

    def open_page(address: str, width: int = 1280) -> Any:
        context = chromium.new_context(viewport={"width": width, "height": 800}, accept_downloads=True)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda m: wrong.append(m.text) if "Content Security Policy" in m.text else None)
        page.goto(address)
        page.get_by_role("button", name="Stylize").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong
    assert all(url.startswith(("http://127.0.0.1:", "blob:", "data:")) for url in asked)


def give(page: Any, pair: tuple[Path, Path], steps: int = 3, size: int = 64) -> None:
    """A photograph, a painting and quick settings."""
    chosen = page.locator("#first input[type=file]")
    chosen.nth(0).set_input_files(pair[0])
    chosen.nth(1).set_input_files(pair[1])
    page.locator("#first .chips img").nth(1).wait_for()
    page.get_by_label("Quality").select_option("quick")
    page.locator("#field-size").fill(str(size))
    page.get_by_text("More settings").click()
    page.locator("#field-steps").fill(str(steps))
    page.locator("#field-scales").fill("1")


def painted(page: Any) -> str:
    """The line of a picture that is finished."""
    page.locator("#after-bar").wait_for(timeout=60_000)
    line: str = page.locator("#status").inner_text()
    return line


def test_from_photograph_to_download(server: Server, open_page: Any, pair: tuple[Path, Path], tmp_path: Path) -> None:
    page = open_page(server.address)
    give(page, pair)
    page.get_by_role("button", name="Paint", exact=True).click()
    assert painted(page).startswith("Painted in") and "/job/" in page.url
    assert page.locator("#curve-text").inner_text().endswith("in 3 steps")
    page.locator("#slider").fill("50")
    assert page.locator("#before").get_attribute("style") == "clip-path: inset(0px 50% 0px 0px);"
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    download.value.save_as(tmp_path / "out.png")
    assert download.value.suggested_filename == "content-style.png"
    assert json.loads(read_metadata(tmp_path / "out.png")["impasto"])["job"]["steps"] == 3
    page.reload()
    assert painted(page).startswith("Painted in")
    assert page.locator("#results a").count() == 1
    page.get_by_role("button", name="Start anew").click()
    assert page.locator("#first .chips img").count() == 0
    page.goto(server.address)
    page.locator("#painted").set_input_files(tmp_path / "out.png")  # settings come back, and the pictures
    page.locator("#first .chips img").nth(1).wait_for()
    assert page.locator("#field-steps").input_value() == "3"


def test_stop_keeps_the_picture(server: Server, open_page: Any, pair: tuple[Path, Path]) -> None:
    page = open_page(server.address)
    give(page, pair, steps=100_000)
    page.get_by_role("button", name="Paint", exact=True).click()
    page.locator("#after").wait_for(timeout=60_000)  # a preview
    page.get_by_role("button", name="Stop").click()
    assert re.match(r"Stopped after \d+ steps; the picture is kept", painted(page))
    assert page.get_by_role("link", name="Download").is_visible()
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Stop").click()
    assert painted(page).startswith("Stopped after")


def test_a_killed_server_and_the_same_page(
    server: Server, open_page: Any, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    page = open_page(server.address)
    give(page, pair, steps=80)
    page.get_by_role("button", name="Paint", exact=True).click()
    page.locator("#after").wait_for(timeout=60_000)
    server.end(signal.SIGKILL)
    page.get_by_text("The studio does not answer").wait_for(timeout=20_000)
    again = Server(tmp_path / "studio", server.port)
    try:
        assert painted(page).startswith("Painted in")
        whole = urlopen(f"{page.url.replace('/job/', '/api/jobs/')}/result.png").read()
        page.get_by_role("button", name="Paint", exact=True).click()  # the same, undisturbed
        page.locator("#results a").nth(1).wait_for()
        painted(page)
        page.locator("#results a[aria-current]").wait_for()
        assert urlopen(f"{page.url.replace('/job/', '/api/jobs/')}/result.png").read() == whole
    finally:
        again.end()


def test_regions_are_painted_by_mouse_and_keyboard(server: Server, open_page: Any, pair: tuple[Path, Path]) -> None:
    page = open_page(server.address)
    give(page, pair)
    page.get_by_role("button", name="Paint regions").click()
    canvas = page.locator("#canvas")
    canvas.wait_for()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.3 * box["height"], steps=5)
    page.mouse.up()
    page.locator("#regions").get_by_role("button", name="style.png").click()
    canvas.focus()
    for key in ("Space", "ArrowRight", "ArrowDown", "Space"):
        page.keyboard.press(key)
    assert "% from the left" in page.locator("#place").inner_text()
    page.get_by_role("button", name="Done").click()
    page.locator("#masks").wait_for(state="hidden")
    masks = page.locator("fieldset", has_text="Regions").locator(".chips select")
    masks.nth(1).wait_for()
    assert [masks.nth(i).input_value() for i in range(2)] == ["0", "1"]
    page.get_by_role("button", name="Paint", exact=True).click()
    assert painted(page).startswith("Painted in")
    page.get_by_role("button", name="Paint regions").click()  # undone until nothing is left
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("button", name="Done").click()
    page.locator("#masks").wait_for(state="hidden")
    masks.nth(0).wait_for(state="detached")


def test_a_bad_file_gets_one_line(server: Server, open_page: Any, pictures: dict[str, Path]) -> None:
    page = open_page(server.address)
    page.locator("#first input[type=file]").nth(0).set_input_files(pictures["text"])
    page.get_by_role("alert").get_by_text("text.png is not a picture").wait_for()
    page.get_by_role("button", name="Paint", exact=True).click()
    page.get_by_role("alert").get_by_text("content is missing").wait_for()


def test_other_forms(server: Server, open_page: Any, pair: tuple[Path, Path]) -> None:
    page = open_page(server.address)
    page.get_by_role("button", name="mosaic").click()
    assert page.locator("#field-strength").is_visible() and not page.locator("#field-style_weight").is_visible()
    page.get_by_role("button", name="Texture").click()
    page.locator("#first input[type=file]").set_input_files(pair[1])
    page.locator("#first .chips img").wait_for()
    page.locator("#field-size").fill("32x64")
    page.locator("#field-steps").fill("2")
    page.get_by_label("Tileable").check()
    page.get_by_role("button", name="Paint", exact=True).click()
    assert "32 × 64 pixels" in painted(page)
    page.get_by_role("button", name="Stylize").click()
    assert page.get_by_role("button", name="mosaic").get_attribute("aria-pressed") == "true"


def test_by_keyboard_alone(server: Server, open_page: Any, pair: tuple[Path, Path]) -> None:
    page = open_page(server.address, width=320)
    page.on("filechooser", lambda chooser: None)  # choosers are waited for before a key can open one

    def reach(name: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.closest('label, button, fieldset')?.textContent ?? ''").startswith(
                name
            ):
                return
        raise AssertionError(name)

    for name, path in (("Drop a picture", pair[0]), ("Drop pictures", pair[1])):
        reach(name)
        with page.expect_file_chooser() as chooser:
            page.keyboard.press("Space")
        chooser.value.set_files(path)
        page.get_by_text(path.name).wait_for()
    page.locator("#field-quality").focus()
    page.keyboard.type("instant")
    reach("Paint")
    while page.evaluate("document.activeElement.id") != "paint":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert painted(page).startswith("Painted in")


def test_narrow_and_named(server: Server, open_page: Any) -> None:
    page = open_page(server.address, width=320)
    for form in ("Texture", "Doodle", "Dream", "Stylize"):
        page.get_by_role("button", name=form).focus()
        page.keyboard.press("Enter")
        page.locator("#more").evaluate("more => { more.open = true; }")
        assert page.evaluate("document.documentElement.scrollWidth") == 320
        unnamed = page.evaluate(
            """[...document.querySelectorAll("input, select, button, textarea")].filter((e) => e.offsetParent &&
            !(e.labels?.length || e.getAttribute("aria-label") || e.textContent.trim())).map((e) => e.outerHTML)"""
        )
        assert unnamed == []
