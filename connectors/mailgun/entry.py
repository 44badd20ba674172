"""What Mailgun keeps under an address: where, in which categories, and whose it says it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.sdk.fields import Fields
from connectors.sdk.interface import Borne, Category, Datum
from connectors.sdk.pages import Row
from connectors.sdk.spelling import cleaned, normal

from . import marks


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Entries that each lie under an address, in a list or in a sending domain."""

    route: str
    fields: Fields
    address: str = "address"
    """The field with the address that the entry is under."""
    inside: str = ""
    """The field of an answer that the entry is in; empty: the answer is the entry."""
    can_blank: bool = False
    """Whether a PUT changes fields of it."""


MEMBERS = Table(
    route="/v3/lists/{of}/members/{address}",
    fields=Fields(
        {"name": Category.IDENTITY, "vars": Category.PROFILE},
        own=frozenset({"address", "subscribed"}),
        blank={"name": "", "vars": "{}"},
        always=frozenset({Category.CONTACT, Category.MARKETING}),
    ),
    inside="member",
    can_blank=True,
)
DATA = {Datum.NAME: "name", Datum.EMAIL: "address"}
OPTED_OUT = "opted_out_member"
"""A member still on a list, and not subscribed: without it, the next import subscribes it."""
TABLES: Mapping[str, Table] = {
    "member": MEMBERS,
    OPTED_OUT: MEMBERS,
    "bounce": Table(
        route="/v3/{of}/bounces/{address}",
        fields=Fields(
            {"code": Category.TECHNICAL, "error": Category.TECHNICAL},
            own=frozenset({"address", "created_at"}),
            always=frozenset({Category.TECHNICAL}),
        ),
    ),
    "allowlisted": Table(
        route="/v3/{of}/whitelists/{address}",
        fields=Fields(
            {"reason": Category.TECHNICAL},
            own=frozenset({"createdAt", "type", "value"}),
            always=frozenset({Category.TECHNICAL}),
        ),
        address="value",
    ),
    "unsubscribe": Table(
        route="/v3/{of}/unsubscribes/{address}",
        fields=Fields(
            {"tags": Category.MARKETING},
            own=frozenset({"address", "created_at"}),
            always=frozenset({Category.MARKETING}),
        ),
    ),
    "complaint": Table(
        route="/v3/{of}/complaints/{address}",
        fields=Fields(
            {},
            own=frozenset({"address", "created_at"}),
            always=frozenset({Category.MARKETING}),
        ),
    ),
}
OF_DOMAINS = {kind: it for kind, it in TABLES.items() if it is not MEMBERS}
EVENTS = "events"
OF_EVENTS = frozenset({Category.TECHNICAL, Category.USAGE})
"""Whatever fields they have: all of them expire together, and none can be blanked."""
KINDS: Mapping[str, frozenset[Category]] = {
    **{kind: it.fields.every for kind, it in TABLES.items()},
    EVENTS: OF_EVENTS,
}
LONGEST = 254
"""Characters of an address."""
BORNE = {"address": "email", "value": "email", "recipient": "email", "name": "name"}
VARIABLES = ("email", "user_id", "phone", "name")
"""A member's variables are the account's own: by these plain names it says who it is of."""


def bears(row: Row) -> tuple[Borne, ...]:
    """All that an entry or an event itself says about who it is of, a member's variables too."""
    told = [(name, kind, row.get(name)) for name, kind in BORNE.items()]
    told += [
        (f"{path}.{name}", name, inside.get(name))
        for path, inside in _mappings("vars", row.get("vars"))
        for name in VARIABLES
    ]
    return tuple(Borne(name, kind, str(it)) for name, kind, it in told if _says_something(it))


def _mappings(path: str, value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every object in a value, however deep, and where it is."""
    inner: Iterator[tuple[Any, Any]] = iter(())
    if isinstance(value, Mapping):
        yield path, value
        inner = iter(value.items())
    elif isinstance(value, Sequence) and not isinstance(value, str):
        inner = iter(enumerate(value))
    for name, it in inner:
        yield from _mappings(f"{path}.{name}", it)


def _says_something(value: object) -> bool:
    """A text that is not blank, or a number that somebody counts their customers by."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return is_number or (isinstance(value, str) and bool(cleaned(value)))


def says(kind: str, row: Row) -> dict[Datum, str]:
    """What of the person can be corrected: on a list, all else is about an address that was."""
    if TABLES.get(kind) is not MEMBERS:
        return {}
    return {datum: str(row.get(name) or "") for datum, name in DATA.items()}


def kind_of(kind: str, row: Row) -> str:
    """Whether a list writes to a member, but for a restriction; of all else its own kind."""
    if TABLES.get(kind) is not MEMBERS:
        return kind
    return "member" if marks.is_written_to(row) else OPTED_OUT


def categories(kind: str, row: Row) -> frozenset[Category]:
    """Those that have content now."""
    return TABLES[kind].fields.of(marks.bare(row)) if kind in TABLES else OF_EVENTS


def is_address(text: str) -> bool:
    """Something that a mailbox can be called; no lookup with anything else, whatever it means."""
    local, at, domain = text.rpartition("@")
    return bool(local and at and domain) and text.isprintable() and " " not in text


def is_one(text: str) -> bool:
    """An address to enter: one, no list of them, and as long as one may be (RFC 5321)."""
    is_single = text.count("@") == 1 and not set(text) & set(',;<>"')
    return is_address(text) and is_single and len(text) <= LONGEST


def same(one: object, other: str) -> bool:
    """Whether two spellings are of one mailbox: Mailgun may fold more than that."""
    return normal("email", str(one)) == normal("email", other)
