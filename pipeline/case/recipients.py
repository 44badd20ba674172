"""Recipients without a connector: who is told what, when they are reminded, and what they said.

What they say is their word: a row is `acknowledged`, and never proved. Who says nothing is reminded
with growing pauses; then it waits for a person. A claim waits until what they are told is handed
over, and for nothing that they say.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from datetime import datetime

from schemas import events as e
from schemas.records import IdentifierRow, RecipientRow

from ..policy import Policy
from ..policy.clauses import PROCESSOR, Recipient
from .case import SEARCH, Case, Instructed
from .marks import is_ended
from .measures import is_carried_out, is_marketing
from .rights import ACCESS, ERASURE, OBJECTION, OBJECTION_TO_USE, RIGHTS, Tells
from .rules import Rules
from .values import replace

COPY, ERASE, INFORM = Tells.COPY.value, Tells.ERASE.value, "inform"
INFORM_LIFTED = "inform_lifted"
"""What is asked of them; who decides for themselves is only informed (GDPR Art. 19)."""
ORDERED, ASKED, ACKNOWLEDGED = "ordered", "asked", "acknowledged"
UNANSWERED, FAILED, NOT_TOLD = "unanswered", "failed", "not_told"
RECEIVED, DONE, NOTHING = "received", "done", "nothing"
"""What they say: that they have it, that it is done, that they hold nothing."""
REMINDERS = 2
"""After these, nobody waits any longer for a word."""
OWN_CONTROLLER, NOT_YET, OBSERVE_MODE = "own_controller", "not_yet", "observe_mode"
NOT_CONCERNED, NOTHING_DONE = "not_concerned", "nothing_done"
NO_CONTACT, NOTHING_TO_ASK_BY = "no_contact", "nothing_to_ask_by"
"""Why somebody is not told."""
Key = tuple[str, str]
"""(recipient, right)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """Somebody who is to be told something now, with these identifiers."""

    recipient: str
    right: str
    asks: str
    identifiers: tuple[IdentifierRow, ...]
    n: int = 0
    """The number of the last instruction that they had for it."""


def recipients(policy: Policy) -> Iterator[Recipient]:
    """Whom the policy names without a connector, or with a contact beside it."""
    yield from (it for it in policy.recipients if it.system is None or it.contact)


def asks_of(case: Case, it: Recipient, right: str, policy: Policy) -> str:
    """What a right asks of somebody; empty if nothing. A connector asks for itself.

    An objection concerns those who have the data for the use that it is to.
    """
    row = RIGHTS.get(right)
    if row is None or (right == OBJECTION and not _has_for_marketing(case, it, policy)):
        return ""
    if right == OBJECTION_TO_USE and case.purpose not in it.purposes:
        return ""
    if is_ended(case, right):
        lifts = Tells.LIFT.value if it.role == PROCESSOR else INFORM_LIFTED
        return lifts if (it.id, right) in case.told else ""
    if it.role == PROCESSOR:
        return "" if it.system else row.tells.value
    # GDPR Art. 19: each recipient to whom the data were disclosed
    disclosed = it.system is None or any(held.system == it.system for held in case.held.values())
    return INFORM if disclosed and row.informs else ""


def _has_for_marketing(case: Case, it: Recipient, policy: Policy) -> bool:
    uses = (policy.purposes.get(purpose) for purpose in it.purposes)
    return is_marketing(case, policy) and any(use is not None and use.marketing for use in uses)


def to_tell(case: Case, rules: Rules) -> Iterator[Telling]:
    """Who is to be told now: never before, or not yet with every identifier that they know."""
    for right in case.claims:
        if not has_begun(case, right):
            continue
        policy = rules.policy_of(case.policy)
        for it in recipients(policy):
            rows, asks = _identifiers(case, it), asks_of(case, it, right, policy)
            told = case.told.get((it.id, right))
            before = told.identifiers if told is not None and told.asks == asks else frozenset()
            if it.contact and asks and not {row.tag for row in rows} <= before:
                n = 0 if told is None else told.n
                yield Telling(recipient=it.id, right=right, asks=asks, identifiers=rows, n=n)


def to_remind(case: Case, key: Key, rules: Rules, now: datetime) -> Telling | None:
    """Somebody who was told, has said nothing, and is to be reminded now."""
    told = case.told.get(key)
    found = {it.id: it for it in recipients(rules.policy_of(case.policy))}
    if told is None or told.state != ASKED or told.until is None or told.until > now:
        return None
    if key[0] not in found or not case.wants(key[1]):
        return None
    rows = _identifiers(case, found[key[0]])
    if not rows:  # what they were told turned out to be somebody else's
        return None
    return Telling(recipient=key[0], right=key[1], asks=told.asks, identifiers=rows, n=told.n)


