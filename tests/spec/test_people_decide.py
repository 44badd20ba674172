"""What only people decide: refusals by two, fees, identities, withdrawals (GDPR Art. 12)."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from connectors.sdk.sandbox import Fault
from pipeline.case import inbox
from pipeline.case.decisions import EXCESSIVE, IDENTITY_FAILURE, PAID, UNFOUNDED
from pipeline.flow import RESPONSE
from pipeline.settings import Settings
from schemas import events as e
from schemas.records import VerdictRow

from .world import World

ANN = "ann@example.org"
SAYS = "You asked for the same seven times, each time for a payment to stop asking."
SHOWS = "the letters of 3 and 9 February"


async def waiting(world: World, *claims: str) -> UUID:
    """A case whose plan waits for an approval: nothing is erased yet."""
    contact = world.holds("freshdesk", "contact", email=ANN)
    number = int(contact.partition("/")[2])
    for n in range(30):
        world.holds("freshdesk", "ticket", requester_id=number, subject=f"Question {n}")
    return await world.submit(*(claims or ("erasure",)), email=ANN)


async def proposed(world: World, case: UUID, *, fee: int = 0) -> bytes:
    """The DPO proposes to refuse, or to ask for a fee; the digest."""
    event = e.RefusalProposed(
        case=case,
        by="dpo",
        at=world.now,
        reason=EXCESSIVE if fee else UNFOUNDED,
        fee=fee,
        currency="EUR" if fee else "",
    )
    await world.decide(event, says=SAYS, evidence=SHOWS)
    known = await world.case(case)
    assert known.proposal is not None
    return known.proposal.digest


def refused(case: UUID, by: str, proposal: bytes) -> e.RequestRefused:
    return e.RequestRefused(case=case, by=by, reason=UNFOUNDED, proposal=proposal)


async def test_two_people_refuse_and_the_person_reads_why_and_where_to_complain(
    world: World,
) -> None:
    """Art. 12(4), 12(5): reasons, the authority and the courts; the burden of proof is ours."""
    case = await waiting(world)
    digest = await proposed(world, case)
    assert not [it for it in world.mails(to=ANN) if SAYS in it.text]
    assert (await world.case(case)).state == "approval_asked", "one person refuses nothing"
    await world.decide(refused(case, world.colleague("ben"), digest), "ben-at-work")
    letter = world.mails(to=ANN)[-1]
    assert "manifestly unfounded" in letter.text
    assert SAYS in letter.text
    assert "supervisory authority" in letter.text
    assert "court" in letter.text
    assert SHOWS not in letter.text
    assert world.effects("freshdesk") == []
    assert (await world.case(case)).state == "refused"


async def test_who_proposed_it_does_not_confirm_it_from_another_console_either(
    world: World,
) -> None:
    """Art. 12(5): a second person, so another console, another key and another login."""
    world.puts_aside = True
    case = await waiting(world)
    digest = await proposed(world, case)
    await world.decide(refused(case, "dpo", digest), "somebody-else")
    await world.decide(refused(case, world.colleague("ben"), digest), "The-DPO")
    assert len(world.put_aside) == 2
    assert all("proposed_by_the_same" in it for it in world.put_aside)
    assert (await world.case(case)).state == "approval_asked"


async def test_a_refusal_that_nobody_proposed_or_gave_reasons_for_is_none(world: World) -> None:
    """Art. 12(4): it can be published, and is put aside unread."""
    world.puts_aside = True
    case = await waiting(world)
    await world.decide(e.RequestRefused(case=case, by="dpo", reason=UNFOUNDED))
    bare = e.RefusalProposed(case=case, by="dpo", at=world.now, reason=UNFOUNDED)
    await world.decide(bare, says=SAYS)
    await world.decide(bare, evidence=SHOWS)
    often = e.RefusalProposed(case=case, by="dpo", at=world.now, reason="eu-gdpr:Repetitive")
    await world.decide(often, says=SAYS, evidence=SHOWS)
    no_reasons = "incident: refused_without_reasons_and_evidence"
    assert world.put_aside == [
        "incident: nobody_proposed_it",
        no_reasons,
        no_reasons,
        "incident: no_ground_for_refusal",
    ]
    assert (await world.case(case)).proposal is None


async def test_a_fee_is_told_before_and_the_request_rests_until_it_is_paid(world: World) -> None:
    """Art. 12(5)(a): the person hears of it first, and may withdraw."""
    case = await waiting(world)
    digest = await proposed(world, case, fee=1250)
    asked = e.FeeAsked(case=case, by=world.colleague("ben"), proposal=digest)
    await world.decide(asked, "ben-at-work")
    letter = world.mails(to=ANN)[-1]
    assert "12.50 EUR" in letter.text
    assert SAYS in letter.text
    assert "take your request back" in letter.text
    await world.approve(case)
    assert world.effects("freshdesk") == []
    await world.decide(e.FeeSettled(case=case, by="dpo", proposal=digest, how=PAID))
    assert world.effects("freshdesk") != []
    assert "gone" in (await world.answer()).text


async def test_whoever_is_told_of_a_fee_may_withdraw_and_nothing_was_done(world: World) -> None:
    """Art. 12(5), and a withdrawal before anything was done says so."""
    case = await waiting(world)
    digest = await proposed(world, case, fee=1250)
    await world.decide(e.FeeAsked(case=case, by=world.colleague("ben"), proposal=digest), "ben")
    await world.decide(e.ClaimWithdrawn(case=case, by="dpo", right="erasure"))
    letter = world.mails(to=ANN)[-1]
    assert "Nothing had been erased by then." in letter.text
    assert world.effects("freshdesk") == []
    assert (await world.case(case)).state == "withdrawn"


async def test_a_withdrawal_names_the_systems_that_had_acted_and_those_that_may(
    world: World,
) -> None:
    """Art. 12(2): a withdrawal is honoured up to each system's point of no return."""
    world.holds("freshdesk", "contact", email=ANN)
    lead = world.holds("salesforce", "lead", Email=ANN)
    world.vendors["salesforce"].faults.append(Fault(method="DELETE", status=503, times=1000))
    case = await world.submit("erasure", email=ANN)
    await world.decide(e.ClaimWithdrawn(case=case, by="dpo", right="erasure"))
    letter = world.mails(to=ANN)[-1]
    assert "In Freshdesk something had been erased" in letter.text
    assert "Salesforce had been told to erase your data" in letter.text
    world.vendors["salesforce"].faults.clear()
    await world.later(days=3)
    assert world.row("salesforce", lead) is not None, "what can be called back is"
    assert len(await world.said(e.ClaimSettled, case)) == 0


