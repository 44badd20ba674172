"""The promises of `Connector`, as tests that any connector can run.

    class TestAcme(ConnectorConformance):
        @pytest.fixture
        async def world(self):
            async with AcmeSandbox() as sandbox:
                yield AcmeWorld(sandbox, Acme)

Each test says what to mend when it fails. Install `habeas[conformance]`.
"""

# ruff: noqa: S101
from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import product
from typing import Any, ClassVar, Protocol, TypeVar, get_args

import pytest
from structlog.testing import capture_logs

from . import registry
from .http import caller, witnessed
from .interface import (
    Blocked,
    Category,
    Connector,
    ConnectorError,
    Fact,
    Failed,
    Holding,
    Identifier,
    NeedsHuman,
    NotSupported,
    Outcome,
    Proved,
    Record,
    RetryableError,
    Right,
    Subject,
    TerminalError,
)
from .sandbox import Fault, Mode, Sandbox

T = TypeVar("T")

PEOPLE: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "ann": {
        "email": ("ann-subject@example.org", "ann-formerly@example.org"),
        "phone": ("+493012345671", "+493012345672"),
    },
    "bob": {"email": ("bob-stranger@example.org",), "phone": ("+493098765432",)},
}
ENDLESS = 2000
"""Calls for a person with 250 holdings: whoever makes more does not notice that a page repeats."""
HOSTILE = (
    "",
    " ",
    ".",
    "..",
    "../..",
    "*",
    "%",
    "_%@example.org",
    "null",
    "ann-subject",
    "ann-subject@example.org,bob-stranger@example.org",
    "ann-subject@example.org' OR Email LIKE '%",
    "ann-subject@example.org\\' OR 1=1 --",
    "x' OR '1'='1",
    "{id}",
    "ann-subject@example.org&email=bob-stranger@example.org",
    "ann-subject@example.org\r\nX-Injected: 1",
    "ann-subject@example.org\x00",
    "=HYPERLINK(1)@example.org",
    "<script>alert(1)</script>@example.org",
    "\ud800@example.org",
    "a" * 4000 + "@example.org",
)
ODD = (
    "o'hara@example.org",
    "jörg.müller@example.org",
    "ann+news@example.org",
    "ann/sales@example.org",
    'quo"te@example.org',
    "back\\slash@example.org",
    "per%20cent@example.org",
)
"""Addresses that people really have."""


ALIKE = ("\u212aiss@example.org", "ki\u017fs@example.org", "\uff4biss@example.org")
"""Of `kiss@example.org`: with the Kelvin sign, a long s, a wide k."""


class World(Protocol):
    """A vendor that the test controls: a sandbox here, or an account made for tests."""

    @property
    def searched_by(self) -> Sequence[str]:
        """The kinds of identifier that this system is searched with: `email`, `phone`, ..."""
        ...

    def connector(self, *, restricted: bool = False) -> Connector:
        """A new connector; `restricted`: with a key that may not read some kind of holding."""
        ...

    async def seed(self, subject: Subject, *, holdings: int) -> None:
        """Let exactly so many holdings be there, with every identifier on at least one of them.

        Let 250 be more than one page of a list that `locate` reads. If children hang on parents,
        seed both. Let every category have content that can.
        """
        ...

    async def orphan(self) -> bool:
        """Remove every parent and leave its children; False if this vendor has neither."""
        ...

    async def state(self) -> Mapping[str, Any]:
        """Every object that the vendor has, by a key of its own."""
        ...

    async def calls(self) -> int:
        """How many calls the vendor has had."""
        ...

    async def fail(
        self, status: int, *, times: int | None = 1, retry_after: int | None = None
    ) -> None:
        """Answer the next `times` calls so (all, if None), with no effect."""
        ...

    async def spoil(self, mode: Mode) -> None:
        """Spoil the next answer: `html`, `half` a body, `empty`; or `reset` every connection.

        `other`: JSON that says nothing. `repeat`: the first page of each list in place of every
        other.
        """
        ...

    async def lie(self) -> None:
        """Say that every change was made, and make none."""
        ...

    async def calm(self) -> None:
        """No more faults."""
        ...


