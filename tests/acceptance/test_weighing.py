"""What the law leaves to a person to weigh, by command: an objection to a use, and a review."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from connectors.salesforce.tables import PROCESSING
from pipeline.case.case import Case
from tests.rig import Rig

pytestmark = pytest.mark.asyncio(loop_scope="module")

GROUNDS = "We answer what you asked us in March."


async def submitted(up: Rig, who: str, *what: str) -> UUID:
    """A lead asks for something, on the command line."""
    email = f"{who}@example.org"
    lead = {"kind": "lead", "LastName": "Example", "Company": "Example Ltd", "Email": email}
    up.sandboxes["salesforce"].seed([lead])
    code, out, err = await up.habeas("submit", *what, "--email", email, "--json")
    assert code == 0, err
    return UUID(json.loads(out)["case"])


async def objecting(up: Rig, who: str) -> Case:
    """Somebody objects to a use on our own interest; it waits to be weighed."""
    case = await submitted(up, who, "--claim", "objection", "--purpose", "requested-information")
    known = await up.until(case, lambda it: bool(it.measured))
    items: list[dict[str, Any]] = []
    for _ in range(100):
        code, out, err = await up.habeas("inbox", str(case), "--json")
        assert code == 0, err
        items = json.loads(out)["items"]
        if [it["kind"] for it in items] == ["objection"]:
            return known
    raise AssertionError(items)


def is_restricted(up: Rig, who: str) -> bool:
    rows = up.sandboxes["salesforce"].state()
    mine = next(it for it in rows.values() if it.get("Email") == f"{who}@example.org")
    individual = rows.get(f"individual/{mine['IndividualId']}") if mine["IndividualId"] else None
    return individual is not None and individual[PROCESSING] is True


async def test_a_use_goes_on_once_its_person_has_read_why(up: Rig) -> None:
    case = (await objecting(up, "overridden")).id
    assert is_restricted(up, "overridden")
    lacking = await up.habeas("decide", "override", str(case), "--says", GROUNDS)
    assert lacking[0] == 2
    words = ("--says", GROUNDS, "--evidence", "Balancing of 3 March.")
    code, out, err = await up.habeas("decide", "override", str(case), *words)
    assert code == 0, err
    assert "once its person is told why" in out
    known = await up.until(case, lambda it: not it.is_open)
    assert known.claims["objection_to_use"].state == "partially_fulfilled"
    assert not is_restricted(up, "overridden")
    code, _, err = await up.habeas("decide", "uphold", str(case), "--says", "After all.")
    assert (code, "that was decided already" in err) == (1, True)


async def test_a_use_ends_that_is_objected_to_rightly(up: Rig) -> None:
    case = (await objecting(up, "upheld")).id
    says = ("--says", "We can do without.")
    code, out, err = await up.habeas("decide", "uphold", str(case), *says, "--json")
    assert code == 0, err
    assert json.loads(out)["case"] == str(case)
    known = await up.settled(case)
    assert known.claims["objection_to_use"].state == "fulfilled"
    assert is_restricted(up, "upheld")


async def test_what_no_machine_decides_nobody_reviews(up: Rig) -> None:
    case = await submitted(up, "reviewed", "--claim", "automated_decision")
    await up.settled(case)
    words = ("--confirmed", "--says", "It stands.", "--evidence", "The invoices.")
    code, _, err = await up.habeas("decide", "review", str(case), "credit", *words)
    assert (code, "names no such decision of a machine" in " ".join(err.split())) == (1, True)


async def test_what_is_missing_is_added(up: Rig) -> None:
    added = ("--claim", "rectification", "--add", "phone=+44 20 7946 0018")
    case = await submitted(up, "completed", *added)
    known = await up.settled(case)
    assert {it.outcome.kind for it in known.claims["rectification"].coverage} >= {"rectified"}
    rows = up.sandboxes["salesforce"].state().values()
    (mine,) = (it for it in rows if it.get("Email") == "completed@example.org")
    assert mine["Phone"] == "+44 20 7946 0018"
    code, _, err = await up.habeas(
        "submit", "--claim", "rectification", "--add", "shoe=44", "--email", "a@example.org"
    )
    assert (code, "give DATUM=RIGHT" in " ".join(err.split())) == (2, True)
