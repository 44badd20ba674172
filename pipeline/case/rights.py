"""The rights as a table: what each one searches, copies, does, and what proves it. Read this next.

Whatever differs from right to right in the route is a column here. A further right is a row, the
pure function that its column names, and its words (`response/words.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from connectors.sdk.interface import Right

from ..policy import Policy

ACCESS, RECTIFICATION, ERASURE, RESTRICTION, PORTABILITY, OBJECTION, AUTOMATED_DECISION = (
    it.value for it in Right
)
OBJECTION_TO_USE = "objection_to_use"
"""What an objection is in its case if it is to a use that a person weighs: see `asked`."""
CHANNEL = 2
"""How surely somebody is known who controls a channel that we know: more is never asked of who
wants no more marketing.
"""


class Copies(StrEnum):
    """What of the person's data an answer brings."""

    NOTHING = "nothing"
    ALL = "all"
    PORTABLE = "portable"
    """What they provided, used by consent or contract (`policy/applicable.py`)."""


class Tells(StrEnum):
    """What a recipient without a connector is asked for, who works on our instructions."""

    NOTHING = ""
    COPY = "copy"
    ERASE = "erase"
    CORRECT = "correct"
    RESTRICT = "restrict"
    LIFT = "lift"
    """To use again what they were asked to restrict."""
    STOP = "stop"


class Verb(StrEnum):
    """What is done in the systems: the method of a connector."""

    NONE = ""
    ERASE = "erase"
    RECTIFY = "rectify"
    RESTRICT = "restrict"
    LIFT = "lift"
    """To take off what `RESTRICT` set."""
    OBJECT = "object_to"


PROVED_BY: Mapping[str, frozenset[str]] = {
    Verb.ERASE: frozenset({"erased", "redacted", "anonymised", "unaffected"}),
    Verb.RECTIFY: frozenset({"rectified", "unaffected"}),
    Verb.RESTRICT: frozenset({"restricted", "unaffected"}),
    Verb.LIFT: frozenset({"lifted", "unaffected"}),
    Verb.OBJECT: frozenset({"suppressed"}),
}
"""The outcomes of each that count as proved, once a fresh look shows them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One right."""

    right: str
    searches: bool = True
    """Whether the systems are searched. Not for what concerns an address, whatever bears it."""
    copies: Copies = Copies.NOTHING
    verb: Verb = Verb.NONE
    plans: bool = False
    """Whether each (holding, category) is decided by facts and rules, and the plan approved.
    Other verbs are measures: they are reversible, and done as soon as it is known whose it is.
    """
    tells: Tells = Tells.NOTHING
    informs: bool = False
    """Whether recipients who decide for themselves hear of it (GDPR Art. 19)."""
    level: int | None = None
    """How surely the person must be known, at most; None is as the policy says."""
    details: bool = False
    """Whether two requests for it may ask for different things."""
    weighed: bool = False
    """Whether a person has to decide before it is answered; until then its measure holds."""

    @property
    def is_measure(self) -> bool:
        """Whether it is carried out by a measure in the systems."""
        return self.verb != Verb.NONE and not self.plans


TABLE: tuple[Row, ...] = (
    Row(
        right=ACCESS,
        copies=Copies.ALL,
        tells=Tells.COPY,
    ),
    Row(
        right=PORTABILITY,
        copies=Copies.PORTABLE,
    ),
    Row(
        right=AUTOMATED_DECISION,
        searches=False,
        weighed=True,
    ),
    Row(
        right=RECTIFICATION,
        verb=Verb.RECTIFY,
        tells=Tells.CORRECT,
        informs=True,
        details=True,
    ),
    Row(
        right=RESTRICTION,
        verb=Verb.RESTRICT,
        tells=Tells.RESTRICT,
        informs=True,
    ),
    Row(
        right=OBJECTION,
        searches=False,
        verb=Verb.OBJECT,
        tells=Tells.STOP,
        informs=True,
        level=CHANNEL,
    ),
    Row(
        right=OBJECTION_TO_USE,
        verb=Verb.RESTRICT,
        tells=Tells.RESTRICT,
        informs=True,
        weighed=True,
    ),
    Row(
        right=ERASURE,
        verb=Verb.ERASE,
        plans=True,
        tells=Tells.ERASE,
        informs=True,
    ),
)
"""In the order in which claims are settled."""
RIGHTS: Mapping[str, Row] = {it.right: it for it in TABLE}
SUPPORTED: frozenset[str] = frozenset(it.value for it in Right)
"""What a request may ask for."""
COPYING: frozenset[str] = frozenset(it.right for it in TABLE if it.copies != Copies.NOTHING)
"""Those that are answered with a copy."""
ALWAYS_ALIKE: frozenset[str] = frozenset(it.right for it in TABLE if not it.details)
"""Those of which two requests ask for the same."""


def asked(claims: Iterable[str], purpose: str, policy: Policy) -> tuple[str, ...]:
    """The rights that a request is about. An objection to a use on our own or a public interest,
    unless that is direct marketing, is weighed by a person (GDPR Art. 21(1)): it is a row of its
    own. One to what cannot be objected to, or is not known, stays an objection, and says so.
    """
    use = policy.purposes.get(purpose)
    is_weighed = use is not None and not use.marketing and use.may_be_objected_to
    rights = (OBJECTION_TO_USE if it == OBJECTION and is_weighed else it for it in claims)
    return tuple(dict.fromkeys(rights))


def searches(right: str) -> bool:
    """Whether the systems are searched for a right."""
    return right not in RIGHTS or RIGHTS[right].searches


def level(claims: Iterable[str], policy: Policy) -> int:
    """How surely who asks for these must be known (GDPR Art. 12(6))."""
    asked = (RIGHTS[it].level if it in RIGHTS else None for it in claims)
    needed = policy.identity_level
    return max((needed if it is None else min(it, needed) for it in asked), default=needed)
