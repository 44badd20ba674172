"""Notify: tell the subject, or the DPO, what they must know or do next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from schemas.events import (
    ApprovalAsked,
    CaseOpened,
    ConfirmationAsked,
    DeadlineExtended,
    DecisionRecorded,
    DocumentsFound,
    Event,
    IdentityAsked,
    IdentityRefused,
    InstructionFailed,
    ItemSettled,
    MeasureTaken,
    NoticeOrdered,
    NoticeSent,
    OrderDue,
    RecipientOverdue,
    RequestRefused,
    ResponseSigned,
)

from ..case import marks, recipients, reviews
from ..case.case import INSTRUCTION, NOTICE, SPENT, Case
from ..case.orders import order_id, reissued
from ..case.reminders import EXTENDED
from ..case.replays import BROUGHT_BACK, is_replay
from ..case.rules import Given, Rules
from ..case.spent import needs_dpo

SUBJECT, DPO, CUSTOMER = "subject", "dpo", "customer"


def notify(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[Event]:
    """Order a notice for each event that somebody outside must hear of."""
    if not case.lapsed:  # they were promised one message, and nothing else
        yield from _to_person(case, event, rules, given)
    yield from _to_others(case, event, rules, given)
    if isinstance(event, OrderDue):
        yield from reissued(case, event.order, NoticeOrdered, given.now, rules)


def _to_person(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[NoticeOrdered]:
    match event:
        case IdentityAsked() | ConfirmationAsked():
            yield from _asked(case, event, rules, given)
        case IdentityRefused():
            yield notice(case, "identity_refused", SUBJECT, rules, given)
        case ResponseSigned():
            kind = "response_ready" if case.follow_up is None else "looked_again"
            kind = BROUGHT_BACK if is_replay(case) else kind
            ordered = notice(case, kind, SUBJECT, rules, given)
            until = given.now + rules.settings.package_key_lives
            yield replace(ordered, response=event.n, digest=event.digest, expires_at=until)
        case RequestRefused():
            yield replace(notice(case, "refused", SUBJECT, rules, given), reason=event.reason)
        case DecisionRecorded():
            yield from _reasons(case, event, rules, given)
        case ItemSettled() | MeasureTaken() | NoticeSent() if marks.resolved(case):
            yield notice(case, marks.RESOLVED, SUBJECT, rules, given)
        case DeadlineExtended():
            yield replace(notice(case, EXTENDED, SUBJECT, rules, given), reason=event.reason)
        case _:
            return


def _reasons(
    case: Case, event: DecisionRecorded, rules: Rules, given: Given
) -> Iterator[NoticeOrdered]:
    """What a person decided, and why: before marks come off (GDPR Art. 18(3)), or of a review."""
    kind = marks.DECIDED.get(event.name, "")
    ending = case.lifting.get(marks.ENDS.get(kind, ""))
    if ending is not None:
        reason = case.weighed if kind == marks.OVERRIDING else ""
        yield replace(notice(case, kind, SUBJECT, rules, given), reason=reason)
    for said in reviews.untold(case):
        yield replace(notice(case, reviews.REVIEWED, SUBJECT, rules, given), reason=said)


def _to_others(case: Case, event: Event, rules: Rules, given: Given) -> Iterator[NoticeOrdered]:
    """What the DPO hears of, and the customer whose documents somebody asks about."""
    match event:
        case CaseOpened() if event.due_at < given.now:
            yield notice(case, "received_late", DPO, rules, given)
        case ApprovalAsked():
            ordered = notice(case, "approval_asked", DPO, rules, given)
            yield replace(
                ordered,
                digest=event.digest,
                holdings=event.holdings,
                expires_at=event.expires_at,
            )
        case DocumentsFound():
            theirs = rules.policy_of(case.policy).customer(event.of)
            to = CUSTOMER if theirs is not None and theirs.contact else DPO
            ordered = notice(case, "documents", to, rules, given)
            yield replace(ordered, documents=event.of, holdings=event.count)
        case OrderDue() | InstructionFailed() | RecipientOverdue():
            yield from _for_dpo(case, event, rules, given)
        case _:
            return


def _for_dpo(
    case: Case,
    event: OrderDue | InstructionFailed | RecipientOverdue,
    rules: Rules,
    given: Given,
) -> Iterator[NoticeOrdered]:
    """What the DPO must hear of: an order that is given up, a recipient who is not reached."""
    kind = ""
    match event:
        case OrderDue():
            kind = _given_up(case, event)
        case InstructionFailed():
            kind = "recipient"
        case RecipientOverdue() if _is_silent(case, event, rules):
            kind = "recipient"
        case RecipientOverdue():
            pass
    if kind:
        yield notice(case, kind, DPO, rules, given)


def _given_up(case: Case, event: OrderDue) -> str:
    """What kind of notice an order is worth that is not tried again; empty if none."""
    order = case.order_of(event.order)
    if order is None or order.state != SPENT:
        return ""
    if order.slot[0] == INSTRUCTION:
        return "recipient"
    return "broke" if needs_dpo(order) else ""


def _is_silent(case: Case, event: RecipientOverdue, rules: Rules) -> bool:
    """Whether this was waited for in vain, and nobody else is waited for: one notice tells all."""
    told = case.told.get((event.recipient, event.right))
    if told is None or told.state != recipients.UNANSWERED:
        return False
    return not any(map(recipients.is_awaited, recipients.rows(case, event.right, rules)))


def _asked(
    case: Case, event: IdentityAsked | ConfirmationAsked, rules: Rules, given: Given
) -> Iterator[NoticeOrdered]:
    """A link to each address. Where there is one, nobody is asked in another way who they are."""
    if isinstance(event, ConfirmationAsked):
        for later, tag in enumerate(event.tags):
            ordered = notice(case, "confirm", SUBJECT, rules, given, later)
            yield replace(ordered, identifier=tag, expires_at=event.expires_at)
    elif not any(it.kind == "email" for it in case.known.values()):
        ordered = notice(case, "identity_asked", SUBJECT, rules, given)
        yield replace(ordered, expires_at=event.expires_at)


def notice(  # noqa: PLR0917  one notice's whole frame
    case: Case, kind: str, to: str, rules: Rules, given: Given, later: int = 0
) -> NoticeOrdered:
    """An order; `later` counts those that are ordered before it at once."""
    n = case.next_n(NOTICE, NOTICE) + later
    return NoticeOrdered(
        case=case.id,
        order=order_id(case.id, (NOTICE, NOTICE, n), 1),
        n=n,
        attempt=1,
        kind=kind,
        to=to,
        not_after=given.now + rules.settings.not_after_act,
        run_limit=int(rules.settings.run_limit.total_seconds()),
        due_at=case.due_at,
        follows=None if case.follow_up is None else case.follow_up.request,
    )
