"""The route is closed: nothing is said that nobody reads, nothing is read that nobody says."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sdk import registry
from pipeline import flow
from pipeline.flow import FINAL, ROUTE, Where
from pipeline.settings import Settings
from schemas import events as e
from schemas.derive import event_name, event_types
from schemas.events import Event

from .worlds import Run, rules, small_world

README = Path(__file__).parents[2] / "README.md"
BESIDE = {e.LedgerAppended, e.RecordRefused}
"""Not of the route: the ledger's own record, and a dead letter."""
SAID: set[type[Event]] = {event for step in ROUTE for event in step.says}
READ: set[type[Event]] = {event for step in ROUTE for event in step.reads}


@pytest.mark.parametrize("event", SAID, ids=event_name)
def test_what_is_said_is_read_or_final(event: type[Event]) -> None:
    assert (event in READ) != (event in FINAL)


@pytest.mark.parametrize("event", READ, ids=event_name)
def test_what_is_read_is_said(event: type[Event]) -> None:
    assert event in SAID


def test_every_event_there_is_has_its_place() -> None:
    assert set(event_types().values()) == SAID | BESIDE


def test_a_step_is_a_function_where_the_decider_runs_it() -> None:
    for step in ROUTE:
        assert (step.stage is not None) == (step.where is Where.DECIDE and step.name != "clock")


@settings(max_examples=30, deadline=None)
@given(
    claims=st.sampled_from([("access",), ("erasure",), ("access", "erasure")]), who=st.booleans()
)
def test_stages_say_only_what_the_table_says(claims: tuple[str, ...], *, who: bool) -> None:
    run = Run(small_world(customer=who))
    run.go(*claims)
    by_id = {it.id: it.event for it in run.said}
    for it in run.said:
        if it.cause is not None:
            cause = type(by_id[it.cause])
            steps = [step for step in ROUTE if cause in step.reads and type(it.event) in step.says]
            assert steps, (cause, it.event)


def test_orders_go_to_their_system_and_nothing_else_does() -> None:
    names = {it.name for it in flow.topics(tuple(rules().systems), Settings())}
    run = Run(small_world())
    run.go("access", "erasure")
    for it in run.said:
        topic = flow.topic_of(it.event)
        assert topic is None or topic in names
    assert {flow.work("freshdesk"), flow.work("salesforce"), flow.REPORTS} <= names


def test_all_that_outlives_a_cases_record_key_is_the_ledgers_topic() -> None:
    """What it says is sealed under that key (`tests/chaos/test_forgetting.py`)."""
    made = Settings()
    topics = flow.topics(("freshdesk",), made)
    longer = [
        it.name for it in topics if it.retention is None or it.retention >= made.record_key_lives
    ]
    assert longer == [flow.LEDGER]


def test_the_readme_shows_the_route_as_it_is() -> None:
    assert f"```mermaid\n{flow.picture()}```" in README.read_text()


def test_the_readme_says_what_is_out_of_reach_as_the_answers_do() -> None:
    told = " ".join(README.read_text().split())
    for system in registry.systems():
        for sentence in registry.connector(system).capabilities.beyond.values():
            assert sentence in told, f"{system}: {sentence}"
