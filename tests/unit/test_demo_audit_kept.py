"""The audit of what is kept passes what is right, and names what has no ground."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from pipeline.demo import audit_kept

PERIOD = {
    "anchor": "relationship_end",
    "fact": "last_charge",
    "told": "2024-02-29",
    "system": "stripe",
    "read": "charge.created",
    "began": "2024-02-29",
    "years": 6,
}
DATED = {"until": "2030-02-28T23:59:59.999999+00:00", "reason": None, "period": PERIOD}
REASONED = {"until": None, "reason": "relationship_lasts", "period": None}
TAX = {
    "until": "2030-12-31T23:59:59.999999+00:00",
    "reason": None,
    "period": PERIOD | {"anchor": "tax_year_end", "began": "2024-12-31"},
}
EXPECTED: dict[str, Any] = {
    "stripe": {
        "charge/1": {"person": "a"},
        "charge/2": {"person": "a"},
        "charge/3": {"person": "b"},
    },
    "freshdesk": {"conversation/1": {"person": "a"}},
}
STATES: dict[str, Any] = {
    "stripe": {
        "charge/1": {"created": 1_700_000_000},
        "charge/2": {"created": 1_709_208_000},  # 29 February 2024
        "charge/3": {"created": 1_750_000_000},
    },
    "freshdesk": {"conversation/1": {"created_at": "2025-06-05T12:00:00Z"}},
}


def kept(tmp_path: Path, *outcomes: dict[str, Any]) -> audit_kept.Told:
    rows = [
        {"system": "stripe", "kind": "charge", "category": "transaction", "state": "kept"}
        | {"outcome": it}
        for it in outcomes
    ]
    (tmp_path / "c-1.json").write_text(json.dumps({"case": "c", "coverage": rows}))
    (tmp_path / "c-1.dsse.json").write_text("{}")
    return audit_kept.told(tmp_path, {"c": "a"}, EXPECTED, STATES)


def test_of_what_the_pipeline_itself_holds_the_arithmetic_is_read(tmp_path: Path) -> None:
    period = PERIOD | {"anchor": "last_request", "fact": "last_request", "system": "habeas"}
    right = DATED | {"period": period}
    assert kept(tmp_path, right).wrong == []
    (wrong,) = kept(tmp_path, right | {"until": "2030-03-01T23:59:59+00:00"}).wrong
    assert "should be until 2030-02-28" in wrong


def test_dates_that_follow_and_reasons_pass(tmp_path: Path) -> None:
    answered = PERIOD | {"told": "2025-06-05", "system": "freshdesk", "began": "2025-06-05"}
    contact = {
        "until": "2031-06-05T23:59:59+00:00",
        "reason": None,
        "period": answered | {"read": "ticket.stats.agent_responded_at"},
    }
    told = kept(tmp_path, DATED, REASONED, TAX, contact)
    assert (told.wrong, told.dated, told.reasoned) == ([], 3, 1)


def no_reason(it: dict[str, Any]) -> None:
    it.update(until=None, period=None)


def no_ground(it: dict[str, Any]) -> None:
    it.update(period=None)


def a_day_late(it: dict[str, Any]) -> None:
    it.update(until="2030-03-01T23:59:59+00:00")


def an_earlier_payment(it: dict[str, Any]) -> None:
    it["period"] |= {"told": "2023-11-14"}
    it.update(until="2029-11-14T23:59:59+00:00")


def somebody_elses_payment(it: dict[str, Any]) -> None:
    it["period"] |= {"told": "2025-06-15"}
    it.update(until="2031-06-15T23:59:59+00:00")


@pytest.mark.parametrize(
    ("slip", "says"),
    [
        (no_reason, "neither a date nor a reason"),
        (no_ground, "follows from nothing"),
        (a_day_late, "should be until 2030-02-28"),
        (an_earlier_payment, "not the latest"),
        (somebody_elses_payment, "not the latest"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, slip: Callable[[dict[str, Any]], None], says: str
) -> None:
    it = deepcopy(DATED)
    slip(it)
    (wrong,) = kept(tmp_path, it, DATED).wrong
    assert says in wrong


def test_where_nothing_has_a_date_nothing_was_compared(tmp_path: Path) -> None:
    with pytest.raises(audit_kept.AuditError, match="nothing to look at"):
        kept(tmp_path, REASONED)
