"""Answer an order in parts: none too large for a record, each sealed, all under one digest."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from hashlib import sha256
from typing import Any, TypeVar

from connectors.sdk.calls import Call
from connectors.sdk.interface import Holding
from schemas.codec import Codec
from schemas.derive import event_name
from schemas.events import HoldingsLocated, SearchFailed, TaskCompleted
from schemas.records import Evidence, HoldingRow, Sealed, SealedHolding, SealedIdentifier
from schemas.sealed import seal_event

from ..grants import Grant, holding_tag
from .look import Look

ROWS = 500
"""Rows in a part, at most."""
BYTES = 384 * 1024
"""Of rows in a part, about: with evidence and seal it stays below the codec's limit."""
CALLS, WORD = 100, 200
"""Calls that are kept as evidence, and characters of a vendor's request id."""

Answer = TypeVar("Answer", HoldingsLocated, TaskCompleted)
Sealing = TypeVar("Sealing", HoldingsLocated, TaskCompleted, SearchFailed)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row, the field of the answer it stands in, and what is sealed with it."""

    field: str
    row: Any
    sealed: SealedHolding | SealedIdentifier | None = None


def holdings(
    field: str, look: Look, tag_key: bytes, system: str, exported: frozenset[Holding] = frozenset()
) -> list[Entry]:
    """The holdings that a look found, by tag."""
    entries = []
    for it in look.holdings:
        tag = holding_tag(tag_key, system, it.kind, it.id)
        row = HoldingRow(
            tag=tag,
            kind=it.kind,
            categories=tuple(sorted(it.categories)),
            exported=it in exported,
        )
        entries.append(Entry(field, row, SealedHolding(tag=tag, kind=it.kind, id=it.id)))
    return sorted(entries, key=lambda entry: entry.row.tag)


def gone(look: Look, tag_key: bytes, system: str) -> list[Entry]:
    """The known holdings that a look no longer found, by tag."""
    tags = (holding_tag(tag_key, system, it.kind, it.id) for it in look.gone)
    return [Entry("gone", tag) for tag in sorted(tags)]


def in_parts(
    codec: Codec, grant: Grant, whole: Answer, entries: Sequence[Entry], calls: Sequence[Call]
) -> list[Answer]:
    """`whole`, with the entries in its fields, in as many parts as it takes. All sealed.

    The first part has the number of calls and the evidence.
    """
    groups = list(_grouped(entries))
    digest = _digest(grant.key, whole, entries)
    parts = []
    for n, group in enumerate(groups, start=1):
        made = calls if n == 1 else ()
        columns = _columns(group)
        part = replace(whole, part=n, parts=len(groups), digest=digest, calls=len(made), **columns)
        parts.append(sealed(codec, grant, part, made, group))
    return parts


def sealed(
    codec: Codec, grant: Grant, event: Sealing, calls: Sequence[Call], entries: Sequence[Entry] = ()
) -> Sealing:
    """The event with what its entries seal, and with the evidence."""
    inside = [it.sealed for it in entries]
    content = Sealed(
        identifiers=tuple(it for it in inside if isinstance(it, SealedIdentifier)),
        holdings=tuple(it for it in inside if isinstance(it, SealedHolding)),
        evidence=tuple(_evidence(it) for it in _worth_keeping(calls)),
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
    group: list[Entry] = []
    size = 0
    for it in entries:
        weight = _weight(it)
        if group and (len(group) == ROWS or size + weight > BYTES):
            yield group
            group, size = [], 0
        group.append(it)
        size += weight
    yield group


def _weight(value: Any) -> int:
    """Bytes on the wire, rather more than fewer."""
    if is_dataclass(value):
        return sum(_weight(getattr(value, it.name)) for it in fields(value))
    if isinstance(value, tuple):
        return 2 + sum(map(_weight, value))
    if isinstance(value, str):
        return 3 + len(value.encode())
    return 3 + len(value) if isinstance(value, bytes) else 10


def _digest(key: bytes, whole: HoldingsLocated | TaskCompleted, entries: Sequence[Entry]) -> bytes:
    """HMAC-SHA256 over the whole answer, but for times, evidence and how exports were cut up."""
    said = {
        "answer": event_name(type(whole)),
        "order": str(whole.order),
        "looked_failed": getattr(whole, "looked_failed", ""),
        "exported": sum(it.row.records for it in entries if it.field == "exports"),
        "rows": [[it.field, _plain(it.row)] for it in entries if it.field != "exports"],
    }
    return hmac.digest(key, json.dumps(said, sort_keys=True).encode(), sha256)


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        names = (it.name for it in fields(value) if it.name != "until")
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, tuple):
        return [_plain(it) for it in value]
    return value.hex() if isinstance(value, bytes) else value
