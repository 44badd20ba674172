"""What is left open is on somebody's list until they settle it (GDPR Art. 5(2), 12)."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from connectors.sdk.sandbox import Fault
from pipeline.case import inbox
from pipeline.case.inbox import Item
from pipeline.intake.roles import Role
from schemas import events as e
from schemas.records import VerdictRow

from .world import World

ANN = "ann@example.org"
DPO = "info@bizxpert.com"
REFUSES = Fault(method="DELETE", status=403, times=1000)
SHOWS = "deleted in the vendor's own console, ticket 4711"


async def items(world: World) -> list[Item]:
    """What `habeas inbox` shows of the latest case."""
    return list(inbox.waiting(await world.case(), world.rules))


async def left_open(world: World) -> str:
    """A contact that the vendor does not let us delete; its key."""
    contact = world.holds("freshdesk", "contact", email=ANN)
    world.vendors["freshdesk"].faults.append(REFUSES)
    await world.submit("erasure", email=ANN)
    return contact


async def settled(world: World, item: Item, by: str = "dpo", **how: str) -> None:
    """A person settles an item, as `habeas decide settle` does."""
    assert item.about is not None
    event = e.ItemSettled(
        case=item.case,
        by=by,
        at=world.now,
        right=item.about.right,
        system=item.about.system,
        kind=item.about.kind,
        was=item.about.was,
        how=how.get("how", "done"),
        reason=how.get("reason", ""),
    )
    await world.decide(event, says=how.get("says", ""), evidence=how.get("evidence", SHOWS))


async def test_what_is_open_waits_for_a_person_who_is_told_once_and_reminded(world: World) -> None:
    """Art. 12(3): no case is answered that waits for somebody; they hear of it, and again."""
    await left_open(world)
    (item,) = await items(world)
    assert (item.kind, item.role) == ("open", "reviewer")
    assert item.command == f"habeas decide settle {item.case} {item.id}"
    assert (await world.case()).state == "waits_for_people"
    assert "Each is on the list of our Data Protection Officer" in (await world.answer()).text
    told = world.mails(to=DPO)[0]
    assert "1 thing waits for you in a case" in told.text
    assert f"habeas inbox {item.case}" in told.text
    await world.later(days=20)
    assert len([it for it in world.mails(to=DPO) if "for you in a case" in it.text]) == 1
    await world.later(days=20)
    again = next(it for it in world.mails(to=DPO) if it.subject.startswith("Urgent: nobody has"))
    assert "in a case, as before, until 2 April 2026" in again.text


async def test_what_was_done_by_hand_and_is_seen_to_be_gone_is_proved(world: World) -> None:
    """Art. 5(2), 17: the pipeline looks again, and the supplement says what it saw."""
    contact = await left_open(world)
    (item,) = await items(world)
    world.by_hand("freshdesk", contact)
    await settled(world, item)
    assert await items(world) == []
    text = (await world.answer()).text
    assert "This adds to an answer that you have received before." in text
    assert "Erased. We looked again afterwards, and it was gone." in text
    assert (await world.case()).state == "answered"
    assert "Erasure: fulfilled" in world.report().text


async def test_what_is_still_there_is_not_taken_for_done_whoever_says_so(world: World) -> None:
    """Art. 5(2): a person's word is no proof where we can look."""
    contact = await left_open(world)
    (item,) = await items(world)
    await settled(world, item)
    assert world.row("freshdesk", contact) is not None
    assert [it.about.was.reason for it in await items(world) if it.about] == ["still_there"]
    assert "but we found it again" in (await world.answer()).text
    assert (await world.case()).state == "waits_for_people"


async def test_what_the_pipeline_cannot_see_is_said_to_be_done_by_hand_and_never_proved(
    world: World,
) -> None:
    """Art. 5(2): attested is a state of its own, in the answer and in the report."""
    world.holds("salesforce", "lead", Email=ANN)
    world.vendors["salesforce"].faults.append(Fault(status=403, times=10_000))
    await world.submit("erasure", email=ANN)
    (item,) = await items(world)
    assert item.about is not None
    assert item.about.kind == "system"
    await settled(world, item, evidence="looked for and deleted in their console")
    assert await items(world) == []
    answer = await world.answer()
    assert "A person did this by hand and says so. We could not look for ourselves." in answer.text
    rows = [it for it in world.report().document["coverage"] if it["system"] == "salesforce"]
    assert [it["state"] for it in rows] == ["attested"]
    assert (await world.case()).state == "answered"


async def test_what_cannot_be_done_is_said_with_the_reason_and_waits_for_nobody(
    world: World,
) -> None:
    """Art. 12(4): not doing it has a reason, which the person reads."""
    await left_open(world)
    (item,) = await items(world)
    says = "Their support confirms that closed leads cannot be deleted."
    await settled(world, item, how="not_possible", reason="no_function", says=says, evidence="")
    assert await items(world) == []
    text = (await world.answer()).text
    assert "it cannot be done. The system offers no way to do it, by hand neither." in text
    assert (await world.case()).state == "answered"


