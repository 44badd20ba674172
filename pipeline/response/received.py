"""Who receives the data found, by name (GDPR Art. 15(1)(c), 15(2); CJEU C-154/21)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from pipeline.policy import Policy
from pipeline.policy.applicable import Sort
from pipeline.policy.clauses import CONTROLLER
from pipeline.policy.clauses import Recipient as Receiver
from schemas.events import ResponseOrdered
from schemas.records import RecipientRow

from . import recipients, words

HAS, MAY_HAVE, UNKNOWN = "has", "may_have", "unknown"
"""What is known of a recipient: our search saw the data there; it cannot be searched; it could not
be.
"""
WHEN = {
    HAS: "since when, our records do not tell",
    MAY_HAVE: "whether and when, our records do not tell",
    UNKNOWN: "since when, our records do not tell either",
}
"""The date on which they received something: nobody wrote it down."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who receives data, by name (CJEU C-154/21)."""

    name: str
    role: str
    """`processor`, or `controller` of its own."""
    says: str
    state: str
    """`has`, `may_have` or `unknown`."""
    country: str
    safeguard: str
    categories: tuple[str, ...]
    told: tuple[str, ...]
    """What they were told for this request, with the day."""
    rows: tuple[Sort, ...]
    """What was found that they have, or may have."""


def received(
    order: ResponseOrdered, policy: Policy, sorts: Collection[Sort], unknown: set[str]
) -> Iterator[Recipient]:
    """Those whose systems hold something, or could not be searched; and those that nobody can
    search, for what they may have of the categories found: not of what we hold ourselves.
    """
    others = [sort for sort in sorts if sort[0] not in policy.own]
    for it in policy.recipients:
        if it.system is None:
            state, of = MAY_HAVE, [sort for sort in others if sort[2] in it.categories]
        else:
            state = UNKNOWN if it.system in unknown else HAS
            of = [sort for sort in sorts if sort[0] == it.system]
        if of or state == UNKNOWN:
            said = [row for row in order.recipients if row.recipient == it.id]
            yield _recipient(it, state, of, policy, said)


def _recipient(
    it: Receiver, state: str, of: Sequence[Sort], policy: Policy, rows: list[RecipientRow]
) -> Recipient:
    names = tuple(sorted({words.category(category) for _, _, category in of}))
    told = tuple(filter(None, map(recipients.told, rows)))
    said = [it.says]
    if state == MAY_HAVE:
        said.append(f"may have received: {words.joined(names)}")
        said += [policy.purposes[name].says.lower() for name in it.purposes]
    said.append(f"in {it.country}" if it.country else "in which country is not known")
    said += [f"protected by {it.safeguard}"] if it.safeguard else []
    if state != MAY_HAVE and names:
        said.append(f"has {words.joined(names)}, as our search saw")
    if state == UNKNOWN:
        said.append("could not be searched to the end: what it has of yours is not known")
    said.append(WHEN[state])
    said += told
    return Recipient(
        name=it.name,
        role=it.role if it.role == CONTROLLER else "processor",
        says="; ".join(said),
        state=state,
        country=it.country,
        safeguard=it.safeguard,
        categories=names,
        told=told,
        rows=tuple(of),
    )
