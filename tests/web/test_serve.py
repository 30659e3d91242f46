"""The command that serves."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from impasto.web.serve import alone_in, listening
from impasto.web.settings import Studio

pytest.importorskip("uvicorn", reason="the extra web is not installed")


def test_from_start_to_ctrl_c(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "impasto", "studio", "--port", "0", "--folder", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        line = server.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        assert found, line
        with socket.create_connection(("127.0.0.1", int(found[1])), 10) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200") and b"server:" not in answer and b"<title>impasto studio" in answer
        server.send_signal(signal.SIGINT)
        assert "the studio has ended" in server.stderr.read()
        assert server.wait(20) == 0


def test_a_port_and_a_folder_serve_once(tmp_path: Path, refused: Callable[..., str]) -> None:
    with listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert f"cannot serve at 127.0.0.1:{port}" in refused("studio", "--port", port, "--folder", tmp_path)
    with alone_in(tmp_path):
        assert "another studio uses the folder" in refused("studio", "--port", 0, "--folder", tmp_path)


def test_the_command(ok: Callable[..., Any], refused: Callable[..., str], tmp_path: Path) -> None:
    text = ok("studio", "-h").out
    assert "--token" in text and "--save-job" not in text and "4GB" in text
    assert "give a --token" in refused("studio", "--host", "0.0.0.0")
    (tmp_path / "file").write_text("")
    assert "cannot be made" in refused("studio", "--folder", tmp_path / "file")
    assert Studio(disk="2GB").disk == 2e9
