"""A vendor that erases by a job: an erasure is taken at once, and done when the job has run.

Asked again while the job waits, it says the same. `lag` declares a lag instead: its connector takes
the erasure for done, as one does whose vendor says nothing of a job.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from connectors.sdk.http import Http
from connectors.sdk.interface import (
    Borne,
    Capabilities,
    Category,
    Connector,
    Credentials,
    Erased,
    Holding,
    Outcome,
    Page,
    Queued,
    Record,
    Right,
    Subject,
)
from connectors.sdk.sandbox import Sandbox

IDENTITY = frozenset({Category.IDENTITY})
WITHIN = timedelta(seconds=60)
"""How long the vendor says that a job takes at most."""


def _of(system: str, lag: timedelta) -> Capabilities:
    return Capabilities(
        system=system,
        rights=frozenset({Right.ACCESS, Right.ERASURE}),
        kinds={"person": IDENTITY},
        settles_within=lag,
        credentials=Credentials(test=("sandbox-",)),
    )


class Backlog(Connector):
    """People by their address; an erasure is a job of its own."""

    capabilities = _of("backlog", timedelta(0))

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Settings:
        url: str
        key: str

    def __init__(self, settings: Settings) -> None:
        self._http = Http(settings.url, authorization=settings.key)

    async def check(self) -> None:
        await self._http.require("/check")

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> AsyncIterator[Page]:
        for email in subject.forms("email"):
            found = await self._http.require("/people", {"email": email})
            yield Page(holdings=tuple(map(_holding, found.body)))
        for it in known:
            answer = await self._http.get("/people/{id}", id=it.id)
            yield Page(gone=(it,)) if answer is None else Page(holdings=(_holding(answer.body),))

    async def export(self, holding: Holding) -> AsyncIterator[Record]:
        answer = await self._http.get("/people/{id}", id=holding.id)
        if answer is not None:
            yield Record.of(holding, answer.body)

    async def erase(
        self, holding: Holding, keep: frozenset[Category] = frozenset()
    ) -> Outcome | Mapping[Category, Outcome]:
        answer = await self._http.post("/people/{id}/erasure", id=holding.id)
        return Erased() if answer is None else Queued(datetime.fromisoformat(answer.body["by"]))

    async def __aexit__(self, *_: object) -> None:
        await self._http.__aexit__()


class Lagging(Backlog):
    """Believes that it is done."""

    capabilities = _of("lagging", WITHIN)

    async def erase(
        self, holding: Holding, keep: frozenset[Category] = frozenset()
    ) -> Outcome | Mapping[Category, Outcome]:
        await super().erase(holding, keep)
        return Erased()


class BacklogSandbox(Sandbox):
    """`takes` is how long a job takes, `within` what the vendor says of it."""

    system = "backlog"

    def __init__(self, **where: Any) -> None:
        super().__init__(**where)
        self.within, self.takes = WITHIN, timedelta(days=1)
        self.jobs: dict[str, datetime] = {}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/check", self._check),
            web.get("/people", self._people),
            web.get("/people/{id}", self._person),
            web.post("/people/{id}/erasure", self._erasure),
        ]

    def credential(self, request: web.Request) -> str | None:
        return request.headers.get("Authorization")

    def settings(self, *, restricted: bool = False) -> Mapping[str, str]:
        return {"url": self.url, "key": self.key}

    def refusal(self, status: int) -> web.Response:
        return web.json_response({}, status=status)

    def plant(self, kind: str, fields: Mapping[str, Any]) -> str:
        id_ = str(self.new_id())
        self.table(kind)[id_] = {"id": id_, **fields}
        return id_

    def state(self) -> dict[str, dict[str, Any]]:
        self._run()
        return super().state()

    def _run(self) -> None:
        """Do what the jobs have done by now."""
        for id_, begun in list(self.jobs.items()):
            if begun + self.takes <= self.now():
                del self.jobs[id_], self.table("person")[id_]
                self.changed("purge", "person", id_)

    async def _check(self, _: web.Request) -> web.Response:
        return web.json_response({})

    async def _people(self, request: web.Request) -> web.Response:
        self._run()
        asked = request.query.get("email", "").lower()
        people = self.table("person").values()
        return web.json_response([it for it in people if it["email"].lower() == asked])

    async def _person(self, request: web.Request) -> web.Response:
        self._run()
        found = self.table("person").get(request.match_info["id"])
        return self.refusal(404) if found is None else web.json_response(found)

    async def _erasure(self, request: web.Request) -> web.Response:
        self._run()
        id_ = request.match_info["id"]
        if id_ not in self.table("person"):
            return self.refusal(404)
        if id_ not in self.jobs:
            self.jobs[id_] = self.now()
            self.changed("queue", "person", id_)
        by = self.jobs[id_] + self.within
        return web.json_response({"by": by.isoformat()}, status=202)


class LaggingSandbox(BacklogSandbox):
    """The same vendor."""

    system = "lagging"


def _holding(row: Mapping[str, Any]) -> Holding:
    return Holding(
        "person", str(row["id"]), IDENTITY, bears=(Borne("email", "email", row["email"]),)
    )
