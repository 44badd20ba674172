"""What Mailgun's connector says in plain words: why something stays, and what no search finds."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.sdk.ceilings import TOO_LARGE
from connectors.sdk.fields import INDIVISIBLE, UNKNOWN

REASONS: Mapping[str, str] = {
    TOO_LARGE: "The message is larger than what we take from Mailgun at once.",
    "forbidden": "The API key may not do this.",
    INDIVISIBLE: "Mailgun can let go of this only together with the whole entry.",
    "refused": "Mailgun refused the request.",
    UNKNOWN: "Mailgun keeps something in this entry that we do not know, and cannot take out.",
}
BEYOND: Mapping[str, str] = {
    "inbound": "The record of mail that you sent to us.",
    "purged": "Mail of which Mailgun keeps the record only: it purges the text after some days.",
    "region": "What is sent from a region of Mailgun that we have not set up to be searched.",
    "subaccounts": "What is sent from another account of ours, or one below this one.",
    "templates": "Templates, tags and routing rules that mention you.",
}
