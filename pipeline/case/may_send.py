"""May somebody be sent something for a purpose? Decided from what they said, and nothing else.

The latest word about a purpose counts, and of two at once the refusal. What nobody knows is no.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ..policy import Policy
from ..policy.clauses import Purpose
from ..policy.preferences import (
    ASKED,
    BOUGHT,
    CLAIMED,
    GIVEN,
    ONLY,
    REFUSALS,
    SERVED,
    Said,
    SoftOptIn,
)
from .deadline import plus_months

CONSENT, SOFT_OPT_IN, SERVICE, INTEREST, WANTED = (
    "consent",
    "soft_opt_in",
    "contract_or_law",
    "legitimate_interest",
    "asked_for",
)
REFUSED, ERASED, ONLY_OTHER, IS_SERVED, NOT_WANTED, NO_CONSENT = (
    "refused",
    "erased",
    "only_something_else",
    "served",
    "not_asked_for",
    "no_consent",
)
REASONS: Final[Mapping[str, tuple[str, str]]] = {
    CONSENT: ("GDPR Art. 6(1)(a), 7", "they consented to it"),
    SOFT_OPT_IN: ("Directive 2002/58/EC Art. 13(2)", "they are a customer, and did not object"),
    SERVICE: ("GDPR Art. 6(1)(b), (c)", "a contract or a law asks for it"),
    INTEREST: ("GDPR Art. 6(1)(f)", "it is no marketing, and they did not object"),
    WANTED: ("GDPR Art. 5(1)(b)", "it is what they asked for"),
    REFUSED: ("GDPR Art. 7(3), 21(3)", "they withdrew a consent, or objected"),
    ERASED: ("GDPR Art. 17", "they were erased, and did not consent since"),
    ONLY_OTHER: ("GDPR Art. 5(1)(b)", "they wanted something else alone"),
    IS_SERVED: ("GDPR Art. 5(1)(e)", "they got what they asked for"),
    NOT_WANTED: ("GDPR Art. 5(1)(b)", "they did not ask for it"),
    NO_CONSENT: ("Directive 2002/58/EC Art. 13(1)", "there is no consent that counts"),
}
"""By code: where it is written, and what it means."""
OWN: Final = "Only for similar products or services of ours, and each message says how to object."
REST: Final = "Only what a contract or a law asks for: they object to the rest."


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Whether it may be sent, why, and which record says so."""

    may: bool
    reason: str
    article: str
    evidence: Said | None = None
    condition: str = ""
    """What the message must heed."""


def may_send(
    policy: Policy,
    purpose: str,
    history: Iterable[Said],
    *,
    erased: datetime | None,
    on: datetime,
) -> Answer:
    """Whether whoever said this may be sent something for a purpose of the policy, at a moment.

    `erased` is when something of theirs was erased last. Raises `KeyError` if there is no such
    purpose.
    """
    use = policy.purposes[purpose]
    said = sorted(history, key=lambda it: (it.at, it.says in REFUSALS, it.says, it.record))
    counting = [it for it in said if counts(policy, it) and not _is_gone(it, erased)]
    if use.single:
        return _single(policy, use, counting)
    no, yes = _last(counting, REFUSALS, use, policy), _last(counting, {GIVEN}, use, policy)
    if use.is_service:  # an opt-out does not extend to these
        return _yes(SERVICE, no, REST if no is not None else "")
    if no is not None and (yes is None or yes.at <= no.at):
        return _no(REFUSED, no)
    only = _only(counting)
    if only is not None and (yes is None or yes.at <= only.at):
        return _no(ONLY_OTHER, only)
    return _unrefused(policy, use, counting, yes, erased, on)


