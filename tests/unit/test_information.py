"""Whatever was found of a person: all that is told of it is about something found, and all is told.

The information of GDPR Art. 15(1) and (2) over random rows, of the shipped policy and of others.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import policy
from pipeline.case.coverage import WHOSE
from pipeline.case.plan import ERASE, KEEP, UNDECIDED
from pipeline.policy import Policy
from pipeline.policy.applicable import Sort, portable
from pipeline.response import received, words
from pipeline.response.as_json import as_json
from pipeline.response.information import (
    CONTESTED,
    ERASED,
    NOTHING,
    Information,
    information,
)
from pipeline.response.purposes import NO_PURPOSE
from schemas.events import ResponseOrdered
from schemas.records import (
    ClaimRow,
    CoverageRow,
    FoundRow,
    OutcomeRow,
    RetentionRow,
    SystemRow,
)
from tests.unit import answers

SHIPPED = policy.load(None)
SYSTEMS = tuple(sorted({it.system for it in SHIPPED.data}))
MAPPED: list[Sort] = [
    (it.system, it.kind, category)
    for it in SHIPPED.data
    if it.role == "controller"
    for category in sorted(it.categories)
]
UNMAPPED: list[Sort] = [("stripe", "coupon", "profile"), ("freshdesk", "ticket", "transaction")]
found_rows = st.lists(st.sampled_from(MAPPED), unique=True, max_size=12)
with_unmapped = st.lists(st.sampled_from([*MAPPED, *UNMAPPED]), unique=True, max_size=12)


def ordered(
    sorts: list[Sort], *, unknown: frozenset[str] = frozenset(), right: str = "access"
) -> ResponseOrdered:
    """A response to somebody of whom this was found; some systems could not be searched."""
    has = {system for system, _, _ in sorts}
    return replace(
        answers.order((), right),
        found=tuple(FoundRow(system=s, kind=k, category=c, count=1) for s, k, c in sorts),
        coverage=(),
        systems=tuple(
            SystemRow(
                system=it,
                searched="failed: unavailable" if it in unknown else _searched(it in has),
                found=sum(sort[0] == it for sort in sorts),
            )
            for it in SYSTEMS
        ),
    )


def _searched(is_there: bool) -> str:  # noqa: FBT001  a yes or no, of a generated world
    return "found" if is_there else "nothing"


def told(order: ResponseOrdered, known: Policy = SHIPPED) -> Information:
    return information(order, known, known)


@settings(deadline=None)
@given(found_rows)
def test_every_row_has_a_purpose_and_every_purpose_a_row(sorts: list[Sort]) -> None:
    said = told(ordered(sorts))
    assert {row for it in said.purposes for row in it.rows} == set(sorts)
    for it in said.purposes:
        assert it.rows
        assert it.says != NO_PURPOSE
        (clause,) = (of for of in SHIPPED.purposes.values() if of.says == it.says)
        for system, kind, category in it.rows:
            (mapped,) = (at for at in SHIPPED.data if (at.system, at.kind) == (system, kind))
            assert clause.id in mapped.purposes
            assert category in clause.categories
            assert words.category(category) in it.categories
    shown = {name for name, _ in said.categories}
    assert shown == {words.category(category) for _, _, category in sorts}


@settings(deadline=None)
@given(with_unmapped)
def test_what_the_policy_knows_no_use_of_is_said_to_have_none(sorts: list[Sort]) -> None:
    said = told(ordered(sorts))
    unnamed = [row for it in said.purposes if it.says == NO_PURPOSE for row in it.rows]
    assert set(unnamed) == set(sorts) & set(UNMAPPED)
    assert {row for it in said.purposes for row in it.rows} == set(sorts)


@settings(deadline=None)
@given(found_rows, st.frozensets(st.sampled_from(SYSTEMS)))
def test_every_recipient_has_or_may_have_something_found_or_could_not_be_searched(
    sorts: list[Sort], unknown: frozenset[str]
) -> None:
    said = told(ordered(sorts, unknown=unknown))
    by_name = {it.name: it for it in SHIPPED.recipients}
    for it in said.recipients:
        known = by_name[it.name]
        assert (it.country, it.safeguard) == (known.country, known.safeguard)
        if it.state == received.UNKNOWN:
            assert known.system in unknown
        elif it.state == received.HAS:
            assert it.rows
            assert {row[0] for row in it.rows} == {known.system}
        else:
            assert known.system is None
            assert it.rows
            assert {row[2] for row in it.rows} <= known.categories
            assert SHIPPED.own.isdisjoint(row[0] for row in it.rows)
    named = {by_name[it.name].system for it in said.recipients}
    assert named >= (unknown | {system for system, _, _ in sorts}) - SHIPPED.own
    assert set(said.unknown) == {words.system(it) for it in unknown}


@settings(deadline=None)
@given(with_unmapped)
def test_every_source_is_of_something_found_and_of_every_row_something_is_said(
    sorts: list[Sort],
) -> None:
    said = told(ordered(sorts))
    assert all(it.rows for it in said.sources)
    assert {row for it in said.sources if it.how != "perhaps" for row in it.rows} == set(sorts)


@settings(deadline=None)
@given(with_unmapped)
def test_what_can_be_taken_along_is_what_a_portability_hands_out(sorts: list[Sort]) -> None:
    said = told(ordered(sorts))
    assert Counter(row for it in said.data_sets for row in it.rows) == Counter(sorts)
    yes = {row for it in said.data_sets if it.take_along == "Yes." for row in it.rows}
    assert yes == set(sorts) & portable(SHIPPED)


@settings(deadline=None)
@given(with_unmapped)
def test_rights_that_no_use_gives_are_not_told(sorts: list[Sort]) -> None:
    said = told(ordered(sorts))
    letters = {
        basis.letter
        for clause in SHIPPED.purposes.values()
        for basis in clause.bases
        if any(it.says == clause.says for it in said.purposes)
    }
    marketing = any(
        clause.marketing and any(it.says == clause.says for it in said.purposes)
        for clause in SHIPPED.purposes.values()
    )
    names = {name for name, _ in said.rights}
    assert ("Withdraw" in names) == ("a" in letters)
    assert ("Take along" in names) == bool(letters & {"a", "b"})
    assert ("Object" in names) == bool(letters & {"e", "f"})
    assert ("Stop marketing" in names) == marketing
    assert "A person decides" not in names


@st.composite
def kept(draw: st.DrawFn) -> tuple[list[Sort], tuple[RetentionRow, ...]]:
    """What was found, and what a plan would do with each, in any way."""
    sorts = draw(found_rows)
    rows = []
    for system, kind, category in sorts:
        action = draw(st.sampled_from([ERASE, KEEP, UNDECIDED]))
        rule = "" if action == ERASE else draw(st.sampled_from([it.id for it in SHIPPED.retention]))
        rows.append(
            RetentionRow(
                system=system,
                kind=kind,
                category=category,
                action=action,
                rule=rule,
                count=1,
                until=answers.NOW if action == KEEP and draw(st.booleans()) else None,
                needs=("customer",) if action == UNDECIDED else (),
            )
        )
    return sorts, tuple(rows)


@settings(deadline=None)
@given(kept())
def test_of_every_row_it_is_said_until_when_or_by_what_that_is_determined(
    made: tuple[list[Sort], tuple[RetentionRow, ...]],
) -> None:
    sorts, rows = made
    for order in (replace(ordered(sorts), retention=rows), ordered(sorts)):
        said = told(order).retention
        assert {row for it in said for row in it.rows} == set(sorts)
        assert all(it.says for it in said)
    said = told(replace(ordered(sorts), retention=rows)).retention
    dated = {row for it in said if it.until for row in it.rows}
    assert dated == {(it.system, it.kind, it.category) for it in rows if it.until}


@settings(deadline=None)
@given(found_rows, st.data())
def test_of_what_is_erased_and_proved_so_nothing_is_told_any_more(
    sorts: list[Sort], data: st.DataObject
) -> None:
    gone = set(data.draw(st.lists(st.sampled_from(sorts), unique=True))) if sorts else set()
    order = replace(
        ordered(sorts, right="erasure"),
        coverage=tuple(
            CoverageRow(
                system=s,
                kind=k,
                category=c,
                state="proved" if (s, k, c) in gone else "open",
                outcome=OutcomeRow(kind="erased" if (s, k, c) in gone else "failed"),
                count=1,
                right="erasure",
            )
            for s, k, c in sorts
        ),
    )
    said = told(order)
    assert {row for it in said.purposes for row in it.rows} == set(sorts) - gone
    assert {row for it in said.retention for row in it.rows} == set(sorts) - gone
    assert not {row for it in said.recipients for row in it.rows} & gone
    assert not {row for it in said.sources for row in it.rows} & gone
    assert bool(said.nothing) == (set(sorts) == gone)


def test_what_a_rule_keeps_after_an_erasure_has_no_other_use() -> None:
    sort = ("salesforce", "contact", "identity")
    row = CoverageRow(
        system=sort[0],
        kind=sort[1],
        category=sort[2],
        state="kept",
        outcome=OutcomeRow(kind="retained", rule=answers.RULE),
        count=1,
        right="erasure",
    )
    said = told(replace(ordered([sort], right="erasure"), coverage=(row,)))
    (purpose,) = said.purposes
    assert "for nothing else (GDPR Art. 18(2))" in purpose.says
    assert purpose.basis.startswith("GDPR Art. 17(3)(e)")
    assert "Stop marketing" not in {name for name, _ in said.rights}
    assert said.data_sets == ()


def test_an_order_of_before_names_the_rules_and_no_date() -> None:
    sorts = [("stripe", "charge", "transaction"), ("freshdesk", "ticket", "usage")]
    said = told(ordered(sorts)).retention
    assert [it.until for it in said] == ["", ""]
    assert "six years after the year of the last payment" in said[0].says


def test_who_asked_for_nothing_that_is_searched_is_told_nothing_of_it() -> None:
    order = replace(
        ordered([("freshdesk", "ticket", "usage")]),
        systems=(),
        claims=(ClaimRow(right="objection", state="fulfilled"),),
    )
    said = told(order)
    assert "needed no search" in said.nothing[0]
    assert (said.purposes, said.recipients, said.sources, said.retention) == ((), (), (), ())


@pytest.mark.parametrize("digest", sorted(policy.earlier()), ids=bytes.hex)
def test_policies_of_before_are_told_as_well(digest: bytes) -> None:
    known = policy.earlier()[digest]
    sorts = [
        (it.system, it.kind, category)
        for it in known.data
        if it.role == "controller"
        for category in sorted(it.categories)
    ]
    said = information(ordered(sorts), known, SHIPPED)
    assert {row for it in said.retention for row in it.rows} == set(sorts)
    assert {row for it in said.purposes for row in it.rows} == set(sorts)
    assert said.notice_today == ("" if known.notice == SHIPPED.notice else SHIPPED.notice)


@settings(deadline=None, max_examples=20)
@given(with_unmapped)
def test_it_is_the_same_as_data(sorts: list[Sort]) -> None:
    said = told(ordered(sorts))
    read = json.loads(as_json(said))
    assert [it["says"] for it in read["purposes"]] == [it.says for it in said.purposes]
    assert [tuple(map(tuple, it["rows"])) for it in read["recipients"]] == [
        it.rows for it in said.recipients
    ]


@settings(deadline=None)
@given(found_rows, st.data())
def test_of_what_may_be_somebody_elses_nothing_is_told_but_that(
    sorts: list[Sort], data: st.DataObject
) -> None:
    theirs = set(data.draw(st.lists(st.sampled_from(sorts), unique=True))) if sorts else set()
    order = replace(
        ordered(sorts),
        coverage=tuple(
            CoverageRow(
                system=s,
                kind=k,
                category=c,
                state="open" if (s, k, c) in theirs else "proved",
                outcome=WHOSE if (s, k, c) in theirs else OutcomeRow(kind="exported"),
                count=1,
                right="access",
            )
            for s, k, c in sorts
        ),
    )
    said = told(order)
    assert {row for it in said.purposes for row in it.rows} == set(sorts) - theirs
    assert not {row for it in said.recipients for row in it.rows} & theirs
    assert not {row for it in said.data_sets for row in it.rows} & theirs
    assert (CONTESTED in said.nothing) == bool(theirs)
    assert (NOTHING in said.nothing) == (not sorts)
    assert ERASED not in said.nothing
