"""Who led where, as the DPO is shown it: identifiers, contested records, and their handles."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.case.case import Case, Held, Known
from pipeline.case.graph import FEWEST, Graph, HandleError, Node, Record, Told, graph
from pipeline.case.identifiers import rejudged
from pipeline.case.whose import OF_CONTESTED, OURS
from schemas.records import BorneRow

from .worlds import CASE, rules, tag

NOW = datetime(2026, 5, 4, tzinfo=UTC)
MINE, BOBS, NUMBER = "mine@", "bob@", "user-2"


def known(name: str, *, given: bool = False) -> Known:
    kind = "email" if name.endswith("@") else "phone" if name.startswith("+") else "user_id"
    strong = kind != "phone"
    return Known(tag=tag(name), kind=kind, strong=strong, source=2, given=given)


def held(name: str, *borne: str, of: str = "", kind: str = "contact") -> Held:
    return Held(
        tag=tag(name),
        system="freshdesk",
        kind=kind,
        categories=frozenset({"contact"}),
        source=7,
        bears=tuple(BorneRow(tag=tag(it), kind=known(it).kind, field="email") for it in borne),
        part_of=tag(of) if of else b"",
    )


def case(*holdings: Held, **changes: object) -> Case:
    """A case of who is `mine@`, and what was found for it."""
    names = (known(MINE, given=True), known(BOBS), known(NUMBER), known("+1"))
    found = Case(
        id=CASE,
        received_at=NOW,
        due_at=NOW,
        policy=rules().policy.digest,
        known={it.tag: it for it in names},
        proofs={tag(MINE): "vouched"},
        held={it.tag: it for it in holdings},
    )
    return rejudged(replace(found, **changes), rules())  # type: ignore[arg-type]


def shown(*holdings: Held, **changes: object) -> dict[bytes, Record]:
    return {it.tag: it for it in graph(case(*holdings, **changes)).records}


def test_an_identifier_is_told_by_the_records_that_bear_it_whosever_they_are() -> None:
    found = graph(case(held("a", MINE), held("b", MINE), held("c", MINE, BOBS)))
    (mine,) = [it for it in found.identifiers if it.tag == tag(MINE)]
    assert (mine.how, mine.given) == ("vouched", True)
    place = {"system": "freshdesk", "kind": "contact", "field": "email"}
    assert mine.told == (
        Told(**place, whose="contested", records=1),
        Told(**place, whose="ours", records=2),
    )


def test_what_is_waited_for_is_shown_with_its_end_until_it_is_known() -> None:
    until = NOW + timedelta(days=7)
    asked = {"confirming": {tag(BOBS): until}}
    (bobs,) = [it for it in graph(case(**asked)).identifiers if it.kind == "email" and not it.given]
    assert (bobs.how, bobs.until) == ("waiting", until)
    decided = graph(case(**asked, proofs={tag(BOBS): "dpo"}))
    assert {it.until for it in decided.identifiers} == {None}


def test_a_contested_record_is_shown_with_what_it_is_contested_for() -> None:
    (record,) = shown(held("a", MINE, BOBS, "+1"), held("b", MINE)).values()
    assert (record.tag, record.verdict.why) == (tag("a"), "another_identifier")
    assert record.strange == {tag(BOBS)}


def test_what_hangs_on_a_contested_record_is_counted_at_the_one_above_all() -> None:
    tickets = [held(f"t{n}", of="a", kind="ticket") for n in range(12)]
    notes = [held(f"n{n}", of="t1", kind="note") for n in range(2)]
    (record,) = shown(held("a", BOBS), *tickets, *notes).values()
    assert record.parts == {"note": 2, "ticket": 12}


def test_a_part_that_alone_is_contested_is_shown_alone() -> None:
    (record,) = shown(held("a", MINE), held("t", BOBS, of="a", kind="ticket")).values()
    assert (record.tag, record.parts) == (tag("t"), {})


def test_records_that_hang_on_each_other_or_on_nothing_are_shown() -> None:
    records = shown(held("a", of="b"), held("b", of="a"), held("c", of="not-found"))
    (one,) = {tag("a"), tag("b")} & records.keys()
    assert records[one].parts == {"contact": 1}
    assert tag("c") in records


def test_what_was_decided_stays_on_the_list_so_that_it_can_be_taken_back() -> None:
    said = {tag("a"): "same", tag("b"): "other"}
    holdings = held("a", BOBS), held("b", BOBS), held("t", BOBS, of="b", kind="ticket")
    records = shown(*holdings, said=said)
    assert {records[tag(it)].said for it in ("a", "b")} == {"same", "other"}
    assert records[tag("a")].verdict == OURS
    found = graph(case(*holdings, said=said))
    assert found.contested == tuple(it for it in found.records if it.verdict == OF_CONTESTED)


def test_handles_tell_all_apart_and_are_no_longer_than_that_takes() -> None:
    alike = [bytes.fromhex("abcdef" + it * 26) for it in "01"]
    nodes = tuple(Node(tag=it, kind="email", how="found", strong=True, given=False) for it in alike)
    found = Graph(identifiers=nodes, records=())
    assert set(found.handles.values()) == {"abcdef0", "abcdef1"}
    assert {len(it) for it in graph(case(held("a", BOBS))).handles.values()} == {FEWEST}
    assert found.find("ABCDEF0") == nodes[0]
    assert found.find(alike[1].hex()) == nodes[1]
    with pytest.raises(HandleError, match="more than one"):
        found.find("abcdef")
    for it in ("abcde", "", "abcdef2", "zzzzzz"):
        with pytest.raises(HandleError, match="no handle"):
            found.find(it)
