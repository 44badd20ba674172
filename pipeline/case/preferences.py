"""What somebody wants to be sent, or no longer, and cases: what follows from either. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time

from schemas import events as e
from schemas.events import Event

from ..policy import Policy
from ..policy.preferences import CLAIMED, OBJECTED, ONLY, SERVED, WITHDRAWN, Said
from .case import Case
from .deadline import plus_months
from .may_send import counts, covers
from .rights import OBJECTION, OBJECTION_TO_USE
from .weighing import UPHELD, is_answered

SHOWING = e.IdentityVerified | e.IdentityProved | e.WhoseDecided | e.ClaimSettled
"""What may show one more address to be theirs."""


def asks(event: e.PreferenceReceived, policy: Policy) -> str:
    """The right that is carried out because of it, in every system; empty if nothing follows.

    A consent to marketing that is withdrawn ends that marketing, as an objection does (GDPR Art.
    7(3), 21(3)). A use that the policy does not name is never read as nothing: a person sees to it.
    """
    use = policy.purposes.get(event.purpose)
    if event.says == OBJECTED or (event.says == WITHDRAWN and (use is None or use.marketing)):
        return OBJECTION
    return ""


def shows(case: Case, said: Event) -> bool:
    """Whether an event of a case may show that who has an address objects."""
    return isinstance(said, SHOWING) and objects(case)


def objects(case: Case) -> bool:
    """Whether somebody objects in a case, and it is known who."""
    to_use = case.wants(OBJECTION_TO_USE) and case.weighed in {"", UPHELD}
    return case.verified and (case.wants(OBJECTION) or to_use)


def overruled(case: Case, said: Event) -> bool:
    """Whether a use goes on that somebody objected to, and they were told why (GDPR Art. 21(1))."""
    goes_on = case.weighed not in {"", UPHELD} and is_answered(case)
    return goes_on and isinstance(said, e.NoticeSent | e.ClaimSettled)


def kept_until(policy: Policy, taken_at: datetime) -> datetime:
    """Until when a record is kept that comes in now."""
    return _after(taken_at, 12 * policy.preferences.years)


def let_go_at(policy: Policy, said: Said) -> datetime | None:
    """When it is looked whether somebody who wanted one thing alone is let go; None: never."""
    if said.says == SERVED:
        return said.at
    return _after(said.at, policy.preferences.unserved) if said.says == ONLY else None


def lapsed(policy: Policy, said: Said, history: Iterable[Said]) -> bool:
    """Whether somebody is let go of whom this was the last that we had a use for (GDPR Art.
    5(1)(b), (e)): they got the one thing that they wanted, or it never came.

    Not who said more than that: who consented, bought or asked, or waits for something else still.
    """
    known = list(history)
    served = {(it.purpose, it.at) for it in known if it.says == SERVED}
    waits = any(
        it.says == ONLY
        and (it.purpose, it.at) != (said.purpose, said.at)
        and not any(purpose == it.purpose and at >= it.at for purpose, at in served)
        for it in known
    )
    is_done = said.says == ONLY and any(
        purpose == said.purpose and at >= said.at for purpose, at in served
    )
    return not (is_done or waits or any(_is_more(policy, it, known) for it in known))


def _is_more(policy: Policy, said: Said, known: Iterable[Said]) -> bool:
    """Whether it is a yes that counts, and that was not withdrawn since."""
    use = policy.purposes.get(said.purpose)
    if said.says not in CLAIMED or not counts(policy, said) or (use is not None and use.single):
        return False
    no = (it for it in known if it.says in {WITHDRAWN, OBJECTED} and it.at >= said.at)
    return use is None or not any(covers(policy, it, use) for it in no)


def _after(moment: datetime, months: int) -> datetime:
    day = plus_months(moment.astimezone(UTC).date(), months)
    return datetime.combine(day, time(), UTC)
