"""`habeas inbox`: everything that waits for a person, by when, and the command that settles it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import click
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.sdk import wall_clock
from pipeline import app
from pipeline.case.case import Taken
from pipeline.case.inbox import DPO, Item, waiting
from pipeline.case.rules import Rules
from pipeline.keys.key_folder import KeyFileError
from pipeline.register import decisions, reading
from pipeline.register.reading import CaseLine, Entry
from pipeline.settings import Settings
from schemas.events import ItemTaken

from . import console, put_aside
from .deciding import Who, as_person, decided, evidence, opened, says, told

ROLES = ("dpo", "reviewer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who sees to an item."""

    console: str
    login: str
    """Empty if the key of the case is not here."""
    since: datetime

    @property
    def shown(self) -> str:
        """For people."""
        return f"{self.console} ({self.login})" if self.login else self.console


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An item, and who sees to it; None is nobody."""

    item: Item
    owner: Owner | None = None


@click.group(cls=console.OrElse, default="list")
def inbox() -> None:
    """List what waits for a person over all cases, or in CASE, the nearest date first.

    \b
    habeas inbox                         plans to approve, records that are contested, identities,
    habeas inbox 0204b5fb                what is left to do by hand, proposals for a second person
    habeas inbox --role reviewer         what a reviewer may settle; the DPO may settle everything
    habeas inbox take 0204b5fb 3fa2c1    you see to it, and whoever looks knows that

    The DPO has a mail when something of a case comes to wait for them, another one before its date,
    and, of what nobody has taken, more of them with growing pauses. Records that nobody could
    read are of no case: without CASE it says how many lie in dead letters, and why. It shows
    nothing of the persons whom the cases are about.
    """


@inbox.command(name="list")
@click.argument("case", default="")
@click.option("--role", type=click.Choice(ROLES), help="Only what this role may settle.")
@console.as_json
@console.command
async def list_items(case: str, role: str | None, *, as_json: bool) -> None:
    """List what waits for a person, over all cases or in CASE, the nearest date first."""
    settings = console.load()
    found = await _found(settings, case)
    aside = None if case else await put_aside.looked(settings)
    shown = sorted(
        (it for it in found if role in {None, DPO, it.item.role}),
        key=lambda it: (it.item.due, it.item.case, it.item.id),
    )
    if as_json:
        console.show_json({"items": [_plain(it) for it in shown], "dead_letters": aside})
        return
    console.out.print(_table(shown) if shown else "nothing waits for anybody")
    if aside is not None and aside.records != 0:
        console.out.print(str(aside), soft_wrap=True)


@inbox.command()
@click.argument("case")
@click.argument("item")
@says
@evidence
@as_person
@console.as_json
@console.command
async def take(case: str, item: str, says: str, evidence: str, *, who: Who, as_json: bool) -> None:
    """Say that you see to ITEM of CASE, or take it over from who does, until it ends.

    Whoever may settle it may take it: `habeas inbox` shows for which role it waits.
    """
    settings = console.load()
    known = await opened(settings, case)
    async with app.register(settings) as engine:
        rules = await app.rules_of(settings, engine)
    named = item.lower()
    found = next((it for it in waiting(known, rules) if it.id == named), None)
    if found is None:
        raise click.ClickException(f"{item!r} is nothing that waits: `habeas inbox {case}`")
    event = ItemTaken(case=known.id, by=who.name, at=wall_clock.now(), item=found.id)
    await decided(settings, who, event, says, evidence)
    over = f", over from {found.taken.by}" if found.taken else ""
    told(known, f"{who.name} takes {found.id}{over}", as_json=as_json, item=found.id)


async def _found(settings: Settings, case: str) -> list[Shown]:
    """What waits over all cases, or in the one whose id begins so."""
    async with app.register(settings) as engine:
        rules = await app.rules_of(settings, engine)
        only = await reading.find(engine, case) if case else None
        every = (*await reading.cases(engine), *await reading.incidents(engine))
        lines = [it for it in every if only in {None, it.id}]
        return [it for line in lines for it in await _of_case(settings, engine, line, rules)]


def _plain(it: Shown) -> dict[str, object]:
    """An item as JSON has it."""
    fields = {name: getattr(it.item, name) for name in Item.__dataclass_fields__}
    del fields["taken"]
    return {**fields, "owner": it.owner}


def _table(shown: Sequence[Shown]) -> Table:
    table = Table("due", "case", "item", "for", "taken by", "what waits")
    for it in shown:
        item, owner = it.item, it.owner.shown if it.owner else "nobody"
        row = (f"{item.due:%Y-%m-%d}", console.short(item.case), item.id, item.role, owner)
        table.add_row(*row, f"{item.says}\n  {item.command}")
    return table


async def _of_case(
    settings: Settings, engine: AsyncEngine, line: CaseLine, rules: Rules
) -> list[Shown]:
    """What waits in a case: what its events tell, holds on its systems, and what broke."""
    entries = await reading.entries(engine, line.id)
    items = list(waiting(reading.folded(entries, rules), rules)) if entries else []
    shown = [
        Shown(
            item=it,
            owner=await _owner(settings, engine, entries, it.taken) if it.taken else None,
        )
        for it in items
    ]
    others = [*_held(line), *(() if items or not line.broken else (_broken(line),))]
    return [*shown, *(Shown(item=it) for it in others)]


async def _owner(
    settings: Settings, engine: AsyncEngine, entries: Sequence[Entry], it: Taken
) -> Owner:
    """Who took it, with the login where this machine can open it."""
    files, codec = app.Place(settings.data).keys, await app.codec(settings)
    told = [entry for entry in entries if entry.number == it.recorded]
    try:
        made = await decisions.taken(engine, codec, files, entries[0].event.case, told)
    except KeyFileError:
        made = None
    return Owner(console=it.by, login=made[0].login if made else "", since=it.since)


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
