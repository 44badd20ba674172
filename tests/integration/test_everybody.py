"""Whom each vendor holds, where its lists are odd: what no list shows, and what only one does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from connectors.aws import AwsSandbox
from connectors.freshdesk import FreshdeskSandbox, everybody
from connectors.freshdesk.sandbox_objects import AGENT
from connectors.mailgun import MailgunSandbox
from connectors.salesforce import SalesforceSandbox
from connectors.sdk import registry
from connectors.sdk.interface import ConnectorError, Subject
from connectors.sdk.sandbox import Sandbox
from connectors.stripe import StripeSandbox

NEWS = "mail.example.com"


async def everybody_of(
    sandbox: Sandbox, *kinds: str, until: datetime | None = None
) -> list[Subject]:
    async with registry.connect(sandbox.system, sandbox.environ()) as it:
        return [who async for page in it.people(frozenset(kinds), until) for who in page]


def mails(people: list[Subject]) -> set[str]:
    """Every address, without its domain."""
    return {it.partition("@")[0] for who in people for it in who.of("email")}


def unreachable(people: list[Subject]) -> set[str]:
    """The kinds by which those are told who have no address."""
    return {
        it.kind for who in people if not who.of("email") for it in who.identifiers if "." in it.kind
    }


# Freshdesk.


@pytest.fixture
async def freshdesk() -> AsyncIterator[FreshdeskSandbox]:
    async with FreshdeskSandbox() as made:
        yield made


async def test_tickets_beyond_the_last_page_are_listed_from_the_last_date_on(
    freshdesk: FreshdeskSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Freshdesk lists 300 pages, and no more."""
    monkeypatch.setattr(everybody, "LAST_PAGE", 2)
    freshdesk.last_page = 2
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for n in range(450):
        at = f"{begin + timedelta(minutes=n):%Y-%m-%dT%H:%M:%SZ}"
        said = {"cc_emails": [f"cc-{n}@example.org"], "created_at": at, "updated_at": at}
        freshdesk.add_ticket(str(AGENT["id"]), "copied", **said)
    people = mails(await everybody_of(freshdesk, "ticket"))
    assert people == {"habeas", *(f"cc-{n}" for n in range(450))}


