"""The sandbox is Freshdesk to python-freshdesk, which nobody here wrote, and both see one account.

Of its URLs only the beginning is changed: the client itself knows no address but Freshdesk's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from freshdesk.api import API  # type: ignore[import-untyped]
from freshdesk.v2.errors import (  # type: ignore[import-untyped]
    FreshdeskAccessDenied,
    FreshdeskBadRequest,
    FreshdeskError,
    FreshdeskNotFound,
    FreshdeskRateLimited,
    FreshdeskUnauthorized,
)

from connectors.freshdesk import Freshdesk
from connectors.freshdesk.sandbox import FreshdeskSandbox
from connectors.freshdesk.sandbox_objects import AGENT
from connectors.sdk import registry
from connectors.sdk.conformance import look
from connectors.sdk.interface import (
    Category,
    Datum,
    Erased,
    Expires,
    Holding,
    Identifier,
    Limit,
    Redacted,
    Restricted,
    Subject,
)

ANN = Subject((Identifier("email", "ann@example.org"),))
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
EVER = "2000-01-01T00:00:00Z"


class Refused(NamedTuple):
    """What the client raised, and what it says."""

    kind: type[Exception]
    said: str


@pytest.fixture
async def account() -> AsyncIterator[FreshdeskSandbox]:
    async with FreshdeskSandbox() as made:
        yield made


@pytest.fixture
async def freshdesk(account: FreshdeskSandbox) -> AsyncIterator[Freshdesk]:
    settings = registry.settings("freshdesk", Freshdesk.Settings, account.environ())
    async with Freshdesk(settings) as connector:
        yield connector


async def client(account: FreshdeskSandbox, ask: Callable[[Any], Any], key: str = "") -> Any:
    """What python-freshdesk makes of an answer; an error of its own is returned."""

    def run() -> Any:
        api = API("acme.freshdesk.com", key or account.key)
        api._api_prefix = f"{account.url}/api/v2/"
        api._session.trust_env = False
        with api._session:
            try:
                return ask(api)
            except FreshdeskError as error:
                return Refused(type(error), str(error))

    return await asyncio.to_thread(run)


def ids(rows: list[Any]) -> set[str]:
    return {str(row.id) for row in rows}


# Contacts.


@pytest.mark.parametrize("there", [200, 230])
async def test_every_page_of_contacts_is_read_and_none_is_too_long(
    account: FreshdeskSandbox, there: int
) -> None:
    made = {account.add_contact(email=f"{n:03}@example.org") for n in range(there)}
    everyone = await client(account, lambda it: it.contacts.list_contacts())
    assert (len(everyone), ids(everyone)) == (there, made)
    assert account.calls["GET /api/v2/contacts"] == 3
    third = await client(account, lambda it: it.contacts.list_contacts(page=3, per_page=90))
    assert [row.email for row in third] == [f"{n:03}@example.org" for n in range(180, there)]
    refused = await client(account, lambda it: it.contacts.list_contacts(per_page=101))
    assert refused.kind is FreshdeskBadRequest
    assert "per_page" in refused.said


async def test_contacts_are_listed_by_what_the_documentation_lists_them_by(
    account: FreshdeskSandbox,
) -> None:
    """The client's docstring says `_updated_since`, the documentation `updated_since`."""
    old = account.add_contact(email="ann@example.org", phone="+49", company_id=7)
    new = account.add_contact(email="bob@example.org", updated_at="2026-01-02T00:00:00Z")

    async def listed(**by: Any) -> Any:
        said = await client(account, lambda it: it.contacts.list_contacts(**by))
        return said if isinstance(said, Refused) else ids(said)

    assert await listed(email="ann@example.org") == await listed(phone="+49") == {old}
    assert await listed(company_id=7) == {old}
    assert await listed(updated_since="2026-01-02") == {new}
    assert await listed(state="blocked") == set()
    assert (await listed(state="gone")).kind is FreshdeskBadRequest


async def test_a_deleted_contact_is_seen_restored_and_deleted_for_good(
    account: FreshdeskSandbox,
) -> None:
    """The client asks with `force=True`, the documentation with `force=true`: it is refused.

    Without force a contact has to be deleted softly before, as documented.
    """
    contact = int(account.add_contact(email="ann@example.org"))

    async def do(name: str, **given: Any) -> Any:
        return await client(account, lambda it: getattr(it.contacts, name)(contact, **given))

    for force in (True, False):
        refused = await do("permanently_delete_contact", force=force)
        assert refused.kind is FreshdeskBadRequest
    assert await do("soft_delete_contact") is None
    assert await client(account, lambda it: it.contacts.list_contacts()) == []
    (deleted,) = await client(account, lambda it: it.contacts.list_contacts(state="deleted"))
    assert (deleted.id, deleted.deleted) == (contact, True)
    refused = await do("update_contact", job_title="Engineer")
    assert refused.kind is FreshdeskError
    assert "405" in refused.said

    assert await do("restore_contact") is None
    assert not hasattr(await do("get_contact"), "deleted")
    assert (await do("update_contact", job_title="Engineer")).job_title == "Engineer"
    await do("soft_delete_contact")
    assert await do("permanently_delete_contact", force=False) is None
    assert (await do("get_contact")).kind is FreshdeskNotFound
    assert account.state() == {}


