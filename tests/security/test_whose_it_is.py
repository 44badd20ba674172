"""Whose data it is: what somebody else wrote beside one's own address moves nobody's data.

Each test says what the attacker has, what they try, and what must happen; the victim is in three
systems. On real Kafka, against the sandboxes, with nobody of the pipeline replaced.
"""

from __future__ import annotations

import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from pipeline import app
from pipeline.case.case import Case
from schemas.records import Person, SealedIdentifier
from tests.rig import Rig

pytestmark = pytest.mark.asyncio(loop_scope="module")
BOTH = ("access", "erasure")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    folder = tmp_path_factory.mktemp("whose")
    async with Rig(folder, systems=("freshdesk", "salesforce", "stripe")) as made:
        made.run("up")
        yield made


class Victim:
    """Somebody in three systems, under one address and one user id. They ask for nothing."""

    def __init__(self, rig: Rig, name: str) -> None:
        self.email, self.user, self.secret = f"{name}@example.org", f"user-{name}", f"SECRET-{name}"
        freshdesk, salesforce, stripe = (rig.sandboxes[it] for it in rig.systems)
        (self.contact,) = freshdesk.seed(
            [{"kind": "contact", "name": f"Vera {self.secret}", "email": self.email}]
        )
        number = int(self.contact.partition("/")[2])
        (self.ticket,) = freshdesk.seed(
            [{"kind": "ticket", "requester_id": number, "subject": self.secret}]
        )
        (self.record,) = salesforce.seed(
            [
                {
                    "kind": "contact",
                    "FirstName": "Vera",
                    "LastName": self.secret,
                    "Email": self.email,
                    "User_Id__c": self.user,
                }
            ]
        )
        self.record_id = self.record.partition("/")[2]
        (self.case,) = salesforce.seed(
            [{"kind": "case", "ContactId": self.record_id, "Subject": self.secret}]
        )
        (self.customer,) = stripe.seed(
            [
                {
                    "kind": "customer",
                    "name": f"Vera {self.secret}",
                    "email": self.email,
                    "metadata": {"user_id": self.user},
                }
            ]
        )
        self.keys = (
            *(self.contact, self.ticket),
            *(self.record, self.case, self.customer),
        )


def attacker(rig: Rig, name: str, **lead: str) -> tuple[str, str]:
    """Somebody with an address of their own, and a web form's lead that they filled in."""
    email = f"{name}@example.org"
    (key,) = rig.sandboxes["salesforce"].seed(
        [
            {
                "kind": "lead",
                "FirstName": "Mallory",
                "LastName": name,
                "Company": "Own",
                "Email": email,
                **lead,
            }
        ]
    )
    return email, key


async def asked(rig: Rig, *levels: tuple[str, str, int], name: str = "Mallory") -> Case:
    """A request for a copy and erasure by (kind, value, level), answered."""
    case = uuid4()
    person = Person(
        name=name,
        identifiers=tuple(
            SealedIdentifier(tag=b"", kind=kind, value=value) for kind, value, _ in levels
        ),
        levels=tuple(level for _, _, level in levels),
    )
    async with app.local_edge(rig.settings) as edge:
        await edge.request(case, BOTH, person, level=2, received_at=datetime.now(UTC))
    return await rig.settled(case)


async def brought(rig: Rig, case: Case) -> str:
    """Everything that all answers of a case say, pages and data."""
    said = ""
    for it in case.responses:
        path = await _opened(rig, case.id, it.n)
        with zipfile.ZipFile(path) as package:
            said += "".join(package.read(name).decode() for name in package.namelist())
    return said


async def _opened(rig: Rig, case: UUID, n: int) -> Path:
    path = rig.folder / f"{case}-{n}.zip"
    async with app.register(rig.settings) as engine:
        await app.open_response(rig.settings, engine, case, n, path)
    return path


def contested(case: Case) -> set[tuple[str, str]]:
    """What waits for a person to say whose it is: (system, kind)."""
    return {
        (it.system, it.kind)
        for it in case.claims["erasure"].coverage
        if it.outcome.reason == "whose_is_it"
    }


async def untouched(rig: Rig, case: Case, victim: Victim) -> bool:
    """Whether nothing of a victim's was changed, and nothing of it is in an answer."""
    done = rig.effects(*victim.keys)
    return not any(done.values()) and victim.secret not in await brought(rig, case)


