"""What is said of Habeas' own records in plain words: why they stay, and what no search finds."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.sdk.interface import NOT_OFFERED

OWN_USE = "own_use"
KEYS_MISSING = "keys_missing"
NO_END = "no_end"
REASONS: Mapping[str, str] = {
    KEYS_MISSING: "The keys that open our own records were not at hand.",
    NO_END: "Nobody has said until when this record of a request is kept.",
    NOT_OFFERED: "This says what was asked and answered then, and is not rewritten: what is right"
    " now, your new request says.",
    OWN_USE: "It is used for nothing but to show what was asked, and how it was answered: there is"
    " no other use that could be halted.",
}
BEYOND: Mapping[str, str] = {
    "other_addresses": "What was asked from an address, or under a user id, that nobody has shown"
    " to be yours.",
    "over": "Requests of which the key is destroyed, as all are after some years: what is left of"
    " them names nobody, and leads to nobody.",
}
