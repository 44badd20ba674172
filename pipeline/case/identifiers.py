"""Identifiers that were met, and whose each holding is by what it bears of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from schemas.events import IdentityProved
from schemas.records import IdentifierRow

from .case import Case, Known
from .rules import Rules
from .values import replace
from .whose import EMAIL, NAMES, OURS, Bearing, People, Verdict, judged

VOUCHED, LINK, BY_DPO = "vouched", "link", "dpo"
"""How an identifier was proved."""


def rejudged(case: Case, rules: Rules) -> Case:
    """The case with whose everything is decided anew."""
    found = judged(
        (
            Bearing(tag=it.tag, system=it.system, kind=it.kind, bears=it.bears, part_of=it.part_of)
            for it in case.held.values()
        ),
        People(
            proved=frozenset(
                it for it in case.proofs if it in case.known and case.known[it].strong
            ),
            strangers=case.strangers,
            said=case.said,
            names=case.names,
            trusted=rules.policy_of(case.policy).links,
            unseen=_unseen(case, rules),
        ),
    )
    return replace(
        case,
        whose=found.whose,
        linked=found.linked,
        entangled=_owners(case, found.whose),
        documents={**_documents(case, rules), **case.documents},
    )


def _unseen(case: Case, rules: Rules) -> frozenset[bytes]:
    """The addresses that a system can be searched by, and has not been: it is silent, or away."""
    silent = [
        state.answered
        for system, state in case.systems.items()
        if state.status != "located" and EMAIL in rules.asked_by(system)
    ]
    addresses = [it.tag for it in case.known.values() if it.kind == EMAIL]
    return frozenset(it for it in addresses if any(it not in answered for answered in silent))


def _documents(case: Case, rules: Rules) -> dict[bytes, str]:
    """What is a customer's by its kind; of the others, hosts tell."""
    known = rules.policy_of(case.policy)
    if not known.documents:
        return {}
    rows = ((it.tag, known.document_of(it.system, it.kind)) for it in case.held.values())
    return {tag: of for tag, of in rows if of}


def identified(before: Known | None, row: IdentifierRow, number: int, *, given: bool) -> Known:
    """An identifier that was met, or met again in another spelling, in the event of a number."""
    known = before or Known(
        tag=row.tag, kind=row.kind, strong=row.strong, source=number, given=given
    )
    spelling = row.spelling or (row.tag if before is None else b"")
    if not spelling or spelling in known.spellings:
        return known
    return replace(known, spellings={**known.spellings, spelling: number})


def proved_by(case: Case, event: IdentityProved) -> bytes:
    """The identifier that a proof is of: the one that it names, or the request's first e-mail."""
    given = (it.tag for it in case.known.values() if it.kind == EMAIL and it.given)
    return event.tag or next(given, b"")


def meet(known: dict[bytes, Known], rows: Sequence[IdentifierRow], number: int) -> None:
    """Put the identifiers that an event of this number brings to those that are known."""
    for row in rows:
        if row.kind not in NAMES:
            known[row.tag] = identified(known.get(row.tag), row, number, given=False)


def _owners(case: Case, whose: Mapping[bytes, Verdict]) -> frozenset[bytes]:
    """What has a part, or a part of a part, that is not known to be theirs."""
    owners: set[bytes] = set()
    for held in case.held.values():
        above = held.part_of if whose[held.tag] != OURS else b""
        while above in case.held and above not in owners:
            owners.add(above)
            above = case.held[above].part_of
    return frozenset(owners)
