"""Whose it is: the DPO sees what is contested and why, decides, and the case goes on from that.

In each test a support contact bears the asker's address and somebody else's: an agent typed it in.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from pipeline import app
from pipeline.case.case import Case
from pipeline.register.case_keys import RECORD, destroy
from pipeline.register.tables import keys
from schemas import events as e
from tests.rig import Rig, is_settled, plant, states

pytestmark = pytest.mark.asyncio(loop_scope="module")

WHOSE = "needs_human", "whose_is_it"


def contest(rig: Rig, who: str, *others: str, tickets: int = 2) -> tuple[str, str]:
    """A contact with further addresses, and a lead that is the asker's alone; address, contact."""
    email = f"{who}@example.org"
    desk, force = rig.sandboxes["freshdesk"], rig.sandboxes["salesforce"]
    fields = {"name": "Some One", "email": email, "other_emails": list(others)}
    (contact,) = desk.seed([{"kind": "contact", **fields}])
    of = {"kind": "ticket", "requester_id": int(contact.partition("/")[2])}
    desk.seed([{**of, "subject": "How", "description_text": "to?"} for _ in range(tickets)])
    lead = {"kind": "lead", "LastName": "One", "Email": email, "Company": "Example"}
    force.seed([{**lead, "Marketing_Interests__c": "Webinars"}])
    return email, contact


async def graph(rig: Rig, case: UUID) -> Any:
    code, out, err = await rig.habeas("whose", str(case), "--json")
    assert code == 0, err
    return json.loads(out)


def handle(found: Any, value: str) -> str:
    """Of an identifier."""
    (it,) = [it for it in found["identifiers"] if value in it["values"]]
    return str(it["handle"])


async def decide(rig: Rig, case: UUID, *options: str) -> None:
    shows = ("--evidence", "a call back") if "--same" in options else ()
    code, out, err = await rig.habeas("whose", str(case), *options, *shows)
    assert code == 0, out + err


async def events(rig: Rig, case: UUID, of: type[e.Event]) -> list[Any]:
    return [it.event for it in await rig.entries(case) if isinstance(it.event, of)]


def rounds(case: Case) -> dict[str, int]:
    return {system: it.rounds for system, it in case.systems.items()}


async def test_a_contested_record_is_shown_with_its_reason_and_what_hangs_on_it(up: Rig) -> None:
    email, contact = contest(up, "shown", "somebody.shown@example.org", tickets=3)
    case = await up.settled(await up.submit("access", email=email, name="Some One"))
    found = await graph(up, case.id)
    (record,) = found["records"]
    assert (record["state"], record["why"]) == ("contested", "another_identifier")
    assert (record["kind"], record["id"]) == tuple(contact.split("/"))
    assert record["parts"] == {"ticket": 3}
    assert [it["field"] for it in record["bears"] if it["contested"]] == ["other_emails"]
    known = {it["values"][0]: it for it in found["identifiers"]}
    assert known[email]["how"] == "vouched"
    assert known["somebody.shown@example.org"]["how"] == "waiting"
    told = known[email]["told_by"]
    assert {(it["system"], it["field"], it["whose"]) for it in told} >= {
        ("freshdesk", "email", "contested"),
        ("salesforce", "Email", "ours"),
    }
    code, out, err = await up.habeas("whose", str(case.id)[:8])
    assert code == 0, err
    assert "it names somebody who is not known to be the person who asks" in out
    assert "and 3 tickets that hang on it" in out
    assert (
        f"other_emails: somebody.shown@example.org  [{handle(found, 'somebody.shown@example.org')}]"
        in out
    )
    code, out, err = await up.habeas("case", str(case.id))
    assert code == 0, err
    assert f"1 record is contested: `habeas whose {case.id}`" in out
    assert "1 address waits for confirmation until 20" in out


async def test_the_same_person_is_searched_everywhere_and_then_the_plan_waits(up: Rig) -> None:
    """However small: it rests on a person's word, not on a proof."""
    other = "further.same@example.org"
    email, contact = contest(up, "same", other, tickets=0)
    further = plant(up, "further.same", tickets=1)
    case = await up.settled(await up.submit("erasure", email=email))
    assert further.contact not in json.dumps(await graph(up, case.id))
    before = rounds(case)
    await decide(up, case.id, "--same", handle(await graph(up, case.id), other))
    case = await up.until(
        case.id, lambda it: it.plan is not None and it.plan.state == "asked" and not it.under_way()
    )
    assert {system: n - before[system] for system, n in rounds(case).items()} == {
        "freshdesk": 1,
        "salesforce": 1,
    }
    asked = (await events(up, case.id, e.ApprovalAsked))[-1]
    assert asked.holdings < 10
    assert up.effects(contact, *further.keys) == {key: [] for key in (contact, *further.keys)}
    found = await graph(up, case.id)
    assert found["records"] == []
    assert {it["how"] for it in found["identifiers"]} == {"vouched", "dpo"}
    assert case.plan is not None
    await up.habeas("approve", str(case.id), "--plan", case.plan.digest.hex())
    await up.until(case.id, lambda it: is_settled(it) and it.plan != case.plan)
    assert not {contact, further.contact} & up.sandboxes["freshdesk"].state().keys()


