"""Whether what came in repeats what the ledger has: also once the key it was sealed to is dead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.register import preferences, sealing, store
from pipeline.register.case_keys import RECORD, CaseKey
from schemas.codec import Codec
from schemas.events import Event, PreferenceReceived, RequestReceived
from schemas.records import SealedRequest

from .inputs import Input, event_id


async def is_known(connection: AsyncConnection, event: Event) -> bool:
    """Whether the ledger has this request, byte for byte, or this decision: no key is needed.

    Of a preference, whether one with its id is kept that says the same in the clear.
    """
    if isinstance(event, PreferenceReceived):
        return await preferences.is_known(connection, event)
    if isinstance(event, RequestReceived):
        return await store.event_of(connection, event.case, 1) == event
    named = event_id(event)
    return named in await store.known_events(connection, [named])


async def is_same_submission(
    connection: AsyncConnection,
    codec: Codec,
    it: Input,
    *,
    before: Sequence[Input],
    record: CaseKey | None,
) -> bool:
    """Whether a request under a known case id has the clear fields and the person of the first.

    That is one of `before`, in the same batch, or the ledger's. There the person is compared with
    what the case keeps of them under its record key, since the envelope may not open any more;
    without a record key only the same bytes are the same.
    """
    for other in before:
        return _clear(other.event) == _clear(it.event) and other.person == it.person
    first = await store.event_of(connection, it.event.case, 1)
    if first == it.event:
        return True
    if first is None or record is None or it.person is None:
        return False
    opened = sealing.Opened({RECORD: record})
    await sealing.load(connection, codec, it.event.case, [sealing.CASE_OPENED], opened)
    who = sealing.of_person(it.person, opened.tag_key())
    kept = opened.sealed.get(sealing.CASE_OPENED)
    same = isinstance(kept, SealedRequest) and replace(kept, purpose="") == who
    return same and _clear(first) == _clear(it.event)


def _clear(event: Event) -> Event:
    return replace(event, key="", sealed=b"", signature=b"")  # type: ignore[call-arg]
