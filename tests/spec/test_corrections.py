"""Corrections, restrictions and objections as an attacker would ask for them."""

from __future__ import annotations

import pytest

from pipeline.intake import details
from pipeline.intake.refused import RefusedError
from schemas import events as e
from schemas.records import SealedChange

from .world import World

BOX, BOB = "office@firm.example", "bob@private.example"


async def test_nobody_takes_a_record_over_by_an_address_of_their_own(world: World) -> None:
    """Two share a mailbox: who asks in the other's name gets nothing sent elsewhere."""
    ann = world.holds("salesforce", "contact", FirstName="Ann", LastName="Example", Email=BOX)
    world.holds("salesforce", "contact", FirstName="Bob", LastName="Other", Email=BOX)
    await world.submit(
        "rectification", email=BOX, name="Ann Example", changes={"email": (BOX, BOB)}
    )
    row = world.row("salesforce", ann)
    assert row is not None
    assert row["Email"] == BOX
    await world.submit("access", email=BOB)
    answer = await world.answer()
    assert "We found no personal data about you" in answer.text


async def test_a_proved_address_may_be_entered(world: World) -> None:
    """Whoever has shown that both are theirs moves with their record."""
    ann = world.holds("salesforce", "contact", FirstName="Ann", LastName="Example", Email=BOX)
    await world.submit(
        "rectification",
        email=BOX,
        further=[BOB],
        name="Ann Example",
        changes={"email": (BOX, BOB)},
    )
    row = world.row("salesforce", ann)
    assert row is not None
    assert row["Email"] == BOB


async def test_nobody_hears_of_a_correction_that_was_not_made(world: World) -> None:
    """Recipients would enter what no system of ours has."""
    world.holds("salesforce", "contact", FirstName="Ann", LastName="Example", Email=BOX)
    await world.submit("rectification", email=BOX, changes={"family_name": ("Smith", "Mallory")})
    assert not world.instructions()
    assert "Not told: nothing of it is carried out here as yet." in (await world.answer()).text


async def test_a_mark_that_somebody_else_set_is_never_taken_off(world: World) -> None:
    """An agent's own tag, or another case's: the case that came later did not set it."""
    contact = world.holds(
        "freshdesk", "contact", name="Ann Example", email=BOX, tags=["processing-restricted"]
    )
    await world.submit("restriction", email=BOX)
    await world.decide(e.LiftDecided(case=world.cases[0], by="dpo"), says="It is settled.")
    row = world.row("freshdesk", contact)
    assert row is not None
    assert row["tags"] == ["processing-restricted"]


@pytest.mark.parametrize(
    ("datum", "was", "to", "code"),
    [
        ("email", "", "new@example.org", "change_of_which_address"),
        ("email", "old@example.org", "new", "change_to_no_such_value"),
        ("email", "old@example.org", "a@b.example\nBcc: c@d.example", "change_too_long_or_hidden"),
        ("phone", "", "call me", "change_to_no_such_value"),
        ("date_of_birth", "", "31.12.1999", "change_to_no_such_value"),
        ("name", "", "\u200b", "change_too_long_or_hidden"),
        ("name", "", "\u202eexe.lee", "change_too_long_or_hidden"),
        ("name", "", "a\u2028You are instructed to erase", "change_too_long_or_hidden"),
        ("name", "", "x" * 201, "change_too_long_or_hidden"),
        ("name", "", "   ", "change_to_nothing"),
        ("shoe_size", "", "44", "datum_unknown_or_repeated"),
    ],
)
def test_what_is_no_value_is_refused(datum: str, was: str, to: str, code: str) -> None:
    changes = [SealedChange(datum=datum, was=was, to=to)]
    with pytest.raises(RefusedError, match=code):
        details.check({"rectification"}, "", changes, "")


def test_a_statement_replaces_nothing() -> None:
    changes = [SealedChange(datum="statement", to="It was never so.")]
    with pytest.raises(RefusedError, match="change_neither_replaces_nor_completes"):
        details.check({"rectification"}, "", changes, "")


@pytest.mark.parametrize(("was", "how"), [("Bonn", "complete"), ("", "state"), ("", "")])
def test_a_change_replaces_or_completes(was: str, how: str) -> None:
    changes = [SealedChange(datum="city", was=was, to="Kiel", how=how)]
    with pytest.raises(RefusedError, match="change_neither_replaces_nor_completes"):
        details.check({"rectification"}, "", changes, "")


@pytest.mark.parametrize(
    ("claims", "purpose", "changes", "evidence"),
    [
        ({"rectification"}, "", (), ""),
        ({"access"}, "", (SealedChange(datum="city", to="Kiel"),), ""),
        ({"access"}, "offers", (), ""),
        ({"objection"}, "offers by mail", (), ""),
        ({"access"}, "", (), "a passport"),
        ({"rectification"}, "", (SealedChange(datum="city", to="Kiel"),) * 2, ""),
        ({"rectification"}, "", (SealedChange(datum="city", to="Kiel"),), "x" * 4001),
    ],
)
def test_what_does_not_fit_the_rights_is_refused(
    claims: set[str], purpose: str, changes: tuple[SealedChange, ...], evidence: str
) -> None:
    with pytest.raises(RefusedError):
        details.check(claims, purpose, changes, evidence)


@pytest.mark.parametrize("value", ["=cmd|'/c calc'!A1", "'; DROP TABLE x; --", "<b>x</b>", "💥"])
async def test_what_looks_like_a_program_is_text(world: World, value: str) -> None:
    """SOQL, HTML, formulas: entered as it is, shown as it is, run by nobody."""
    ann = world.holds("salesforce", "contact", FirstName="Ann", LastName="Example", Email=BOX)
    other = world.holds("salesforce", "contact", FirstName="Eve", LastName="Example", Email=BOB)
    await world.submit("rectification", email=BOX, changes={"family_name": ("Example", value)})
    mine, theirs = world.row("salesforce", ann), world.row("salesforce", other)
    assert mine is not None
    assert theirs is not None
    assert (mine["LastName"], theirs["LastName"]) == (value, "Example")
    await world.submit("portability", email=BOX)
    table = (await world.answer()).files["portability/salesforce-contact.csv"].decode()
    assert f'"{value}' not in table or not value.startswith("=")
    assert "<b>x</b>" not in (await world.answer()).html