async def test_a_right_that_is_taken_back_alone_is_told_with_what_goes_on(world: World) -> None:
    """Art. 12(2): what was withdrawn, what had been done for it by then, and what is still due."""
    world.holds("freshdesk", "contact", email=ANN)
    world.vendors["salesforce"].faults.append(Fault(status=503, times=10_000))
    case = await world.submit("access", "erasure", email=ANN)
    await world.decide(e.ClaimWithdrawn(case=case, by="dpo", right="access"))
    letter = world.mails(to=ANN)[-1]
    assert letter.subject.startswith("You have withdrawn a part of your request")
    assert "a part of your request: a copy of your personal data." in letter.text
    assert "had been copied from Freshdesk by then" in letter.text
    assert "erased" not in letter.text
    assert "goes on: the erasure of your personal data. You will have our answer by" in letter.text
    assert "had been told of it by us" in letter.text
    world.vendors["salesforce"].faults.clear()
    await world.later(days=2)
    assert "gone" in (await world.answer()).text


async def test_an_erasure_that_is_taken_back_once_the_copy_is_there_says_what_was_done(
    world: World,
) -> None:
    """Art. 12(2): by system, up to its point of no return; and that the rest is answered."""
    world.holds("freshdesk", "contact", email=ANN)
    world.holds("salesforce", "lead", Email=ANN)
    world.vendors["salesforce"].faults.append(Fault(method="DELETE", status=503, times=1000))
    case = await world.submit("access", "erasure", email=ANN)
    await world.decide(e.ClaimWithdrawn(case=case, by="dpo", right="erasure"))
    letter = world.mails(to=ANN)[-1]
    assert "a part of your request: the erasure of your personal data." in letter.text
    assert "In Freshdesk something had been erased" in letter.text
    assert "Salesforce had been told to erase your data" in letter.text
    assert "copied" not in letter.text
    assert "What else you asked for we have answered." in letter.text


async def test_what_is_taken_back_together_is_told_in_one_letter(world: World) -> None:
    """Art. 12(1): nobody reads that something goes on which was withdrawn in the same breath."""
    world.vendors["salesforce"].faults.append(Fault(status=503, times=10_000))
    case = await world.submit("access", "erasure", email=ANN)
    together = ("access", "erasure")
    before = len(world.mails(to=ANN))
    for it in together:
        await world.decide(e.ClaimWithdrawn(case=case, by="dpo", right=it, together=together))
    (letter,) = world.mails(to=ANN)[before:]
    assert letter.subject.startswith("You have withdrawn your request")
    assert "Nothing had been copied by then." in letter.text
    assert "Nothing had been erased by then." in letter.text


