"""What a Freshdesk record says of a person: whose it is, in which categories, and blanked how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.sdk.fields import Fields, filled
from connectors.sdk.interface import (
    Borne,
    Category,
    Identifier,
    NotSupported,
    Outcome,
    RetryableError,
)
from connectors.sdk.spelling import cleaned, normal

Row = Mapping[str, Any]

FIELDS = Fields(
    {
        "name": Category.IDENTITY,
        "avatar": Category.IDENTITY,
        "facebook_id": Category.IDENTITY,
        "twitter_id": Category.IDENTITY,
        "social_handler": Category.IDENTITY,
        "unique_external_id": Category.IDENTITY,
        "email": Category.CONTACT,
        "other_emails": Category.CONTACT,
        "phone": Category.CONTACT,
        "mobile": Category.CONTACT,
        "address": Category.CONTACT,
        "job_title": Category.CONTACT,
        "company_id": Category.CONTACT,
        "other_companies": Category.CONTACT,
        "description": Category.PROFILE,
        "tags": Category.PROFILE,
        "custom_fields": Category.PROFILE,
        "devices": Category.TECHNICAL,
        "visitor_id": Category.TECHNICAL,
    },
    own=frozenset(
        {
            *("id", "org_contact_id", "created_at", "updated_at", "active", "deleted", "blocked"),
            *("contact_type", "language", "time_zone", "preferred_source", "view_all_tickets"),
        }
    ),
    fixed=frozenset({"avatar", "devices", "facebook_id", "visitor_id"}),
    blank={"name": "Erased"},  # a contact must have a name
)
"""The vendor's own are keys, dates, and the account's defaults of language and time zone."""

BORNE = {
    "email": "email",
    "unique_external_id": "user_id",
    "phone": "phone",
    "mobile": "phone",
    "name": "name",
}
"""Which field is which kind of identifier, on contacts and on the tickets that show their
requester's.
"""
NAMELESS = FIELDS.blank["name"]
ANCHORS = ("email", "unique_external_id", "phone", "mobile", "twitter_id", "social_handler")
"""A contact must have one of these."""


def can_ask(identifier: Identifier) -> bool:
    """Whether there is something to ask with: an empty filter would list everybody."""
    said = normal(identifier.kind, identifier.value)
    return bool(said.strip("+"))


def bears(row: Row) -> tuple[Borne, ...]:
    """All that a contact, or a ticket, itself says about who it is of.

    Anybody can have an address of theirs added to the further ones.
    """
    further = row.get("other_emails") or []
    if not isinstance(further, list):
        raise RetryableError("Freshdesk: further addresses that are no list")
    fields = [(name, row.get(name)) for name in BORNE]
    fields += [("other_emails", it) for it in further]
    told = ((name, str(it)) for name, it in fields if it and (name, it) != ("name", NAMELESS))
    return tuple(Borne(name, _kind(name, it), it) for name, it in told if cleaned(it))


def _kind(name: str, value: str) -> str:
    """Freshdesk fills in the address or the number for a name that it was not given."""
    kind = BORNE.get(name, "email")
    if kind == "name" and "@" in value:
        return "email"
    is_number = any(map(str.isdigit, value)) and not any(map(str.isalpha, value))
    return "phone" if kind == "name" and is_number else kind


def blanks(
    row: Row, due: frozenset[Category], keep: frozenset[Category]
) -> tuple[dict[str, Any], dict[Category, Outcome]]:
    """What to write so that only `keep` is left, and what comes of it for what was `due`."""
    blank = FIELDS.blanks(row, keep)
    said = FIELDS.outcomes(row, due)
    anchors = [name for name in ANCHORS if filled(row.get(name))]
    if anchors and blank.keys() >= set(anchors):
        del blank[anchors[0]]
        said[FIELDS.categories[anchors[0]]] = NotSupported("anchored")
    return blank, said
