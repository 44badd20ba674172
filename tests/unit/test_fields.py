"""A table says what a record carries, what is blanked and what stays; the unknown stays."""

import pytest

from connectors.sdk.fields import Fields, at, filled
from connectors.sdk.interface import Category, NotSupported, Redacted

IDENTITY, CONTACT, PROFILE = Category.IDENTITY, Category.CONTACT, Category.PROFILE
ALL: frozenset[Category] = frozenset()

FIELDS = Fields(
    {
        "name": IDENTITY,
        "avatar": IDENTITY,
        "email": CONTACT,
        "address": CONTACT,
        "address.note": PROFILE,
        "phones": CONTACT,
        "metadata": PROFILE,
        "metadata.user_id": IDENTITY,
    },
    own=frozenset({"id", "created", "address.country_code"}),
    fixed=frozenset({"avatar"}),
    required=frozenset({"email"}),
    blank={"name": "Erased"},
    rest=PROFILE,
)
ROW = {
    "id": 1,
    "created": "2020-01-01",
    "name": "Ann",
    "email": "ann@example.org",
    "address": {"street": "Example Street 1", "note": "ring twice", "country_code": "DE"},
    "phones": ["+491"],
    "metadata": {"user_id": "u1", "loves": "cats"},
}


def test_a_row_carries_the_categories_that_have_content_now() -> None:
    assert FIELDS.of(ROW) == {IDENTITY, CONTACT, PROFILE}
    assert FIELDS.of({"id": 1, "created": "2020-01-01"}) == set()
    assert FIELDS.of({"metadata": {"user_id": "u1", "loves": None}}) == {IDENTITY}


@pytest.mark.parametrize(
    "nothing", [None, False, "", " \n", [], {}, [None], {"a": None, "b": [""]}, "Erased"]
)
def test_what_says_nothing_is_no_content(nothing: object) -> None:
    assert FIELDS.of({"name": nothing}) == set()
    assert FIELDS.blanks({"name": nothing}, ALL) == {}


@pytest.mark.parametrize("something", [0, 1, "no", True, [0], {"a": {"b": "c"}}])
def test_what_says_anything_is_content(something: object) -> None:
    assert filled(something)


def test_every_field_that_can_be_blanked_is() -> None:
    assert FIELDS.blanks(ROW, ALL) == {
        "name": "Erased",
        "address.street": None,
        "address.note": None,
        "phones": [],
        "metadata.user_id": None,
        "metadata.loves": None,
    }


def test_what_is_kept_is_not_blanked() -> None:
    assert FIELDS.blanks(ROW, frozenset({IDENTITY, CONTACT})) == {
        "address.note": None,
        "metadata.loves": None,
    }
    assert FIELDS.blanks(ROW, frozenset({IDENTITY, CONTACT, PROFILE})) == {}


def test_a_whole_object_is_blanked_where_nothing_inside_is_named() -> None:
    fields = Fields({"custom_fields": PROFILE})
    row = {"custom_fields": {"shoe_size": 46, "vip": False}}
    assert fields.blanks(row, ALL) == {"custom_fields": {"shoe_size": None, "vip": None}}


def test_what_cannot_be_blanked_is_left_and_said_why() -> None:
    row = {**ROW, "avatar": {"id": 7}}
    assert FIELDS.leftovers(row, ALL) == {IDENTITY: "fixed", CONTACT: "required"}
    assert FIELDS.leftovers(row, frozenset({IDENTITY})) == {CONTACT: "required"}
    assert FIELDS.outcomes(row, FIELDS.every) == {
        IDENTITY: NotSupported("fixed"),
        CONTACT: NotSupported("required"),
        PROFILE: Redacted(),
    }


@pytest.mark.parametrize("row", [{"nickname": "Annie"}, {"new": {"deep": ["Annie"]}}])
def test_what_no_table_knows_is_content_that_stays(row: dict[str, object]) -> None:
    assert FIELDS.of(row) == {PROFILE}
    assert FIELDS.blanks(row, ALL) == {}
    assert FIELDS.outcomes(row, frozenset({PROFILE})) == {PROFILE: NotSupported("unknown")}


def test_what_a_record_is_by_being_there_stays_as_long_as_it_does() -> None:
    fields = Fields({"name": IDENTITY}, always=frozenset({CONTACT}))
    assert fields.of({}) == {CONTACT}
    assert fields.outcomes({"name": "Ann"}, frozenset({CONTACT, IDENTITY})) == {
        CONTACT: NotSupported("indivisible"),
        IDENTITY: Redacted(),
    }


def test_a_table_names_every_category_that_a_record_may_carry() -> None:
    assert FIELDS.every == {IDENTITY, CONTACT, PROFILE}
    assert Fields({}, rest=CONTACT).every == {CONTACT}


def test_a_field_inside_another_is_found_or_is_not_there() -> None:
    assert at(ROW, "metadata.user_id") == "u1"
    assert at(ROW, "metadata.none") is None
    assert at(ROW, "name.first") is None
