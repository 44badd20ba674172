"""`habeas keys`: which there are, what dies when, turn one now, hand a lone host its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click
from rich.table import Table

from connectors.sdk import wall_clock
from pipeline import app, flow
from pipeline.crypto import lifetimes
from pipeline.keys.key_files import (
    HOST,
    INTAKE,
    LETTERS,
    ORCHESTRATOR,
    SIGNING,
    WRAPPING,
    KeyFiles,
    Kind,
)
from pipeline.keys.key_folder import KeyFolder
from pipeline.orchestrator.rotation import Rotation
from pipeline.register import reading
from pipeline.register.reading import KeyLine

from . import console, senders, signing


@click.group()
def keys() -> None:
    """Keys and their lifetimes; who may send, and with which key."""


for command in (senders.console_key, senders.list_senders, senders.revoke_sender):
    keys.add_command(command)


keys.add_command(signing.revoke)


@dataclass(frozen=True, slots=True)
class FileLine:
    """A key of the data folder as the list shows it: never its bytes."""

    purpose: str
    system: str
    key: str
    state: str
    """to come, in force, or opens only."""
    since: datetime
    until: datetime
    gone_by: datetime
    """At the latest; a backup of the folder may have it `backups_kept` longer."""


@keys.command(name="list")
@console.as_json
@console.command
async def list_keys(*, as_json: bool) -> None:
    """List keys: of the data folder, with what dies when; and of cases."""
    settings = console.load()
    files = app.Place(settings.data).keys
    now = wall_clock.now()
    lines = [line for kind in files.kinds(settings) for line in _lines(kind, now)]
    signed = files.signing().trusted()
    async with app.register(settings) as engine:
        found = await reading.keys(engine)
    if as_json:
        told = [signing.line(it) for it in signed]
        console.show_json({"keys": lines, "signing_keys": told, "case_keys": found})
        return
    console.out.print(_of_folder(lines))
    console.out.print(signing.table(signed))
    console.out.print(_of_cases(found))


def _lines(kind: Kind, now: datetime) -> Iterator[FileLine]:
    ids = list(kind.keys)
    current = lifetimes.in_force(ids, now)
    for it in ids:
        since = lifetimes.since(it)
        state = "in force" if it == current else "to come" if since > now else "opens only"
        yield FileLine(
            purpose=kind.purpose,
            system=kind.system,
            key=it,
            state=state,
            since=since,
            until=lifetimes.superseded(ids, it) or since + kind.lifetime.period,
            gone_by=lifetimes.gone_by(ids, it, kind.lifetime, now),
        )


def _of_folder(lines: Sequence[FileLine]) -> Table:
    table = Table("key", "for", "state", "since", "until", "gone by")
    for it in lines:
        moments = (f"{at:%Y-%m-%d %H:%M}" for at in (it.since, it.until, it.gone_by))
        table.add_row(it.key, f"{it.purpose} {it.system}".strip(), it.state, *moments)
    return table


def _of_cases(found: Sequence[KeyLine]) -> Table:
    table = Table("case key", "purpose", "owner", "under", "made", "to be destroyed", "destroyed")
    for it in found:
        ends = (f"{at:%Y-%m-%d}" if at else "" for at in (it.destroy_at, it.destroyed_at))
        table.add_row(
            console.short(it.id),
            it.purpose,
            console.short(it.owner),
            "" if it.destroyed_at else it.wrapping,
            f"{it.created_at:%Y-%m-%d}",
            *ends,
        )
    return table


@keys.command()
@click.argument(
    "purpose", type=click.Choice([WRAPPING, INTAKE, LETTERS, ORCHESTRATOR, SIGNING, HOST])
)
@click.argument("system", required=False)
@console.as_json
@console.command
async def rotate(purpose: str, system: str | None, *, as_json: bool) -> None:
    """Turn a key NOW, such as one that somebody else may have seen. All turn by themselves.

    \b
    habeas keys rotate wrapping         case keys are wrapped anew at once
    habeas keys rotate intake           give intakes the new keys/pipeline/<id>.pub
    habeas keys rotate letters          what dead letters are sealed to
    habeas keys rotate orchestrator     signs the ledger's topic and the reports
    habeas keys rotate signing          hand the new keys/signing.pem to whoever checks
    habeas keys rotate host freshdesk   then `habeas keys host` again for lone hosts

    From now on nothing new is locked or signed with the old key. It still opens what it locked, and
    dies when it would have: `habeas keys list` says when. Whoever has a copy of it can open that as
    well, or sign with it: `habeas keys revoke signing` is for that.
    """
    if (purpose == HOST) != (system is not None):
        raise click.UsageError("`habeas keys rotate host SYSTEM`; other keys take no system")
    console.logs()
    settings = console.load()
    files = app.Place(settings.data).keys
    chosen = [
        it
        for it in files.kinds(settings)
        if (it.purpose, it.system) == (purpose, system or "") and it.keys
    ]
    if not chosen:
        raise click.ClickException(
            f"no {purpose} key {system or ''} in {files.root}: is HABEAS_DATA the pipeline's?"
        )
    async with app.register(settings) as engine:
        named = await Rotation(engine, files, settings).turn_now(chosen[0])
    if as_json:
        console.show_json({"purpose": purpose, "system": system or "", "key": named})
    else:
        console.out.print(f"in force from now on: {named}", soft_wrap=True)


@keys.command()
@click.argument("system")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
@console.command
async def host(system: str, out: Path) -> None:
    """Export what a lone host of SYSTEM needs into DIR: its own keys, and the public one for dead
    letters; for the response host, what it signs with too. Do it again at least hourly: new keys
    come, old ones are destroyed in DIR too.

    DIR is then that host's data folder. It also needs HABEAS_BROKER, HABEAS_OBJECTS (the folder of
    sealed objects that it shares with the response host), and its vendor's variables.
    """
    files, theirs = app.Place(console.load().data).keys, app.Place(out).keys
    ours = KeyFolder(files.hosts(system))
    if not ours:
        raise click.ClickException(
            f"no keys for {system!r}: start `habeas run orchestrator` or `habeas up` first"
        )
    made, gone = _follow(ours, KeyFolder(theirs.hosts(system)))
    _follow_public(files, theirs)
    if system == flow.RESPONSE:
        theirs.signing().follow(files.signing())
    told = f"{len(ours)} key(s) of {system} are in {out}: {made} new, {gone} destroyed there"
    console.out.print(told, soft_wrap=True)
    console.out.print(f"HABEAS_DATA={out} habeas run host {system}", soft_wrap=True)


def _follow(ours: KeyFolder, theirs: KeyFolder) -> tuple[int, int]:
    """Make a folder like ours; how many keys came and went."""
    theirs.tidy()
    new, old = set(ours) - set(theirs), set(theirs) - set(ours)
    for it in sorted(new):
        theirs.put(it, ours[it])
    for it in sorted(old):
        theirs.destroy(it)
    return len(new), len(old)


def _follow_public(files: KeyFiles, theirs: KeyFiles) -> None:
    for named, public in files.letters().every_public():
        theirs.letters().publish(named, public)
    for it in set(theirs.letters().published()) - set(files.letters().published()):
        theirs.letters().withdraw(it)
