"""Five made-up systems with one record of everybody, and the trivial server that answers for them.

python -m tests.bench.systems [--port PORT]    serve, after one line of JSON on standard output
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from connectors.sdk.http import Http
from connectors.sdk.interface import (
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


class Bench(Connector):
    """One call to check, one to find and export, one to erase."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Settings:
        url: str

    def __init__(self, settings: Settings) -> None:
        self._http = Http(settings.url)

    async def check(self) -> None:
        await self._http.require("/check")

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> AsyncIterator[Page]:
        for email in subject.of("email"):
            answer = await self._http.get("/things/{system}/{id}", system=self._system, id=email)
            holding = Holding(KIND, email, frozenset({Category.IDENTITY, Category.CONTACT}))
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


class Server:
    """Holds one thing about everybody who is asked for, until it is deleted."""

    def __init__(self) -> None:
        self.gone: set[tuple[str, str]] = set()
        self.calls = 0

    async def check(self, _: web.Request) -> web.Response:
        self.calls += 1
        return web.json_response({})

    async def get(self, request: web.Request) -> web.Response:
        self.calls += 1
        if _key(request) in self.gone:
            return web.json_response({}, status=404)
        return web.json_response(BODY)

    async def delete(self, request: web.Request) -> web.Response:
        self.calls += 1
        self.gone.add(_key(request))
        return web.Response(status=204)

    async def count(self, _: web.Request) -> web.Response:
        return web.json_response({"calls": self.calls})


def _key(request: web.Request) -> tuple[str, str]:
    return request.match_info["system"], request.match_info["id"]


async def serve(port: int) -> None:
    server = Server()
    app = web.Application()
    app.add_routes(
        [
            web.get("/check", server.check),
            web.get("/count", server.count),
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
