"""A vendor with the ways that ours do not have: jobs, reads that lag, files in pieces, guests.

Members leave by a job. An invitation is a name on the list of an event that others are on too, and
is gone when the list that was read does not have it. A blank member is there, and of no category.
It has every verb, and the least of each.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from connectors.sdk.conformance import SandboxWorld
from connectors.sdk.http import Ceilings, Http, UnauthorisedError, as_json
from connectors.sdk.interface import (
    MARKETING,
    Borne,
    Capabilities,
    Category,
    Connector,
    Datum,
    Erased,
    Failed,
    Holding,
    Identifier,
    NotSupported,
    Outcome,
    Page,
    Queued,
    Record,
    Rectified,
    Redacted,
    Restricted,
    RetryableError,
    Right,
    Standing,
    Subject,
    Suppressed,
    TerminalError,
)
from connectors.sdk.sandbox import Sandbox
from connectors.sdk.spelling import lower, normal

Row = Mapping[str, Any]
FIELDS = {"name": Category.IDENTITY, "email": Category.CONTACT, "likes": Category.PROFILE}
OF_FILE = Category.TECHNICAL
INVITED = frozenset({Category.USAGE})
PIECE = 16
"""Characters of a file in one record."""
JOB = timedelta(minutes=10)
DATA = {Datum.NAME: "name", Datum.EMAIL: "email"}
BLANK: Mapping[str, Row] = {
    "member": {**dict.fromkeys(FIELDS, ""), "files": {}, "held": False, "newsletter": False},
    "event": {"title": "", "guests": None},
}


class Club(Connector):
    """One club."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Settings(Ceilings):
        url: str
        token: str = field(repr=False)

    capabilities = Capabilities(
        system="club",
        rights=frozenset(
            {
                *(Right.ACCESS, Right.ERASURE),
                *(Right.RECTIFICATION, Right.RESTRICTION, Right.OBJECTION),
            }
        ),
        kinds={"invitation": INVITED, "member": frozenset({*FIELDS.values(), OF_FILE})},
        settles_within=JOB,
        reasons={
            "forbidden": "The token may not change that.",
            "refused": "The club refused the request.",
            "file_stays": "A file goes with its member only.",
            "guests_only": "A guest is an address on a list, and nothing can be noted of it.",
            "nobody": "There is no address to stop it for.",
            "not_found": "The club no longer has it.",
            "receipts": "The club uses it for what it has to send.",
            "whole": "An invitation goes as a whole.",
        },
    )

    def __init__(self, settings: Settings) -> None:
        token = f"Bearer {settings.token}"
        self._http = Http(settings.url, authorization=token, ceilings=settings)

    async def check(self) -> None:
        for route in ("/members", "/events"):
            await self._list(route, {"page": "1"})

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> AsyncIterator[Page]:
        seen = set(known)
        for holding in known:
            found = await self._read(holding)
            yield Page(holdings=(found,)) if found else Page(gone=(holding,))
        for email in Subject(self.usable(subject)).forms("email"):
            for route, name in (("/members", "email"), ("/events", "guest")):
                async for rows in self._pages(route, {name: email}):
                    found_here = [it for row in rows for it in _found(route, row, subject)]
                    yield Page(holdings=tuple(it for it in found_here if it not in seen))
                    seen.update(found_here)

    async def export(self, holding: Holding) -> AsyncIterator[Record]:
        row = await self._row(holding)
        if row is None or _held(holding, row) is None:
            return
        if holding.kind == "invitation":
            yield Record.of(holding, {"event": row["title"], "guest": _guest(holding)})
            return
        yield Record.of(holding, row)
        for file in row["files"]:
            content = await self._file(holding, file)
            for start in range(0, len(content), PIECE):
                piece, goes_on = content[start : start + PIECE], start + PIECE < len(content)
                yield Record(holding, piece.encode(), "text/plain", name=file, more=goes_on)

    async def erase(
        self, holding: Holding, keep: frozenset[Category] = frozenset()
    ) -> Outcome | Mapping[Category, Outcome]:
        keep &= holding.categories
        if keep and holding.categories <= keep:
            return {}
        try:
            if holding.kind == "invitation":
                return await self._take_out(holding) if not keep else NotSupported("whole")
            return await self._blank(holding, keep) if keep else await self._leave(holding)
        except UnauthorisedError:
            raise
        except TerminalError as refused:
            return Failed(refused.reason)

    async def standing(self, holding: Holding) -> Standing | None:
        row = await self._row(holding)
        if row is None or _held(holding, row) is None:
            return None
        if holding.kind != "member":
            return Standing()
        data = {datum: row[name] for datum, name in DATA.items()}
        return Standing(restricted=row["held"], data=data)

    async def restrict(self, holding: Holding, *, lift: bool = False) -> Outcome:
        return await self._change(holding, {"held": not lift}, Restricted())

    async def rectify(
        self, holding: Holding, data: Mapping[Datum, str]
    ) -> Outcome | Mapping[Datum, Outcome]:
        return await self._change(holding, {DATA[it]: new for it, new in data.items()}, Rectified())

    async def object_to(self, subject: Subject, purpose: str) -> Outcome:
        if purpose != MARKETING:
            return NotSupported("receipts")
        if not self.usable(subject):
            return NotSupported("nobody")
        said = [
            await self._change(it, {"newsletter": False}, Suppressed())
            async for it in self._members(subject)
        ]
        return next((it for it in said if it != Suppressed()), Suppressed())

    async def objected(self, subject: Subject, purpose: str) -> bool:
        used = [
            it async for it in self._members(subject) if (await self._row(it) or {})["newsletter"]
        ]
        return purpose == MARKETING and not used

    async def __aexit__(self, *_: object) -> None:
        await self._http.__aexit__()

    async def _members(self, subject: Subject) -> AsyncIterator[Holding]:
        for email in Subject(self.usable(subject)).forms("email"):
            async for rows in self._pages("/members", {"email": email}):
                for row in rows:
                    if subject.bears("email", row["email"]):
                        yield _member(row)

    async def _change(self, holding: Holding, new: Row, done: Outcome) -> Outcome:
        if holding.kind != "member":
            return NotSupported("guests_only")
        row = await self._row(holding)
        if row is None:
            return Failed("not_found")
        changed = {name: value for name, value in new.items() if row[name] != value}
        try:
            if changed:
                await self._http.patch("/members/{id}", as_json(changed), id=holding.id)
        except UnauthorisedError:
            raise
        except TerminalError as refused:
            return Failed(refused.reason)
        return done

    async def _take_out(self, holding: Holding) -> Outcome:
        event, _, guest = holding.id.partition("/")
        await self._http.delete("/events/{id}/guests/{guest}", id=event, guest=guest)
        return Erased()

    async def _leave(self, holding: Holding) -> Outcome:
        answer = await self._http.delete("/members/{id}", id=holding.id)
        if answer is None:
            return Erased()
        return Queued(datetime.fromisoformat(answer.body["by"]))

    async def _blank(
        self, holding: Holding, keep: frozenset[Category]
    ) -> Outcome | Mapping[Category, Outcome]:
        row = await self._row(holding)
        if row is None:
            return Erased()
        due = holding.categories - keep
        blank = {name: "" for name, of in FIELDS.items() if of in due and row[name]}
        if blank:
            await self._http.patch("/members/{id}", as_json(blank), id=holding.id)
        stays = NotSupported("file_stays")
        return {it: stays if it is OF_FILE else Redacted() for it in due}

    async def _read(self, holding: Holding) -> Holding | None:
        row = await self._row(holding)
        return None if row is None else _held(holding, row)

    async def _row(self, holding: Holding) -> Row | None:
        if holding.kind == "member":
            answer = await self._http.get("/members/{id}", id=holding.id)
            return (
                None
                if answer is None
                else _shaped(answer.body, {"files", "held", "newsletter", *FIELDS})
            )
        event = holding.id.partition("/")[0]
        answer = await self._http.get("/events/{id}", id=event)
        return None if answer is None else _shaped(answer.body, {"title", "guests"})

    async def _file(self, holding: Holding, name: str) -> str:
        parts = {"id": holding.id, "name": name}
        route = "/members/{id}/files/{name}"
        answer = await self._http.send("GET", route, parts=parts, accept="text/plain")
        if answer is None or not isinstance(answer.body, str):
            raise RetryableError(f"GET {route}: not a file")
        return answer.body

    async def _pages(self, route: str, query: Mapping[str, str]) -> AsyncIterator[list[Row]]:
        page, before = 1, list[Row]()
        while rows := await self._list(route, {**query, "page": str(page)}):
            if rows == before:
                raise RetryableError(f"GET {route}: a page that comes again")
            yield rows
            page, before = page + 1, rows

    async def _list(self, route: str, query: Mapping[str, str]) -> list[Row]:
        body = (await self._http.require(route, query)).body
        if not isinstance(body, list):
            raise RetryableError(f"GET {route}: not a list")
        return body


