"""May it be sent? The policy's own examples; and no order, repetition or older yes changes it."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import policy
from pipeline.case.may_send import REASONS, may_send
from pipeline.policy import EARLIER
from pipeline.policy.preferences import CLAIMED, GIVEN, REFUSALS, SAYS, Example, Said

SHIPPED = policy.load()
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
PURPOSES = sorted(SHIPPED.purposes)
MARKETING = sorted(it.id for it in SHIPPED.purposes.values() if it.marketing)
WORDS = st.builds(
    Said,
    record=st.integers(0, 2**32).map(lambda it: UUID(int=it)),
    says=st.sampled_from(sorted(SAYS)),
    purpose=st.sampled_from(PURPOSES),
    at=st.integers(0, 40).map(lambda it: NOW - timedelta(days=it)),
    level=st.integers(0, 2),
    country=st.sampled_from(["", "DE", "GB", "IE", "PL", "ZZ"]),
)
HISTORIES = st.lists(WORDS, max_size=8)


def moment(day: object) -> datetime:
    return datetime.combine(datetime.fromisoformat(str(day)), time(12), UTC)


def history_of(it: Example) -> list[Said]:
    return [
        Said(record=UUID(int=n), **{**row, "at": moment(row["at"])})
        for n, row in enumerate(it.history)
    ]


@pytest.mark.parametrize("example", SHIPPED.preferences.examples, ids=lambda it: it.why)
def test_the_policy_decides_as_its_examples_say(example: Example) -> None:
    erased = moment(example.erased) if example.erased else None
    found = may_send(
        SHIPPED, example.purpose, history_of(example), erased=erased, on=moment(example.on)
    )
    assert ("yes" if found.may else "no", found.reason) == (example.gives, example.reason)


def test_every_reason_has_an_example() -> None:
    assert {it.reason for it in SHIPPED.preferences.examples} == REASONS.keys()


@given(
    said=HISTORIES,
    purpose=st.sampled_from(PURPOSES),
    random=st.randoms(use_true_random=False),
    is_erased=st.booleans(),
)
def test_no_order_and_no_repetition_changes_an_answer(
    said: list[Said], purpose: str, random: object, *, is_erased: bool
) -> None:
    erased = NOW - timedelta(days=20) if is_erased else None
    before = may_send(SHIPPED, purpose, said, erased=erased, on=NOW)
    again = [*said, *said]
    random.shuffle(again)  # type: ignore[attr-defined]
    assert may_send(SHIPPED, purpose, again, erased=erased, on=NOW) == before


@given(HISTORIES, st.sampled_from(MARKETING), st.sampled_from(sorted(REFUSALS)), st.integers(0, 2))
def test_no_older_word_overtakes_a_refusal(
    said: list[Said], purpose: str, says: str, level: int
) -> None:
    refusal = Said(record=UUID(int=1), says=says, purpose=purpose, at=NOW, level=level)
    assert not may_send(SHIPPED, purpose, [*said, refusal], erased=None, on=NOW).may


@given(HISTORIES, st.sampled_from(PURPOSES))
def test_what_is_only_claimed_never_makes_a_yes(said: list[Said], purpose: str) -> None:
    without = [it for it in said if it.says not in CLAIMED or it.level >= 2]
    assert may_send(SHIPPED, purpose, said, erased=None, on=NOW) == may_send(
        SHIPPED, purpose, without, erased=None, on=NOW
    )


@given(HISTORIES, st.sampled_from(MARKETING))
def test_marketing_to_who_was_erased_takes_a_consent_of_after(
    said: list[Said], purpose: str
) -> None:
    erased = NOW - timedelta(days=20)
    found = may_send(SHIPPED, purpose, said, erased=erased, on=NOW)
    if found.may:
        assert found.evidence is not None
        assert found.evidence.says == GIVEN
        assert found.evidence.at > erased


@given(HISTORIES, st.sampled_from(PURPOSES))
def test_a_refusal_more_never_allows_what_was_not(said: list[Said], purpose: str) -> None:
    refusal = Said(record=UUID(int=1), says="objected", purpose="", at=NOW)
    before = may_send(SHIPPED, purpose, said, erased=None, on=NOW)
    after = may_send(SHIPPED, purpose, [*said, refusal], erased=None, on=NOW)
    assert before.may or not after.may


def test_files_of_before_know_no_country_where_a_sale_is_enough() -> None:
    for folder in sorted(EARLIER.iterdir()):
        known = policy.load(Path(folder))
        bought = Said(
            record=UUID(int=1), says="bought", purpose="order", at=NOW, level=2, country="DE"
        )
        assert not may_send(known, "offers", [bought], erased=None, on=NOW).may
