"""Breaches: the authority within 72 hours (GDPR Art. 33), and those whom it affects (Art. 34)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from pipeline.case import inbox
from pipeline.case.incident import Clock, Counts, Incident, clock, counts, missing
from pipeline.register import incidents, reading
from pipeline.response.breach_register import Decision, Words, as_document, as_page, line
from schemas import events as e
from schemas.records import VerdictRow

from .breaches import (
    CONSEQUENCES,
    HAPPENED,
    MEASURES,
    affected,
    opened,
    proposed,
    released,
    words,
)
from .people import ANN, BOB, customer, lead
from .world import CODEC, World


async def test_each_of_the_affected_is_told_once_in_plain_words(world: World) -> None:
    """Art. 34(1), (2): the nature of the breach, the contact, the consequences, the measures."""
    incident = await opened(world)
    await affected(world, incident, [ANN, BOB, ANN.upper()])
    assert not world.mails(to=ANN), "nobody is told before the DPO has released the words"
    await released(world, incident)
    (mail,) = world.mails(to=ANN)
    assert all(it in mail.text for it in (HAPPENED, CONSEQUENCES, MEASURES, str(incident)))
    assert "data protection officer at" in mail.text
    assert len(world.mails(to=BOB)) == 1
    known = (await world.case(incident)).incident
    assert known is not None
    assert (counts(known).affected, counts(known).told) == (2, 2)
    secret = (ANN.encode(), BOB.encode(), HAPPENED.encode())
    assert not any(it in record for record in world.on_topics for it in secret)


async def test_the_authority_is_told_within_72_hours_of_awareness_and_nights_count(
    world: World,
) -> None:
    """Art. 33(1): hours from awareness; Regulation 1182/71 moves no end of hours."""
    friday = world.now + timedelta(days=4)
    await world.later(days=4)
    incident = await opened(world, aware_at=friday)
    known = (await world.case(incident)).incident
    assert known is not None
    hours = clock(known, world.now)
    assert hours.due - friday == timedelta(hours=72)
    assert hours.due.weekday() == 0, "a weekend is counted through"
    assert [it.rule for it in hours.steps] == ["hours"]
    assert not hours.is_late


async def test_the_dpo_is_reminded_until_something_is_decided(world: World) -> None:
    """Art. 33(1): after 24, 48 and 60 hours, and at the end of 72; each once."""
    incident = await opened(world)
    assert len(told_to_dpo(world, incident)) == 1, "at once"
    for hours, mails in ((25, 2), (24, 3), (12, 4), (24, 5), (72, 5)):
        await world.later(hours=hours)
        assert len(told_to_dpo(world, incident)) == mails, hours
    assert "72 hours" in told_to_dpo(world, incident)[-1]


async def test_nobody_is_reminded_of_what_is_decided(world: World) -> None:
    """Art. 33(1), 34(1): the authority is told, and so are the affected."""
    incident = await opened(world)
    await affected(world, incident, [ANN])
    await released(world, incident)
    await world.decide(e.AuthorityNotified(case=incident, by="dpo", at=world.now))
    await world.later(days=5)
    assert len(told_to_dpo(world, incident)) == 1


async def test_after_72_hours_the_reasons_for_the_delay_are_demanded(world: World) -> None:
    """Art. 33(1), second sentence: it shall be accompanied by reasons for the delay."""
    incident = await opened(world)
    await world.later(hours=73)
    late = e.AuthorityNotified(case=incident, by="dpo", at=world.now)
    await world.decide(late)
    assert (await hours_of(world, incident)).notified_after is None
    delayed = e.AuthorityNotified(case=incident, by="dpo", at=world.now, delayed=True)
    world.puts_aside = True
    await world.decide(delayed)
    assert refused(world) == ["authority_without_reasons"]
    await world.decide(delayed, says="The log was only read on Thursday.")
    told = await hours_of(world, incident)
    assert told.notified_after is not None
    assert told.is_late


async def test_what_is_told_in_phases_was_notified_when_it_was_first_told(world: World) -> None:
    """Art. 33(4): the information may be provided in phases without undue further delay."""
    incident = await opened(world)
    await world.later(hours=10)
    await world.decide(e.AuthorityNotified(case=incident, by="dpo", at=world.now))
    await world.later(hours=90)
    more = e.AuthorityNotified(case=incident, by="dpo", at=world.now, reference="DPC-4711")
    await world.decide(more)
    told = (await incident_of(world, incident)).authority
    assert told is not None
    assert told.reference == "DPC-4711"
    hours = await hours_of(world, incident)
    assert hours.notified_after is not None
    assert hours.notified_after < timedelta(hours=11)
    assert not hours.is_late


async def test_that_a_risk_is_unlikely_is_reasoned(world: World) -> None:
    """Art. 33(1): unless the breach is unlikely to result in a risk; Art. 33(5): documented."""
    incident = await opened(world)
    no_risk = e.AuthorityNotified(case=incident, by="dpo", at=world.now, how="no_risk")
    world.puts_aside = True
    await world.decide(no_risk)
    assert refused(world) == ["authority_without_reasons"]
    await world.decide(no_risk, says="The file was empty.")
    await world.later(hours=80)
    assert not (await hours_of(world, incident)).is_late


async def test_two_people_waive_and_then_nobody_is_told(world: World) -> None:
    """Art. 34(3): a ground, reasons and evidence, and another person's word for it."""
    incident = await opened(world)
    await affected(world, incident, [ANN])
    digest = await proposed(world, incident, "protected")
    assert "waiver" in await kinds(world, incident)
    waived = e.BreachNoticesWaived(case=incident, by="dpo", proposal=digest, ground="protected")
    world.puts_aside = True
    await world.decide(waived, "another-login")
    assert refused(world) == ["proposed_by_the_same"], "one console is one person"
    ben = world.colleague("ben")
    await world.decide(replace(waived, by=ben), "the-dpo")
    assert refused(world) == ["proposed_by_the_same"] * 2, "one login is one person"
    await world.decide(replace(waived, by=ben), "ben-at-work")
    known = (await world.case(incident)).incident
    assert known is not None
    assert known.waived == "protected"
    await world.later(days=3)
    assert not world.mails(to=ANN)
    assert "telling" not in await kinds(world, incident)


