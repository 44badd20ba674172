"""What a preference says beside whose it is: its word, its purpose, and what shows it."""

from __future__ import annotations

import re

from pipeline.policy.preferences import REFUSALS, SAYS
from schemas.events import PreferenceReceived
from schemas.records import Preference

from .details import EVIDENCE, PURPOSE, is_hidden
from .refused import RefusedError

COUNTRY = re.compile("[A-Z]{2}")
"""ISO 3166-1."""
THIRD_PARTIES = 50


def check(event: PreferenceReceived, told: Preference) -> None:
    """Raise `RefusedError` with a code unless it can be kept as it is."""
    if event.says not in SAYS:
        raise RefusedError("says_nothing_known")
    is_of_all = not event.purpose and event.says in REFUSALS
    if not (is_of_all or PURPOSE.fullmatch(event.purpose)):
        raise RefusedError("purpose_missing_or_no_code")
    if told.country and not COUNTRY.fullmatch(told.country):
        raise RefusedError("country_is_no_iso_3166_code")
    if len(told.third_parties) > THIRD_PARTIES:
        raise RefusedError("too_long")
    words = (told.notice, told.method, told.place, told.withdrawal, *told.third_parties)
    for it in (told.wording, told.evidence, *words):
        if len(it) > EVIDENCE:
            raise RefusedError("too_long")
        if any(is_hidden(character) for character in it if character != "\n"):
            raise RefusedError("control_characters")
