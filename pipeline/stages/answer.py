"""Answer an order in parts: none too large for a record, each sealed, all under one digest."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from hashlib import sha256
from typing import Any, TypeVar

from connectors.sdk.calls import Call
from connectors.sdk.interface import Borne, Holding
from schemas.codec import Codec
from schemas.derive import event_name
from schemas.events import (
    HoldingsLocated,
    ListingFailed,
    MeasureTaken,
    PeopleListed,
    SearchFailed,
    TaskCompleted,
)
from schemas.records import (
    DocumentRow,
    Evidence,
    HoldingRow,
    PlaceRow,
    Sealed,
    SealedBefore,
    SealedHolding,
    SealedIdentifier,
    SealedTaken,
)
from schemas.sealed import seal_event

from ..crypto.grants import Grant
from .look import Look
from .tags import Tags

ROWS = 500
"""Rows in a part, at most."""
BYTES = 384 * 1024
"""Of rows in a part, about: with evidence and seal it stays below the codec's limit."""
CALLS, WORD = 100, 200
"""Calls that are kept as evidence, and characters of a vendor's request id."""

Answer = TypeVar("Answer", HoldingsLocated, TaskCompleted, MeasureTaken, PeopleListed)
Sealing = TypeVar(
    "Sealing",
    HoldingsLocated,
    TaskCompleted,
    MeasureTaken,
    PeopleListed,
    SearchFailed,
    ListingFailed,
)


Answered = HoldingsLocated | TaskCompleted | MeasureTaken | PeopleListed


@dataclass(frozen=True, slots=True)
class Entry:
    """A row, the field of the answer it stands in, and what is sealed with it."""

    field: str
    row: Any
    sealed: SealedHolding | SealedIdentifier | None = None
    needs: tuple[Entry, ...] = ()
    """What must stand in the same part: the identifiers that a holding bears."""


def holdings(
    field: str, look: Look, tags: Tags, exported: frozenset[Holding] = frozenset()
) -> list[Entry]:
    """The holdings that a look found, by tag, each with what it bears."""
    entries, needed = [], _needed(look, tags)
    for it in look.holdings:
        row = HoldingRow(
            tag=tags.holding(it),
            kind=it.kind,
            categories=tuple(sorted(it.categories)),
            exported=it in exported,
            bears=tuple(tags.borne(of) for of in it.bears),
            part_of=b"" if it.part_of is None else tags.holding(it.part_of),
        )
        sealed = SealedHolding(tag=row.tag, kind=it.kind, id=it.id)
        entries.append(Entry(field, row, sealed, needed[it.bears]))
    return sorted(entries, key=lambda entry: entry.row.tag)


def documents(look: Look, tags: Tags, places: Sequence[PlaceRow]) -> list[Entry]:
    """Which of the holdings are customers' documents, by where they lie."""
    found = ((tags.holding(it), document_of(it, places)) for it in look.holdings)
    rows = (DocumentRow(tag=tag, of=of) for tag, of in sorted(found) if of)
    return [Entry("documents", it) for it in rows]


def document_of(holding: Holding, places: Sequence[PlaceRow]) -> str:
    """The policy's row by which a holding is a customer's document; empty if it is none."""
    return next((it.id for it in places if holding.id.startswith(it.begins)), "")


def _needed(look: Look, tags: Tags) -> dict[tuple[Borne, ...], tuple[Entry, ...]]:
    """The identifiers that the order does not have, of everything that some holding bears."""
    news: dict[Borne, tuple[Entry, ...]] = {}
    needed = {}
    for bears in {it.bears for it in look.holdings}:
        for of in bears:
            if of not in news:
                new = tags.news(of)
                news[of] = () if new is None else (Entry("identifiers", *new),)
        needed[bears] = tuple(entry for of in bears for entry in news[of])
    return needed


def gone(look: Look, tags: Tags) -> list[Entry]:
    """The known holdings that a look no longer found, by tag."""
    return [Entry("gone", tag) for tag in sorted(tags.holding(it) for it in look.gone)]


