"""What of a case waits for a person: what it is, by when, whose it is to settle, and how.

Every sentence in an answer or a letter that says that a person sees to something has its line here.
Pure: a function of the case, told in the clear, without a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from schemas.events import NoticeOrdered
from schemas.records import OutcomeRow

from ..policy import Policy
from ..policy.clauses import Automated
from . import incident, lifecycle, marks, measures, recipients, reviews, weighing
from .case import DONE, LIFTED, PEOPLE, RESPONSE, SEARCH, SPENT, Case, Row, Taken
from .coverage import SYSTEM, WHOSE, coverage, difference, found, is_concerned
from .follow_up import how_ended
from .incident import Incident
from .outcome import OF_PEOPLE
from .rights import AUTOMATED_DECISION, ERASURE, OBJECTION_TO_USE, RIGHTS
from .rules import Rules
from .spent import given_up, needs_dpo, unanswered
from .whose import EMAIL, UNSEEN_ADDRESS

DPO, REVIEWER = "dpo", "reviewer"
"""Roles: who may settle it. The DPO may settle everything."""
HANDLE = 6
"""Hexadecimal digits that name an item within its case."""
LOOK_WITHIN = timedelta(days=7)
"""By when somebody looks why a person is there again."""
KINDS = (
    APPROVAL,
    IDENTITY,
    OWNER,
    OPEN_ITEM,
    REFUSAL,
    FEE,
    BROKEN,
    UNDELIVERED,
    DOCUMENTS,
    RECIPIENT,
    PAUSE,
    REAPPEARED,
    AUTHORITY,
    AFFECTED,
    TELLING,
    WAIVER,
    OBJECTION,
    REVIEW,
) = (
    "approval",
    "identity",
    "whose",
    "open",
    "refusal",
    "fee",
    "broken",
    "undelivered",
    "documents",
    "recipient",
    "pause",
    "reappeared",
    "authority",
    "affected",
    "telling",
    "waiver",
    "objection",
    "review",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a person settles by hand, as `item_settled` names it."""

    right: str
    """Empty for a step of ours: an answer that could not be made, or nobody could be told of."""
    system: str
    kind: str
    was: OutcomeRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something that waits for a person."""

    case: UUID
    id: str
    kind: str
    due: datetime
    role: str
    says: str
    """What waits, in a sentence without a full stop."""
    command: str
    """What settles it, or begins to."""
    about: About | None = None
    """What is settled by hand; None for what a decision of another kind settles."""
    mailed: bool = False
    """Whether the DPO has a mail of its own about it."""
    taken: Taken | None = None
    """Who sees to it; None while nobody does."""


def waiting(case: Case, rules: Rules) -> Iterator[Item]:
    """Everything of a case that waits for a person, whatever its order."""
    for it in _every(case, rules):
        yield replace(it, taken=case.taken.get(it.id)) if it.id in case.taken else it


def _every(case: Case, rules: Rules) -> Iterator[Item]:
    if case.state in {lifecycle.WITHDRAWN, lifecycle.JOINED} or case.keyless:
        return
    if case.incident is not None:
        yield from _of_incident(case, case.incident)
        yield from _broken(case, rules)
        return
    yield from _identity(case)
    yield from _paused(case)
    yield from _approval(case)
    yield from _refusal(case)
    yield from _owner(case)
    yield from _objection(case, rules)
    yield from _reviews(case, rules)
    yield from _open(case)
    yield from _recipients(case, rules)
    yield from _documents(case, rules)
    yield from _broken(case, rules)
    yield from _marked(case)
    yield from _reappeared(case)


def may_settle(roles: Iterable[str], item: Item) -> bool:
    """Whether one of the roles of a console may settle an item, or take it."""
    return not {DPO, item.role}.isdisjoint(roles)


def takers(items: Iterable[Item]) -> tuple[str, ...]:
    """The consoles of those who see to something of it."""
    return tuple(sorted({it.taken.by for it in items if it.taken is not None}))


def _item(  # noqa: PLR0917  what every item has
    case: Case, kind: str, ref: str, role: str, says: str, command: str
) -> Item:
    named = sha256(f"{kind}/{ref}".encode()).hexdigest()[:HANDLE]
    shown = f"habeas {command.format(case=case.id, item=named)}"
    return Item(
        case=case.id,
        id=named,
        kind=kind,
        due=case.due_at,
        role=role,
        says=says,
        command=shown,
    )


def _identity(case: Case) -> Iterator[Item]:
    """Who has an address presses a button by themselves; all others reply, and a person reads."""
    expires_at = case.identity_expires_at
    linked = any(it.kind == EMAIL for it in case.known.values())
    if case.state == lifecycle.ASKED and expires_at is not None and not linked:
        says = "who asks has to show who they are, and was asked to reply"
        command = 'decide prove {case} --evidence "..."'
        if not any(it.strong for it in case.known.values()):  # several people share what there is
            says = "who asks gave nothing that they could be known by, and was asked to reply"
            command = 'decide refuse-identity {case} --says "..."'
        item = _item(case, IDENTITY, "", DPO, says, command)
        yield replace(item, due=min(expires_at, case.due_at))


def _paused(case: Case) -> Iterator[Item]:
    """What the person was asked for comes in a mail that somebody reads, and is then said here."""
    for it in case.pauses:
        if it.until is None and case.is_open:
            says = f"the person was asked for {it.why} on {it.since:%Y-%m-%d}; say when it is here"
            command = f"decide resume {{case}} --for {it.why}"
            yield replace(_item(case, PAUSE, it.why, DPO, says, command), mailed=True)


def _approval(case: Case) -> Iterator[Item]:
    plan = case.plan
    if plan is not None and plan.state == "asked" and case.wants(ERASURE):
        holdings = len({tag for tag, _ in plan.rows})
        named = plan.digest.hex()
        says = f"plan {plan.n} touches {holdings} holdings, and waits for an approval"
        item = _item(case, APPROVAL, named, REVIEWER, says, f"approve {{case}} --plan {named}")
        yield replace(item, due=min(plan.expires_at or case.due_at, case.due_at), mailed=True)


def _refusal(case: Case) -> Iterator[Item]:
    if case.fee_awaited and case.is_open:
        says = "a fee was asked for; until it is paid or waived nothing goes on"
        ref = case.fee_awaited.hex()
        yield _item(case, FEE, ref, DPO, says, "decide fee-settled {case} --paid")
    proposal = case.proposal
    if proposal is None or not case.is_open or proposal.digest == case.fee_awaited:
        return
    named, fee = proposal.digest.hex(), proposal.fee
    what, command = ("ask for a fee", "fee") if fee else ("refuse the request", "refuse")
    says = f"{proposal.by} proposes to {what}; it takes a second person"
    yield _item(case, REFUSAL, named, DPO, says, f"decide {command} {{case}} --confirm {named}")


def _owner(case: Case) -> Iterator[Item]:
    searching = bool(case.under_way(SEARCH))  # then it may yet be known by itself
    contested = sum(
        it.state == "contested" and _matters(case, tag)
        for tag, it in case.whose.items()
        if it != UNSEEN_ADDRESS or not searching
    )
    if contested and case.verified:
        are = "record is" if contested == 1 else "records are"
        says = f"{contested} {are} contested: whose, nobody knows"
        yield _item(case, OWNER, "", DPO, says, "whose {case}")


def _objection(case: Case, rules: Rules) -> Iterator[Item]:
    """What is held for the use is restricted, as far as it can be: now its grounds are weighed."""
    if not weighing.waits(case) or case.under_way(SEARCH):
        return
    right = OBJECTION_TO_USE
    rows, told = coverage(case, right, rules), recipients.rows(case, right, rules)
    if is_concerned(rows, told) and measures.is_over(case, right, rules):
        says = f"the person objects to the use {case.purpose}, which ends unless grounds weigh more"
        yield _item(case, OBJECTION, "", DPO, says, 'decide uphold {case} --says "..."')


def _reviews(case: Case, rules: Rules) -> Iterator[Item]:
    """What a machine decided alone, with what it looked at; then what came of a person's review."""
    for it in reviews.to_review(case, rules):
        says = f"a machine decided {it.id} alone{_by_what(it, rules.policy_of(case.policy))}"
        command = f'decide review {{case}} {it.id} --confirmed --says "..." --evidence "..."'
        yield _item(case, REVIEW, it.id, REVIEWER, f"{says}: decide it anew", command)
    for it in reviews.to_carry_out(case, rules):
        was = reviews.TO_CARRY_OUT
        item = _open_item(case, AUTOMATED_DECISION, it.id, SYSTEM, was, 1)
        by = f" by {it.carried_out_by}" if it.carried_out_by else ""
        yield replace(item, says=f"the decision {it.id} is changed: have that carried out{by}")


