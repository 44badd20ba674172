"""`habeas replay`: what a vendor brought back with a backup is looked for, and erased again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import click
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.sdk import wall_clock
from pipeline import app
from pipeline.case.case import Case
from pipeline.case.erased import asked_in, erased_at
from pipeline.case.fold import fold
from pipeline.case.replays import systems_erased
from pipeline.case.rights import ERASURE
from pipeline.case.rules import Rules
from pipeline.keys.key_files import signer_in
from pipeline.register import reading, store
from pipeline.register.case_keys import CaseKeys
from pipeline.settings import Settings
from schemas.events import ErasureReplayed

from . import console
from .deciding import Who, as_person, says

AT_ONCE = 100
"""Cases that are read at once."""


@dataclass(slots=True)
class Found:
    """Which erasures are to be done again, and which nobody can do or must wait for."""

    again: dict[UUID, tuple[str, ...]] = field(default_factory=dict)
    """By the case in which the person asked: the systems where it erased something."""
    keyless: set[UUID] = field(default_factory=set)
    """Cases of which nobody can tell any more for whom they erased."""
    open: set[UUID] = field(default_factory=set)
    """Cases that erase still, and have not settled."""

    def add(self, case: Case, named: Sequence[str], since: datetime) -> None:
        """Take a case in, if it erased anything in one of these systems since then."""
        at, systems = erased_at(case), systems_erased(case).intersection(named)
        if case.wants(ERASURE) and case.claims[ERASURE].active and case.plan is not None:
            if case.plan.ordered.intersection(named):
                self.open.add(case.id)
        elif at is not None and at >= since and systems:
            asked = asked_in(case)
            before = self.again.get(asked, ())
            self.again[asked] = tuple(sorted(systems.union(before)))


@click.command()
@click.argument("systems", nargs=-1, metavar="[SYSTEM]...")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]),
    required=True,
    help="When the backup was made (UTC): what settled since is erased again.",
)
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would be done.")
@says
@as_person
@console.as_json
@console.command
async def replay(
    systems: tuple[str, ...],
    since: datetime,
    *,
    dry_run: bool,
    says: str,
    who: Who,
    as_json: bool,
) -> None:
    """Erase again what SYSTEM brought back: its vendor restored a backup, or you did.

    \b
    habeas replay --since 2026-11-01 freshdesk --dry-run    how many cases, and which cannot be
    habeas replay --since 2026-11-01 freshdesk              each gets a case of its own, that looks

    Every case whose erasure settled since, and erased something there, gets a follow-up: it
    searches the system again with all that was known to be the person's and plans under the policy
    in force. The plan always waits for an approval (`habeas inbox`), since somebody may have come
    back on their own. What is found is erased, looked for once more, and told to the person; where
    nothing is found nobody is written to.

    Given again on the same day it changes nothing. A case whose key is gone is named: look for that
    person yourself. So is one that erases still: give this again once it has settled. Exit codes: 0
    all are looked into; 1 some are not.
    """
    settings = console.load()
    if unknown := sorted(set(systems) - set(app.systems(settings))):
        raise click.UsageError(f"no system {unknown[0]!r}: {', '.join(app.systems(settings))}")
    async with app.register(settings) as engine:
        rules = await app.rules_of(settings, engine)
        named = systems or app.systems(settings)
        found = await _found(engine, rules, named, since.replace(tzinfo=UTC))
        await _without_keys(settings, engine, found)
    if not dry_run and found.again:
        await _say(settings, who, found, says)
    _tell(found, dry_run=dry_run, as_json=as_json)
    click.get_current_context().exit(1 if found.keyless or found.open else 0)


async def _found(
    engine: AsyncEngine, rules: Rules, systems: Sequence[str], since: datetime
) -> Found:
    found, every = Found(), [it.id for it in await reading.cases(engine)]
    for n in range(0, len(every), AT_ONCE):
        async with engine.connect() as connection:
            read = await store.events_of(connection, every[n : n + AT_ONCE])
        for events in read.values():
            if (case := fold(events, rules)) is not None:
                found.add(case, systems, since)
    return found


async def _without_keys(settings: Settings, engine: AsyncEngine, found: Found) -> None:
    """Take out those whose record key is gone."""
    keys = CaseKeys(app.Place(settings.data).keys.wrapping())
    async with engine.connect() as connection:
        living = await keys.record_keys(connection, found.again.keys())
    for case in list(found.again):
        if living.get(case, (None, None))[1] is None:
            del found.again[case]
            found.keyless.add(case)


async def _say(settings: Settings, who: Who, found: Found, says: str) -> None:
    signer = None if who.key is None else signer_in(who.key)
    async with app.local_edge(settings, who.name, signer) as sender:
        for case, systems in sorted(found.again.items()):
            now = wall_clock.now()
            event = ErasureReplayed(case=case, by=who.name, at=now, systems=systems)
            await sender.decision(event, who.login, says=says)


def _tell(found: Found, *, dry_run: bool, as_json: bool) -> None:
    counts = Counter(system for systems in found.again.values() for system in systems)
    if as_json:
        console.show_json(
            {
                "dry_run": dry_run,
                "cases": sorted(found.again),
                "systems": dict(sorted(counts.items())),
                "keyless": sorted(found.keyless),
                "open": sorted(found.open),
            }
        )
        return
    would = "would be looked into" if dry_run else "are looked into"
    by_system = ", ".join(f"{system}: {count}" for system, count in sorted(counts.items()))
    _line(f"cases that {would} again: [bold]{len(found.again)}[/] ({by_system or 'nowhere'})")
    for case in sorted(found.keyless):
        _line(
            f"[red]not done[/] {case}: the key of its record is gone; look for the person yourself"
        )
    for case in sorted(found.open):
        _line(f"[red]not done[/] {case}: it erases still; give this again once it has settled")
    if found.again and not dry_run:
        _line("`habeas inbox` has a plan to approve for each where something was found")


def _line(text: str) -> None:
    console.out.print(text, soft_wrap=True, highlight=False)
