"""Whom does the memory keep? Whoever an erasure left less of, once it settled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from pipeline.case.case import Case, Claim, FollowUp
from pipeline.case.erased import asked_in, erased_at
from schemas.records import CoverageRow, OutcomeRow

from .worlds import CASE, START


def settled(*kinds: str, **changed: Any) -> Case:
    """A case whose erasure settled with these outcomes."""
    rows = tuple(
        CoverageRow(
            right="erasure",
            system="freshdesk",
            kind="ticket",
            category="profile",
            state="open",
            outcome=OutcomeRow(kind=it),
            count=1,
        )
        for it in kinds
    )
    claim = Claim(right="erasure", state="fulfilled", settled_at=START, coverage=rows)
    claims = {"erasure": replace(claim, **changed)}
    return Case(id=CASE, received_at=START, due_at=START, claims=claims)


@pytest.mark.parametrize(
    "kinds",
    [
        (),
        ("erased",),
        ("redacted",),
        ("anonymised",),
        ("expires",),
        ("queued",),
        ("accepted",),
        ("attested",),
        ("retained", "failed", "erased"),
    ],
)
def test_where_less_is_left_or_nothing_was_the_person_is_remembered(kinds: tuple[str, ...]) -> None:
    assert erased_at(settled(*kinds)) == START


@pytest.mark.parametrize(
    "kinds", [("retained",), ("failed",), ("needs_human", "not_supported"), ("not_possible",)]
)
def test_where_nothing_was_erased_nobody_is(kinds: tuple[str, ...]) -> None:
    assert erased_at(settled(*kinds)) is None


@pytest.mark.parametrize("state", ["withdrawn", "refused", "joined"])
def test_what_is_not_wanted_any_more_remembers_nobody(state: str) -> None:
    assert erased_at(settled("erased", state=state)) is None


def test_what_did_not_settle_or_asks_for_a_copy_alone_remembers_nobody() -> None:
    assert erased_at(settled("erased", settled_at=None, state="open")) is None
    assert erased_at(replace(settled("erased"), claims={})) is None


def test_a_follow_up_is_of_the_case_in_which_the_person_asked() -> None:
    case, request = settled("erased"), uuid4()
    assert asked_in(case) == CASE
    follow_up = FollowUp(parent=uuid4(), request=request, asked_at=START, rows={})
    assert asked_in(replace(case, follow_up=follow_up)) == request