class SandboxWorld(ABC):
    """A `World` around a `Sandbox`. A vendor adds `seed`, and `orphan` if it has children."""

    searched_by: Sequence[str] = ("email",)
    changes_by: ClassVar[tuple[str, ...]] = ("DELETE", "PUT", "PATCH")
    """The methods that change something; see `lie`. Add POST if the vendor deletes by it."""

    def __init__(self, sandbox: Sandbox, connector: type[Connector]) -> None:
        self.sandbox = sandbox
        self._connector = connector

    @abstractmethod
    async def seed(self, subject: Subject, *, holdings: int) -> None:
        """See `World`."""

    async def orphan(self) -> bool:
        """See `World`."""
        return False

    def connector(self, *, restricted: bool = False) -> Connector:
        """See `World`."""
        return registry.build(self._connector, self.sandbox.environ(restricted=restricted))

    async def state(self) -> Mapping[str, Any]:
        """See `World`."""
        copied: dict[str, Any] = json.loads(json.dumps(self.sandbox.state()))
        return copied

    async def calls(self) -> int:
        """See `World`."""
        return self.sandbox.calls.total()

    async def fail(
        self, status: int, *, times: int | None = 1, retry_after: int | None = None
    ) -> None:
        """See `World`."""
        self.sandbox.faults.append(Fault(status=status, times=times, retry_after=retry_after))

    async def spoil(self, mode: Mode) -> None:
        """See `World`."""
        # aiohttp by itself repeats a request once whose connection drops.
        times = None if mode in {"reset", "repeat"} else 1
        self.sandbox.faults.append(Fault(mode=mode, times=times))

    async def lie(self) -> None:
        """See `World`."""
        for method in self.changes_by:
            self.sandbox.faults.append(Fault(mode="lie", method=method, times=None))

    async def calm(self) -> None:
        """See `World`."""
        self.sandbox.faults.clear()


@dataclass(slots=True)
class Seen:
    """All pages of one `locate`."""

    holdings: list[Holding] = field(default_factory=list)
    gone: list[Holding] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    identifiers: list[Identifier] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)


async def look(it: Connector, subject: Subject, known: Sequence[Holding] = ()) -> Seen:
    """`locate`, all pages."""
    seen = Seen()
    async for page in it.locate(subject, known):
        seen.holdings += page.holdings
        seen.gone += page.gone
        seen.facts += page.facts
        seen.identifiers += page.identifiers
        seen.records += page.records
    return seen


async def exported(it: Connector, holdings: Iterable[Holding]) -> list[Record]:
    """`export` of all of them, in turn."""
    return [record for holding in holdings async for record in it.export(holding)]


def in_order(it: Connector, holdings: Iterable[Holding]) -> list[Holding]:
    """In the order of `capabilities.kinds`, as a host erases."""
    kinds = list(it.capabilities.kinds)
    found = list(holdings)
    unknown = {holding.kind for holding in found} - set(kinds)
    assert not unknown, f"not in capabilities.kinds: {unknown}"
    return sorted(found, key=lambda holding: kinds.index(holding.kind))


async def erase(
    it: Connector, holding: Holding, keep: frozenset[Category] = frozenset()
) -> Mapping[Category, Outcome]:
    """`erase`, spelled out: an outcome for each category that is not kept."""
    said = await it.erase(holding, keep)
    if isinstance(said, Mapping):
        return said
    return dict.fromkeys(holding.categories - keep, said)


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


def person(world: World, name: str) -> Subject:
    """Ann or Bob, by every kind of identifier that the world is searched by."""
    given = PEOPLE[name]
    return Subject(
        tuple(
            Identifier(kind, value)
            for kind in world.searched_by
            for value in given.get(kind, (f"{name}-{kind}-1", f"{name}-{kind}-2"))
        )
    )


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


