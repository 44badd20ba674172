"""What a transaction keeps of a case of which one event could not be decided."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from pipeline.case.case import Case
from pipeline.orchestrator.case_cache import OpenCases
from schemas.records import Sealed

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def test_what_was_opened_for_earlier_events_of_the_batch_stays() -> None:
    """They are in no table yet, so nobody could open them again."""
    case = Case(id=uuid4(), number=9, received_at=NOW, due_at=NOW)
    batch = OpenCases(cases={case.id: case}, heads={case.id: b""}, aside={})
    batch.of(case.id).sealed.update({2: Sealed(), 9: Sealed(), 10: Sealed()})
    batch.could_not(case.id)
    assert batch.of(case.id).sealed.keys() == {2, 9}
    assert batch.undecidable == {case.id}


def test_of_a_case_that_was_never_opened_nothing_stays() -> None:
    batch, case = OpenCases(cases={}, heads={}, aside={}), uuid4()
    batch.of(case).sealed[2] = Sealed()
    batch.could_not(case)
    assert batch.of(case).sealed == {}
