"""Whose a holding is: a pure function of what records bear, of what is proved, and what people say.

Ours bears an identifier that is proved to be the person's, and nobody else's; or hangs, by a link
of ownership, on ours and bears nobody else's. What a record says beside a proved identifier is a
candidate: it proves nothing, unless policy trusts that very field. All else is contested, neither
exported nor erased, until a person decides. Nothing is believed for standing beside something
proved, and unknown is not equal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from schemas.records import BorneRow

EMAIL = "email"
NAMES = frozenset({"name", "whole_name"})
"""A name is told twice: by what seems the given one, and by all its words in any order."""
WEAK = NAMES | {"phone"}
"""Kinds that several people share: nobody is found, or told from others, by a phone."""
SAME, OTHER, ASK = "same", "other", "ask"
"""What a person may say of an identifier or a holding."""
POLICY = "policy"
"""How an identifier is usable that policy trusts a field to say."""
DEEPEST = 10
"""How far a holding may hang below one that stands for itself (a comment, its case, a contact)."""
Field = tuple[str, str, str]
"""(system, kind, field)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whose a holding is: `ours`, `contested` or `anothers`; `why` is a code."""

    state: str
    why: str = ""


OURS = Verdict("ours")
ANOTHERS = Verdict("anothers")
UNKNOWN_OWNER = Verdict("contested", "unknown_owner")
ANOTHER_IDENTIFIER = Verdict("contested", "another_identifier")
SHARED_ADDRESS = Verdict("contested", "shared_address")
UNSEEN_ADDRESS = Verdict("contested", "unseen_address")
"""Nobody knows who else has its address: a system that may show it was not searched for it."""
OF_CONTESTED = Verdict("contested", "part_of_contested")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearing:
    """What a holding tells of whose it is. Tags are those of identifiers and of holdings."""

    tag: bytes
    system: str
    kind: str
    bears: tuple[BorneRow, ...] = ()
    part_of: bytes = b""

    def strong(self) -> frozenset[bytes]:
        """The identifiers that tell people apart."""
        return frozenset(it.tag for it in self.bears if it.kind not in WEAK)

    def emails(self) -> frozenset[bytes]:
        """The addresses that it bears."""
        return frozenset(it.tag for it in self.bears if it.kind == EMAIL)

    def names(self) -> frozenset[bytes]:
        """The names that it bears."""
        return frozenset(it.tag for it in self.bears if it.kind in NAMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """What is known of who is who, before any record is read."""

    proved: frozenset[bytes]
    """Identifiers that the intake vouches for, the person proved, or the DPO confirmed."""
    strangers: frozenset[bytes] = frozenset()
    """Identifiers that the DPO says are somebody else's."""
    said: Mapping[bytes, str] = field(default_factory=dict)
    """Holdings of which the DPO says whose they are: `same` or `other`."""
    names: frozenset[bytes] = frozenset()
    """Tags of the person's name; empty if it is not known."""
    trusted: frozenset[Field] = frozenset()
    """Fields that policy trusts to say who somebody is: written by our own server."""
    unseen: frozenset[bytes] = frozenset()
    """Addresses by which some system could not be searched: it may show who else has them."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whose each holding is, by tag, and the identifiers that policy's links made usable."""

    whose: Mapping[bytes, Verdict]
    linked: frozenset[bytes]


def judged(holdings: Iterable[Bearing], people: People) -> Judgement:
    """Whose each holding is; identifiers that a trusted field of ours bears count as theirs too."""
    found = {it.tag: it for it in holdings}
    linked: frozenset[bytes] = frozenset()
    while True:
        whose = _Round(found, people, people.proved | linked).every()
        ours = (found[tag] for tag, it in whose.items() if it == OURS)
        fresh = {it for of in ours for it in _trusted(of, people)} - people.proved - linked
        if not fresh:
            return Judgement(whose, linked)
        linked |= fresh


def _trusted(of: Bearing, people: People) -> frozenset[bytes]:
    """What it bears in a field that policy trusts, and nobody said is a stranger's."""
    found = (it.tag for it in of.bears if (of.system, of.kind, it.field) in people.trusted)
    return frozenset(found) & of.strong() - people.strangers


