"""A vendor that lies, refuses, hangs or leaves something behind: never settled as erased."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.freshdesk.sandbox import FreshdeskSandbox
from connectors.sdk.sandbox import Fault
from pipeline.register import reading
from tests.rig import Rig, plant, states

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_200_with_the_record_still_there_ends_with_a_human(up: Rig) -> None:
    who = plant(up, "liar")
    number = who.contact.partition("/")[2]
    up.sandboxes["freshdesk"].faults.append(
        Fault(mode="lie", method="DELETE", route=f"/{number}/hard_delete$", times=None)
    )
    case = await up.settled(await up.submit("erasure", email=who.email))
    assert states(case, "erasure")["freshdesk", "contact"] == {"open"}
    assert states(case, "erasure")["salesforce", "lead"] == {"dated"}
    assert case.claims["erasure"].state == "partially_fulfilled"
    report = reading.last_report(await up.entries(case.id))
    assert report is not None
    reasons = {it.outcome.reason for it in report.coverage if it.kind == "contact"}
    assert reasons == {"still_there"}
    assert who.contact in up.sandboxes["freshdesk"].state()


async def test_a_leftover_is_tried_again_and_goes(up: Rig) -> None:
    who = plant(up, "leftover")
    number = who.contact.partition("/")[2]
    up.sandboxes["freshdesk"].faults.append(
        Fault(mode="lie", method="DELETE", route=f"/{number}/hard_delete$")
    )
    case = await up.settled(await up.submit("erasure", email=who.email))
    assert states(case, "erasure")["freshdesk", "contact"] == {"proved"}
    assert case.plans == 2
    assert who.contact not in up.sandboxes["freshdesk"].state()


async def test_a_403_to_delete_is_named_and_not_called_erased(up: Rig) -> None:
    who = plant(up, "forbidden")
    number = who.contact.partition("/")[2]
    up.sandboxes["freshdesk"].faults.append(
        Fault(method="DELETE", route=f"/contacts/{number}", status=403, times=None)
    )
    case = await up.settled(await up.submit("erasure", email=who.email))
    assert states(case, "erasure")["freshdesk", "contact"] == {"open"}
    rows = [it for it in case.claims["erasure"].coverage if it.kind == "contact"]
    assert {(it.outcome.kind, it.outcome.reason) for it in rows} == {("failed", "forbidden")}


async def test_a_ticket_left_when_its_contact_goes_is_seen(
    up: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = plant(up, "orphan", tickets=2)
    sandbox = up.sandboxes["freshdesk"]
    assert isinstance(sandbox, FreshdeskSandbox)
    purge, left = sandbox._purge_ticket, who.tickets[0].partition("/")[2]
    monkeypatch.setattr(sandbox, "_purge_ticket", lambda id_: None if id_ == left else purge(id_))
    case = await up.settled(await up.submit("erasure", email=who.email))
    assert who.tickets[0] in sandbox.state()
    rows = [it for it in case.claims["erasure"].coverage if it.kind == "ticket"]
    assert sum(it.count for it in rows if it.state == "proved") == 2  # the other's two categories
    assert sum(it.count for it in rows if it.state != "proved") == 2
    assert case.claims["erasure"].state == "partially_fulfilled"


async def test_two_addresses_of_one_person_go_the_whole_route(up: Rig) -> None:
    freshdesk, salesforce = up.sandboxes["freshdesk"], up.sandboxes["salesforce"]
    (contact,) = freshdesk.seed(
        [
            {
                "kind": "contact",
                "name": "Two",
                "email": "two-one@example.org",
                "other_emails": ["two-two@example.org"],
            }
        ]
    )
    (lead,) = salesforce.seed(
        [{"kind": "lead", "LastName": "Two", "Company": "E", "Email": "two-two@example.org"}]
    )
    sent = await up.submit(
        "access", "erasure", email="two-one@example.org", further="two-two@example.org"
    )
    case = await up.settled(sent)
    assert states(case, "access")["salesforce", "lead"] == {"proved"}
    assert contact not in freshdesk.state()
    assert salesforce.state()[lead]["IsDeleted"]


async def test_an_address_that_only_a_record_tells_leads_nowhere(up: Rig) -> None:
    """Whoever asks may have written it there: as a further address of their own contact."""
    freshdesk, salesforce = up.sandboxes["freshdesk"], up.sandboxes["salesforce"]
    address = "told-two@example.org"
    (contact,) = freshdesk.seed(
        [
            {
                "kind": "contact",
                "name": "Told",
                "email": "told-one@example.org",
                "other_emails": [address],
            }
        ]
    )
    (lead,) = salesforce.seed(
        [{"kind": "lead", "LastName": "Told", "Company": "E", "Email": address}]
    )
    case = await up.settled(await up.submit("access", "erasure", email="told-one@example.org"))
    assert states(case, "access") == {("freshdesk", "contact"): {"open"}}
    assert contact in freshdesk.state()
    assert not salesforce.state()[lead]["IsDeleted"]
    assert not case.exports


async def test_the_same_submission_twice_is_one_case(up: Rig) -> None:
    who = plant(up, "twice")
    case = await up.settled(await up.submit("access", email=who.email))
    received = case.received_at
    for _ in range(3):
        await up.submit("access", email=who.email, case=case.id, at=received)
    other = await up.settled(await up.submit("access", email=plant(up, "after").email))
    assert other.id != case.id
    again = await up.look(case.id)
    assert again == case


async def test_one_vendor_hanging_does_not_hold_the_other(up: Rig) -> None:
    who = plant(up, "patient")
    up.sandboxes["freshdesk"].faults.append(Fault(mode="hang", seconds=60, times=None))
    case_id = await up.submit("access", "erasure", email=who.email)
    case = await up.until(case_id, lambda it: it.systems["salesforce"].status == "located")
    assert [it.system for it in case.exports] == ["salesforce"]
    waiting = {(it.slot[0], it.slot[1]) for it in case.under_way()}
    assert waiting == {("search", "freshdesk")}
    assert case.claims["erasure"].active
    assert not up.effects(*who.keys)[who.record]
    up.clear_faults()
    case = await up.settled(case_id, patience=100)
    assert states(case, "erasure")["freshdesk", "contact"] == {"proved"}


async def test_a_key_that_may_not_read_is_never_nothing_held(tmp_path: Path) -> None:
    async with Rig(tmp_path, restricted=("freshdesk",)) as rig:
        rig.run("up")
        who = plant(rig, "unreadable")
        case = await rig.settled(await rig.submit("access", "erasure", email=who.email))
        report = reading.last_report(await rig.entries(case.id))
    assert report is not None
    for right in ("access", "erasure"):
        assert states(case, right)["freshdesk", "system"] == {"open"}
        assert case.claims[right].state == "partially_fulfilled"
    searched = {it.system: it.searched for it in report.systems}
    assert searched == {"freshdesk": "failed: forbidden", "salesforce": "found"}