def has_begun(case: Case, right: str) -> bool:
    """Whether anybody may be told: who asks is known and, before anything is to be erased, the
    plan is approved, or nothing is left to plan; and no other case of the person comes first.
    Of a correction, a restriction or an objection they hear once it is carried out here (GDPR Art.
    19), and never of one that was not; of one to a use that they may have more of, at once.
    """
    if not case.verified or not case.wants(right) or case.follow_up is not None:
        return False
    if case.comparing or (right == ERASURE and case.awaits):
        return False
    settled = case.claims[right].settled_at is not None
    if right != ERASURE:
        at_once = right == ACCESS or (right in RIGHTS and RIGHTS[right].weighed)
        return at_once or (right in RIGHTS and is_carried_out(case, right))
    if case.plan is None:
        return case.searched() and not case.under_way(SEARCH)
    return case.plan.state == "approved" or (settled and case.plan.state != "observed")


def due(case: Case, rules: Rules) -> Iterator[tuple[datetime, str, str]]:
    """When the clock comes back, for whom (as `reference`), and whose hold makes it wait."""
    found: dict[str, tuple[datetime, str]] = {}
    for (recipient, right), told in case.told.items():
        if told.state == ASKED and told.until is not None and case.wants(right):
            held = recipient if told.asks == ERASE else ""
            found[reference(recipient, right, told.n)] = told.until, held
    for it in to_tell(case, rules):  # a hold keeps them waiting, or they would have been told
        held = it.recipient if it.asks == ERASE else ""
        found[reference(it.recipient, it.right, it.n)] = case.received_at, held
    yield from ((at, ref, held) for ref, (at, held) in found.items())


def reference(recipient: str, right: str, n: int) -> str:
    """What the clock names somebody by who was told by instruction `n`."""
    return f"{right}/{n}/{recipient}"


def referred(reference: str) -> Key:
    """Who that is, and for which right."""
    right, _, rest = reference.partition("/")
    return rest.partition("/")[2], right


def rows(case: Case, right: str, rules: Rules) -> tuple[RecipientRow, ...]:
    """A row for everybody without a connector, whatever happens; and for who was told beside one.

    Empty while the case has no policy yet, and for one that follows up another: they were told.
    """
    if not case.policy or case.follow_up is not None:
        return ()
    policy, row = rules.policy_of(case.policy), RIGHTS.get(right)
    concerned = row is not None and row.tells != Tells.NOTHING
    return tuple(
        _row(case, it, right, policy)
        for it in recipients(policy)
        if (concerned and not it.system)
        or (it.id, right) in case.told
        or asks_of(case, it, right, policy)
    )


def all_rows(case: Case, rules: Rules) -> tuple[RecipientRow, ...]:
    """The rows of every right that is asked for."""
    return tuple(row for right in case.claims for row in rows(case, right, rules))


def is_awaited(row: RecipientRow) -> bool:
    """Whether something comes of it by itself."""
    return row.state in {ORDERED, ASKED} or row.reason == NOT_YET


def is_under_way(row: RecipientRow) -> bool:
    """Whether it is being handed over, for the first time: within hours it is, or has failed."""
    return row.state == ORDERED


def is_open(row: RecipientRow) -> bool:
    """Whether nothing more comes by itself, and a person has to see to it."""
    return row.state in {UNANSWERED, FAILED}


def for_people(case: Case, rules: Rules) -> Iterator[RecipientRow]:
    """What waits for a person: no answer, nobody reached, or a copy that is to be passed on."""
    for row in all_rows(case, rules):
        to_pass_on = row.asks == COPY and row.state == ACKNOWLEDGED and row.says == RECEIVED
        if case.wants(row.right) and (is_open(row) or to_pass_on):
            yield row


# What events change.


def ordered(case: Case, event: e.InstructionOrdered) -> Case:
    """Somebody is being told; who has been told before still has been."""
    was = case.told.get((event.recipient, event.right))
    told = Instructed(
        asks=event.asks,
        n=event.n,
        state=ASKED if event.reminder else ORDERED,
        identifiers=frozenset(it.tag for it in event.identifiers),
        asked_at=None if was is None else was.asked_at,
        reminders=event.reminder,
        until=event.answer_by,
    )
    return _with(case, (event.recipient, event.right), told)


