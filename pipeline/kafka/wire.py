"""The frame around every record: CloudEvents 1.0 binary headers and W3C trace context."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid5

from pipeline.case.spent import BEGAN
from pipeline.crypto.grants import HEADER
from schemas.codec import UnknownEventError
from schemas.derive import event_name, event_types
from schemas.events import Event, OrderDeferred

SOURCE = "/habeas"
_TYPE = re.compile(r"habeas\.(?P<name>[a-z_]{1,60})\.v(?P<version>[0-9]{1,6})")
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is produced to a topic. Headers as aiokafka takes them."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


def headers(
    event: Event, *, event_id: UUID, cause: UUID | None, source: str, at: datetime, trace: str
) -> tuple[tuple[str, bytes], ...]:
    """The headers of an event's record (CloudEvents Kafka binding 3.2, W3C trace context)."""
    told = {
        "ce_specversion": "1.0",
        "ce_id": str(event_id),
        "ce_type": f"habeas.{event_name(type(event))}.v{event.VERSION}",
        "ce_source": f"{SOURCE}/{source}",
        "ce_time": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "ce_correlationid": str(event.case),
        "ce_causationid": str(cause) if cause else "",
        "content-type": "application/avro",
        "traceparent": trace,
    }
    return tuple((name, value.encode()) for name, value in told.items() if value)


def read(
    received: Sequence[tuple[str, bytes | None]] | Mapping[str, bytes | None] | None,
) -> dict[str, str]:
    """A record's headers as text, grants aside; unreadable ones are left out."""
    pairs = received.items() if isinstance(received, Mapping) else received or ()
    found = {}
    for name, value in pairs:
        with suppress(UnicodeDecodeError):
            if name != HEADER and value is not None:  # Kafka has headers without a value
                found[name] = bytes(value).decode()
    return found


def refuse_later(told: Mapping[str, str]) -> None:
    """Raise `UnknownEventError` for an event that a later release says: stop, nothing is skipped.

    What is no event of ours passes: it does not decode, and becomes a dead letter.
    """
    said = _TYPE.fullmatch(told.get("ce_type", ""))
    if said is None:
        return
    known = event_types().get(said["name"])
    if known is None or int(said["version"]) > known.VERSION:
        raise UnknownEventError(f"{said['name']}.v{said['version']}")


def name_in(told: Mapping[str, str]) -> str:
    """The name of the event that headers tell of, without its version; empty if it is none."""
    said = _TYPE.fullmatch(told.get("ce_type", ""))
    return "" if said is None else said["name"]


def answer_id(order: UUID, event: Event) -> UUID:
    """The id of an answer: the same for the same answer, whichever host gives it."""
    digest: bytes = getattr(event, "digest", b"")
    part = getattr(event, "part", 1)
    begins = isinstance(event, OrderDeferred) and event.reason == BEGAN
    what = f"{event_name(type(event))}/{digest.hex()}/{part}"
    return uuid5(order, f"{what}/{BEGAN}" if begins else what)


def new_trace() -> str:
    """A fresh `traceparent`."""
    return f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"


def continued(told: Mapping[str, str]) -> str:
    """A `traceparent` in the same trace as these headers', or a fresh one."""
    trace = told.get("traceparent", "")
    if not _TRACEPARENT.fullmatch(trace):
        return new_trace()
    return f"{trace[:36]}{os.urandom(8).hex()}-01"
