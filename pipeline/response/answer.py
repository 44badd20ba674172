"""What the page says: an order's counts and codes, turned into sentences and tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline.case.replays import BROUGHT_BACK
from pipeline.case.rights import ACCESS, PORTABILITY
from pipeline.policy import Policy
from schemas.events import ResponseOrdered
from schemas.records import Sealed, SystemRow

from . import dates, words
from .copies import Copy
from .information import Information, information
from .recipients import Heard, heard
from .replies import Catalogue, Reply, reply

BEYOND = "beyond."
"""Before the codes, in the catalogue, of what a search can never find."""
DPO_TELLS = "our Data Protection Officer, who tells the customer,"
FOLLOW_UP = "follow_up"
KINDS = {
    "final": "This is our final answer.",
    "supplement": "This adds to an answer that you have received before.",
    FOLLOW_UP: "Some of it had to be kept for a time, or was to go by itself. As we said that we"
    " would, we have looked again: this is what became of it.",
    BROUGHT_BACK: "Something that was erased for you was there again: a system had brought it"
    " back, as from a backup. We have looked again: this is what became of it.",
    "interim": "This is an interim answer: our time is almost over, and not everything is done."
    " The final answer follows.",
}


@dataclass(frozen=True, slots=True)
class Place:
    """One system: what the search there gave."""

    system: str
    name: str
    who: str
    state: str
    """found, nothing or unknown."""
    says: str
    records: int
    beyond: tuple[str, ...] = ()
    """What no search there can find."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A system whose records are not in the copy, although they were found."""

    name: str
    code: str
    says: str
    expected: int


@dataclass(frozen=True, slots=True)
class Missing:
    """Files of one system that could not be copied, although what they belong to was."""

    name: str
    """The system's."""
    count: int
    files: tuple[tuple[str, str], ...]
    """The first of them: name, and why."""


@dataclass(frozen=True, slots=True)
class Used:
    """An identifier, and whether it was searched with."""

    kind: str
    value: str
    """Empty for one that was only found: it may be somebody else's."""
    says: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything on the first page but the records themselves."""

    case: str
    follows: str
    """The request that a follow-up answers; empty unless the case is one."""
    n: int
    kind: str
    name: str
    controller: str
    dpo: str
    asked: str
    received: str
    due: str
    counted: tuple[str, ...]
    """How that date was counted, step by step."""
    made: str
    identifiers: tuple[Used, ...]
    replies: tuple[Reply, ...]
    places: tuple[Place, ...]
    records: int
    information: Information
    copied: bool
    """Whether this answer brings a copy of the data."""
    portable: bool
    """Whether it brings what the person may take along."""
    documents: tuple[str, ...]
    """What customers uploaded, and decide about themselves."""
    left_out: tuple[LeftOut, ...]
    """Systems whose records should be in it."""
    missing: tuple[Missing, ...]
    told: tuple[Heard, ...]
    """Others who receive data, whom we asked or told."""
    reasons: Catalogue
    """By system: what codes mean that records bring."""

    def why(self, system: str, code: str) -> str:
        """A code in words."""
        return words.reason(code, self.reasons.get(system, {}))


def answer(  # noqa: PLR0917  all that a page says
    order: ResponseOrdered,
    person: Sealed,
    policy: Policy,
    catalogue: Catalogue,
    made: datetime,
    copies: Sequence[Copy] = (),
    today: Policy | None = None,
) -> Answer:
    """What a response says to the person it is for; the order is as `copies.as_copied` gives it.

    `policy` is the case's, `today` the one in force, if that may be another.
    """
    rights = [words.right(it.right) for it in order.claims]
    return Answer(
        case=str(order.case),
        follows=str(order.follows or ""),
        n=order.n,
        kind=KINDS[FOLLOW_UP if order.follows and order.kind == "supplement" else order.kind],
        name=person.name,
        controller=policy.controller,
        dpo=policy.dpo,
        asked=words.joined(rights),
        received=words.day(order.received_at),
        due=words.day(order.due_at),
        counted=dates.counted(order.steps),
        made=words.day(made),
        identifiers=tuple(_identifiers(order, person)),
        replies=tuple(reply(it, order, policy, catalogue, copies) for it in order.claims),
        places=tuple(_place(it, policy, catalogue) for it in order.systems),
        records=sum(it.records for it in order.exports),
        information=information(order, policy, today or policy),
        copied=any(it.right == ACCESS for it in order.claims),
        portable=any(it.right == PORTABILITY for it in order.claims),
        documents=tuple(_documents(order, policy)),
        left_out=tuple(_left_out(it) for it in copies if it.refused),
        missing=tuple(_missing(it, catalogue) for it in copies if it.lacking),
        told=heard(order.recipients),
        reasons=catalogue,
    )


def _documents(order: ResponseOrdered, policy: Policy) -> Iterator[str]:
    """Of a customer's documents: that there are some, and who decides; never whose they are."""
    for it in order.documents:
        rows = [row for row in policy.documents if row.system == it.system]
        told = "the customer" if all(row.contact for row in rows) else DPO_TELLS
        count = words.counted(it.count, words.label(it.kind).lower())
        yield (
            f"In {words.system(it.system)}: {count}. Somebody who is a customer of ours put this"
            " there, and decides about it as the controller; we only hold it for them, as their"
            " processor, and may act on their instructions alone (GDPR Art. 28(3)). So we have"
            f" neither copied nor erased it. We have told {told} that you asked."
        )


def _left_out(copy: Copy) -> LeftOut:
    says = words.reason(copy.refused, {})
    return LeftOut(words.system(copy.system), copy.refused, says, copy.expected)


def _missing(copy: Copy, catalogue: Catalogue) -> Missing:
    told = catalogue.get(copy.system, {})
    files = tuple((it.name, words.reason(it.code, told)) for it in copy.named)
    return Missing(words.system(copy.system), copy.lacking, files)


def _identifiers(order: ResponseOrdered, person: Sealed) -> Iterator[Used]:
    """What was given, as it was given; and what else was found, without saying what it is."""
    how = {it.tag: it.how for it in order.identifiers}
    given = {it.tag: it for it in person.identifiers}
    for it in person.identifiers:
        yield Used(words.identifier(it.kind), it.value, words.used(how.get(it.tag, "vouched")))
    alike = Counter((it.kind, it.how) for it in order.identifiers if it.tag not in given)
    for (kind, used), count in alike.items():
        name = words.identifier(kind)
        yield Used(f"{name} ({count})" if count > 1 else name, "", words.used(used))


def _place(row: SystemRow, policy: Policy, catalogue: Catalogue) -> Place:
    behind = policy.recipient(row.system)
    status, _, code = row.searched.partition(": ")
    known = status if status in words.SEARCHED else "unknown"
    says = {
        "found": f"{words.counted(row.found, 'record')} found",
        "nothing": "Searched; nothing found",
    }.get(known) or f"Not searched. {words.reason(code or status, catalogue.get(row.system, {}))}"
    told = catalogue.get(row.system, {})
    beyond = tuple(told[BEYOND + it] for it in row.beyond if BEYOND + it in told)
    who = "" if behind is None else behind.name
    if row.system in policy.own:
        who = f"{policy.controller}, itself: this is where your requests are kept"
    return Place(row.system, words.system(row.system), who, known, says, row.found, beyond)
