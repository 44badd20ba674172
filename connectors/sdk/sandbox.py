"""A vendor on loopback: its documented API over real HTTP, its objects, its quirks and its faults.

    async with FreshdeskSandbox() as sandbox:
        connector = connect("freshdesk", sandbox.environ())

As a process, for the demo and for other languages: `python -m connectors.sdk.sandbox freshdesk`
prints one line of JSON (`url`, `environ`) and serves until SIGTERM. Other processes drive it by
`POST /_sandbox/seed`, `GET /_sandbox/state`, `GET /_sandbox/ledger`, `POST /_sandbox/faults` and
`DELETE /_sandbox/faults`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
import sys
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from http import HTTPStatus
from itertools import count, repeat
from time import monotonic
from typing import Any, ClassVar, Literal, Self, get_args

from aiohttp import web

from . import registry, wall_clock
from .delays import Delays
from .interface import Limit

CONTROL = "/_sandbox"
LARGE = 64
"""MiB."""
DEEP = b"[" * 100_000 + b"]" * 100_000
DROP = 0.1
"""Seconds between two bytes."""

Mode = Literal[
    "status",
    "lie",
    "hang",
    "html",
    "reset",
    "half",
    "empty",
    "other",
    "null",
    "redirect",
    "deaf",
    "repeat",
    "large",
    "deep",
    "drip",
]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong with the next `times` calls that match (every one, if None)."""

    mode: Mode = "status"
    """`status`: that answer, no effect. `lie`: the usual answer, no effect. `hang`: late by
    `seconds`. `html`: a page, no effect. `empty`: no body, no effect. `other`: `{}`, which is JSON
    and says nothing, no effect. `null`: the same with `null`.
    `redirect`: asks to ask elsewhere, no effect. `deaf`: does without the parameters of the query
    that have one of `words` in them. `reset`: the connection
    drops, no effect. `half`: done, but half the body comes. `repeat`: the first page of a list for
    every other, its way on to the next included. `large`: 64 MiB. `deep`: 100,000 arrays in one
    another. `drip`: a byte now and then, without an end. These three have no effect.
    """
    method: str = ""
    """Empty: any."""
    route: str = ""
    """A regular expression on the path; empty: any."""
    call: str = ""
    """The call by the name that it is counted under, `GET /api/v2/contacts/{id}`; empty: any."""
    after: int = 0
    """So many calls that match go well before."""
    times: int | None = 1
    status: int = HTTPStatus.INTERNAL_SERVER_ERROR
    seconds: float = 0.0
    words: tuple[str, ...] = ()
    retry_after: int | None = None

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise ValueError(f"mode is one of {', '.join(get_args(Mode))}")
        re.compile(self.route)

    def strikes(self, method: str, path: str, call: str) -> bool:
        """Whether it is meant for this call."""
        return (
            self.method in {"", method}
            and self.call in {"", call}
            and re.search(self.route, path) is not None
        )


@dataclass(frozen=True, slots=True)
class Mutation:
    """A request that had an effect."""

    operation: str
    """The vendor's word: `hard_delete`, `update`."""
    key: str
    """`kind/id`."""
    at: datetime


