"""`habeas obligations`: what was put off, when it is looked at again, and what became of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click
from rich.table import Table

from connectors.sdk import wall_clock
from pipeline import app
from pipeline.register import obligations as register
from pipeline.register.obligations import FOR_PEOPLE, OVERDUE, Owed

from . import console

LOUD = frozenset({OVERDUE, FOR_PEOPLE, "unreadable"})
"""What somebody has to look at."""


@click.command()
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="What falls due up to that day.")
@click.option("--system", default="", help="What lies in one system alone.")
@click.option("--all", "closed", is_flag=True, help="Also what is done or renewed.")
@console.as_json
@console.command
async def obligations(*, until: datetime | None, system: str, closed: bool, as_json: bool) -> None:
    """List what is kept for a time or goes by itself, by the day on which it is looked at again.

    \b
    waiting      its day has not come
    overdue      its day is over, and nobody looked: is an orchestrator running?
    looking      a case of its own is under way
    for people   it was looked at, and something is left to a person: `habeas case` says what
    unreadable   its key is gone: nobody can tell any more what it is about

    On its day each becomes a case of its own, under a key of its own: a search, a plan under the
    policy in force, an erasure with its second look, and a supplement to the first answer.
    """
    settings = console.load()
    async with app.register(settings) as engine:
        found = await register.every(engine, wall_clock.now())
    end = None if until is None else until.replace(tzinfo=UTC) + timedelta(days=1)
    shown = [
        it
        for it in found
        if (closed or it.closed_at is None or it.state in LOUD)
        and system in {"", it.system}
        and (end is None or it.look_at < end)
    ]
    if as_json:
        console.show_json(shown)
        return
    table = Table("look again", "system", "state", "items", "why", "case", "looked at in")
    for it in shown:
        table.add_row(*_line(it))
    console.out.print(table)


def _line(it: Owed) -> tuple[str, ...]:
    state = f"[red]{it.state}[/]" if it.state in LOUD else it.state
    until = f" until {it.until:%Y-%m-%d}" if it.until else ""
    return (
        f"{it.look_at:%Y-%m-%d}",
        it.system,
        state,
        str(it.count),
        f"{it.kind}{until} {it.rule}".strip(),
        console.short(it.case),
        console.short(it.follow_up),
    )
