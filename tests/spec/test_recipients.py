"""Recipients are told: those who process for us are instructed, those who decide are informed."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.app import CONSOLE
from pipeline.response.words import day
from schemas.events import ClaimWithdrawn, RecipientAcknowledged

from .world import World

ANN = "ann@example.org"
PAYPAL, SEGMENT = "dpo@paypal.com", "privacy@twilio.com"
GOOGLE = "data-protection-office@google.com"


def states(world: World) -> dict[tuple[str, str], str]:
    """(recipient, right) -> state, as the latest report has it."""
    rows: list[dict[str, Any]] = world.report().document["recipients"]
    return {(it["recipient"], it["right"]): it["state"] for it in rows}


@pytest.fixture
def ann(world: World) -> str:
    return world.holds("freshdesk", "contact", email=ANN, name="Ann Lee")


async def test_who_asks_for_a_copy_is_asked_for_at_those_who_process_for_us(
    world: World, ann: str
) -> None:
    """GDPR Art. 15, 28(3)(e): a processor assists; who decides alone is to be asked directly."""
    assert ann
    await world.submit("access", email=ANN)
    asked = world.instructions()
    assert {it.to for it in asked} == {GOOGLE, SEGMENT}
    assert all("a copy of all that you hold about them for us" in it.text for it in asked)
    assert all(ANN in it.text for it in asked)
    assert not any("Ann Lee" in it.text for it in asked)
    answer = (await world.answer()).text
    assert f"They were asked for a copy of what they hold about you for us on {day(world.now)}" in (
        answer
    )
    assert "PayPal" in answer
    assert "Not asked: they decide for themselves about what they hold" in answer


async def test_an_erasure_instructs_processors_and_informs_those_who_decide(
    world: World, ann: str
) -> None:
    """GDPR Art. 28(3)(a), 19: an instruction to the one, information to the other."""
    await world.submit("erasure", email=ANN)
    assert world.row("freshdesk", ann) is None
    told = {it.subject.split("[")[0]: it for it in world.instructions()}
    instructed = [it for it in world.instructions() if "We instruct you to erase" in it.text]
    informed = [it for it in world.instructions() if "We inform you of that" in it.text]
    assert {it.to for it in instructed} == {GOOGLE, SEGMENT}
    assert {it.to for it in informed} == {PAYPAL, GOOGLE}
    assert len(told) == 2
    assert states(world) == {
        (it, "erasure"): "asked" for it in ("paypal", "google-analytics", "google-ads", "segment")
    }
    assert ANN not in world.report().html


async def test_nobody_is_told_before_it_is_known_who_asks(world: World, ann: str) -> None:
    """GDPR Art. 12(6), 5(1)(f): an unproved address is nobody's, and goes to nobody."""
    assert ann
    await world.submit("access", "erasure", email=ANN, level=0)
    assert world.instructions() == []
    (mail,) = [it for it in world.mails(to=ANN) if it.link]
    await world.press(mail)
    assert world.instructions()


async def test_nobody_is_told_to_erase_before_the_plan_is_approved(world: World, ann: str) -> None:
    """GDPR Art. 17, 28(3)(a): what is instructed is what was decided."""
    number = int(ann.partition("/")[2])
    for n in range(30):
        world.holds("freshdesk", "ticket", requester_id=number, subject=f"Question {n}")
    await world.submit("erasure", email=ANN)
    assert world.instructions() == []
    await world.approve()
    assert len(world.instructions()) == 4


async def test_an_acknowledgement_is_their_word_and_nothing_is_proved_by_it(
    world: World, ann: str
) -> None:
    """GDPR Art. 19, 5(2): acknowledged on a date, never erased."""
    assert ann
    await world.submit("erasure", email=ANN)
    (mail,) = world.instructions(to=SEGMENT)
    await world.later(days=1)
    await world.press(mail)
    assert states(world)["segment", "erasure"] == "acknowledged"
    report = world.report().text
    assert f"They confirmed on {day(world.now)} that they received it." in report
    assert "whether it is done, we do not know" in report
    before = len(world.instructions(to=SEGMENT))
    await world.later(days=40)
    assert len(world.instructions(to=SEGMENT)) == before


async def test_who_says_nothing_is_reminded_and_then_a_person_sees_to_it(
    world: World, ann: str
) -> None:
    """GDPR Art. 19, 12(3): reminded on day 4 and 12, and inside the month the DPO hears of it."""
    assert ann
    await world.submit("erasure", email=ANN)
    assert len(world.instructions(to=PAYPAL)) == 1
    await world.later(days=5)
    assert len(world.instructions(to=PAYPAL)) == 2
    assert world.instructions(to=PAYPAL)[-1].subject.startswith("Reminder: ")
    await world.later(days=8)
    assert len(world.instructions(to=PAYPAL)) == 3
    assert not [it for it in world.mails() if it.subject.startswith("A recipient")]
    await world.later(days=16)
    assert len(world.instructions(to=PAYPAL)) == 3
    assert set(states(world).values()) == {"unanswered"}
    (notice,) = [it for it in world.mails() if it.subject.startswith("A recipient")]
    assert f"habeas recipients {world.cases[-1]}" in notice.text
    answer = await world.answer()
    assert "This adds to an answer that you have received before." in answer.text
    assert "and reminded twice" in answer.text
    assert "They have not answered. Our Data Protection Officer sees to it." in answer.text
    assert {it["state"] for it in world.report().document["claims"]} == {"partially_fulfilled"}


async def test_what_a_recipient_says_otherwise_the_dpo_records(world: World, ann: str) -> None:
    """GDPR Art. 5(2): who recorded it is in the ledger; the person reads whose word it is."""
    assert ann
    case = await world.submit("erasure", email=ANN)
    await world.later(days=30)
    for it in ("paypal", "google-analytics", "google-ads", "segment"):
        said = RecipientAcknowledged(
            case=case,
            by=CONSOLE,
            recipient=it,
            right="erasure",
            at=world.now,
            says="nothing" if it == "segment" else "done",
        )
        await world.decide(said, evidence="their letter of 1 April")
    answer = (await world.answer()).text
    assert "They say that they hold nothing about you." in answer
    assert "They say that it is done. That is their word: we cannot look there." in answer
    assert {it["state"] for it in world.report().document["claims"]} == {"fulfilled"}


async def test_who_holds_a_copy_to_send_sends_it_before_they_erase(world: World, ann: str) -> None:
    """GDPR Art. 15, 17: the copy first, as in our own systems."""
    assert ann
    await world.submit("access", "erasure", email=ANN)
    erase = [it for it in world.instructions(to=SEGMENT) if "instruct you to erase" in it.text]
    assert ["send us that copy before you erase anything" in it.text for it in erase] == [True]


async def test_for_what_is_withdrawn_nobody_is_told_to_erase(world: World, ann: str) -> None:
    """GDPR Art. 17: what is no longer asked for is asked of nobody."""
    number = int(ann.partition("/")[2])
    for n in range(30):
        world.holds("freshdesk", "ticket", requester_id=number, subject=f"Question {n}")
    case = await world.submit("erasure", email=ANN)
    await world.decide(ClaimWithdrawn(case=case, by=CONSOLE, right="erasure"))
    await world.later(days=40)
    assert world.instructions() == []
