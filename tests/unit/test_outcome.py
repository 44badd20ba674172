"""An outcome comes back from the wire as it was said; what is not understood is open."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from connectors.sdk.interface import (
    Accepted,
    Anonymised,
    Blocked,
    Dated,
    Erased,
    Expires,
    Exported,
    Failed,
    Lifted,
    NeedsHuman,
    NotSupported,
    Open,
    Outcome,
    Proved,
    Queued,
    Rectified,
    Redacted,
    Restricted,
    Retained,
    Suppressed,
    Unaffected,
)
from pipeline.case.outcome import code, from_row, of_host, state, to_row
from schemas.records import OutcomeRow

WHEN = datetime(2030, 1, 1, tzinfo=UTC)
EVERY: list[Outcome] = [
    Exported(),
    Erased(),
    Redacted(),
    Anonymised(),
    Rectified(),
    Restricted(),
    Lifted(),
    Suppressed(),
    Unaffected(),
    Retained("tax-records", WHEN),
    Retained("contract"),
    Expires(WHEN),
    Blocked(WHEN, "lock"),
    Queued(WHEN),
    Accepted(WHEN),
    NeedsHuman("unblock"),
    NotSupported("fixed"),
    Failed("refused"),
]


@pytest.mark.parametrize("outcome", EVERY, ids=lambda it: f"{it!r:.30}")
def test_an_outcome_comes_back_as_it_was_said(outcome: Outcome) -> None:
    assert from_row(to_row(outcome)) == outcome


def test_every_outcome_is_tried() -> None:
    assert {type(it) for it in EVERY} == set(get_args(Outcome))


@pytest.mark.parametrize("outcome", EVERY, ids=lambda it: f"{it!r:.30}")
def test_the_class_is_the_one_the_connectors_words_have(outcome: Outcome) -> None:
    classes: dict[str, Any] = {"proved": Proved, "kept": Retained, "dated": Dated, "open": Open}
    assert isinstance(outcome, classes[state(to_row(outcome))])


@pytest.mark.parametrize(
    "row",
    [
        OutcomeRow(kind="evaporated"),
        OutcomeRow(kind=""),
        OutcomeRow(kind="expires"),
        OutcomeRow(kind="blocked", reason="lock"),
        OutcomeRow(kind="retained"),
    ],
)
def test_what_is_not_understood_has_failed(row: OutcomeRow) -> None:
    assert from_row(row) == Failed("unknown_outcome")


def test_an_unknown_kind_is_open() -> None:
    assert state(OutcomeRow(kind="evaporated", until=WHEN)) == "open"


@pytest.mark.parametrize(
    "text",
    ["", "Dear Sir", "ann@example.org", "x" * 65, "a\nb"],
    ids=["nothing", "text", "address", "endless", "lines"],
)
def test_a_vendors_text_never_passes_for_a_code(text: str) -> None:
    assert code(text) == "unnamed"
    assert to_row(Failed(text)).reason == "unnamed"


@pytest.mark.parametrize("kind", ["attested", "not_possible"])
def test_what_only_people_say_is_nothing_that_a_host_can_say(kind: str) -> None:
    assert of_host(OutcomeRow(kind=kind)) == to_row(Failed("unknown_outcome"))
    assert of_host(OutcomeRow(kind="erased")) == OutcomeRow(kind="erased")
    assert state(OutcomeRow(kind=kind)) in {"attested", "open"}
