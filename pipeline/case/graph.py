"""Who led where: which records tell each identifier, and which records are contested, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from schemas.records import BorneRow

from .case import Case
from .coverage import identifiers
from .whose import ANOTHER_IDENTIFIER, UNKNOWN_OWNER, WEAK, Verdict

WAITING = "waiting"
"""How an identifier is known that its link was sent to, and was not confirmed yet."""
FEWEST = 6
"""Hexadecimal digits of a handle, at least."""


class HandleError(Exception):
    """What somebody gave means nothing in this graph, or more than one thing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Where an identifier stands: in how many records, in which of the vendor's fields."""

    system: str
    kind: str
    field: str
    whose: str
    """Of those records: `ours`, `contested` or `anothers`."""
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """An identifier: how it is known (see `UsedRow.how`), and which records tell it."""

    tag: bytes
    kind: str
    how: str
    strong: bool
    given: bool
    """Whether it came with the request."""
    until: datetime | None = None
    """When it can no longer be confirmed, while that is waited for."""
    told: tuple[Told, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A contested record that hangs on no other contested one, or one that a person decided."""

    tag: bytes
    system: str
    kind: str
    verdict: Verdict
    said: str = ""
    """What the DPO said of it: `same`, `other`, or nothing."""
    bears: tuple[BorneRow, ...] = ()
    strange: frozenset[bytes] = frozenset()
    """What it bears for which it is contested: identifiers that are not known to be theirs."""
    parts: Mapping[str, int] = field(default_factory=dict)
    """How many contested records hang on it, by kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """What the DPO decides on. Every identifier and record has a handle: how its tag begins."""

    identifiers: tuple[Node, ...]
    records: tuple[Record, ...]

    @property
    def contested(self) -> tuple[Record, ...]:
        """The records whose owner is not known."""
        return tuple(it for it in self.records if it.verdict.state == "contested")

    @property
    def handles(self) -> Mapping[bytes, str]:
        """A handle for each, of as many digits as tell them all apart."""
        tags = {it.tag.hex() for it in self.identifiers} | {it.tag.hex() for it in self.records}
        digits = FEWEST
        while len({it[:digits] for it in tags}) < len(tags):
            digits += 1
        return {bytes.fromhex(it): it[:digits] for it in tags}

    def find(self, handle: str) -> Node | Record:
        """What a handle, or more digits of it, means. Raises `HandleError`."""
        begins = handle.lower()
        every: tuple[Node | Record, ...] = (*self.identifiers, *self.records)
        found = {it.tag: it for it in every if it.tag.hex().startswith(begins)}
        if len(begins) < FEWEST or not found:
            raise HandleError(f"{handle!r} is no handle of this case")
        if len(found) > 1:
            raise HandleError(f"more than one handle of this case begins with {handle}")
        return next(iter(found.values()))


def graph(case: Case) -> Graph:
    """The graph of a case: everything known of who is who, without a value."""
    return Graph(
        identifiers=tuple(_nodes(case)),
        records=tuple(sorted(_records(case), key=lambda it: (it.system, it.kind, it.tag))),
    )


def _nodes(case: Case) -> Iterator[Node]:
    told: dict[bytes, Counter[tuple[str, str, str, str]]] = {}
    for held in case.held.values():
        whose = case.whose.get(held.tag, UNKNOWN_OWNER).state
        for tag, name in {(row.tag, row.field) for row in held.bears}:
            told.setdefault(tag, Counter())[held.system, held.kind, name, whose] += 1
    for used in identifiers(case):
        known = case.known[used.tag]
        yield Node(
            tag=used.tag,
            kind=used.kind,
            how=used.how,
            strong=known.strong,
            given=known.given,
            until=case.confirming[used.tag] if used.how == WAITING else None,
            told=tuple(
                Told(system=system, kind=kind, field=name, whose=whose, records=count)
                for (system, kind, name, whose), count in sorted(
                    told.get(used.tag, Counter()).items()
                )
            ),
        )


def _records(case: Case) -> Iterator[Record]:
    parts: dict[bytes, Counter[str]] = {}
    tops: set[bytes] = set()
    for held in case.held.values():
        if not _is_contested(case, held.tag):
            continue
        top = _top(case, held.tag)
        tops.add(top)
        if top != held.tag:
            parts.setdefault(top, Counter())[held.kind] += 1
    for tag in tops | (case.said.keys() & case.held.keys()):
        held, verdict = case.held[tag], case.whose.get(tag, UNKNOWN_OWNER)
        others = {it.tag for it in held.bears if it.kind not in WEAK} - case.usable().keys()
        yield Record(
            tag=tag,
            system=held.system,
            kind=held.kind,
            verdict=verdict,
            said=case.said.get(tag, ""),
            bears=held.bears,
            strange=frozenset(others) if verdict == ANOTHER_IDENTIFIER else frozenset(),
            parts=dict(sorted(parts.get(tag, Counter()).items())),
        )


def _top(case: Case, tag: bytes) -> bytes:
    """The contested record on which a contested one hangs, over any others; itself, if on none."""
    path = [tag]
    while _is_contested(case, above := case.held[path[-1]].part_of):
        if above in path:  # a vendor says that each hangs on the other
            return min(path[path.index(above) :])
        path.append(above)
    return path[-1]


def _is_contested(case: Case, tag: bytes) -> bool:
    return tag in case.held and case.whose.get(tag, UNKNOWN_OWNER).state == "contested"
