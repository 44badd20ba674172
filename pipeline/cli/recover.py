"""`habeas recover`: after the register was restored from a backup."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from pipeline import app
from pipeline.case.lost import LostCase
from pipeline.kafka.ledger_topic import Progress as Told
from pipeline.kafka.resume_offsets import ResumeOffset
from pipeline.recovery.recovery import Recovered

from . import console
from .run import Fetching


@click.command()
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would be done.")
@click.option(
    "--trust-unsigned/--ignore-unsigned",
    "trust_unsigned",
    default=None,
    help="Whether to believe what lies before the first signature of an orchestrator on"
    " rights.ledger: a release before signatures wrote it, or anybody who could.",
)
@console.as_json
@console.command
async def recover(*, dry_run: bool, trust_unsigned: bool | None, as_json: bool) -> None:
    """Bring a register that was restored from a backup up to what was decided since.

    Stop every orchestrator first. Takes over from `rights.ledger` what the register lacks, destroys
    again the keys that were destroyed, holds erasing everywhere (two people lift it: `habeas hold
    --help`), and lists what cannot be recovered and what a person must do about it. It may be
    stopped at any time, and run again. `--json` prints all of it.

    Only what an orchestrator signed is believed, by a key whose public half lies in
    keys/orchestrator of the data folder; the rest is counted and left out. Decisions must bear
    their console's own signature, requests their intake's.
    """
    settings = console.load()
    with Fetching() as fetching:
        async with app.broker(settings, fetching) as bootstrap:
            fetching.done()
            with _bar() as progress:
                done = await app.recover(
                    settings,
                    bootstrap,
                    progress,
                    dry_run=dry_run,
                    trust_unsigned=trust_unsigned,
                )
    if as_json:
        console.show_json({"dry_run": dry_run, **asdict(done)})
        return
    show(done, dry_run=dry_run)


@contextmanager
def _bar() -> Iterator[Told]:
    columns = (TextColumn("reading rights.ledger"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console.err, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def show(done: Recovered, *, dry_run: bool) -> None:
    """Print what was done, or would be, and what a person must do."""
    would = "would be " if dry_run else ""
    if not done.was_behind:
        console.out.print(f"[green]the register is not behind[/] ({done.read} events read)")
    else:
        console.out.print(f"{would}taken over: {done.events} events of {done.cases} cases")
        console.out.print(f"{would}destroyed again: {done.keys_destroyed} keys")
        console.out.print(f"[bold]erasing {would or 'is '}held in every system[/]")
    for place in done.resume_offsets:
        _line(_place(place))
    for it in done.lost:
        _lost(it)
    for broken in done.broken:
        _line(f"[red]left alone[/] {broken.case}: {broken.why}; a person must look at it")
    for owed in done.obligations:
        until = f" until {owed.until:%Y-%m-%d}" if owed.until else ""
        _line(
            f"[red]obligation's key lost[/] {owed.obligation} of {owed.case}: {owed.system},"
            f" {owed.state}{until}; come back to it yourself"
        )
    _keys(done)
    for why, count in sorted(done.doubted.items()):
        _line(f"[red]left out[/] {count} events that no known orchestrator signed: {why}")
    if any(it.startswith("unknown_key") for it in done.doubted):
        _line(
            "  if these keys are yours, bring keys/orchestrator/<key>.pub back from a newer backup"
            " of the data folder, and run this again"
        )
    for record in done.unreadable:
        _line(f"[red]unreadable[/] {record.partition}@{record.offset}: {record.reason}")


def _keys(done: Recovered) -> None:
    """What came of keys that should be gone and are not, or are and should not be."""
    for case in done.keys_kept:
        _line(
            f"[red]key not destroyed[/] {case}: rights.ledger says it was, but its events make no"
            " chain; it is destroyed when its time is up"
        )
    for case in done.forgotten:
        _line(
            f"[red]erasure forgotten[/] {case}: the keys that say for whom it was are lost, and"
            " `habeas screen` finds them no more"
        )


def _place(it: ResumeOffset) -> str:
    said = f"{it.topic}/{it.partition} is read on at {it.commit}, not {it.committed}"
    if it.deleted:
        said += f"; {it.deleted} records were deleted before that"
    if it.unread:
        said += f", [red]{it.unread} of them undecided: ask who sent them to send them again[/]"
    return said


def _lost(it: LostCase) -> None:
    claims = ", ".join(f"{right}: {state}" for right, state in it.claims)
    said = f"{it.state}, from {it.intake or 'an unknown intake'}; {claims or 'claims unknown'}"
    _line(f"[red]key lost[/] [bold]{it.case}[/] {said}")
    if it.unread:
        unread = ", ".join(f"{count} {kind}" for kind, count in it.unread)
        _line(f"  cannot be read: {unread}")
    if it.systems:
        console.out.print(_systems(it))
    for what in it.do:
        _line(f"  {what}")


def _systems(it: LostCase) -> Table:
    table = Table("system", "searched", "found", "ordered", "not known", "told")
    for row in it.systems:
        told = ", ".join(f"{count} {kind}" for kind, count in row.outcomes)
        counts = map(str, (row.found, row.ordered, row.unanswered))
        table.add_row(row.system, row.searched, *counts, told)
    return table


def _line(text: str) -> None:
    console.out.print(text, soft_wrap=True)