async def test_more_tickets_of_one_moment_than_are_listed_are_an_error(
    freshdesk: FreshdeskSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(everybody, "LAST_PAGE", 1)
    freshdesk.last_page = 1
    at = "2026-01-01T00:00:00Z"
    for _ in range(250):
        freshdesk.add_ticket(str(AGENT["id"]), "at once", created_at=at, updated_at=at)
    with pytest.raises(ConnectorError):
        await everybody_of(freshdesk)


async def test_every_contact_may_have_a_ticket_that_is_archived(
    freshdesk: FreshdeskSandbox,
) -> None:
    """No list has those: who has one, nobody knows."""
    ann = freshdesk.add_contact(email="ann@example.org", state="blocked")
    freshdesk.add_ticket(ann, "long ago", archived=True)
    assert mails(await everybody_of(freshdesk, "ticket")) == {"ann"}


async def test_a_contact_without_an_address_in_the_list_is_read_by_itself(
    freshdesk: FreshdeskSandbox,
) -> None:
    freshdesk.add_contact(phone="+49301", other_emails=["ann@example.org"])
    freshdesk.add_contact(twitter_id="bob")
    people = await everybody_of(freshdesk, "contact")
    assert mails(people) == {"ann"}
    assert unreachable(people) == {"freshdesk.contact"}


# Stripe.


@pytest.fixture
async def stripe() -> AsyncIterator[StripeSandbox]:
    async with StripeSandbox() as made:
        yield made


async def test_guests_and_whoever_else_pays_are_told_of(stripe: StripeSandbox) -> None:
    customer = stripe.plant("customer", {"email": "ann@example.org"})
    stripe.plant("charge", {"billing_details": {"email": "guest@example.org"}})
    card = {"customer": customer, "billing_details": {"email": "parent@example.org"}}
    stripe.plant("payment_method", card)
    assert mails(await everybody_of(stripe)) == {"ann", "guest", "parent"}
    assert mails(await everybody_of(stripe, "payment_method")) == {"ann", "parent"}
    assert mails(await everybody_of(stripe, "charge")) == {"guest"}


async def test_what_a_deleted_customer_paid_is_of_somebody(stripe: StripeSandbox) -> None:
    customer = stripe.plant("customer", {"email": "ann@example.org"})
    stripe.plant("charge", {"customer": customer})
    stripe.table("_deleted")[customer] = {"id": customer, "object": "customer", "deleted": True}
    del stripe.table("customer")[customer]
    people = await everybody_of(stripe)
    assert (mails(people), unreachable(people)) == (set(), {"stripe.charge"})


# Salesforce.


@pytest.fixture
async def salesforce() -> AsyncIterator[SalesforceSandbox]:
    async with SalesforceSandbox() as made:
        yield made


async def test_a_record_is_of_whoever_it_hangs_on_however_far_up(
    salesforce: SalesforceSandbox,
) -> None:
    ann = salesforce.add_contact(Email="ann@example.org", IsDeleted=True)
    case = salesforce.add_case(ContactId=ann)
    salesforce.add_case(SuppliedEmail="web@example.org")
    salesforce.add_comment(ParentId=case, CommentBody="said")
    salesforce.add_file(case, versions=[b"1"], name="contract.docx")
    for kind in ("contact", "comment", "file"):
        assert mails(await everybody_of(salesforce, kind)) == {"ann"}
    assert mails(await everybody_of(salesforce, "case")) == {"ann", "web"}


async def test_whoever_was_in_copy_of_a_mail_is_told_of(salesforce: SalesforceSandbox) -> None:
    told = {"FromAddress": "ann@example.org", "Incoming": True}
    copied = {"CcAddress": "Bob <bob@example.org>; cat@example.org", "BccAddress": None}
    salesforce.plant("email", {**told, **copied})
    assert mails(await everybody_of(salesforce, "email")) == {"ann", "bob", "cat"}


# Mailgun.


@pytest.fixture
async def mailgun() -> AsyncIterator[MailgunSandbox]:
    async with MailgunSandbox() as made:
        yield made


async def test_a_whole_domain_and_an_event_of_no_mail_are_nobody(mailgun: MailgunSandbox) -> None:
    mailgun.plant("allowlisted", {"domain": NEWS, "value": "example.org", "type": "domain"})
    mailgun.plant("allowlisted", {"domain": NEWS, "value": "ann@example.org"})
    mailgun.plant("event", {"domain": NEWS, "event": "list_uploaded"})
    mailgun.plant("event", {"domain": NEWS, "recipient": "bob@example.org"})
    people = await everybody_of(mailgun)
    assert (mails(people), unreachable(people)) == ({"ann", "bob"}, set())


async def test_who_was_written_to_or_bounced_later_is_not_told_of(
    mailgun: MailgunSandbox,
) -> None:
    breach = mailgun.now() - timedelta(days=3)
    for who, days in (("ann", -1), ("bob", 1)):
        at = (breach + timedelta(days=days)).strftime("%a, %d %b %Y %H:%M:%S UTC")
        bounce = {"domain": NEWS, "address": f"{who}@example.org", "created_at": at}
        mailgun.plant("bounce", bounce)
    mailgun.plant("event", {"domain": NEWS, "recipient": "cat@example.org"})  # two days ago
    old = {"timestamp": (breach - timedelta(hours=1)).timestamp()}
    mailgun.plant("event", {"domain": NEWS, "recipient": "dan@example.org", **old})
    mailgun.plant("member", {"list": f"staff@{NEWS}", "address": "eve@example.org"})
    assert mails(await everybody_of(mailgun, until=breach)) == {"ann", "dan", "eve"}


async def test_an_event_that_comes_late_while_others_are_read_is_told_of(
    mailgun: MailgunSandbox,
) -> None:
    now = mailgun.now().timestamp()
    for n in range(650):
        at = {"domain": NEWS, "recipient": f"{n}@example.org", "timestamp": now - 600 - n}
        mailgun.plant("event", at)
    people: list[Subject] = []
    async with registry.connect("mailgun", mailgun.environ()) as it:
        async for page in it.people(frozenset({"events"})):
            if not people:
                late = {"recipient": "late@example.org", "timestamp": now - 700}
                mailgun.plant("event", {"domain": NEWS, **late})
            people += page
    assert mails(people) == {"late", *map(str, range(650))}


# AWS.


async def test_what_lies_in_nobodys_folder_is_nobodys() -> None:
    async with AwsSandbox() as aws:
        for key in ("uploads/ann@example.org/a", "uploads/readme.txt", "exports/u-1/b", "other/c"):
            aws.plant("object", {"Bucket": "files", "Key": key, "Body": "1"})
        people = await everybody_of(aws)
        assert mails(people) == {"ann"}
        assert unreachable(people) == {"aws.object"}
        assert {it for who in people for it in who.of("user_id")} == {"u-1"}
