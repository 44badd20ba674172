"""Does the register's ledger still bear out what was signed? Its chain, its end, and this file.

A register whose tail was cut recomputes to no stored head, or lacks what a signed report names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline.response import report as pages
from pipeline.response.verify import Verified
from schemas.codec import from_body
from schemas.derive import event_name
from schemas.events import CaseReported, Event, ResponseOrdered, ResponseSigned
from schemas.records import LedgerEntry

from . import store

Said = TypeVar("Said", bound=Event)


class LedgerError(Exception):
    """The register does not bear out what was signed. The message says what differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What was compared with the register, and agrees."""

    what: str
    number: int
    """The ledger's head, as it was signed, is the one after this event."""
    last: int
    """Number of the last event; the chain recomputes to the stored head."""
    said_by: int
    """Number of the event by which the register knows the file."""
    said_at: datetime
    """When that event was written."""
    signed_at: datetime | None
    """The same, where the file is byte for byte what the register knows: it is no younger."""
    reports: tuple[int, ...]
    """Signed reports of the case in the folder; the register has what each of them names."""
    made: tuple[int, ...]
    """Reports that the register made."""

    def lines(self) -> tuple[str, ...]:
        """The same for people."""
        return (
            f"the chain of its case recomputes to the register's stored head, event {self.last}",
            f"the ledger head in it is that chain's after event {self.number}",
            f"event {self.said_by} of {self.said_at:%Y-%m-%d %H:%M} UTC is this {self.what}",
            *self._of_reports(),
        )

    def _of_reports(self) -> Iterator[str]:
        if not self.reports:
            yield (
                "no signed report of this case is in the reports folder: it would not be seen if"
                f" all after event {self.said_by} were cut off, and the stored head set back"
            )
            return
        yield f"the register has the heads that signed reports name: {_numbers(self.reports)}"
        missing = [it for it in self.made if it not in self.reports]
        if missing:
            yield f"not in the reports folder, so not compared: reports {_numbers(missing)}"


async def compare(
    engine: AsyncEngine, found: Verified, document: bytes, reports: Sequence[Verified]
) -> Compared:
    """Compare what was verified with the case's ledger. Raises `LedgerError`.

    `document` is the JSON of a report, empty for a response; `reports` are the signed reports of
    the case that are at hand, each verified.
    """
    async with engine.connect() as connection:
        entries = await store.entries(connection, found.case)
        stored = (await store.last_of(connection, [found.case])).get(found.case)
    if stored is None:
        raise LedgerError(f"this register has no case {found.case}")
    heads = list(_heads(entries))
    if (len(entries), heads[-1]) != (stored.number, stored.head):
        raise LedgerError(
            "the register's ledger of this case does not recompute to its stored head: events were"
            " cut off, added or changed"
        )
    for it in reports:
        _signed_head(f"report {it.n} in the reports folder", it, heads)
        _reported(it, entries)
    number = _signed_head("it", found, heads)
    if found.what == "report":
        by, signed_at = _as_report(found, document, entries)
    else:
        by, signed_at = _as_response(found, entries)
    made = [it.n for _, it in _events(entries, CaseReported)]
    return Compared(
        what=f"{found.what} {found.n}",
        number=number,
        last=stored.number,
        said_by=by.number,
        said_at=by.at,
        signed_at=signed_at,
        reports=tuple(sorted(it.n for it in reports)),
        made=tuple(made),
    )


def _numbers(which: Sequence[int]) -> str:
    return ", ".join(map(str, which))


def _heads(entries: Sequence[LedgerEntry]) -> Iterator[bytes]:
    """The chain's head before the first event, and after each. Raises `LedgerError`."""
    head = b""
    yield head
    for number, entry in enumerate(entries, start=1):
        if entry.number != number:
            raise LedgerError(f"the register's ledger of this case lacks event {number}")
        head = store.chain([entry], head)
        yield head


def _signed_head(who: str, found: Verified, heads: Sequence[bytes]) -> int:
    """After which event the chain had the head that was signed."""
    if not found.head or found.head not in heads:
        raise LedgerError(
            f"the ledger head that {who} names is not in this register's ledger: its end was cut"
            " off, or it is another register's"
        )
    return heads.index(found.head)


def _as_response(
    found: Verified, entries: Sequence[LedgerEntry]
) -> tuple[LedgerEntry, datetime | None]:
    ordered = [it for _, it in _events(entries, ResponseOrdered) if it.n == found.n]
    if found.head not in {it.head for it in ordered}:
        raise LedgerError(f"the register did not order response {found.n} at that ledger head")
    for entry, event in _events(entries, ResponseSigned):
        if (event.n, event.digest) == (found.n, found.digest):
            return entry, entry.at
    raise LedgerError(f"the register knows no response {found.n} with this file's SHA-256")


def _as_report(
    found: Verified, document: bytes, entries: Sequence[LedgerEntry]
) -> tuple[LedgerEntry, datetime | None]:
    """A report's pages are made anew: only one that is the same byte for byte proves its time."""
    entry, event = _reported(found, entries)
    made = (pages.document(event), pages.page(event))
    if not _within(json.loads(document), json.loads(made[0])):
        raise LedgerError(f"the register's report {found.n} says something else")
    same = {sha256(it).hexdigest() for it in made} == {it.sha256 for it in found.contents}
    return entry, entry.at if same else None


def _reported(found: Verified, entries: Sequence[LedgerEntry]) -> tuple[LedgerEntry, CaseReported]:
    for entry, event in _events(entries, CaseReported):
        if (event.n, event.head) == (found.n, found.head):
            return entry, event
    raise LedgerError(
        f"the register has made no report {found.n} at the ledger head that it names: the ledger's"
        " end was cut off, or it is another register's"
    )


def _events(entries: Sequence[LedgerEntry], kind: type[Said]) -> Iterator[tuple[LedgerEntry, Said]]:
    for entry in entries:
        if entry.type == event_name(kind):
            event = from_body(entry.type, entry.version, entry.body)
            if isinstance(event, kind):
                yield entry, event


def _within(earlier: Any, now: Any) -> bool:
    """Whether all that an earlier release wrote is written still; a later one may write more."""
    if isinstance(earlier, dict) and isinstance(now, dict):
        return all(name in now and _within(it, now[name]) for name, it in earlier.items())
    if isinstance(earlier, list) and isinstance(now, list):
        pairs = zip(earlier, now, strict=False)
        return len(earlier) == len(now) and all(_within(*pair) for pair in pairs)
    return bool(earlier == now)
