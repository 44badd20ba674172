"""Every row of the policy bites: change any single one, and something that people see is other.

Seen are an answer's page, what a check says, decisions, orders and notices; never the file.
"""

from __future__ import annotations

import asyncio
import json
import tomllib
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import date, timedelta
from functools import cache, partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import pytest

from connectors.sdk import registry
from pipeline import policy
from pipeline.case.deadline import IDENTITY, Pause, deadline
from pipeline.case.dues import dues
from pipeline.case.facts import Told
from pipeline.case.plan import decide
from pipeline.case.rules import Rules
from pipeline.policy import Policy, PolicyError
from pipeline.policy.check import faults, notes
from pipeline.response.answer import answer
from pipeline.response.pages import index
from pipeline.settings import Settings
from schemas import events as e
from schemas.records import CoverageRow, FoundRow, OutcomeRow
from tests.unit import answers
from tests.unit.worlds import CASE, START, Run, Thing, World, many_tickets

from .people import ANN
from .world import World as TheWorld

SYSTEMS = {it: registry.connector(it).capabilities for it in registry.systems()}
OURS, LAW = ((Path(policy.__file__).parent / name).read_text() for name in policy.FILES)
READ: dict[str, Any] = tomllib.loads(OURS)
ROWS = [
    (row, kind, category)
    for row, able in SYSTEMS.items()
    for kind, categories in able.kinds.items()
    for category in map(str, categories)
]
DAY = date(2026, 3, 2)
OVER = {
    "subscription_open": "false",
    "subscription_ended": "2024-02-29",
    "last_charge": "2024-01-29",
    "last_invoice": "2024-01-28",
    "last_contact": "2024-03-07",
    "last_request": "2024-03-08",
    "last_erasure": "2024-03-09",
}
"""Of somebody who left: what the years of rules run from."""
FACTS = [
    {"customer": bought, "purchase": bought, "open_dispute": dispute, **OVER}
    for bought, dispute in product(("true", "false"), repeat=2)
]
NEXT_DAY = timedelta(days=1)
LABELS = (("id",), ("examples",))
"""What names a row, and what is a test itself."""
Change = tuple[str, Callable[[dict[str, Any]], None]]
"""What is changed, in words, and how."""


def toml(value: Any) -> str:
    """A value as TOML has it in one line."""
    if isinstance(value, dict):
        inside = ", ".join(f"{json.dumps(name)} = {toml(it)}" for name, it in value.items())
        return f"{{ {inside} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value)


def as_policy(read: dict[str, Any]) -> Policy:
    return policy.read(["\n".join(f"{name} = {toml(it)}" for name, it in read.items()), LAW])


def changes(table: str) -> Iterator[Change]:
    """Each value of each row changed, and each row taken out."""
    rows = READ[table] if isinstance(READ[table], list) else [READ[table]]
    for n, row in enumerate(rows):
        named = row.get("id") or f"{row.get('system', '')} {row.get('kind', n)}"
        for path in _values(row, ()):
            yield f"{table} {named}: {path}", partial(_set, table, n, path)
        if isinstance(READ[table], list):
            yield f"{table} {named} taken out", partial(_without, table, n)


