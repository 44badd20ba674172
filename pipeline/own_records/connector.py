"""Habeas' own records as a connector: earlier requests, objections, and the erasure memory.

It reads the register, makes no call and changes nothing: what is here goes with its keys, on dates
that are known. Of each holding it tells everything that was proved in it, so that it is decided as
anywhere else whose it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from connectors.sdk import wall_clock
from connectors.sdk.interface import (
    Borne,
    Capabilities,
    Category,
    Connector,
    Erased,
    Expires,
    Fact,
    Failed,
    Holding,
    Outcome,
    Page,
    Record,
    RetryableError,
    Right,
    Standing,
    Subject,
    TerminalError,
    Unaffected,
)
from pipeline.case.case import NOT_WANTED
from pipeline.case.rights import OBJECTION
from pipeline.keys.key_folder import KeyFileError
from pipeline.register.own_records import Erasure, OwnRecords, Request

from .catalogue import BEYOND, KEYS_MISSING, NO_END, OWN_USE, REASONS, STATES

SYSTEM = "habeas"
REQUEST, ERASURE = "request", "erasure"
LAST_REQUEST, LAST_ERASURE = "last_request", "last_erasure"


class OwnRecordsConnector(Connector):
    """One case's view of the register: everything of a person but the case itself."""

    capabilities: ClassVar[Capabilities] = Capabilities(  # type: ignore[misc]  # the same for all
        system=SYSTEM,
        rights=frozenset({Right.ACCESS, Right.ERASURE, Right.RESTRICTION}),
        kinds={
            OBJECTION: frozenset({Category.MARKETING}),
            REQUEST: frozenset({Category.IDENTITY, Category.CONTACT, Category.PROFILE}),
            ERASURE: frozenset({Category.CONTACT}),
        },
        asked_by=frozenset({"email", "user_id"}),
        beyond=BEYOND,
        facts=frozenset({LAST_REQUEST, LAST_ERASURE}),
        reasons=REASONS,
    )

    @dataclass(frozen=True, slots=True)
    class Settings:
        """None of its own: it is set up with the pipeline's."""

    def __init__(
        self, records: OwnRecords, case: UUID, clock: Callable[[], datetime] = wall_clock.now
    ) -> None:
        self._records = records
        self._case = case
        self._clock = clock

    async def check(self) -> None:
        with _reading():
            await self._records.check()

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> AsyncIterator[Page]:
        wanted, dates = self.usable(subject), _Dates()
        with _reading():
            for it in known:
                yield await self._known(it, subject)
            async for page in self._records.requests(wanted, self._case):
                dates.requests += [it.kept_from for it in page]
                yield Page(
                    records=tuple(
                        Record.of(of, _record(of.kind, it)) for it in page for of in _of_request(it)
                    )
                )
            remembered = await self._records.erasures(wanted, self._case, self._clock())
            dates.erasures += [it.at for it in remembered]
            yield Page(
                records=tuple(
                    Record.of(_of_erasure(it), _record(ERASURE, it)) for it in remembered
                ),
                facts=tuple(dates.facts()),
            )

    async def export(self, holding: Holding) -> AsyncIterator[Record]:
        with _reading():
            found = await self._found(holding)
        if found is not None:
            yield Record.of(holding, _record(holding.kind, found))

    async def erase(
        self, holding: Holding, keep: frozenset[Category] = frozenset()
    ) -> Outcome | Mapping[Category, Outcome]:
        """What is here goes with its key, or is forgotten, on its own date: no sooner."""
        if self.capabilities.kinds[holding.kind] <= keep:
            return {}
        with _reading():
            found = await self._found(holding)
        if found is None:
            return Erased()
        return Failed(NO_END) if found.kept_until is None else Expires(found.kept_until)

    async def standing(self, holding: Holding) -> Standing | None:
        with _reading():
            return None if await self._found(holding) is None else Standing()

    async def restrict(self, holding: Holding, *, lift: bool = False) -> Outcome:
        """Nothing here has another use: there is no mark to set."""
        del holding, lift
        return Unaffected(OWN_USE)

    async def __aexit__(self, *_: object) -> None:
        """The register is closed by whoever opened it."""

    async def _known(self, holding: Holding, subject: Subject) -> Page:
        """A holding by its own id: there, or gone."""
        found = await self._found(holding)
        if found is None:
            return Page(gone=(holding,))
        if isinstance(found, Request):
            same = (it for it in _of_request(found) if it == holding)
            return Page(holdings=tuple(same))
        mine = await self._records.erasures(self.usable(subject), self._case, self._clock())
        known_by = next((it for it in mine if it.case == found.case), found)
        return Page(holdings=(_of_erasure(known_by),))

    async def _found(self, holding: Holding) -> Request | Erasure | None:
        try:
            named = UUID(holding.id)
        except ValueError:
            return None
        if holding.kind == ERASURE:
            return await self._records.remembered(named, self._clock())
        found = await self._records.request(named)
        if found is None or holding.kind == REQUEST or _objects(found):
            return found
        return None


