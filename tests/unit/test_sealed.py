"""A sealed field opens under its key, in its place, and nowhere else; in a dump it says nothing."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from schemas.codec import CodecError, before_sealed, locked
from schemas.derive import event_name
from schemas.events import Event, HoldingsLocated
from schemas.records import (
    Actor,
    Evidence,
    Person,
    Preference,
    Sealed,
    SealedAffected,
    SealedBefore,
    SealedBody,
    SealedChange,
    SealedEntries,
    SealedHolding,
    SealedIdentifier,
    SealedIncident,
    SealedMeasure,
    SealedNotice,
    SealedRequest,
    SealedResponse,
    SealedTaken,
)
from schemas.sealed import SealError, associated_data, key_id, seal, seal_event, unseal
from schemas.sealed import unseal_event as opened
from tests.unit import strategies

CODEC = locked()
KEY, OTHER_KEY = bytes(range(32)), bytes(32)
KEY_ID = UUID("0b8a4f4e-9a43-4b0a-8f6e-6f3c2b1a0d9e")
SYSTEM = "acme"
AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
SAYS = "comet@example.org", "+49 30 901820", "Ann Comet", "contact-4711", "req-0815", "tok-en"
DATA = st.binary(max_size=40)
SEALING = st.sampled_from(strategies.sealing())


def sealed(event: Event, content: Any) -> Event:
    return seal_event(CODEC, event, content, KEY, KEY_ID, SYSTEM)


@st.composite
def sealed_events(draw: st.DrawFn, kinds: st.SearchStrategy[type[Event]] = SEALING) -> Event:
    kind = draw(kinds)
    return sealed(draw(strategies.instances(kind)), draw(strategies.contents(kind)))


@pytest.mark.parametrize("kind", strategies.sealing(), ids=event_name)
@settings(max_examples=20)
@given(data=st.data())
def test_what_was_sealed_into_an_event_is_read_back_after_its_way_through_the_wire(
    kind: type[Event], data: st.DataObject
) -> None:
    content = data.draw(strategies.contents(kind))
    event: Any = CODEC.decode(CODEC.encode(sealed(data.draw(strategies.instances(kind)), content)))
    assert key_id(event.sealed) == KEY_ID
    assert opened(CODEC, event, KEY, SYSTEM) == content


@given(st.binary(max_size=300), DATA)
def test_a_sealed_field_is_format_key_id_nonce_and_ciphertext(text: bytes, data: bytes) -> None:
    found = seal(KEY, KEY_ID, text, data)
    assert found[0] == 1
    assert found[1:17] == KEY_ID.bytes == key_id(found).bytes
    assert len(found) == 1 + 16 + 12 + len(text) + 16
    assert unseal(KEY, found, data) == text


@given(st.binary(max_size=60), DATA)
def test_the_same_is_never_sealed_twice_the_same_way(text: bytes, data: bytes) -> None:
    assert seal(KEY, KEY_ID, text, data) != seal(KEY, KEY_ID, text, data)


@given(sealed_events())
def test_another_key_does_not_open_it(event: Event) -> None:
    with pytest.raises(SealError, match="does not open under this key"):
        opened(CODEC, event, OTHER_KEY, SYSTEM)


# What binds it to its place: each part of the associated data.


@pytest.mark.parametrize("kind", strategies.sealing(), ids=event_name)
@settings(max_examples=30)
@given(data=st.data())
def test_any_other_clear_field_and_it_does_not_open(kind: type[Event], data: st.DataObject) -> None:
    """Every field is taken in turn: the case, the order, the system, and whatever else is clear."""
    event = data.draw(sealed_events(st.just(kind)))
    for field in fields(event):
        if field.name not in {"sealed", "signature"}:
            other = data.draw(strategies.values(kind, field), label=field.name)
            if other != getattr(event, field.name):
                _does_not_open(replace(event, **{field.name: other}))


@given(sealed_events(), SEALING, st.data())
def test_moved_into_another_type_of_event_it_does_not_open(
    event: Any, kind: type[Event], data: st.DataObject
) -> None:
    assume(kind is not type(event))
    mine = {(it.name, it.type): getattr(event, it.name) for it in fields(event)}
    other = data.draw(strategies.instances(kind))
    alike = {it.name: mine[it.name, it.type] for it in fields(kind) if (it.name, it.type) in mine}
    _does_not_open(replace(other, **alike))


@given(sealed_events(), st.text(max_size=12))
def test_for_another_system_it_does_not_open(event: Event, system: str) -> None:
    assume(system != SYSTEM)
    with pytest.raises(SealError):
        opened(CODEC, event, KEY, system)


@given(sealed_events(), st.uuids())
def test_in_another_case_it_does_not_open(event: Event, case: UUID) -> None:
    assume(case != event.case)
    _does_not_open(replace(event, case=case))


@given(sealed_events())
def test_type_case_order_and_system_stand_before_the_clear_fields(event: Event) -> None:
    place = f"{event_name(type(event))}/{event.case}/{getattr(event, 'order', '')}/{SYSTEM}/"
    assert associated_data(event, SYSTEM) == place.encode() + before_sealed(event)


# Bytes that are no sealed field.


@given(st.binary(max_size=90), DATA)
def test_garbage_is_refused_and_nothing_else_happens(garbage: bytes, data: bytes) -> None:
    for wrong in (garbage, b"\1" + garbage):
        with pytest.raises(SealError):
            unseal(KEY, wrong, data)


@given(st.binary(max_size=60), DATA, st.data())
def test_a_changed_bit_or_a_cut_is_refused(text: bytes, data: bytes, drawn: st.DataObject) -> None:
    """All but the key id, which says what key to try, and is refused by trying it."""
    found = bytearray(seal(KEY, KEY_ID, text, data))
    at = drawn.draw(st.sampled_from([0, *range(17, len(found))]))
    kept = bytes(found[: drawn.draw(st.integers(0, len(found) - 1))])
    found[at] ^= 1 << drawn.draw(st.integers(0, 7))
    for wrong in (bytes(found), kept):
        with pytest.raises(SealError):
            unseal(KEY, wrong, data)


@given(st.binary(max_size=28))
def test_what_is_shorter_than_its_head_names_no_key(short: bytes) -> None:
    with pytest.raises(SealError, match="not a sealed field"):
        key_id(short)


def test_an_event_whose_seal_was_left_out_is_refused() -> None:
    with pytest.raises(SealError, match="not a sealed field"):
        opened(CODEC, _located(), KEY, SYSTEM)


def test_what_opens_and_is_not_what_the_event_seals_is_refused() -> None:
    event = _located()
    inside = seal(KEY, KEY_ID, b"\0\0\0\0\1x", associated_data(event, SYSTEM))
    with pytest.raises(CodecError):
        opened(CODEC, replace(event, sealed=inside), KEY, SYSTEM)


# What others see of it.


def test_a_hex_dump_shows_nothing_that_is_sealed() -> None:
    value = CODEC.encode(sealed(_located(), _content()))
    assert KEY_ID.bytes in value
    for said in SAYS:
        assert said.encode() not in value
        assert said.encode() in CODEC.encode_sealed(HoldingsLocated, _content())


@given(sealed_events(), st.data())
def test_whatever_is_sealed_the_record_does_not_show_it(event: Event, data: st.DataObject) -> None:
    said = data.draw(st.text(min_size=8, max_size=60).map(str.encode))
    assume(said not in CODEC.encode(event))
    contents: dict[type | None, Any] = {
        Sealed: Sealed(name=said.decode()),
        Person: Person(name=said.decode()),
        Actor: Actor(login=said.decode()),
        SealedRequest: SealedRequest(changes=(SealedChange(datum="city", to=said.decode()),)),
        SealedMeasure: SealedMeasure(changes=(SealedChange(datum="city", to=said.decode()),)),
        SealedTaken: SealedTaken(
            before=(SealedBefore(tag=b"", datum="city", value=said.decode()),)
        ),
        SealedNotice: SealedNotice(says=said.decode()),
        SealedResponse: SealedResponse(policy_files=(said.decode(),)),
        SealedIncident: SealedIncident(login="", consequences=said.decode()),
        SealedAffected: SealedAffected(
            login="", identifiers=(SealedIdentifier(tag=b"", kind="email", value=said.decode()),)
        ),
        Preference: Preference(kind="email", value=said.decode()),
        SealedEntries: SealedEntries(bodies=(SealedBody(body=said, at=AT),)),
    }
    assert said not in CODEC.encode(sealed(event, contents[type(event).SEALS]))


def test_no_repr_of_what_is_sealed_and_no_error_shows_it() -> None:
    content = _content()
    with pytest.raises(SealError) as refused:
        opened(CODEC, sealed(_located(), content), OTHER_KEY, SYSTEM)
    inside = (*content.identifiers, *content.holdings, content, Person(name=content.name))
    shown = " ".join([*map(repr, inside), repr(refused.value), repr(refused.value.__cause__)])
    assert [it for it in (*SAYS, KEY.hex(), OTHER_KEY.hex()) if it in shown] == []


def _does_not_open(event: Event) -> None:
    with pytest.raises(SealError):
        opened(CODEC, event, KEY, SYSTEM)


def _located() -> HoldingsLocated:
    return HoldingsLocated(
        case=KEY_ID, order=KEY_ID, system=SYSTEM, part=1, parts=1, digest=os.urandom(32)
    )


def _content() -> Sealed:
    email, phone, name, holding, request, token = SAYS
    return Sealed(
        name=name,
        identifiers=(
            SealedIdentifier(tag=bytes(16), kind="email", value=email),
            SealedIdentifier(tag=bytes(16), kind="phone", value=phone),
        ),
        holdings=(SealedHolding(tag=bytes(16), kind="contact", id=holding),),
        evidence=(Evidence(operation="GET /contacts/{id}", status=200, request=request),),
        token=token,
        cursor=holding,
    )