def sent(case: Case, order: e.InstructionOrdered, at: datetime) -> Case:
    """It was handed over. A word of theirs may have been quicker."""
    key = order.recipient, order.right
    told = case.told.get(key)
    if told is None or told.n != order.n:
        return case
    state = told.state if told.state == ACKNOWLEDGED else ASKED
    return _with(case, key, replace(told, state=state, asked_at=told.asked_at or at))


def failed(case: Case, order: e.InstructionOrdered, reason: str) -> Case:
    """It could not be handed over, and is not tried again."""
    key = order.recipient, order.right
    told = case.told.get(key)
    if told is None or told.n != order.n or told.state == ACKNOWLEDGED:
        return case
    return _with(case, key, replace(told, state=FAILED, reason=reason, until=None))


def acknowledged(case: Case, event: e.RecipientAcknowledged, rules: Rules) -> Case:
    """They said something, or the DPO says what they said. `received` takes nothing back."""
    key = event.recipient, event.right
    policy = rules.policy_of(case.policy)
    it = {of.id: of for of in recipients(policy)}.get(event.recipient)
    if it is None or event.right not in case.claims:
        return case
    told = case.told.get(key) or Instructed(asks=asks_of(case, it, event.right, policy))
    if event.says not in {RECEIVED, DONE, NOTHING}:
        return case
    if told.state == ACKNOWLEDGED and event.says in {RECEIVED, told.says}:
        return case
    said = replace(
        told,
        state=ACKNOWLEDGED,
        acknowledged_at=event.at,
        says=event.says,
        until=None,
        reason="",
    )
    return _with(case, key, said)


def overdue(case: Case, event: e.RecipientOverdue, rules: Rules) -> Case:
    """After the last reminder, or where none can be sent, nobody waits any longer."""
    key = event.recipient, event.right
    told = case.told.get(key)
    if told is None or told.state != ASKED or told.until is None:
        return case
    if told.reminders < REMINDERS and to_remind(case, key, rules, told.until) is not None:
        return case
    return _with(case, key, replace(told, state=UNANSWERED, until=None))


def not_told(case: Case, never: Container[tuple[str, str]]) -> Case:
    """Those whose first instruction was called back before anything went out are not told."""
    told = {key: it for key, it in case.told.items() if key not in never or it.state != ORDERED}
    return replace(case, told=told)


def given_up(case: Case) -> Case:
    """Nobody can be told anything any more, and who has not answered is no longer waited for."""
    waiting = {ORDERED, ASKED}
    told = {
        key: replace(it, state=UNANSWERED, until=None) if it.state in waiting else it
        for key, it in case.told.items()
    }
    return replace(case, told=told)


def _identifiers(case: Case, it: Recipient) -> tuple[IdentifierRow, ...]:
    """What they know people by, of what is known to be the person's: nothing else is told."""
    found = (case.known[tag] for tag in case.usable())
    return tuple(
        IdentifierRow(tag=known.tag, kind=known.kind, spelling=next(iter(known.spellings), b""))
        for known in found
        if known.kind in it.known_by
    )


def _row(case: Case, it: Recipient, right: str, policy: Policy) -> RecipientRow:
    asks, told = asks_of(case, it, right, policy), case.told.get((it.id, right))
    if told is None:
        state, reason = _untold(case, it, right, asks)
        return RecipientRow(
            recipient=it.id, name=it.name, right=right, asks=asks, state=state, reason=reason
        )
    return RecipientRow(
        recipient=it.id,
        name=it.name,
        right=right,
        asks=told.asks,
        state=told.state,
        asked_at=told.asked_at,
        reminders=told.reminders,
        until=told.until,
        acknowledged_at=told.acknowledged_at,
        says=told.says,
        reason=told.reason,
    )


def _untold(case: Case, it: Recipient, right: str, asks: str) -> tuple[str, str]:
    """The state and the reason of a row that nobody was told of."""
    if not asks:
        return NOT_TOLD, OWN_CONTROLLER if right == ACCESS else NOT_CONCERNED
    if case.plan is not None and case.plan.state == "observed" and right == ERASURE:
        return NOT_TOLD, OBSERVE_MODE
    if not it.contact:
        return FAILED, NO_CONTACT
    if not has_begun(case, right):
        is_measure = right in RIGHTS and RIGHTS[right].is_measure
        ended = is_measure and case.claims[right].settled_at is not None
        return NOT_TOLD, NOTHING_DONE if ended else NOT_YET
    return (NOT_TOLD, NOT_YET) if _identifiers(case, it) else (FAILED, NOTHING_TO_ASK_BY)


def _with(case: Case, key: Key, told: Instructed) -> Case:
    return replace(case, told={**case.told, key: told})
