"""Records of any shape become cards that a person reads, and no value is lost on the way."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sdk.interface import Holding, Record
from pipeline.response import words
from pipeline.response.cards import Card, Field
from pipeline.response.readable import moment, without_markup

LEAVES = st.none() | st.booleans() | st.integers() | st.text()
SHAPES = st.recursive(
    LEAVES, lambda it: st.lists(it, max_size=3) | st.dictionaries(st.text(), it, max_size=3)
)


def card(*bodies: Any) -> Card:
    made = Card("ticket", "1")
    for body in bodies:
        made.take(Record(Holding("ticket", "1"), json.dumps(body).encode()))
    return made


def shown(fields: tuple[Field, ...] | list[Field]) -> dict[str, Any]:
    return {it.label: shown(it.below) if it.below else it.text for it in fields}


def test_fields_have_labels_and_nested_ones_stay_nested() -> None:
    made = card(
        {"first_name": "Ann", "address": {"zipCode": "D01", "lines": ["a", "b"]}, "x": None}
    )
    assert shown(made.fields) == {
        "First name": "Ann",
        "Address": {"Zip code": "D01", "Lines": "a, b"},
    }
    assert made.empty == 1


def test_a_conversation_goes_on_over_records() -> None:
    said = {"body_text": "hello", "incoming": True, "created_at": "2026-03-05T09:30:00Z"}
    made = card({"subject": "S", "conversations": [said]}, {"id": 1, "conversations": [said, said]})
    assert made.title == "S"
    assert [(it.who, it.at) for it in made.said] == [("You", "5 March 2026, 09:30 UTC")] * 3


def test_a_number_is_shown_as_a_moment_by_its_name_and_size_only() -> None:
    body = {"created": 1763596800, "period_end": 1763596800.5, "amount": 1763596800, "start": 7}
    assert shown(card(body).fields) == {
        "Created": "20 November 2025, 00:00 UTC",
        "Period end": "20 November 2025, 00:00 UTC",
        "Amount": "1763596800",
        "Start": "7",
    }


def test_text_is_shown_once_and_not_lost_if_its_twin_is_empty() -> None:
    assert shown(card({"note": "<p>a</p>", "note_text": "a"}).fields) == {"Note": "a"}
    assert shown(card({"note": "<p>a</p>", "note_text": ""}).fields) == {"Note": "a"}


@given(SHAPES)
def test_any_json_makes_a_card(body: Any) -> None:
    made = card(body)
    assert made.fields or made.said or made.raw or made.empty or body in ({}, "")


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("<div>Hello,<br>you &amp; I</div>", "Hello,\nyou & I"),
        ("<p>one</p><p>two</p>", "one\ntwo"),
        ("1 < 2 </end>", "1 < 2 </end>"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("<p></p>", "<p></p>"),
    ],
)
def test_mark_up_is_read_and_everything_else_left_alone(said: str, read: str) -> None:
    assert without_markup(said) == read


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("2026-03-05T09:30:00Z", "5 March 2026, 09:30 UTC"),
        ("2025-11-03T12:00:00.000+0000", "3 November 2025, 12:00 UTC"),
        ("2026-03-05T09:30:00+01:00", "5 March 2026, 09:30 (+01:00)"),
        ("2026-03-05T09:30:00", "5 March 2026, 09:30"),
        ("2026-13-05T09:30:00", "2026-13-05T09:30:00"),
        ("2026-03-05", "2026-03-05"),
    ],
)
def test_moments_are_written_out(said: str, read: str) -> None:
    assert moment(said) == read


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("MobilePhone", "Mobile phone"),
        ("mobile_phone", "Mobile phone"),
        ("Marketing_Interests__c", "Marketing interests"),
        ("User_Id__c", "User ID"),
        ("cf_5", "Cf 5"),
        ("Ärger", "Ärger"),
        ("名前", "名前"),
        ("", ""),
    ],
)
def test_names_become_labels(name: str, said: str) -> None:
    assert words.label(name) == said


def test_numbers_and_lists_read_well() -> None:
    assert [words.counted(it, "day") for it in (0, 1, 1204)] == ["0 days", "1 day", "1,204 days"]
    assert words.kinds("query") == "queries"
    assert [words.joined(it) for it in ([], ["a"], ["a", "b", "c"])] == ["", "a", "a, b and c"]
    assert words.identifier("salesforce.contact") == "Salesforce contact ID"


def test_codes_have_words_even_unknown_ones() -> None:
    assert words.reason("facts_missing:customer", {}).endswith("(customer).")
    assert words.reason("odd", {"odd": "Because."}) == "Because."
    assert words.reason("odd", {}) == words.OTHER_REASON