async def test_one_may_not_waive_without_reasons_or_on_a_ground_that_there_is_not(
    world: World,
) -> None:
    """Art. 34(3): it knows three grounds; the policy promises to tell in all other cases."""
    incident = await opened(world)
    world.puts_aside = True
    proposal = e.WaiverProposed(case=incident, by="dpo", at=world.now, ground="inconvenient")
    await world.decide(proposal, says="It is a lot of work.", evidence="none")
    await world.decide(replace(proposal, ground="averted"), says="It is over.")
    assert refused(world) == ["no_ground_for_waiver", "waived_without_reasons_and_evidence"]
    assert (await world.case(incident)).proposal is None


async def test_who_is_told_later_that_a_risk_was_overlooked_is_told(world: World) -> None:
    """Art. 34(4): an authority may require that the affected are told after all."""
    incident = await opened(world)
    await affected(world, incident, [ANN])
    digest = await proposed(world, incident)
    waived = e.BreachNoticesWaived(
        case=incident, by=world.colleague("ben"), proposal=digest, ground="averted"
    )
    await world.decide(waived, "ben-at-work")
    await released(world, incident)
    assert len(world.mails(to=ANN)) == 1


async def test_words_without_consequences_or_measures_are_no_notice(world: World) -> None:
    """Art. 34(2): at least what Art. 33(3)(b), (c) and (d) ask for."""
    incident = await opened(world)
    await affected(world, incident, [ANN])
    world.puts_aside = True
    event = e.BreachNoticesReleased(case=incident, by="dpo", at=world.now)
    await world.decided(event, replace(words(), measures=" "))
    assert refused(world) == ["notice_without_its_words"]
    assert not world.mails(to=ANN)


async def test_whom_no_mail_reaches_is_counted_and_waits_for_a_person(world: World) -> None:
    """Art. 34(1): whoever cannot be written to is affected all the same."""
    incident = await opened(world)
    await affected(world, incident, [ANN, "no address at all"], unreachable=2)
    await released(world, incident)
    many = counts(await incident_of(world, incident))
    assert many == Counts(affected=4, told=1, failed=1, waiting=0, unreachable=2)
    assert (await kinds(world, incident)).count("undelivered") == 2


