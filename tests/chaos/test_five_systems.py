"""Five systems at once: one fails or changes, and neither the others nor the truth suffer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from connectors.sdk.sandbox import Fault, Mode
from pipeline import flow
from pipeline.case.case import Case
from tests.rig import FIVE, Rig, plant, states

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def five(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    options = {"HABEAS_VENDOR_WAIT": "3"}  # after which a plan is made without the slow ones
    async with Rig(tmp_path_factory.mktemp("five"), systems=FIVE, options=options) as rig:
        rig.run("up")
        yield rig


@dataclass(frozen=True)
class Held:
    """Somebody who is in all five, by system: what must go."""

    email: str
    name: str
    keys: dict[str, tuple[str, ...]]

    def left(self, rig: Rig) -> set[str]:
        """The systems where something of theirs is still as it was."""
        return {
            system
            for system, keys in self.keys.items()
            for key in keys
            if rig.sandboxes[system].state().get(key, {"IsDeleted": True}).get("IsDeleted")
            is not True
        }


def everywhere(rig: Rig, who: str) -> Held:
    """Put somebody into all five, who bought nothing; a file's path alone does not name them."""
    email, name = f"{who}@example.org", f"Some {who}"
    news, lead = "news@lists.example.com", {"FirstName": "Some", "LastName": who, "Company": "E"}
    rows: dict[str, list[dict[str, Any]]] = {
        "aws": [{"kind": "object", "Bucket": "files", "Key": f"uploads/{email}/a", "Body": "a"}],
        "freshdesk": [{"kind": "contact", "email": email, "name": name}],
        "mailgun": [{"kind": "member", "list": news, "address": email, "name": name}],
        "salesforce": [{"kind": "lead", "Email": email, **lead}],
        "stripe": [{"kind": "customer", "email": email, "name": name}],
    }
    keys = {system: tuple(rig.sandboxes[system].seed(it)) for system, it in rows.items()}
    contact = int(keys["freshdesk"][0].partition("/")[2])
    ticket = {"kind": "ticket", "requester_id": contact, "subject": "How do I export?"}
    keys["freshdesk"] += tuple(rig.sandboxes["freshdesk"].seed([ticket]))
    return Held(email, name, keys)


def is_done(case: Case, systems: frozenset[str]) -> bool:
    """Whether everything that these systems hold has an outcome."""
    held = [it for it in case.held.values() if it.system in systems]
    rows = {(it.tag, category) for it in held for category in it.categories}
    return {it.system for it in held} == systems and rows <= case.outcomes.keys()


@pytest.mark.parametrize(
    ("system", "mode", "status"),
    [
        ("mailgun", "status", 429),
        ("stripe", "status", 500),
        ("freshdesk", "html", 200),
        ("aws", "half", 200),
        ("mailgun", "reset", 0),
        ("stripe", "hang", 0),
    ],
)
async def test_one_fails_and_the_others_finish_meanwhile(
    five: Rig, system: str, mode: Mode, status: int
) -> None:
    """But for what an address alone speaks for: who else has it, the one that fails may know."""
    who = everywhere(five, f"{mode}-{system}-{status}")
    wait = 1 if status == 429 else None
    fault = Fault(mode=mode, status=status, seconds=15, retry_after=wait, times=None)
    five.sandboxes[system].faults.append(fault)
    wait_for_it = {system, "aws"}
    others = frozenset(FIVE) - wait_for_it
    case_id = await five.submit("erasure", email=who.email, name=who.name)
    case = await five.until(case_id, lambda it: is_done(it, others))
    assert who.left(five) == wait_for_it
    assert case.claims["erasure"].active
    assert {it.slot[1] for it in case.under_way()} - set(flow.OURS) == {system}
    assert system not in {it.system for it in case.held.values()}
    five.sandboxes[system].faults.clear()
    case = await five.settled(case_id)
    assert who.left(five) == set()
    ends = states(case, "erasure")
    assert {it for _, found in ends.items() for it in found} == {"proved", "dated"}
    assert {of for of, _ in ends} == set(FIVE)


async def test_half_of_an_erasure_done_is_told_half_done(five: Rig) -> None:
    """The billing details go, the card cannot be detached: each category says what it is."""
    stripe = five.sandboxes["stripe"]
    email = "half-done@example.org"
    (customer,) = stripe.seed([{"kind": "customer", "email": email}])
    of = customer.partition("/")[2]
    details = {"billing_details": {"name": "Half Done"}}
    card, _ = stripe.seed(
        [{"kind": "payment_method", "customer": of, **details}, {"kind": "charge", "customer": of}]
    )
    stripe.faults.append(Fault(status=403, method="POST", route="/detach$", times=None))
    case = await five.settled(await five.submit("erasure", email=email))
    said = {
        it.category: (it.outcome.kind, it.outcome.reason)
        for it in case.claims["erasure"].coverage
        if it.kind == "payment_method"
    }
    assert said == {"identity": ("erased", None), "transaction": ("failed", "forbidden")}
    assert stripe.state()[card]["customer"] == of
    assert five.effects(card)[card] == ["update"]


