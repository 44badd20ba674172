"""Whether what the policy says of our own records is what the settings do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from pipeline.policy import FILES, Policy
from pipeline.settings import Settings

from .erasures import LAST_ERASURE
from .requests import LAST_REQUEST

YEAR, LEAP_YEAR = timedelta(days=365), timedelta(days=366)
LIVES: Mapping[str, str] = {LAST_REQUEST: "record_key_lives", LAST_ERASURE: "erasure_memory"}
"""Which setting ends what a rule reckons from, by the anchor."""


def periods_that_differ(policy: Policy, settings: Settings) -> Iterator[str]:
    """The rules that promise another time, and what to do: people are told the rule's date."""
    for rule in policy.retention:
        for anchor in LIVES.keys() & {*rule.anchors}:
            lives: timedelta = getattr(settings, LIVES[anchor])
            if not rule.years * YEAR <= lives <= rule.years * LEAP_YEAR:
                yield (
                    f"{FILES[0]}: [[retention]] {rule.id}: it says {rule.years} years, and"
                    f" HABEAS_{LIVES[anchor].upper()} is {lives.days} days: say the same in both,"
                    " or take the rule out where nothing is kept"
                )
