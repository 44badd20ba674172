"""Who asks: no more is wanted than is needed, and nobody is taken for another (Art. 12(6))."""

from __future__ import annotations

from connectors.sdk.sandbox import Fault

from .people import ANN, BOB, customer, lead, ticket
from .world import World

OTHER = "ann.private@example.net"


async def test_whom_nobody_vouches_for_is_asked_by_a_link_and_for_no_paper(world: World) -> None:
    """Art. 12(6), 5(1)(c): control of the address is enough; nothing is searched before."""
    held = customer(world)
    await world.submit("erasure", email=ANN, level=0)
    assert not any(world.calls(it) for it in world.systems)
    (mail,) = world.mails()
    assert mail.to == ANN
    assert "identity card" not in mail.text
    assert "16 March 2026" in mail.text
    await world.press(mail)
    assert world.row("freshdesk", held.contact) is None
    assert "Used to search: you confirmed that it is yours." in (await world.answer()).text


async def test_who_is_vouched_for_is_asked_for_nothing_more(world: World) -> None:
    """Art. 12(6): only where there are reasonable doubts."""
    await world.submit("access", email=ANN)
    assert [it.subject.partition(" [")[0] for it in world.mails()] == [
        "We have received your request",
        "The answer to your request is ready",
    ]


async def test_who_does_not_confirm_is_told_so_and_can_ask_again(world: World) -> None:
    """Art. 12(6), 12(4): nothing was searched; how to go on, and whom to complain to."""
    customer(world)
    await world.submit("erasure", email=ANN, level=0)
    await world.later(days=15)
    last = world.mails()[-1]
    assert "We could not confirm who you are" in last.subject
    assert "ask again" in last.text
    assert "You need not send us a copy of an identity card." in last.text
    assert "supervisory authority" in last.text
    assert not any(world.calls(it) for it in world.systems)


async def test_one_person_of_many_addresses_is_found_under_each_that_they_confirm(
    world: World,
) -> None:
    """Art. 11(2), 15: further addresses are asked of the person, and never guessed."""
    world.holds("freshdesk", "contact", email=ANN, other_emails=[OTHER])
    key = lead(world, OTHER)
    await world.submit("erasure", email=ANN)
    row = world.row("salesforce", key)
    assert row is not None
    assert not row.get("IsDeleted")
    (asked,) = world.mails(to=OTHER)
    assert "Please confirm this address" in asked.subject
    await world.press(asked)
    row = world.row("salesforce", key)
    assert row is not None
    assert row["IsDeleted"]


async def test_a_mailbox_of_several_people_discloses_nobodys_to_the_other(world: World) -> None:
    """Art. 12(6), 15(4), 32: what an address alone leads to waits until a person has looked."""
    both = "office@example.org"
    hers = world.holds("freshdesk", "contact", name="Ann Example", email=both)
    ticket(world, hers, "Something private")
    his = world.holds(
        "salesforce", "lead", LastName="Other", FirstName="Bob", Email=both, Company="E"
    )
    await world.submit("access", "erasure", email=both, name="Ann Example")
    text = (await world.answer()).text
    assert world.row("salesforce", his) is not None
    assert "It is not certain whose this is" in text
    assert "Bob" not in text


async def test_while_a_system_is_away_an_address_alone_speaks_for_nothing(world: World) -> None:
    """Art. 12(6), 15(4), 32: who else has the mailbox may be known there alone."""
    both = "office@example.org"
    contact = world.holds("freshdesk", "contact", email=both)
    world.holds("salesforce", "lead", LastName="Other", FirstName="Bob", Email=both, Company="E")
    world.vendors["salesforce"].faults.append(Fault(status=503, times=None))
    await world.submit("access", "erasure", email=both, name="Ann Example")
    await world.later(days=40)
    assert world.row("freshdesk", contact) is not None
    answer = await world.answer()
    assert "It is not certain whose this is" in answer.text
    assert "data/freshdesk.json" not in answer.files


async def test_what_waited_for_a_system_goes_on_once_it_is_back(world: World) -> None:
    """Art. 12(3), 15, 17: nobody else has the address, so it speaks for what bears it."""
    contact = world.holds("freshdesk", "contact", email=ANN)
    ticket(world, contact)
    away = Fault(status=503, times=None)
    world.vendors["salesforce"].faults.append(away)
    case = await world.submit("access", "erasure", email=ANN)
    await world.later(minutes=10)
    assert world.row("freshdesk", contact) is not None
    assert (await world.case(case)).responses == ()
    world.vendors["salesforce"].faults.remove(away)
    await world.later(days=2)
    assert world.row("freshdesk", contact) is None
    assert (await world.answer(1)).records("freshdesk")


async def test_a_strangers_address_in_a_record_of_mine_leads_to_nothing_of_theirs(
    world: World,
) -> None:
    """Art. 15(4), 32: support typed it in; the stranger presses no button."""
    world.holds("freshdesk", "contact", email=ANN, other_emails=[BOB])
    theirs = customer(world, BOB, "Bob Example")
    await world.submit("access", "erasure", email=ANN)
    await world.later(days=20)
    assert world.row("freshdesk", theirs.contact) is not None
    assert world.effects("salesforce") == []
    for n in (1, 2):
        assert "Bob Example" not in (await world.answer(n)).html


async def test_an_address_that_the_form_only_names_is_not_believed(world: World) -> None:
    """Art. 12(6), 32: a rider beside one's own address has to be confirmed there."""
    customer(world, BOB, "Bob Example")
    await world.submit("access", email=ANN, claimed=[BOB])
    assert "Bob Example" not in (await world.answer()).html
    assert [it.subject.partition(" [")[0] for it in world.mails(to=BOB)] == [
        "Please confirm this address"
    ]
