"""What a seed never plants, so that a hurried one is seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import pytest

from .looking import Planted, planted
from .world import State, World


def some(kind: str, **fields: object) -> Callable[[State], bool]:
    """A state has an object of a kind (`kind/id` is its key) with these fields."""
    return lambda state: any(fields.items() <= it.items() for it in _rows(state, kind))


def more(than: int, kind: str, of: str) -> Callable[[State], bool]:
    """A state has so many objects of a kind whose field `of` names the same parent, and more."""
    return lambda state: any(
        n > than for n in Counter(str(it[of]) for it in _rows(state, kind)).values()
    )


def _rows(state: State, kind: str) -> list[Mapping[str, object]]:
    return [row for key, row in state.items() if key.startswith(f"{kind}/")]


class States:
    """The world itself: what it does not show, no test of the kit can see."""

    async def test_the_seed_plants_what_it_can(
        self,
        world: World,
        request: pytest.FixtureRequest,
        record_property: Callable[[str, object], None],
    ) -> None:
        """Never fails of it: what was never planted is printed at the end. Plant it."""
        ann = await planted(world, "ann")
        state = await world.state()
        async with world.connector() as it:
            able = it.capabilities
        never = [it for it, shows in world.states.items() if not shows(state)]
        never += _common(ann, {kind: frozenset(of) for kind, of in able.kinds.items()})
        record_property("never planted", ", ".join(never))
        _summary(request.config).never[able.system] = never


def _common(of: Planted, kinds: dict[str, frozenset[str]]) -> Iterator[str]:
    """What any vendor may have, and this person has not."""
    held = of.seen.holdings
    for kind, categories in kinds.items():
        ours = [it for it in held if it.kind == kind]
        if not ours:
            yield f"a {kind}"
            continue
        marked = {it.category for one in ours for it in of.of(one)}
        there = {category for it in ours for category in it.categories}
        yield from (f"{category} of a {kind}" for category in sorted(categories - there))
        yield from (f"a mark in {it} of a {kind}" for it in sorted(there - marked))
    records = [it for found in of.records.values() for it in found]
    if not any(it.name for it in records):
        yield "a file"
    if not any(len({b.value for b in it.bears if b.kind == "email"}) > 1 for it in held):
        yield "a second address"
    if not any(it.part_of for it in held):
        yield "a child of another holding"


class _Summary:
    """What pytest prints when all is done."""

    def __init__(self) -> None:
        self.never: dict[str, list[str]] = {}

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not any(self.never.values()):
            return
        terminalreporter.section("what the kit's seeds never planted")
        for system, never in sorted(self.never.items()):
            terminalreporter.write_line(f"{system}: {', '.join(never) or 'nothing'}")


def _summary(config: pytest.Config) -> _Summary:
    """One for the whole run."""
    found = config.pluginmanager.get_plugin("habeas-states")
    if not isinstance(found, _Summary):
        found = _Summary()
        config.pluginmanager.register(found, "habeas-states")
    return found
