"""The Freshdesk sandbox has the vendor's quirks, the connector minds them, and both run apart."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from connectors.freshdesk import Freshdesk
from connectors.freshdesk.kinds import PAGES
from connectors.freshdesk.sandbox import FreshdeskSandbox
from connectors.sdk import registry
from connectors.sdk.conformance import Seen, look
from connectors.sdk.http import Answer, as_json, witnessed
from connectors.sdk.interface import (
    Category,
    Erased,
    Expires,
    Fact,
    Failed,
    Holding,
    Identifier,
    Limit,
    NeedsHuman,
    NotSupported,
    Redacted,
    RetryableError,
    Subject,
    TerminalError,
)
from connectors.sdk.sandbox import Fault

ANN = Subject((Identifier("email", "Ann@Example.org"),))
KEPT = frozenset({Category.IDENTITY, Category.CONTACT})


@pytest.fixture
async def sandbox() -> AsyncIterator[FreshdeskSandbox]:
    async with FreshdeskSandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def freshdesk(sandbox: FreshdeskSandbox) -> AsyncIterator[Freshdesk]:
    settings = Freshdesk.Settings(url=sandbox.url, api_key=sandbox.key)
    async with Freshdesk(settings) as freshdesk:
        yield freshdesk


def ids(seen: Seen, kind: str) -> set[str]:
    return {it.id for it in seen.holdings if it.kind == kind}


# What is found.


@pytest.mark.parametrize("state", ["verified", "unverified", "blocked", "deleted"])
async def test_a_contact_is_found_in_every_state(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk, state: str
) -> None:
    contact = sandbox.add_contact(email="Ann@example.org", state=state)
    assert ids(await look(freshdesk, ANN), "contact") == {contact}


@pytest.mark.parametrize("combines", [True, False])
async def test_old_spam_and_trashed_tickets_are_found_and_nobody_elses(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk, *, combines: bool
) -> None:
    sandbox.combines_filters = combines
    ann, bob = (sandbox.add_contact(email=f"{who}@example.org") for who in ("ann", "bob"))
    for owner in (ann, bob):
        sandbox.add_ticket(owner, "old")
        sandbox.add_ticket(owner, "spam", spam=True)
        sandbox.add_ticket(owner, "trash", deleted=True)
    own = {k for k, row in sandbox.table("ticket").items() if str(row["requester_id"]) == ann}
    assert ids(await look(freshdesk, ANN), "ticket") == own
    assert len(own) == 3


def borne(holding: Holding) -> set[tuple[str, str, str]]:
    return {(it.field, it.kind, it.value) for it in holding.bears}


async def test_a_contact_tells_all_that_it_says_of_who_it_is(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    """Whatever it was found by: whose it is is not the connector's to say."""
    sandbox.add_contact(
        name="Ann Other",
        email="ann@example.org",
        other_emails=["old@example.org", "bob@example.org"],
        unique_external_id=17,
        phone="+49301",
        mobile="+49151",
    )
    by_phone = Subject((Identifier("phone", "+49 (30) 1"), Identifier("phone", "+49301")))
    for subject in (ANN, by_phone):
        (held,) = (await look(freshdesk, subject)).holdings
        assert borne(held) == {
            ("name", "name", "Ann Other"),
            ("email", "email", "ann@example.org"),
            ("other_emails", "email", "old@example.org"),
            ("other_emails", "email", "bob@example.org"),
            ("unique_external_id", "user_id", "17"),
            ("phone", "phone", "+49301"),
            ("mobile", "phone", "+49151"),
        }
        assert held.part_of is None


@pytest.mark.parametrize(
    ("name", "kind"),
    [("bob@example.org", "email"), ("+49 (30) 77", "phone"), ("李", "name"), ("R2 D2", "name")],
)
async def test_a_name_that_is_an_address_or_a_number_is_told_as_that(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk, name: str, kind: str
) -> None:
    """Freshdesk takes the address for the name of those who gave none."""
    sandbox.add_contact(email="ann@example.org", name=name)
    (held,) = (await look(freshdesk, ANN)).holdings
    assert ("name", kind, name) in borne(held)