def _by_what(decision: Automated, policy: Policy) -> str:
    """The kinds of records that a machine decided by, with what they hold."""
    by = [
        f"{it.system} {it.kind} ({', '.join(sorted(it.categories))})"
        for it in policy.data
        if (it.system, it.kind) in decision.inputs
    ]
    return f" by {'; '.join(by)}" if by else ""


def _matters(case: Case, tag: bytes) -> bool:
    """Whether anything would be copied or erased if a holding were known to be the person's."""
    settled = all((tag, it) in case.outcomes for it in case.held[tag].categories)
    acts = any(it.is_measure and it.searches and case.wants(it.right) for it in RIGHTS.values())
    return case.copies or acts or (case.wants(ERASURE) and not settled)


def _open(case: Case) -> Iterator[Item]:
    """What a settled claim leaves open, in groups that end alike; not what is being looked for, nor
    what comes back by itself on a later day.
    """
    follow_up = case.follow_up
    rows = () if follow_up is None else follow_up.rows
    if rows and all(how_ended(case, it) for it in rows):
        return
    busy = {(right, *_place(case, row)) for right, row in case.checking}
    groups: dict[tuple[str, str, str, OutcomeRow], int] = {}
    for claim in case.claims.values():
        if claim.settled_at is None or not case.wants(claim.right):
            continue
        for row in claim.coverage:
            mine = row.state == "open" and row.outcome != WHOSE
            if mine and row.outcome.kind not in OF_PEOPLE:
                group = row.right, row.system, row.kind, row.outcome
                groups[group] = groups.get(group, 0) + row.count
    for (right, system, kind, outcome), count in groups.items():
        if (right, system, kind) not in busy:
            yield _open_item(case, right, system, kind, outcome, count)