async def test_somebody_elses_record_vanishes_from_the_report_and_the_claim_settles_anew(
    up: Rig, tmp_path: Path
) -> None:
    email, contact = contest(up, "other", "somebody.other@example.org")
    case = await up.settled(await up.submit("access", email=email))
    assert states(case, "access")["freshdesk", "contact"] == {"open"}
    (record,) = (await graph(up, case.id))["records"]
    key = str(tmp_path / "uma.key")
    assert (await up.habeas("keys", "console", "uma", "--out", key))[0] == 0
    says = ("--as", "uma", "--key", key, "--login", "uma-at-work", "--evidence", "a call")
    await decide(up, case.id, "--other", record["handle"], *says)
    case = await up.until(case.id, lambda it: is_settled(it) and it.reports == 2)
    assert not [where for where in states(case, "access") if where[0] == "freshdesk"]
    assert case.claims["access"].state == "fulfilled"
    _, out, _ = await up.habeas("decide", "list", str(case.id), "--json")
    (taken,) = json.loads(out)
    said = (taken["console"], taken["login"], taken["evidence"])
    assert said == ("uma", "uma-at-work", "a call")
    ordered = await events(up, case.id, e.ResponseOrdered)
    assert [it.kind for it in ordered] == ["final", "supplement"]
    found = await graph(up, case.id)
    assert [(it["state"], it["said"]) for it in found["records"]] == [("anothers", "other")]
    assert contact in up.sandboxes["freshdesk"].state()
    assert not up.effects(contact)[contact]
    code, out, _ = await up.habeas("case", str(case.id))
    assert (code, "contested" in out) == (0, False)
    # What was decided can be taken back, and taken back again: each time it counts.
    for n, verdict in ((3, "same"), (4, "other"), (5, "same")):
        await decide(up, case.id, f"--{verdict}", record["handle"])
        await up.until(case.id, lambda it, n=n: is_settled(it) and it.reports >= n)  # type: ignore[misc]


async def test_who_is_asked_gets_a_link_and_is_named_as_waiting(up: Rig) -> None:
    """Five addresses are asked by themselves; a sixth only if the DPO says so."""
    others = [f"n{n}.asked@example.org" for n in range(6)]
    email, _ = contest(up, "asked", *others, tickets=0)
    case = await up.settled(await up.submit("access", email=email))
    found = await graph(up, case.id)
    (last,) = [it for it in found["identifiers"] if it["how"] == "found"]
    await decide(up, case.id, "--ask", last["handle"])
    await up.until(case.id, lambda it: bytes.fromhex(last["tag"]) in it.confirming)
    asked = await events(up, case.id, e.ConfirmationAsked)
    assert [it.hex() for it in asked[-1].tags] == [last["tag"]]
    await up.until(case.id, is_settled)
    folder = up.settings.data / "mail"
    assert any(last["values"][0] in it.read_text() for it in folder.glob("*.eml"))
    # Once more: the link may be lost.
    await decide(up, case.id, "--ask", last["handle"])
    await up.until(case.id, lambda it: len(asked) and it.people == 2)
    again = await events(up, case.id, e.ConfirmationAsked)
    assert len(again) == len(asked) + 1


async def test_what_cannot_be_decided_says_what_to_do(up: Rig) -> None:
    email, _ = contest(up, "clumsy", "somebody.clumsy@example.org")
    case = await up.settled(await up.submit("access", email=email))
    plain = await up.settled(await up.submit("access", email=plant(up, "plain").email))
    found = await graph(up, case.id)
    (record,) = (it["handle"] for it in found["records"])
    mine, other = handle(found, email), handle(found, "somebody.clumsy@example.org")
    for named, options, says in (
        (case.id, ("--same", "ffffff"), f"no handle of this case: `habeas whose {case.id}` shows"),
        (case.id, ("--same", other[:2]), "no handle of this case"),
        (case.id, ("--same", other, "--other", other), "as --same and as --other"),
        (case.id, ("--ask", record), "is a record: only an address is asked"),
        (case.id, ("--same", mine), "is known to be theirs already"),
        (plain.id, ("--same", record), "nothing of it is contested"),
    ):
        code, out, err = await up.habeas("whose", str(named), *options)
        assert code != 0, options
        assert says in " ".join((out + err).split()), options
        assert "Traceback" not in err
        assert email not in err
    assert not await events(up, case.id, e.WhoseDecided)


async def test_without_the_key_the_graph_has_no_values(up: Rig) -> None:
    email, _ = contest(up, "gone", "somebody.gone@example.org")
    case = await up.settled(await up.submit("access", email=email))
    async with app.register(up.settings) as engine, engine.begin() as connection:
        of_case = keys.select().where(keys.c.owner == case.id, keys.c.purpose == RECORD)
        (key,) = await connection.execute(of_case)
        await destroy(connection, key.id, datetime.now(UTC))
    code, out, err = await up.habeas("whose", str(case.id))
    assert code == 0, err
    assert "the key of this case is destroyed" in out
    assert "example.org" not in out
    found = await graph(up, case.id)
    assert (found["opened"], len(found["records"])) == (False, 1)
    code, out, err = await up.habeas(
        "whose", str(case.id), "--other", found["records"][0]["handle"]
    )
    assert code == 1
    assert "the key of this case is destroyed" in err
