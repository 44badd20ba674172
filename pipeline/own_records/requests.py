"""What somebody asked before, and how it ended; and what they objected to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID

from connectors.sdk.interface import Borne, Category, Holding, Identifier
from pipeline.case.case import NOT_WANTED
from pipeline.case.rights import OBJECTION
from pipeline.register.own_records import OwnRecords, Request

from .entry import Entry, moment

REQUEST = "request"
LAST_REQUEST = "last_request"
ENDED: Mapping[str, str] = {
    "open": "Not answered yet.",
    "fulfilled": "Fulfilled.",
    "partially_fulfilled": "Fulfilled in part: its answer says what is open, kept or goes later.",
    "no_data": "Nothing was found about you.",
    "refused": "Refused.",
    "withdrawn": "You took it back.",
    "joined": "Answered together with an older request of yours.",
}
"""How a claim ended, in words."""


class Requests:
    """Every request but the case's own, whatever came of it."""

    kinds: ClassVar[Mapping[str, frozenset[Category]]] = {
        OBJECTION: frozenset({Category.MARKETING}),
        REQUEST: frozenset({Category.IDENTITY, Category.CONTACT, Category.PROFILE}),
    }
    fact: ClassVar[str] = LAST_REQUEST

    def __init__(self, records: OwnRecords, case: UUID) -> None:
        self._records = records
        self._case = case

    async def of(self, whom: Sequence[Identifier]) -> AsyncIterator[Sequence[Entry]]:
        async for page in self._records.requests(whom, self._case):
            yield [entry for it in page for entry in _entries(it)]

    async def one(self, holding: Holding, whom: Sequence[Identifier]) -> Entry | None:
        del whom  # a request says by itself whose it is
        found = await self._records.request(UUID(holding.id))
        entries = () if found is None else _entries(found)
        return next((it for it in entries if it.holding == holding), None)


def _entries(it: Request) -> Iterator[Entry]:
    """A request, and the objection in it. One that does not open tells nobody's name."""
    bears = [Borne(f"proved.{of.kind}", of.kind, of.value) for of in it.proved]
    bears += [Borne("name", "name", it.name)] if it.name else []
    request = Holding(REQUEST, str(it.id), Requests.kinds[REQUEST], tuple(bears))
    yield _entry(request, _request(it), it)
    if it.claims.get(OBJECTION, "withdrawn") not in NOT_WANTED:
        kinds = Requests.kinds[OBJECTION]
        objection = Holding(OBJECTION, str(it.id), kinds, part_of=request)
        yield _entry(objection, _objection(it), it)


def _entry(holding: Holding, says: Mapping[str, Any], it: Request) -> Entry:
    return Entry(holding=holding, says=says, since=it.kept_from, kept_until=it.kept_until)


def _request(it: Request) -> Mapping[str, Any]:
    case = it.case
    return {
        "request": str(it.id),
        "received": moment(it.received_at),
        "due": moment(it.due_at),
        "asked_for": [
            {
                "right": right,
                "outcome": state,
                "means": ENDED.get(state, state),
                "settled": moment(case.claims[right].settled_at if case else None),
            }
            for right, state in it.claims.items()
        ],
        "name": it.name,
        "known_by": [{"kind": of.kind, "value": of.value} for of in it.proved],
        "answers": [
            {"number": of.n, "kind": of.kind, "about": list(of.claims), "signed": moment(of.at)}
            for of in it.answers
        ],
        "refused_because": case.refused_for if case else "",
        "answered_in": str(case.joined) if case and case.joined else "",
        "kept_until": moment(it.kept_until),
    }


def _objection(it: Request) -> Mapping[str, Any]:
    case = it.case
    settled = case.claims[OBJECTION].settled_at if case else None
    rows = case.claims[OBJECTION].coverage if case else ()
    return {
        "request": str(it.id),
        "objected": moment(it.received_at),
        "to": (case.purpose if case else "") or "direct marketing",
        "outcome": it.claims[OBJECTION],
        "settled": moment(settled),
        "stopped_in": sorted({of.system for of in rows if of.outcome.kind == "suppressed"}),
        "kept_until": moment(it.kept_until),
    }
