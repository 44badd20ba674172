"""Habeas' own records as a connector: earlier requests, objections, and the erasure memory.

It reads the register, makes no call and changes nothing: what is here goes with its keys, on dates
that are known. Of each holding it tells everything that was proved in it, so that it is decided as
anywhere else whose it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from connectors.sdk import wall_clock
from connectors.sdk.interface import (
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
from pipeline.keys.key_folder import KeyFileError
from pipeline.register.own_records import OwnRecords

from .catalogue import BEYOND, KEYS_MISSING, NO_END, OWN_USE, REASONS
from .entry import Entry, Shelf
from .erasures import Erasures
from .requests import Requests

SYSTEM = "habeas"
SHELVES = (Requests, Erasures)


class OwnRecordsConnector(Connector):
    """One case's view of the register: everything of a person but the case itself."""

    capabilities = Capabilities(
        system=SYSTEM,
        rights=frozenset({Right.ACCESS, Right.ERASURE, Right.RESTRICTION}),
        kinds={kind: of for shelf in SHELVES for kind, of in shelf.kinds.items()},
        asked_by=frozenset({"email", "user_id"}),
        beyond=BEYOND,
        facts=frozenset(it.fact for it in SHELVES),
        reasons=REASONS,
    )

    @dataclass(frozen=True, slots=True)
    class Settings:
        """None of its own: it is set up with the pipeline's."""

    def __init__(
        self, records: OwnRecords, case: UUID, clock: Callable[[], datetime] = wall_clock.now
    ) -> None:
        self._records = records
        self._shelves: tuple[Shelf, ...] = (
            Requests(records, case),
            Erasures(records, case, clock),
        )

    async def check(self) -> None:
        """Reads of every table, and opens the keys that people are found by."""
        with _reading():
            await self._records.check()

    async def locate(self, subject: Subject, known: Sequence[Holding] = ()) -> AsyncIterator[Page]:
        """Each of `known` by its own id; then everything, with the latest date of each sort."""
        whom = self.usable(subject)
        with _reading():
            for it in known:
                found = await self._shelf(it).one(it, whom)
                yield Page(gone=(it,)) if found is None else Page(holdings=(found.holding,))
            for shelf in self._shelves:
                days = set[date]()
                async for entries in shelf.of(whom):
                    days |= {it.since.astimezone(UTC).date() for it in entries}
                    yield Page(records=tuple(map(_record, entries)))
                last = max(days, default=False)
                yield Page(facts=(Fact(shelf.fact, last, f"{shelf.fact}.at"),))

    async def export(self, holding: Holding) -> AsyncIterator[Record]:
        """What it says."""
        found = await self._one(holding)
        if found is not None:
            yield _record(found)

    async def erase(
        self, holding: Holding, keep: frozenset[Category] = frozenset()
    ) -> Outcome | Mapping[Category, Outcome]:
        """What is here goes with its key, or is forgotten, on its own date: no sooner."""
        if self.capabilities.kinds[holding.kind] <= keep:
            return {}
        found = await self._one(holding)
        if found is None:
            return Erased()
        return Failed(NO_END) if found.kept_until is None else Expires(found.kept_until)

    async def standing(self, holding: Holding) -> Standing | None:
        """It bears no mark, and says nothing that could be corrected."""
        return None if await self._one(holding) is None else Standing()

    async def restrict(self, holding: Holding, *, lift: bool = False) -> Outcome:
        """Nothing here has another use: there is no mark to set."""
        del holding, lift
        return Unaffected(OWN_USE)

    async def __aexit__(self, *_: object) -> None:
        """The register is closed by whoever opened it."""

    async def _one(self, holding: Holding) -> Entry | None:
        with _reading():
            return await self._shelf(holding).one(holding, ())

    def _shelf(self, holding: Holding) -> Shelf:
        return next(it for it in self._shelves if holding.kind in it.kinds)


def _record(it: Entry) -> Record:
    return Record.of(it.holding, it.says)


@contextmanager
def _reading() -> Iterator[None]:
    """What a register may fail with, as connectors say it: no text of a database."""
    try:
        yield
    except KeyFileError:
        raise TerminalError("the keys of the register are not here", reason=KEYS_MISSING) from None
    except (SQLAlchemyError, OSError):
        raise RetryableError("the register did not answer") from None
