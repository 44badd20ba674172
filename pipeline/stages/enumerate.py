"""Enumerate: list whom a system holds, for those who must be told of a breach (GDPR Art. 34)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from hashlib import sha256

from connectors.sdk.calls import Call, Caller
from connectors.sdk.interface import NOT_OFFERED, Connector, Identifier, Subject
from connectors.sdk.spelling import is_mailbox, normal
from schemas.codec import Codec
from schemas.events import Event, ListingFailed, PeopleListed, PeopleOrdered
from schemas.records import IdentifierRow, SealedIdentifier

from ..case.outcome import code
from ..case.whose import WEAK
from ..crypto.grants import Grants, identifier_tag
from . import answer
from .answer import Entry
from .vendor import LONGEST_BORNE, Clock, GaveUpError, Vendor, calling, fits, utc_now

MOST = 500_000
"""Identifiers in one answer: less than 400 MiB of a host's memory. Beyond it, ask kind by kind."""
UNKNOWN_KIND, TOO_MANY = "unknown_kind", "too_many_people"


class Enumerate:
    """The work of a connector's host on `PeopleOrdered`."""

    def __init__(
        self, connector: Connector, codec: Codec, caller: Caller, *, now: Clock = utc_now
    ) -> None:
        self.system = connector.capabilities.system
        self._connector = connector
        self._codec = codec
        self._caller = caller
        self._now = now

    async def __call__(self, order: Event, grants: Grants) -> Sequence[Event]:
        """`PeopleListed` in parts, or `ListingFailed`: half a list is none. Raises `LaterError`."""
        if not isinstance(order, PeopleOrdered):
            raise TypeError("enumerate answers orders to list people")
        listed = Listed(grants.tag_key())
        with calling(self._caller) as calls:
            try:
                await self._run(order, listed)
            except GaveUpError as error:
                return [self._failed(order, grants, error.reason, calls)]
        whole = PeopleListed(
            case=order.case,
            order=order.order,
            system=self.system,
            part=1,
            parts=1,
            digest=b"",
            unreachable=listed.unreachable,
        )
        # Hundreds of thousands take a while to be sealed: the host's other orders go on meanwhile.
        return await asyncio.to_thread(
            answer.in_parts, self._codec, grants.record(), whole, listed.entries(), calls
        )

    async def _run(self, order: PeopleOrdered, listed: Listed) -> None:
        capabilities = self._connector.capabilities
        if not capabilities.lists_people:
            raise GaveUpError(NOT_OFFERED)
        if not capabilities.kinds.keys() >= set(order.kinds):
            raise GaveUpError(UNKNOWN_KIND)
        vendor = Vendor(self._connector, order.case, self._now)
        await vendor.check()
        async for page in vendor.people(frozenset(order.kinds), order.until):
            for it in page:
                listed.take(it)

    def _failed(
        self, order: PeopleOrdered, grants: Grants, reason: str, calls: Sequence[Call]
    ) -> ListingFailed:
        failed = ListingFailed(
            case=order.case,
            order=order.order,
            system=self.system,
            reason=code(reason),
            calls=len(calls),
        )
        return answer.sealed(self._codec, grants.record(), failed, calls)


class Listed:
    """Whom pages told of so far, each once: in whatever order they come, it is the same."""

    def __init__(self, tag_key: bytes) -> None:
        self._tag_key = tag_key
        self._known: dict[bytes, tuple[str, str]] = {}  # by tag: kind, and how it is spelt
        self._unreachable: set[bytes] = set()
        self._nameless = 0

    def take(self, person: Subject) -> None:
        """Somebody: their addresses, or if they have none all that they are known by.

        Raises `GaveUpError` if they are too many.
        """
        known = [it for it in person.identifiers if _says_something(it)]
        addresses = [it for it in known if is_mailbox(it.kind, it.value)]
        tags = [self._tagged(it) for it in addresses or known]
        if not known:
            self._nameless += 1
        elif not addresses:
            self._unreachable.add(sha256(b"".join(sorted(tags))).digest()[:16])
        if len(self._known) > MOST:
            raise GaveUpError(TOO_MANY)

    @property
    def unreachable(self) -> int:
        """How many have no address."""
        return len(self._unreachable) + self._nameless

    def entries(self) -> list[Entry]:
        """The rows of the answer, by tag."""
        return [
            Entry(
                "people",
                IdentifierRow(tag=tag, kind=kind, strong=kind not in WEAK),
                SealedIdentifier(tag=tag, kind=kind, value=value),
            )
            for tag, (kind, value) in sorted(self._known.items())
        ]

    def _tagged(self, it: Identifier) -> bytes:
        """Of several spellings one is kept, always the same."""
        tag = identifier_tag(self._tag_key, it.kind, it.value)
        self._known[tag] = min(self._known.get(tag, (it.kind, it.value)), (it.kind, it.value))
        return tag


def _says_something(it: Identifier) -> bool:
    if not fits(it.value, LONGEST_BORNE) or not normal(it.kind, it.value):
        return False
    return it.kind != "email" or is_mailbox(it.kind, it.value)