def _unrefused(  # noqa: PLR0917  what is left to look at
    policy: Policy,
    use: Purpose,
    said: Sequence[Said],
    yes: Said | None,
    erased: datetime | None,
    on: datetime,
) -> Answer:
    """Of what nobody refused: by a consent, or where none is needed."""
    if yes is not None:
        return _yes(CONSENT, yes)
    if not (_may_be_marketing(policy, use) or use.needs_consent):
        return _yes(INTEREST)
    return _no(ERASED) if erased is not None else _soft(policy, use, said, on)


def counts(policy: Policy, said: Said) -> bool:
    """Whether a word counts: a yes only of an address that was shown to be theirs."""
    return said.says not in CLAIMED or said.level >= policy.preferences.level


def covers(policy: Policy, refusal: Said, use: Purpose) -> bool:
    """Whether a refusal is about a purpose: one of direct marketing is about all of it.

    So is one of a use that the policy does not name, or no longer: it may have been marketing.
    """
    if refusal.purpose == use.id:
        return True
    named = policy.purposes.get(refusal.purpose)
    return use.marketing and (named is None or named.marketing)


def _may_be_marketing(policy: Policy, use: Purpose) -> bool:
    """A policy that calls nothing marketing, as files of before, does not say what is none."""
    return use.marketing or not any(it.marketing for it in policy.purposes.values())


def _is_gone(said: Said, erased: datetime | None) -> bool:
    """Whether it went with an erasure. What somebody refused stays refused."""
    return erased is not None and said.at <= erased and said.says not in REFUSALS


def _last(said: Sequence[Said], words: Iterable[str], use: Purpose, policy: Policy) -> Said | None:
    wanted = frozenset(words)
    found = (
        it
        for it in reversed(said)
        if it.says in wanted
        and (covers(policy, it, use) if it.says in REFUSALS else it.purpose == use.id)
    )
    return next(found, None)


def _only(said: Sequence[Said]) -> Said | None:
    """Their word that they want one thing alone, unless they bought or asked for more since."""
    only = next((it for it in reversed(said) if it.says == ONLY), None)
    more = next((it for it in reversed(said) if it.says in {BOUGHT, ASKED}), None)
    return None if only is None or (more is not None and more.at > only.at) else only


def _single(policy: Policy, use: Purpose, said: Sequence[Said]) -> Answer:
    wanted, done = _last(said, {ONLY, GIVEN}, use, policy), _last(said, {SERVED}, use, policy)
    no = _last(said, REFUSALS, use, policy)
    if wanted is None:
        return _no(NOT_WANTED)
    if no is not None and no.at >= wanted.at:
        return _no(REFUSED, no)
    if done is not None and done.at >= wanted.at:
        return _no(IS_SERVED, done)
    return _yes(WANTED, wanted)


def _soft(policy: Policy, use: Purpose, said: Sequence[Said], on: datetime) -> Answer:
    """Whether they are a customer whom the law of their country lets be written to."""
    if use.needs_consent:
        return _no(NO_CONSENT)
    rows = policy.preferences.soft_opt_in
    customer = [it for it in reversed(said) if it.says in {BOUGHT, ASKED} and it.country in rows]
    for it in customer:
        row = rows[it.country]
        if it.says in row.after and not _is_past(row, it, on):
            condition = f"{OWN} {row.condition}".strip()
            return Answer(
                may=True, reason=SOFT_OPT_IN, article=row.article, evidence=it, condition=condition
            )
    article = rows[customer[0].country].article if customer else REASONS[NO_CONSENT][0]
    return Answer(may=False, reason=NO_CONSENT, article=article)


def _is_past(row: SoftOptIn, said: Said, on: datetime) -> bool:
    return bool(row.months) and on.date() > plus_months(said.at.date(), row.months)


def _yes(reason: str, evidence: Said | None = None, condition: str = "") -> Answer:
    article = REASONS[reason][0]
    return Answer(may=True, reason=reason, article=article, evidence=evidence, condition=condition)


def _no(reason: str, evidence: Said | None = None) -> Answer:
    return Answer(may=False, reason=reason, article=REASONS[reason][0], evidence=evidence)