def _open_item(  # noqa: PLR0917  what an item is told by
    case: Case, right: str, system: str, kind: str, outcome: OutcomeRow, count: int
) -> Item:
    why = f"{outcome.kind}: {outcome.reason}" if outcome.reason else outcome.kind
    what = "the whole system" if kind == SYSTEM else f"{kind} ({count})"
    ref = f"{right}/{system}/{kind}/{outcome}"
    says = f"{right}: {system}, {what} is open ({why})"
    item = _item(case, OPEN_ITEM, ref, REVIEWER, says, "decide settle {case} {item}")
    return replace(item, about=About(right=right, system=system, kind=kind, was=outcome))


def _recipients(case: Case, rules: Rules) -> Iterator[Item]:
    """Who was told of the request and said nothing, or has a copy that is to be passed on."""
    for row in recipients.for_people(case, rules):
        named = f"{row.recipient}:{row.right}"
        says = f"{row.recipient}, {row.right}: {row.state}, so ask them by another way"
        if not recipients.is_open(row):
            says = f"{row.recipient} makes a copy, and it is to be passed on"
        command = f'recipients {{case}} --said {named}:{recipients.DONE} --evidence "..."'
        item = _item(case, RECIPIENT, named, DPO, says, command)
        yield replace(item, mailed=recipients.is_open(row))


def _documents(case: Case, rules: Rules) -> Iterator[Item]:
    """Documents of a customer whom the policy names no address of (GDPR Art. 28(3)(e))."""
    counts = Counter((case.documents[it], case.held[it].system) for it in case.forwarded)
    for (of, system), count in sorted(counts.items()):
        theirs = rules.policy_of(case.policy).customer(of)
        if theirs is None or not theirs.contact:
            says = f"{count} of a customer's documents ({of}): find out whose, and tell them"
            item = _of_step(case, DOCUMENTS, system, f"documents {of}", "no_contact", says)
            yield from (replace(each, mailed=True) for each in item)


def _broken(case: Case, rules: Rules) -> Iterator[Item]:
    """Steps that are not tried again, answers that did not arrive, reports that cannot be made."""
    for it in given_up(case):
        if needs_dpo(it) and (it.slot[0] != RESPONSE or it in unanswered(case)):
            what = f"{it.slot[0]} {it.slot[2]}"
            says = f"{what} of {it.slot[1]} broke, and is not tried again ({it.reason})"
            item = _of_step(case, BROKEN, it.slot[1], what, it.reason, says)
            yield from (replace(each, mailed=True) for each in item)
    for it in case.orders.values():
        asked = it.ordered
        if not isinstance(asked, NoticeOrdered) or asked.to == DPO:
            continue  # what the DPO was to be told of stands here itself
        if it.reason and it.state in {DONE, SPENT}:
            what = f"notice {asked.n}"
            says = f"a letter could not be sent: {asked.kind} ({it.reason})"
            yield from _of_step(case, UNDELIVERED, "notice", what, it.reason, says)
    for right, claim in case.claims.items():
        if claim.settled_at and difference(found(case, right), coverage(case, right, rules)):
            says = f"{right}: what was found and what became of it do not sum up"
            yield _item(case, BROKEN, right, DPO, says, "case {case}")