async def test_a_decision_on_what_is_not_open_is_none(world: World) -> None:
    """Art. 5(2): nobody is left to believe that something follows from it."""
    case = await waiting(world)
    known = await world.case(case)
    assert known.plan is not None
    (address,) = known.known
    strange = b"nobody here has it"
    of = partial(e.RecipientAcknowledged, case=case, by="dpo", at=world.now, says="done")
    nothing_follows: tuple[e.Event, ...] = (
        e.PlanChanged(case=case, by="dpo", digest=known.plan.digest, leave=(strange,)),
        e.IdentityRejected(case=case, by="dpo", reason=IDENTITY_FAILURE),
        e.IdentityProved(case=case, by="dpo", level=2, method="person", tag=address),
        e.IdentityProved(case=case, by="dpo", level=2, method="person", tag=strange),
        e.WhoseDecided(case=case, by="dpo", verdicts=(VerdictRow(tag=strange, verdict="same"),)),
        of(recipient="acme", right="erasure"),
        of(recipient="paypal", right="access"),
        of(recipient="paypal", right="erasure"),  # nobody told them yet
    )
    for it in nothing_follows:
        await world.decide(it, says="so I believe", evidence=SHOWS)
    assert await world.decisions(case) == []
    assert [type(it) for it in nothing_follows if await world.said(type(it), case)] == []


async def test_what_is_answered_or_withdrawn_is_neither_withdrawn_nor_approved(
    world: World,
) -> None:
    """Art. 12(2): who decides is not told that something ends which has ended already."""
    case = await waiting(world)
    withdrawn = e.ClaimWithdrawn(case=case, by="dpo", right="erasure")
    plan = (await world.case(case)).plan
    assert plan is not None
    await world.decide(withdrawn)
    assert list(inbox.waiting(await world.case(case), world.rules)) == []
    await world.decide(e.PlanApproved(case=case, by="dpo", digest=plan.digest))
    assert world.effects("freshdesk") == []
    answered = await world.submit("access", email=ANN)
    await world.decide(e.ClaimWithdrawn(case=answered, by="dpo", right="access"))
    assert (await world.case(answered)).state == "answered"
    assert await world.said(e.ClaimWithdrawn, answered) == []


async def test_the_key_of_an_answer_that_nobody_will_get_is_destroyed(world: World) -> None:
    """Art. 5(1)(e): whether it was refused or withdrawn."""
    taken_back = await waiting(world)
    await world.decide(e.ClaimWithdrawn(case=taken_back, by="dpo", right="erasure"))
    no = await waiting(world)
    await world.decide(refused(no, world.colleague("ben"), await proposed(world, no)), "ben")
    await world.later(days=1 + Settings().incoming_kept.days)
    for case in (taken_back, no):
        assert [it.purpose for it in await world.said(e.KeyDestroyed, case)] == ["package"]


async def test_an_answer_that_is_owed_keeps_its_key_when_the_rest_is_taken_back(
    world: World,
) -> None:
    """Art. 15: whoever assembles it is away; nothing else of the request is open any more."""
    world.stops(RESPONSE)
    case = await waiting(world, "access", "erasure")
    await world.decide(e.ClaimWithdrawn(case=case, by="dpo", right="erasure"))
    await world.later(days=1 + Settings().incoming_kept.days)
    assert await world.said(e.KeyDestroyed, case) == []


async def test_who_could_not_be_confirmed_is_never_refused_for_good(world: World) -> None:
    """Art. 12(6): the same request goes on once it is known who asks."""
    contact = world.holds("freshdesk", "contact", email=ANN)
    case = await world.submit("erasure", email=ANN, level=0)
    rejected = e.IdentityRejected(case=case, by="dpo", reason=IDENTITY_FAILURE)
    await world.decide(rejected, says="The reply came from another address.")
    assert "could not confirm" in world.mails(to=ANN)[-1].text
    assert world.calls("freshdesk").total() == 0
    proof = e.IdentityProved(case=case, by="dpo", level=2, method="person")
    await world.decide(proof, evidence="a call back to the number that we have")
    await world.approve(case)  # it rests on a person's word
    assert world.row("freshdesk", contact) is None
    assert str(case) in world.mails(to=ANN)[-1].text
    used = "Used to search: our Data Protection Officer confirmed that it is yours."
    assert used in (await world.answer()).text


async def test_a_decision_is_kept_with_who_took_it_in_which_role_and_why(world: World) -> None:
    """Art. 5(2): also when the key that the console sealed it to is long gone."""
    case = await waiting(world)
    await proposed(world, case)
    await world.later(days=200)
    await world.restart()
    (kept,) = await world.decisions(case)
    assert (kept.name, kept.console, kept.roles) == ("refusal_proposed", "dpo", ("dpo",))
    assert (kept.login, kept.says, kept.evidence) == ("the-dpo", SAYS, SHOWS)
