"""What Habeas itself holds is part of every answer (Art. 15), and stays when they are erased."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.case.coverage import coverage
from schemas import events as e
from schemas.records import CoverageRow

from .people import ANN, BOB
from .world import Answer, World

HABEAS = "habeas"
NAME = "Ann Example"
THREE_YEARS = 3 * 365


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path, systems=("freshdesk", "mailgun", HABEAS)) as made:
        yield made


async def ended(world: World, right: str) -> dict[tuple[str, str], CoverageRow]:
    """What became of everything that Habeas holds, by kind and category, in the latest case."""
    rows = coverage(await world.case(), right, world.rules)
    return {(it.kind, it.category): it for it in rows if it.system == HABEAS}


def of_kind(answer: Answer, kind: str) -> list[dict[str, Any]]:
    """The records of Habeas in a copy."""
    found = json_of(answer)
    return [it["data"] for it in found if it["kind"] == kind]


def json_of(answer: Answer) -> list[dict[str, Any]]:
    return answer.records(HABEAS) if f"data/{HABEAS}.json" in answer.files else []


async def test_whoever_asks_first_is_told_that_nothing_else_was_asked(world: World) -> None:
    """Art. 15(1): nothing is held yet but the request that the answer is about."""
    await world.submit("access", email=ANN, name=NAME)
    answer = await world.answer()
    assert json_of(answer) == []
    assert "Habeas BizXpert, Inc., itself: this is where your requests are kept" in answer.text
    assert (await world.case()).claims["access"].state == "no_data"


async def test_a_second_answer_tells_of_the_first_request_and_how_it_ended(world: World) -> None:
    """Art. 15(1), 15(3): what was asked before is data about them as well, of nobody else."""
    world.holds("freshdesk", "contact", name=NAME, email=ANN)
    first = await world.submit("access", email=ANN, name=NAME)
    strangers = await world.submit("access", email=BOB)
    await world.later(days=3)
    second = await world.submit("access", email=ANN, name=NAME)
    answer = await world.answer()
    (record,) = of_kind(answer, "request")
    assert record["request"] == str(first)
    assert [(it["right"], it["outcome"]) for it in record["asked_for"]] == [("access", "fulfilled")]
    assert record["asked_for"][0]["means"] == "Fulfilled."
    assert record["known_by"] == [{"kind": "email", "value": ANN}]
    assert record["name"] == NAME
    assert [it["about"] for it in record["answers"]] == [["access"]]
    assert record["received"].startswith("2026-03-02")
    assert record["kept_until"].startswith("2029-03-01")
    every = b"".join(answer.files.values()).decode("utf-8", "replace")
    assert str(strangers) not in every
    assert str(second) not in str(json_of(answer))
    assert "Habeas requests" in answer.text
    assert {it.state for it in (await ended(world, "access")).values()} == {"proved"}


async def test_what_lies_with_us_alone_is_said_to_be_with_nobody_else(world: World) -> None:
    """Art. 15(1)(c), (g): our own records have no recipients, and come from them and from us."""
    await world.submit("access", email=ANN, name=NAME)
    await world.later(days=3)
    await world.submit("access", email=ANN, name=NAME)
    answer = await world.answer()
    receive = answer.text.partition("Who receives them")[2].partition("How long they are kept")[0]
    assert "may have received" not in receive
    whence = answer.text.partition("Where they come from")[2].partition("Decisions by")[0]
    assert "Habeas requests" in whence
    assert "Perhaps" not in whence
    assert "is kept for three years from the day of each request" in answer.text


async def test_an_address_that_nobody_proved_leads_to_no_request(world: World) -> None:
    """Art. 15(4): who only named an address did not ask as whoever has it, nor are they told."""
    named = await world.submit("access", email=BOB, claimed=[ANN])
    await world.later(days=3)
    await world.submit("access", email=ANN, name=NAME)
    answer = await world.answer()
    assert json_of(answer) == []
    assert str(named) not in b"".join(answer.files.values()).decode("utf-8", "replace")


async def test_of_two_with_one_address_neither_is_shown_what_the_other_asked(world: World) -> None:
    """Art. 15(4): under another name it may be another person's; a human decides."""
    first = await world.submit("access", email=ANN, name="Robert Other")
    await world.later(days=3)
    await world.submit("access", email=ANN, name=NAME)
    assert str(first) not in str(json_of(await world.answer()))
    rows = await ended(world, "access")
    assert {it.outcome.reason for it in rows.values()} == {"whose_is_it"}


