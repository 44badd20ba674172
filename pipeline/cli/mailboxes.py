"""The e-mail addresses in a text, in every way in which lists and exports may write them.

People are looked up by exact hashes: a reading that is nobody's finds nobody, and one that is left
out would let somebody in. So every reading counts, and what has none is said.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import takewhile
from urllib.parse import unquote

from connectors.sdk.spelling import cleaned, compatible

_SIGN = re.compile("[@\uff20\ufe6b]|%40")
_ENDS = r"\s<>()\[\]\\,;:\"\x00-\x1f\x7f"
"""What is in no address that is written without quotes."""
_RUN = re.compile(rf"[^{_ENDS}]+")
_ONE = re.compile(rf"[^@{_ENDS}]+@[^@{_ENDS}|/'=?&]+")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*@([A-Za-z0-9-]+\.)+[A-Za-z0-9-]*[A-Za-z0-9]")
"""An address that can be read in one way only: most cells of most lists."""
_BETWEEN = re.compile(r"[\s,;<>|/]+")
"""What several addresses have between them."""
_ESCAPED = re.compile(rf"\\[^@{_ENDS}]+@|@[^@{_ENDS}]+\\u|\w\"@\w")
"""An address beside a letter that may be another one (`\\n`, `\\u00eb`), or with quotes."""
_BEFORE = frozenset("/|=?&#{}")
"""After these an address may begin, though it may contain them as well."""
_OF_DOMAINS = frozenset("-._\u00b7\u0375\u05f3\u05f4\u30fb")
"""Of a domain, besides letters, digits and marks (RFC 5892)."""
_FULL_STOP = "\u3002"
MOST = 10_000
"""Addresses in one text; with more it is not looked into."""


@dataclass(frozen=True, slots=True)
class Mailboxes:
    """What a text has of addresses."""

    found: frozenset[str] = frozenset()
    """Every reading of each."""
    are_all: bool = False
    """Whether the text is nothing else."""
    run_on: bool = False
    """Whether there are, or may be, some that cannot be told from what is around them."""


_NONE = Mailboxes()


def may_hold(text: str) -> bool:
    """Whether a text has a sign that addresses are written with."""
    return _SIGN.search(text) is not None


def mailboxes(text: str) -> Mailboxes:
    """The addresses in a text of whole letters."""
    if _PLAIN.fullmatch(text):
        return Mailboxes(frozenset({text}), are_all=True)
    return _looked_for(text)


def _looked_for(text: str) -> Mailboxes:
    if not may_hold(text):
        return _NONE
    text = cleaned(text)
    plain = compatible(text).replace(_FULL_STOP, ".")
    if len(_SIGN.findall(plain)) > MOST:
        return Mailboxes(run_on=True)
    found, run_on = set[str](), _ESCAPED.search(plain) is not None
    for reading in dict.fromkeys((text, plain, unquote(plain))):
        for run in _RUN.findall(reading):
            those, are_apart = _of_run(run.strip("@"))
            found |= those
            run_on |= not are_apart
    return Mailboxes(frozenset(found), _is_all(plain), run_on or _is_unspaced(found))


def _is_all(text: str) -> bool:
    pieces = [it.strip("'") for it in _BETWEEN.split(text) if it]
    return bool(pieces) and all(map(_ONE.fullmatch, pieces))


def _of_run(run: str) -> tuple[set[str], bool]:
    """The addresses in a text without spaces, and whether one can be told from the next."""
    local, *parts = run.split("@")
    found, are_apart = set[str](), True
    for at, part in enumerate(parts, 1):
        domain = "".join(takewhile(_is_of_a_domain, part))
        is_last = at == len(parts)
        domains = (domain, part) if is_last else (domain,)
        names = (local, _begun(local))
        found |= {f"{name}@{of.rstrip('.-')}" for name in names for of in domains if name and of}
        local = part[len(domain) :]
        are_apart &= is_last or bool(_begun(local))
    return found, are_apart


def _begun(local: str) -> str:
    """What is before an `@`, without what may only have been written in front of it."""
    signs = (at for at in range(len(local), 0, -1) if _may_be_before(local[at - 1]))
    return re.sub(r"^\W+", "", local[next(signs, 0) :])


def _may_be_before(letter: str) -> bool:
    return letter in _BEFORE or (not letter.isascii() and unicodedata.category(letter)[0] in "PS")


def _is_of_a_domain(letter: str) -> bool:
    return letter.isalnum() or letter in _OF_DOMAINS or unicodedata.category(letter)[0] == "M"


def _is_unspaced(found: set[str]) -> bool:
    """Whether any is in a script that may be written without spaces: what is around it is in it."""
    letters = (letter for it in found if not it.isascii() for letter in it)
    return any(unicodedata.category(letter) == "Lo" for letter in letters)
