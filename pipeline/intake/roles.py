"""Which decision may a person take? By the roles of their console, as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from schemas import events as e
from schemas.events import Event


class Role(StrEnum):
    """What somebody is there for. A console may have several roles, or none."""

    DPO = "dpo"
    """Decides everything."""
    REVIEWER = "reviewer"
    """Looks at plans, at what a machine decided and at what is left to do by hand, takes down what
    a person takes back and who is there again, and may propose to refuse.
    """
    AUDITOR = "auditor"
    """Looks on."""
    LINK = "link"
    """The web pages where people confirm an address, and recipients that they were told."""


OF_PLANS: frozenset[type[Event]] = frozenset({e.PlanApproved, e.PlanChanged})
TAKE_TWO: frozenset[type[Event]] = frozenset({e.RequestRefused, e.FeeAsked, e.BreachNoticesWaived})
"""What a second person says of a first one's proposal: another login, another console, another key.
"""

OF_ITEMS: frozenset[type[Event]] = frozenset({e.ItemSettled, e.ItemTaken})
"""Of the inbox: each item names the role that it waits for."""

OF_INCIDENTS: frozenset[type[Event]] = frozenset(
    {
        e.IncidentOpened,
        e.PeopleAffected,
        e.PeopleSought,
        e.BreachNoticesReleased,
        e.AuthorityNotified,
        e.WaiverProposed,
        e.IncidentClosed,
    }
)
"""Of a breach: what one person decides."""

MAY: Mapping[Role, frozenset[type[Event]]] = {
    Role.DPO: OF_PLANS
    | TAKE_TWO
    | OF_ITEMS
    | OF_INCIDENTS
    | {
        e.IdentityProved,
        e.IdentityRejected,
        e.WhoseDecided,
        e.RefusalProposed,
        e.FeeSettled,
        e.DeadlineExtended,
        e.ClockPaused,
        e.ClockResumed,
        e.ClaimWithdrawn,
        e.LiftDecided,
        e.ObjectionDecided,
        e.DecisionReviewed,
        e.RecipientAcknowledged,
        e.PersonReappeared,
        e.ErasureReplayed,
    },
    Role.REVIEWER: OF_PLANS
    | OF_ITEMS
    | {e.ClaimWithdrawn, e.RefusalProposed, e.PersonReappeared, e.DecisionReviewed},
    Role.AUDITOR: frozenset(),
    Role.LINK: frozenset({e.IdentityProved, e.RecipientAcknowledged}),
}
"""What is not here may nobody: a decision that is added later is added here too."""

LIFTS = frozenset({Role.DPO})
"""Who may agree to lift a hold on erasing."""

NOT_BY_SUBMITTER: frozenset[type[Event]] = OF_PLANS | {
    e.IdentityProved,
    e.WhoseDecided,
    e.FeeSettled,
    e.ItemSettled,
}
"""What nobody decides of a case that they submitted: each lets it go on."""


def may(roles: Iterable[Role], decision: type[Event]) -> bool:
    """Whether one of the roles may take this decision."""
    return any(decision in MAY[role] for role in roles)