def in_parts(  # noqa: PLR0917  what an answer is made of
    codec: Codec,
    grant: Grant,
    whole: Answer,
    entries: Sequence[Entry],
    calls: Sequence[Call],
    before: Sequence[SealedBefore] = (),
) -> list[Answer]:
    """`whole`, with the entries in its fields, in as many parts as it takes. All sealed.

    The first part has the number of calls and the evidence; each what was overwritten `before` in
    the holdings that it tells of.
    """
    groups = list(_grouped(entries))
    digest = _digest(grant.key, whole, entries)
    parts = []
    for n, group in enumerate(groups, start=1):
        made = calls if n == 1 else ()
        columns = _columns(group)
        part = replace(whole, part=n, parts=len(groups), digest=digest, calls=len(made), **columns)
        parts.append(sealed(codec, grant, part, made, group, before))
    return parts


def sealed(  # noqa: PLR0917  what lies in a seal
    codec: Codec,
    grant: Grant,
    event: Sealing,
    calls: Sequence[Call],
    entries: Sequence[Entry] = (),
    before: Sequence[SealedBefore] = (),
) -> Sealing:
    """The event with what its entries seal, and with the evidence."""
    inside = [it.sealed for it in entries]
    content = Sealed(
        identifiers=tuple(it for it in inside if isinstance(it, SealedIdentifier)),
        holdings=tuple(it for it in inside if isinstance(it, SealedHolding)),
        evidence=tuple(_evidence(it) for it in _worth_keeping(calls)),
    )
    if isinstance(event, MeasureTaken):
        told = {it.row.tag for it in entries}
        content = SealedTaken(
            evidence=content.evidence, before=tuple(it for it in before if it.tag in told)
        )
    return seal_event(codec, event, content, grant.key, grant.key_id, grant.system)


def _worth_keeping(calls: Sequence[Call]) -> list[Call]:
    """Calls that may have changed something, then the latest of the others."""
    changes = [it for it in calls if it.method != "GET"][:CALLS]
    others = [it for it in calls if it.method == "GET"]
    return [*changes, *others[max(0, len(others) + len(changes) - CALLS) :]]


def _evidence(call: Call) -> Evidence:
    return Evidence(
        operation=f"{call.method} {call.route}"[:WORD],
        status=call.status or 0,
        request=(call.request_id or "")[:WORD],
    )


def _columns(group: Sequence[Entry]) -> dict[str, Any]:
    columns: dict[str, tuple[Any, ...]] = {}
    for it in group:
        columns[it.field] = (*columns.get(it.field, ()), it.row)
    return columns


def _grouped(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    group: dict[Entry, None] = {}
    size = 0
    for it in entries:
        if group and (len(group) >= ROWS or size + _weight((*it.needs, it)) > BYTES):
            yield list(group)
            group, size = {}, 0
        for entry in (*it.needs, it):
            if entry not in group:
                group[entry] = None
                size += _weight(entry.row) + _weight(entry.sealed)
    yield list(group)


def _weight(value: Any) -> int:
    """Bytes on the wire, rather more than fewer."""
    if is_dataclass(value):
        return sum(_weight(getattr(value, it.name)) for it in fields(value))
    if isinstance(value, tuple):
        return 2 + sum(map(_weight, value))
    if isinstance(value, str):
        return 3 + len(value.encode())
    return 3 + len(value) if isinstance(value, bytes) else 10


def _digest(key: bytes, whole: Answered, entries: Sequence[Entry]) -> bytes:
    """HMAC-SHA256 over the whole answer, but for times, evidence and how exports were cut up.

    Over lines of JSON, one a row: rows are many, and their text takes more than they do.
    """
    said = {
        "answer": event_name(type(whole)),
        "order": str(whole.order),
        "looked_failed": getattr(whole, "looked_failed", ""),
        "exported": sum(it.row.records for it in entries if it.field == "exports"),
    }
    if isinstance(whole, PeopleListed):
        said["unreachable"] = whole.unreachable
    mac = hmac.new(key, _line(said), sha256)
    for it in entries:
        if it.field != "exports":
            mac.update(_line([it.field, _plain(it.row)]))
    return mac.digest()


def _line(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode() + b"\n"


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        names = (it.name for it in fields(value) if it.name != "until")
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, tuple):
        return [_plain(it) for it in value]
    return value.hex() if isinstance(value, bytes) else value