async def test_it_is_closed_once_a_person_has_told_whom_no_mail_reached(world: World) -> None:
    """Art. 34(1), (3)(c): who has no address is told in another way, and that is taken down."""
    incident = await opened(world)
    await affected(world, incident, [ANN, "no address at all"], unreachable=2)
    await released(world, incident)
    await world.decide(e.AuthorityNotified(case=incident, by="dpo", at=world.now))
    assert [it for it in world.mails(case=incident) if "habeas inbox" in it.text]
    close = e.IncidentClosed(case=incident, by="dpo", at=world.now)
    await world.decide(close, says="Done.")
    assert (await world.case(incident)).state == "incident"
    for item in list(inbox.waiting(await world.case(incident), world.rules)):
        about = item.about
        assert about is not None
        settled = e.ItemSettled(
            case=incident,
            by="dpo",
            at=world.now,
            right=about.right,
            system=about.system,
            kind=about.kind,
            was=about.was,
            how="done",
        )
        await world.decide(settled, evidence="a notice on the front page, 4 March")
    assert not await kinds(world, incident)
    await world.decide(replace(close, at=world.now), says="Done.")
    assert (await world.case(incident)).state == "incident_closed"
    await affected(world, incident, [BOB], named=b"one list more...")
    assert not world.mails(to=BOB), "it is over: another incident is opened for what comes later"


async def test_all_whom_the_systems_hold_are_told_once_each(world: World) -> None:
    """Art. 34(1): who is affected is asked of the systems; one person in two of them is one."""
    for email in (ANN, BOB):
        world.holds("freshdesk", "contact", name="Somebody", email=email)
    lead(world, ANN.upper())
    world.holds("freshdesk", "contact", name="Nobody knows", phone="+44 7700 900118")
    incident = await opened(world)
    sought = e.PeopleSought(
        case=incident, by="dpo", at=world.now, systems=("freshdesk", "salesforce")
    )
    await world.decide(sought)
    await released(world, incident)
    many = counts(await incident_of(world, incident))
    assert many == Counts(affected=3, told=2, unreachable=1)
    assert [len(world.mails(to=it)) for it in (ANN, BOB)] == [1, 1]
    assert "affected" not in await kinds(world, incident)


async def test_a_list_that_did_not_come_whole_is_not_a_small_list(world: World) -> None:
    """Art. 33(1): whom the missing portions name is unknown, and the incident stays open."""
    incident = await opened(world)
    await affected(world, incident, [ANN], 2, 3)
    await affected(world, incident, [ANN], 2, 3)
    await released(world, incident)
    assert missing(await incident_of(world, incident)) == 2
    await world.decide(e.AuthorityNotified(case=incident, by="dpo", at=world.now))
    await world.decide(e.IncidentClosed(case=incident, by="dpo", at=world.now), says="Done.")
    assert (await world.case(incident)).state == "incident"
    for part in (1, 3):
        await affected(world, incident, [BOB], part, 3)
    assert counts(await incident_of(world, incident)).told == 2
    await world.decide(e.IncidentClosed(case=incident, by="dpo", at=world.now), says="Done.")
    assert (await world.case(incident)).state == "incident_closed"


async def test_a_breach_is_in_no_list_of_requests(world: World) -> None:
    """Art. 33(5): it has a register of its own."""
    incident = await opened(world)
    assert [it.id for it in await reading.incidents(world.engine)] == [incident]
    assert not await reading.cases(world.engine)
    await affected(world, incident, [ANN])
    await world.decide(e.ClaimWithdrawn(case=incident, by="dpo", right="access"))
    proof = e.IdentityProved(case=incident, by="dpo", level=2, method="person")
    await world.decide(proof, evidence="a call back")
    other = VerdictRow(tag=b"a tag of somebody", verdict="other")
    await world.decide(e.WhoseDecided(case=incident, by="dpo", verdicts=(other,)))
    assert (await world.case(incident)).state == "incident", "it is no request"


async def test_the_register_says_facts_effects_remedies_and_decisions_and_names_nobody(
    world: World,
) -> None:
    """Art. 33(5): it shall enable the authority to verify compliance."""
    incident = await opened(world)
    await affected(world, incident, [ANN, BOB])
    await released(world, incident)
    known = await world.case(incident)
    assert known.incident is not None
    entries = await reading.entries(world.engine, incident)
    written = await incidents.described(world.engine, CODEC, world.place.keys, incident, entries)
    assert written
    said = Words(
        happened=written[-1].happened,
        consequences=written[-1].consequences,
        measures=written[-1].measures,
    )
    made = [
        Decision(
            at=it.at,
            what=it.name,
            console=it.console,
            roles=it.roles,
            says=it.says,
            evidence=it.evidence,
        )
        for it in await world.decisions(incident)
    ]
    shown = line(incident, known.state, known.incident, said, made, world.now)
    for written_down in (as_page([shown], "X", world.now), as_document([shown], "X", world.now)):
        text = written_down.decode()
        assert all(it in text for it in (HAPPENED, CONSEQUENCES, MEASURES, "Art. 33(1)", "dpo"))
        assert ANN not in text
        assert BOB not in text
    lost = line(incident, known.state, known.incident, None, (), world.now)
    assert "nobody can read it" in lost.happened


