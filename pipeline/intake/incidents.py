"""What a decision about a breach must say before anybody looks whether it fits its incident."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.case.incident import GROUNDS, NO_RISK, NOTIFIED, WHAT
from pipeline.case.whose import EMAIL
from schemas import events as e
from schemas.events import Event
from schemas.records import SealedAffected

from .refused import RefusedError

TAG = 16
"""Bytes of what tells a list from another one."""
PARTS = 10_000
"""Of one list: five million people."""
MOST, LONGEST = 500, 320
"""Addresses of one portion, and characters of one (RFC 5321, section 4.5.3.1)."""


def check(event: Event) -> None:
    """Raise `RefusedError` if the clear part is none that can be taken."""
    match event:
        case e.IncidentOpened():
            _check_opening(event)
        case e.PeopleAffected() if not 1 <= event.part <= event.parts <= PARTS:
            raise RefusedError("out_of_bounds:part")
        case e.PeopleAffected() if len(event.list) != TAG:
            raise RefusedError("out_of_bounds:list")
        case e.PeopleSought() if not event.systems:
            raise RefusedError("out_of_bounds:systems")
        case e.AuthorityNotified() if event.how not in {NOTIFIED, NO_RISK}:
            raise RefusedError("out_of_bounds:how")
        case e.WaiverProposed() | e.BreachNoticesWaived() if event.ground not in GROUNDS:
            raise RefusedError("no_ground_for_waiver")  # GDPR Art. 34 knows no other
        case _:
            pass


def _check_opening(event: e.IncidentOpened) -> None:
    if event.what not in WHAT:
        raise RefusedError("out_of_bounds:what")
    if not (event.systems and event.categories):  # Art. 33(3)(a)
        raise RefusedError("out_of_bounds:systems")
    if event.until is not None and event.until < event.since:
        raise RefusedError("out_of_bounds:until")
    if event.suspect is not None:  # that is the pipeline's own word
        raise RefusedError("out_of_bounds:suspect")


def check_people(who: SealedAffected) -> None:
    """Raise `RefusedError` unless a portion of a list names addresses, and not too many."""
    if len(who.identifiers) > MOST:
        raise RefusedError("too_many_affected")
    for it in who.identifiers:
        if it.kind != EMAIL or not is_taken(it.value):
            raise RefusedError("affected_without_an_address")


def is_taken(address: str) -> bool:
    """Whether a portion may name it: what no mail can go to is counted, and not written to."""
    return 0 < len(address) <= LONGEST and address.isprintable()


def check_words(event: Event, says: str, shows: str, more: Sequence[str]) -> None:
    """Raise `RefusedError` if a decision lacks words; `more` are consequences and measures."""
    match event:
        case e.IncidentOpened() if not says:
            raise RefusedError("incident_without_what_happened")
        case e.BreachNoticesReleased() if not (says and all(it.strip() for it in more)):
            raise RefusedError("notice_without_its_words")  # Art. 34(2)
        case e.AuthorityNotified() if not says and (event.delayed or event.how == NO_RISK):
            raise RefusedError("authority_without_reasons")
        case e.WaiverProposed() if not (says and shows):
            raise RefusedError("waived_without_reasons_and_evidence")
        case e.IncidentClosed() if not says:
            raise RefusedError("decided_without_reasons")
        case _:
            pass