def _shaped(body: Any, due: set[str]) -> Row:
    if not isinstance(body, dict) or not body.keys() >= due:
        raise RetryableError("Club: an object of another shape")
    return body


def _found(route: str, row: Row, subject: Subject) -> list[Holding]:
    if route == "/members":
        return [_member(row)] if subject.bears("email", row["email"]) else []
    theirs = [it for it in row["guests"] or () if subject.bears("email", it)]
    return [_invitation(f"{row['id']}/{it}") for it in theirs]


def _held(known: Holding, row: Row) -> Holding | None:
    """What an answer of 200 says of a holding: a list that was read may not have it any more."""
    if known.kind == "member":
        return _member(row)
    guests = {normal("email", it) for it in row["guests"] or ()}
    return _invitation(known.id) if normal("email", _guest(known)) in guests else None


def _member(row: Row) -> Holding:
    content = {of for name, of in FIELDS.items() if row[name]}
    content |= {OF_FILE} if row["files"] else set()
    bears = tuple(Borne(it, it, row[it]) for it in ("name", "email") if row[it])
    return Holding("member", row["id"], frozenset(content), bears)


def _invitation(id_: str) -> Holding:
    guest = id_.partition("/")[2]
    return Holding("invitation", id_, INVITED, (Borne("guests", "email", guest),))


