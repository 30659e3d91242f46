"""The studio's answers: the page, pictures in, jobs in, what happens to them, pictures out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, unquote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from impasto.errors import InputError
from impasto.web.forms import FORMS, fields_of, forms, plainer
from impasto.web.guard import Guard
from impasto.web.job_queue import JobQueue, Ticket
from impasto.web.store import RESULT, FullError, MissingError, Store

if TYPE_CHECKING:
    from pathlib import Path

    from impasto.web.settings import Studio

T = TypeVar("T")
#: Jobs that the history shows, and pictures that are taken at the same time.
LONGEST_HISTORY, UPLOADS_AT_ONCE = 200, 8
#: Largest form, in bytes; and seconds between looks at a job, and between signs of life.
LARGEST_FORM, LOOK_EVERY, ALIVE_EVERY = 1_000_000, 0.1, 15.0
SCRIPT = "text/javascript"
PAGE = {
    "page.js": SCRIPT,
    "masks.js": SCRIPT,
    "page.css": "text/css",
    "icon.svg": "image/svg+xml",
}


class TooLargeError(InputError):
    """A request's body is too large."""


def studio_app(settings: Studio, store: Store) -> Starlette:
    """The studio as an ASGI application.

    Args:
        settings: of the studio.
        store: its folder.
    """
    queue = JobQueue(settings, store)
    answers = Answers(settings, store, queue)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        queue.start()
        yield
        await run_in_threadpool(queue.close)

    app = Starlette(
        routes=answers.routes(),
        middleware=[Middleware(Guard, settings=settings)],
        exception_handlers={
            InputError: answers.refused,
            HTTPException: answers.unknown,
            OSError: answers.no_disk,
            Exception: answers.failed,
        },
        lifespan=lifespan,
    )
    app.state.queue = queue
    return app


