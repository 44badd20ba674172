"""The event in a record, once it may come in; or what the clock says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID, uuid5

from pipeline import flow
from pipeline.case import replays
from pipeline.case.dues import Due
from pipeline.crypto.proofs import Slot
from pipeline.intake import bounds
from pipeline.intake.envelopes import Envelopes
from pipeline.intake.refused import RefusedError, UnauthenticatedError
from pipeline.kafka import wire
from pipeline.kafka.authentication import case_of
from pipeline.kafka.incoming import Incoming
from schemas import events as e
from schemas.codec import Codec, CodecError, UnknownEventError, before_sealed
from schemas.derive import event_name
from schemas.events import Event
from schemas.records import Actor, Person, Preference, Sealed

ANSWERS = (
    e.HoldingsLocated
    | e.SearchFailed
    | e.OrderDeferred
    | e.TaskCompleted
    | e.TaskDeclined
    | e.MeasureTaken
    | e.PeopleListed
    | e.ListingFailed
    | e.ResponseSigned
    | e.NoticeSent
    | e.NoticeFailed
    | e.InstructionSent
    | e.InstructionFailed
)
DECISIONS = (
    e.IdentityProved
    | e.IdentityRejected
    | e.RefusalProposed
    | e.FeeAsked
    | e.FeeSettled
    | e.ItemSettled
    | e.ItemTaken
    | e.PersonReappeared
    | e.ErasureReplayed
    | e.WhoseDecided
    | e.PlanApproved
    | e.PlanChanged
    | e.RequestRefused
    | e.DeadlineExtended
    | e.ClockPaused
    | e.ClockResumed
    | e.ClaimWithdrawn
    | e.LiftDecided
    | e.ObjectionDecided
    | e.DecisionReviewed
    | e.RecipientAcknowledged
    | e.IncidentOpened
    | e.PeopleAffected
    | e.PeopleSought
    | e.BreachNoticesReleased
    | e.AuthorityNotified
    | e.WaiverProposed
    | e.BreachNoticesWaived
    | e.IncidentClosed
)


@dataclass(frozen=True, slots=True)
class Input:
    """An event to decide on. `record` is None where the clock says it."""

    event: Event
    id: UUID
    record: Incoming | None
    trace: str
    person: Person | None = None
    levels: tuple[int, ...] = ()
    """How surely the intake vouches for each of the person's identifiers."""
    received_at: datetime | None = None
    preference: Preference | None = None
    """What somebody wants to be sent, or no longer."""
    actor: Actor | None = None
    """Who took a decision, and why."""
    roles: tuple[str, ...] = ()
    """Of their console."""
    level: int = 0
    """How surely a person is known whom their console says that it knows."""
    due: Due | None = None
    """What the clock says it of."""
    needs: UUID | None = None
    """Another case that must have been decided about before, in the same transaction."""
    who: Sealed | None = None
    """Who a follow-up is about, tagged under its own key."""


def read(record: Incoming, codec: Codec, envelopes: Envelopes) -> Input:
    """The request, preference or decision in a record, whose envelope says who signed it.

    Raises `UnauthenticatedError` unless a registered sender did, `RefusedError` for what a sender
    may not say. A later release's cannot be read, and so not be authenticated: it stops nobody.
    """
    event = _enclosed(record, codec)
    if case_of(record) != event.case:
        raise UnauthenticatedError("key_is_not_the_case")
    trace = wire.continued(wire.read(record.headers))
    if record.topic == flow.REQUESTS and isinstance(event, e.RequestReceived):
        person, levels = envelopes.request(event, record.at)
        bounds.check(event, record.at)
        received_at = min(event.received_at, record.at)
        return Input(event, event_id(event), record, trace, person, levels, received_at)
    if record.topic == flow.PREFERENCES and isinstance(event, e.PreferenceReceived):
        told, person, levels = envelopes.preference(event, record.at)
        bounds.check(event, record.at)
        at = min(event.at, record.at)
        return Input(event, event_id(event), record, trace, person, levels, at, told)
    if record.topic == flow.DECISIONS and isinstance(event, DECISIONS):
        actor, roles, level = envelopes.decision(event, record.at)
        bounds.check(event, record.at)
        named = event_id(event)
        return Input(event, named, record, trace, actor=actor, roles=roles, level=level)
    raise UnauthenticatedError("not_of_this_topic")


def read_answer(record: Incoming, slot: Slot, codec: Codec) -> Input:
    """The answer in a record that was said in this slot, as its proof shows.

    Raises `CodecError` or `RefusedError` for a dead letter, `UnknownEventError` to stop.
    """
    told = wire.read(record.headers)
    wire.refuse_later(told)
    event = codec.decode(record.value or b"")
    if not isinstance(event, ANSWERS):
        raise RefusedError("not_of_this_topic")
    name, named = event_name(type(event)), wire.answer_id(event.order, event)
    said = Slot(case=event.case, order=event.order, system=event.system, event=name)
    if said != slot or wire.name_in(told) != name or told.get("ce_id") != str(named):
        raise RefusedError("not_what_is_proved")
    bounds.check(event, record.at)
    return Input(event, named, record, wire.continued(told))


def event_id(event: Event) -> UUID:
    """The id of what came in from an edge: a case has one request, and a decision is its words.

    That somebody is there again is said once a day and feed, that all is done again once a day.
    """
    name = event_name(type(event))
    if isinstance(event, e.RequestReceived | e.PreferenceReceived | e.IncidentOpened):
        return uuid5(event.case, name)
    if isinstance(event, e.PersonReappeared):
        return uuid5(event.case, f"{name}/{event.feed}/{event.at.astimezone(UTC):%Y-%m-%d}")
    if isinstance(event, e.ErasureReplayed):
        return replays.follow_up_of(event)
    return uuid5(event.case, f"{name}/{sha256(before_sealed(event)).hexdigest()}")


def _enclosed(record: Incoming, codec: Codec) -> Event:
    if record.value is None:
        raise UnauthenticatedError("no_value")
    try:
        return codec.decode(record.value)
    except (CodecError, UnknownEventError) as error:
        raise UnauthenticatedError(str(error)) from None
