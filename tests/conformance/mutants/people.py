"""Mistakes in telling whom a system holds, each of which would leave somebody untold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from connectors.freshdesk import Freshdesk
from connectors.mailgun import Mailgun
from connectors.sdk.interface import Subject, TerminalError
from tests.conformance.mutants.mutant import Text, written
from tests.conformance.test_aws import world_of as aws_world
from tests.conformance.test_freshdesk import world_of
from tests.conformance.test_mailgun import world_of as mailgun_world
from tests.conformance.test_salesforce import world_of as salesforce_world
from tests.conformance.test_stripe import world_of as stripe_world

Everybody = AsyncIterator[Sequence[Subject]]
EVERY: frozenset[str] = frozenset()
FRESHDESK = Text(world_of, "connectors.freshdesk", "Freshdesk")
SALESFORCE = Text(salesforce_world, "connectors.salesforce", "Salesforce")
STRIPE = Text(stripe_world, "connectors.stripe", "Stripe")
MAILGUN = Text(mailgun_world, "connectors.mailgun", "Mailgun")
AWS = Text(aws_world, "connectors.aws", "Aws")
HELD = "test_whoever_is_held_is_listed"
PAGES = "test_everybody_is_listed_across_pages"
KIND = "test_whoever_is_held_in_a_kind_is_listed_by_that_kind"
LATER = "test_what_came_later_was_not_there"


class TakesRefusalForNobody(Freshdesk):
    """Takes a refused list for an empty one."""

    async def people(
        self, kinds: frozenset[str] = EVERY, until: datetime | None = None
    ) -> Everybody:
        try:
            async for page in super().people(kinds, until):
                yield page
        except TerminalError:
            return


class ForgetsTheUnreachable(Freshdesk):
    """Leaves out whoever has no address."""

    async def people(
        self, kinds: frozenset[str] = EVERY, until: datetime | None = None
    ) -> Everybody:
        async for page in super().people(kinds, until):
            yield [it for it in page if it.of("email")]


class GathersEverybody(Freshdesk):
    """Gives everybody in one page."""

    async def people(
        self, kinds: frozenset[str] = EVERY, until: datetime | None = None
    ) -> Everybody:
        yield [it async for page in super().people(kinds, until) for it in page]


class TellsOfAnyTime(Freshdesk):
    """Tells of whoever came after the breach."""

    def people(self, kinds: frozenset[str] = EVERY, until: datetime | None = None) -> Everybody:
        del until
        return super().people(kinds)


class ListsNobody(Mailgun):
    """Says that it lists people, and does not."""

    async def people(
        self, kinds: frozenset[str] = EVERY, until: datetime | None = None
    ) -> Everybody:
        yield ()


MUTANTS = [
    written(TakesRefusalForNobody, world_of, "test_a_refused_list_is_never_nobody[403]"),
    written(ForgetsTheUnreachable, world_of, "test_whoever_has_no_address_is_not_forgotten"),
    written(GathersEverybody, world_of, "test_a_page_of_people_has_an_end"),
    written(TellsOfAnyTime, world_of, LATER),
    written(ListsNobody, mailgun_world, HELD),
    FRESHDESK.but(
        "drops the last page of people",
        "everybody",
        '                due = [row for row in rows if is_until(row.get("created_at"), until)]\n'
        "                yield await self._people.of([await",
        "                if len(rows) < 100:\n"
        "                    break\n"
        '                due = [row for row in rows if is_until(row.get("created_at"), until)]\n'
        "                yield await self._people.of([await",
        PAGES,
    ),
    FRESHDESK.but(
        "tells of nobody in the trash",
        "everybody",
        "self._reads.listed(listing):",
        "pages(self._reads.http, listing.route, listing.paging, listing.queries[0]):",
        HELD,
    ),
    SALESFORCE.but(
        "tells of a record and not of what it hangs on",
        "everybody",
        "bears=bears, part_of=of)",
        "bears=bears)",
        KIND,
    ),
    STRIPE.but(
        "takes what does not say when for what came later",
        "everybody",
        'is_until(row.get("created"), until)',
        "until is None",
        LATER,
    ),
    MAILGUN.but(
        "lists the members of the first list",
        "everybody",
        "                    yield await self._people.of(it for it in held if it.kind in asked)\n",
        "                    yield await self._people.of(it for it in held if it.kind in asked)\n"
        "                break\n",
        KIND,
    ),
    AWS.but(
        "tells of one folder",
        "everybody",
        "for it in self._templates):",
        "for it in self._templates[:1]):",
        HELD,
    ),
]