async def test_a_lead_with_somebodys_user_id_moves_nothing_of_theirs(rig: Rig) -> None:
    """The attacker has a web form, and types a stranger's user id into it beside their own
    address. The lead waits for a person; nobody is searched with that id.
    """
    victim = Victim(rig, "leadvictim")
    email, lead = attacker(rig, "leadattacker", User_Id__c=victim.user)
    case = await asked(rig, ("email", email, 2))
    assert contested(case) == {("salesforce", "lead")}
    assert rig.effects(lead) == {lead: []}
    assert await untouched(rig, case, victim)


async def test_a_lead_that_was_converted_into_somebodys_contact_leads_to_nobody(rig: Rig) -> None:
    """The attacker's lead was merged, by mistake or trick, into a stranger's contact."""
    victim = Victim(rig, "mergevictim")
    email, _ = attacker(
        rig, "mergeattacker", IsConverted="true", ConvertedContactId=victim.record_id
    )
    case = await asked(rig, ("email", email, 2))
    assert ("salesforce", "contact") in contested(case)
    assert ("salesforce", "case") not in contested(case)  # it was not even listed
    assert await untouched(rig, case, victim)


async def test_a_contact_with_somebodys_further_address_waits_with_all_its_tickets(
    rig: Rig,
) -> None:
    """The attacker has an agent add a stranger's address to their own support contact, so that
    the stranger's next mails become tickets of that contact.
    """
    victim = Victim(rig, "supportvictim")
    email = "supportattacker@example.org"
    freshdesk = rig.sandboxes["freshdesk"]
    (contact,) = freshdesk.seed(
        [{"kind": "contact", "name": "Mallory", "email": email, "other_emails": [victim.email]}]
    )
    (ticket,) = freshdesk.seed(
        [
            {
                "kind": "ticket",
                "requester_id": int(contact.partition("/")[2]),
                "subject": f"From the stranger: {victim.secret}",
            }
        ]
    )
    case = await asked(rig, ("email", email, 2))
    assert contested(case) == {("freshdesk", "contact"), ("freshdesk", "ticket")}
    assert rig.effects(contact, ticket) == {contact: [], ticket: []}
    assert await untouched(rig, case, victim)


async def test_a_second_address_in_a_request_rides_along_with_no_proof(rig: Rig) -> None:
    """The attacker proves one address and names another one's in the same request. A link goes
    there, nobody presses it, and the answer says that it was not used.
    """
    victim = Victim(rig, "ridevictim")
    email, _ = attacker(rig, "rideattacker")
    case = await asked(
        rig, ("email", email, 2), ("email", victim.email, 0), ("user_id", victim.user, 0)
    )
    assert not contested(case)
    assert await untouched(rig, case, victim)
    assert "Not used" in await brought(rig, case)
    to = {str(mail["To"]) for mail in rig.mails(case.id)}
    assert victim.email in to
    await rig.wait_for(lambda: not any(rig.effects(*victim.keys).values()))


async def test_who_shares_an_address_gets_what_is_theirs_alone(rig: Rig) -> None:
    """The attacker and a stranger write from one mailbox. What bears the attacker's own name is
    theirs; what bears the other's, or none, waits.
    """
    shared = "office@shared.example.org"
    salesforce, stripe = rig.sandboxes["salesforce"], rig.sandboxes["stripe"]
    mine, other = salesforce.seed(
        [
            {"kind": "lead", "FirstName": first, "LastName": "X", "Company": "X", "Email": shared}
            for first in ("Mallory", "Vera")
        ]
    )
    (nameless,) = stripe.seed(
        [{"kind": "customer", "email": shared, "description": "SECRET-shared"}]
    )
    case = await asked(rig, ("email", shared, 2), name="Mallory X")
    assert contested(case) == {("salesforce", "lead"), ("stripe", "customer")}
    assert rig.effects(other, nameless) == {other: [], nameless: []}
    assert rig.effects(mine)[mine]
    assert "SECRET-shared" not in await brought(rig, case)


async def test_a_look_alike_mailbox_is_somebody_elses(rig: Rig) -> None:
    """The attacker owns a mailbox whose address looks like a stranger's: a Kelvin sign for a k."""
    victim = Victim(rig, "kelvin")
    case = await asked(rig, ("email", "\u212aelvin@example.org", 2))
    assert not case.held
    assert await untouched(rig, case, victim)