async def test_a_dispute_that_is_opened_before_the_task_keeps_the_card(five: Rig) -> None:
    """The plan waits for approval; meanwhile the bank asks. Nothing is done under the old plan."""
    stripe = five.sandboxes["stripe"]
    who = plant(five, "disputing", tickets=26)
    (customer,) = stripe.seed([{"kind": "customer", "email": who.email, "description": "Late"}])
    of = {"customer": customer.partition("/")[2]}
    details = {"billing_details": {"name": "Disputing"}}
    charge, card = stripe.seed(
        [{"kind": "charge", **of}, {"kind": "payment_method", **of, **details}]
    )
    before = stripe.state()[card]
    case_id = await five.submit("erasure", email=who.email)
    await asked(five, case_id, plans=1)
    stripe.seed([{"kind": "dispute", "charge": charge.partition("/")[2]}])
    await approve(five, case_id)
    # All else of the old plan is done; of what is left a new one says that the card stays.
    case = await five.settled(case_id)
    assert case.plans == 2
    declined = [it for it in await five.entries(case_id) if it.type == "task_declined"]
    assert [it.event.system for it in declined] == ["stripe"]  # type: ignore[attr-defined]
    # The card stays as it was, but for the mark that nobody is to use what is kept of it.
    was, left = {**before, "metadata": {}}, stripe.state()[card]
    assert left["metadata"].keys() == {"habeas_restricted"}
    assert {**left, "metadata": {}} == was
    assert stripe.state()[customer]["description"] != "Late"
    # The customer is marked and redacted, each once.
    assert five.effects(card, customer) == {card: ["update"], customer: ["update", "update"]}
    rules = {
        it.outcome.rule
        for it in case.claims["erasure"].coverage
        if it.kind == "payment_method" and it.state == "kept"
    }
    assert rules == {"bizxpert.open-dispute"}
    assert not five.sandboxes["freshdesk"].state().keys() & {who.contact, *who.tickets}


async def test_what_a_record_came_to_hold_before_the_task_is_left_until_it_is_planned(
    five: Rig,
) -> None:
    """A note is written at the contact while the plan waits: no plan has seen that."""
    who = plant(five, "annotated", tickets=26)
    freshdesk = five.sandboxes["freshdesk"]
    contact = freshdesk.table("contact")[who.contact.partition("/")[2]]
    case_id = await five.submit("erasure", email=who.email)
    case = await asked(five, case_id, plans=1)
    assert case.plan is not None
    planned = {category for tag, category in case.plan.rows if case.held[tag].kind == "contact"}
    assert "profile" not in planned
    contact["description"] = "Prefers to be called before noon."
    await approve(five, case_id)
    case = await five.settled(case_id)
    assert case.plans == 2
    assert five.effects(who.contact)[who.contact] == ["hard_delete"]
    assert who.contact not in freshdesk.state()
    assert states(case, "erasure")["freshdesk", "contact"] == {"proved"}


async def test_customer_or_not_is_open_while_one_of_two_systems_does_not_tell(
    tmp_path: Path,
) -> None:
    """Stripe knows no purchase, and Salesforce may not be read: neither erased nor called kept."""
    async with Rig(tmp_path, systems=("salesforce", "stripe"), restricted=("salesforce",)) as rig:
        rig.run("up")
        stripe = rig.sandboxes["stripe"]
        email, name = "perhaps@example.org", "Per Haps"
        held = {"kind": "customer", "email": email, "name": name, "description": "Trial"}
        (key,) = stripe.seed([held])
        case = await rig.settled(await rig.submit("erasure", email=email, name=name))
        lines = {
            it.category: it.outcome
            for it in case.claims["erasure"].coverage
            if it.kind == "customer"
        }
        assert {lines["contact"].kind, lines["contact"].reason} == {
            "needs_human",
            "facts_missing:customer",
        }
        assert lines["profile"].kind == "redacted"
        assert stripe.state()[key]["email"] == email
        assert stripe.state()[key]["description"] is None


async def asked(rig: Rig, case: UUID, *, plans: int) -> Case:
    """The case, once its plan waits for approval."""
    return await rig.until(
        case, lambda it: it.plans == plans and it.plan is not None and it.plan.state == "asked"
    )


async def approve(rig: Rig, case_id: UUID) -> None:
    case = await rig.look(case_id)
    assert case is not None
    assert case.plan is not None
    code, *said = await rig.habeas("approve", str(case_id), "--plan", case.plan.digest.hex())
    assert code == 0, said
