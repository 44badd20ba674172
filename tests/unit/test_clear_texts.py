"""What may stand in the clear of a decision or of a fact: codes, and no words of anybody."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from pipeline.intake import bounds
from pipeline.intake.refused import RefusedError
from schemas import events as e
from schemas.records import FactRow, OutcomeRow, VerdictRow

CASE, NOW = UUID(int=1), datetime(2026, 3, 2, 9, tzinfo=UTC)


def settled(
    kind: str = "object", right: str = "erasure", reason: str = "", was: str = "legal_hold"
) -> e.ItemSettled:
    return e.ItemSettled(
        case=CASE,
        by="dpo",
        at=NOW,
        right=right,
        system="aws",
        kind=kind,
        was=OutcomeRow(kind="needs_human", reason=was),
        how="done",
        reason=reason,
    )


def fact(
    name: str = "last_charge", value: str = "2025-03-04", read: str = "charge.created"
) -> e.Event:
    return e.TaskDeclined(
        case=CASE,
        order=CASE,
        system="stripe",
        reason="facts_changed",
        facts=(FactRow(name=name, value=value, read=read),),
    )


@pytest.mark.parametrize("said", [settled(), settled(kind="notice 7", right=""), fact()])
def test_codes_and_steps_pass(said: e.Event) -> None:
    bounds.check(said, NOW)


@pytest.mark.parametrize(
    "said",
    [
        settled(reason="somebody@example.com"),
        settled(reason="she has called us twice"),
        settled(was="somebody@example.com"),
        e.DeadlineExtended(case=CASE, by="dpo", reason="because Ann asked, and"),
        e.ClaimWithdrawn(case=CASE, by="dpo", right="access", together=("access", "as she said")),
        e.WhoseDecided(case=CASE, by="dpo", verdicts=(VerdictRow(tag=b"x", verdict="her ex's"),)),
        e.ClockPaused(case=CASE, by="dpo", why="somebody", at=NOW),
        e.RecipientAcknowledged(
            case=CASE, by="dpo", recipient="acme", right="erasure", at=NOW, says="perhaps"
        ),
    ],
)
def test_words_in_the_clear_are_put_aside(said: e.Event) -> None:
    with pytest.raises(RefusedError):
        bounds.check(said, NOW)


@pytest.mark.parametrize(
    "said",
    [
        fact(value="soon"),
        fact(value="2025-02-30"),
        fact(value="9999-12-31"),
        fact(value="2025-03-04T10:00:00"),
        fact(read="somebody@example.com"),
        fact(name="Ann Lee"),
    ],
)
def test_a_fact_that_is_none_is_put_aside(said: e.Event) -> None:
    with pytest.raises(RefusedError):
        bounds.check(said, NOW)
