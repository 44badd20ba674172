"""An order's keys open this case and this system, on this host, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import assume, given
from hypothesis import strategies as st

from connectors.sdk.spelling import normal
from pipeline.crypto.grants import (
    HEADER,
    PACKAGE,
    RECORD,
    Grant,
    GrantError,
    Grants,
    UnknownHostKeyError,
    grant,
    holding_tag,
    identifier_tag,
    tag_grant,
    unwrap,
    wrap,
)
from schemas.sealed import SealError, seal, unseal

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
KEY_ID, OTHER_ID = UUID(int=7), UUID(int=8)
HOST = {"2026-03-01": bytes(range(9, 41)), "2026-03-02": bytes(range(10, 42))}
OTHER_HOST = {"2026-03-01": bytes(range(11, 43))}
TAG_KEY = tag_grant(KEY, KEY_ID).key
KEYS, NAMES = st.binary(min_size=32, max_size=32), st.text(min_size=1, max_size=12)
EMAILS = st.emails()


def order() -> list[Grant]:
    return [
        grant(RECORD, KEY, KEY_ID, "acme"),
        grant(PACKAGE, OTHER_KEY, OTHER_ID, "acme"),
        tag_grant(KEY, KEY_ID),
    ]


# One key, one case, one system.


@given(KEYS, st.uuids(), NAMES)
def test_a_grant_is_hkdf_of_the_key_its_id_and_the_system(
    key: bytes, key_id: UUID, system: str
) -> None:
    info = b"habeas/grant/1/" + system.encode()
    derived = HKDF(SHA256(), length=32, salt=key_id.bytes, info=info).derive(key)
    assert grant(RECORD, key, key_id, system).key == derived
    assert derived != key


@given(NAMES, NAMES)
def test_a_grant_of_another_system_does_not_open(system: str, other: str) -> None:
    assume(system != other)
    found = seal(grant(RECORD, KEY, KEY_ID, system).key, KEY_ID, b"content", b"")
    with pytest.raises(SealError):
        unseal(grant(RECORD, KEY, KEY_ID, other).key, found, b"")


@pytest.mark.parametrize(("key", "key_id"), [(OTHER_KEY, KEY_ID), (KEY, OTHER_ID)])
def test_a_grant_of_another_case_does_not_open(key: bytes, key_id: UUID) -> None:
    found = seal(grant(RECORD, KEY, KEY_ID, "acme").key, KEY_ID, b"content", b"")
    with pytest.raises(SealError):
        unseal(grant(RECORD, key, key_id, "acme").key, found, b"")


@given(NAMES)
def test_the_tag_key_is_no_systems_grant(system: str) -> None:
    assert grant(RECORD, KEY, KEY_ID, system).key != tag_grant(KEY, KEY_ID).key


# The header.


@given(st.sampled_from(sorted(HOST)))
def test_a_host_finds_every_grant_of_its_order_under_any_key_it_still_has(name: str) -> None:
    found = unwrap(wrap(order(), HOST[name], name), HOST)
    assert found == Grants(tuple(order()))
    assert found.record() == order()[0]
    assert found.package("acme") == order()[1]
    assert found.tag_key() == TAG_KEY


def test_under_another_key_of_that_name_nothing_opens() -> None:
    header = wrap(order(), HOST["2026-03-01"], "2026-03-01")
    with pytest.raises(GrantError, match="do not open under this host's keys"):
        unwrap(header, OTHER_HOST)


@pytest.mark.parametrize("host_keys", [{}, {"2026-03-02": HOST["2026-03-01"]}], ids=["none", "id"])
def test_a_host_key_that_is_not_here_is_named(host_keys: dict[str, bytes]) -> None:
    header = wrap(order(), HOST["2026-03-01"], "2026-03-01")
    with pytest.raises(UnknownHostKeyError) as caught:
        unwrap(header, host_keys)
    assert caught.value.named == "2026-03-01"


@pytest.mark.parametrize("named", ["../2026-03-01", "ann@example.org", "", "1" * 41])
def test_what_is_no_id_of_a_key_is_not_looked_for(named: str) -> None:
    header = wrap(order(), HOST["2026-03-01"], named)
    with pytest.raises(GrantError, match="name no host key"):
        unwrap(header, {named: HOST["2026-03-01"]})


def test_a_header_shows_no_key() -> None:
    header = wrap(order(), HOST["2026-03-01"], "2026-03-01")
    for key in (*(it.key for it in order()), KEY, OTHER_KEY, *HOST.values()):
        assert key not in header
        assert key.hex().encode() not in header
    assert HEADER == "habeas-grants"


def test_what_an_order_does_not_bring_is_an_error_that_says_so() -> None:
    found = Grants((grant(PACKAGE, KEY, KEY_ID, "acme"),))
    for ask in (found.record, found.tag_key, lambda: found.package("other")):
        with pytest.raises(GrantError, match="the order brings no"):
            ask()


@given(st.data())
def test_a_grant_changed_on_its_way_does_not_open(data: st.DataObject) -> None:
    read = json.loads(wrap(order(), HOST["2026-03-01"], "2026-03-01"))
    row = data.draw(st.sampled_from(read["grants"]))
    at = data.draw(st.integers(0, len(row[3]) - 5))
    row[3] = row[3][:at] + ("A" if row[3][at] != "A" else "B") + row[3][at + 1 :]
    with pytest.raises(GrantError):
        unwrap(json.dumps(read).encode(), HOST)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.just("2026-03-01"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)


@given(st.binary(max_size=120))
def test_garbage_is_refused_and_nothing_else_happens(garbage: bytes) -> None:
    with pytest.raises(GrantError):
        unwrap(garbage, HOST)


@given(JSON, st.lists(st.lists(JSON, min_size=4, max_size=4), min_size=1, max_size=2))
def test_a_header_of_another_shape_is_refused_and_nothing_else_happens(
    anything: Any, rows: list[list[Any]]
) -> None:
    for wrong in (
        anything,
        {"host_key": anything, "grants": rows},
        {"host_key": "2026-03-01", "grants": [anything]},
        {"host_key": "2026-03-01", "grants": rows},
    ):
        with pytest.raises(GrantError):
            unwrap(json.dumps(wrong).encode(), HOST)


def test_a_header_nested_beyond_measure_is_refused() -> None:
    with pytest.raises(GrantError):
        unwrap(b"[" * 200_000, HOST)


def test_neither_a_grant_nor_an_error_shows_a_key() -> None:
    with pytest.raises(GrantError) as refused:
        unwrap(wrap(order(), HOST["2026-03-01"], "2026-03-01"), OTHER_HOST)
    shown = repr((order(), Grants(tuple(order())), refused.value, refused.value.__cause__))
    for it in order():
        assert repr(it.key) not in shown
        assert it.key.hex() not in shown


# Tags.


@given(EMAILS, st.sampled_from(["", " ", "\t", "\n"]))
def test_every_spelling_of_an_address_has_the_same_tag(email: str, space: str) -> None:
    tag = identifier_tag(TAG_KEY, "email", email)
    for spelling in (email.upper(), email.lower(), email.swapcase(), space + email + space):
        assert identifier_tag(TAG_KEY, "email", spelling) == tag
    assert len(tag) == 16


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("phone", "+49 (30) 90 18-20", "+493090 1820"),
        ("phone", "030/901820", "030 901820"),
        ("user_id", "u-1 ", "u-1"),
    ],
)
def test_spellings_of_the_same_have_the_same_tag(kind: str, one: str, other: str) -> None:
    assert identifier_tag(TAG_KEY, kind, one) == identifier_tag(TAG_KEY, kind, other)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("email", "a.b@example.org", "ab@example.org"),
        ("email", "ab+x@example.org", "ab@example.org"),
        ("phone", "+4930901820", "4930901820"),
        ("user_id", "U-1", "u-1"),
    ],
)
def test_what_may_be_another_person_has_another_tag(kind: str, one: str, other: str) -> None:
    assert identifier_tag(TAG_KEY, kind, one) != identifier_tag(TAG_KEY, kind, other)


@given(st.sampled_from(["email", "phone", "user_id"]), st.text(max_size=30))
def test_a_normal_form_is_its_own(kind: str, value: str) -> None:
    assert normal(kind, normal(kind, value)) == normal(kind, value)


@given(st.lists(st.tuples(NAMES, NAMES, NAMES), min_size=2, max_size=6, unique=True))
def test_no_two_holdings_share_a_tag(holdings: list[tuple[str, str, str]]) -> None:
    names = [it for it in holdings if "\0" not in it[0] + it[1]]  # systems and kinds are names
    assert len({holding_tag(TAG_KEY, *it) for it in names}) == len(names)


@pytest.mark.parametrize(
    "tag",
    [
        lambda key: identifier_tag(key, "email", "comet@example.org"),
        lambda key: holding_tag(key, "acme", "contact", "4711"),
    ],
    ids=["identifier", "holding"],
)
def test_in_another_case_the_same_has_another_tag(tag: Callable[[bytes], bytes]) -> None:
    keys = TAG_KEY, tag_grant(KEY, OTHER_ID).key, tag_grant(OTHER_KEY, KEY_ID).key
    assert len({tag(it) for it in keys}) == len(keys)


def test_an_identifier_and_a_holding_of_the_same_words_have_other_tags() -> None:
    assert identifier_tag(TAG_KEY, "acme", "1") != holding_tag(TAG_KEY, "acme", "1", "")
