"""What Freshdesk's records are marked with, and what of a contact is corrected."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import TypeVar

from connectors.sdk.http import Http, UnauthorisedError, as_json
from connectors.sdk.interface import (
    Datum,
    Failed,
    Holding,
    NeedsHuman,
    NotSupported,
    Outcome,
    Rectified,
    Restricted,
    Standing,
    Subject,
    TerminalError,
)
from connectors.sdk.kinds import Reads

from . import contact, marks
from .contact import Row
from .kinds import CONTACT, TICKET
from .look import Contacts

T = TypeVar("T")


class LockedError(TerminalError):
    """The contact is blocked or deleted, or the ticket is spam or deleted."""


class TakenError(TerminalError):
    """Another contact has the address."""


async def answered(work: Awaitable[T], locked: Outcome) -> T | Outcome:
    """What comes of it: a refusal is an outcome, but for one of the key."""
    try:
        return await work
    except UnauthorisedError:
        raise
    except LockedError:
        return locked
    except TakenError:
        return NeedsHuman("taken")
    except TerminalError as refused:
        return Failed(refused.reason)


class Changes:
    """In one account. Each reads the record, and writes no more than what differs."""

    def __init__(self, http: Http, reads: Reads, field: str) -> None:
        """`field` is a checkbox of contacts, if the account has it."""
        self._http = http
        self._reads = reads
        self._field = field

    async def standing(self, holding: Holding) -> Standing | None:
        """By its own tags; a contact's by the field too."""
        row = await self._reads.row(holding)
        if row is None:
            return None
        says = self._reads.kinds[holding.kind].says(row)
        return Standing(restricted=marks.is_restricted(row, self._field), data=says)

    async def restrict(self, holding: Holding, *, lift: bool) -> Outcome:
        """Set the mark, or take it off."""
        found = await self._reads.find(holding)
        if found is None:
            return Failed("not_found")
        route, row = found
        changes = marks.lifted(row, self._field) if lift else marks.restricted(row, self._field)
        if changes and route not in {CONTACT.routes[0], TICKET.routes[0]}:
            return NotSupported("archive_is_fixed")
        return await self._changed(holding, row, changes) or Restricted()

    async def rectify(
        self, holding: Holding, data: Mapping[Datum, str]
    ) -> Outcome | Mapping[Datum, Outcome]:
        """Write a contact's fields: its address by itself, a taken one refuses all of a call."""
        row = await self._reads.row(holding)
        if row is None:
            return Failed("not_found")
        said = {it: contact.refusal(it) for it in data}
        due = {it for it, refused in said.items() if refused is None}
        for part in (due - {Datum.EMAIL}, due & {Datum.EMAIL}):
            changes = contact.corrected(row, {it: data[it] for it in part})
            work = self._changed(holding, row, changes)
            said |= dict.fromkeys(part, await answered(work, NeedsHuman("unblock")))
        return {it: refused or Rectified() for it, refused in said.items()}

    async def stop(self, subject: Subject) -> None:
        """Mark every contact of theirs that is in use."""
        for holding, row in (await self._marketed(subject)).items():
            await self._write(holding, marks.objected(row))

    async def is_stopped(self, subject: Subject) -> bool:
        """Whether none that is in use is without the mark."""
        return not await self._marketed(subject)

    async def _marketed(self, subject: Subject) -> Mapping[Holding, Row]:
        found = await Contacts(self._reads, subject).read()
        return {
            it: row
            for it, row in found.items()
            if not row.get("deleted") and not marks.has_objected(row)
        }

    async def _changed(self, holding: Holding, row: Row, changes: Row) -> Outcome | None:
        """Why it was not written; None if it was, or nothing had to be."""
        if changes and row.get("deleted"):
            return NeedsHuman("in_trash" if holding.kind == "ticket" else "restore")
        is_there = not changes or await self._write(holding, changes)
        return None if is_there else Failed("not_found")

    async def _write(self, holding: Holding, changes: Row) -> bool:
        route = self._reads.kinds[holding.kind].routes[0]
        return await self._http.put(route, as_json(changes), id=holding.id) is not None
