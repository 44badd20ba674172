"""A vendor that holds nothing about anybody and writes down who was looked for, and when.

`acme` publishes no limit, `thrifty` one that it keeps. Found by the entry points beside this file,
where `HERE` is on the path.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiohttp import web

from connectors.sdk.http import Http
from connectors.sdk.interface import (
    Capabilities,
    Category,
    Connector,
    Erased,
    Holding,
    Limit,
    Outcome,
    Page,
    Record,
    Right,
    Subject,
)
from connectors.sdk.sandbox import Sandbox

HERE = Path(__file__).parent
THRIFTY = Limit(calls=120, per=timedelta(seconds=4))


def _of(system: str, *limits: Limit) -> Capabilities:
    return Capabilities(
        system=system,
        rights=frozenset({Right.ACCESS, Right.ERASURE}),
        kinds={"person": frozenset({Category.IDENTITY})},
        limits=limits,
    )


class Acme(Connector):
    """One call to check, one for every identifier."""

    capabilities = _of("acme")

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Settings:
        url: str
        key: str

    def __init__(self, settings: Settings) -> None:
        self._http = Http(settings.url, authorization=settings.key)

    async def check(self) -> None:
        await self._http.require("/check")

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> AsyncIterator[Page]:
        for it in Subject(self.usable(subject)).of("email"):
            await self._http.get("/people/{id}", id=it)
        yield Page(gone=tuple(known))

    async def export(self, holding: Holding) -> AsyncIterator[Record]:
        nothing: tuple[Record, ...] = ()
        for it in nothing:
            yield it

    async def erase(
        self, holding: Holding, keep: frozenset[Category] = frozenset()
    ) -> Outcome | Mapping[Category, Outcome]:
        return Erased()

    async def __aexit__(self, *_: object) -> None:
        await self._http.__aexit__()


class Thrifty(Acme):
    """As many calls as `THRIFTY` says."""

    capabilities = _of("thrifty", THRIFTY)


class AcmeSandbox(Sandbox):
    """Answers at once, and remembers when (seconds since the epoch) it answered about whom."""

    system = "acme"

    def __init__(self, **where: Any) -> None:
        super().__init__(**where)
        self.answered: defaultdict[str, list[float]] = defaultdict(list)

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/check", self._check), web.get("/people/{id}", self._person)]

    def credential(self, request: web.Request) -> str | None:
        return request.headers.get("Authorization")

    def settings(self, *, restricted: bool = False) -> Mapping[str, str]:
        return {"url": self.url, "key": self.key}

    def refusal(self, status: int) -> web.Response:
        return web.json_response({}, status=status)

    def plant(self, kind: str, fields: Mapping[str, Any]) -> str:
        raise NotImplementedError("nobody is known here")

    async def _check(self, _: web.Request) -> web.Response:
        return web.json_response({})

    async def _person(self, request: web.Request) -> web.Response:
        self.answered[request.match_info["id"]].append(time.time())
        return self.refusal(404)


class ThriftySandbox(AcmeSandbox):
    """Keeps the limit that its connector declares."""

    system = "thrifty"

    def __init__(self, **where: Any) -> None:
        super().__init__(**where)
        self.limit = THRIFTY
