"""Breaches by real processes: a list is told, what fails is sent again, and two people waive."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from pipeline import app
from pipeline.case.case import Case
from pipeline.case.incident import PUT_OFF, Counts, counts
from pipeline.register import reading
from schemas.events import WhoseDecided
from tests.rig import Rig, plant, text_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
SAYS = "A file with addresses lay open for a day."
OPENED = ("--system", "freshdesk", "--category", "contact", "--since", "2026-03-01")


async def said(rig: Rig, *arguments: str, code: int = 0) -> Any:
    """What an incident's command prints as JSON."""
    got, out, err = await rig.habeas("incident", *arguments, "--json")
    assert got == code, out + err
    return json.loads(out)


def told(case: Case) -> Counts:
    assert case.incident is not None
    return counts(case.incident)


async def test_a_list_is_told_and_what_fails_is_sent_again_and_counted(
    up: Rig, tmp_path: Path
) -> None:
    people = [f"affected.{n}@example.org" for n in range(7)]
    affected = tmp_path / "affected.csv"
    rows = [*people, people[0].upper(), "not.an.address", "bad..dots@example.org"]
    affected.write_text("\n".join(["email", *rows]))
    opened = await said(up, "open", *OPENED, "--happened", SAYS, "--list", str(affected), code=1)
    assert opened["list"]["rows"] == len(rows)
    assert opened["list"]["unreachable"] == 1
    named = UUID(opened["incident"])
    case = await up.until(named, lambda it: told(it).affected and not it.under_way())
    assert told(case) == Counts(affected=9, waiting=8, unreachable=1)
    mail = up.settings.data / "mail"
    mail.rename(mail.with_name("mail-away"))
    mail.write_text("no folder: nothing can be handed over")
    words = ("--consequences", "Letters that are not ours.", "--measures", "It is closed.")
    await said(up, "notify", str(named), *words)
    await up.until(named, lambda it: PUT_OFF in states(it))
    assert not told(await up.until(named, bool)).told
    mail.unlink()
    mail.with_name("mail-away").rename(mail)
    case = await up.until(named, lambda it: told(it).told and not told(it).waiting)
    assert told(case) == Counts(affected=9, told=7, failed=1, unreachable=1)
    letters = [it for it in up.mails(named) if SAYS in text_of(it)]
    assert sorted(str(it["To"]).lower() for it in letters) == people
    shown = await said(up, "show", str(named))
    assert shown["counts"] == {
        "affected": 9,
        "told": 7,
        "failed": 1,
        "waiting": 0,
        "unreachable": 1,
    }
    assert {it["kind"] for it in shown["waiting"]} == {"authority", "undelivered"}
    page = tmp_path / "register.html"
    await said(up, "register", "--out", str(page))
    assert SAYS in page.read_text()
    assert not any(it in page.read_text() for it in people)


async def test_whom_a_system_holds_is_listed_by_its_host_and_told(up: Rig) -> None:
    who = plant(up, "held")
    named = UUID((await said(up, "open", *OPENED, "--happened", SAYS))["incident"])
    await up.until(named, bool)
    await said(up, "affect", str(named), "--from", "freshdesk", "--from", "salesforce")
    words = ("--consequences", "Letters that are not ours.", "--measures", "It is closed.")
    await said(up, "notify", str(named), *words)
    await up.until(named, lambda it: told(it).told and not it.under_way() and not told(it).waiting)
    letters = [it for it in up.mails(named) if SAYS in text_of(it)]
    assert [str(it["To"]) for it in letters].count(who.email) == 1
    shown = await said(up, "show", str(named))
    assert (shown["unlisted"], shown["counts"]["failed"]) == ([], 0)


async def test_one_person_waives_nothing_and_two_do(up: Rig, tmp_path: Path) -> None:
    key = str(tmp_path / "eve.key")
    code, _, err = await up.habeas("keys", "console", "eve", "--out", key)
    assert code == 0, err
    named = (await said(up, "open", *OPENED, "--happened", SAYS))["incident"]
    await up.until(UUID(named), bool)
    why = ("--says", "All of it was encrypted.", "--evidence", "the vendor's log")
    await said(up, "waive", named, "--ground", "protected", *why)
    case = await up.until(UUID(named), lambda it: it.proposal and it.proposal.recorded)
    assert case.proposal is not None
    digest = case.proposal.digest.hex()
    code, _, err = await up.habeas("incident", "waive", named, "--confirm", digest)
    assert (code, "it takes another person" in err) == (1, True)
    await said(
        up, "waive", named, "--confirm", digest, "--as", "eve", "--key", key, "--login", "eve"
    )
    case = await up.until(UUID(named), lambda it: it.incident and it.incident.waived)
    authority = ("authority", named, "--no-risk", "--says", "Nobody can read it.")
    await said(up, *authority)
    await up.until(UUID(named), lambda it: it.incident and it.incident.authority)
    await said(up, "close", named, "--says", "The backup was deleted.")
    await up.until(UUID(named), lambda it: it.state == "incident_closed")
    assert named in {it["incident"] for it in await said(up, "list")}


async def test_an_answer_that_reached_the_wrong_person_opens_one_incident(up: Rig) -> None:
    who = plant(up, "misled")
    case = await up.settled(await up.submit("access", email=who.email, name="Some misled"))
    found = json.loads((await up.habeas("whose", str(case.id), "--json"))[1])
    handle = next(it["handle"] for it in found["identifiers"] if who.email in it["values"])
    code, out, err = await up.habeas("whose", str(case.id), "--other", handle)
    assert code == 0, out + err
    seen = await up.until(case.id, lambda it: it.breached and not it.suspicions)
    assert seen.breached
    async with app.local_edge(up.settings, app.CONSOLE) as sender:  # what came once comes again
        (decided,) = [
            it.event for it in await up.entries(case.id) if isinstance(it.event, WhoseDecided)
        ]
        await sender.decision(replace(decided, sealed=b"", signature=b""), "the-dpo")
        other = replace(decided, verdicts=(*decided.verdicts, *decided.verdicts))
        await sender.decision(replace(other, sealed=b"", signature=b""), "the-dpo")
    await up.until(case.id, lambda it: it.people > seen.people)
    async with app.register(up.settings) as engine:
        every = [it.id for it in await reading.incidents(engine)]
    of = [it for it in every if await is_of(up, it, case.id)]
    assert len(of) == 1
    mails = [it for it in up.mails(of[0]) if "Urgent" in str(it["Subject"])]
    assert len(mails) == 1


async def is_of(rig: Rig, incident: UUID, request: UUID) -> bool:
    """Whether an incident is about the answer to a request."""
    known = await rig.look(incident)
    assert known is not None
    assert known.incident is not None
    return known.incident.suspect == request


def states(case: Case) -> set[str]:
    """Of all letters to the affected."""
    assert case.incident is not None
    return {it.state for of in case.incident.portions for it in of.letters.values()}
