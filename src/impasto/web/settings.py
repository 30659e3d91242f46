"""What `impasto studio` can be asked for. Importing this imports neither torch nor a server."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from impasto.errors import InputError
from impasto.jobs.base import COMPUTING, FILES, Job, device_option
from impasto.options import AUTO, FLAG, FOLDER, MEMORY, TEXT, WHOLE, Auto, option

if TYPE_CHECKING:
    from impasto.jobs.records import Record, Tell

SERVER, LIMITS = "server", "limits"
SHORTEST_TOKEN = 12


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Studio(Job):
    """A page in the browser to paint with, served from this machine. Ctrl-C ends it."""

    name: ClassVar[str] = "studio"
    example: ClassVar[str] = "impasto studio --open"

    # fmt: off
    port: int = option(8787, WHOLE, "Port of the page; 0: any that is free.", group=SERVER, least=0, most=65535)
    open: bool = option(False, FLAG, "Open the page in the browser.", group=SERVER)
    host: str = option("127.0.0.1", TEXT, "Address to serve at; others than this machine's own need a token.",
        group=SERVER)
    token: str = option("", TEXT,
        f"Secret of {SHORTEST_TOKEN} characters or more, without which the page cannot be used: "
        "http://HOST:PORT/?token=….", group=SERVER)
    folder: str | None = option(None, FOLDER,
        "Folder of pictures, jobs and results; the user's data folder if not given.", group=FILES)
    queue: int = option(20, WHOLE, "Jobs that may wait.", group=LIMITS, least=1, most=1000)
    disk: float = option("4GB", MEMORY, "Room for pictures and results; the oldest results make room for new ones.",
        group=LIMITS, least=1e6)
    upload: float = option("64MB", MEMORY, "Largest picture file that is taken.", group=LIMITS, least=1e3)
    pixels: int = option(100_000_000, WHOLE, "Largest picture that is taken, in pixels.", group=LIMITS, least=1)
    device: str = device_option()
    threads: int | Auto = option(AUTO, WHOLE, "Processor threads.", group=COMPUTING, least=1, auto="as torch chooses")
    max_memory: float | Auto = option(AUTO, MEMORY, "Memory that the process may take, such as 4GB.", group=COMPUTING,
        above=0, auto="three quarters of what is free")
    # fmt: on

    def check(self) -> None:
        if self.token and not re.fullmatch(rf"[\w.~-]{{{SHORTEST_TOKEN},}}", self.token, re.ASCII):
            raise InputError(
                f"the token has {len(self.token)} characters; it must have {SHORTEST_TOKEN} or more, "
                "of letters, digits, dots and dashes"
            )
        if not self.is_local and not self.token:
            raise InputError(f"host is {self.host}, where others can reach the page: give a --token, too")

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the page."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def records(self, tell: Tell = lambda record: None) -> Generator[Record, None, Any]:
        """Serves until Ctrl-C; without torch until a job needs it, so that the page is there at once."""
        from impasto.web.serve import serve

        return serve(self)
