"""A value stays inside its quotes, a condition inside its URI; what is not SOQL is refused."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.salesforce import soql

VALUES = st.text(max_size=300)


def read(condition: str) -> soql.Condition | None:
    return soql.parse(soql.select(["Id"], "Contact", f"WHERE {condition}")).where


@given(VALUES)
def test_a_value_is_read_back_as_it_was_written(value: str) -> None:
    assert read(f"Email = {soql.text(value)}") == soql.OneOf("Email", (value,))


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        ("o'neil@example.org", r"'o\'neil@example.org'"),
        ("back\\slash", r"'back\\slash'"),
        (r"\' OR Id != '", r"'\\\' OR Id != \''"),
        ("two\r\nlines", r"'two\r\nlines'"),
        ("nul\0bell\7", r"'nul\u0000bell\u0007'"),
        ("100%_é", "'100%_é'"),
    ],
)
def test_what_is_reserved_is_escaped(value: str, literal: str) -> None:
    assert soql.text(value) == literal


@given(st.lists(VALUES), st.lists(VALUES))
def test_every_value_that_a_field_can_have_is_in_one_condition(
    emails: list[str], numbers: list[str]
) -> None:
    found: dict[str, list[soql.Value]] = {"Email": [], "User_Id__c": []}
    for condition in soql.any_of({"Email": emails, "User_Id__c": numbers}):
        assert len(quote(condition)) < 8_000
        match read(condition):
            case soql.OneOf() as only:
                terms: tuple[soql.Condition, ...] = (only,)
            case soql.Some(several):
                terms = several
            case other:
                pytest.fail(f"{other} is neither")
        for term in terms:
            assert isinstance(term, soql.OneOf)
            found[term.field].extend(term.values)
    for field, values in (("Email", emails), ("User_Id__c", numbers)):
        possible = {it for it in values if it.strip() and len(it) <= 255}
        assert sorted(map(str, found[field])) == sorted(possible)


@pytest.mark.parametrize("value", ["", "  ", "\n", "x" * 256, "\ud800@example.org"])
def test_a_value_that_no_field_can_have_is_not_searched_for(value: str) -> None:
    """`= ''` would find everybody whose field is blank."""
    assert list(soql.any_of({"Email": [value]})) == []


def test_many_ids_take_several_conditions() -> None:
    ids = {f"0035e0000000{n:06}" for n in range(1_000)}
    conditions = list(soql.any_of({"Id": ids}))
    assert len(conditions) > 1
    assert sum(it.count("0035e") for it in conditions) == 1_000


def test_many_fields_take_several_queries_each_of_which_fits() -> None:
    fields = [f"Something_That_An_Org_Once_Needed_{n:03}__c" for n in range(400)]
    parts = soql.parts(fields)
    assert [it for part in parts for it in part] == fields
    assert len(parts) == 5
    ids = {f"0035e0000000{n:06}" for n in range(1_000)}
    longest = max(
        len(quote(soql.select(part, "Contact", f"WHERE {it}")))
        for part in parts
        for it in soql.any_of({"Id": ids}, part)
    )
    assert longest < 7_500


def test_the_fields_of_a_usual_object_take_one_query() -> None:
    assert len(soql.parts(f"SomeUsualFieldName{n}" for n in range(140))) == 1


def test_a_field_of_what_is_referred_to_is_read() -> None:
    assert soql.parse("SELECT Id, Campaign.Name FROM CampaignMember").fields == (
        "Id",
        "Campaign.Name",
    )
    with pytest.raises(soql.MalformedError):
        soql.parse("SELECT Id, Campaign. FROM CampaignMember")


def test_a_query_is_read() -> None:
    query = "select Id, Email From contact where (Email = 'a' or Fax != null) AND IsDeleted = FALSE"
    assert soql.parse(query + " limit 5") == soql.Select(
        ("Id", "Email"),
        "contact",
        soql.All(
            (
                soql.Some(
                    (
                        soql.OneOf("Email", ("a",)),
                        soql.Not(soql.OneOf("Fax", (None,))),
                    )
                ),
                soql.OneOf("IsDeleted", (False,)),
            )
        ),
        5,
    )


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("Email = 'a'", True),
        ("Email IN ('b', 'a')", True),
        ("Email NOT IN ('b', 'a')", False),
        ("NOT (Email = 'a' AND Fax = '1')", True),
        ("Email <> 'a' OR Fax = '0'", True),
    ],
)
def test_a_condition_holds_or_not(condition: str, *, expected: bool) -> None:
    row = {"Email": "a", "Fax": "0"}
    where = read(condition)
    assert where is not None
    assert soql.holds(where, lambda field, value: row[field] == value) is expected
    assert set(soql.fields_of(where)) <= row.keys()


@pytest.mark.parametrize(
    "condition",
    [
        "Email = 'O'Neil'",
        "Email = 'open",
        "Email = 'two\nlines'",
        r"Email = 'bad \q escape'",
        "Email = 'a' AND Fax = 'b' OR Fax = 'c'",
        "Email = a",
        "Email LIKE 'a%'",
        "Email = 'a' LIMIT many",
        "Email IN ()",
        "(Email = 'a'",
        "'Email' = 'a'",
        "Email = 'a'; DELETE",
        "Email =",
        "",
    ],
)
def test_what_is_not_soql_is_malformed(condition: str) -> None:
    with pytest.raises(soql.MalformedError):
        read(condition)