async def test_the_errors_are_the_documented_ones(account: FreshdeskSandbox) -> None:
    contact = int(account.add_contact(email="ann@example.org"))
    account.add_contact(email="bob@example.org")
    ticket = int(account.add_ticket(str(contact), "one"))

    async def update(**given: Any) -> Any:
        return await client(account, lambda it: it.contacts.update_contact(contact, **given))

    unknown = await update(nmae="Ann")
    assert unknown.kind is FreshdeskBadRequest
    assert "invalid_field" in unknown.said
    anchored = await update(email=None)
    assert anchored.kind is FreshdeskBadRequest
    assert "missing_field" in anchored.said
    taken = await update(email="Bob@example.org")
    assert taken.kind is FreshdeskError
    assert "409" in taken.said
    assert "duplicate_value" in taken.said

    wrong = await client(account, lambda it: it.contacts.list_contacts(), key="wrong")
    assert wrong == (FreshdeskUnauthorized, "You have to be logged in to perform this action.")
    limited = await client(
        account, lambda it: it.tickets.get_ticket(ticket), account.restricted_key
    )
    assert limited == (FreshdeskAccessDenied, "You are not authorized to perform this action.")


async def test_the_rate_limit_says_when_to_come_back(account: FreshdeskSandbox) -> None:
    """An invalid request counts too, as documented."""
    account.limit = Limit(calls=2, per=timedelta(minutes=1))
    me = await client(account, lambda it: it.agents.currently_authenticated_agent())
    assert (me.ticket_scope, str(me)) == (1, "Habeas")
    assert (await client(account, lambda it: it.contacts.get_contact(9))).kind is FreshdeskNotFound
    late = await client(account, lambda it: it.agents.currently_authenticated_agent())
    assert late.kind is FreshdeskRateLimited
    (seconds,) = [int(it) for it in late.said.split() if it.isdecimal() and it != "429"]
    assert 0 < seconds <= 60


# Tickets.


async def test_tickets_are_in_their_folders_and_old_ones_only_if_asked_for(
    account: FreshdeskSandbox,
) -> None:
    """The client's own default is `new_and_my_open`: unsolved tickets of nobody or of the agent."""
    ann, bob = (account.add_contact(email=f"{who}@example.org") for who in ("ann", "bob"))
    now = account.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    fresh = account.add_ticket(ann, "new", created_at=now, updated_at=now)
    solved = account.add_ticket(bob, "solved", created_at=now, updated_at=now, status=4)
    taken = account.add_ticket(bob, "taken", created_at=now, updated_at=now, responder_id=77)
    old = account.add_ticket(ann, "old")
    spam = account.add_ticket(ann, "spam", spam=True)
    trash = account.add_ticket(bob, "trash", deleted=True)

    async def listed(**by: Any) -> Any:
        said = await client(account, lambda it: it.tickets.list_tickets(**by))
        return said if isinstance(said, Refused) else ids(said)

    assert await listed() == {fresh}
    assert await listed(filter_name=None) == {fresh, solved, taken}
    assert await listed(filter_name=None, updated_since=EVER) == {fresh, solved, taken, old}
    assert await listed(filter_name=None, requester_id=int(bob)) == {solved, taken}
    anns = {"filter_name": None, "email": "ann@example.org", "updated_since": EVER}
    assert await listed(**anns) == {fresh, old}
    assert await listed(filter_name="spam", updated_since=EVER) == {spam}
    assert await listed(filter_name="deleted", updated_since=EVER) == {trash}
    assert await listed(filter_name="watching") == set()
    assert (await listed(filter_name="all_tickets")).kind is FreshdeskBadRequest
    assert (await listed(filter_name=None, order_by="colour")).kind is FreshdeskBadRequest
    assert (await listed(filter_name=None, page=301)).kind is FreshdeskBadRequest