class Sandbox(ABC):
    """The base of a vendor's sandbox. All its state is in `tables`, so that a lie can be undone.

    Handlers change `tables` and call `changed`; they must not wait for anything but the
    request's body.
    """

    system: ClassVar[str]
    unreadable: ClassVar[tuple[str, ...]] = ()
    """Regular expressions on the path: what the restricted key may not touch."""
    cursor: ClassVar[str] = ""
    """A regular expression on path and query: what differs in the calls for one list's pages."""
    public: ClassVar[tuple[str, ...]] = ()
    """Regular expressions on the path: what needs no credentials, such as a token endpoint."""
    by_job: ClassVar[str] = ""
    """A regular expression on the path: deletions that take as long as `delays.queue` says."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        now: Callable[[], datetime] = wall_clock.now,
    ) -> None:
        self.key = f"sandbox-{self.system}-key"
        self.restricted_key = f"sandbox-{self.system}-restricted"
        self.tables: dict[str, dict[str, dict[str, Any]]] = {}
        """Kind → id → fields. Kinds that begin with `_` (tokens, jobs) are not shown as state."""
        self.ledger: list[Mutation] = []
        self.calls: Counter[str] = Counter()
        """How often each was made, by `call`: `GET /api/v2/contacts/{id}`."""
        self.faults: list[Fault] = []
        self.limit: Limit | None = None
        """The vendor's rate limit, kept by the sandbox's own clock; None: not enforced."""
        self.limited = 0
        """Calls that were refused because of it."""
        self.leaks = 0
        """How often somebody followed a redirect, and had the key with them."""
        self.delays = Delays()
        """How long its jobs wait, and how far its reads lag behind."""
        self.now = now
        self._pages: dict[tuple[str, ...], web.Response] = {}
        self._recent: deque[float] = deque()
        self._ids = count(1)
        self._requests = count(1)
        self._where = host, port
        app = web.Application(middlewares=[self._serve], client_max_size=2**24)
        app.add_routes([*self.routes(), *self._control()])
        app.on_response_prepare.append(self._on_prepare)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        self._url = ""

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        if not getattr(cls, "system", ""):
            raise TypeError(f"{cls.__name__} has no `system`: the name of its entry point")

    # What a vendor supplies.

    @abstractmethod
    def routes(self) -> list[web.RouteDef]:
        """The vendor's API."""

    @abstractmethod
    def credential(self, request: web.Request) -> str | None:
        """Which key (`key`, `restricted_key`) the request carries; None if none or unreadable."""

    @abstractmethod
    def settings(self, *, restricted: bool = False) -> Mapping[str, str]:
        """The fields of the connector's `Settings` that lead here."""

    @abstractmethod
    def refusal(self, status: int) -> web.Response:
        """The vendor's own error for `status`, body and headers as documented."""

    @abstractmethod
    def plant(self, kind: str, fields: Mapping[str, Any]) -> str:
        """Put an object there as if it had always been; its id (kept if `fields` has one)."""

    def call(self, request: web.Request) -> str:
        """What a call is counted as: its method and route, `GET /api/v2/contacts/{id}`."""
        resource = request.match_info.route.resource
        return f"{request.method} {resource.canonical if resource else '?'}"

    def dress(self, response: web.StreamResponse) -> None:
        """Add the headers that the vendor sends with every answer."""
        response.headers.setdefault("X-Request-Id", f"req-{next(self._requests):08x}")

    # What a vendor's handlers use.

    def table(self, kind: str) -> dict[str, dict[str, Any]]:
        """The objects of `kind`, by id."""
        return self.tables.setdefault(kind, {})

    def new_id(self) -> int:
        """A number that no object has, those planted with an id of their own included."""
        return next(n for n in self._ids if not any(str(n) in t for t in self.tables.values()))

    def changed(self, operation: str, kind: str, id_: str) -> None:
        """Write into the ledger that a request had an effect."""
        self.ledger.append(Mutation(operation, f"{kind}/{id_}", self.now()))

    @property
    def used(self) -> int:
        """How much of `limit` is used up."""
        return len(self._recent)

    # What tests and the demo use.

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return self._url

    @property
    def connections(self) -> int:
        """How many sockets to it are open."""
        return len(self._runner.server.connections) if self._runner.server else 0

    async def settle(self) -> None:
        """Do every job now, and let reads show what is there."""
        await self.delays.settle()

    def environ(self, *, restricted: bool = False) -> dict[str, str]:
        """The connector's settings as environment variables."""
        return {
            registry.variable(self.system, name): value
            for name, value in self.settings(restricted=restricted).items()
        }

    def state(self) -> dict[str, dict[str, Any]]:
        """Every object, by `kind/id`, those deleted softly included."""
        return {
            f"{kind}/{id_}": fields
            for kind, table in self.tables.items()
            if not kind.startswith("_")
            for id_, fields in table.items()
        }

    def seed(self, objects: Iterable[Mapping[str, Any]]) -> list[str]:
        """Plant objects, each with its `kind`; their keys, in order."""
        return [
            f"{it['kind']}/{self.plant(it['kind'], {k: v for k, v in it.items() if k != 'kind'})}"
            for it in objects
        ]

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, *self._where)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self._url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    # How a call is served.

    @web.middleware
    async def _serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        await self.delays.work(self.now())
        if request.path.startswith(CONTROL):
            return await handler(request)
        self.calls[self.call(request)] += 1
        await request.read()  # so that a handler need not wait, and a lie can be undone
        wait = self._wait()
        if wait:
            self.limited += 1
            response = self.refusal(HTTPStatus.TOO_MANY_REQUESTS)
            response.headers["Retry-After"] = str(wait)
            return response
        fault = self._take(request)
        if fault is not None:
            return await self._break(fault, request, handler)
        return await self._in_time(request, handler)

    async def _in_time(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The answer, with what takes time at this vendor: see `delays`."""
        now, before = self.now(), self.tables
        if request.method == "GET" and self.delays.lag:
            self.tables = self.delays.seen(now, before)
            try:
                return await self._answer(request, handler)
            finally:
                self.tables = before
        if self.delays.queue and self._is_by_job(request):
            kept = deepcopy(before), list(self.ledger)
            said = await self._answer(request, handler)
            self.tables, self.ledger = kept
            if said.status < HTTPStatus.BAD_REQUEST:
                self.delays.put_off(now, partial(self._answer, request, handler))
            return said
        self.delays.remember(now, deepcopy(before) if self.delays.lag else {})
        return await self._answer(request, handler)

    def _is_by_job(self, request: web.Request) -> bool:
        return request.method == "DELETE" and re.search(self.by_job, request.path) is not None

    def _wait(self) -> int:
        """Seconds until the rate limit allows another call; 0 if it does now."""
        if self.limit is None:
            return 0
        now, per = monotonic(), self.limit.per.total_seconds()
        while self._recent and self._recent[0] <= now - per:
            self._recent.popleft()
        if len(self._recent) >= self.limit.calls:
            return int(self._recent[0] + per - now) + 1
        self._recent.append(now)
        return 0

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        is_public = any(re.search(it, request.path) for it in self.public)
        key = None if is_public else self.credential(request)
        if not is_public and key not in {self.key, self.restricted_key}:
            return self.refusal(HTTPStatus.UNAUTHORIZED)
        if key == self.restricted_key and self._is_unreadable(request.path):
            return self.refusal(HTTPStatus.FORBIDDEN)
        try:
            return await handler(request)
        except web.HTTPException as error:
            return self.refusal(error.status) if error.status >= HTTPStatus.BAD_REQUEST else error

    def _is_unreadable(self, path: str) -> bool:
        return any(re.search(it, path) for it in self.unreadable)

    def _take(self, request: web.Request) -> Fault | None:
        for n, fault in enumerate(self.faults):
            if fault.strikes(request.method, request.path, self.call(request)):
                if fault.after:
                    self.faults[n] = replace(fault, after=fault.after - 1)
                    continue
                if fault.times == 1:
                    del self.faults[n]
                elif fault.times is not None:
                    self.faults[n] = replace(fault, times=fault.times - 1)
                return fault
        return None

    async def _break(
        self, fault: Fault, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        match fault.mode:
            case "lie":
                before = deepcopy(self.tables), list(self.ledger)
                said = await self._answer(request, handler)
                self.tables, self.ledger = before
                return said
            case "hang" | "deaf":
                await asyncio.sleep(fault.seconds)
                return await self._answer(_without(request, fault.words), handler)
            case "half":
                return _cut(request, await self._answer(request, handler))
            case "repeat":
                return await self._repeat(request, handler)
            case "large" | "drip":
                return await _pour(request, fault.mode)
            case _:
                return self._fail(fault, request)

    async def _repeat(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        path, _, query = re.sub(self.cursor, "", request.path_qs).partition("?")
        of = (request.method, path, *sorted(filter(None, query.split("&"))))
        said = self._pages.get(of) or await self._answer(request, handler)
        if isinstance(said, web.Response):
            self._pages[of] = _copy(said)
        return said

    def _fail(self, fault: Fault, request: web.Request) -> web.Response:
        """The faults that have no effect on what is held."""
        match fault.mode:
            case "html":
                return web.Response(text="<html>Please wait</html>", content_type="text/html")
            case "empty":
                return web.Response(content_type="application/json")
            case "other" | "null":
                return web.json_response({} if fault.mode == "other" else None)
            case "redirect":
                raise web.HTTPFound(f"{self.url}{CONTROL}/elsewhere")
            case "deep":
                return web.Response(body=DEEP, content_type="application/json")
            case "reset":
                return _hang_up(request)
            case _:
                pass
        response = self.refusal(fault.status)
        if fault.retry_after is not None:
            response.headers["Retry-After"] = str(fault.retry_after)
        return response

    async def _on_prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        if not request.path.startswith(CONTROL):
            self.dress(response)

    # How another process drives it.

    def _control(self) -> list[web.RouteDef]:
        return [
            web.post(f"{CONTROL}/seed", self._post_seed),
            web.route("*", f"{CONTROL}/elsewhere", self._elsewhere),
            web.get(f"{CONTROL}/state", self._get_state),
            web.get(f"{CONTROL}/ledger", self._get_ledger),
            web.post(f"{CONTROL}/faults", self._post_fault),
            web.delete(f"{CONTROL}/faults", self._delete_faults),
        ]

    async def _post_seed(self, request: web.Request) -> web.Response:
        try:
            keys = self.seed(await request.json())
        except (ValueError, KeyError, TypeError) as error:
            return web.json_response({"error": repr(error)}, status=HTTPStatus.BAD_REQUEST)
        return web.json_response({"keys": keys})

    async def _get_state(self, _: web.Request) -> web.Response:
        return web.json_response(self.state())

    async def _elsewhere(self, request: web.Request) -> web.Response:
        self.leaks += "Authorization" in request.headers or self.key in str(request.headers)
        return web.json_response({})

    async def _get_ledger(self, _: web.Request) -> web.Response:
        entries = [asdict(it) | {"at": it.at.isoformat()} for it in self.ledger]
        return web.json_response({"mutations": entries, "calls": self.calls})

    async def _post_fault(self, request: web.Request) -> web.Response:
        try:
            self.faults.append(Fault(**await request.json()))
        except (ValueError, TypeError, re.error) as error:
            return web.json_response({"error": repr(error)}, status=HTTPStatus.BAD_REQUEST)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _delete_faults(self, _: web.Request) -> web.Response:
        self.faults.clear()
        return web.Response(status=HTTPStatus.NO_CONTENT)


def _without(request: web.Request, words: Iterable[str]) -> web.Request:
    """The request without the parameters that have one of the words in them."""
    lower = [it.lower() for it in words]
    if not lower:
        return request
    heard = {k: v for k, v in request.query.items() if not any(it in v.lower() for it in lower)}
    return request.clone(rel_url=request.rel_url.with_query(heard))


async def _pour(request: web.Request, mode: Mode) -> web.StreamResponse:
    """JSON that is too much, or takes too long, until whoever asked hangs up."""
    said = web.StreamResponse(headers={"Content-Type": "application/json"})
    with suppress(ConnectionError):
        await said.prepare(request)
        while mode == "drip":
            await said.write(b" ")
            await asyncio.sleep(DROP)
        for piece in (b'["', *repeat(b"a" * 2**20, LARGE), b'"]'):
            await said.write(piece)
        await said.write_eof()
    return said


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _copy(said: web.Response) -> web.Response:
    """An answer to send later: one object can be sent once."""
    kept = {name: it for name, it in said.headers.items() if name in {"Content-Type", "Link"}}
    return web.Response(status=said.status, body=said.body, headers=kept)


def _cut(request: web.Request, whole: web.StreamResponse) -> web.Response:
    """Half the body; if there is none, the connection drops."""
    body = whole.body if isinstance(whole, web.Response) else None
    if not isinstance(body, bytes) or not body:
        return _hang_up(request)
    return web.Response(
        status=whole.status, body=body[: len(body) // 2], content_type=whole.content_type
    )


async def serve(sandbox: Sandbox) -> None:
    """Serve until SIGTERM or SIGINT, after one line of JSON on standard output."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    async with sandbox:
        said = {"system": sandbox.system, "url": sandbox.url, "environ": sandbox.environ()}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
        await stop.wait()


async def _run(asked: argparse.Namespace, delays: Delays) -> None:
    sandbox = registry.load(registry.SANDBOXES, asked.system)(host=asked.host, port=asked.port)
    sandbox.delays = delays
    await serve(sandbox)


def main() -> None:
    """`python -m connectors.sdk.sandbox SYSTEM [--host HOST] [--port PORT] [--option …]`."""
    parser = argparse.ArgumentParser(prog="python -m connectors.sdk.sandbox")
    parser.add_argument("system", choices=registry.systems(registry.SANDBOXES))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        help="lag=SECONDS: reads show what was there so long ago; queue=SECONDS: deletions wait",
    )
    asked = parser.parse_args()
    options = Delays()
    try:
        for it in asked.option:
            options.option(it)
    except ValueError as error:
        parser.error(str(error))
    asyncio.run(_run(asked, options))


if __name__ == "__main__":
    main()
