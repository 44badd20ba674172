"""Every event is read back as it was written; what is no event is refused, and named to nobody."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from schemas import codec as module
from schemas.codec import (
    FRAME,
    MAX_BYTES,
    Codec,
    CodecError,
    UnknownEventError,
    before_sealed,
    before_signature,
    body,
    from_body,
    locked,
)
from schemas.derive import event_name, event_types
from schemas.events import (
    Event,
    IdentityVerified,
    LedgerAppended,
    PlanMade,
    RequestReceived,
)
from schemas.records import LedgerEntry
from tests.unit import strategies

CASE = UUID("6f7b1c8e-6b1f-4a86-9d2b-0d9f6d0f1a55")
CODEC = locked()
IDS = st.sampled_from(sorted(CODEC._by_id))


@given(strategies.events())
def test_an_event_is_read_back_as_it_was_written(event: Event) -> None:
    assert CODEC.decode(CODEC.encode(event)) == event


@pytest.mark.parametrize("kind", event_types().values(), ids=event_name)
@settings(max_examples=20)
@given(data=st.data())
def test_every_type_of_event_is_read_back(kind: type[Event], data: st.DataObject) -> None:
    event = data.draw(strategies.instances(kind))
    assert CODEC.decode(CODEC.encode(event)) == event
    assert from_body(event_name(kind), kind.VERSION, body(event)) == event


@pytest.mark.parametrize("kind", strategies.sealing(), ids=event_name)
@settings(max_examples=20)
@given(data=st.data())
def test_what_is_sealed_is_read_back_as_what_that_event_seals(
    kind: type[Event], data: st.DataObject
) -> None:
    content = data.draw(strategies.contents(kind))
    assert CODEC.decode_sealed(kind, CODEC.encode_sealed(kind, content)) == content


@given(st.sampled_from(strategies.sealing()), st.sampled_from(strategies.sealing()), st.data())
def test_what_one_event_seals_is_refused_in_another(
    kind: type[Event], other: type[Event], data: st.DataObject
) -> None:
    assume(kind is not other)
    plaintext = CODEC.encode_sealed(kind, data.draw(strategies.contents(kind)))
    with pytest.raises(CodecError, match="is not what"):
        CODEC.decode_sealed(other, plaintext)


@given(st.sampled_from(strategies.sealing()), st.data())
def test_a_sealed_part_is_no_event_and_an_event_no_sealed_part(
    kind: type[Event], data: st.DataObject
) -> None:
    with pytest.raises(CodecError, match="is no event"):
        CODEC.decode(CODEC.encode_sealed(kind, data.draw(strategies.contents(kind))))
    with pytest.raises(CodecError, match="is not what"):
        CODEC.decode_sealed(kind, CODEC.encode(data.draw(strategies.instances(kind))))


@given(st.binary(max_size=200))
def test_garbage_is_refused_and_nothing_else_happens(garbage: bytes) -> None:
    _refused_or_read(garbage)


@given(IDS, st.binary(max_size=400))
def test_garbage_in_a_good_frame_is_refused_and_nothing_else_happens(
    number: int, garbage: bytes
) -> None:
    _refused_or_read(FRAME.pack(module.MAGIC, number) + garbage)


@given(strategies.events(), st.data())
def test_an_event_that_was_cut_or_lengthened_is_refused(event: Event, data: st.DataObject) -> None:
    value = CODEC.encode(event)
    kept = data.draw(st.integers(0, len(value) - 1))
    for wrong in (value[:kept], value + data.draw(st.binary(min_size=1, max_size=9))):
        with pytest.raises(CodecError):
            CODEC.decode(wrong)


@given(strategies.events(), st.data())
def test_an_event_with_a_changed_byte_is_refused_or_read_as_another(
    event: Event, data: st.DataObject
) -> None:
    value = bytearray(CODEC.encode(event))
    at = data.draw(st.integers(0, len(value) - 1))
    value[at] ^= data.draw(st.integers(1, 255))
    _refused_or_read(bytes(value))


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"", "shorter than a frame"),
        (b"\0\0\0\0", "shorter than a frame"),
        (b"\1\0\0\0\1", "frame starts with 1"),
        (b'{"case": "x"}', "frame starts with 123"),
        (b"\0\xff\xff\xff\xff", "unknown schema id 4294967295"),
    ],
)
def test_a_refusal_says_what_is_wrong_with_the_frame(value: bytes, why: str) -> None:
    with pytest.raises(CodecError, match=why):
        CODEC.decode(value)


def test_a_refusal_names_the_schema_and_shows_no_content() -> None:
    value = CODEC.encode(IdentityVerified(case=CASE, level=1, method="secret-method"))
    with pytest.raises(CodecError) as refused:
        CODEC.decode(value + b"secret-more")
    assert "identity_verified.v1" in str(refused.value)
    assert "secret" not in f"{refused.value!r} {refused.value.__cause__!r}"


def test_a_record_is_at_most_512_kib_with_its_frame() -> None:
    event = PlanMade(case=CASE, n=1, digest=bytes(MAX_BYTES - 100), holdings=0)
    room = MAX_BYTES - len(CODEC.encode(event))
    fits = replace(event, digest=bytes(MAX_BYTES - 100 + room))
    assert len(CODEC.encode(fits)) == MAX_BYTES
    with pytest.raises(CodecError, match="plan_made: 524289 bytes exceed 524288"):
        CODEC.encode(replace(fits, digest=fits.digest + b"x"))


def test_a_type_that_this_release_does_not_know_is_an_error_of_its_own() -> None:
    with pytest.raises(UnknownEventError, match="comet_seen"):
        from_body("comet_seen", 1, b"")
    assert not issubclass(UnknownEventError, CodecError)


def test_a_record_of_a_type_that_this_release_does_not_know_is_an_error_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its schema has an id here, but no class reads it any more."""
    value = CODEC.encode(IdentityVerified(case=CASE, level=1, method="link"))
    fewer = {name: it for name, it in event_types().items() if it is not IdentityVerified}
    monkeypatch.setattr(module, "event_types", lambda: fewer)
    with pytest.raises(UnknownEventError, match="identity_verified"):
        CODEC.decode(value)


