"""Whom a breach affects, from a list: read twice, so that every portion says how many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from pipeline.intake.edge import Edge
from pipeline.intake.incidents import MOST, is_taken
from schemas.events import PeopleAffected
from schemas.records import SealedAffected, SealedIdentifier

from . import listed
from .listed import EMAIL, Columns, Row

Show = Callable[[int], None]
"""Told how many bytes of a list were read."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Addresses that go into one record."""

    people: tuple[str, ...]
    unreachable: int
    """Rows among them that name nobody whom a mail reaches."""
    read: int
    """Bytes of the list so far."""


@dataclass(slots=True)
class Given:
    """What came of a list."""

    rows: int = 0
    addresses: int = 0
    """As many as its rows name: one that stands there twice has one notice."""
    unreachable: int = 0
    faults: int = 0
    """Rows that could not be read: each is somebody who may be affected."""


async def publish(  # noqa: PLR0917  what a list is published by
    sender: Edge,
    file: Path,
    given: Mapping[str, str],
    incident: UUID,
    by: str,
    login: str,
    show: Show,
    fault: Callable[[Row], None],
) -> Given:
    """Publish a list, portion by portion. The same file again is the same list: what came stays.

    Raises `ListError`.
    """
    named, done = sender.tag(_digest(file)), Given()
    parts = sum(1 for _ in portions(file, given))
    for part, it in enumerate(portions(file, given, done, fault), 1):
        event = PeopleAffected(
            case=incident,
            by=by,
            list=named,
            part=part,
            parts=parts,
            unreachable=it.unreachable,
        )
        who = tuple(SealedIdentifier(tag=b"", kind=EMAIL, value=of) for of in it.people)
        await sender.decided(event, SealedAffected(login=login, identifiers=who))
        show(it.read)
    return done


def portions(
    file: Path,
    given: Mapping[str, str],
    done: Given | None = None,
    fault: Callable[[Row], None] = lambda _: None,
) -> Iterator[Portion]:
    """A list in portions; `done` counts, and `fault` is told of rows that cannot be read."""
    done, columns = done or Given(), Columns(given)
    people, unreachable = list[str](), 0
    with file.open("rb") as stream:
        rows, lines = listed.rows(stream, columns, file.suffix)
        for it in rows:
            row = it
            if len(row.identifiers) > MOST:
                row = replace(row, fault="it names more people than one record takes")
            found = addresses(row)
            done.rows += 1
            done.addresses += len(found)
            done.faults += bool(row.fault)
            done.unreachable += not found
            if row.fault:
                fault(row)
            if people and len(people) + len(found) > MOST:
                yield Portion(tuple(people), unreachable, lines.read)
                people, unreachable = [], 0
            people += found
            unreachable += not found
        yield Portion(tuple(people), unreachable, lines.read)


def addresses(row: Row) -> list[str]:
    """Whom a row names by an address; of one that is told in two readings, both are written to."""
    if row.fault:
        return []
    found = {value for kind, value in row.identifiers if kind == EMAIL and is_taken(value)}
    return sorted(it for it in found if not (it.startswith("'") and it[1:] in found))


def _digest(file: Path) -> bytes:
    digest = sha256()
    with closing(file.open("rb")) as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.digest()
