"""What is told beside a copy is made for this person: what bites for their data, and no more."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipeline import policy

from .people import ANN, customer, lead, ticket
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
    return part(answer, "Your rights", "If you are not content")


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
    assert "The Electoral Register, a public register (Salesforce leads)." in told
    assert "Salesforce does not say of a lead who entered it." in told
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
