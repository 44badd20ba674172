"""What comes in from outside is for the pipeline alone, and exactly what its sender signed."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import CodecError, before_sealed, locked
from schemas.derive import event_name
from schemas.envelope import SUITE, SignatureError, disclose, enclose, verify
from schemas.events import Event, RequestReceived
from schemas.records import Person
from schemas.sealed import SealError
from tests.fakes.person import with_email
from tests.unit import strategies

CODEC = locked()
RECIPIENT = X25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_RECIPIENT = X25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34)))
OTHER_SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(3, 35)))
SAYS = "comet@example.org", "Ann Comet"


def enclosed(event: Event, content: Any) -> Event:
    return enclose(CODEC, event, content, RECIPIENT.public_key(), SIGNER)


@st.composite
def enclosed_events(draw: st.DrawFn) -> Event:
    kind = draw(st.sampled_from(strategies.enclosed()))
    return enclosed(draw(strategies.instances(kind)), draw(strategies.contents(kind)))


@pytest.mark.parametrize("kind", strategies.enclosed(), ids=event_name)
@settings(max_examples=20)
@given(data=st.data())
def test_what_was_enclosed_is_verified_and_read_after_its_way_through_the_wire(
    kind: type[Event], data: st.DataObject
) -> None:
    content = data.draw(strategies.contents(kind))
    event = CODEC.decode(CODEC.encode(enclosed(data.draw(strategies.instances(kind)), content)))
    verify(event, SIGNER.public_key())
    assert disclose(CODEC, event, RECIPIENT) == content


@given(enclosed_events())
def test_another_pipeline_cannot_open_it(event: Event) -> None:
    with pytest.raises(SealError, match="does not open under the pipeline's key"):
        disclose(CODEC, event, OTHER_RECIPIENT)


@given(enclosed_events())
def test_another_sender_did_not_sign_it(event: Event) -> None:
    with pytest.raises(SignatureError):
        verify(event, OTHER_SIGNER.public_key())


@pytest.mark.parametrize("kind", strategies.enclosed(), ids=event_name)
@settings(max_examples=20)
@given(data=st.data())
def test_any_other_field_and_neither_signature_nor_seal_holds(
    kind: type[Event], data: st.DataObject
) -> None:
    event: Any = enclosed(
        data.draw(strategies.instances(kind)), data.draw(strategies.contents(kind))
    )
    for field in fields(event):
        other = data.draw(strategies.values(kind, field), label=field.name)
        if other == getattr(event, field.name):
            continue
        changed = replace(event, **{field.name: other})
        with pytest.raises(SignatureError):
            verify(changed, SIGNER.public_key())
        if field.name != "signature":
            with pytest.raises(SealError):
                disclose(CODEC, changed, RECIPIENT)


@given(enclosed_events(), st.data())
def test_signed_again_by_another_what_was_sealed_stays_bound_to_its_clear_fields(
    event: Any, data: st.DataObject
) -> None:
    """A sender of their own cannot take somebody's sealed person into a case of theirs."""
    mine = replace(event, case=data.draw(st.uuids().filter(lambda it: it != event.case)))
    with pytest.raises(SealError):
        disclose(CODEC, mine, RECIPIENT)


@given(enclosed_events(), st.data())
def test_a_changed_bit_or_a_cut_is_refused(event: Any, data: st.DataObject) -> None:
    found = bytearray(event.sealed)
    kept = bytes(found[: data.draw(st.integers(0, len(found) - 1))])
    at = data.draw(st.integers(0, len(found) - 1))
    found[at] ^= 1 << data.draw(st.integers(0, 7))
    for wrong in (bytes(found), kept):
        with pytest.raises(SealError):
            disclose(CODEC, replace(event, sealed=wrong), RECIPIENT)


@given(st.sampled_from(strategies.enclosed()), st.binary(max_size=120), st.data())
def test_garbage_is_refused_and_nothing_else_happens(
    kind: type[Event], garbage: bytes, data: st.DataObject
) -> None:
    event = replace(data.draw(strategies.instances(kind)), sealed=garbage, signature=garbage)
    with pytest.raises(SealError):
        disclose(CODEC, event, RECIPIENT)
    with pytest.raises(SignatureError):
        verify(event, SIGNER.public_key())


@pytest.mark.parametrize("point", [bytes(32), b"\1" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f"])
def test_a_key_whose_secret_everybody_knows_is_refused(point: bytes) -> None:
    """Points of small order: X25519 gives zero for every private key (RFC 9180 section 7.1.4)."""
    event = replace(_request(), sealed=point + bytes(64))
    with pytest.raises(SealError):
        disclose(CODEC, event, RECIPIENT)


def test_what_opens_and_is_no_person_is_refused() -> None:
    event = _request()
    inside = SUITE.encrypt(b"\0\0\0\0\1x", RECIPIENT.public_key(), info=before_sealed(event))
    with pytest.raises(CodecError):
        disclose(CODEC, replace(event, sealed=inside), RECIPIENT)


def test_the_same_request_is_never_sealed_twice_the_same_way_and_signed_always_alike() -> None:
    one, other = (enclosed(_request(), Person()) for _ in range(2))
    assert isinstance(one, RequestReceived)
    assert isinstance(other, RequestReceived)
    assert one.sealed != other.sealed
    again = replace(one, signature=b"")
    assert SIGNER.sign(CODEC.encode(again)[5:-1]) == one.signature


def test_a_hex_dump_and_an_error_show_nothing_of_the_person() -> None:
    email, name = SAYS
    content = with_email(email, name)
    event = enclosed(_request(), content)
    with pytest.raises(SealError) as refused:
        disclose(CODEC, event, OTHER_RECIPIENT)
    shown = CODEC.encode(event) + repr((content, refused.value, refused.value.__cause__)).encode()
    assert [it for it in SAYS if it.encode() in shown] == []


def _request() -> RequestReceived:
    return RequestReceived(
        case=UUID(int=1),
        claims=("access",),
        received_at=datetime(2026, 3, 1, tzinfo=UTC),
        intake="web",
        level=2,
        key="000001",
        sealed=b"",
    )
