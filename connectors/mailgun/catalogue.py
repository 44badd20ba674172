"""What Mailgun's connector says in plain words: why something stays, and what no search finds."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.sdk.ceilings import TOO_LARGE
from connectors.sdk.fields import INDIVISIBLE, UNKNOWN
from connectors.sdk.interface import NOT_OFFERED

REASONS: Mapping[str, str] = {
    TOO_LARGE: "The message is larger than what we take from Mailgun at once.",
    "forbidden": "The API key may not do this.",
    "has_opted_out": "Mail to the old address is stopped: enter the new one, and stop it too.",
    INDIVISIBLE: "Mailgun can let go of this only together with the whole entry.",
    "no_address": "Mailgun takes nothing but what an e-mail address can be.",
    "no_mark": "Mailgun has no room here to note that it is not to be used.",
    "not_found": "Mailgun no longer has it.",
    NOT_OFFERED: "Mailgun has no field for it.",
    "of_the_address": "This is about the address that it was made with, and stays with it.",
    "other_purpose": "Mailgun can stop marketing, and nothing else by itself.",
    "own_word": "Mailgun does not tell whether they left the list themselves: ask, then lift.",
    "refused": "Mailgun refused the request.",
    "taken": "The list has the new address already: take one of the two off it by hand.",
    UNKNOWN: "Mailgun keeps something in this entry that we do not know, and cannot take out.",
}
BEYOND: Mapping[str, str] = {
    "inbound": "The record of mail that you sent to us.",
    "purged": "Mail of which Mailgun keeps the record only: it purges the text after some days.",
    "region": "What is sent from a region of Mailgun that we have not set up to be searched.",
    "subaccounts": "What is sent from another account of ours, or one below this one.",
    "templates": "Templates, tags and routing rules that mention you.",
}
