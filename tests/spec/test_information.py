"""What is told beside a copy is made for this person: what bites for their data, and no more."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from connectors.sdk.sandbox import Fault
from pipeline import policy

from .people import ANN, BOB, customer, lead, ticket
from .world import Answer, World

AUTOMATED = """
[[automated]]
says = "A machine alone decides whether you may pay by invoice."
logic = "It looks at whether earlier invoices were paid within 30 days."
meaning = "If they were not, you pay before we deliver."
"""


def part(answer: Answer, begins: str, ends: str) -> str:
    """What stands between two headings."""
    return answer.text.partition(begins)[2].partition(ends)[0]


def rights(answer: Answer) -> str:
    return part(answer, "Your rights", "Which of them there are for each sort of data")


def as_data(answer: Answer) -> dict[str, Any]:
    """What the package says of the processing for machines."""
    found: dict[str, Any] = json.loads(answer.files["information.json"])["information"]
    return found


async def copied(world: World) -> Answer:
    await world.submit("access", email=ANN)
    return await world.answer()


async def test_rights_follow_from_the_ground_of_each_use(world: World) -> None:
    """Art. 20(1)(a), 21(1), 7(3): support rests on our interest: objected to, not taken along."""
    world.holds("freshdesk", "contact", name="Ann", email=ANN)
    told = rights(await copied(world))
    assert "object to uses that rest on our interests (Art. 21(1)). This concerns: To" in told
    assert "need technical support" in told
    for it in ("Take along", "Stop marketing", "Withdraw"):
        assert it not in told
    customer(world)
    told = rights(await copied(world))
    taken = told.partition("Take along")[2].partition("Object")[0]
    assert "To process and deliver your order" in taken
    assert "need technical support" not in taken


async def test_a_use_on_several_grounds_is_told_for_each(world: World) -> None:
    """Art. 6(1), 15(1)(a), 13(1)(d): each ground by itself, and of an interest which one."""
    customer(world)
    used = part(await copied(world), "Purposes", "Categories of data")
    order = used.split("To process and deliver your order")[1:]
    assert len(order) == 2
    assert "a contract with you (GDPR Art. 6(1)(b))" in order[0]
    assert "a legitimate interest (GDPR Art. 6(1)(f)): to recover debts due to us" in order[1]


async def test_marketing_is_named_with_the_right_to_end_it(world: World) -> None:
    """Art. 21(2), 21(4): told explicitly, and without a reason to be given."""
    lead(world)
    told = rights(await copied(world)).partition("Stop marketing")[2]
    assert "at any time, without a reason" in told
    assert "To send you other information which we think you might like" in told


async def test_what_rests_on_consent_can_be_withdrawn_and_is_said_to_need_it(world: World) -> None:
    """Art. 6(1)(a), 7(3): third-party marketing, only if they agreed to it."""
    lead(world)
    answer = await copied(world)
    used = part(answer, "Purposes", "Categories of data")
    assert "only if you agreed to it, what others have to offer your consent" in used
    told = rights(answer).partition("Withdraw")[2]
    assert "take back your consent at any time (Art. 7(3)). This concerns: To send you, by" in told


async def test_who_asked_for_one_thing_is_told_that_it_is_for_that_alone(world: World) -> None:
    """Art. 5(1)(b): a demo access or one notification, and nothing else."""
    lead(world)
    used = part(await copied(world), "Purposes", "Categories of data")
    assert "or the one notification, that you asked for, and nothing else" in used
    world.holds("freshdesk", "contact", name="Bob", email="bob@example.com")
    await world.submit("access", email="bob@example.com")
    assert "one notification" not in (await world.answer()).text


async def test_who_cannot_be_asked_is_named_with_what_they_may_have(world: World) -> None:
    """Art. 15(1)(c), 15(2), C-154/21: by name, role, country and safeguard, those of these data."""
    customer(world)
    told = part(await copied(world), "Who receives them", "How long they are kept")
    for it in ("PayPal", "Google (Analytics)", "Twilio (Segment)"):
        assert it in told
    paypal = told.partition("PayPal")[2].partition("Google")[0]
    assert "controller of its own: payments" in paypal
    assert "may have received: Contact, Identity and Transaction" in paypal
    assert "in Luxembourg" in paypal
    freshdesk = told.partition("Freshworks (Freshdesk)")[2].partition("Salesforce")[0]
    assert "processor, on our instructions: support tickets; in United States" in freshdesk
    assert "protected by the EU-US Data Privacy Framework" in freshdesk
    assert "Amazon" not in told


async def test_a_source_is_said_for_sure_perhaps_or_not_known(world: World) -> None:
    """Art. 15(1)(g), 14(2)(f): by name where known; where not, why."""
    contact = world.holds("freshdesk", "contact", name="Ann", email=ANN)
    told = part(await copied(world), "Where they come from", "Decisions by a machine")
    assert "You: when you signed up" in told
    assert "Your devices: cookies and server logs" in told
    for it in ("Stripe", "Companies House", "do not know for sure"):
        assert it not in told
    lead(world)
    ticket(world, contact)
    told = part(await copied(world), "Where they come from", "Decisions by a machine")
    leads = told.partition("Of Salesforce leads we do not know for sure: ")[2]
    assert leads.startswith("Salesforce does not say of a lead who entered it. One or more of")
    assert "The Electoral Register, a public register." in leads
    assert "The Electoral Register" not in told.partition("Of Salesforce leads")[0]
    assert "Perhaps Segment, a provider of technical services: Profile and Usage." in told


async def test_who_answers_is_said_with_address_and_the_notice_that_is_followed(
    world: World,
) -> None:
    """Art. 4(7), 13(1)(a), 13(3): the controller, where it is, and which notice binds it."""
    answer = await copied(world)
    assert "It is at 2630 W Broward Blvd" in answer.text
    assert "The controller is one of these companies: BizXpert, Inc.," in answer.text
    assert "This follows the notice BizXpert Privacy Policy, as published on 29 Nov" in answer.text


async def test_a_decision_by_a_machine_is_told_with_its_logic_and_meaning(tmp_path: Path) -> None:
    """Art. 15(1)(h), 22(3), C-203/22: its logic and what follows, and that a person can decide."""
    known = tmp_path / "policy"
    known.mkdir()
    for name in policy.FILES:
        shutil.copy(Path(policy.__file__).parent / name, known / name)
    with (known / policy.FILES[0]).open("a") as out:
        out.write(AUTOMATED)
    async with World(tmp_path, systems=("stripe",), options={"policy": str(known)}) as world:
        text = (await copied(world)).text
    for it in AUTOMATED.split(chr(34))[1::2]:
        assert it in text
    assert "You may have a person decide instead (GDPR Art. 22)." in text
    assert "names no decision" not in text


async def test_until_when_each_thing_is_kept_is_reckoned_for_this_person(world: World) -> None:
    """Art. 15(1)(d): the period where it has a date, else by what it is determined; no request for
    erasure is needed to learn it.
    """
    customer(world)
    answer = await copied(world)
    told = part(answer, "How long they are kept", "Where they come from")
    assert "Stripe charges Transaction 31 December 2031" in told
    assert "Last payment 4 March 2025, as Stripe has it; that year ended 31 December 2025" in told
    assert "Salesforce contacts Contact and Identity 4 March 2031" in told
    assert "Salesforce contacts Marketing and Profile no date" in told
    tickets = told.partition("Freshdesk tickets")[2]
    assert "no date As long as what it is used for needs it: no rule keeps it longer" in tickets
    kept = {(it["where"], it["until"]) for it in as_data(answer)["retention"]}
    assert ("Stripe charges", "31 December 2031") in kept


async def test_a_lead_is_kept_under_no_rule_for_customers(world: World) -> None:
    """Art. 15(1)(d): nobody is told of a rule that does not apply to them."""
    lead(world)
    told = part(await copied(world), "How long they are kept", "Where they come from")
    assert "six years" not in told
    assert "no rule keeps it longer" in told


async def test_of_each_sort_of_data_it_is_said_which_rights_there_are_and_why_not(
    world: World,
) -> None:
    """Art. 15(1)(e), 20(1), 21(1), 17(1): by basis and by whence it comes, of these data."""
    customer(world)
    answer = await copied(world)
    rows = {(it["where"], it["categories"]): it for it in as_data(answer)["data_sets"]}
    tickets = rows["Freshdesk tickets", "Profile and Usage"]
    assert tickets["take_along"].startswith("No: it is used by neither your consent nor a")
    assert "when you object (Art. 17(1)(c))" in tickets["erase"]
    assert "rule keeps it" not in tickets["erase"]
    notes = rows["Stripe customers", "Profile"]
    assert notes["take_along"] == "No: we worked it out or noted it ourselves."
    invoices = rows["Stripe invoices", "Transaction"]
    assert invoices["take_along"] == "No: it did not come from you."
    payer = rows["Stripe customers", "Contact and Identity"]
    assert payer["take_along"] == "Yes."
    assert payer["erase"].endswith("but not while a rule keeps it, as told above.")
    told = part(answer, "Which of them there are for each sort of data", "If you are not content")
    assert all(it["object"] in told and it["erase"] in told for it in rows.values())


async def test_when_a_recipient_was_told_is_said_and_when_it_received_is_not_known(
    world: World,
) -> None:
    """Art. 15(1)(c), 19: the day where there is one; that nobody wrote it down, where not."""
    customer(world)
    answer = await copied(world)
    told = part(answer, "Who receives them", "How long they are kept")
    segment = told.partition("Twilio (Segment)")[2]
    assert "whether and when, our records do not tell; on 2 March 2026 asked for a copy" in segment
    stripe = told.partition("Stripe processor")[2].partition("PayPal")[0]
    assert "has Contact, Identity, Profile and Transaction, as our search saw" in stripe
    assert "since when, our records do not tell" in stripe
    (paypal,) = (it for it in as_data(answer)["recipients"] if it["name"] == "PayPal")
    assert (paypal["role"], paypal["state"], paypal["told"]) == ("controller", "may_have", [])


async def test_of_whom_nothing_is_found_no_use_recipient_or_source_is_told(world: World) -> None:
    """Art. 12(1), 15(1): what is said has to be true of this person; the request itself is held."""
    answer = await copied(world)
    assert "We found no data about you where we searched, so we know of no use" in answer.text
    assert "Your request itself we keep" in answer.text
    for it in ("Who receives them", "Where they come from", "Purposes", "How long they are kept"):
        assert it not in answer.text
    for it in ("Take along", "Stop marketing", "Withdraw"):
        assert it not in answer.text
    said = as_data(answer)
    assert (said["purposes"], said["recipients"], said["sources"]) == ([], [], [])


async def test_what_could_not_be_searched_is_not_said_to_be_nothing(world: World) -> None:
    """Art. 12(1), 15(1)(c): unknown is not absent, and who stands behind it is named."""
    world.vendors["stripe"].faults.append(Fault(status=503, times=None))
    await world.submit("access", email=ANN)
    await world.later(days=29)
    answer = await world.answer()
    assert "Stripe could not be searched: what we use there, who receives it" in answer.text
    told = part(answer, "Who receives them", "Decisions by a machine")
    assert "could not be searched to the end: what it has of yours is not known" in told
    assert "Salesforce" not in told


async def test_who_only_objects_is_told_that_nothing_was_looked_for(world: World) -> None:
    """Art. 12(1), 21: an objection needs no search, so nothing is said of what is held."""
    customer(world)
    await world.submit("objection", email=ANN)
    answer = await world.answer()
    assert (
        "needed no search of our systems, so this answer does not say what we hold" in answer.text
    )
    assert "We found no data about you" not in answer.text


async def test_after_an_erasure_only_what_is_left_is_told_of(world: World) -> None:
    """Art. 12(1), 17, 18(2): what is gone is used for nothing, what is kept for that alone."""
    customer(world)
    await world.submit("erasure", email=ANN)
    await world.later(days=29)
    answer = await world.answer()
    used = part(answer, "Purposes What for", "Categories of data")
    assert "and for nothing else (GDPR Art. 18(2))" in used
    assert "offers" not in used
    names = {it["name"] for it in as_data(answer)["recipients"]}
    assert "Freshworks (Freshdesk)" not in names
    assert "Stripe" in names
    assert "Stop marketing" not in answer.text


async def test_the_notice_of_the_day_of_the_request_and_that_of_today(tmp_path: Path) -> None:
    """Art. 13(3), 15(1), 5(2): both are named where they differ, and else one."""
    old, new = tmp_path / "old", tmp_path / "new"
    for folder, version in ((old, "published on 1 May 2026"), (new, "published on 1 June 2026")):
        folder.mkdir()
        for name in policy.FILES:
            shutil.copy(Path(policy.__file__).parent / name, folder / name)
        file = folder / policy.FILES[0]
        file.write_text(file.read_text().replace("as published on 29 November 2026", version))
    async with World(tmp_path, systems=("stripe",), options={"policy": str(old)}) as world:
        first = await world.submit("access", email=ANN, level=0)  # waits for their confirmation
        (mail,) = world.mails(to=ANN)
        await world.restart(policy=str(new))
        second = await world.submit("access", email=BOB)
        await world.press(mail)
        pinned, later = await world.answer(case=first), await world.answer(case=second)
    assert "Policy, published on 1 May 2026, which was in force when you asked." in pinned.text
    assert "In force today is BizXpert Privacy Policy, published on 1 June 2026." in pinned.text
    assert as_data(pinned)["notice_today"].endswith("published on 1 June 2026")
    assert (
        "This follows the notice BizXpert Privacy Policy, published on 1 June 2026." in later.text
    )
    assert "In force today" not in later.text


async def test_of_what_may_be_somebody_elses_no_use_is_told(world: World) -> None:
    """Art. 12(1), 15(4): it is named as uncertain, and not as theirs."""
    world.holds("freshdesk", "contact", name="Ann Example", email=ANN)
    world.holds("salesforce", "lead", LastName="Other", FirstName="Bob", Email=ANN, Company="E")
    await world.submit("access", email=ANN, name="Ann Example")
    answer = await world.answer()
    assert "it is not certain whose it is, as told above: of that nothing is told" in answer.text
    said = as_data(answer)
    assert not [it for it in said["purposes"] if "Salesforce" in it["where"]]
    assert "Salesforce" not in {it["name"] for it in said["recipients"]}


async def test_what_is_to_go_is_not_said_to_be_kept(world: World) -> None:
    """Art. 15(1)(d), 17: in the answer to an erasure, what is open is no longer kept on purpose."""
    contact = world.holds("freshdesk", "contact", name="Ann Example", email=ANN)
    world.vendors["freshdesk"].faults.append(Fault(status=403, method="DELETE", times=None))
    await world.submit("erasure", email=ANN)
    await world.later(days=29)
    assert world.row("freshdesk", contact) is not None
    kept = as_data(await world.answer())["retention"]
    assert {it["says"] for it in kept} == {
        "No rule keeps it: it is to go. What became of it is told above."
    }
