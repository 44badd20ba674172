"""Each route of the vendor in turn fails, in everything that a connector does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import pytest

from ..interface import Connector, ConnectorError, Holding, Record, Right, Subject
from ..sandbox import Mode
from .looking import (
    Planted,
    children_first,
    erase,
    exported,
    left,
    look,
    needs,
    planted,
    proved,
)
from .world import World

READ = 12
"""Holdings of the person whom the routes fail for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What a route answers, for good, from the call after the first `after` on."""

    status: int = 0
    mode: Mode = "status"
    after: int = 0

    def __str__(self) -> str:
        said = self.mode if self.mode != "status" else str(self.status)
        return f"{said} after {self.after}" if self.after else said

    @property
    def is_plain(self) -> bool:
        """Whether nobody can read an answer out of it."""
        return self.status in {401, 429, 500} or self.mode == "html"

    @property
    def is_refusal(self) -> bool:
        """Whether a file may be missing because of it."""
        return self.status in {401, 403, 404}


TROUBLES = (
    *(Trouble(status=it) for it in (401, 403, 404, 429, 500)),
    *(Trouble(mode=it) for it in ("html", "other", "null")),
)
LATER = (Trouble(status=403, after=1), Trouble(mode="other", after=1))
CHANGES = (Trouble(status=403), Trouble(status=500), Trouble(mode="html"))


async def _check(it: Connector, _of: Planted) -> object:
    await it.check()
    return "passed"


async def _locate(it: Connector, of: Planted) -> object:
    return await look(it, of.subject)


async def _look_again(it: Connector, of: Planted) -> object:
    return await look(it, Subject(()), of.seen.holdings)


async def _export(it: Connector, of: Planted) -> object:
    return await exported(it, of.seen.holdings)


Read = Callable[[Connector, Planted], Awaitable[object]]
READS: Sequence[Read] = (_check, _locate, _look_again, _export)


def _named(read: Read) -> str:
    return getattr(read, "__name__", "").strip("_")


class Routes:
    """`locate`, `export` and `erase`, with one route out of order."""

    @pytest.mark.parametrize("read", READS, ids=_named)
    async def test_a_route_that_fails_is_never_absence(self, world: World, read: Read) -> None:
        """Raise, or say the same as ever: what one call did not say is not «nothing».

        A file that is refused is a record that says so (`missing`), with its name.
        Each route fails by itself: look for one whose refusal, or whose odd answer, is swallowed.
        """
        ann = await planted(world, "ann", holdings=READ)
        wrong = await tried(world, ann, read)
        assert not wrong, "\n".join(wrong)

    async def test_a_route_that_fails_after_an_erasure_is_no_proof(self, world: World) -> None:
        """The second look is all that proves an erasure: what could not be read is not gone."""
        ann = await planted(world, "ann", holdings=READ)
        async with world.connector() as it:
            needs(it, Right.ERASURE)
            for holding in children_first(ann.seen.holdings)[::2]:
                await it.erase(holding)
        wrong = await tried(world, ann, _look_again)
        assert not wrong, "\n".join(wrong)

    async def test_a_change_that_fails_is_not_done(self, world: World) -> None:
        """What a call of `erase` was refused did not happen: `Failed`, or raise.

        The kit looks into the vendor's state, and not at what the connector sees.
        """
        ann = await planted(world, "ann", holdings=READ)
        async with calls_of(world) as made, world.connector() as it:
            needs(it, Right.ERASURE)
            for holding in children_first(ann.seen.holdings):
                await it.erase(holding)
        wrong = []
        for n, call in enumerate(made):
            for trouble in CHANGES:
                one = await planted(world, f"no-{n}-{CHANGES.index(trouble)}", holdings=READ)
                told = await _erased(world, one, call, trouble)
                remain = await left(world, one.marks)
                wrong += [
                    f"erase, {call} answers {trouble}: a {holding.kind} is said to be gone"
                    for holding, gone in told.items()
                    if any(it.category in gone for it in one.of(holding) & remain)
                ]
        assert not wrong, "\n".join(dict.fromkeys(wrong))


async def tried(world: World, of: Planted, read: Read) -> list[str]:
    """What is wrong with a reading operation while each of its routes fails."""
    async with calls_of(world) as made, world.connector() as it:
        usual = await read(it, of)
    wrong = []
    for call, times in made.items():
        for trouble in (*TROUBLES, *(LATER if times > 1 else ())):
            if trouble.status == HTTPStatus.NOT_FOUND and _is_of_one(call, read):
                continue
            await break_route(world, call, trouble)
            said = await _said(world, read, of)
            await world.calm()
            is_missing = _is_said_missing(said, usual) and trouble.is_refusal
            is_same = said == usual and not trouble.is_plain
            if said is None or is_missing or (is_same and read is not _check):
                continue
            wrong.append(
                f"{_named(read)}, {call} answers {trouble}: no error, {_less(said, usual)}"
            )
    return wrong


async def _said(world: World, read: Read, of: Planted) -> object:
    """The outcome, of a new connector; None if it raises one of the two errors."""
    async with world.connector() as it:
        try:
            return await read(it, of)
        except ConnectorError:
            return None


async def _erased(
    world: World, of: Planted, call: str, trouble: Trouble
) -> Mapping[Holding, set[Any]]:
    await break_route(world, call, trouble)
    told: dict[Holding, set[Any]] = {}
    async with world.connector() as it:
        for holding in children_first(of.seen.holdings):
            try:
                told[holding] = set(proved(await erase(it, holding)))
            except ConnectorError:
                continue
    await world.calm()
    return told


async def break_route(world: World, call: str, trouble: Trouble) -> None:
    if trouble.mode == "status":
        await world.fail(trouble.status, times=None, call=call, after=trouble.after)
    else:
        await world.spoil(trouble.mode, times=None, call=call, after=trouble.after)


@asynccontextmanager
async def calls_of(world: World) -> AsyncIterator[dict[str, int]]:
    """How often each route is called inside; known at the end."""
    before, made = await world.calls(), dict[str, int]()
    yield made
    after = await world.calls()
    made |= {it: n for it in after if (n := after[it] - before.get(it, 0))}


def _is_of_one(call: str, read: Read) -> bool:
    """Whether a 404 may be the vendor's own word that one thing is not there, or never was."""
    return call.endswith("}") or (read is _check and "}" in call)


def _is_said_missing(said: object, usual: object) -> bool:
    """Whether all that is not in a copy is a file, and named in it."""
    if not isinstance(said, list) or not isinstance(usual, list):
        return False
    missing = {it.holding for it in said if isinstance(it, Record) and it.missing}
    if not missing:
        return False
    rest = [[it for it in of if it.holding not in missing] for of in (said, usual)]
    return rest[0] == rest[1]


def _less(said: object, usual: object) -> str:
    return "the same as ever" if said == usual else "and another outcome"
