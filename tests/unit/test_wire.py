"""The frame around a record: what CloudEvents and W3C trace context ask for, and nobody's name."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.kafka import wire
from schemas.codec import UnknownEventError
from schemas.derive import event_name
from schemas.events import Event, HoldingsLocated, SearchFailed
from tests.unit import strategies

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
W3C = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
ORDER = UUID(int=5)
AT = datetime(2026, 3, 1, 12, 30, 0, 250_000, tzinfo=UTC)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda it: timezone(timedelta(minutes=it)))
MOMENTS = strategies.of(datetime).filter(lambda it: 1000 < it.year < 9999)


def told(event: Event, at: datetime = AT, cause: UUID | None = ORDER) -> dict[str, str]:
    pairs = wire.headers(
        event, event_id=UUID(int=3), cause=cause, source="orchestrator", at=at, trace=TRACE
    )
    return wire.read(pairs)


@given(strategies.events())
def test_every_record_says_what_cloudevents_asks_for(event: Event) -> None:
    """CloudEvents 1.0.2 section 3.1, Kafka binding section 3.2: required and, ours, two more."""
    assert told(event) == {
        "ce_specversion": "1.0",
        "ce_id": str(UUID(int=3)),
        "ce_type": f"habeas.{event_name(type(event))}.v{event.VERSION}",
        "ce_source": "/habeas/orchestrator",
        "ce_time": "2026-03-01T12:30:00.250000Z",
        "ce_correlationid": str(event.case),
        "ce_causationid": str(ORDER),
        "content-type": "application/avro",
        "traceparent": TRACE,
    }


@given(MOMENTS, ZONES)
def test_a_time_is_rfc_3339_in_utc_and_the_same_moment(at: datetime, zone: timezone) -> None:
    time = told(_failed(), at.astimezone(zone))["ce_time"]
    assert RFC3339.fullmatch(time)
    assert datetime.fromisoformat(time) == at


def test_a_first_event_has_no_cause() -> None:
    assert "ce_causationid" not in told(_failed(), cause=None)


@given(st.binary(max_size=20).filter(lambda it: it.decode(errors="ignore").encode() != it))
def test_a_header_that_is_no_text_is_left_out_and_the_others_are_read(garbage: bytes) -> None:
    pairs = [("a", b"1"), ("odd", garbage), ("b", b"2")]
    assert wire.read(pairs) == wire.read(dict(pairs)) == {"a": "1", "b": "2"}


@pytest.mark.parametrize("nothing", [None, (), {}])
def test_a_record_without_headers_is_read_as_that(
    nothing: tuple[()] | dict[str, bytes] | None,
) -> None:
    assert wire.read(nothing) == {}


def test_a_trace_goes_on_in_a_new_span() -> None:
    first, second = (wire.continued({"traceparent": TRACE}) for _ in range(2))
    assert first[:36] == second[:36] == TRACE[:36]
    assert len({first, second, TRACE}) == 3
    assert W3C.fullmatch(first)


@given(st.text(max_size=70))
def test_a_trace_that_is_none_is_replaced(garbage: str) -> None:
    assert W3C.fullmatch(wire.continued({"traceparent": garbage}))
    assert W3C.fullmatch(wire.continued({}))
    assert wire.continued({}) != wire.continued({})


@given(strategies.events())
def test_an_event_of_this_release_passes(event: Event) -> None:
    wire.refuse_later(told(event))


@pytest.mark.parametrize("said", ["habeas.comet_seen.v1", "habeas.holdings_located.v999"])
def test_an_event_of_a_later_release_stops_who_reads_it(said: str) -> None:
    with pytest.raises(UnknownEventError, match="update this process"):
        wire.refuse_later({"ce_type": said})


@given(st.text(max_size=30).filter(lambda it: not it.startswith("habeas.")))
def test_what_is_no_event_of_ours_stops_nobody(said: str) -> None:
    for it in (said, "", "habeas", "habeas.x", "habeas.x.v", "org.habeas.comet_seen.v1"):
        wire.refuse_later({"ce_type": it})
    wire.refuse_later({})


@given(strategies.events(HoldingsLocated), st.uuids())
def test_the_same_answer_has_the_same_id_whoever_gives_it(event: Event, order: UUID) -> None:
    assert wire.answer_id(order, event) == wire.answer_id(order, event)


def test_an_answer_with_another_order_type_digest_or_part_has_another_id() -> None:
    ids = {
        wire.answer_id(ORDER, _located()),
        wire.answer_id(UUID(int=6), _located()),
        wire.answer_id(ORDER, _located(part=2)),
        wire.answer_id(ORDER, _located(digest=b"other")),
        wire.answer_id(ORDER, _failed()),
    }
    assert len(ids) == 5


def test_an_answers_id_does_not_hang_on_its_seal_which_is_another_each_time() -> None:
    assert wire.answer_id(ORDER, _failed(b"1")) == wire.answer_id(ORDER, _failed(b"2"))


def _located(part: int = 1, digest: bytes = b"digest") -> HoldingsLocated:
    return HoldingsLocated(
        case=ORDER, order=ORDER, system="acme", part=part, parts=2, digest=digest
    )


def _failed(sealed: bytes = b"") -> SearchFailed:
    return SearchFailed(case=ORDER, order=ORDER, system="acme", reason="forbidden", sealed=sealed)
