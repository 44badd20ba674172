"""What a Freshdesk record says of a person: whose it is, in which categories, and blanked how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.sdk.fields import Fields, filled
from connectors.sdk.interface import (
    NOT_OFFERED,
    Borne,
    Category,
    Datum,
    Identifier,
    NeedsHuman,
    NotSupported,
    Outcome,
    RetryableError,
)
from connectors.sdk.spelling import cleaned, normal

from . import marks

Row = Mapping[str, Any]
FIELD = "processing_restricted"
"""A checkbox of contacts, if the account has it and calls it by this name."""


@dataclass(frozen=True, slots=True)
class ContactFields(Fields):
    """Those of a contact: what it is marked with is no content."""

    ticked: str = field(default=FIELD, kw_only=True)
    """What the account calls the checkbox."""

    def of(self, row: Row) -> frozenset[Category]:
        """The categories that have content now."""
        return Fields.of(self, marks.bare(row, self.ticked))


FIELDS = ContactFields(
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
DATA = {
    Datum.STATEMENT: "description",
    Datum.NAME: "name",
    Datum.EMAIL: "email",
    Datum.PHONE: "phone",
    Datum.MOBILE: "mobile",
    Datum.JOB_TITLE: "job_title",
    Datum.STREET: "address",
}
"""The address is in one piece, and is shown as that."""
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


def refusal(datum: Datum) -> Outcome | None:
    """Why a datum is not corrected here; None if it is."""
    if datum is Datum.STREET:
        return NeedsHuman("address_in_one")
    return None if datum in DATA else NotSupported(NOT_OFFERED)


def corrected(row: Row, data: Mapping[Datum, str]) -> dict[str, str]:
    """What to write so that a contact says this; nothing of what it says already."""
    return {
        DATA[datum]: value
        for datum, value in data.items()
        if _plain(datum, row.get(DATA[datum])) != _plain(datum, value)
    }


def _plain(datum: Datum, value: Any) -> str:
    """Freshdesk has addresses in lower case."""
    said = "" if value is None else str(value)
    return normal("email", said) if datum is Datum.EMAIL else said


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
