"""How a date was counted, and what an answer waits for, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from schemas.records import StepRow, WaitRow

from . import words

ASKED: Mapping[str, str] = {
    "identity": "to be shown who asks",
    "clarification": "to be told more closely what is meant",
    "fee": "for a fee",
}
"""What a person was asked for."""
COUNTED: Mapping[str, str] = {
    "received": "The request was received on {since}. That day is not counted.",
    "begun": "The time begins once everything that was asked for is there: on {until}.",
    "month": "A month later is {until}.",
    "months": "It takes longer: three months from receipt, not from the first date, are {until}.",
    "last_day": "That month has no such day, so its last day counts.",
    "paused": "From {since} to {until} the time stood still, since we asked {why}: {days}.",
    "stands": "Since {since} the time stands still, as we asked {why}. It goes on with the answer.",
    "not_paused": "That we asked {why} on {since} does not stop the time: it was too long after"
    " receipt, or the law does not provide for it.",
    "later": "With the days for which it stood still the date is {until}.",
    "rolled": "Nobody works on that day, so by law the time ends on {until}. We keep to the earlier"
    " date.",
    "hours": "The hours run from {since} to {until}, whatever the day.",
}
"""By the rule of a step (`case/deadline.py`)."""
WAITS: Mapping[str, str] = {
    "identity": "the person has not shown who they are",
    "pause": "the time may stand still, since the person was asked for something that is not here",
    "whose": "it is not decided whose some records are: `habeas whose`",
    "approval": "a plan waits for approval: `habeas case` shows it",
    "refusal": "a refusal or a fee is proposed, and takes a second person",
    "fee": "a fee was asked for, and is not settled",
    "open": "what {system} leaves open is on somebody's list: `habeas inbox`",
    "broken": "a step of ours broke: `habeas inbox` says what is to be done",
    "undelivered": "a letter could not be sent: `habeas inbox` says which",
    "documents": "a customer is to be told of documents of theirs: `habeas inbox`",
    "recipient": "a recipient has not answered: `habeas recipients` says which",
    "reappeared": "the person is there again after the erasure: `habeas inbox` says where",
    "objection": "an objection to a use waits to be weighed: `habeas decide uphold`, or `override`",
    "review": "a decision that a machine took alone waits for a person's review: `habeas inbox`",
    "authority": "it is not decided whether the supervisory authority is notified: `habeas inbox`",
    "telling": "it is not decided what the affected of a breach are told: `habeas inbox`",
    "waiver": "to tell nobody of a breach is proposed, and takes a second person",
    "affected": "not all whom a breach affects are known or told: `habeas inbox` says why",
    "hand": "the plan is to be carried out by hand: our system only observes",
    "response": "the answer is being put together",
    "search": "{system} has not been searched to its end",
    "task": "{system} has not done what the plan says",
    "measure": "{system} has not marked, corrected or stopped what it was told to",
    "queue": "{system} has it in its queue",
    "copy": "another case of the person asks for a copy, which is made before anything is erased",
}
"""What an answer waits for, by its code."""


def counted(steps: Iterable[StepRow]) -> tuple[str, ...]:
    """A sentence for each step, with the rule that it goes by."""
    return tuple(_step(it) for it in steps)


def waits(rows: Iterable[WaitRow]) -> tuple[str, ...]:
    """What an answer waits for; each thing once."""
    said = (
        WAITS.get(it.what, words.label(it.what)).format(system=words.system(it.system))
        for it in rows
    )
    return tuple(dict.fromkeys(said))


def _step(row: StepRow) -> str:
    said = COUNTED.get(row.rule, "{since} to {until}.").format(
        since=_shown(row.since, row.rule),
        until=_shown(row.until, row.rule),
        why=ASKED.get(row.why, ""),
        days=words.counted(row.days, "day"),
    )
    return f"{said} ({row.article})" if row.article else said


def _shown(at: datetime, rule: str) -> str:
    return words.hour(at) if rule == "hours" else words.day(at)