def _guest(holding: Holding) -> str:
    return holding.id.partition("/")[2]


class ClubSandbox(Sandbox):
    """Reads lag behind what was taken off a list, and members leave when their job has run."""

    system = "club"
    cursor = r"\bpage=\d+"
    unreadable = ("^/events",)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/members", self._members),
            web.get("/members/{id}", self._member),
            web.patch("/members/{id}", self._patch),
            web.delete("/members/{id}", self._leave),
            web.get("/members/{id}/files/{name}", self._file),
            web.get("/events", self._events),
            web.get("/events/{id}", self._event),
            web.delete("/events/{id}", self._cancel),
            web.delete("/events/{id}/guests/{guest}", self._take_out),
        ]

    def credential(self, request: web.Request) -> str:
        return request.headers.get("Authorization", "").removeprefix("Bearer ")

    def settings(self, *, restricted: bool = False) -> Mapping[str, str]:
        return {"url": self.url, "token": self.restricted_key if restricted else self.key}

    def refusal(self, status: int) -> web.Response:
        return web.json_response({"error": status}, status=status)

    def plant(self, kind: str, fields: Mapping[str, Any]) -> str:
        id_ = f"{self.new_id()}"
        self.table(kind)[id_] = {"id": id_, **BLANK[kind], **fields}
        return id_

    async def settle(self) -> None:
        """Run all jobs, and let reads show what was written."""
        await super().settle()
        for event in self.table("event").values():
            event.pop("_read", None)
        for id_ in [k for k, row in self.table("member").items() if "_by" in row]:
            del self.table("member")[id_]

    async def _members(self, request: web.Request) -> web.Response:
        asked = lower(request.query.get("email", ""))
        rows = [it for it in self.table("member").values() if asked in {"", lower(it["email"])}]
        return _page(request, [_shown(it) for it in rows])

    async def _member(self, request: web.Request) -> web.Response:
        return web.json_response(_shown(self._of("member", request)))

    async def _patch(self, request: web.Request) -> web.Response:
        row = self._of("member", request)
        row |= await request.json()
        self.changed("update", "member", row["id"])
        return web.json_response(_shown(row))

    async def _leave(self, request: web.Request) -> web.Response:
        row = self._of("member", request)
        if "_by" not in row:
            row["_by"] = (self.now() + JOB).isoformat()
            self.changed("leave", "member", row["id"])
        return web.json_response({"by": row["_by"]}, status=202)

    async def _file(self, request: web.Request) -> web.Response:
        files = self._of("member", request)["files"]
        return web.Response(text=files[request.match_info["name"]])

    async def _events(self, request: web.Request) -> web.Response:
        asked = lower(request.query.get("guest", ""))
        rows = [_read(it) for it in self.table("event").values()]
        return _page(request, [it for it in rows if not asked or asked in _lower(it["guests"])])

    async def _event(self, request: web.Request) -> web.Response:
        return web.json_response(_read(self._of("event", request)))

    async def _cancel(self, request: web.Request) -> web.Response:
        row = self._of("event", request)
        del self.table("event")[row["id"]]
        self.changed("cancel", "event", row["id"])
        return web.Response(status=204)

    async def _take_out(self, request: web.Request) -> web.Response:
        row, guest = self._of("event", request), lower(request.match_info["guest"])
        if guest not in _lower(row["guests"]):
            return self.refusal(404)
        row.setdefault("_read", row["guests"])
        row["guests"] = [it for it in row["guests"] if lower(it) != guest] or None
        self.changed("take_out", "event", row["id"])
        return web.Response(status=204)

    def _of(self, kind: str, request: web.Request) -> dict[str, Any]:
        found = self.table(kind).get(request.match_info["id"])
        if found is None:
            raise web.HTTPNotFound
        return found


