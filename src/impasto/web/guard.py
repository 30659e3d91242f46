"""Who may use the studio: checks of each request before anything else looks at it, and headers of each answer."""

from __future__ import annotations

import hmac
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from impasto.web.settings import Studio

LOCAL = ("localhost", "127.0.0.1", "[::1]")
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Guard:
    """Refuses foreign hosts (names that lead here by a trick of DNS), other sites' pages, and who has not the token.

    Args:
        app: what answers.
        settings: of the studio.
    """

    def __init__(self, app: ASGIApp, settings: Studio) -> None:
        self.app, self.settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = self._refused(scope, headers)
        cookie = None if refused else self._cookie(scope)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    found[name] = value
                if cookie is not None:
                    found["set-cookie"] = cookie
                found.setdefault("cache-control", "no-store")
            await send(message)

        if refused is not None:
            status, text = refused
            await JSONResponse({"error": text}, status)(scope, receive, answer)
            return
        await self.app(scope, receive, answer)

    def _refused(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if not self._is_ours(host):
            return 421, "the studio is not at this address: use the one that it printed"
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        if origin is not None and urlsplit(origin).netloc != host:
            return 403, "another site's page may not use the studio"
        if scope["method"] not in ("GET", "HEAD") and site not in ("none", "same-origin"):
            return 403, "another site's page may not use the studio"
        if self.settings.token and not self._has_token(scope, headers):
            return 401, "the studio needs its token: open http://HOST:PORT/?token=… as its terminal says"
        return None

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        name = f"[{name}]" if ":" in name else name
        asked = self.settings.host
        return name in LOCAL or (not self.settings.is_local and asked in (name, "0.0.0.0", "::", name.strip("[]")))

    def _name(self, scope: Scope) -> str:
        """Of the cookie; cookies are shared by the ports of a host."""
        _, port = scope.get("server") or ("", 0)
        return f"impasto-{port}"

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.settings.token.encode())

    def _asked(self, scope: Scope) -> str:
        query: bytes = scope["query_string"]
        return parse_qs(query.decode("latin-1")).get("token", [""])[0]

    def _has_token(self, scope: Scope, headers: Headers) -> bool:
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        kept = SimpleCookie(headers.get("cookie", "")).get(self._name(scope))
        given = [self._asked(scope), bearer if scheme.lower() == "bearer" else "", kept.value if kept else ""]
        return any([self._is_token(value) for value in given])

    def _cookie(self, scope: Scope) -> str | None:
        """Keeps the token of an address for the requests of its page."""
        if self.settings.token and self._asked(scope):
            return f"{self._name(scope)}={self.settings.token}; HttpOnly; SameSite=Strict; Path=/"
        return None
