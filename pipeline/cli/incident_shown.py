"""`habeas incident list`, `show`, `register`: look at breaches, without seeing whom they affect."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.sdk import wall_clock
from pipeline import app, disk
from pipeline.case.case import Case
from pipeline.case.inbox import Item, waiting
from pipeline.case.incident import Counts, Incident, counts
from pipeline.case.rules import Rules
from pipeline.register import decisions, incidents, reading
from pipeline.register.reading import Entry
from pipeline.response.breach_register import Decision, Line, Words, as_document, as_page, line
from pipeline.settings import Settings

from . import console

LOOK_EVERY = 1.0
"""Seconds."""


@click.command(name="list")
@console.as_json
@console.command
async def list_incidents(*, as_json: bool) -> None:
    """List every incident, the nearest end of its 72 hours first."""
    settings = console.load()
    async with app.register(settings, reading=True) as engine:
        rules = await app.rules_of(settings, engine)
        lines = await _lines(settings, engine, rules)
    if as_json:
        console.show_json(lines)
        return
    table = Table("incident", "state", "authority", "by", "affected", "told", "failed", "waiting")
    for it in lines:
        many = (it.counts.affected, it.counts.told, it.counts.failed, it.counts.waiting)
        late = "[red]late[/] " if it.is_late else ""
        by = f"{late}{it.due:%Y-%m-%d %H:%M}"
        table.add_row(console.short(it.incident), it.state, it.authority, by, *map(str, many))
    console.out.print(table if lines else "no incident: `habeas incident open` makes one")


@click.command()
@click.argument("incident_id", metavar="ID")
@click.option("--watch", is_flag=True, help="Until everybody was written to.")
@console.as_json
@console.command
async def show(incident_id: str, *, watch: bool, as_json: bool) -> None:
    """Show an incident: its hours and how they were counted, whom it affects, what waits.

    It shows nobody of the affected.
    """
    settings = console.load()
    async with app.register(settings, reading=True) as engine:
        rules = await app.rules_of(settings, engine)
        named = await reading.find(engine, incident_id)
        if watch:
            await _watch(engine, rules, named)
        case, known, entries = await _known(engine, rules, named)
        made = await _line(settings, engine, case, known, entries)
    items = list(waiting(case, rules))
    if as_json:
        console.show_json({**_plain(made), "waiting": [_item(it) for it in items]})
        return
    _print(made, items)


@click.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="A page (.html), or the same as JSON (.json).",
)
@console.as_json
@console.command
async def register(out: Path, *, as_json: bool) -> None:
    """Write the register of breaches for the supervisory authority (GDPR Art. 33(5)).

    The facts of each, its effects, the remedial action, and who decided what and why. It names
    nobody of the affected, unless somebody's own words do: read it before you hand it over.
    """
    if out.suffix not in {".html", ".json"}:
        raise click.UsageError("--out ends with .html or .json")
    if not out.parent.is_dir():
        raise click.ClickException(f"--out: there is no folder {out.parent}")
    settings, now = console.load(), wall_clock.now()
    async with app.register(settings, reading=True) as engine:
        rules = await app.rules_of(settings, engine)
        lines = await _lines(settings, engine, rules)
    write = as_page if out.suffix == ".html" else as_document
    with disk.writing("out", out.parent), disk.drafted(out) as target:
        target.write(write(lines, rules.policy.controller, now))
    if as_json:
        console.show_json({"out": str(out), "incidents": len(lines)})
    else:
        console.out.print(f"{len(lines)} in {out}", soft_wrap=True)


async def _lines(settings: Settings, engine: AsyncEngine, rules: Rules) -> list[Line]:
    made = []
    for it in await reading.incidents(engine):
        case, known, entries = await _known(engine, rules, it.id)
        made.append(await _line(settings, engine, case, known, entries))
    return made


async def _known(
    engine: AsyncEngine, rules: Rules, named: UUID
) -> tuple[Case, Incident, list[Entry]]:
    entries = await reading.entries(engine, named)
    case = reading.folded(entries, rules)
    if case.incident is None:
        raise click.ClickException(f"{named} is a request: `habeas case {named}`")
    return case, case.incident, entries


async def _line(
    settings: Settings, engine: AsyncEngine, case: Case, known: Incident, entries: list[Entry]
) -> Line:
    files, codec = app.Place(settings.data).keys, await app.codec(settings)
    written = await incidents.described(engine, codec, files, case.id, entries)
    taken = await decisions.taken(engine, codec, files, case.id, entries)
    last = written[-1] if written else None
    said = (
        Words()
        if last is None
        else Words(happened=last.happened, consequences=last.consequences, measures=last.measures)
    )
    made = [
        Decision(
            at=it.at,
            what=it.name,
            console=it.console,
            roles=it.roles,
            says=it.says,
            evidence=it.evidence,
        )
        for it in taken or ()
    ]
    words = None if written is None else said
    return line(case.id, case.state, known, words, made, wall_clock.now())


async def _watch(engine: AsyncEngine, rules: Rules, named: UUID) -> None:
    """A bar of how many were told, until nobody waits."""
    columns = (TextColumn("told"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console.err, transient=True) as bar:
        task = bar.add_task("", total=None)
        while True:
            _, known, _ = await _known(engine, rules, named)
            many = counts(known)
            total = many.affected - many.unreachable
            bar.update(task, total=total, completed=many.told + many.failed)
            if not (known.tells and many.waiting):
                return
            await asyncio.sleep(LOOK_EVERY)


def _plain(made: Line) -> dict[str, object]:
    return {name: getattr(made, name) for name in Line.__dataclass_fields__}


def _item(it: Item) -> dict[str, object]:
    return {
        "item": it.id,
        "kind": it.kind,
        "due": it.due,
        "says": it.says,
        "command": it.command,
    }


def _print(made: Line, items: Sequence[Item]) -> None:
    late = " [red]late[/]" if made.is_late else ""
    many: Counts = made.counts
    until = _at(made.until) if made.until else "it goes on"
    for text in (
        f"incident [bold]{made.incident}[/], {made.state}: {made.what}",
        f"found by {made.found_by}; known since {_at(made.aware_at)}",
        f"in {', '.join(made.systems)}: {', '.join(made.categories)}; {_at(made.since)} to {until}",
        f"authority: {made.authority}; by {_at(made.due)}{late}",
        *(f"  {it}" for it in made.counted),
        f"the affected: {made.affected}",
        f"  {many.affected} affected: {many.told} told, {many.failed} failed,",
        f"  {many.waiting} waiting, {many.unreachable} without an address",
        *(
            [f"  [red]portions of a list that did not come: {made.missing}[/]"]
            if made.missing
            else []
        ),
        *(f"  [red]whom it holds is not known: {it}[/]" for it in made.unlisted),
        f"what happened: {made.happened}",
        f"consequences: {made.effects}",
        f"measures: {made.remedial_action}",
    ):
        console.out.print(text, soft_wrap=True)
    table = Table("item", "by", "what waits")
    for it in items:
        table.add_row(it.id, f"{it.due:%Y-%m-%d %H:%M}", f"{it.says}\n  {it.command}")
    console.out.print(table if items else "nothing of it waits for anybody")


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