async def test_the_name_that_we_wrote_over_another_is_nobodys(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    sandbox.add_contact(email="ann@example.org", name="Erased", phone=" ")
    (held,) = (await look(freshdesk, ANN)).holdings
    assert borne(held) == {("email", "email", "ann@example.org")}


async def test_a_ticket_hangs_on_its_requester_and_tells_what_it_shows_itself(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    """Also where that contact was not found: it was merged, or is somebody else's."""
    owner = sandbox.add_contact(email="ann@example.org")
    own = sandbox.add_ticket(owner, "one", email="bob@example.org", unique_external_id="u1")
    lost = Holding("ticket", sandbox.add_ticket("4711", "two", archived=True))
    held = {it.id: it for it in (await look(freshdesk, ANN, [lost])).holdings}
    assert held[own].part_of == Holding("contact", owner)
    assert borne(held[own]) == {
        ("email", "email", "bob@example.org"),
        ("unique_external_id", "user_id", "u1"),
    }
    assert (held[lost.id].part_of, held[lost.id].bears) == (Holding("contact", "4711"), ())


async def test_tickets_of_a_known_contact_are_listed_while_it_is_nobody_elses(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    """One that was blanked is found by no search; one that was given away has other tickets."""
    known = Holding("contact", sandbox.add_contact(email="ann@example.org", twitter_id="@ann"))
    ticket = sandbox.add_ticket(known.id, "one")
    for email, name, listed in (
        ("ann@example.org", "Ann", {ticket}),
        (None, "Erased", {ticket}),
        ("bob@example.org", "Bob", set()),
    ):
        sandbox.table("contact")[known.id] |= {"email": email, "name": name}
        seen = await look(freshdesk, ANN, [known])
        assert (ids(seen, "contact"), ids(seen, "ticket")) == ({known.id}, listed)


async def test_an_account_is_not_asked_by_what_names_nobody(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    """An empty filter lists everybody, and a number without digits equals any other."""
    sandbox.add_contact(email="bob@example.org", phone="none")
    empty = [Identifier("email", " \u200b"), Identifier("phone", "n/a"), Identifier("phone", "+")]
    assert freshdesk.usable(Subject(tuple(empty))) == ()
    weak = Identifier("phone", "+49301", strong=False)
    assert freshdesk.usable(Subject((*empty, *ANN.identifiers, weak))) == ANN.identifiers
    with witnessed() as calls:
        assert (await look(freshdesk, Subject((*empty, weak)))).holdings == []
    assert calls == []


async def test_further_addresses_that_are_no_list_may_be_one_later(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    sandbox.add_contact(email="ann@example.org", other_emails="bob@example.org")
    with pytest.raises(RetryableError):
        await look(freshdesk, ANN)


async def test_a_filter_that_the_vendor_ignores_finds_no_stranger(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.add_contact(email="bob@example.org")
    everybody = [{"id": int(it)} for it in sandbox.table("contact")]

    async def listed(*_: object, **__: object) -> AsyncIterator[list[dict[str, int]]]:
        yield everybody

    monkeypatch.setattr(freshdesk._reads, "listed", listed)
    assert (await look(freshdesk, ANN)).holdings == []


async def test_a_person_with_one_contact_costs_eight_calls(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    owner = sandbox.add_contact(email="ann@example.org")
    sandbox.add_ticket(owner, "one")
    with witnessed() as calls:
        await look(freshdesk, Subject((Identifier("email", "ann@example.org"),)))
    assert len(calls) == 4 + 1 + 3  # a list per state, the contact, a pass per folder
    assert all(it.request_id for it in calls)


# When we were last in touch.


async def contact_told(freshdesk: Freshdesk, *known: Holding) -> list[Fact]:
    return (await look(freshdesk, ANN, known)).facts


async def test_the_last_contact_is_when_either_side_last_wrote(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    """A ticket's `updated_at` is no contact, nor is a note that only agents see."""
    ann = sandbox.add_contact(email="ann@example.org")
    opened = {"created_at": "2024-05-06T10:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
    sandbox.add_ticket(ann, "Login", **opened)
    assert await contact_told(freshdesk) == [
        Fact("last_contact", date(2024, 5, 6), "ticket.created_at")
    ]
    answer = {"body_text": "Sent.", "incoming": False, "created_at": "2025-03-04T23:00:00Z"}
    note = {"body_text": "VIP", "incoming": False, "private": True}
    later = {"created_at": "2025-09-09T00:00:00Z"}
    ticket = sandbox.add_ticket(ann, "Invoice", [answer, note | later], **opened)
    expected = [Fact("last_contact", date(2025, 3, 4), "ticket.stats.agent_responded_at")]
    assert await contact_told(freshdesk) == expected
    known = [Holding("ticket", ticket), Holding("contact", ann)]
    assert await contact_told(freshdesk, *known) == expected


async def test_nobody_was_in_touch_only_if_there_is_no_contact(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    """Of a contact, tickets may be archived: no list has them."""
    assert await contact_told(freshdesk) == [Fact("last_contact", value=False, read="contact")]
    ann = sandbox.add_contact(email="ann@example.org")
    assert await contact_told(freshdesk) == []
    archived = sandbox.add_ticket(ann, "Login", archived=True)
    assert await contact_told(freshdesk, Holding("ticket", archived)) == []


async def test_no_contact_is_told_of_what_may_be_somebody_elses(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    shared = sandbox.add_contact(email="ann@example.org", unique_external_id="BX-2")
    sandbox.add_ticket(shared, "Login")
    assert await contact_told(freshdesk) == []
    by_phone = Subject((Identifier("phone", "+49301"),))
    sandbox.add_ticket(sandbox.add_contact(phone="+49301"), "Login")
    assert (await look(freshdesk, by_phone)).facts == []


async def test_an_archived_ticket_is_found_by_its_id_exported_and_erased(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    owner = sandbox.add_contact(email="ann@example.org")
    ticket = Holding("ticket", sandbox.add_ticket(owner, "old", ["Hello"], archived=True))
    assert ids(await look(freshdesk, ANN), "ticket") == set()
    assert ids(await look(freshdesk, ANN, [ticket]), "ticket") == {ticket.id}
    assert [record async for record in freshdesk.export(ticket)]
    assert await freshdesk.erase(ticket) == Erased()
    assert (await look(freshdesk, ANN, [ticket])).gone == [ticket]


async def test_an_agent_who_sees_a_group_only_fails_the_check(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def require(route: str, *_: object) -> Any:
        return await sandbox_require("/api/v2/contacts/{id}", id="1")

    sandbox.add_contact(id=1, email="agent@example.org", ticket_scope=2)
    sandbox_require = freshdesk._http.require
    monkeypatch.setattr(freshdesk._http, "require", require)
    with pytest.raises(TerminalError, match="not all tickets"):
        await freshdesk.check()


# Export.


async def test_a_ticket_is_exported_with_all_its_conversations(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    owner = sandbox.add_contact(email="ann@example.org")
    ticket = sandbox.add_ticket(owner, "long", [f"message {n}" for n in range(230)])
    sandbox.add_ticket(owner, "other", ["not this"])
    bodies = [json.loads(it.body) async for it in freshdesk.export(Holding("ticket", ticket))]
    said = [it["body_text"] for body in bodies for it in body["conversations"]]
    assert said == [f"message {n}" for n in range(230)]
    assert bodies[0]["subject"] == "long"


PDF = bytes(range(256)) * 5000


async def test_a_ticket_comes_with_the_files_of_all_its_conversations(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    owner = sandbox.add_contact(email="ann@example.org")
    said = [{"body_text": f"message {n}"} for n in range(101)]
    said[100]["attachments"] = [{"name": "last.txt", "content": "the last"}]  # type: ignore[assignment]
    photo = {"name": "a/b photo.png", "content": PDF, "content_type": "image/png"}
    ticket = sandbox.add_ticket(owner, "files", said, attachments=[photo])
    found = [it async for it in freshdesk.export(Holding("ticket", ticket))]
    files = [it for it in found if it.name]
    assert [(it.name, it.content_type, it.more) for it in files] == [
        ("a/b photo.png", "image/png", True),
        ("a/b photo.png", "image/png", False),
        ("last.txt", "application/octet-stream", False),
    ]
    assert files[0].body + files[1].body == PDF
    assert files[2].body == b"the last"
    assert {it.holding for it in found} == {Holding("ticket", ticket)}
    assert all(b"Signature=" not in it.body for it in found), "an address good for some minutes"


async def test_a_contacts_picture_is_a_file_of_it(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    sandbox.add_contact(email="ann@example.org", avatar={"name": "me.png", "content": b"\x89PNG"})
    seen = await look(freshdesk, ANN)
    assert seen.records == [], "a row whose picture is not there is not whole"
    row, picture = [it async for it in freshdesk.export(seen.holdings[0])]
    assert b"ann@example.org" in row.body
    assert (picture.name, picture.body) == ("me.png", b"\x89PNG")


async def test_a_file_that_is_not_given_is_named_and_a_busy_store_is_asked_again(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    ticket = Holding("ticket", sandbox.add_ticket("1", "one", attachments=[{"name": "a.txt"}]))
    for status in (403, 404):
        sandbox.faults.append(Fault(status=status, route="/attachments/"))
        _, file = [it async for it in freshdesk.export(ticket)]
        assert (file.name, file.body, file.missing) == ("a.txt", b"", "not_fetched")
        assert file.missing in freshdesk.capabilities.reasons
    sandbox.faults.append(Fault(status=503, route="/attachments/"))
    with pytest.raises(RetryableError):
        [it async for it in freshdesk.export(ticket)]


@pytest.mark.parametrize("shown", [{}, "text", [7], [{}], [{"attachment_url": 7}]])
async def test_attachments_of_another_shape_may_be_better_later(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk, shown: object
) -> None:
    class Odd(FreshdeskSandbox):
        async def _get_ticket(self, request: web.Request) -> web.Response:
            return web.json_response({"id": 1, "attachments": shown})

    async with Odd() as odd, registry.build(Freshdesk, odd.environ()) as made:
        odd.add_ticket("1", "one", id=1)
        if shown == {}:
            assert len([it async for it in made.export(Holding("ticket", "1"))]) == 1
            return
        with pytest.raises(RetryableError):
            [it async for it in made.export(Holding("ticket", "1"))]


async def test_a_field_that_we_do_not_know_is_content_that_stays(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    sandbox.add_contact(email="ann@example.org", nickname="Annie")
    held = (await look(freshdesk, ANN)).holdings[0]
    assert Category.PROFILE in held.categories
    said = await freshdesk.erase(held, KEPT)
    assert said == {Category.PROFILE: NotSupported("unknown")}


async def test_tickets_that_shift_while_they_are_listed_are_all_found(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    """Somebody deletes the first for good while the second page is due."""
    owner = sandbox.add_contact(email="ann@example.org")
    tickets = [sandbox.add_ticket(owner, f"ticket {n}") for n in range(150)]
    listed = 0

    def shifts(response: web.StreamResponse) -> None:
        nonlocal listed
        usual(response)
        listed = sandbox.calls["GET /api/v2/tickets"]
        if listed == 1:
            sandbox.table("ticket").pop(tickets[0], None)

    usual, sandbox.dress = sandbox.dress, shifts  # type: ignore[method-assign]
    assert set(tickets[1:]) <= ids(await look(freshdesk, ANN), "ticket")
    assert listed >= 4


# Erasure.


async def test_a_contact_takes_its_tickets_with_it(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    owner = sandbox.add_contact(email="ann@example.org")
    sandbox.add_ticket(owner, "one", ["Hello"], spam=True)
    held = (await look(freshdesk, ANN)).holdings
    assert [await freshdesk.erase(it) for it in held] == [Erased(), Erased()]
    assert sandbox.state() == {}


async def test_a_ticket_goes_into_the_trash_until_the_vendor_empties_it(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    sandbox.now = lambda: datetime(2026, 3, 1, 12, tzinfo=UTC)
    ticket = Holding("ticket", sandbox.add_ticket("1", "one"))
    first = await freshdesk.erase(ticket)
    sandbox.now = lambda: datetime(2026, 3, 9, 12, tzinfo=UTC)
    assert first == Expires(datetime(2026, 3, 31, 12, tzinfo=UTC))
    assert await freshdesk.erase(ticket) == first
    assert [it.operation for it in sandbox.ledger] == ["delete"]
    assert (await look(freshdesk, ANN, [ticket])).holdings == [ticket]


async def test_a_ticket_that_is_still_there_after_deleting_is_not_done(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    ticket = Holding("ticket", sandbox.add_ticket("1", "one"))
    sandbox.faults.append(Fault(mode="lie", method="DELETE"))
    assert await freshdesk.erase(ticket) == Failed("not_done")


async def test_what_the_api_refuses_goes_to_a_person(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    spam = Holding("ticket", sandbox.add_ticket("1", "one", spam=True))
    blocked = Holding(
        "contact", sandbox.add_contact(email="a@example.org", tags=["x"], state="blocked")
    )
    assert await freshdesk.erase(spam) == NeedsHuman("spam")
    assert await freshdesk.erase(spam, frozenset({Category.USAGE})) == NotSupported("indivisible")
    assert await freshdesk.erase(blocked, KEPT) == NeedsHuman("unblock")


async def test_a_refused_field_fails_and_a_refused_key_raises(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    contact = Holding("contact", sandbox.add_contact(email="ann@example.org"))
    sandbox.faults.append(Fault(status=403, method="DELETE"))
    assert await freshdesk.erase(contact) == Failed("forbidden")
    sandbox.faults.append(Fault(status=400, method="DELETE"))
    assert await freshdesk.erase(contact) == Failed("refused")
    sandbox.faults.append(Fault(status=401, method="DELETE"))
    with pytest.raises(TerminalError):
        await freshdesk.erase(contact)


# Keeping.


async def test_kept_categories_stay_as_they_are_and_the_rest_is_blank(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    id_ = sandbox.add_contact(
        name="Ann",
        email="ann@example.org",
        job_title="Engineer",
        tags=["vip"],
        description="tall",
        custom_fields={"shoe": 42, "news": False},
        devices=[{"os": "Linux"}],
    )
    held = (await look(freshdesk, ANN)).holdings[0]
    before = dict(sandbox.table("contact")[id_])
    expected = {Category.PROFILE: Redacted(), Category.TECHNICAL: NotSupported("fixed")}
    assert await freshdesk.erase(held, KEPT) == expected
    after = sandbox.table("contact")[id_]
    blank: dict[str, Any] = {
        "tags": [],
        "description": None,
        "custom_fields": {"shoe": None, "news": None},
    }
    assert after | {"updated_at": None} == before | blank | {"updated_at": None}
    ledger = list(sandbox.ledger)
    assert await freshdesk.erase(held, KEPT) == expected
    assert sandbox.ledger == ledger


async def test_a_deleted_contact_is_not_brought_back_to_be_changed(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    """If that were all that came of it, it would be live again."""
    sandbox.add_contact(name="Ann", email="ann@example.org", tags=["vip"], state="deleted")
    held = (await look(freshdesk, ANN)).holdings[0]
    assert await freshdesk.erase(held, KEPT) == NeedsHuman("restore")
    assert sandbox.ledger == []
    assert await freshdesk.erase(held) == Erased()


class Vanishing(FreshdeskSandbox):
    """A ticket is purged just before its conversations are asked for."""

    async def _conversations(self, request: web.Request) -> web.Response:
        self.table("ticket").clear()
        return self.refusal(404)


async def test_a_ticket_that_vanishes_while_it_is_exported_is_gone(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    async with Vanishing() as vanishing:
        made = registry.build(Freshdesk, vanishing.environ())
        id_ = vanishing.add_ticket(
            requester_id=vanishing.add_contact(email="ann@example.org"), subject="S"
        )
        async with made:
            assert [it async for it in made.export(Holding("ticket", id_))] == []
    id_ = sandbox.add_ticket(sandbox.add_contact(email="ann@example.org"), "S")
    sandbox.faults.append(Fault(status=404, route="/conversations$"))
    with pytest.raises(TerminalError):  # it is there: something else is wrong
        assert [it async for it in freshdesk.export(Holding("ticket", id_))]


async def test_one_address_stays_where_freshdesk_insists(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    id_ = sandbox.add_contact(name="Ann", email="ann@example.org", phone="+49", tags=["vip"])
    held = (await look(freshdesk, ANN)).holdings[0]
    said = await freshdesk.erase(held, frozenset({Category.PROFILE}))
    assert said == {Category.CONTACT: NotSupported("anchored"), Category.IDENTITY: Redacted()}
    row = sandbox.table("contact")[id_]
    assert (row["name"], row["email"], row["phone"]) == ("Erased", "ann@example.org", None)


async def test_a_contact_that_is_gone_is_erased_whatever_was_to_be_kept(
    freshdesk: Freshdesk,
) -> None:
    assert await freshdesk.erase(Holding("contact", "1"), KEPT) == Erased()


# What Freshdesk should not say.


@pytest.mark.parametrize("body", [{}, "text", None, {"no": "id"}])
async def test_an_answer_of_another_shape_may_be_better_later(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk, monkeypatch: pytest.MonkeyPatch, body: object
) -> None:
    async def wrong(*_: object, **__: object) -> Answer:
        return Answer(200, {}, body)

    held = Holding("contact", sandbox.add_contact(email="ann@example.org"))
    monkeypatch.setattr(freshdesk._http, "get", wrong)
    monkeypatch.setattr(freshdesk._http, "require", wrong)
    for known in ([held], []):
        with pytest.raises(RetryableError):
            await look(freshdesk, ANN, known)


async def test_a_trashed_ticket_without_a_date_may_have_one_later(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    ticket = Holding("ticket", sandbox.add_ticket("1", "one", deleted=True, updated_at=None))
    with pytest.raises(RetryableError):
        await freshdesk.erase(ticket)


async def test_a_list_beyond_freshdesks_last_page_is_not_taken_for_whole(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = freshdesk._reads.kinds
    listing = replace(kinds["ticket"].lists[0], paging=replace(PAGES, last=2))
    monkeypatch.setitem(kinds, "ticket", replace(kinds["ticket"], lists=(listing,)))
    owner = sandbox.add_contact(email="ann@example.org")
    for n in range(201):
        sandbox.add_ticket(owner, f"ticket {n}")
    with pytest.raises(TerminalError, match="more than 2 pages"):
        await look(freshdesk, ANN)


# The sandbox.


async def test_the_sandbox_has_the_vendors_quirks(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    gone = sandbox.add_contact(email="ann@example.org", state="deleted")
    here = sandbox.add_contact(email="bob@example.org", phone="1")
    http = freshdesk._http
    with pytest.raises(TerminalError, match="405 locked"):
        await http.put("/api/v2/contacts/{id}", as_json({"name": "x"}), id=gone)
    for body in ({"nmae": "x"}, {"name": ""}, {"email": None, "phone": None}):
        with pytest.raises(TerminalError, match="400"):
            await http.put("/api/v2/contacts/{id}", as_json(body), id=here)
    with pytest.raises(TerminalError, match="409"):
        await http.put("/api/v2/contacts/{id}", as_json({"email": "Ann@example.org"}), id=here)
    own = sandbox.plant("contact", {"id": int(here) + 1, "email": "own@example.org"})
    assert sandbox.add_contact(email="next@example.org") not in {gone, here, own}
    for query in ({"per_page": "101"}, {"page": "0"}):
        with pytest.raises(TerminalError, match="400"):
            await http.require("/api/v2/contacts", query)
    with pytest.raises(TerminalError, match="400"):
        await http.delete("/api/v2/contacts/{id}/hard_delete", id=here)
    assert await http.put("/api/v2/contacts/{id}/restore", id=here) is None
    answer = await http.require("/api/v2/contacts")
    assert int(here) in {row["id"] for row in answer.body}
    assert int(gone) not in {row["id"] for row in answer.body}
    assert answer.headers["X-Ratelimit-Total"] == "700"
    assert sandbox.ledger == []


async def test_the_sandbox_keeps_the_rate_limit(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    sandbox.limit = Limit(calls=3, per=timedelta(minutes=1))
    await freshdesk.check()
    with pytest.raises(RetryableError) as caught:
        await freshdesk.check()
    assert caught.value.retry_after is not None
    assert timedelta(0) < caught.value.retry_after <= timedelta(seconds=60)


async def test_a_hanging_call_is_served_late(sandbox: FreshdeskSandbox) -> None:
    contact = sandbox.add_contact(email="ann@example.org")
    sandbox.faults.append(Fault(mode="hang", seconds=1.5, method="DELETE", route="hard_delete"))
    settings = Freshdesk.Settings(url=sandbox.url, api_key=sandbox.key, answer_seconds=1)
    async with Freshdesk(settings) as freshdesk:
        with pytest.raises(RetryableError):
            await freshdesk.erase(Holding("contact", contact))
        assert sandbox.state() != {}
        await asyncio.sleep(1)
        assert sandbox.state() == {}  # it was erased after all: asking again must do no harm
        assert await freshdesk.erase(Holding("contact", contact)) == Erased()


async def test_a_deletion_by_a_job_is_answered_at_once_and_done_later(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    sandbox.now = lambda: at
    contact = Holding("contact", sandbox.add_contact(email="ann@example.org"))
    sandbox.delays.option("queue=600")
    assert await freshdesk.erase(contact) == Erased()
    assert (await look(freshdesk, ANN)).holdings == [contact]
    assert sandbox.ledger == []
    at += timedelta(minutes=10)
    assert (await look(freshdesk, ANN, [contact])).gone == [contact]
    assert [it.operation for it in sandbox.ledger] == ["hard_delete"]


async def test_reads_that_lag_show_what_was_there_and_then_what_is(
    sandbox: FreshdeskSandbox, freshdesk: Freshdesk
) -> None:
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    sandbox.now = lambda: at
    contact = Holding("contact", sandbox.add_contact(email="ann@example.org"))
    sandbox.delays.option("lag=60")
    assert await freshdesk.erase(contact) == Erased()
    assert sandbox.state() == {}
    assert (await look(freshdesk, ANN)).holdings == [contact]
    at += timedelta(seconds=61)
    assert (await look(freshdesk, ANN, [contact])).gone == [contact]


@pytest.mark.parametrize("option", ["lag", "queue=soon", "colour=1", "lag=-1"])
async def test_an_option_that_there_is_none_of_is_refused(
    sandbox: FreshdeskSandbox, option: str
) -> None:
    with pytest.raises(ValueError, match="an option is"):
        sandbox.delays.option(option)


def test_a_fault_of_no_known_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="mode is one of"):
        Fault(mode="explode")  # type: ignore[arg-type]  # as it may come over HTTP


# The registry, and the sandbox as a process.


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({}, "HABEAS_FRESHDESK_URL is not set"),
        ({"HABEAS_FRESHDESK_URL": "http://x"}, "HABEAS_FRESHDESK_API_KEY is not set"),
    ],
)
async def test_a_missing_setting_is_named(environ: Mapping[str, str], named: str) -> None:
    with pytest.raises(registry.SettingsError, match=named):
        registry.connect("freshdesk", environ)


def test_an_unknown_system_is_named_beside_the_known() -> None:
    with pytest.raises(registry.NotInstalledError, match=r"acme .*freshdesk"):
        registry.connect("acme", {})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Of every type that a setting may have."""

    url: str
    lists: tuple[str, ...] = ()
    days: int = 30
    live: bool = False


def test_settings_come_from_the_environment_by_type() -> None:
    read = registry.settings(
        "acme-two",
        Settings,
        {
            "HABEAS_ACME_TWO_URL": "http://x",
            "HABEAS_ACME_TWO_LISTS": "a, b,",
            "HABEAS_ACME_TWO_DAYS": "7",
            "HABEAS_ACME_TWO_LIVE": "True",
        },
    )
    assert read == Settings(url="http://x", lists=("a", "b"), days=7, live=True)
    assert registry.settings("acme", Settings, {"HABEAS_ACME_URL": "u"}) == Settings(url="u")


@pytest.mark.parametrize(("name", "text"), [("DAYS", "seven"), ("LIVE", "maybe")])
def test_a_setting_of_the_wrong_type_is_named_and_not_quoted(name: str, text: str) -> None:
    environ = {"HABEAS_ACME_URL": "u", f"HABEAS_ACME_{name}": text}
    with pytest.raises(registry.SettingsError, match=f"HABEAS_ACME_{name}") as caught:
        registry.settings("acme", Settings, environ)
    assert text not in str(caught.value)


async def test_the_sandbox_runs_as_a_process_of_its_own() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "connectors.sdk.sandbox", "freshdesk", "--port", "0", "--option", "lag=0"),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        said = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
        assert await _drive(said["url"]) == ["contact/1", "ticket/2"]
        async with registry.connect("freshdesk", said["environ"]) as freshdesk:
            held = (await look(freshdesk, ANN)).holdings
            assert [it.kind for it in held] == ["contact", "ticket"]
            assert await freshdesk.erase(held[0]) == Erased()
        async with aiohttp.ClientSession(said["url"]) as control:
            assert await _get(control, "/_sandbox/state") == {}
            ledger = await _get(control, "/_sandbox/ledger")
        assert [(it["operation"], it["key"]) for it in ledger["mutations"]] == [
            ("hard_delete", "ticket/2"),
            ("hard_delete", "contact/1"),
        ]
        assert ledger["calls"]["DELETE /api/v2/contacts/{id}/hard_delete"] == 1
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 10) == 0


async def _drive(url: str) -> list[str]:
    objects = [
        {"kind": "contact", "email": "ann@example.org"},
        {"kind": "ticket", "requester_id": 1, "subject": "one", "conversations": ["Hello"]},
    ]
    async with aiohttp.ClientSession(url) as control:
        for path, wrong in (("seed", [{"kind": "cat"}]), ("faults", {"mode": "explode"})):
            async with control.post(f"/_sandbox/{path}", json=wrong) as refused:
                assert refused.status == 400
        async with control.post("/_sandbox/faults", json={"status": 500, "times": None}) as posted:
            assert posted.status == 204
        async with control.get("/api/v2/contacts") as failed:
            assert failed.status == 500
        async with control.delete("/_sandbox/faults") as deleted:
            assert deleted.status == 204
        async with control.get("/api/v2/contacts") as refused:
            assert refused.status == 401
        async with control.post("/_sandbox/seed", json=objects) as seeded:
            keys: list[str] = (await seeded.json())["keys"]
            return keys


async def _get(control: aiohttp.ClientSession, path: str) -> Any:
    async with control.get(path) as answer:
        return await answer.json()