def test_a_version_that_this_release_does_not_know_is_refused() -> None:
    with pytest.raises(CodecError, match=r"no schema identity_verified\.v999"):
        from_body("identity_verified", 999, b"")


@given(strategies.events())
def test_another_numbering_changes_the_frame_and_nothing_else(event: Event) -> None:
    shifted = Codec({subject: number + 100_000 for subject, number in CODEC._ids.items()})
    value = shifted.encode(event)
    assert value[FRAME.size :] == CODEC.encode(event)[FRAME.size :] == body(event)
    assert shifted.decode(value) == event
    with pytest.raises(CodecError, match="unknown schema id"):
        CODEC.decode(value)


@given(st.lists(strategies.events(), min_size=1, max_size=3), strategies.instances(LedgerEntry))
def test_a_ledger_entry_gives_its_event_back(said: list[Event], frame: LedgerEntry) -> None:
    entries = tuple(
        replace(
            frame,
            number=number,
            type=event_name(type(it)),
            version=it.VERSION,
            body=body(it),
        )
        for number, it in enumerate(said, start=1)
    )
    read = CODEC.decode(CODEC.encode(LedgerAppended(case=CASE, entries=entries)))
    assert isinstance(read, LedgerAppended)
    assert [from_body(it.type, it.version, it.body) for it in read.entries] == said
    assert read.entries == entries


@pytest.mark.parametrize("kind", strategies.enclosed(), ids=event_name)
@settings(max_examples=20)
@given(data=st.data())
def test_a_signature_covers_every_byte_before_it_and_a_seal_every_field_before_it(
    kind: type[Event], data: st.DataObject
) -> None:
    event: Any = data.draw(strategies.instances(kind))
    signed, clear = before_signature(event), before_sealed(event)
    assert body(event).startswith(signed)
    assert signed.startswith(clear)
    assert signed[len(clear) :].endswith(event.sealed)
    assert before_signature(replace(event, signature=b"x" * 64)) == signed
    assert before_sealed(replace(event, sealed=b"x" * 99, signature=b"")) == clear


def test_moments_are_read_in_utc_to_the_microsecond() -> None:
    at = datetime(2026, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC)
    event = RequestReceived(
        case=CASE, claims=("access",), received_at=at, intake="web", level=2, key="k", sealed=b""
    )
    read = CODEC.decode(CODEC.encode(event))
    assert isinstance(read, RequestReceived)
    assert (read.received_at, read.received_at.tzinfo) == (at, UTC)


def test_fields_left_out_are_what_the_dataclass_says() -> None:
    event = PlanMade(case=CASE, n=1, digest=b"", holdings=0)
    assert CODEC.decode(CODEC.encode(event)) == replace(event, rows=())


def _refused_or_read(value: bytes) -> None:
    with suppress(CodecError):
        assert isinstance(CODEC.decode(value), Event)