class _Round:
    """One pass over all holdings with what is usable so far."""

    def __init__(
        self, found: Mapping[bytes, Bearing], people: People, usable: frozenset[bytes]
    ) -> None:
        self._found = found
        self._people = people
        self._usable = usable - people.strangers

    def every(self) -> dict[bytes, Verdict]:
        """A verdict for each, from what stands for itself down to what hangs on it."""
        roots = [it for it in self._found.values() if not it.part_of]
        whose = {it.tag: self._root(it) for it in roots}
        crowds = dict(self._crowds(roots))
        for it in roots:
            if whose[it.tag] == OURS and it.tag not in self._people.said:
                whose[it.tag] = self._in_crowd(it, crowds)
        parts: dict[bytes, list[Bearing]] = defaultdict(list)
        for it in self._found.values():
            said = self._said(it)
            if it.part_of and said is None:
                parts[it.part_of].append(it)
            elif said is not None:
                whose[it.tag] = said
        above = list(whose)
        for _ in range(DEEPEST):
            below = {it.tag: self._part(it, whose[tag]) for tag in above for it in parts[tag]}
            whose.update(below)
            above = list(below)
        return {tag: whose.get(tag, UNKNOWN_OWNER) for tag in self._found}

    def _root(self, it: Bearing) -> Verdict:
        said = self._said(it)
        if said is not None:
            return said
        ids = it.strong()
        if not ids:
            return UNKNOWN_OWNER
        if ids <= self._people.strangers:
            return ANOTHERS
        strange = ids - self._usable - _trusted(it, self._people)
        return ANOTHER_IDENTIFIER if strange or not ids & self._usable else OURS

    def _part(self, it: Bearing, whole: Verdict) -> Verdict:
        """Of what hangs on something."""
        if whole == OURS:
            strange = it.strong() - self._usable - _trusted(it, self._people)
            return ANOTHER_IDENTIFIER if strange else OURS
        return ANOTHERS if whole == ANOTHERS and not it.strong() & self._usable else OF_CONTESTED

    def _said(self, it: Bearing) -> Verdict | None:
        match self._people.said.get(it.tag):
            case "same":
                return OURS
            case "other":
                return ANOTHERS
            case _:
                return None

    def _crowds(self, roots: list[Bearing]) -> Iterator[tuple[bytes, list[Bearing]]]:
        """The addresses that different people share, each with the records that bear it."""
        bearers: dict[bytes, list[Bearing]] = defaultdict(list)
        for it in roots:
            for address in it.emails():
                bearers[address].append(it)
        for address, those in bearers.items():
            users = {tag for it in those for tag in self._users(it)}
            if len(users) > 1 or self._names_differ(those):
                yield address, those

    def _in_crowd(self, it: Bearing, crowds: Mapping[bytes, list[Bearing]]) -> Verdict:
        """Ours, unless all that speaks for it is an address that others have, or may have, as well.

        Who shares an address is told apart by a proved user id, or by the given name where that is
        known and one user's only.
        """
        shared = it.emails() & (crowds.keys() | self._people.unseen)
        if not shared or it.strong() & self._people.proved - shared:
            return OURS
        others = [other for tag in shared for other in crowds.get(tag, ())]
        users = {
            tag
            for other in others
            for tag in self._users(other)
            if tag in self._people.proved or self._people.names & other.names()
        }
        if self._people.names & it.names() and len(users) <= 1:
            return OURS
        return SHARED_ADDRESS if others else UNSEEN_ADDRESS

    def _names_differ(self, those: Iterable[Bearing]) -> bool:
        """Whether records have names that no word connects, the asker's own included."""
        apart: list[frozenset[bytes]] = []
        for names in filter(None, [self._people.names, *(it.names() for it in those)]):
            same = [it for it in apart if it & names]
            apart = [it for it in apart if not it & names]
            apart.append(names.union(*same))
        return len(apart) > 1

    @staticmethod
    def _users(it: Bearing) -> frozenset[bytes]:
        return it.strong() - it.emails()
