"""Five made-up systems with one record of everybody, and the trivial server that answers for them.

python -m tests.bench.systems [--port PORT]    serve, after one line of JSON on standard output
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from aiohttp import web

from connectors.sdk.http import Http
from connectors.sdk.interface import (
    Borne,
    Capabilities,
    Category,
    Connector,
    Erased,
    Holding,
    Outcome,
    Page,
    Record,
    Right,
    Subject,
)

BODY = {"name": "Somebody", "note": "x" * 200}
SYSTEMS = ("bench1", "bench2", "bench3", "bench4", "bench5")
KIND = "thing"
RETRY_AFTER = "1"
"""Seconds that a refused caller is asked to wait."""


class Bench(Connector):
    """One call to check, one to find and export, one to erase."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Settings:
        url: str

    def __init__(self, settings: Settings) -> None:
        self._http = Http(settings.url)

    async def check(self) -> None:
        await self._http.require("/check/{system}", system=self._system)

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> AsyncIterator[Page]:
        for email in subject.of("email"):
            answer = await self._http.get("/things/{system}/{id}", system=self._system, id=email)
            holding = Holding(
                KIND,
                email,
                frozenset({Category.IDENTITY, Category.CONTACT}),
                bears=(Borne("email", "email", email),),
            )
            if answer is None:
                yield Page(gone=tuple(it for it in known if it == holding))
            else:
                record = Record(holding, json.dumps(answer.body).encode())
                yield Page(holdings=(holding,), records=(record,))

    async def export(self, holding: Holding) -> AsyncIterator[Record]:
        answer = await self._http.get("/things/{system}/{id}", system=self._system, id=holding.id)
        if answer is not None:
            yield Record(holding, json.dumps(answer.body).encode())

    async def erase(
        self, holding: Holding, keep: frozenset[Category] = frozenset()
    ) -> Outcome | Mapping[Category, Outcome]:
        await self._http.delete("/things/{system}/{id}", system=self._system, id=holding.id)
        return Erased()

    async def __aexit__(self, *_: object) -> None:
        await self._http.__aexit__()

    @property
    def _system(self) -> str:
        return self.capabilities.system


def _of(system: str) -> Capabilities:
    return Capabilities(
        system=system,
        rights=frozenset({Right.ACCESS, Right.ERASURE}),
        kinds={KIND: frozenset({Category.IDENTITY, Category.CONTACT})},
    )


class Bench1(Bench):
    capabilities = _of("bench1")


class Bench2(Bench):
    capabilities = _of("bench2")


class Bench3(Bench):
    capabilities = _of("bench3")


class Bench4(Bench):
    capabilities = _of("bench4")


class Bench5(Bench):
    capabilities = _of("bench5")


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How a system answers."""

    latency: float = 0.0
    """Seconds before an answer."""
    refused: float = 0.0
    """Share of the calls that are answered 429 with `Retry-After`, evenly spread."""

    def __post_init__(self) -> None:
        if self.latency < 0 or not 0 <= self.refused < 1:
            raise ValueError("latency is 0 or more, refused is from 0 to below 1")

    def json(self) -> dict[str, float]:
        """As `PUT /behaviour/{system}` takes it."""
        return asdict(self)

    def refuses(self, n: int) -> bool:
        """Whether the n-th call is refused."""
        return int((n + 1) * self.refused) > int(n * self.refused)


USUAL = Behaviour()


class Server:
    """Holds one thing about everybody who is asked for, until it is deleted."""

    def __init__(self) -> None:
        self.gone: set[tuple[str, str]] = set()
        self.calls: Counter[str] = Counter()
        self.behaviours: dict[str, Behaviour] = {}

    @web.middleware
    async def answer(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Count the call to a system, and answer as late or as busy as it is told to be."""
        system = request.match_info.get("system", "")
        if not system or request.path.startswith("/behaviour/"):
            return await handler(request)
        how, n = self.behaviours.get(system, USUAL), self.calls[system]
        self.calls[system] += 1
        if how.latency:
            await asyncio.sleep(how.latency)
        if how.refuses(n):
            return web.json_response({}, status=429, headers={"Retry-After": RETRY_AFTER})
        return await handler(request)

    async def check(self, _: web.Request) -> web.Response:
        return web.json_response({})

    async def get(self, request: web.Request) -> web.Response:
        if _key(request) in self.gone:
            return web.json_response({}, status=404)
        return web.json_response(BODY)

    async def delete(self, request: web.Request) -> web.Response:
        self.gone.add(_key(request))
        return web.Response(status=204)

    async def count(self, _: web.Request) -> web.Response:
        return web.json_response({"calls": self.calls.total()})

    async def behave(self, request: web.Request) -> web.Response:
        self.behaviours[request.match_info["system"]] = Behaviour(**await request.json())
        return web.Response(status=204)


def _key(request: web.Request) -> tuple[str, str]:
    return request.match_info["system"], request.match_info["id"]


async def serve(port: int) -> None:
    server = Server()
    app = web.Application(middlewares=[server.answer])
    app.add_routes(
        [
            web.get("/check/{system}", server.check),
            web.get("/count", server.count),
            web.put("/behaviour/{system}", server.behave),
            web.get("/things/{system}/{id}", server.get),
            web.delete("/things/{system}/{id}", server.delete),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    sys.stdout.write(json.dumps({"url": f"http://127.0.0.1:{runner.addresses[0][1]}"}) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(serve(parser.parse_args().port))