READS: Sequence[Operation] = (_check, _locate, _look_again, _export)
ALL: Sequence[Operation] = (*READS, _erase)


def _named(operation: Operation) -> str:
    return getattr(operation, "__name__", "").strip("_")


@pytest.mark.asyncio
class ConnectorConformance:
    """Inherit, and provide the fixture `world`."""

    # What is there.

    async def test_a_good_key_passes_the_check(self, world: World) -> None:
        """`check` must not need anybody to be there."""
        async with world.connector() as it:
            await it.check()

    async def test_a_key_that_may_not_read_fails_the_check(self, world: World) -> None:
        """In `check`, read one of every kind: an empty `locate` counts only after it.

        If the connector does: does the sandbox say `unreadable`?
        """
        async with world.connector(restricted=True) as it:
            with pytest.raises(TerminalError):
                await it.check()

    async def test_a_stranger_is_held_nowhere(self, world: World) -> None:
        """`locate` gives no holdings for an unknown person; it does not raise."""
        await world.seed(person(world, "ann"), holdings=3)
        async with world.connector() as it:
            seen = await look(it, person(world, "bob"))
        assert (seen.holdings, seen.records, seen.identifiers) == ([], [], [])

    async def test_everything_is_located_across_pages(self, world: World) -> None:
        """Follow the vendor's next page to the last one, and name each holding once."""
        await world.seed(person(world, "ann"), holdings=250)
        async with world.connector() as it:
            held = (await look(it, person(world, "ann"))).holdings
        assert (len(held), len(set(held))) == (250, 250)

    async def test_every_identifier_is_searched_with(self, world: World) -> None:
        """Search with each strong identifier, and with every value of each kind."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            for n, identifier in enumerate(person(world, "ann").identifiers):
                held = (await look(it, Subject((identifier,)))).holdings
                assert held, f"nothing found by identifier {n}, a {identifier.kind}"

    async def test_a_weak_identifier_is_not_searched_with(self, world: World) -> None:
        """Those with `strong=False` are for the DPO to see: they find other people."""
        await world.seed(person(world, "ann"), holdings=12)
        weak = tuple(
            Identifier(given.kind, given.value, strong=False)
            for given in person(world, "ann").identifiers
        )
        async with world.connector() as it:
            assert (await look(it, Subject(weak))).holdings == []

    async def test_looking_twice_finds_the_same(self, world: World) -> None:
        """Orders are delivered more than once."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            first, again = [await look(it, person(world, "ann")) for _ in range(2)]
        assert first == again
        assert [it.categories for it in first.holdings] == [it.categories for it in again.holdings]

    async def test_what_is_located_was_declared(self, world: World) -> None:
        """Name every kind, its categories and every fact in `capabilities`: plans use them."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            seen = await look(it, person(world, "ann"))
            kinds = it.capabilities.kinds
            for held in seen.holdings:
                assert held.kind in kinds
                assert held.categories, f"a {held.kind} of no category can never be planned for"
                assert held.categories <= kinds[held.kind]
            assert {fact.name for fact in seen.facts} <= it.capabilities.facts

    async def test_further_identifiers_are_news(self, world: World) -> None:
        """Do not give back what the search was made with: it would be searched with again."""
        await world.seed(person(world, "ann"), holdings=12)
        given = {(it.kind, it.value) for it in person(world, "ann").identifiers}
        async with world.connector() as it:
            seen = await look(it, person(world, "ann"))
        assert given.isdisjoint((it.kind, it.value) for it in seen.identifiers)

    # The second look.

    async def test_what_is_known_is_read_by_its_own_id(self, world: World) -> None:
        """Read each of `known` by its id: a search by a person who has moved finds nothing."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            held = (await look(it, person(world, "ann"))).holdings
            again = await look(it, Subject(()), held)
        assert (set(again.holdings), again.gone) == (set(held), [])
        assert {it: it.categories for it in again.holdings} == {it: it.categories for it in held}

    async def test_a_child_is_seen_when_its_parent_is_gone(self, world: World) -> None:
        """Read a known child by its own id, not through its parent: what is left must show."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            held = (await look(it, person(world, "ann"))).holdings
            if not await world.orphan():
                pytest.skip(f"{it.capabilities.system} has no parents")
            again = await look(it, person(world, "ann"), held)
        assert again.gone, "the parents are gone, and it was not said"
        assert set(again.holdings) | set(again.gone) == set(held)
        assert again.holdings, "the children are there, and were not seen"

    async def test_every_known_holding_is_answered_for(self, world: World) -> None:
        """After erasing, each of `known` is in `holdings` or in `gone`, and in one of them only."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            held = (await look(it, person(world, "ann"))).holdings
            for holding in in_order(it, held):
                await it.erase(holding)
            again = await look(it, person(world, "ann"), held)
        assert set(again.holdings) | set(again.gone) == set(held)
        assert set(again.holdings).isdisjoint(again.gone)

    # Export.

    async def test_everything_located_is_exported(self, world: World) -> None:
        """Each holding has a record: in a page's `records`, or from `export`."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            seen = await look(it, person(world, "ann"))
            whole = {record.holding for record in seen.records}
            rest = await exported(it, [held for held in seen.holdings if held not in whole])
        assert whole | {record.holding for record in rest} == set(seen.holdings)
        assert all(record.body for record in (*seen.records, *rest))

    async def test_export_brings_only_what_was_located(self, world: World) -> None:
        """What `locate` does not list is never proved erased."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            seen = await look(it, person(world, "ann"))
            brought = {
                held: {record.holding async for record in it.export(held)} for held in seen.holdings
            }
        assert {record.holding for record in seen.records} <= set(seen.holdings)
        assert all(found <= {held} for held, found in brought.items())

    async def test_export_repeats_itself(self, world: World) -> None:
        """The same records in the same order, byte by byte: sort what the vendor does not."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            held = (await look(it, person(world, "ann"))).holdings
            assert await exported(it, held) == await exported(it, held)

    async def test_a_record_in_a_page_is_what_export_gives(self, world: World) -> None:
        """If a list's row is not the whole record, leave it to `export`."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            records = (await look(it, person(world, "ann"))).records
            fetched = await exported(it, dict.fromkeys(record.holding for record in records))
        assert records == fetched

    async def test_nothing_is_exported_of_what_is_gone(self, world: World) -> None:
        """A 404 is an answer: give no record, and do not raise."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            held = (await look(it, person(world, "ann"))).holdings
            for holding in in_order(it, held):
                await it.erase(holding)
            gone = (await look(it, Subject(()), held)).gone
            assert await exported(it, gone) == []

    # Erasure.

    async def test_what_is_erased_is_no_longer_located(self, world: World) -> None:
        """Say a proved outcome only of what a second look will not find."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            _needs(it, Right.ERASURE)
            held = (await look(it, person(world, "ann"))).holdings
            said = {holding: await erase(it, holding) for holding in in_order(it, held)}
            left = {it: it for it in (await look(it, person(world, "ann"), held)).holdings}
        for holding, outcomes in said.items():
            assert outcomes.keys() == holding.categories, "an outcome for every category"
            remains = left[holding].categories if holding in left else frozenset()
            for category, outcome in outcomes.items():
                assert not (isinstance(outcome, get_args(Proved)) and category in remains), (
                    f"{category} of a {holding.kind}: {type(outcome).__name__}, and still there"
                )

    @pytest.mark.parametrize("backwards", [False, True])
    async def test_erasing_twice_says_the_same(self, world: World, *, backwards: bool) -> None:
        """Gone already is `Erased`; a date is the vendor's, not counted from now."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            _needs(it, Right.ERASURE)
            held = in_order(it, (await look(it, person(world, "ann"))).holdings)
            for holding in reversed(held) if backwards else held:
                assert await it.erase(holding) == await it.erase(holding)

    async def test_nobody_else_is_touched(self, world: World) -> None:
        """If this fails, stop: the connector erases people who did not ask."""
        before = await world.state()
        await world.seed(person(world, "bob"), holdings=3)
        others = {k: v for k, v in (await world.state()).items() if k not in before}
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            _needs(it, Right.ERASURE)
            for holding in in_order(it, (await look(it, person(world, "ann"))).holdings):
                await it.erase(holding)
        after = await world.state()
        assert {key: after.get(key) for key in others} == others

    async def test_what_is_kept_stays_and_the_rest_goes(self, world: World) -> None:
        """With `keep`, blank the fields of all other categories, or say why they stay."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            _needs(it, Right.ERASURE)
            for holding, keep in _shares((await look(it, person(world, "ann"))).holdings):
                said = await erase(it, holding, keep)
                assert keep.isdisjoint(said), "nothing is said of what is kept"
                assert said.keys() == holding.categories - keep
                assert await erase(it, holding, keep) == said, "twice says the same"
                left = (await look(it, Subject(()), [holding])).holdings
                assert left, f"{'+'.join(sorted(keep))} of a {holding.kind} was to be kept"
                assert keep <= left[0].categories
                gone = {c for c, o in said.items() if isinstance(o, get_args(Proved))}
                assert gone.isdisjoint(left[0].categories), "said to be gone, and still there"

    async def test_a_lie_is_found_out_by_looking_again(self, world: World) -> None:
        """`locate` asks the vendor anew: never remember what was erased."""
        await world.seed(person(world, "ann"), holdings=12)
        async with world.connector() as it:
            _needs(it, Right.ERASURE)
            held = (await look(it, person(world, "ann"))).holdings
            await world.lie()
            for holding in in_order(it, held):
                await it.erase(holding)
            again = await look(it, person(world, "ann"), held)
        assert (set(again.holdings), again.gone) == (set(held), [])

    async def test_a_forbidden_erasure_is_not_proved(self, world: World) -> None:
        """A 403 is `Failed`, or raised; what the vendor refuses did not happen."""
        await world.seed(person(world, "ann"), holdings=3)
        async with world.connector() as it:
            _needs(it, Right.ERASURE)
            for holding in (await look(it, person(world, "ann"))).holdings:
                await world.fail(403, times=None)
                try:
                    outcomes = await erase(it, holding)
                except ConnectorError:
                    continue
                finally:
                    await world.calm()
                assert not any(isinstance(o, get_args(Proved)) for o in outcomes.values())

    async def test_every_reason_is_in_the_catalogue(self, world: World) -> None:
        """Add the code and a plain sentence to `capabilities.reasons`."""
        await world.seed(person(world, "ann"), holdings=12)
        said: list[Outcome] = []
        async with world.connector() as it:
            _needs(it, Right.ERASURE)
            held = (await look(it, person(world, "ann"))).holdings
            for holding, keep in _shares(held):
                said += (await erase(it, holding, keep)).values()
            for status in (400, 403, 405, 409):
                for holding in {it.kind: it for it in held}.values():
                    await world.fail(status, times=None)
                    said += await _outcomes_of(it, holding)
                    await world.calm()
            for holding in reversed(in_order(it, held)):
                said += await _outcomes_of(it, holding)
            catalogue = it.capabilities.reasons
        assert reasons(said) <= catalogue.keys()
        assert all(sentence.endswith(".") for sentence in catalogue.values()), "plain sentences"

    # Faults.

    @pytest.mark.parametrize("operation", ALL, ids=_named)
    @pytest.mark.parametrize("status", [429, 500, 503])
    async def test_a_busy_vendor_is_retryable(
        self, world: World, status: int, operation: Operation
    ) -> None:
        """Carry the vendor's Retry-After; the host waits, the connector does not."""
        for holding in await _one_of_each(world):
            await world.fail(status, retry_after=7)
            async with world.connector() as it:
                with pytest.raises(RetryableError) as caught:
                    await operation(it, person(world, "ann"), holding)
            assert caught.value.retry_after == timedelta(seconds=7)

    @pytest.mark.parametrize("operation", ALL, ids=_named)
    async def test_a_refused_key_is_never_absence(self, world: World, operation: Operation) -> None:
        """A 401 is a `TerminalError`: not «nothing held», not «gone», not «erased already»."""
        for holding in await _one_of_each(world):
            await world.fail(401, times=None)
            async with world.connector() as it:
                with pytest.raises(TerminalError) as caught:
                    await operation(it, person(world, "ann"), holding)
            assert caught.value.reason == "unauthorised"
            await world.calm()

    @pytest.mark.parametrize("operation", READS, ids=_named)
    async def test_a_forbidden_read_is_never_absence(
        self, world: World, operation: Operation
    ) -> None:
        """A 403 is a `TerminalError`: not «nothing held», not «gone»."""
        for holding in await _one_of_each(world):
            await world.fail(403, times=None)
            async with world.connector() as it:
                with pytest.raises(ConnectorError):
                    await operation(it, person(world, "ann"), holding)
            await world.calm()

    @pytest.mark.parametrize("operation", READS, ids=_named)
    @pytest.mark.parametrize("mode", ["html", "half", "empty", "reset"])
    async def test_an_unreadable_answer_is_retryable(
        self, world: World, mode: Mode, operation: Operation
    ) -> None:
        """A page of HTML, half a body or none, a dropped connection: the answer may come later."""
        for holding in await _one_of_each(world):
            await world.spoil(mode)
            async with world.connector() as it:
                with pytest.raises(RetryableError):
                    await operation(it, person(world, "ann"), holding)
            await world.calm()

    @pytest.mark.parametrize("operation", READS, ids=_named)
    async def test_an_answer_of_another_shape_is_an_error(
        self, world: World, operation: Operation
    ) -> None:
        """JSON that is not what is due: look at its shape first, and raise one of the two."""
        for holding in await _one_of_each(world):
            await world.spoil("other")
            async with world.connector() as it:
                with pytest.raises(ConnectorError):
                    await operation(it, person(world, "ann"), holding)
            await world.calm()

    async def test_a_page_that_comes_again_is_not_the_end(self, world: World) -> None:
        """Compare a page, or its way on, with those before: what is due was never seen.

        If the connector does: does the sandbox say `cursor`?
        """
        await world.seed(person(world, "ann"), holdings=250)
        await world.spoil("repeat")
        made = 0

        async def count(attempt: Callable[[], Awaitable[T]]) -> T:
            nonlocal made
            made += 1
            assert made <= ENDLESS, f"still asking for the next page after {ENDLESS} calls"
            return await attempt()

        token = caller.set(count)
        try:
            async with world.connector() as it:
                with pytest.raises(ConnectorError):
                    await look(it, person(world, "ann"))
        finally:
            caller.reset(token)

    async def test_every_call_goes_through_the_host(self, world: World) -> None:
        """Use `Http`, or `http.call`: the host limits, repeats and counts calls there."""
        await world.seed(person(world, "ann"), holdings=3)
        made, before = 0, await world.calls()

        async def count(attempt: Callable[[], Awaitable[T]]) -> T:
            nonlocal made
            made += 1
            return await attempt()

        token = caller.set(count)
        try:
            with witnessed() as calls:
                async with world.connector() as it:
                    await look(it, person(world, "ann"))
        finally:
            caller.reset(token)
        assert made == len(calls) == await world.calls() - before > 0

    # Hostile input, and silence.

    async def test_hostile_identifiers_find_nobody(self, world: World) -> None:
        """Quote or escape what goes into a path or a query; skip what is empty."""
        await world.seed(person(world, "ann"), holdings=3)
        await world.seed(person(world, "bob"), holdings=3)
        before = await world.state()
        async with world.connector() as it:
            for kind in world.searched_by:
                for n, value in enumerate(HOSTILE):
                    try:
                        seen = await look(it, Subject((Identifier(kind, value),)))
                    except TerminalError:
                        continue  # refused with a clear error
                    assert seen.holdings == [], f"{kind} {n} found somebody"
        assert await world.state() == before

    @pytest.mark.parametrize("address", ODD, ids=range(len(ODD)))
    async def test_odd_addresses_find_their_owner(self, world: World, address: str) -> None:
        """Quote `+`, `/`, `%`, apostrophes and umlauts exactly once on the way out."""
        if "email" not in world.searched_by:
            pytest.skip("not searched by e-mail")
        odd = Subject((Identifier("email", address),))
        await world.seed(odd, holdings=1)
        await world.seed(person(world, "bob"), holdings=1)
        async with world.connector() as it:
            assert len((await look(it, odd)).holdings) == 1

    @pytest.mark.parametrize("address", ALIKE, ids=range(len(ALIKE)))
    async def test_an_address_that_looks_alike_finds_nobody(
        self, world: World, address: str
    ) -> None:
        """Fold case with `interface.lower`: beyond ASCII, two people's addresses become one."""
        if "email" not in world.searched_by:
            pytest.skip("not searched by e-mail")
        await world.seed(Subject((Identifier("email", "kiss@example.org"),)), holdings=1)
        async with world.connector() as it:
            assert (await look(it, Subject((Identifier("email", address),)))).holdings == []

    async def test_no_identifier_reaches_a_log_or_an_error(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Name the operation, never the person; `raise ... from None`, a cause names the URL."""
        ann = person(world, "ann")
        holdings = await _one_of_each(world)
        said = []
        with caplog.at_level("DEBUG"), capture_logs() as logs:
            async with world.connector() as it:
                for operation, status in product(ALL, (500, 401, 403, 400)):
                    await world.fail(status, times=None)
                    said += [await _complaint(operation(it, ann, held)) for held in holdings]
                    await world.calm()
                await world.spoil("reset")
                said.append(await _complaint(look(it, ann)))
        assert any(said), "nothing was raised"
        text = f"{said} {logs} {caplog.text}".lower()
        assert not any(given.value.lower() in text for given in ann.identifiers)


def _needs(connector: Connector, right: Right) -> None:
    if right not in connector.capabilities.rights:
        pytest.skip(f"{connector.capabilities.system} does not declare {right}")


def _shares(holdings: Iterable[Holding]) -> list[tuple[Holding, frozenset[Category]]]:
    """Holdings with one category each to keep: of a kind, another holding for each category."""
    shares = []
    taken: dict[str, set[Category]] = {}
    for holding in holdings:
        left = sorted(holding.categories - taken.setdefault(holding.kind, set()))
        if left and len(holding.categories) > 1:
            taken[holding.kind].add(left[0])
            shares.append((holding, frozenset(left[:1])))
    return shares


async def _one_of_each(world: World) -> list[Holding]:
    """Of each kind, one of Ann's holdings, located before a fault sets in."""
    await world.seed(person(world, "ann"), holdings=12)
    async with world.connector() as it:
        held = (await look(it, person(world, "ann"))).holdings
    return list({holding.kind: holding for holding in held}.values())


async def _outcomes_of(it: Connector, holding: Holding) -> list[Outcome]:
    try:
        return list((await erase(it, holding)).values())
    except ConnectorError:
        return []


async def _complaint(operation: Awaitable[object]) -> str:
    """All that a log would show of what was raised."""
    try:
        await operation
    except ConnectorError as error:
        causes = (error.__cause__, None if error.__suppress_context__ else error.__context__)
        return f"{error!r} {error} {causes!r}"
    return ""
