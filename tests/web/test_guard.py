"""Who may use the studio, and what it takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from impasto.errors import InputError
from impasto.web.settings import Studio

SECRET = "correct-horse-battery"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8787", "[::1]:8787"])
def test_own_names(page: Any, host: str) -> None:
    assert page.client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example:8787", "127.0.0.1.evil.example", "", "[", "0.0.0.0"]
)
def test_foreign_hosts(page: Any, host: str) -> None:
    answer = page.client.get("/api/jobs", headers={"host": host})
    assert answer.status_code == 421 and "not at this address" in answer.json()["error"]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:9999"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_foreign_origins(page: Any, pair: tuple[Path, Path], headers: dict[str, str]) -> None:
    data = pair[0].read_bytes()
    assert page.client.post("/api/pictures", content=data, headers=headers).status_code == 403
    assert not list(page.queue.store.files.iterdir())
    own = {"origin": "http://localhost:8787", "sec-fetch-site": "same-origin"}
    assert page.client.post("/api/pictures", content=data, headers=own).status_code == 201


def test_every_answer_has_a_policy(page: Any) -> None:
    for path in ("/", "/page/page.js", "/api/forms", "/api/jobs/none", "/none"):
        headers = page.client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"


def test_other_hosts_need_a_token() -> None:
    with pytest.raises(InputError, match="give a --token"):
        Studio(host="0.0.0.0")
    with pytest.raises(InputError, match="12 or more"):
        Studio(host="0.0.0.0", token="short")
    assert Studio(host="::1").is_local and Studio(host="localhost").is_local


def test_the_token(open_studio: Callable[..., Any]) -> None:
    client = open_studio(host="0.0.0.0", token=SECRET).client
    client.headers["host"] = "studio.lan:8787"
    assert client.get("/").status_code == client.get("/api/jobs").status_code == 401
    assert client.get("/?token=wrong").status_code == 401
    assert client.get("/api/jobs", headers={"authorization": f"Bearer {SECRET}"}).status_code == 200
    answer = client.get(f"/?token={SECRET}")
    assert answer.status_code == 200 and "HttpOnly; SameSite=Strict" in answer.headers["set-cookie"]
    cookie = answer.headers["set-cookie"].split(";")[0]
    assert client.get("/api/jobs", headers={"cookie": cookie}).status_code == 200
    assert client.get("/api/jobs", headers={"cookie": f"{cookie}x"}).status_code == 401


BAD = {
    "empty.png": b"",
    "text.png": b"this is no picture",
    "cut.jpg": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "a.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "a.pdf": b"%PDF-1.4",
    "a.html": b"<!doctype html><html></html>",
    "../../../etc/passwd": b"root:x:0:0",
    "\u202egnp.exe": b"MZ",
    "/".join("x" * 99): b"x",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_pictures_get_one_line_without_a_path(page: Any, name: str) -> None:
    from urllib.parse import quote

    answer = page.client.post("/api/pictures", content=BAD[name], headers={"x-name": quote(name)})
    error = answer.json()["error"]
    assert answer.status_code == 422 and "\n" not in error and len(error) < 300
    folder = page.queue.store.folder
    assert not any(part in error for part in (str(folder), str(folder.parent), ".new-", "files"))
    assert not list(page.queue.store.files.iterdir())


def test_uploads_are_bounded(open_studio: Callable[..., Any], pictures: dict[str, Path]) -> None:
    page = open_studio(upload="5kB", pixels=4000)
    assert page.drop(pictures["content"]).status_code == 413
    parts = (b"x" * 1000 for _ in range(10))  # without a length
    assert page.client.post("/api/pictures", content=parts).status_code == 413
    answer = page.drop(pictures["line"])
    assert answer.status_code == 422 and "1 x 5000 pixels" in answer.json()["error"]
    assert page.drop(pictures["small"]).status_code == 201
    assert len(list(page.queue.store.files.iterdir())) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"content": "/etc/passwd"}, "no picture that was given"),
        ({"content": {"file": "../../etc"}}, "drop it again"),
        ({"content": {"file": "0" * 24}}, "drop it again"),
        ({"content": None}, "no picture that was given"),
        ({"style": []}, "style is missing"),
        ({"output": "/tmp/a.png"}, "unknown option 'output'"),
        ({"weights": "/tmp"}, "unknown option 'weights'"),
        ({"init": "/etc/passwd"}, "unknown init"),
        ({"model": "a/b.safetensors"}, "unknown model"),
        ({"encoder": "/tmp/vgg.pth"}, "unknown encoder"),
        ({"dream": "../x"}, "has a slash"),
        ({"steps": 0}, "steps is 0; it must be at least 1"),
        ({"size": "large"}, "must be a whole number"),
        ({"strength": 0.5}, "has no effect"),
        ({"steps": 10**400}, "must be a whole number"),
        ({"dream": "\ud800"}, "an invisible sign"),
        ({"stpes": 3}, "did you mean steps"),
        ({"job": "train"}, "unknown job"),
        ({"job": 3}, "this is no job"),
        ({"style": [{"file": "0" * 24}] * 65}, "a job takes 64"),
    ],
)
def test_bad_forms_get_one_line(page: Any, pair: tuple[Path, Path], change: dict[str, Any], message: str) -> None:
    answer = page.post(page.pair(pair) | change)
    assert answer.status_code in (404, 422) and message in answer.json()["error"], answer.json()
    assert not page.queue.tickets


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"3", b"\xff", b"[" * 100_000, b'{"job": "stylize"}'])
def test_bad_bodies_get_one_line(page: Any, body: bytes) -> None:
    answer = page.client.post("/api/jobs", content=body)
    assert answer.status_code == 422 and "\n" not in answer.json()["error"]


def test_errors_while_painting_have_no_path(page: Any, pair: tuple[Path, Path], pictures: dict[str, Path]) -> None:
    form = page.pair(pair) | {"masks": [[page.picture(pictures["empty"]), 1]]}
    job = page.paint(form)
    assert job["status"] == "failed" and job["error"].startswith("mask 1 is empty")
    gone = page.pair(pair)
    page.queue.close()  # nothing is painted any more
    ticket = page.queue.submit(gone)
    page.queue.store.remove_picture(gone["content"]["file"])
    page.queue._paint(ticket)
    assert ticket.status == "failed" and "drop it again" in ticket.error
    assert str(page.queue.store.folder) not in json.dumps(page.client.get("/api/jobs").json())
