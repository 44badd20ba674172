"""What a connector does beside erasing: what is asked of it, and the reading that proves it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from ..interface import (
    MARKETING,
    Accepted,
    Connector,
    Datum,
    Holding,
    Outcome,
    Proved,
    Queued,
    Rectified,
    Restricted,
    Retained,
    Right,
    Standing,
    Subject,
    Suppressed,
)
from .looking import look, needs, person
from .marks import Mark
from .world import State, World

LATER: Final = 900_000
"""Marks from here on are no seed's: they are what the kit rectifies to."""
SPECIAL: Final[Mapping[Datum, str]] = {
    Datum.DATE_OF_BIRTH: "1985-02-03",
    Datum.COUNTRY: "PT",
    Datum.EMAIL: "{}@example.org",
    Datum.PHONE: "+{}",
    Datum.MOBILE: "+{}",
}
"""What a value of these has to look like, with a number in it or without."""


def value(datum: Datum, n: int = 0) -> str:
    """The n-th value that nobody has yet, as a vendor would take it."""
    number = Mark.of(LATER + n, datum.category).number
    return SPECIAL.get(datum, "New {}").format(number)


@dataclass(frozen=True, slots=True)
class Target:
    """A holding, whose it is, and what of it can be corrected."""

    subject: Subject
    holding: Holding
    shown: Mapping[Datum, str] = field(default_factory=dict)

    @property
    def data(self) -> Mapping[Datum, str]:
        """What to correct: one datum, if there is any; an address only if there is nothing else."""
        found = sorted(self.shown, key=lambda it: (it is Datum.EMAIL, it))
        return {it: value(it) for it in found[:1]}


async def targets(world: World, name: str, verb: Verb, *, holdings: int = 12) -> list[Target]:
    """Seed somebody, and look what they have; a test of what is not declared is skipped."""
    subject = person(world, name)
    async with world.connector() as it:
        needs(it, verb.right)
        await world.seed(subject, holdings=holdings)
        held = (await look(it, subject)).holdings
        shown = [await data_of(it, one) for one in held]
    found = [Target(subject, *pair) for pair in zip(held, shown, strict=True)]
    if verb.right is Right.RECTIFICATION:
        return [it for it in found if it.data]
    return found[:1] if verb.right is Right.OBJECTION else found


async def data_of(it: Connector, holding: Holding) -> Mapping[Datum, str]:
    """What a holding says that can be corrected."""
    if Right.RECTIFICATION not in it.capabilities.rights:
        return {}
    now = await it.standing(holding)
    assert now is not None, f"a {holding.kind} was located, and has no standing"
    return now.data


def one_of_each(found: Sequence[Target]) -> list[Target]:
    """Of each kind, one."""
    return list({it.holding.kind: it for it in found}.values())


Said = Outcome | Mapping[Datum, Outcome]


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing that a connector may do."""

    name: str
    right: Right
    done: type[Outcome]
    """What it says of what it did."""
    act: Callable[[Connector, Target], Awaitable[Said]]
    holds: Callable[[Connector, Target], Awaitable[bool]]
    """Whether a reading shows it."""
    before: Callable[[Connector, Target], Awaitable[Said]] | None = None
    """What has to be done first."""

    async def prepared(self, it: Connector, at: Target) -> bool:
        """Do what has to be done first; whether it was done."""
        return self.before is None or did(await self.before(it, at), self.done)


async def _restrict(it: Connector, at: Target) -> Said:
    return await it.restrict(at.holding)


async def _lift(it: Connector, at: Target) -> Said:
    return await it.restrict(at.holding, lift=True)


async def _rectify(it: Connector, at: Target) -> Said:
    return await it.rectify(at.holding, at.data)


async def _object_to(it: Connector, at: Target) -> Said:
    return await it.object_to(at.subject, MARKETING)


async def is_restricted(it: Connector, at: Target) -> bool:
    """As the vendor shows it; of what is there."""
    return (await _there(it, at.holding)).restricted is True


async def _is_free(it: Connector, at: Target) -> bool:
    return (await _there(it, at.holding)).restricted is False


async def _is_rectified(it: Connector, at: Target) -> bool:
    now = await it.standing(it.refiled(at.holding, at.data))
    return now is not None and at.data.items() <= now.data.items()


async def _is_objected(it: Connector, at: Target) -> bool:
    return await it.objected(at.subject, MARKETING)


async def _there(it: Connector, holding: Holding) -> Standing:
    now = await it.standing(holding)
    assert now is not None, f"a {holding.kind} is said to be gone"
    return now


RESTRICT: Final = Verb("restrict", Right.RESTRICTION, Restricted, _restrict, is_restricted)
LIFT: Final = Verb("lift", Right.RESTRICTION, Restricted, _lift, _is_free, before=_restrict)
RECTIFY: Final = Verb("rectify", Right.RECTIFICATION, Rectified, _rectify, _is_rectified)
OBJECT: Final = Verb("object_to", Right.OBJECTION, Suppressed, _object_to, _is_objected)
VERBS: Final = (RESTRICT, LIFT, RECTIFY, OBJECT)


def outcomes(said: Said) -> list[Outcome]:
    """All that was said."""
    return list(said.values()) if isinstance(said, Mapping) else [said]


def did(said: Said, done: type[Outcome]) -> bool:
    """Whether all of it is said to be done. Nothing else may be said to be proved, or kept."""
    for it in outcomes(said):
        wrong = not isinstance(it, done) and isinstance(it, (*get_args(Proved), Retained))
        assert not wrong, f"say {done.__name__} of what was done, or why not"
    return bool(outcomes(said)) and all(isinstance(it, done) for it in outcomes(said))


def is_open(said: Said) -> bool:
    """Whether a later reading may show it nevertheless."""
    return any(isinstance(it, Queued | Accepted) for it in outcomes(said))


async def is_read(world: World, verb: Verb, at: Target) -> bool:
    """Whether a new connector reads it: what another one remembers proves nothing."""
    async with world.connector() as it:
        return await verb.holds(it, at)


# What the vendor has.


async def bare(world: World) -> State:
    """The vendor's state without what it sets itself at every change."""
    names, state = frozenset(world.stamps), await world.state()
    return {key: _without(row, names) for key, row in state.items()}


def _without(said: Any, names: frozenset[str]) -> Any:
    if isinstance(said, Mapping):
        return {key: _without(it, names) for key, it in said.items() if key not in names}
    return [_without(it, names) for it in said] if isinstance(said, list) else said


def changes(before: State, after: State) -> dict[str, str]:
    """What says something else than before, by where it is; empty where it is gone."""
    old, new = dict(_leaves("", before)), dict(_leaves("", after))
    return {it: new.get(it, "") for it in old.keys() | new.keys() if old.get(it) != new.get(it)}


def _leaves(path: str, said: Any) -> Iterator[tuple[str, str]]:
    if isinstance(said, Mapping):
        inner = said.items()
    elif isinstance(said, list):
        inner = dict(enumerate(said)).items()
    else:
        yield path, str(said)
        return
    for key, it in inner:
        yield from _leaves(f"{path}/{key}", it)


def beyond(before: State, after: State, given: Sequence[str]) -> list[str]:
    """The fields that changed, and say none of the values that were given, nor a part of one.

    A vendor may keep a whole name in two fields.
    """
    wanted = [it.casefold() for it in given]
    changed = {at: now.casefold() for at, now in changes(before, after).items()}
    said = {at for at, now in changed.items() if any(it in now for it in wanted)}
    part = {at for at, now in changed.items() if now and any(now in it for it in wanted)}
    return sorted(changed.keys() - said - part)
