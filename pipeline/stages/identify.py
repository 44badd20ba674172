"""Identify: believe a proof that reaches the level asked for; refuse when none comes in time."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.events import (
    Event,
    IdentityOverdue,
    IdentityProved,
    IdentityRefused,
    IdentityVerified,
)

from ..case import lifecycle
from ..case.case import Case
from ..case.rules import Given, Rules


def identify(case: Case, event: Event, rules: Rules, _: Given) -> Iterator[Event]:
    """Say `identity_verified` or `identity_refused` of a case that waits for a proof."""
    if case.state != lifecycle.ASKED:
        return
    match event:
        case IdentityProved() if event.level >= rules.policy.identity_level:
            yield IdentityVerified(case=case.id, level=event.level, method=event.method)
        case IdentityOverdue():
            yield IdentityRefused(case=case.id, reason="eu-gdpr:A12IdentityFailure")
        case _:
            return