@dataclass(slots=True)
class _Dates:
    """What the periods run from."""

    requests: list[datetime] = field(default_factory=list)
    erasures: list[datetime] = field(default_factory=list)

    def facts(self) -> Iterator[Fact]:
        told = (
            (LAST_REQUEST, self.requests, "request.received"),
            (LAST_ERASURE, self.erasures, "erasure.at"),
        )
        for name, dates, read in told:
            last = max(dates, default=None)
            yield Fact(name, False if last is None else last.astimezone(UTC).date(), read)


def _of_request(it: Request) -> Iterator[Holding]:
    """A request, and the objection in it. What does not open tells nobody's name."""
    bears = [Borne(f"proved.{of.kind}", of.kind, of.value) for of in it.proved]
    bears += [Borne("name", "name", it.name)] if it.name else []
    request = Holding(
        REQUEST, str(it.id), OwnRecordsConnector.capabilities.kinds[REQUEST], tuple(bears)
    )
    yield request
    if _objects(it):
        kinds = OwnRecordsConnector.capabilities.kinds[OBJECTION]
        yield Holding(OBJECTION, str(it.id), kinds, part_of=request)


def _of_erasure(it: Erasure) -> Holding:
    kinds = OwnRecordsConnector.capabilities.kinds[ERASURE]
    bears = tuple(Borne(f"hash.{of.kind}", of.kind, of.value) for of in it.known_by)
    return Holding(ERASURE, str(it.case), kinds, bears)


def _objects(it: Request) -> bool:
    return it.claims.get(OBJECTION, "withdrawn") not in NOT_WANTED


def _record(kind: str, found: Request | Erasure) -> Mapping[str, Any]:
    if isinstance(found, Erasure):
        return {
            "erased": _time(found.at),
            "for_request": str(found.case),
            "known_by": "a keyed hash of each identifier that was yours: nobody can read it back",
            "kept_until": _time(found.kept_until),
        }
    return _objection(found) if kind == OBJECTION else _request(found)


def _request(it: Request) -> Mapping[str, Any]:
    case = it.case
    return {
        "request": str(it.id),
        "received": _time(it.received_at),
        "due": _time(it.due_at),
        "asked_for": [
            {
                "right": right,
                "outcome": state,
                "means": STATES.get(state, state),
                "settled": _time(case.claims[right].settled_at if case else None),
            }
            for right, state in it.claims.items()
        ],
        "name": it.name,
        "known_by": [{"kind": of.kind, "value": of.value} for of in it.proved],
        "answers": [
            {"number": of.n, "kind": of.kind, "about": list(of.claims), "signed": _time(of.at)}
            for of in it.answers
        ],
        "refused_because": case.refused_for if case else "",
        "answered_in": str(case.joined) if case and case.joined else "",
        "kept_until": _time(it.kept_until),
    }


def _objection(it: Request) -> Mapping[str, Any]:
    case = it.case
    settled = case.claims[OBJECTION].settled_at if case else None
    stopped = case.claims[OBJECTION].coverage if case else ()
    return {
        "request": str(it.id),
        "objected": _time(it.received_at),
        "to": (case.purpose if case else "") or "direct marketing",
        "outcome": it.claims[OBJECTION],
        "settled": _time(settled),
        "stopped_in": sorted({of.system for of in stopped if of.outcome.kind == "suppressed"}),
        "kept_until": _time(it.kept_until),
    }


def _time(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(UTC).isoformat(timespec="seconds")


@contextmanager
def _reading() -> Iterator[None]:
    """What a register may fail with, as connectors say it: no text of a database."""
    try:
        yield
    except KeyFileError:
        raise TerminalError("the keys of the register are not here", reason=KEYS_MISSING) from None
    except (SQLAlchemyError, OSError):
        raise RetryableError("the register did not answer") from None
