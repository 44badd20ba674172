"""What the tests of the kit do with a connector, each in one word."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar, get_args

import pytest

from ..calls import caller
from ..interface import (
    Blocked,
    Category,
    Connector,
    ConnectorError,
    Fact,
    Failed,
    Holding,
    NeedsHuman,
    NotSupported,
    Outcome,
    Proved,
    Record,
    Right,
    Subject,
)
from . import cast
from .marks import Mark, in_records, in_state
from .world import World

T = TypeVar("T")


@dataclass(slots=True)
class Seen:
    """All pages of one `locate`."""

    holdings: list[Holding] = field(default_factory=list)
    gone: list[Holding] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)


async def look(it: Connector, subject: Subject, known: Sequence[Holding] = ()) -> Seen:
    """`locate`, all pages."""
    seen = Seen()
    async for page in it.locate(subject, known):
        seen.holdings += page.holdings
        seen.gone += page.gone
        seen.facts += page.facts
        seen.records += page.records
    return seen


async def listed(
    it: Connector, kinds: frozenset[str] = frozenset(), until: datetime | None = None
) -> list[Subject]:
    """`people`, all pages."""
    return [who async for page in it.people(kinds, until) for who in page]


async def exported(it: Connector, holdings: Iterable[Holding]) -> list[Record]:
    """`export` of all of them, in turn."""
    return [record for holding in holdings async for record in it.export(holding)]


async def copied(it: Connector, seen: Seen) -> dict[Holding, list[Record]]:
    """All records of what was seen: those that came with it, and the rest by `export`."""
    whole: dict[Holding, list[Record]] = {held: [] for held in seen.holdings}
    for record in seen.records:
        whole[record.holding].append(record)
    rest = {held: await exported(it, [held]) for held, records in whole.items() if not records}
    return whole | rest


def in_order(it: Connector, holdings: Iterable[Holding]) -> list[Holding]:
    """In the order of `capabilities.kinds`, as a host erases."""
    kinds = list(it.capabilities.kinds)
    found = list(holdings)
    unknown = {holding.kind for holding in found} - set(kinds)
    assert not unknown, f"not in capabilities.kinds: {unknown}"
    return sorted(found, key=lambda holding: kinds.index(holding.kind))


def children_first(holdings: Iterable[Holding]) -> list[Holding]:
    """So that none is gone with its parent before its turn."""
    found = list(holdings)
    return sorted(found, key=lambda it: -len(line(it, found)))


async def erase(
    it: Connector, holding: Holding, keep: frozenset[Category] = frozenset()
) -> Mapping[Category, Outcome]:
    """`erase`, spelled out: an outcome for each category that is not kept."""
    said = await it.erase(holding, keep)
    if isinstance(said, Mapping):
        return said
    return dict.fromkeys(holding.categories - keep, said)


def proved(said: Mapping[Category, Outcome]) -> set[Category]:
    """The categories that are said to be gone."""
    return {category for category, outcome in said.items() if isinstance(outcome, get_args(Proved))}


def reasons(outcomes: Iterable[Outcome]) -> set[str]:
    """The catalogue codes in them."""
    codes: set[str] = set()
    for outcome in outcomes:
        match outcome:
            case Blocked(_, code) | NotSupported(code) | Failed(code) | NeedsHuman(code):
                codes.add(code)
            case _:
                pass
    return codes


def line(holding: Holding, held: Sequence[Holding]) -> list[Holding]:
    """A holding, what it hangs on, and so on, as far as it was found."""
    chain, found = [holding], {it: it for it in held}
    while chain[-1].part_of in found and chain[-1].part_of not in chain:
        chain.append(found[chain[-1].part_of])
    return chain


def person(world: World, name: str) -> Subject:
    """Somebody, by every kind of identifier that the world is searched by."""
    return cast.person(world.searched_by, name)


@dataclass(slots=True)
class Planted:
    """Somebody whose data a world has, and which marks are whose."""

    subject: Subject
    seen: Seen
    records: dict[Holding, list[Record]]
    marks: list[Mark]
    borne: dict[Holding, set[Mark]]
    """Of each holding, the marks in its records."""

    def of(self, holding: Holding) -> set[Mark]:
        """The marks in the records of a holding, and of no other."""
        beside = {it for held, marks in self.borne.items() if held != holding for it in marks}
        return self.borne[holding] - beside


async def planted(world: World, name: str, *, holdings: int = 12) -> Planted:
    """Seed somebody, and copy everything that is located, with a connector of its own."""
    subject, before = person(world, name), len(world.marks)
    await world.seed(subject, holdings=holdings)
    async with world.connector() as it:
        seen = await look(it, subject)
        records = await copied(it, seen)
    marks = list(world.marks[before:])
    borne = {held: in_records(marks, of) for held, of in records.items()}
    return Planted(subject, seen, records, marks, borne)


async def total(world: World) -> int:
    """How many calls the vendor has had."""
    return sum((await world.calls()).values())


async def left(world: World, marks: Iterable[Mark]) -> set[Mark]:
    """Those that the vendor still has."""
    return in_state(marks, await world.state())


async def one_of_each(world: World) -> list[Holding]:
    """Of each kind, one of Ann's holdings, located before a fault sets in."""
    await world.seed(person(world, "ann"), holdings=12)
    async with world.connector() as it:
        held = (await look(it, person(world, "ann"))).holdings
    return list({holding.kind: holding for holding in held}.values())


def needs(connector: Connector, right: Right) -> None:
    """Skip a test of what the connector does not do."""
    if right not in connector.capabilities.rights:
        pytest.skip(f"{connector.capabilities.system} does not declare {right}")


async def outcomes_of(it: Connector, holding: Holding) -> list[Outcome]:
    """What `erase` says; nothing if it raises."""
    try:
        return list((await erase(it, holding)).values())
    except ConnectorError:
        return []


async def complaint(operation: Awaitable[object]) -> str:
    """All that a log would show of what was raised."""
    try:
        await operation
    except ConnectorError as error:
        causes = (error.__cause__, None if error.__suppress_context__ else error.__context__)
        return f"{error!r} {error} {causes!r}"
    return ""


@contextmanager
def counted(most: int | None = None) -> Iterator[list[int]]:
    """How many calls are made through the host; no more than `most`."""
    made = [0]

    async def count(attempt: Callable[[], Awaitable[T]]) -> T:
        made[0] += 1
        assert most is None or made[0] <= most, f"still asking after {most} calls"
        return await attempt()

    token = caller.set(count)
    try:
        yield made
    finally:
        caller.reset(token)


Operation = Callable[[Connector, Subject, Holding], Awaitable[object]]


async def _check(it: Connector, _subject: Subject, _holding: Holding) -> object:
    await it.check()
    return None


async def _locate(it: Connector, subject: Subject, _holding: Holding) -> object:
    return await look(it, subject)


async def _look_again(it: Connector, _subject: Subject, holding: Holding) -> object:
    return await look(it, Subject(()), [holding])


async def _export(it: Connector, _subject: Subject, holding: Holding) -> object:
    return await exported(it, [holding])


async def _erase(it: Connector, _subject: Subject, holding: Holding) -> object:
    return await it.erase(holding)


async def _people(it: Connector, _subject: Subject, _holding: Holding) -> object:
    """Of who lists nobody, the check that would come before it."""
    return await (listed(it) if it.capabilities.lists_people else it.check())


READS: Sequence[Operation] = (_check, _locate, _look_again, _export, _people)
ALL: Sequence[Operation] = (*READS, _erase)


def named(operation: Operation) -> str:
    """For a test's id."""
    return getattr(operation, "__name__", "").strip("_")