async def test_who_says_that_it_is_done_says_how(world: World) -> None:
    """Art. 5(2): without evidence nothing is settled."""
    world.puts_aside = True
    await left_open(world)
    (item,) = await items(world)
    await settled(world, item, evidence=" ")
    assert world.put_aside == ["incident: settled_without_evidence"]
    assert [it.id for it in await items(world)] == [item.id]


async def test_what_was_settled_and_waits_once_more_is_told_once_more(world: World) -> None:
    """Art. 12(3), 12(6): whose records are is decided, and again of what that leads to."""
    further = "roth@example.org"
    world.holds("freshdesk", "contact", email=ANN, other_emails=[further], name="Ann Lee")
    for name in ("Bea Roth", "Cem Duval"):
        world.holds("stripe", "customer", email=further, name=name)
    case = await world.submit("access", email=ANN, name="Ann Lee")
    (before,) = await items(world)
    known = await world.case()
    (tag,) = known.known.keys() - known.proofs.keys()
    same = VerdictRow(tag=tag, verdict="same")
    decided = e.WhoseDecided(case=case, by="dpo", verdicts=(same,))
    await world.decide(decided, evidence="a call back to the number that we have")
    (after,) = await items(world)
    assert (after.kind, after.id, after.says != before.says) == ("whose", before.id, True)
    told = [it for it in world.mails(to=DPO) if it.subject.startswith("Something waits")]
    assert len(told) == 2


async def out_of_reach(world: World) -> None:
    """Somebody whom no letter can be sent to; what they ask for waits for an approval."""
    nowhere = "ann.at.example.org"
    contact = world.holds("freshdesk", "contact", email=nowhere)
    number = int(contact.partition("/")[2])
    for n in range(30):
        world.holds("freshdesk", "ticket", requester_id=number, subject=f"Question {n}")
    await world.submit("erasure", email=nowhere)


async def test_the_dpo_hears_of_what_comes_to_wait_later_as_well(world: World) -> None:
    """Art. 12(3): of each thing once, however many there are in a case."""
    await out_of_reach(world)
    told = [it for it in world.mails(to=DPO) if it.subject.startswith("Something waits")]
    assert len(told) == 1
    await world.approve()
    await world.later(days=1)
    told = [it for it in world.mails(to=DPO) if it.subject.startswith("Something waits")]
    assert len(told) == 2


async def test_what_has_not_failed_cannot_be_settled_ahead(world: World) -> None:
    """Art. 5(2): what fails afterwards is on the list all the same."""
    await out_of_reach(world)
    failed = next(it for it in await items(world) if it.kind == "undelivered")
    assert failed.about is not None
    assert failed.about.kind == "notice 1"
    following = replace(failed, about=replace(failed.about, kind="notice 4"))
    await settled(world, following, world.colleague("rae", Role.REVIEWER))
    assert await world.said(e.ItemSettled) == []
    await world.approve()
    undelivered = [it.about for it in await items(world) if it.kind == "undelivered"]
    assert [it.kind for it in undelivered if it] == ["notice 1", "notice 4"]


async def test_an_item_is_settled_by_whom_it_waits_for(world: World) -> None:
    """Art. 5(2), 38: a reviewer settles what a reviewer may, and the DPO everything."""
    key = f"uploads/{ANN}/half"
    world.holds("aws", "upload", Bucket="files", Key=key, Parts=["half"])
    await left_open(world)
    reviewer = world.colleague("rae", Role.REVIEWER)
    how = {"how": "not_possible", "reason": "no_function", "says": "They offer no way."}
    for by, left in ((reviewer, ["documents"]), ("dpo", [])):
        for it in await items(world):
            await settled(world, it, by, **how)
        assert [it.kind for it in await items(world)] == left


async def test_a_contested_record_is_on_the_list_and_its_case_is_not_answered(
    world: World,
) -> None:
    """Art. 12(6): where several people share an address a person decides, and hears of it."""
    world.holds("freshdesk", "contact", email=ANN, name="Ann Lee")
    world.holds("stripe", "customer", email=ANN, name="Bea Roth")
    case: UUID = await world.submit("access", email=ANN, name="Ann Lee")
    (item,) = await items(world)
    assert (item.kind, item.role, item.command) == ("whose", "dpo", f"habeas whose {case}")
    assert len(world.mails(to=DPO)) == 1
    assert (await world.case()).state == "waits_for_people"


async def test_a_customer_whose_address_nobody_knows_is_told_by_the_dpo_who_says_so(
    world: World,
) -> None:
    """Art. 28(3)(e): we are their processor, so somebody tells them, and it is on the list."""
    key = f"uploads/{ANN}/half"
    world.holds("aws", "upload", Bucket="files", Key=key, Parts=["half"])
    await world.submit("access", email=ANN)
    (item,) = await items(world)
    assert item.kind == "documents"
    assert (await world.case()).state == "waits_for_people"
    await settled(world, item, evidence="a letter to the account's owner")
    assert await items(world) == []
    assert (await world.case()).state == "answered"