def _marked(case: Case) -> Iterator[Item]:
    """A mark that nobody asks for any more, and that could not be taken off."""
    for system in marks.left(case):
        says = f"{system}: records are still marked as not to be used, though nobody asks for it"
        yield from _of_step(case, OPEN_ITEM, system, LIFTED, "not_lifted", says)


def _reappeared(case: Case) -> Iterator[Item]:
    """Who was erased and is there again: each day that it was seen, until a person looked."""
    for feed, it in sorted(case.reappeared.items()):
        rows = "row is" if it.count == 1 else "rows are"
        day = f"{it.at:%Y-%m-%d}"
        says = f"{it.count} {rows} of the person in {feed} again on {day}"
        of_day = f"{REAPPEARED} {day}"
        for item in _of_step(case, REAPPEARED, feed, of_day, "came_back", says):
            yield replace(item, due=it.at + LOOK_WITHIN)


def _of_incident(case: Case, known: Incident) -> Iterator[Item]:
    """What the DPO is to decide of a breach, and whom of the affected nobody has told."""
    if known.closed_at is not None:
        return
    if known.authority is None:
        says = "a breach: the supervisory authority is to be told within 72 hours, or need not be"
        item = _item(case, AUTHORITY, "", DPO, says, "incident authority {case} --at ...")
        yield replace(item, mailed=True)
    if known.released_at is None and not known.waived:
        says = "a breach: the affected are to be told, or two people waive that"
        item = _item(case, TELLING, "", DPO, says, "incident notify {case}")
        yield replace(item, mailed=True)
    if case.proposal is not None:
        named, by = case.proposal.digest.hex(), case.proposal.by
        says = f"{by} proposes to tell nobody of a breach; it takes a second person"
        yield _item(case, WAIVER, named, DPO, says, f"incident waive {{case}} --confirm {named}")
    if not known.waived:
        yield from _affected(case, known)


def _affected(case: Case, known: Incident) -> Iterator[Item]:
    """Of whom it is not known whether they are affected, and who was not told."""
    counted, lacking = incident.counts(known), incident.missing(known)
    if lacking:
        says = f"a breach: of a list {lacking} portions are missing; `habeas incident affect` again"
        yield from _of_step(case, AFFECTED, "list", f"missing {lacking}", "not_whole", says)
    elif not (counted.affected or case.under_way(PEOPLE) or known.unlisted):
        says = "a breach: whom it affects is not known"
        item = _item(case, AFFECTED, "", DPO, says, "incident affect {case} --list FILE")
        yield replace(item, mailed=True)
    for place, why in sorted(known.unlisted.items()):
        says = f"a breach: {place} could not list whom it holds ({why}); find out another way"
        system, what = place.partition(".")[0], f"people {place}"
        yield from _of_step(case, AFFECTED, system, what, why, says)
    if counted.unreachable:
        says = f"a breach: {counted.unreachable} of the affected have no address; tell them"
        what = f"affected {counted.unreachable}"
        yield from _of_step(case, UNDELIVERED, "notice", what, "no_address", says)
    if counted.failed and not counted.waiting:
        says = f"a breach: {counted.failed} of the affected could not be written to; tell them"
        what = f"failed {counted.failed}"
        yield from _of_step(case, UNDELIVERED, "notice", what, "not_sent", says)


def _of_step(  # noqa: PLR0917  what an item is told by
    case: Case, kind: str, system: str, what: str, reason: str, says: str
) -> Iterator[Item]:
    """A step that a person makes up for; nothing once they said so."""
    if ("", (b"", f"{system}/{what}")) not in case.by_hand:
        item = _item(case, kind, what, DPO, says, "decide settle {case} {item}")
        was = OutcomeRow(kind="failed", reason=reason)
        yield replace(item, about=About(right="", system=system, kind=what, was=was))


def _place(case: Case, row: Row) -> tuple[str, str]:
    tag, name = row
    return (case.held[tag].system, case.held[tag].kind) if tag else (name, SYSTEM)
