"""A record that the attacker can write to, or is called like, never passes for theirs alone.

Whose a record is the pipeline decides; here the connectors tell it all that it needs for that. In
each script Eve asks for her data, under identifiers that are really hers, and is after Bob's.
"""

from __future__ import annotations

import pytest

from connectors.aws import AwsSandbox
from connectors.freshdesk import FreshdeskSandbox
from connectors.mailgun import MailgunSandbox
from connectors.sdk import registry
from connectors.sdk.conformance import Seen, look
from connectors.sdk.http import witnessed
from connectors.sdk.interface import Holding, Identifier, Subject
from connectors.sdk.sandbox import Sandbox

EVE = Subject((Identifier("email", "eve@example.org"),))
BOBS = "bob@example.org"


async def asks(sandbox: Sandbox, who: Subject, *known: Holding) -> Seen:
    async with registry.connect(sandbox.system, sandbox.environ()) as connector:
        return await look(connector, who, known)


def told(seen: Seen) -> set[tuple[str, str]]:
    """What all that was found says of whose it is: who bears anything else is somebody else too."""
    return {(it.kind, it.value) for held in seen.holdings for it in held.bears}


async def test_eve_adds_bobs_address_to_her_own_support_contact() -> None:
    """An agent merges whatever a customer claims: it stands in the contact, and she may see it."""
    async with FreshdeskSandbox() as sandbox:
        contact = sandbox.add_contact(
            email="eve@example.org",
            name="Eve",
            other_emails=[BOBS],
            unique_external_id="bobs-number",
        )
        sandbox.add_ticket(contact, "Bob's invoice")
        seen = await asks(sandbox, EVE)
    assert told(seen) >= {("email", BOBS), ("user_id", "bobs-number")}
    (ticket,) = [it for it in seen.holdings if it.kind == "ticket"]
    assert ticket.part_of == Holding("contact", contact), "it shares the fate of the contact"


async def test_eve_is_given_a_contact_that_was_bobs() -> None:
    """It was hers when it was found, and its address has changed: his tickets are not listed."""
    async with FreshdeskSandbox() as sandbox:
        contact = sandbox.add_contact(email=BOBS)
        sandbox.add_ticket(contact, "Bob's invoice")
        seen = await asks(sandbox, EVE, Holding("contact", contact))
    assert [it.kind for it in seen.holdings] == ["contact"]
    assert ("email", BOBS) in told(seen)


async def test_eve_writes_a_ticket_in_bobs_name() -> None:
    """By a form with his address in it, while she is logged in."""
    async with FreshdeskSandbox() as sandbox:
        sandbox.add_ticket(sandbox.add_contact(email="eve@example.org"), "one", email=BOBS)
        seen = await asks(sandbox, EVE)
    assert ("email", BOBS) in told(seen)


async def test_eve_signs_up_for_a_newsletter_with_bobs_number() -> None:
    async with MailgunSandbox() as sandbox:
        member = {"list": "news@lists.example.com", "address": "eve@example.org"}
        sandbox.plant("member", {**member, "vars": {"user_id": "bobs-number", "email": BOBS}})
        seen = await asks(sandbox, EVE)
    assert told(seen) >= {("email", BOBS), ("user_id", "bobs-number")}


async def test_eve_takes_the_name_of_a_folder_in_which_others_have_theirs() -> None:
    """Her number is `archive`, and under `exports/archive/` lie the files of everybody."""
    eve = Subject((Identifier("user_id", "archive"),))
    async with AwsSandbox() as sandbox:
        sandbox.prefixes = ("files/exports/{user_id}/", "files/exports/archive/{email}/")
        sandbox.plant("object", {"Bucket": "files", "Key": f"exports/archive/{BOBS}/a"})
        seen = await asks(sandbox, eve)
    assert told(seen) == {("email", BOBS)}


@pytest.mark.parametrize("value", ["..", "../bob", "bob/private", "bob/", "", ".", "bob%2Fprivate"])
async def test_eve_takes_a_name_that_leads_into_bobs_folder(value: str) -> None:
    eve = Subject((Identifier("user_id", value),))
    async with AwsSandbox() as sandbox:
        for key in ("exports/bob/private/a", "exports/bob/a", "exports//a", "a"):
            sandbox.plant("object", {"Bucket": "files", "Key": key})
        assert (await asks(sandbox, eve)).holdings == []


async def test_eve_has_a_mailbox_that_looks_like_bobs() -> None:
    """With the Kelvin sign for a k: whoever lowers it has made his address of it."""
    eve, bobs = Subject((Identifier("email", "bec\u212aett@example.org"),)), "beckett@example.org"
    async with FreshdeskSandbox() as desk, MailgunSandbox() as mail, AwsSandbox() as files:
        desk.add_contact(email=bobs)
        mail.plant("member", {"list": "news@lists.example.com", "address": bobs})
        files.plant("object", {"Bucket": "files", "Key": f"uploads/{bobs}/a"})
        for sandbox in (desk, mail, files):
            assert (await asks(sandbox, eve)).holdings == []


async def test_eve_asks_under_nothing_to_be_shown_everybody() -> None:
    """An empty filter lists all contacts, an empty address is the whole list."""
    values = ("", " ", "\u200b", "\u00ad\u200d ")
    nothing = Subject(tuple(Identifier(kind, it) for kind in ("email", "phone") for it in values))
    async with FreshdeskSandbox() as desk, MailgunSandbox() as mail, AwsSandbox() as files:
        desk.add_contact(email=BOBS, phone="-")
        mail.plant("member", {"list": "news@lists.example.com", "address": BOBS})
        files.plant("object", {"Bucket": "files", "Key": f"uploads/{BOBS}/a"})
        for sandbox in (desk, mail, files):
            with witnessed() as calls:
                assert await asks(sandbox, nothing) == Seen()
            assert calls == [], "nobody was asked about"