class Answers:
    """What is answered to each request.

    Args:
        settings: of the studio.
        store: its folder.
        queue: its jobs.
    """

    def __init__(self, settings: Studio, store: Store, queue: JobQueue) -> None:
        self.settings, self.store, self.queue = settings, store, queue
        self._uploads = asyncio.Semaphore(UPLOADS_AT_ONCE)

    def routes(self) -> list[Route]:
        def at(path: str, answer: Callable[[Request], Awaitable[Response]], method: str = "GET") -> Route:
            return Route(path, answer, methods=[method])

        return [
            at("/", self.page),
            at("/job/{id}", self.page),
            at("/page/{name}", self.asset),
            at("/api/forms", self.forms),
            at("/api/pictures", self.upload, "POST"),
            at("/api/pictures/{number}.jpg", self.view),
            at("/api/settings", self.settings_of, "POST"),
            at("/api/jobs", self.submit, "POST"),
            at("/api/jobs", self.history),
            at("/api/jobs/{id}", self.job),
            at("/api/jobs/{id}", self.remove, "DELETE"),
            at("/api/jobs/{id}/events", self.events),
            at("/api/jobs/{id}/stop", self.stop, "POST"),
            at("/api/jobs/{id}/go-on", self.go_on, "POST"),
            at("/api/jobs/{id}/preview.jpg", self.preview),
            at("/api/jobs/{id}/thumbnail.jpg", self.thumbnail),
            at("/api/jobs/{id}/result.png", self.result),
        ]

    # Errors

    async def refused(self, request: Request, error: Exception) -> Response:
        """An error on purpose: one line without paths of this machine."""
        statuses: dict[type[Exception], int] = {FullError: 503, MissingError: 404, TooLargeError: 413}
        status = statuses.get(type(error), 422)
        headers = {"connection": "close"} if status == 413 else None
        return JSONResponse({"error": self.store.clean(str(error))}, status, headers)

    async def unknown(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return JSONResponse({"error": f"{error.detail.lower()}: the studio has no such page"}, error.status_code)

    async def no_disk(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, OSError)
        text = f"the studio cannot use its folder: {error.strerror or type(error).__name__}"
        return JSONResponse({"error": text}, 507)

    async def failed(self, request: Request, error: Exception) -> Response:
        return JSONResponse({"error": f"the studio failed ({type(error).__name__}); its terminal says where"}, 500)

    # The page

    async def page(self, request: Request) -> Response:
        return self._asset("page.html", "text/html")

    async def asset(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in PAGE:
            raise MissingError(f"there is no file {name[:40]!r} in the page")
        return self._asset(name, PAGE[name])

    def _asset(self, name: str, kind: str) -> Response:
        data = (files("impasto.web") / "page" / name).read_bytes()
        return Response(data, media_type=kind, headers={"cache-control": "no-cache"})

    async def forms(self, request: Request) -> Response:
        self.queue.soon_needed()
        about = {"version": version("impasto"), "upload": self.settings.upload, "queue": self.settings.queue}
        return JSONResponse(forms() | about)

    # Pictures in

    async def upload(self, request: Request) -> Response:
        """Take one picture: its bytes are the body, its name is in the header `x-name`, percent-encoded."""
        async with self._uploads:
            return await self._taken(request, unquote(request.headers.get("x-name", "picture")))

    async def _taken(self, request: Request, name: str) -> Response:
        draft = self.store.draft(name)
        try:
            with draft.open("wb") as file:
                async for chunk in self._body(request, self.settings.upload):
                    file.write(chunk)
            await run_in_threadpool(self.queue.make_room)
            return JSONResponse(await run_in_threadpool(self.store.take, draft), 201)
        except ClientDisconnect:
            return Response(status_code=499)
        finally:
            self.store.discard(draft)

    async def _body(self, request: Request, limit: float) -> AsyncIterator[bytes]:
        """The body in parts.

        Raises:
            TooLargeError: as soon as it is more than `limit` bytes, or says it will be.
        """
        error = TooLargeError(f"this is more than {limit / 1e6:g} MB, which the studio does not take: make it smaller")
        told = request.headers.get("content-length", "")
        if told.isdecimal() and int(told) > limit:
            raise error
        read = 0
        async for chunk in request.stream():
            read += len(chunk)
            if read > limit:
                raise error
            yield chunk

    async def view(self, request: Request) -> Response:
        number = request.path_params["number"]
        self.store.path(number)
        return self._file(self.store.views / f"{number}.jpg", "image/jpeg")

    async def settings_of(self, request: Request) -> Response:
        """The form that made a picture of impasto, which is the body, from the manifest in it."""
        data = b"".join([chunk async for chunk in self._body(request, self.settings.upload)])
        return JSONResponse(await run_in_threadpool(self._settings_of, data))

    def _settings_of(self, data: bytes) -> dict[str, Any]:
        from impasto.media import read_metadata

        try:
            about = json.loads(read_metadata(data).get("impasto", "{}"))
            job = about["job"]
            name = job["job"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError("this picture holds no settings: it was made by another program, or stored anew") from None
        if name not in FORMS:
            raise InputError(f"this picture was made by {name}, for which the studio has no form")
        from impasto.jobs.every import JOBS

        known, lost = fields_of(JOBS[name]), []
        form: dict[str, Any] = {"job": name}
        for option, value in job.items():
            if option not in known:
                continue
            found = self.store.found(value) if known[option].kind.read == "picture" else value
            if found is None:
                lost.append(option)
            elif known[option].kind.read != "picture" or found != []:
                form[option] = found
        return {"form": plainer(form, lambda number: str(self.store.path(number))), "lost": lost}

    # Jobs

    async def submit(self, request: Request) -> Response:
        body = b"".join([chunk async for chunk in self._body(request, LARGEST_FORM)])
        try:
            data = json.loads(body)
        except (ValueError, RecursionError):
            raise InputError("this is no JSON: a form is an object with the name of a job") from None
        ticket = await run_in_threadpool(self.queue.submit, data)
        return JSONResponse(self._shown(ticket), 201, {"location": f"/job/{ticket.id}"})

    def _shown(self, ticket: Ticket) -> dict[str, Any]:
        return ticket.shown() | {
            "place": self.queue.place(ticket),
            "has_result": self._of(ticket, RESULT).is_file(),
            "can_go_on": ticket.status == "stopped" and self.queue.has_state(ticket),
        }

    def _of(self, ticket: Ticket, name: str) -> Path:
        return self.store.job_folder(ticket.id) / name

    def _ticket(self, request: Request) -> Ticket:
        return self.queue.ticket(request.path_params["id"])

    async def history(self, request: Request) -> Response:
        tickets = sorted(self.queue.tickets.values(), key=lambda t: -t.created)
        return JSONResponse([self._shown(ticket) for ticket in tickets[:LONGEST_HISTORY]])

    async def job(self, request: Request) -> Response:
        ticket = self._ticket(request)
        return JSONResponse(self._shown(ticket) | {"curve": ticket.curve})

    async def stop(self, request: Request) -> Response:
        return JSONResponse(self._shown(self.queue.stop(self._ticket(request).id)))

    async def go_on(self, request: Request) -> Response:
        return JSONResponse(self._shown(self.queue.go_on(self._ticket(request).id)))

    async def remove(self, request: Request) -> Response:
        await run_in_threadpool(self.queue.remove, self._ticket(request).id)
        return Response(status_code=204)

    async def events(self, request: Request) -> Response:
        """What happens to a job, as server-sent events, until it has ended."""
        told = self._told(self._ticket(request))
        return StreamingResponse(told, media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    async def _told(self, ticket: Ticket) -> AsyncIterator[str]:
        seen, points, waited, place = -1, 0, 0.0, -1
        while not self.queue.closing.is_set():
            if ticket.version != seen or self.queue.place(ticket) != place:
                seen, place, waited = ticket.version, self.queue.place(ticket), 0.0
                curve = ticket.curve[points:]
                is_open = ticket.is_open
                yield f"data: {json.dumps(self._shown(ticket) | {'from': points, 'curve': curve})}\n\n"
                points += len(curve)
                if not is_open:
                    return
            elif waited >= ALIVE_EVERY:
                waited = 0.0
                yield ": alive\n\n"
            await asyncio.sleep(LOOK_EVERY)
            waited += LOOK_EVERY

    # Pictures out

    async def preview(self, request: Request) -> Response:
        data = self._ticket(request).preview[1]
        if not data:
            raise MissingError("there is no preview of this job now")
        return Response(data, media_type="image/jpeg")

    async def thumbnail(self, request: Request) -> Response:
        return self._file(self._of(self._ticket(request), "thumbnail.jpg"), "image/jpeg")

    async def result(self, request: Request) -> Response:
        ticket = self._ticket(request)
        name = f"{ticket.title.replace(' × ', '-')}.png"
        kind = "attachment" if "download" in request.query_params else "inline"
        headers = {"content-disposition": f"{kind}; filename*=utf-8''{quote(name, safe='')}"}
        return self._file(self._of(ticket, RESULT), "image/png", headers)

    def _file(self, path: Path, kind: str, headers: dict[str, str] | None = None) -> Response:
        if not path.is_file():
            raise MissingError("this picture is not there: it is not painted yet, or was removed")
        return FileResponse(path, media_type=kind, headers=headers)
