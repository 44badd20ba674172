"""What a Freshdesk contact says of a person: whose it is, in which categories, and blanked how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.sdk.interface import Category, Identifier, Subject, lower

Row = Mapping[str, Any]

CATEGORIES = {
    "name": Category.IDENTITY,
    "avatar": Category.IDENTITY,
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
}
"""Which field is which category. The rest (language, time zone, dates) are Freshdesk's own or the
account's defaults: exported with the record, of no category.
"""

NAMELESS = "Erased"
"""A contact must have a name."""
ANCHORS = ("email", "unique_external_id", "phone", "mobile", "twitter_id", "social_handler")
"""A contact must have one of these."""
FIXED = frozenset({"avatar", "devices"})
"""The API has no way to blank them."""


def filters(subject: Subject) -> list[tuple[str, str]]:
    """What to list contacts by. Never an empty value: it would list everybody."""
    phones = _strong(subject, "phone")
    asked = [("email", it) for email in _strong(subject, "email") for it in (email, lower(email))]
    asked += [(name, it) for it in phones for name in ("phone", "mobile")]
    return [(name, value) for name, value in dict.fromkeys(asked) if value.strip()]


def _strong(subject: Subject, kind: str) -> list[str]:
    return [it.value for it in subject.identifiers if it.kind == kind and it.strong]


def belongs_to(row: Row, subject: Subject) -> bool:
    """Whether it bears what was searched for: a filter that the vendor ignored finds strangers."""
    return any(
        lower(value) in emails(row) if name == "email" else value == row.get(name)
        for name, value in filters(subject)
    )


def emails(row: Row) -> list[str]:
    """All its addresses, in lower case."""
    return [lower(it) for it in (row.get("email"), *(row.get("other_emails") or ())) if it]


def identifiers(row: Row, subject: Subject) -> tuple[Identifier, ...]:
    """What else the person is known by: strong if a known e-mail found this one-person record."""
    known = {lower(it) for it in _strong(subject, "email")}
    strong = not known.isdisjoint(emails(row))
    further = [Identifier("email", it, strong) for it in emails(row) if it not in known]
    if row.get("unique_external_id"):
        further.append(Identifier("user_id", str(row["unique_external_id"]), strong))
    phones = [row[name] for name in ("phone", "mobile") if row.get(name)]
    further += [Identifier("phone", it, strong=False) for it in phones]
    return tuple(it for it in dict.fromkeys(further) if it.value not in subject.of(it.kind))


def categories(row: Row) -> frozenset[Category]:
    """Those that have content now."""
    return frozenset(category for name, category in CATEGORIES.items() if _has(row, name))


def blanks(row: Row, keep: frozenset[Category]) -> tuple[dict[str, Any], dict[Category, str]]:
    """The fields to write so that only `keep` is left, and why a category cannot go wholly."""
    goes = {name for name, it in CATEGORIES.items() if it not in keep and _has(row, name)}
    anchors = [name for name in ANCHORS if _has(row, name)]
    anchor = set(anchors[:1]) if goes.issuperset(anchors) else set()
    stays = {CATEGORIES[name]: "fixed" for name in goes & FIXED}
    stays |= {CATEGORIES[name]: "anchored" for name in anchor}
    return {name: _blank(name, row[name]) for name in sorted(goes - anchor - FIXED)}, stays


def _has(row: Row, name: str) -> bool:
    value = row.get(name)
    if name == "custom_fields" and isinstance(value, Mapping):
        return any(it is not None and it is not False and it != "" for it in value.values())
    return bool(value) and not (name == "name" and value == NAMELESS)


def _blank(name: str, value: Any) -> Any:
    if name == "name":
        return NAMELESS
    if isinstance(value, Mapping):
        return dict.fromkeys(value)
    return [] if isinstance(value, list) else None
