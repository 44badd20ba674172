"""Whence the data found come (GDPR Art. 15(1)(g)): for sure, one of several, or perhaps."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from pipeline.policy import Policy
from pipeline.policy.applicable import Sort
from pipeline.policy.clauses import CONTROLLER, Data

from . import words

EARLIER = (  # privacy policy, sections 2 to 4: of policies that name none
    "You: when you signed up, asked for a demonstration, wrote to us, or answered a survey.",
    "Your devices: cookies and server logs of our website and app.",
    (
        "Others: providers of analytics, advertising and search, such as Google; our providers of"
        " technical, payment and delivery services, such as Stripe, Salesforce and Segment; data"
        " brokers; public registers, such as Companies House and the Electoral Register."
    ),
)
SURE, ONE_OF, PERHAPS, NOT_KNOWN = "sure", "one_of", "perhaps", "not_known"


@dataclass(frozen=True, slots=True)
class Source:
    """One source, or several of which one or more are meant."""

    says: str
    how: str
    """`sure`, `one_of`, `perhaps` or `not_known`."""
    rows: tuple[Sort, ...]
    """What was found that comes from there, or may."""


def sources(policy: Policy, sorts: Collection[Sort]) -> Iterator[Source]:
    """What the data map says for sure, what it leaves open and why, what else the policy names."""
    if not policy.sources:
        yield from (Source(it, PERHAPS, tuple(sorts)) for it in EARLIER if sorts)
        return
    kinds = dict.fromkeys((system, kind) for system, kind, _ in sorts)
    rows = [it for it in policy.data if (it.system, it.kind) in kinds and it.role == CONTROLLER]
    for source in policy.sources.values():
        of = [it for it in rows if source.id in it.sources and not it.unknown]
        if of:
            where = words.joined(words.place(it.system, it.kind) for it in of)
            yield Source(f"{source.says} ({where}).", SURE, _of(sorts, of))
    for row in rows:
        if row.unknown:
            named = [policy.sources[it].says for it in row.sources if it in policy.sources]
            says = f"Of {words.place(row.system, row.kind)} we do not know for sure: {row.unknown}"
            listed = f" One or more of these: {'; '.join(named)}." if named else ""
            yield Source(says + listed, ONE_OF, _of(sorts, [row]))
    told = {(it.system, it.kind) for it in rows if it.sources or it.unknown}
    untold = [it for it in sorts if it[:2] not in told]
    if untold:
        where = words.joined(dict.fromkeys(words.place(*it[:2]) for it in untold))
        yield Source(f"Of {where} our records do not tell it.", NOT_KNOWN, tuple(untold))
    for source in policy.sources.values():
        others = (it for it in sorts if it[0] not in policy.own)
        shared = tuple(it for it in others if it[2] in source.categories)
        if shared:
            names = words.joined(sorted({words.category(it[2]) for it in shared}))
            says = f"Perhaps {source.says}: {names}. Our records do not tell."
            yield Source(says, PERHAPS, shared)


def _of(sorts: Collection[Sort], rows: Collection[Data]) -> tuple[Sort, ...]:
    kinds = {(it.system, it.kind) for it in rows}
    return tuple(it for it in sorts if it[:2] in kinds)