async def test_what_was_proved_beside_a_stranger_s_address_is_left_to_a_person(
    world: World,
) -> None:
    """Art. 15(4): a request that somebody proved more in than this person has is not handed out."""
    await world.submit("access", email=ANN, further=[BOB], name=NAME)
    await world.later(days=3)
    await world.submit("access", email=ANN, name=NAME)
    answer = await world.answer()
    assert json_of(answer) == []
    assert BOB not in b"".join(answer.files.values()).decode("utf-8", "replace")
    assert {it.outcome.reason for it in (await ended(world, "access")).values()} == {"whose_is_it"}


async def test_an_erasure_keeps_what_was_asked_before_and_says_until_when(world: World) -> None:
    """Art. 17(3)(b), 5(2), 12(4): kept to show that we did what the law asks, with its date."""
    world.holds("freshdesk", "contact", name=NAME, email=ANN)
    await world.submit("access", email=ANN, name=NAME)
    await world.later(days=3)
    await world.submit("erasure", email=ANN, name=NAME)
    rows = await ended(world, "erasure")
    assert set(rows) == {("request", it) for it in ("identity", "contact", "profile")}
    for it in rows.values():
        assert it.state == "kept"
        assert it.outcome.rule == "bizxpert.own-requests"
        assert it.outcome.until is not None
        assert f"{it.outcome.until:%Y-%m-%d}" == "2029-03-02"
        assert it.outcome.restricted == "own_use"
    text = (await world.answer()).text
    assert "so long we must be able to show that we did what the law asks" in text
    assert "Last request before this one 2 March 2026, as Habeas has it, + 3 years" in text
    assert "It has no other use there that a mark would have to prevent." in text
    assert "2 March 2029" in text


async def test_an_objection_stays_so_that_no_marketing_begins_again(world: World) -> None:
    """Art. 21(3), 17(3)(b): the objection is told in a copy, and kept by an erasure."""
    world.holds("mailgun", "member", list="news@lists.example.com", address=ANN, name=NAME)
    first = await world.submit("objection", email=ANN, name=NAME)
    await world.later(days=3)
    await world.submit("access", email=ANN, name=NAME)
    (record,) = of_kind(await world.answer(), "objection")
    assert (record["request"], record["to"]) == (str(first), "direct marketing")
    assert record["stopped_in"] == ["mailgun"]
    await world.submit("erasure", email=ANN, name=NAME)
    kept = (await ended(world, "erasure"))["objection", "marketing"]
    assert (kept.state, kept.outcome.rule) == ("kept", "bizxpert.own-requests")
    assert (
        "an objection is kept with it, so that you get no marketing" in (await world.answer()).text
    )


async def test_that_something_was_erased_is_told_and_is_all_that_is_known(world: World) -> None:
    """Art. 15(1), 17(3)(b): an entry of the erasure memory names nobody, and is told and kept."""
    world.holds("freshdesk", "contact", name=NAME, email=ANN)
    first = await world.submit("erasure", email=ANN, name=NAME)
    await world.later(days=40)
    await world.submit("access", "erasure", email=ANN, name=NAME)
    (record,) = of_kind(await world.answer(1), "erasure")
    assert record["for_request"] == str(first)
    assert record["erased"].startswith("2026-03-")
    assert ANN not in str(record)
    row = (await ended(world, "erasure"))["erasure", "contact"]
    assert (row.state, row.outcome.rule) == ("kept", "bizxpert.erasure-memory")


