"""How one and the same identifier may be written: what is equal, and every form to ask with.

Equal are addresses that differ in the case of ASCII letters, in how the domain is encoded (IDNA,
RFC 5891) or in how letters are composed (Unicode NFC and NFD). Nothing else is: what merely looks
alike may be somebody else's mailbox.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Literal

import idna

LONGEST_LABEL = 63
"""Characters of a domain's label (RFC 1035); a longer one is not encoded."""
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
"""Characters without width, and those that turn the direction of writing."""
_INITIAL = 1
"""Letters of a given name that could be anybody's."""


def cleaned(value: str) -> str:
    """An identifier without white space around it and characters that nobody sees."""
    return _INVISIBLE.sub("", value).strip()


def lower(text: str) -> str:
    """Text in lower case, as far as ASCII goes.

    Beyond it lower case is not the same for all, and makes one address of two: the Kelvin sign
    becomes a k, and somebody else's mailbox.
    """
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


def compatible(text: str) -> str:
    """Text whose full-width letters, ligatures and the like are plain ones (Unicode NFKC).

    For comparing what a list was written with; the letters that are others stay, as in `normal`.
    """
    return _recomposed(text, "NFKC")


def normal(kind: str, value: str) -> str:
    """An identifier as it is compared: two that mean the same have the same normal form."""
    value = cleaned(value)
    match kind:
        case "email":
            return _normal_email(value)
        case "phone":
            return ("+" if value.startswith("+") else "") + re.sub(r"\D", "", value)
        case "name":
            return given_name(value)
        case "whole_name":
            return whole_name(value)
        case _:
            return value


def is_mailbox(kind: str, value: str) -> bool:
    """Whether a mail can go there, by its looks: vendors keep what people typed."""
    local, at, domain = normal(kind, value).rpartition("@")
    is_one = bool(at and local and domain) and not any(it.isspace() for it in cleaned(value))
    return kind == "email" and is_one


def forms(kind: str, value: str) -> tuple[str, ...]:
    """Every form to ask a vendor with, as given first: none of them is another person's."""
    value = cleaned(value)
    if kind != "email":
        return (value,)
    local, at, domain = value.rpartition("@")
    local, domain = _folded(local), _folded(domain)
    encoded = (domain, _u_label(domain), _a_label(domain))
    found = (form(local) + at + form(it) for form in (_composed, _decomposed) for it in encoded)
    return tuple(dict.fromkeys((value, *found)))


def given_name(name: str) -> str:
    """The given name in a whole one, as it is compared; empty where it is not known.

    `Lee, Ann` and `Ann Lee` are both `ann`. An initial is nobody's name.
    """
    last, comma, first = cleaned(name).partition(",")
    words = (first if comma and first.strip() else last).split()
    found = _composed(words[0]).casefold().strip(".") if words else ""
    return found if len(found) > _INITIAL else ""


def whole_name(name: str) -> str:
    """All words of a name, in whichever order they are written; empty where there is one only.

    Which of them is given differs from country to country: `Szabó Gábor` is `Gábor Szabó`.
    """
    words = cleaned(name).replace(",", " ").split()
    found = sorted(_composed(it).casefold().strip(".") for it in words)
    return " ".join(found) if len(found) > 1 else ""


def _normal_email(value: str) -> str:
    local, at, domain = _folded(value).rpartition("@")
    return local + at + _a_label(domain)


def _folded(text: str) -> str:
    """Composed first: to lower the A in a decomposed Ä would make another letter of it."""
    return lower(_composed(text))


def _a_label(domain: str) -> str:
    return ".".join(_encoded(it) for it in domain.split("."))


def _u_label(domain: str) -> str:
    return ".".join(_decoded(it) for it in domain.split("."))


@cache
def _encoded(label: str) -> str:
    """A label's A-label; itself where IDNA 2008 does not know it: nothing is mapped or guessed."""
    if label.isascii() or len(label) > LONGEST_LABEL:
        return label
    try:
        return idna.alabel(_composed(label)).decode()
    except (idna.IDNAError, UnicodeError):
        return label


@cache
def _decoded(label: str) -> str:
    if not label.startswith("xn--") or len(label) > LONGEST_LABEL:
        return label
    try:
        return idna.ulabel(label)
    except (idna.IDNAError, UnicodeError):
        return label


def _composed(text: str) -> str:
    return _recomposed(text, "NFC")


def _decomposed(text: str) -> str:
    return _recomposed(text, "NFD")


def _recomposed(text: str, form: Literal["NFC", "NFD", "NFKC"]) -> str:
    """Text in a normal form of Unicode, but for the letters that this would exchange for others.

    NFC makes a K of the Kelvin sign and an Å of the Angstrom sign: those are other mailboxes.
    """
    if text.isascii():
        return text
    pieces = _split(text)
    return "".join(unicodedata.normalize(form, it) if kept else it for kept, it in pieces)


def _split(text: str) -> Iterable[tuple[bool, str]]:
    """Runs of letters that may be recomposed, and those that stay as they are."""
    run = ""
    for letter in text:
        if _is_exchanged(letter):
            if run:
                yield True, run
                run = ""
            yield False, letter
        else:
            run += letter
    if run:
        yield True, run


def _is_exchanged(letter: str) -> bool:
    """Whether normalising replaces a letter by a single other one (a singleton of UAX 15)."""
    plain = unicodedata.decomposition(letter)
    return bool(plain) and not plain.startswith("<") and " " not in plain