async def test_a_list_of_tickets_shows_who_opened_each_if_it_is_asked_to(
    account: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    """The client and the connector see the same people."""
    ann = account.add_contact(email="ann@example.org", name="Ann")
    account.add_ticket(ann, "b", updated_at="2026-02-01T00:00:00Z")
    account.add_ticket(str(AGENT["id"]), "a", updated_at="2026-01-01T00:00:00Z")  # of an agent
    by: dict[str, Any] = {"updated_since": EVER, "order_by": "updated_at", "order_type": "asc"}
    by |= {"filter_name": None, "include": "requester"}
    rows = await client(account, lambda it: it.tickets.list_tickets(**by))
    assert [row.subject for row in rows] == ["a", "b"]
    assert [row.requester["email"] for row in rows] == ["habeas@example.com", "ann@example.org"]
    people = [who async for page in freshdesk.people() for who in page]
    assert {it for who in people for it in who.of("email")} == {
        row.requester["email"] for row in rows
    }


async def test_a_long_conversation_is_whole_in_its_list_only(account: FreshdeskSandbox) -> None:
    owner = account.add_contact(email="ann@example.org", name="Ann", phone="+49")
    ticket = int(account.add_ticket(owner, "long", [f"<{n}>" for n in range(130)]))
    said = await client(account, lambda it: it.comments.list_comments(ticket))
    assert [it.body_text for it in said] == [f"<{n}>" for n in range(130)]
    assert {(it.source, it.ticket_id, str(it.user_id)) for it in said} == {("reply", ticket, owner)}
    assert said[0].body == "<div>&lt;0&gt;</div>"

    ask = ("conversations", "requester")
    shown = await client(account, lambda it: it.tickets.get_ticket(ticket, *ask))
    assert [it["body_text"] for it in shown.conversations] == [f"<{n}>" for n in range(10)]
    assert shown.requester["phone"] == "+49"
    assert (shown.status, shown.priority, shown.source) == ("open", "low", "portal")
    bare = await client(account, lambda it: it.tickets.get_ticket(ticket))
    assert not hasattr(bare, "conversations")


# What the connector did.


async def test_what_the_connector_erased_is_gone_for_the_client(
    account: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    ann, bob = (account.add_contact(email=f"{who}@example.org") for who in ("ann", "bob"))
    own, other = (int(account.add_ticket(it, "one", ["Hello"])) for it in (ann, bob))
    assert await freshdesk.erase(Holding("contact", ann)) == Erased()
    for read in (
        lambda it: it.contacts.get_contact(int(ann)),
        lambda it: it.tickets.get_ticket(own),
        lambda it: it.comments.list_comments(own),
    ):
        assert (await client(account, read)).kind is FreshdeskNotFound
    assert ids(await client(account, lambda it: it.contacts.list_contacts())) == {bob}
    assert (await client(account, lambda it: it.tickets.get_ticket(other))).subject == "one"

    account.now = lambda: NOON
    until = NOON + timedelta(days=30)
    assert await freshdesk.erase(Holding("ticket", str(other))) == Expires(until)
    shown = await client(account, lambda it: it.tickets.get_ticket(other))
    assert (shown.deleted, shown.updated_at) == (True, NOON)
    assert (await client(account, lambda it: it.tickets.delete_ticket(other))).said.startswith(
        "405"
    )


async def test_what_the_connector_kept_is_there_for_the_client(
    account: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    """And what the client wrote is found."""
    contact = int(account.add_contact(email="ann@example.org", name="Ann"))
    written = {"description": "tall", "tags": ["vip"], "other_emails": ["old@example.org"]}
    await client(account, lambda it: it.contacts.update_contact(contact, **written))
    (held,) = (await look(freshdesk, ANN)).holdings
    keep = frozenset({Category.IDENTITY, Category.CONTACT})
    assert held.categories == {*keep, Category.PROFILE}
    assert await freshdesk.erase(held, keep) == {Category.PROFILE: Redacted()}
    shown = await client(account, lambda it: it.contacts.get_contact(contact))
    assert (shown.description, shown.tags) == (None, [])
    assert (shown.name, shown.email, shown.other_emails) == (
        *("Ann", "ann@example.org"),
        ["old@example.org"],
    )


async def test_what_is_tagged_by_one_is_so_to_the_other(
    account: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    """Of a contact's own fields, those that are not given stay as they are."""
    account.contact_fields = ("processing_restricted", "department")
    own = {"department": "Sales"}
    ann = account.add_contact(email="ann@example.org", custom_fields=own)
    held = Holding("contact", ann)
    ticket = Holding("ticket", account.add_ticket(ann, "Help"))
    said = await client(
        account, lambda it: it.tickets.update_ticket(int(ticket.id), tags=["urgent"])
    )
    assert (said.tags, said.subject) == (["urgent"], "Help")
    for it in (held, ticket):
        assert await freshdesk.restrict(it) == Restricted()
    seen = await client(account, lambda it: it.tickets.get_ticket(int(ticket.id)))
    assert seen.tags == ["urgent", "processing-restricted"]
    seen = await client(account, lambda it: it.contacts.get_contact(int(ann)))
    assert seen.custom_fields == {**own, "processing_restricted": True}
    no = {"processing_restricted": False}
    await client(account, lambda it: it.contacts.update_contact(int(ann), custom_fields=no))
    now = await freshdesk.standing(held)
    assert now is not None
    assert (now.restricted, now.data[Datum.EMAIL]) == (False, "ann@example.org")