async def test_the_answer_to_an_erasure_tells_what_is_kept_of_that_itself(world: World) -> None:
    """Art. 12(1), 17(3)(b): that it was erased is remembered, by hashes, and they are told so."""
    world.holds("freshdesk", "contact", name=NAME, email=ANN)
    await world.submit("erasure", email=ANN, name=NAME)
    text = (await world.answer()).text
    assert "by keyed hashes of your identifiers that nobody can read back" in text
    assert "What you ask us, and how we answer, is kept for three years" in text


async def test_when_the_date_has_come_the_follow_up_finds_them_gone(world: World) -> None:
    """Art. 5(1)(e), 17(1): what was kept for its time is gone after it, and they hear so."""
    world.holds("freshdesk", "contact", name=NAME, email=ANN)
    await world.submit("access", email=ANN, name=NAME)
    await world.later(days=3)
    erased = await world.submit("erasure", email=ANN, name=NAME)
    (owed,) = [it for it in (await world.case()).obligations if it.system == HABEAS]
    await world.later(days=THREE_YEARS)
    (ended_,) = [it for it in (await world.case(erased)).obligations if it.id == owed.id]
    assert ended_.status == "done"
    world.cases.append(owed.follow_up)
    rows = await ended(world, "erasure")
    assert {it.outcome.kind for it in rows.values()} == {"erased"}


async def test_a_halt_needs_no_mark_where_there_is_no_other_use(world: World) -> None:
    """Art. 18(2): what is used for nothing else is as restricted as it can be; nobody must act."""
    await world.submit("access", email=ANN, name=NAME)
    await world.later(days=3)
    await world.submit("restriction", email=ANN, name=NAME)
    rows = await ended(world, "restriction")
    assert {(it.state, it.outcome.reason) for it in rows.values()} == {("proved", "own_use")}
    assert "there is no other use that could be halted" in (await world.answer()).text
    await world.decide(e.LiftDecided(case=world.cases[-1], by="dpo"), says="It is right now.")
    rows = await ended(world, "restriction")
    assert {(it.state, it.outcome.reason) for it in rows.values()} == {("proved", "own_use")}


async def test_what_was_asked_is_not_rewritten(world: World) -> None:
    """Art. 16: a record of what was said then is not wrong because something else is right now."""
    await world.submit("access", email=ANN, name=NAME)
    await world.later(days=3)
    await world.submit(
        "rectification", email=ANN, name=NAME, changes={"family_name": ("Example", "Sample")}
    )
    rows = await ended(world, "rectification")
    assert {(it.outcome.kind, it.outcome.reason) for it in rows.values()} == {
        ("not_supported", "not_offered")
    }
    assert "This says what was asked and answered then" in (await world.answer()).text


async def test_nothing_of_it_is_to_take_along(world: World) -> None:
    """Art. 20(1): it is held because the law asks for it, neither by consent nor by contract."""
    await world.submit("access", email=ANN, name=NAME)
    await world.later(days=3)
    await world.submit("portability", email=ANN, name=NAME)
    assert await ended(world, "portability") == {}
    assert "nothing that you could take along" in (await world.answer()).text


async def test_what_was_refused_or_taken_back_is_told_as_that(world: World) -> None:
    """Art. 12(4), 15(1): how each request ended, whatever it was."""
    for n in range(30):
        world.holds("freshdesk", "contact", name=f"{NAME} {n}", email=ANN)
    first = await world.submit("erasure", email=ANN, name=NAME)
    taken_back = e.ClaimWithdrawn(case=first, by="dpo", right="erasure", together=("erasure",))
    await world.decide(taken_back, says="They wrote that they had changed their mind.")
    await world.later(days=2)
    await world.submit("access", email=ANN, name=NAME)
    found = of_kind(await world.answer(), "request")
    assert [(it["request"], it["asked_for"][0]["outcome"]) for it in found] == [
        (str(first), "withdrawn")
    ]
