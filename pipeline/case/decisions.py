"""What people decide of a whole request: that it is refused, costs something, or goes on.

To refuse, or to ask for a fee, takes two people (GDPR Art. 12(5)): the first proposes it with
reasons and evidence, the second confirms that very proposal by its digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from schemas import events as e
from schemas.codec import before_signature
from schemas.derive import event_name

from .case import Case, Proposal
from .rules import Rules
from .values import replace

UNFOUNDED, EXCESSIVE = "eu-gdpr:A12ManifestlyUnfounded", "eu-gdpr:A12ManifestlyExcessive"
GROUNDS: Mapping[str, str] = {"unfounded": UNFOUNDED, "excessive": EXCESSIVE}
"""The grounds that there are, by what people call them. How often somebody asks is none."""
_PROPOSALS = frozenset(map(event_name, (e.RefusalProposed, e.WaiverProposed)))
IDENTITY_FAILURE = "eu-gdpr:A12IdentityFailure"
DONE, NOT_POSSIBLE = "done", "not_possible"
HOW_SETTLED = frozenset({DONE, NOT_POSSIBLE})
PAID, WAIVED = "paid", "waived"
PAID_OR_WAIVED = frozenset({PAID, WAIVED})


def digest(event: e.RefusalProposed | e.WaiverProposed) -> bytes:
    """What names a proposal: SHA-256 over all that its proposer signed, the reasons included."""
    return sha256(before_signature(event)).digest()


def proposed(case: Case, event: e.RefusalProposed, _: Rules) -> Case:
    """The newest proposal is the one that can be confirmed."""
    proposal = Proposal(
        digest=digest(event),
        by=event.by,
        reason=event.reason,
        fee=event.fee,
        currency=event.currency,
    )
    return replace(case, proposal=proposal)


def recorded(case: Case, event: e.DecisionRecorded, _: Rules) -> Case:
    """Who proposed it, and where their words are."""
    proposal = case.proposal
    if proposal is None or proposal.recorded or event.name not in _PROPOSALS:
        return case
    return replace(case, proposal=replace(proposal, recorded=case.number, login=event.login))


def fee_asked(case: Case, event: e.FeeAsked, _: Rules) -> Case:
    return replace(case, fee_awaited=event.proposal)


def fee_settled(case: Case, event: e.FeeSettled, _: Rules) -> Case:
    if event.proposal != case.fee_awaited:
        return case
    proposal = case.proposal  # a later one stands
    settled = proposal is not None and proposal.digest == event.proposal
    return replace(case, fee_awaited=b"", proposal=None if settled else proposal)
