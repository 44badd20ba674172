"""The clauses of a policy as frozen records: what data are used for, whence, by whom, and the gaps.

Files of earlier releases lack what came since: every reader here fills that with what they meant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CONTROLLER, PROCESSOR = "controller", "processor"
"""As whom we hold something (GDPR Art. 4(7), 4(8))."""
BASES: Mapping[str, str] = {
    "a": "your consent",
    "b": "a contract with you",
    "c": "a legal obligation",
    "d": "vital interests",
    "e": "a task in the public interest",
    "f": "a legitimate interest",
}
"""By its letter in GDPR Art. 6(1)."""
ERASED_BY: Mapping[str, frozenset[str]] = {
    "a": frozenset("ab"),
    "b": frozenset("a"),
    "c": frozenset(),
    "d": frozenset("a"),
    "e": frozenset(),
    "f": frozenset("ac"),
}
"""By the letter of a basis: the grounds for erasure that there can be."""
_LETTERS = re.compile(r"\(([a-f])\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """One ground of GDPR Art. 6(1), by its letter; of (f), the interest."""

    letter: str
    interest: str = ""

    @property
    def says(self) -> str:
        """`a legitimate interest (GDPR Art. 6(1)(f)): to develop our products`."""
        named = f"{BASES[self.letter]} (GDPR Art. 6(1)({self.letter}))"
        return f"{named}: {self.interest}" if self.interest else named

    @property
    def is_portable(self) -> bool:
        """Whether what was provided under it may be taken along (Art. 20(1)(a))."""
        return self.letter in {"a", "b"}

    @property
    def may_be_objected_to(self) -> bool:
        """Whether its use may be objected to (Art. 21(1))."""
        return self.letter in {"e", "f"}

    @property
    def may_be_withdrawn(self) -> bool:
        """Whether it is a consent (Art. 7(3))."""
        return self.letter == "a"

    @property
    def erased_by(self) -> frozenset[str]:
        """The letters of Art. 17(1) by which what is used under it is erased: (a) once it is not
        needed, (b) on withdrawal, (c) on objection. None where Art. 17(3)(b) keeps it.
        """
        return ERASED_BY[self.letter]


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """A row of the policy's own table. Each of its bases is judged by itself."""

    id: str
    says: str
    categories: frozenset[str] = frozenset()
    """Empty, in files of before: of any category."""
    bases: tuple[Basis, ...] = ()
    marketing: bool = False
    """Direct marketing: an objection ends it, without a balance of interests (Art. 21(2))."""
    single: bool = False
    """One thing that somebody asked for: they are sent that, and nothing else."""

    @property
    def may_be_objected_to(self) -> bool:
        """Whether any of its bases lets the person object (Art. 21(1))."""
        return any(it.may_be_objected_to for it in self.bases)

    def uses(self, category: str) -> bool:
        """Whether data of a category are used for it."""
        return not self.categories or category in self.categories

    @property
    def is_service(self) -> bool:
        """Whether a contract or a law asks for it: no objection ends that (Art. 21(1))."""
        return not self.marketing and any(it.letter in {"b", "c"} for it in self.bases)

    @property
    def needs_consent(self) -> bool:
        """Whether nothing but a consent makes it lawful (Art. 6(1)(a))."""
        return bool(self.bases) and all(it.may_be_withdrawn for it in self.bases)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Who receives data, by name (GDPR Art. 15(1)(c); CJEU C-154/21)."""

    id: str
    name: str
    role: str
    """`processor`, or `controller` of its own."""
    does: str = ""
    country: str = ""
    safeguard: str = ""
    """What protects the data there (Art. 15(2)); empty where the country needs none."""
    system: str | None = None
    """Whose connector asks it; None where there is none, and it can only be told."""
    contact: str = ""
    """How it is told: an address of mail or `https://...`; empty is by hand."""
    purposes: tuple[str, ...] = ()
    categories: frozenset[str] = frozenset()
    """These two of one without a connector: of the others the data map tells."""
    known_by: frozenset[str] = frozenset({"email"})
    """The kinds of identifiers that it knows people by: it is told these, and no others."""

    @property
    def says(self) -> str:
        """Its role in words, with what it does."""
        role = "processor, on our instructions"
        if self.role == CONTROLLER:
            role = "controller of its own"
        return f"{role}: {self.does}" if self.does else role


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Whence data come (GDPR Art. 15(1)(g)), by name."""

    id: str
    says: str
    categories: frozenset[str] = frozenset()
    provided: bool = False
    """Whether the person provided it, or it was observed of what they did (Art. 20(1))."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Automated:
    """A decision that a machine alone takes (GDPR Art. 15(1)(h), 22)."""

    id: str = ""
    """A code; empty in files of before, which could not be asked about."""
    says: str
    logic: str
    meaning: str
    inputs: frozenset[tuple[str, str]] = frozenset()
    """(system, kind) of what the machine looks at, as the data map names it."""
    carried_out_by: str = ""
    """Who gives another result its effect: a team, as people call it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What the policy itself lacks, for the DPO."""

    id: str
    found: str
    """ISO date."""
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A legal person of the group that may be the controller."""

    name: str
    address: str
    country: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """Whose the documents are that we hold as a processor, and who is told of a request.

    They are all holdings of a `kind`, or those with an id that `begins` so.
    """

    id: str
    system: str
    kind: str = ""
    begins: str = ""
    customer: str
    contact: str = ""
    """An address of mail; empty: the DPO is told, and passes it on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """One line of the data map."""

    system: str
    kind: str
    categories: frozenset[str]
    role: str
    purposes: tuple[str, ...]
    sources: tuple[str, ...] = ()
    unknown: str = ""
    """Why it is not known whence, where it is not."""
    inferred: frozenset[str] = frozenset()
    """Categories that we worked out ourselves: a score. Nobody takes these along."""


def purpose(read: Mapping[str, Any]) -> Purpose:
    """A row of `[[purposes]]`; of before, its `basis` is a sentence that names the letters."""
    if isinstance(read.get("basis"), str):
        bases = _bases_of(read["basis"])
    else:
        bases = tuple(Basis(**it) for it in read["bases"])
    for it in bases:
        if it.letter not in BASES:
            raise KeyError(f"a letter of Art. 6(1) in the purpose {read['id']}: {it.letter!r}")
    return Purpose(
        id=read["id"],
        says=read["says"],
        categories=frozenset(read.get("categories", ())),
        bases=bases,
        marketing=read.get("marketing", False),
        single=read.get("single", False),
    )


def _bases_of(sentence: str) -> tuple[Basis, ...]:
    grounds, _, interest = sentence.partition("): ")
    letters = _LETTERS.findall(f"{grounds})".partition("6(1)")[2])
    return tuple(Basis(letter=it, interest=interest if it == "f" else "") for it in letters)


def recipient(read: Mapping[str, Any]) -> Recipient:
    """A row of `[[recipients]]`; of before, its role is `processor: what it does`."""
    role, _, does = read["role"].partition(": ")
    given = {name: it for name, it in read.items() if name not in {"role", "does"}}
    given["purposes"] = tuple(given.get("purposes", ()))
    given["categories"] = frozenset(given.get("categories", ()))
    given.setdefault("id", read.get("system"))
    if "known_by" in given:
        given["known_by"] = frozenset(given["known_by"])
    return Recipient(role=role, does=read.get("does", does), **given)


def source(read: Mapping[str, Any]) -> Source:
    """A row of `[[sources]]`."""
    return Source(
        id=read["id"],
        says=read["says"],
        categories=frozenset(read.get("categories", ())),
        provided=read.get("provided", False),
    )


def automated(read: Mapping[str, Any]) -> Automated:
    """A row of `[[automated]]`."""
    inputs = frozenset((it["system"], it["kind"]) for it in read.get("inputs", ()))
    return Automated(**{**read, "inputs": inputs})


def data(read: Mapping[str, Any]) -> Data:
    """A row of `[[data]]`."""
    return Data(
        system=read["system"],
        kind=read["kind"],
        categories=frozenset(read["categories"]),
        role=read["role"],
        purposes=tuple(read["purposes"]),
        sources=tuple(read.get("sources", ())),
        unknown=read.get("unknown", ""),
        inferred=frozenset(read.get("inferred", ())),
    )
