"""Who was told, in words: what was asked of them, when, and what they said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pipeline.case import recipients as r
from schemas.records import RecipientRow

from . import words

WHAT: Mapping[str, str] = {
    r.COPY: "asked for a copy of what they hold about you for us",
    r.ERASE: "instructed to erase what they hold about you for us",
    "correct": "instructed to correct what they hold about you for us",
    "restrict": "instructed to keep what they hold about you for us, and to use it for nothing",
    "lift": "told that the restriction ends",
    r.INFORM_LIFTED: "informed that the restriction ends, since they decide for themselves",
    "stop": "instructed to use nothing of yours for direct marketing",
}
INFORMED: Mapping[str, str] = {
    "erasure": "informed that you asked for erasure, since they decide for themselves",
    "rectification": "informed of what is right, since they decide for themselves",
    "restriction": "informed that your data are restricted, since they decide for themselves",
    "objection": "informed that you object to direct marketing, since they decide for themselves",
}
THEIR_WORD: Mapping[tuple[str, str], str] = {
    (r.COPY, r.RECEIVED): "What they send us, our Data Protection Officer passes on to you.",
    (r.COPY, r.DONE): "They sent us a copy, and it was passed on to you.",
    (r.INFORM, r.DONE): "They say that they have done the same. That is their word: we cannot look"
    " there.",
}
NOT_KNOWN = "That they received it is all they say: whether it is done, we do not know."
SAID_DONE = "They say that it is done. That is their word: we cannot look there."

HOLD_NOTHING = "They say that they hold nothing about you."
WHY_NOT: Mapping[str, str] = {
    r.OWN_CONTROLLER: "Not asked: they decide for themselves about what they hold, and you can ask"
    " them for it directly.",
    r.NOT_YET: "Not told yet: that follows once it is settled what is done here.",
    r.NOTHING_DONE: "Not told: nothing of it is carried out here as yet.",
    r.NOT_CONCERNED: "Not told: it does not concern what they have.",
    r.OBSERVE_MODE: "Not told: our system erases nothing by itself at present.",
    r.NO_CONTACT: "Could not be told: we have no address for that.",
    r.NOTHING_TO_ASK_BY: "Could not be told: they know people by something that we do not"
    " know to be yours.",
}
NOT_TAKEN = "Could not be told: what we sent them was not taken."
BY_DPO = "Our Data Protection Officer sees to it."
STATES: Mapping[str, tuple[str, str]] = {
    r.ORDERED: ("dated", "being told"),
    r.ASKED: ("dated", "told"),
    r.ACKNOWLEDGED: ("kept", "acknowledged"),
    r.UNANSWERED: ("open", "not answered"),
    r.FAILED: ("open", "not reached"),
    r.NOT_TOLD: ("quiet", "not told"),
}
"""By state: how it is coloured, and what it is called. Nothing of it is proved."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One recipient, for one right."""

    name: str
    title: str
    """The right's."""
    colour: str
    state: str
    says: str


def told(row: RecipientRow) -> str:
    """What was asked of them, and on which day; empty if they were not told."""
    if not row.asked_at:
        return ""
    return f"on {words.day(row.asked_at)} {_what(row)}"


def heard(rows: Iterable[RecipientRow]) -> tuple[Heard, ...]:
    """The rows in words."""
    return tuple(map(_heard, rows))


def _heard(row: RecipientRow) -> Heard:
    colour, state = STATES.get(row.state, ("open", row.state))
    says = " ".join(_sentences(row))
    return Heard(row.name, words.title(row.right), colour, state, says)


def _sentences(row: RecipientRow) -> Iterator[str]:
    what = _what(row)
    match row.state:
        case r.NOT_TOLD:
            yield WHY_NOT.get(row.reason, NOT_TAKEN)
        case r.FAILED:
            yield WHY_NOT.get(row.reason, NOT_TAKEN)
            yield BY_DPO
        case r.ORDERED:
            yield f"They are being {what}; we tell you what comes of it."
        case _:
            yield _asked(row, what)
            yield from _answered(row)


def _what(row: RecipientRow) -> str:
    return WHAT.get(row.asks) or INFORMED.get(row.right, "told")


def _asked(row: RecipientRow, what: str) -> str:
    on = f" on {words.day(row.asked_at)}" if row.asked_at else ""
    again = f", and reminded {_times(row.reminders)}" if row.reminders else ""
    return f"They were {what}{on}{again}."


def _answered(row: RecipientRow) -> Iterator[str]:
    on = f" on {words.day(row.acknowledged_at)}" if row.acknowledged_at else ""
    if row.state == r.ACKNOWLEDGED and row.says == r.NOTHING:
        yield HOLD_NOTHING
    elif row.state == r.ACKNOWLEDGED:
        if row.says == r.RECEIVED:
            yield f"They confirmed{on} that they received it."
        usual = {r.DONE: SAID_DONE, r.RECEIVED: "" if row.asks == r.INFORM else NOT_KNOWN}
        yield THEIR_WORD.get((row.asks, row.says), usual.get(row.says, ""))
    elif row.state == r.UNANSWERED:
        yield f"They have not answered. {BY_DPO}"
    else:
        until = f" on {words.day(row.until)}" if row.until else ""
        yield f"They have not answered yet; we come back to it{until}, and tell you the outcome."


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
