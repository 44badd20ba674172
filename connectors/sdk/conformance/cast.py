"""Whom the kit asks about, and as what: people, namesakes, and what is no name at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..interface import Identifier, Subject

PEOPLE: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "ann": {
        "email": ("ann-subject@example.org", "ann-formerly@example.org"),
        "phone": ("+493012345671", "+493012345672"),
    },
    "bob": {"email": ("bob-stranger@example.org",), "phone": ("+493098765432",)},
}
HOSTILE = (
    "",
    " ",
    ".",
    "..",
    "../..",
    "*",
    "%",
    "_%@example.org",
    "null",
    "ann-subject",
    "ann-subject@example.org,bob-stranger@example.org",
    "ann-subject@example.org' OR Email LIKE '%",
    "ann-subject@example.org\\' OR 1=1 --",
    "x' OR '1'='1",
    "{id}",
    "ann-subject@example.org&email=bob-stranger@example.org",
    "ann-subject@example.org\r\nX-Injected: 1",
    "ann-subject@example.org\x00",
    "=HYPERLINK(1)@example.org",
    "<script>alert(1)</script>@example.org",
    "\ud800@example.org",
    "a" * 4000 + "@example.org",
)
ODD = (
    "o'hara@example.org",
    "jörg.müller@example.org",
    "ann+news@example.org",
    "ann/sales@example.org",
    'quo"te@example.org',
    "back\\slash@example.org",
    "per%20cent@example.org",
)
"""Addresses that people really have."""
KISS = "kiss@example.org"
ALIKE = ("\u212aiss@example.org", "ki\u017fs@example.org", "\uff4biss@example.org")
"""Of `KISS`: with the Kelvin sign, a long s, a wide k. Somebody else has those."""
SPELT: Mapping[str, tuple[str, str]] = {
    "in upper case": ("ann-spelt@example.org", "Ann-Spelt@Example.org"),
    "decomposed": ("jo\u0308rg@example.org", "j\u00f6rg@example.org"),
    "composed": ("j\u00f6rg@example.org", "jo\u0308rg@example.org"),
    "with an A-label": ("ann@xn--bcher-kva.example", "ann@b\u00fccher.example"),
    "with a U-label": ("ann@b\u00fccher.example", "ann@xn--bcher-kva.example"),
}
"""Addresses as they are stored, and as they are asked for: each two are one mailbox."""
MIXED = ("Ann-Mixed@Example.org", "ann-mixed@example.org")
"""An address as it is stored, and as it is asked for."""
NAMESAKES = ("0{}", "x{}", "{}x")
"""What somebody else is known by, made of what the person is: it sorts before, and after."""
HUNDREDS = tuple(f"neighbour-{n}" for n in range(250))
"""Of each of whom a vendor has one thing: more people than a page."""
TOLD_APART_BY = ("email", "user_id")
"""A record that bears another one of these may be somebody else's."""


def person(searched_by: Sequence[str], name: str) -> Subject:
    """Somebody by name, by each of these kinds of identifier: Ann has two of each, Bob has one.

    Whoever has no part in `PEOPLE` is made up, with one of each.
    """
    given = PEOPLE.get(name, {"email": (f"{name}@example.org",), "phone": (_number(name),)})
    ids = 2 if name in PEOPLE else 1
    return Subject(
        tuple(
            Identifier(kind, value)
            for kind in searched_by
            for value in given.get(kind, tuple(f"{name}-{kind}-{n}" for n in range(1, ids + 1)))
        )
    )


def namesakes(subject: Subject) -> Iterator[Subject]:
    """Other people, whose identifiers have the subject's in them."""
    for form in NAMESAKES:
        yield Subject(tuple(_namesake(it, form) for it in subject.identifiers))


def _namesake(it: Identifier, form: str) -> Identifier:
    if it.kind != "phone":
        return Identifier(it.kind, form.format(it.value))
    return Identifier(it.kind, f"{it.value}{NAMESAKES.index(form)}")


def _number(name: str) -> str:
    return f"+4930{sum(ord(it) * 31**n for n, it in enumerate(name)) % 10**8:08d}"