def _values(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    if path[:1] in LABELS:
        return
    if not isinstance(value, dict | list):
        yield path
        return
    for name, it in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _values(it, (*path, name))


def _set(table: str, n: int, path: tuple[Any, ...], read: dict[str, Any]) -> None:
    at = read[table][n] if isinstance(read[table], list) else read[table]
    *way, last = path
    for name in way:
        at = at[name]
    was = at[last]
    at[last] = not was if isinstance(was, bool) else was + 1 if isinstance(was, int) else f"{was}x"


def _without(table: str, n: int, read: dict[str, Any]) -> None:
    del read[table][n]


@pytest.mark.parametrize("table", sorted(READ))
def test_a_change_of_any_single_row_is_seen(table: str) -> None:
    """GDPR Art. 5(2), 13, 15(1): what the policy says is what happens, and what people are told."""
    unseen = [what for what, change in changes(table) if not is_seen(change)]
    assert unseen == []


def is_seen(change: Callable[[dict[str, Any]], None]) -> bool:
    """Whether anything differs; a policy that cannot be read is refused, which is seen."""
    read = deepcopy(READ)
    change(read)
    try:
        changed = as_policy(read)
    except PolicyError:
        return True
    return any(look(changed) != as_it_is(n) for n, look in enumerate(LOOKS))


@cache
def as_it_is(n: int) -> Any:
    """What is seen of the policy as it is."""
    return LOOKS[n](as_policy(READ))


def checked(known: Policy) -> Any:
    return faults(known, SYSTEMS), notes(known)


def page(known: Policy) -> bytes:
    """The answer to somebody of whom every system holds something of every kind."""
    found = tuple(FoundRow(system=of, kind=kind, category=it, count=2) for of, kind, it in ROWS)
    kept = tuple(
        CoverageRow(
            system=of,
            kind=kind,
            category=category,
            state="kept",
            outcome=OutcomeRow(kind="retained", rule=rule["id"]),
            count=1,
            right="erasure",
        )
        for rule in READ["retention"]
        for of, kind, category in [next(_covered(rule))]
    )
    documents = tuple(
        FoundRow(system=it["system"], kind=it["kind"], category="", count=1)
        for it in READ["documents"]
    )
    order = replace(answers.order((), "erasure"), found=found, coverage=kept, documents=documents)
    return index(answer(order, answers.PERSON, known, {}, answers.NOW), ())


def _covered(rule: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for it in rule["rows"]:
        for category in it["categories"]:
            yield it["system"], it["kind"], category


def decided(known: Policy) -> Any:
    told = [{name: Told(value=it) for name, it in facts.items()} for facts in FACTS]
    return [decide(*row, facts, known, DAY) for facts in told for row in ROWS]


def played(known: Policy) -> Any:
    """Who is asked, approved and told what, in small worlds."""
    seen: list[Any] = []
    upload = Thing("upload", "upload", {"profile", "usage"}, frozenset({"first"}))
    for world in (World(things={"aws": [upload]}), many_tickets(24), many_tickets(25)):
        rules = Rules(policy=known, systems=SYSTEMS, settings=Settings(), earlier={})
        run = Run(world, rules=rules)
        run.go("access", "erasure")
        alone = Run(world, rules=rules)
        alone.go("portability")
        for said in (it.event for it in (*run.said, *alone.said)):
            match said:
                case e.SearchOrdered():
                    seen.append((said.system, said.export_kinds, said.trusted))
                case e.NoticeOrdered():
                    seen.append((said.kind, said.to))
                case e.DocumentsFound() | e.PlanApproved():
                    seen.append(type(said).__name__)
                case _:
                    pass
    return seen


def timed(known: Policy) -> Any:
    """What the clock comes back for while nobody answers; what stops the time, and what not."""
    rules = Rules(policy=known, systems=SYSTEMS, settings=Settings(), earlier={})
    run = Run(World(things={}), rules=rules)
    run.start("access")
    assert run.case is not None
    waiting = list(dues(run.case, rules))
    run.take(e.DeadlineExtended(case=CASE, by="dpo", reason="eu-gdpr:A12Complexity"), UUID(int=1))
    waiting += dues(run.case, rules)
    later = START + timedelta(days=20)
    asked = [Pause(IDENTITY, START + timedelta(days=it), later) for it in range(6)]
    return waiting, [deadline(START, known.clock, pauses=[it]) for it in asked]


def instructed(known: Policy) -> Any:
    """Where instructions about somebody with an address and a user id go, and what they name."""
    with TemporaryDirectory() as folder:
        return asyncio.run(_instructed(known, Path(folder)))


async def _instructed(known: Policy, folder: Path) -> Any:
    policies = folder / "policy"
    policies.mkdir()
    for name, text in zip(policy.FILES, known.texts, strict=True):
        (policies / name).write_text(text)
    options = {"policy": str(policies)}
    async with TheWorld(folder, systems=("stripe",), options=options) as world:
        world.holds("stripe", "customer", email=ANN, name="Ann", metadata={"user_id": "BX-1"})
        await world.submit("erasure", email=ANN)
        told = await world.said(e.InstructionOrdered)
        kinds = {(it.recipient, of.kind) for it in told for of in it.identifiers}
        return sorted(it.to for it in world.instructions()), sorted(kinds)


LOOKS = (checked, page, decided, played, timed, instructed)
"""What is wrong comes first: such a policy does not start."""
