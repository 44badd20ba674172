"""What Salesforce's connector says in plain words: why something stays, what no search finds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connectors.sdk.fields import FIXED, INDIVISIBLE, REQUIRED
from connectors.sdk.interface import NOT_OFFERED

REASONS: Final[Mapping[str, str]] = {
    "forbidden": "The integration user may not change or delete this record.",
    "refused": "Salesforce refused the change.",
    "in_use": "Other records need this one (a contact's cases): erase those first.",
    "rule": "A validation rule or a trigger of this org refuses the change.",
    "converted": "A converted lead can be deleted, but not changed.",
    REQUIRED: "Salesforce needs a last name, a company and the like while the record stays.",
    FIXED: "A field of the record cannot be changed by us: it stays as long as the record.",
    INDIVISIBLE: "This can be deleted as a whole only, and something of it is to be kept.",
    "shared": "It is part of somebody else's record too, or of a library: decide in Salesforce.",
    "no_file": "The file cannot be had: it lies in the bin or elsewhere, is too large, or locked.",
    "duplicate": "A duplicate rule of this org refuses the change.",
    "value": "Salesforce does not take this value: too long, not of the form, or not in its list.",
    "name_parts": "Salesforce keeps given and family name apart: say which is which.",
    "not_found": "Salesforce no longer has this.",
    "whose_flag": (
        "Ask whether the person themselves wished not to be processed; if not, untick Don't"
        " Process on their Individual in Salesforce."
    ),
    "shared_individual": (
        "Other contacts or leads, which may be somebody else's, are linked to the same Individual:"
        " give each person one of their own in Salesforce, then order the task again."
    ),
    "follows": "It is marked through the contact or lead that it is part of, and not by itself.",
    "no_owner": "It is part of no contact and no lead that could bear the mark.",
    "no_mark": (
        "In Setup, turn on Data Protection and Privacy, or give contacts and leads a checkbox and"
        " name it in the connector's restriction_field; then order the task again."
    ),
    NOT_OFFERED: "Salesforce has no field or means for this.",
    "still_there": "Salesforce said that it deleted the record, and it is still there.",
}
BEYOND: Final[Mapping[str, str]] = {
    "person_accounts": "Accounts in Salesforce that are one person, and what is kept beside them.",
    "activities": "Calls and appointments with several people that name somebody else first.",
    "emails": "E-mails in Salesforce that went to several people, or to you in copy.",
    "files": "Files that were taken off a record, and pictures inside texts.",
    "history": "What a field held before it was changed, where Salesforce keeps a history of it.",
    "merged": "A record with another address of yours that was merged into one of those found.",
    "others": "Deals, contracts, posts in Chatter and objects of our own that name you.",
    "hidden": "Fields and objects of our Salesforce that its administrators hide from our search.",
}
