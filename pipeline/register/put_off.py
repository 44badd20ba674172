"""What obligations seal, opened by the case that looks at it, and tagged anew under its own key.

The parent's record key may be long dead: an obligation is sealed under the key of the case that
will look, and nothing else is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.case.case import Case
from pipeline.crypto import grants
from schemas.codec import Codec
from schemas.events import ObligationOpened
from schemas.records import Sealed, SealedHolding, SealedIdentifier, SealedRequest

from .case_keys import RECORD
from .sealing import CASE_OPENED, Opened, load, unseal


@dataclass(frozen=True, slots=True)
class TakenOver:
    """Who it is about and what is looked at, by the new case's tags; `tags` leads there."""

    who: Sealed
    tags: Mapping[bytes, bytes]
    """What each of the parent's tags is called anew."""


async def brought_back(
    connection: AsyncConnection, codec: Codec, case: Case, opened: Opened, looks: Opened
) -> TakenOver:
    """Who a case erased for, tagged anew under the key of the one that `looks`.

    Raises `SealError`.
    """
    record, usable = looks.keys[RECORD], case.usable()
    sources = {CASE_OPENED, *(at for tag in usable for at in case.known[tag].spellings.values())}
    sources |= {case.known[tag].source for tag in usable}
    await load(connection, codec, case.id, sources, opened)
    tag_key = grants.tag_grant(record.key, record.id).key
    tags, identifiers = dict[bytes, bytes](), dict[tuple[str, str], SealedIdentifier]()
    for it in (of for source in sorted(sources) for of in opened.sealed[source].identifiers):
        if it.tag in usable:
            tags[it.tag] = grants.identifier_tag(tag_key, it.kind, it.value)
            identifiers[it.kind, it.value] = SealedIdentifier(
                tag=tags[it.tag], kind=it.kind, value=it.value
            )
    person = opened.sealed[CASE_OPENED]
    who = SealedRequest(
        name=person.name, language=person.language, identifiers=tuple(identifiers.values())
    )
    return TakenOver(who, tags)


def taken_over(codec: Codec, opened: Opened, events: Iterable[ObligationOpened]) -> TakenOver:
    """What these obligations seal together; `opened` has the new case's keys. Raises `SealError`.

    There is one at least.
    """
    record, tags = opened.keys[RECORD], dict[bytes, bytes]()
    identifiers: dict[tuple[str, str], SealedIdentifier] = {}
    holdings: dict[bytes, SealedHolding] = {}
    name, language = "", ""
    for event in events:
        sealed = unseal(codec, event, opened.keys)
        name, language = sealed.name, sealed.language
        tag_key = grants.tag_grant(record.key, record.id, event.system).key
        for it in sealed.identifiers:
            tags[it.tag] = grants.identifier_tag(opened.tag_key(), it.kind, it.value)
            identifiers[it.kind, it.value] = SealedIdentifier(
                tag=tags[it.tag], kind=it.kind, value=it.value
            )
        for of in sealed.holdings:
            tag = grants.holding_tag(tag_key, event.system, of.kind, of.id)
            tags[of.tag] = tag
            holdings[tag] = SealedHolding(tag=tag, kind=of.kind, id=of.id)
    who = SealedRequest(
        name=name,
        language=language,
        identifiers=tuple(identifiers.values()),
        holdings=tuple(holdings.values()),
    )
    return TakenOver(who, tags)
