"""The policy and the law as data: their own examples, and that the data map tells the truth."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from connectors.sdk import registry
from pipeline import app, policy
from pipeline.case import plan
from pipeline.case.deadline import deadline
from pipeline.case.facts import Told
from pipeline.case.rules import UnknownPolicyError
from pipeline.policy.retention import Example
from pipeline.settings import Settings

POLICY = policy.load(None)
EXAMPLES = [it for rule in POLICY.retention for it in rule.examples]
SYSTEMS = {it: registry.connector(it).capabilities for it in registry.systems()}


def test_every_rule_has_examples() -> None:
    assert all(rule.examples for rule in POLICY.retention)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda it: it.why)
def test_an_example_of_a_retention_rule_holds(example: Example) -> None:
    row = example.row
    facts = {name: Told(value=it) for name, it in example.facts.items()}
    where = row["system"], row["kind"], row["category"]
    decision = plan.decide(*where, facts, POLICY, date.fromisoformat(example.on))
    assert decision.action == example.gives
    until = decision.until.date().isoformat() if decision.until else None
    assert (until, decision.reason) == (example.until, example.reason)


@pytest.mark.parametrize("vector", POLICY.deadlines, ids=lambda it: it["received"])
def test_a_month_is_a_calendar_month(vector: dict[str, str]) -> None:
    """GDPR Art. 12(3) with Regulation (EEC, Euratom) 1182/71 Art. 3."""
    received = datetime.combine(date.fromisoformat(vector["received"]), datetime.min.time(), UTC)
    for at in (received, received + timedelta(hours=23, minutes=59)):
        counted = deadline(at, POLICY.clock), deadline(at, POLICY.clock, extended=True)
        assert [it.due.date().isoformat() for it in counted] == [vector["due"], vector["extended"]]


@pytest.mark.parametrize("system", sorted(SYSTEMS))
def test_the_data_map_says_what_the_connector_finds(system: str) -> None:
    mapped = {it.kind: it.categories for it in POLICY.data if it.system == system}
    declared = {
        kind: frozenset(map(str, categories)) for kind, categories in SYSTEMS[system].kinds.items()
    }
    assert mapped == declared


@pytest.mark.parametrize("system", sorted(SYSTEMS))
def test_every_system_is_a_named_recipient(system: str) -> None:
    """GDPR Art. 15(1)(c): but for those that are our own, which nobody else receives."""
    assert (system in POLICY.own) != (system in {it.system for it in POLICY.recipients})


def test_what_a_rule_keeps_is_on_the_data_map() -> None:
    mapped = {(it.system, it.kind, category) for it in POLICY.data for category in it.categories}
    for rule in POLICY.retention:
        assert rule.rows <= mapped


def test_every_purpose_of_the_data_map_has_a_legal_basis() -> None:
    """GDPR Art. 6(1), 15(1)(a)."""
    for it in POLICY.data:
        for purpose in it.purposes:
            assert all("GDPR Art. 6(1)" in basis.says for basis in POLICY.purposes[purpose].bases)


def test_the_facts_that_rules_need_are_told_by_a_system() -> None:
    told = {fact for it in SYSTEMS.values() for fact in it.facts}
    for rule in POLICY.retention:
        assert rule.needs | rule.reckoned_from <= told


def test_a_changed_policy_has_another_digest(tmp_path: Path) -> None:
    folder = Path(policy.__file__).parent
    for name in policy.FILES:
        (tmp_path / name).write_text((folder / name).read_text() + "\n# changed\n")
    assert policy.load(tmp_path).digest != POLICY.digest


def test_a_case_of_before_goes_on_under_its_own_policy(tmp_path: Path) -> None:
    kept = tmp_path / "last-year"
    kept.mkdir()
    for name in policy.FILES:
        text = (Path(policy.__file__).parent / name).read_text()
        (kept / name).write_text(text + "\n# as it was last year\n")
    settings = Settings(earlier_policies=str(kept))
    known = app.rules(settings)
    was = policy.load(kept).digest
    assert was != known.policy.digest
    assert known.policy_of(was).digest == was
    for digest, earlier in policy.earlier().items():
        assert known.policy_of(digest) == earlier
    with pytest.raises(UnknownPolicyError, match="HABEAS_EARLIER_POLICIES"):
        app.rules(Settings()).policy_of(was)