async def test_what_went_to_a_stranger_opens_one_incident_and_only_one(world: World) -> None:
    """Art. 33(1), 33(5): the pipeline notices its own breach, and the DPO hears of it at once."""
    person = customer(world)
    case = await world.submit("access", email=ANN)
    await world.answer()
    known = await world.case(case)
    assert world.mails(to=ANN)
    (record,) = [it.tag for it in known.held.values() if it.system == "salesforce"]
    decided = e.WhoseDecided(
        case=case, by="dpo", verdicts=(VerdictRow(tag=record, verdict="other"),)
    )
    await world.decide(decided)
    await world.decide(replace(decided), "the-dpo")
    (found,) = await reading.incidents(world.engine)
    of = await incident_of(world, found.id)
    assert of.suspect == case
    assert of.systems == ("salesforce",)
    assert "contact" in of.categories
    assert of.aware_at == found.received_at
    assert len(told_to_dpo(world, found.id)) == 1
    assert person.record, "what the vendor holds is untouched"
    assert {"authority", "telling", "affected"} <= set(await kinds(world, found.id))


async def test_that_who_asked_was_somebody_else_opens_an_incident_of_all_that_was_shown(
    world: World,
) -> None:
    """Art. 33(1): an answer was sent, and then a person says that it was not them."""
    customer(world)
    case = await world.submit("access", email=ANN)
    shown = {it.system for it in (await world.case(case)).held.values() if it.exported}
    rejected = e.IdentityRejected(case=case, by="dpo", reason="eu-gdpr:A12IdentityFailure")
    await world.decide(rejected, says="She called, and had asked for nothing.")
    (found,) = await reading.incidents(world.engine)
    assert set((await incident_of(world, found.id)).systems) == shown
    assert (await incident_of(world, found.id)).what == "not_who_asked"


async def test_a_letter_that_is_under_way_is_not_called_back(world: World) -> None:
    """Art. 33(1): what is decided between an answer and its letter is a breach as well."""
    customer(world)
    world.stops("notice")
    case = await world.submit("access", email=ANN)
    assert not world.mails(to=ANN)
    verdicts = tuple(
        VerdictRow(tag=it.tag, verdict="other")
        for it in (await world.case(case)).held.values()
        if it.system == "stripe"
    )
    await world.decide(e.WhoseDecided(case=case, by="dpo", verdicts=verdicts))
    (found,) = await reading.incidents(world.engine)
    assert (await incident_of(world, found.id)).systems == ("stripe",)


async def test_what_was_never_shown_is_no_breach(world: World) -> None:
    """Art. 4(12): a record that a person says is another's, before any answer, went to nobody."""
    customer(world)
    world.stops("response")
    case = await world.submit("access", email=ANN)
    known = await world.case(case)
    verdicts = tuple(VerdictRow(tag=it, verdict="other") for it in known.held)
    await world.decide(e.WhoseDecided(case=case, by="dpo", verdicts=verdicts))
    await world.later(days=1)
    assert not await reading.incidents(world.engine)


def refused(world: World) -> list[str]:
    """Why decisions were put aside."""
    return [it.rpartition(": ")[2].partition(" (")[0] for it in world.put_aside]


async def incident_of(world: World, incident: UUID) -> Incident:
    """The incident as its ledger tells it."""
    found = (await world.case(incident)).incident
    assert found is not None
    return found


async def hours_of(world: World, incident: UUID) -> Clock:
    """How its 72 hours stand."""
    return clock(await incident_of(world, incident), world.now)


async def kinds(world: World, incident: UUID) -> list[str]:
    """What of it waits for a person."""
    return [it.kind for it in inbox.waiting(await world.case(incident), world.rules)]


def told_to_dpo(world: World, incident: UUID) -> list[str]:
    """The mails that the DPO had about an incident."""
    shown = f"habeas incident show {incident}"
    return [it.text for it in world.mails(case=incident) if shown in it.text]
