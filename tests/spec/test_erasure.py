"""Erasure: what goes, what stays and why, and that each is said (Art. 17)."""

from __future__ import annotations

from datetime import datetime, timedelta

from connectors.sdk.sandbox import Fault

from .people import ANN, BOB, customer, lead
from .world import BEGINS, World


async def test_of_a_customer_each_category_goes_or_stays_for_a_reason_that_is_said(
    world: World,
) -> None:
    """Art. 17(1), 17(3), 12(4): decided by category; the letter states each, and the remedies."""
    held = customer(world)
    await world.submit("erasure", email=ANN)
    assert world.row("freshdesk", held.contact) is None
    assert world.row("mailgun", held.member) is None
    record = world.row("salesforce", held.record)
    assert record is not None
    assert (record["Email"], record["LastName"]) == (ANN, "Example")
    assert (record["Description"], record["Marketing_Interests__c"]) == (None, None)
    assert world.row("stripe", held.charge) is not None
    text = (await world.answer()).text
    kept = text.partition("Kept")[2]
    assert "GDPR Art. 17(3)" in kept
    assert "Blanked. We looked again afterwards" in text
    assert "supervisory authority" in text
    assert "Erasure: partially fulfilled" in world.report().text


async def test_of_somebody_who_never_bought_nothing_is_kept(world: World) -> None:
    """Art. 17(1)(a), 17(3)(b): without a transaction no tax law asks for anything."""
    key = lead(world)
    payer = world.holds("stripe", "customer", email=ANN, name="Ann")
    await world.submit("erasure", email=ANN)
    row = world.row("salesforce", key)
    assert row is not None
    assert row["IsDeleted"]
    assert world.effects("stripe", payer)
    assert "Kept" not in (await world.answer()).text.partition("What became of your data")[2][:60]
    counts = {it["state"] for it in world.report().document["coverage"]}
    assert "kept" not in counts


async def test_what_lies_in_a_bin_is_dated_and_not_called_erased(world: World) -> None:
    """Art. 17(1), 5(1)(d): what a vendor empties later has a date in the answer."""
    lead(world)
    await world.submit("erasure", email=ANN)
    text = (await world.answer()).text
    assert "It lies in a bin that the system empties by itself." in text
    (gone,) = {it["until"] for it in world.report().document["obligations"]}
    until = datetime.fromisoformat(gone)
    assert timedelta(days=15) <= until - BEGINS <= timedelta(days=18)
    assert f"{until.day} {until:%B %Y}" in text
    assert "Erased." not in text


async def test_what_the_vendor_calls_erased_and_still_shows_is_never_called_erased(
    world: World,
) -> None:
    """Art. 5(2): a second look is the proof; a person has to see to it, and the answer says so."""
    contact = world.holds("freshdesk", "contact", email=ANN)
    world.vendors["freshdesk"].faults.append(Fault(mode="lie", method="DELETE", times=None))
    await world.submit("erasure", email=ANN)
    await world.later(days=2)
    assert world.row("freshdesk", contact) is not None
    text = (await world.answer()).text
    assert "Erased. We looked again afterwards" not in text
    assert "The system said that it was erased, but we found it again." in text


async def test_what_is_blanked_is_said_to_be_blanked_and_never_to_be_anonymous(
    world: World,
) -> None:
    """Art. 4(1), recital 26: a record that keeps its key is still about somebody."""
    customer(world)
    await world.submit("erasure", email=ANN)
    text = (await world.answer()).text
    assert "Blanked." in text
    assert "anonymous" not in text.lower()


async def test_the_wish_to_get_no_marketing_outlives_everything_else(world: World) -> None:
    """Art. 21(3), 17(3): without that entry mail would begin again; the answer says so."""
    wish = world.holds("mailgun", "unsubscribe", domain="mail.example.com", address=ANN)
    member = world.holds("mailgun", "member", list="news@lists.example.com", address=ANN)
    await world.submit("erasure", email=ANN)
    assert world.row("mailgun", wish) is not None
    assert world.row("mailgun", member) is None
    text = (await world.answer()).text
    assert "you do not want our marketing is kept" in text


async def test_a_card_stays_while_its_payment_is_disputed_and_all_else_goes(world: World) -> None:
    """Art. 17(3)(e), 18(1)(c): evidence for a claim is kept, and only that."""
    payer = world.holds("stripe", "customer", email=ANN, name="Ann", description="A note.")
    of = {"customer": payer.partition("/")[2]}
    card = world.holds("stripe", "payment_method", **of, billing_details={"name": "Ann"})
    charge = world.holds("stripe", "charge", **of, disputed=True, created="2026-02-02")
    world.holds("stripe", "dispute", charge=charge.partition("/")[2], status="under_review")
    contact = world.holds("freshdesk", "contact", email=ANN)
    await world.submit("erasure", email=ANN)
    row = world.row("stripe", card)
    assert row is not None
    assert row["billing_details"]["name"] == "Ann"
    assert world.row("freshdesk", contact) is None
    assert "While a payment is disputed" in (await world.answer()).text


async def test_nothing_of_anybody_else_is_touched(world: World) -> None:
    """Art. 17(1), 5(1)(f): the data concerning him or her, and nobody else's."""
    customer(world)
    other = customer(world, BOB, "Bob Example")
    theirs = (
        ("freshdesk", other.contact),
        ("freshdesk", other.ticket),
        ("salesforce", other.record),
        ("stripe", other.payer),
        ("mailgun", other.member),
    )
    before = [world.row(*it) for it in theirs]
    await world.submit("erasure", email=ANN)
    assert [world.row(*it) for it in theirs] == before


async def test_a_vendor_that_is_away_is_unknown_and_never_nothing(world: World) -> None:
    """Art. 12(3), 5(2): the answer is on time, and says which system could not be searched."""
    contact = world.holds("freshdesk", "contact", email=ANN)
    world.vendors["freshdesk"].faults.append(Fault(status=503, times=None))
    await world.submit("access", "erasure", email=ANN)
    await world.later(days=2)
    answer = await world.answer()
    assert "Freshdesk could not be searched: what is held there is unknown." in answer.text
    claims = answer.manifest["predicate"]["claims"]
    assert {it["right"] for it in claims} == {"access", "erasure"}
    assert world.row("freshdesk", contact) is not None
    assert "Erasure: partially fulfilled" in world.report().text
