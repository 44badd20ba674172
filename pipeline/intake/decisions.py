"""What a decision must say before anybody looks whether it fits its case.

A refusal that lacks its ground, its reasons, its evidence or its second person is none: it can be
written by no command, and one that is published all the same is put aside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from pipeline.case.deadline import CLARIFICATION, FEE, IDENTITY
from pipeline.case.decisions import GROUNDS, HOW_SETTLED, NOT_POSSIBLE, PAID_OR_WAIVED
from pipeline.case.identifiers import LINK
from pipeline.case.recipients import DONE, NOTHING, RECEIVED
from pipeline.case.reviews import HOW_REVIEWED
from pipeline.case.weighing import HOW_WEIGHED, UPHELD
from pipeline.case.whose import SAME
from schemas import events as e
from schemas.events import Event
from schemas.records import Actor, SealedAffected, SealedIncident

from . import incidents
from .refused import RefusedError

DIGEST = 32
"""Bytes of a proposal's digest."""
CODE = re.compile(r"([A-Za-z0-9_.:+*/-]{1,100}( [a-z0-9_.-]{1,100})?)?")
"""What stands in the clear of a decision: a code, or a step of ours (`notice 7`). No sentence, no
address: words of people are sealed.
"""
FEED = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
"""What a list, a backup or a broker is called in which somebody is there again."""
CURRENCY = re.compile(r"[A-Z]{3}")
ASKED_FOR, SAID = frozenset({IDENTITY, CLARIFICATION, FEE}), frozenset({RECEIVED, DONE, NOTHING})
HOW: Mapping[type[Event], frozenset[str]] = {
    e.FeeSettled: PAID_OR_WAIVED,
    e.ItemSettled: HOW_SETTLED,
    e.ObjectionDecided: HOW_WEIGHED,
}
"""The words for how something is decided."""
WORDS = 4000
"""Characters of a reason or of evidence in somebody's own words."""


def check(event: Event) -> None:
    """Raise `RefusedError` if the clear part of a decision is none that can be taken."""
    if hasattr(event, "by") and not all(map(CODE.fullmatch, _clear_texts(event))):
        raise RefusedError("no_code")
    match event:
        case e.RefusalProposed() if event.reason not in GROUNDS.values():
            raise RefusedError("no_ground_for_refusal")  # GDPR Art. 12(5) knows no other
        case e.RefusalProposed() if bool(event.fee) != bool(CURRENCY.fullmatch(event.currency)):
            raise RefusedError("out_of_bounds:currency")
        case e.RequestRefused() | e.FeeAsked() | e.BreachNoticesWaived() if (
            len(event.proposal) != DIGEST
        ):
            raise RefusedError("nobody_proposed_it")
        case e.ClockPaused() | e.ClockResumed() if event.why not in ASKED_FOR:
            raise RefusedError("out_of_bounds:why")
        case e.RecipientAcknowledged() if event.says not in SAID:
            raise RefusedError("out_of_bounds:says")
        case e.FeeSettled() | e.ItemSettled() | e.ObjectionDecided() if (
            event.how not in HOW[type(event)]
        ):
            raise RefusedError("out_of_bounds:how")
        case e.DecisionReviewed() if event.result not in HOW_REVIEWED:
            raise RefusedError("out_of_bounds:result")
        case e.PersonReappeared() if not (FEED.fullmatch(event.feed) and event.count):
            raise RefusedError("out_of_bounds:feed")
        case _:
            incidents.check(event)


def _clear_texts(of: Any) -> Iterator[str]:
    """Every text of an event, and of the records in it, that is not sealed."""
    if isinstance(of, str):
        yield of
    elif isinstance(of, tuple):
        for each in of:
            yield from _clear_texts(each)
    elif is_dataclass(of):
        for it in fields(of):
            yield from _clear_texts(getattr(of, it.name))


def check_words(event: Event, actor: Actor) -> None:
    """Raise `RefusedError` if a decision lacks the reasons or the evidence that it needs.

    The burden of showing that a request is unfounded or excessive is ours (GDPR Art. 12(5)), and
    who is refused is told why (Art. 12(4)).
    """
    says, shows = actor.says.strip(), actor.evidence.strip()
    if isinstance(actor, SealedAffected):
        incidents.check_people(actor)
    more = (actor.consequences, actor.measures) if isinstance(actor, SealedIncident) else ()
    if max(map(len, (says, shows, *more))) > WORDS:
        raise RefusedError("too_long")
    match event:
        case e.RefusalProposed() if not (says and shows):
            raise RefusedError("refused_without_reasons_and_evidence")
        case e.IdentityRejected() | e.LiftDecided() if not says:
            raise RefusedError("decided_without_reasons")
        case e.ObjectionDecided() | e.DecisionReviewed():
            _check_weighed(event, says, shows)
        case e.ItemSettled() if not (says if event.how == NOT_POSSIBLE else shows):
            raise RefusedError("settled_without_evidence")
        case e.IdentityProved() if event.method != LINK and not shows:
            raise RefusedError("proved_without_evidence")
        case e.WhoseDecided() if any(it.verdict == SAME for it in event.verdicts) and not shows:
            raise RefusedError("proved_without_evidence")
        case e.RecipientAcknowledged() if event.says != RECEIVED and not shows:
            raise RefusedError("recorded_without_evidence")
        case _:
            incidents.check_words(event, says, shows, more)


def _check_weighed(event: e.ObjectionDecided | e.DecisionReviewed, says: str, shows: str) -> None:
    """Grounds are the controller's to show (GDPR Art. 21(1)), and a review is somebody's own."""
    if isinstance(event, e.DecisionReviewed):
        if not (says and shows):
            raise RefusedError("reviewed_without_reasons_and_evidence")
    elif not says:
        raise RefusedError("decided_without_reasons")
    elif event.how != UPHELD and not shows:
        raise RefusedError("overridden_without_balancing")
