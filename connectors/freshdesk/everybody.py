"""Everybody whom a Freshdesk account holds: its contacts, and who else has a part in a ticket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from connectors.sdk.fields import at
from connectors.sdk.http import Answer
from connectors.sdk.interface import Holding, RetryableError, Subject, TerminalError
from connectors.sdk.kinds import Reads
from connectors.sdk.pages import Number, Row, Step, pages, rows_of
from connectors.sdk.people import People, in_copy, is_until, is_written_to

from .kinds import ALWAYS, CONTACT, FOLDERS, LAST_PAGE, TICKET, TICKETS

SHOWN: Final[Mapping[str, str]] = {"include": "requester", "order_by": "updated_at"}
"""A requester may be an agent, who is no contact. It costs two more of the account's calls."""
COPIED: Final = ("cc_emails", "fwd_emails", "reply_cc_emails")
"""Of a ticket."""
SINCE: Final = "updated_since"


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows(Number):
    """Pages by number, of which there are no more than `LAST_PAGE`: then from the last date on."""

    def follow(self, step: Step, answer: Answer) -> Step | None:
        following = Number.follow(self, step, answer)
        if following is None or int(following.query[self.parameter]) <= LAST_PAGE:
            return following
        *_, last = rows_of(answer.body, f"GET {step.route}")
        since = str(last.get("updated_at") or "")
        if since <= step.query[SINCE]:
            raise TerminalError(f"GET {step.route}: more of one moment than Freshdesk lists")
        return replace(following, query={**step.query, self.parameter: "1", SINCE: since})


BY_DATE: Final = Windows(size=100, size_parameter="per_page")


class Everybody:
    """Of one account, in one go."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._people = People("freshdesk", self._contacts)

    async def pages(
        self, kinds: frozenset[str], until: datetime | None
    ) -> AsyncIterator[Sequence[Subject]]:
        """See `Connector.people`."""
        for listing in CONTACT.lists:
            async for rows in self._reads.listed(listing):
                due = [row for row in rows if is_until(row.get("created_at"), until)]
                yield await self._people.of([await self._contact(row) for row in due])
        if kinds and TICKET.name not in kinds:
            return
        for folder in FOLDERS:
            query = {**ALWAYS, **SHOWN, **folder}
            async for rows in pages(self._reads.http, TICKETS, BY_DATE, query):
                due = [row for row in rows if is_until(row.get("created_at"), until)]
                yield await self._people.of(map(_ticket, due))
                lists = [at(row, name) for row in due for name in COPIED]
                yield tuple(in_copy(one for it in lists if isinstance(it, list) for one in it))

    async def _contact(self, row: Row) -> Holding:
        """A list has the first address alone: of whom it shows none, the contact itself may."""
        listed = CONTACT.holding(row)
        if is_written_to(listed.bears):
            return listed
        now = await self._reads.row(listed)
        return listed if now is None else CONTACT.holding(now)

    async def _contacts(self, owners: Sequence[Holding]) -> Iterable[Holding]:
        rows = [await self._reads.row(it) for it in owners]
        return [CONTACT.holding(row) for row in rows if row is not None]


def _ticket(row: Row) -> Holding:
    """A ticket, with what it shows of its requester."""
    shown = row.get("requester")
    if not isinstance(shown, Mapping):
        raise RetryableError(f"GET {TICKETS}: a ticket without its requester")
    of = {name: shown.get(name) for name in ("email", "phone", "mobile", "name")}
    return TICKET.holding({**row, **of})
