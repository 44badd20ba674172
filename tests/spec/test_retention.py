"""How long something is kept after an erasure, from which day, under which law, and who says so."""

from __future__ import annotations

import pytest

from connectors.sdk.sandbox import Fault
from pipeline.response import words

from .world import World

ANN = "ann@example.org"
LAST_PAYMENT = "Last payment 4 March 2025, as Stripe has it, + 6 years = 4 March 2031."


def customer(world: World, **subscription: object) -> dict[str, str]:
    """Somebody who paid last on 4 March 2025; what the vendors hold of them, by kind."""
    kept = {"customer": world.holds("stripe", "customer", email=ANN, name="Ann", description="VIP")}
    of = {"customer": kept["customer"].partition("/")[2]}
    kept["charge"] = world.holds("stripe", "charge", **of, created="2025-03-04")
    if subscription:
        kept["subscription"] = world.holds("stripe", "subscription", **of, **subscription)
    return kept


def has(world: World, key: str, name: str, system: str = "stripe") -> object:
    """What a vendor's object has in a field by now; None if it is gone."""
    row = world.row(system, key)
    return None if row is None else row[name]


async def test_what_a_customer_is_called_stays_for_six_years_after_the_end(world: World) -> None:
    """GDPR Art. 17(3)(e), 5(1)(e): the date follows from a fact, and the answer shows how."""
    kept = customer(world, status="canceled", ended_at="2024-11-30")
    await world.submit("erasure", email=ANN)
    assert has(world, kept["customer"], "name") == "Ann"
    assert not has(world, kept["customer"], "description")
    answer = (await world.answer()).text
    assert LAST_PAYMENT in answer
    assert "that year ended 31 December 2025, + 6 years = 31 December 2031." in answer
    told = answer.replace("GDPR Art. 17(3)(b), (e), 5(2), 6(1)(c)", "")  # what we keep of requests
    told = told.replace(
        "GDPR Art. 17(3)(b), 5(2), 6(1)(c)", ""
    )  # and of erasures, by the Union's law
    assert "17(3)(b)" not in told
    assert "Fla. Stat. § 95.11(2)(b)" in answer
    report = world.report()
    assert "last_charge 2025-03-04 (stripe: charge.created) + 6 years = 2031-03-04" in report.text
    periods = [it["outcome"]["period"] for it in report.document["coverage"]]
    assert {(it["system"], it["read"], it["told"]) for it in periods if it} == {
        ("stripe", "charge.created", "2025-03-04")
    }


@pytest.mark.parametrize(
    ("system", "says"),
    [
        ("freshdesk", "Last contact 5 June 2025, as Freshdesk has it, + 6 years = 5 June 2031."),
        ("salesforce", "Last contact 5 June 2025, as Salesforce has it, + 6 years = 5 June 2031."),
    ],
)
async def test_whoever_was_in_touch_later_is_kept_from_then(
    world: World, system: str, says: str
) -> None:
    """Art. 5(1)(e); the policy has two days, the end and the last contact: the later counts."""
    customer(world)
    contact = world.holds(system, "contact", **_reached(system)).partition("/")[2]
    if system == "freshdesk":
        asked = {"requester_id": int(contact), "created_at": "2025-06-05T12:00:00Z"}
        world.holds(system, "ticket", subject="Invoice", **asked)
    else:
        world.holds(system, "event", WhoId=contact, ActivityDate="2025-06-05")
    await world.submit("erasure", email=ANN)
    answer = (await world.answer()).text
    assert says in answer
    assert LAST_PAYMENT not in answer


def _reached(system: str) -> dict[str, str]:
    return {"email": ANN} if system == "freshdesk" else {"Email": ANN}


async def test_while_a_subscription_is_open_the_years_have_not_begun(world: World) -> None:
    """GDPR Art. 13(2)(e), 17: nothing that is subscribed to is cancelled unasked."""
    kept = customer(world, status="active")
    await world.submit("erasure", email=ANN)
    assert has(world, kept["subscription"], "status") == "active"
    answer = (await world.answer()).text
    assert words.UNDATED["relationship_lasts"] in answer
    assert LAST_PAYMENT not in answer


async def test_a_day_that_nobody_can_tell_is_not_guessed(world: World) -> None:
    """Freshdesk cannot be searched: the last contact may have been there. GDPR Art. 5(1)(e)."""
    customer(world)
    world.vendors["freshdesk"].faults.append(Fault(status=403, times=None))
    await world.submit("erasure", email=ANN, name="Ann Example")
    answer = (await world.answer()).text
    assert words.UNDATED["anchor_unknown"] in answer
    assert LAST_PAYMENT not in answer
    kept = [it for it in world.report().document["coverage"] if it["state"] == "kept"]
    assert all(it["outcome"]["until"] or it["outcome"]["reason"] for it in kept)


async def test_what_ended_more_than_six_years_ago_is_kept_no_longer(world: World) -> None:
    """GDPR Art. 17(1)(a), 5(1)(e)."""
    key = world.holds("stripe", "customer", email=ANN, name="Ann")
    world.holds("stripe", "charge", customer=key.partition("/")[2], created="2019-03-04")
    await world.submit("erasure", email=ANN)
    assert has(world, key, "name") != "Ann"
    assert "Last payment" not in (await world.answer()).text


@pytest.mark.parametrize("state", ["canceled", "incomplete_expired"])
async def test_a_trial_without_a_payment_has_no_ground_to_stay(world: World, state: str) -> None:
    """GDPR Art. 17(3): no transaction, no claim, no tax; a lead goes with it."""
    key = world.holds("stripe", "customer", email=ANN, name="Ann")
    world.holds("stripe", "subscription", customer=key.partition("/")[2], status=state)
    lead = world.holds("salesforce", "lead", Email=ANN, LastName="Ann")
    await world.submit("erasure", email=ANN)
    assert has(world, key, "name") != "Ann"
    assert has(world, lead, "IsDeleted", "salesforce") is True
    kept = [it for it in world.report().document["coverage"] if it["state"] == "kept"]
    assert kept == []


async def test_while_a_payment_is_disputed_its_card_is_evidence_and_the_rest_goes(
    world: World,
) -> None:
    """GDPR Art. 17(3)(e), 18(1)(c)."""
    kept = customer(world)
    of = {"customer": kept["customer"].partition("/")[2]}
    card = world.holds("stripe", "payment_method", **of, billing_details={"name": "Ann Holder"})
    world.holds("stripe", "dispute", charge=kept["charge"].partition("/")[2])
    contact = world.holds("freshdesk", "contact", email=ANN)
    await world.submit("erasure", email=ANN)
    assert "Ann Holder" in str(has(world, card, "billing_details"))
    assert world.row("freshdesk", contact) is None
    answer = (await world.answer()).text
    assert "While a payment is disputed, the way it was paid is kept" in answer
    assert words.UNDATED["no_period"] in answer


async def test_that_what_is_kept_is_marked_nowhere_is_said_to_both_readers(world: World) -> None:
    """GDPR Art. 5(1)(b), 18: no promise that nothing in the systems keeps."""
    customer(world)
    await world.submit("erasure", email=ANN)
    assert words.RESTRICTED in (await world.answer()).text
    assert words.RESTRICTED in world.report().text


async def test_where_nothing_is_kept_nothing_is_said_of_its_use(world: World) -> None:
    """GDPR Art. 12(1)."""
    world.holds("freshdesk", "contact", email=ANN)
    await world.submit("erasure", email=ANN)
    assert words.RESTRICTED not in (await world.answer()).text
    assert words.RESTRICTED not in world.report().text
