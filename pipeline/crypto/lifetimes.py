"""When a key turns and when it dies: arithmetic over the ids of the keys that lie in a folder.

An id begins with the moment (UTC) from which the key is in force, `20260504T120000000000-1f2e3d4c`,
and sorts by it. A key is in force until the next one is; then it only opens, until it dies.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipeline.settings import Settings

LATE = timedelta(hours=1)
"""Within this an orchestrator, or its restart, does what is due; lone hosts follow as soon."""
_MOMENT = "%Y%m%dT%H%M%S%f"
_EARLIER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long keys of one kind live."""

    period: timedelta
    """In force for so long."""
    kept: timedelta
    """And for so long afterwards something that it locked may have to be opened."""


def of_hosts(settings: Settings) -> Lifetime:
    """No order wrapped with the key can start, or still run."""
    longest = max(settings.not_after_act, settings.not_after_search)
    return Lifetime(settings.host_key_period, longest + settings.run_limit)


def of_intakes(settings: Settings) -> Lifetime:
    """No request or decision sealed to the key lies on its topic."""
    return Lifetime(settings.public_key_period, settings.incoming_kept)


def of_letters(settings: Settings) -> Lifetime:
    """No dead letter sealed to the key lies on its topic."""
    return Lifetime(settings.public_key_period, settings.dead_letters_kept)


def of_orchestrator(settings: Settings) -> Lifetime:
    """No process signs with the key any more; what it signed is checked with its public half."""
    return Lifetime(settings.public_key_period, LATE)


def of_wrapping(settings: Settings) -> Lifetime:
    """No backup of the register has case keys under the key."""
    return Lifetime(settings.wrapping_key_period, settings.backups_kept)


def of_answer_keys(settings: Settings) -> Lifetime:
    """No response or report that was begun with the key is still to be signed."""
    return Lifetime(settings.signing_key_period, settings.run_limit)


def id_of(since: datetime, distinct: str) -> str:
    """The id of a key that is in force from a moment on."""
    return f"{since.astimezone(UTC):{_MOMENT}}-{distinct}"


def since(named: str) -> datetime:
    """From when a key is in force; an id without a moment is older than all others."""
    try:
        return datetime.strptime(named.partition("-")[0], _MOMENT).replace(tzinfo=UTC)
    except ValueError:
        return _EARLIER


def in_force(ids: Collection[str], now: datetime) -> str | None:
    """The key to lock with now; the first to come if none is in force yet; None without keys."""
    ordered = sorted(ids)
    begun = [it for it in ordered if since(it) <= now]
    return begun[-1] if begun else next(iter(ordered), None)


def next_since(
    ids: Collection[str], lifetime: Lifetime, lead: timedelta, now: datetime
) -> datetime | None:
    """From when the next key is to be in force, if it is to be made by now."""
    begun = [it for it in map(since, ids) if it <= now + lead]  # a clock that jumped made others
    ends = max(begun, default=_EARLIER) + lifetime.period
    return max(ends, now) if ends <= now + lead else None


def superseded(ids: Collection[str], named: str) -> datetime | None:
    """When the next key was, or will be, in force; None if there is none."""
    later = [it for it in ids if it > named]
    return since(min(later)) if later else None


def dead(ids: Collection[str], lifetime: Lifetime, now: datetime) -> Iterator[str]:
    """The keys that nothing needs any more."""
    for it in sorted(ids):
        ended = superseded(ids, it)
        if ended is not None and ended + lifetime.kept <= now:
            yield it


def gone_by(ids: Collection[str], named: str, lifetime: Lifetime, now: datetime) -> datetime:
    """When a key is gone, at the latest; `now` if it is gone already."""
    if named not in ids:
        return now
    ends = superseded(ids, named) or max(since(named) + lifetime.period, now)
    return max(ends + lifetime.kept, now) + LATE
