"""When somebody is answered: what leaves at once, what comes before the date, and what moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.sdk.sandbox import Fault
from pipeline.app import CONSOLE
from schemas import events as e

from .world import BEGINS, Mail, World

ANN = "ann@example.org"
DPO = "info@bizxpert.com"
DUE = "2 April 2026"
"""A month after `BEGINS`."""


def of(mails: list[Mail], subject: str) -> list[Mail]:
    """The mails whose subject begins so."""
    return [it for it in mails if it.subject.startswith(subject)]


def told(world: World, days: int) -> list[Mail]:
    """What the DPO was told of the date by so many days after receipt."""
    assert (world.now - BEGINS).days == days
    return [it for it in world.mails(to=DPO) if "answer is" in it.subject]


def silent(world: World, system: str) -> None:
    """A vendor that is away until further notice."""
    world.vendors[system].faults.append(Fault(status=503, times=None))


def many_tickets(world: World) -> str:
    """More than the policy lets pass without a person: a contact with thirty tickets."""
    contact = world.holds("freshdesk", "contact", email=ANN)
    for n in range(30):
        number = int(contact.partition("/")[2])
        world.holds("freshdesk", "ticket", requester_id=number, subject=f"Question {n}")
    return contact


# What leaves at once.


async def test_a_request_is_acknowledged_at_once_with_reference_and_date(world: World) -> None:
    """GDPR Art. 12(2), 12(3)."""
    silent(world, "stripe")
    case = await world.submit("access", "erasure", email=ANN, name="Ann Lee")
    (mail,) = world.mails()
    assert mail.to == ANN
    assert mail.subject == f"We have received your request [{str(case)[:8]}]"
    assert f"You will have our answer by {DUE}" in mail.text
    assert str(case) in mail.text
    assert "Ann" not in mail.text


async def test_an_address_that_nobody_vouches_for_gets_one_mail_which_asks(world: World) -> None:
    """GDPR Art. 12(6), 5(1)(f): whoever reads it may be a stranger."""
    case = await world.submit("erasure", email=ANN, level=0)
    (mail,) = world.mails()
    assert mail.link
    assert str(case) in mail.text
    assert f"An answer to the request is due by {DUE}" in mail.text
    await world.press(mail)
    assert not of(world.mails(), "We have received")


# The date, and how it was counted.


@pytest.mark.parametrize(
    ("received", "due", "said"),
    [
        ("2026-03-05", "5 April 2026", "by law the time ends on 7 April 2026"),
        ("2026-01-31", "28 February 2026", "its last day counts"),
        ("2028-01-31", "29 February 2028", "A month later is 29 February 2028"),
        ("2026-12-31", "31 January 2027", "by law the time ends on 1 February 2027"),
    ],
)
async def test_answer_and_report_show_the_date_and_how_it_was_counted(
    tmp_path: Path, received: str, due: str, said: str
) -> None:
    """Regulation 1182/71 Art. 3(1), 3(2)(c), 3(4): people are told the date before it moves."""
    begins = datetime.fromisoformat(received).replace(hour=15, tzinfo=UTC)
    async with World(tmp_path, systems=("freshdesk",), begins=begins) as world:
        await world.submit("access", email=ANN)
        answer, report = await world.answer(), world.report()
        assert f"Due by law {due}" in answer.text
        for page in (answer, report):
            assert said in page.text
            assert "That day is not counted" in page.text
        assert report.document["steps"][0]["rule"] == "received"
        assert of(world.mails(), "We have received")[0].text.count(due) == 1


# Before the date.


async def test_a_late_system_gets_an_interim_answer_on_time_and_the_rest_by_itself(
    tmp_path: Path,
) -> None:
    """GDPR Art. 12(3); what is known leaves, what is not is said to be unknown, and follows."""
    options = {"search_budget": timedelta(days=60)}
    async with World(tmp_path, systems=("freshdesk", "stripe"), options=options) as world:
        world.holds("freshdesk", "contact", email=ANN, name="Ann")
        silent(world, "stripe")
        await world.submit("access", email=ANN, name="Ann", at=BEGINS - timedelta(days=25))
        assert not of(world.mails(to=ANN), "The answer")
        await world.later(days=1)
        interim = await world.answer()
        assert "This is an interim answer" in interim.text
        assert "Stripe could not be searched: what is held there is unknown." in interim.text
        assert [it["data"]["email"] for it in interim.records("freshdesk")] == [ANN]
        assert len(of(world.mails(to=ANN), "The answer")) == 1
        world.vendors["stripe"].faults.clear()
        world.holds("stripe", "customer", email=ANN)
        await world.later(hours=2)
        final = await world.answer()
        assert "This is our final answer" in final.text
        assert [it["data"]["email"] for it in final.records("stripe")] == [ANN]


async def test_the_dpo_is_reminded_and_then_told_that_it_is_urgent(world: World) -> None:
    """GDPR Art. 12(3): what is open is named, and no person; twice, then urgently, then late."""
    many_tickets(world)
    await world.submit("erasure", email=ANN)
    await world.later(days=16)
    assert told(world, 16) == []
    await world.later(days=2)
    (first,) = told(world, 18)
    assert first.subject.startswith("An answer is due soon")
    assert "a plan waits for approval" in first.text
    assert ANN not in first.text
    await world.later(days=7)
    assert len(told(world, 25)) == 2
    await world.later(days=3, hours=18)
    urgent = told(world, 28)[2]
    assert urgent.subject.startswith("Urgent: an answer is due in days")
    assert DUE in urgent.text
    assert "This is an interim answer" in (await world.answer()).text
    await world.later(days=3)
    assert told(world, 31)[3].subject.startswith("Urgent: an answer is late")


async def test_nobody_is_reminded_of_what_is_answered(world: World) -> None:
    """GDPR Art. 12(3): an answer that is given is not late."""
    await world.submit("access", email=ANN)
    await world.later(days=40)
    assert told(world, 40) == []
    said = {it.subject.partition(" [")[0] for it in world.mails(to=ANN)}
    assert said == {"We have received your request", "The answer to your request is ready"}


async def test_an_interim_answer_says_that_a_plan_waits(world: World) -> None:
    """GDPR Art. 12(3): also where nothing failed, and only a person did not decide."""
    contact = many_tickets(world)
    await world.submit("erasure", email=ANN)
    await world.later(days=29)
    assert "This is not finished yet" in (await world.answer()).text
    await world.approve()
    assert world.row("freshdesk", contact) is None
    assert "This is our final answer" in (await world.answer()).text


async def test_who_never_shows_who_they_are_is_refused_in_time_and_gets_no_answer(
    tmp_path: Path,
) -> None:
    """GDPR Art. 12(4), 12(6): even if people may take longer than the month to show it."""
    async with World(tmp_path, options={"identity_wait": timedelta(days=90)}) as world:
        world.holds("freshdesk", "contact", email=ANN)
        await world.submit("access", email=ANN, level=0)
        await world.later(days=32)
        refused = world.mails(to=ANN)[-1]
        assert refused.subject.startswith("We could not confirm who you are")
        assert "supervisory authority" in refused.text
        assert not await world.said(e.ResponseOrdered)
        assert not world.calls("freshdesk")


async def test_what_came_in_late_is_told_once_and_not_by_every_reminder(world: World) -> None:
    """GDPR Art. 12(3): the month ran before anybody passed the request on."""
    silent(world, "stripe")
    await world.submit("access", email=ANN, at=BEGINS - timedelta(days=24))
    (only,) = world.mails(to=DPO)
    assert only.subject.startswith("An answer is due soon")
    assert "Stripe has not been searched to its end" in only.text


# What moves it.


def extension(world: World, reason: str = "eu-gdpr:A12Complexity") -> e.DeadlineExtended:
    return e.DeadlineExtended(case=world.cases[-1], by=CONSOLE, reason=reason)


async def test_an_extension_is_three_months_from_receipt_and_people_hear_every_month(
    world: World,
) -> None:
    """GDPR Art. 12(3); policy, "Response Time": "keep you updated on our progress"."""
    contact = many_tickets(world)
    await world.submit("erasure", email=ANN)
    await world.later(days=10)
    await world.decide(extension(world))
    (letter,) = of(world.mails(to=ANN), "Your request takes longer")
    assert "It is complex. You will have our answer by 2 June 2026" in letter.text
    await world.later(days=29)
    assert not of(world.mails(), "We are still working")
    assert told(world, 39) == []
    await world.later(days=51)
    progress = of(world.mails(to=ANN), "We are still working on your request")
    assert len(progress) == 2
    assert "2 June 2026" in progress[0].text
    assert "This is an interim answer" in (await world.answer()).text
    await world.approve()
    assert world.row("freshdesk", contact) is None
    answer = await world.answer()
    assert "three months from receipt, not from the first date, are 2 June 2026" in answer.text
    await world.later(days=40)
    assert len(of(world.mails(), "We are still working")) == 2


@pytest.mark.parametrize(("days", "reason"), [(32, "eu-gdpr:A12Complexity"), (5, "")])
async def test_an_extension_without_a_reason_or_after_the_month_is_none(
    world: World, days: int, reason: str
) -> None:
    """GDPR Art. 12(3): "within one month of receipt ..., together with the reasons"."""
    many_tickets(world)
    await world.submit("erasure", email=ANN)
    await world.later(days=days)
    await world.decide(extension(world, reason))
    assert not of(world.mails(), "Your request takes longer")
    assert (await world.case()).due_at.date().isoformat() == "2026-04-02"


async def test_the_time_stands_still_while_the_person_is_asked_what_they_mean(
    world: World,
) -> None:
    """GDPR recital 63: asked at once, answered after eleven days, so eleven days later."""
    many_tickets(world)
    case = await world.submit("erasure", email=ANN)
    await world.later(days=1)
    asked = e.ClockPaused(case=case, by=CONSOLE, why="clarification", at=world.now)
    await world.decide(asked)
    (letter,) = of(world.mails(to=ANN), "We need something from you")
    assert "If you want all of it, say so" in letter.text
    await world.later(days=11)
    there = e.ClockResumed(case=case, by=CONSOLE, why="clarification", at=world.now)
    await world.decide(there)
    (on,) = of(world.mails(to=ANN), "We go on with your request")
    assert "13 April 2026" in on.text
    await world.later(days=17)
    assert not await world.said(e.ResponseOrdered), "no interim answer yet"
    await world.approve()
    said = (await world.answer()).text
    assert "From 3 March 2026 to 14 March 2026 the time stood still" in said
    assert "With the days for which it stood still the date is 13 April 2026" in said


async def test_a_question_that_is_asked_late_stops_nothing(world: World) -> None:
    """GDPR Art. 12(6): without undue delay; more than two working days are not."""
    many_tickets(world)
    case = await world.submit("erasure", email=ANN)
    await world.later(days=3)
    await world.decide(e.ClockPaused(case=case, by=CONSOLE, why="identity", at=world.now))
    await world.later(days=26)
    answer = (await world.answer()).text
    assert "This is an interim answer" in answer
    assert "does not stop the time" in answer
    assert f"Due by law {DUE}" in answer


async def test_the_time_goes_on_by_itself_once_a_person_shows_who_they_are(world: World) -> None:
    """GDPR Art. 12(6)."""
    case = await world.submit("access", email=ANN, level=0)
    (mail,) = world.mails()
    await world.decide(e.ClockPaused(case=case, by=CONSOLE, why="identity", at=world.now))
    assert world.mails() == [mail], "no second mail to who may be a stranger"
    await world.later(days=8)
    await world.press(mail)
    (resumed,) = await world.said(e.ClockResumed)
    assert (resumed.by, resumed.why) == ("policy", "identity")
    assert "Due by law 10 April 2026" in (await world.answer()).text
