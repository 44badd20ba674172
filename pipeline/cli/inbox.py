"""`habeas inbox`: everything that waits for a person, by when, and the command that settles it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import click
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline import app
from pipeline.case.inbox import DPO, Item, waiting
from pipeline.case.rules import Rules
from pipeline.register import reading
from pipeline.register.reading import CaseLine

from . import console

ROLES = ("dpo", "reviewer")


@click.command()
@click.argument("case", default="")
@click.option("--role", type=click.Choice(ROLES), help="Only what this role may settle.")
@console.as_json
@console.command
async def inbox(case: str, role: str | None, *, as_json: bool) -> None:
    """List what waits for a person over all cases, or in CASE, the nearest date first.

    \b
    habeas inbox                     plans to approve, records that are contested, identities,
    habeas inbox 0204b5fb            what is left to do by hand, proposals for a second person
    habeas inbox --role reviewer     what a reviewer may settle; the DPO may settle everything

    The DPO has a mail when something of a case comes to wait for them, and another one before its
    date. It shows no personal data.
    """
    settings = console.load()
    async with app.register(settings) as engine:
        rules = await app.rules_of(settings, engine)
        only = await reading.find(engine, case) if case else None
        lines = [it for it in await reading.cases(engine) if only in {None, it.id}]
        found = [item for line in lines for item in await _of_case(engine, line, rules)]
    items = sorted(
        (it for it in found if role in {None, DPO, it.role}),
        key=lambda it: (it.due, it.case, it.id),
    )
    if as_json:
        console.show_json(items)
        return
    table = Table("due", "case", "item", "for", "what waits")
    for it in items:
        row = (f"{it.due:%Y-%m-%d}", console.short(it.case), it.id, it.role)
        table.add_row(*row, f"{it.says}\n  {it.command}")
    console.out.print(table if items else "nothing waits for anybody")


async def _of_case(engine: AsyncEngine, line: CaseLine, rules: Rules) -> list[Item]:
    """What waits in a case: what its events tell, holds on its systems, and what broke."""
    entries = await reading.entries(engine, line.id)
    items = list(waiting(reading.folded(entries, rules), rules)) if entries else []
    return [*items, *_held(line), *(() if items or not line.broken else (_broken(line),))]


def _held(line: CaseLine) -> Iterator[Item]:
    for it in line.held:
        system = "all" if it.system == "*" else it.system
        says = f"erasing waits for a hold on {system}: {it.reason}"
        yield _line(line, "hold", says, f"habeas hold lift {system}", line.due_at)


def _broken(line: CaseLine) -> Item:
    """A case that no event tells a person of: set aside, or one that could not be decided."""
    return _line(line, "broken", line.broken, f"habeas case {line.id}", line.due_at)


def _line(line: CaseLine, kind: str, says: str, command: str, due: datetime) -> Item:
    return Item(case=line.id, id=kind, kind=kind, due=due, role=DPO, says=says, command=command)
