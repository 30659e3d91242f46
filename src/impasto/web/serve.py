"""The studio's server, from its address to Ctrl-C."""

from __future__ import annotations

import logging
import socket
import threading
import webbrowser
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.devices import resolve_device
from impasto.errors import InputError
from impasto.jobs.records import Note, Record
from impasto.optional import needed

if TYPE_CHECKING:
    from types import FrameType

    from impasto.web.settings import Studio


def folder_of(settings: Studio) -> Path:
    """Where the studio keeps its pictures."""
    if settings.folder is not None:
        return Path(settings.folder)
    import platformdirs

    return Path(platformdirs.user_data_dir("impasto")) / "studio"


def listening(host: str, port: int) -> socket.socket:
    """A socket at that address.

    Raises:
        InputError: if it cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=256)
    except (OSError, OverflowError) as error:
        raise InputError(
            f"cannot serve at {host}:{port}: {getattr(error, 'strerror', None) or error}; choose another --port"
        ) from error


@contextmanager
def alone_in(folder: Path) -> Generator[None, None, None]:
    """Hold a folder for this server; it is given back however the process ends.

    Raises:
        InputError: if another server has it.
    """
    filelock = needed("filelock", "web")
    lock = filelock.FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise InputError(f"another studio uses the folder {str(folder)!r}: give another --folder") from None
    try:
        yield
    finally:
        lock.release()


def serve(settings: Studio) -> Generator[Record, None, Any]:
    """Serve until Ctrl-C.

    Raises:
        InputError: if the server is not installed, or the address or the folder cannot be had.
    """
    for package in ("starlette", "uvicorn"):
        needed(package, "web")
    from impasto.web.store import Store

    if settings.device != "auto":
        resolve_device(settings.device)  # refused now
    store = Store(folder_of(settings), settings.disk, settings.pixels)
    with alone_in(store.folder), listening(settings.host, settings.port) as socket_:
        port = socket_.getsockname()[1]
        name = f"[{settings.host}]" if ":" in settings.host else settings.host
        address = f"http://{name}:{port}/" + (f"?token={settings.token}" if settings.token else "")
        yield Note(f"the studio is at {address} (Ctrl-C ends it)")
        if settings.open:
            threading.Timer(0.5, webbrowser.open, [address]).start()
        _until_ctrl_c(settings, store, socket_)
    yield Note("the studio has ended; jobs that wait or are not finished are found by the next one")


def _until_ctrl_c(settings: Studio, store: Any, socket_: socket.socket) -> None:
    import uvicorn

    from impasto.web.app import studio_app

    app = studio_app(settings, store)

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            app.state.queue.closing.set()  # ends the streams of events, which the server waits for
            super().handle_exit(sig, frame)

    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, proxy_headers=False, timeout_graceful_shutdown=5
    )
    with suppress(KeyboardInterrupt):  # uvicorn raises the signal again when it has ended
        Server(config).run([socket_])