def _page(request: web.Request, rows: Sequence[Row]) -> web.Response:
    start = (int(request.query["page"]) - 1) * 20
    return web.json_response(rows[start : start + 20])


def _shown(member: Row) -> Row:
    row = {name: value for name, value in member.items() if not name.startswith("_")}
    return {**row, "files": sorted(member["files"])}


def _read(event: Row) -> Row:
    """As reads show it: what was taken off a moment ago is still on it."""
    return {
        "id": event["id"],
        "title": event["title"],
        "guests": event.get("_read", event["guests"]),
    }


def _lower(guests: Sequence[str] | None) -> list[str]:
    return [lower(it) for it in guests or ()]


class ClubWorld(SandboxWorld):
    """A member for each address, one invitation of the first, then members again."""

    sandbox: ClubSandbox

    async def seed(self, subject: Subject, *, holdings: int) -> None:
        emails = subject.of("email")
        for n in range(holdings):
            email = emails[n % len(emails)]
            if n == len(emails):
                self.sandbox.plant("event", {"title": "Concert", "guests": [email]})
            else:
                self._member(email, newsletter=n % 3 != 2)

    async def share(self, subject: Subject, other: Subject) -> bool:
        guests = [subject.of("email")[0], other.of("email")[0]]
        self.sandbox.plant("event", {"title": self.mark(Category.USAGE), "guests": guests})
        return True

    async def beside(self, subject: Subject, other: Identifier) -> bool:
        return False  # a member has one address, and no id of ours

    async def markets_to(self, subject: Subject) -> bool:
        members = self.sandbox.table("member").values()
        return any(it["newsletter"] for it in members if subject.bears("email", it["email"]))

    def _member(self, email: str, *, newsletter: bool) -> None:
        content = {
            "name": self.mark(Category.IDENTITY),
            "likes": self.mark(Category.PROFILE),
            "files": {"photo.txt": self.mark(OF_FILE, "seen by nobody yet, {}")},
        }
        self.sandbox.plant("member", {"email": email, "newsletter": newsletter, **content})
