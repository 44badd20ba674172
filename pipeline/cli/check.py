"""`habeas response`, `verify`, `dead-letters`: hold in the hand and check."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import click
from rich.table import Table

from pipeline import app, flow
from pipeline.crypto.trusted_keys import TrustedKey
from pipeline.kafka import dead_letters as letters
from pipeline.kafka.dead_letters import Letter
from pipeline.register import reading
from pipeline.register.ledger_check import Compared, LedgerError, compare
from pipeline.response.verify import (
    SIGNED,
    Verified,
    VerifyError,
    checked,
    key_in,
    report_of,
    trusted,
)
from pipeline.settings import Settings

from . import console


@click.command()
@click.argument("case")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--n", "number", type=int, help="Which response. Default: the latest.")
@console.as_json
@console.command
async def response(case: str, out: Path, number: int | None, *, as_json: bool) -> None:
    """Open a response of CASE into a zip file: what the subject receives."""
    settings = console.load()
    async with app.register(settings) as engine:
        case_id = await reading.find(engine, case)
        opened = await app.open_response(settings, engine, case_id, number, out)
    if as_json:
        console.show_json(
            {"case": case_id, "n": opened.n, "file": str(out), "digest": opened.digest}
        )
    else:
        console.out.print(f"response {opened.n} of case {case_id}: {out}", soft_wrap=True)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Public key (PEM). Default: the data folder's; never one from inside FILE.",
)
@click.option("--ledger", is_flag=True, help="Compare with this register's ledger as well.")
@console.as_json
@console.command
async def verify(file: Path, key: Path | None, *, ledger: bool, as_json: bool) -> None:
    """Check FILE (a response or a signed report): its form, every digest, nothing extra, the
    signature, and that its key was not revoked before.

    With --ledger also that this register's chain of the case is whole, up to its stored head, that
    it has the heads which FILE and the case's signed reports name, and that it knows FILE.
    """
    try:
        told = await check(console.load(), file, key, ledger=ledger)
    except (VerifyError, LedgerError) as error:
        raise click.ClickException(f"{file}: {error}") from None
    if as_json:
        found = {it.name: getattr(told.found, it.name) for it in fields(told.found)}
        del found["contents"]
        console.show_json({**found, "ledger": told.compared, "checked": told.lines})
        return
    console.out.print(f"[bold green]verified[/] {file}", soft_wrap=True)
    for line in told.lines:
        console.out.print(f"  {line}", soft_wrap=True, highlight=False)


@dataclass(frozen=True, slots=True)
class Told:
    """What was checked and holds."""

    found: Verified
    compared: Compared | None
    lines: tuple[str, ...]
    """Each check, for people."""


async def check(settings: Settings, file: Path, key: Path | None, *, ledger: bool) -> Told:
    """Check a file as `verify` does. Raises `VerifyError`, `LedgerError`."""
    keys = _keys(app.Place(settings.data), key)
    found = checked(file, keys)
    compared = await _compared(settings, file, found, keys) if ledger else None
    trusted(found, None if compared is None else compared.signed_at)
    of_ledger = compared.lines() if compared else ()
    return Told(found, compared, (*found.lines(), *_of_key(found, keys), *of_ledger))


def _keys(place: app.Place, given: Path | None) -> list[TrustedKey]:
    """The keys to believe: the one that is given, else the data folder's, with what it notes."""
    noted = {it.id: it for it in place.keys.signing().trusted()}
    path = given or place.public_key
    if given is None and noted:
        return list(noted.values())
    if not path.exists():
        raise click.ClickException(f"no public key at {path}: name one with --key")
    try:
        key = key_in(path)
    except VerifyError as error:
        raise click.ClickException(str(error)) from None
    return [noted.get(key.id, key)]


def _of_key(found: Verified, keys: list[TrustedKey]) -> list[str]:
    """What is known of the key that signed."""
    key = next(it for it in keys if it.id == found.key)
    if key.since is None:
        return ["whether that key was revoked is not known here"]
    until = "" if key.until is None else f" until {key.until:%Y-%m-%d %H:%M} UTC"
    lines = [f"that key is in force since {key.since:%Y-%m-%d %H:%M} UTC{until}"]
    if key.revoked is None:
        return [*lines, "that key is not revoked"]
    at = f"{key.revoked:%Y-%m-%d %H:%M:%S}"
    return [*lines, f"that key was revoked as of {at} UTC; the ledger proves an earlier time"]


async def _compared(
    settings: Settings, file: Path, found: Verified, keys: list[TrustedKey]
) -> Compared:
    """What the register says of a file, and of the case's reports in the data folder."""
    place = app.Place(settings.data)
    known = [*keys, *place.keys.signing().trusted()]
    reports = [_report(it, known) for it in sorted(place.reports.glob(f"{found.case}-*{SIGNED}"))]
    document = b""
    if found.what == "report":
        document = file.with_name(f"{report_of(file)}.json").read_bytes()
    async with app.register(settings) as engine:
        return await compare(engine, found, document, reports)


def _report(path: Path, keys: list[TrustedKey]) -> Verified:
    try:
        return checked(path, keys)
    except VerifyError as error:
        raise VerifyError(f"{path.name} in the reports folder: {error}") from None


@click.group(name="dead-letters")
def dead_letters() -> None:
    """Records that nobody could read, kept apart so that the rest flows."""


@dead_letters.command(name="list")
@console.as_json
@console.command
async def list_letters(*, as_json: bool) -> None:
    """List dead letters: where each came from, and why."""
    found = await _letters(console.load())
    if as_json:
        console.show_json(found)
        return
    table = Table("#", "topic", "partition", "offset", "reason")
    for it in found:
        event = it.event
        table.add_row(it.id, event.topic, str(event.partition), str(event.offset), event.reason)
    console.out.print(table if found else "no dead letters")


@dead_letters.command(name="show")
@click.argument("number")
@console.as_json
@console.command
async def show_letter(number: str, *, as_json: bool) -> None:
    """Open dead letter NUMBER (as `list` shows it): its value, as hexadecimal."""
    settings = console.load()
    found = await _letters(settings)
    chosen = next((it for it in found if it.id == number), None)
    if chosen is None:
        raise click.ClickException(f"no dead letter {number}: `habeas dead-letters list`")
    value = letters.value_of(chosen.event, app.Place(settings.data).keys.letters())
    if as_json:
        console.show_json({"letter": chosen, "value": value})
        return
    event = chosen.event
    console.out.print(f"{event.topic}/{event.partition}@{event.offset}: {event.reason}")
    console.out.print("the value was not kept" if value is None else value.hex())


@dead_letters.command()
@click.argument("number", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every dead letter there is.")
@console.command
async def replay(number: tuple[str, ...], *, everything: bool) -> None:
    """Send refused records again, as they were, once what they were refused for is mended.

    NUMBER is as `list` shows it. What was decided meanwhile is not decided twice; what is refused
    again is a new dead letter. Only requests, decisions, answers and orders are sent again: reports
    and the ledger are the orchestrator's own to write.
    """
    if bool(number) == everything:
        raise click.UsageError(
            "name dead letters, as `habeas dead-letters list` shows them, or --all"
        )
    settings = console.load()
    found = await _letters(settings)
    unknown = set(number) - {it.id for it in found}
    if unknown:
        raise click.ClickException(f"no dead letter {min(unknown)}: `habeas dead-letters list`")
    chosen = [it for it in found if everything or it.id in number]
    if not chosen:
        console.out.print("no dead letters")
        return
    await _replay(settings, chosen, everything=everything)


async def _replay(settings: Settings, chosen: list[Letter], *, everything: bool) -> None:
    """Send what can be sent; of those named one by one, all or none."""
    bootstrap = app.broker_address(settings)
    ours = flow.replayed(app.systems(settings))
    strange = [it for it in chosen if it.event.topic not in ours]
    if strange and not everything:
        raise click.ClickException(
            f"dead letter {strange[0].id} is of {strange[0].event.topic[:80]}:"
            " nothing is sent again there"
        )
    found, gone = await letters.originals(
        bootstrap, [it for it in chosen if it.event.topic in ours]
    )
    if gone and not everything:
        raise click.ClickException(
            f"{_where(gone[0])} is not on its topic any more: what was kept of it shows"
            " `dead-letters show`"
        )
    await letters.replay(bootstrap, found)
    left = {it.id for it in (*strange, *gone)}
    for it in chosen:
        if it.id not in left:
            console.out.print(f"sent again: {it.id} on {it.event.topic}", soft_wrap=True)
    if left:
        console.out.print(
            f"left: {len(gone)} that are not on their topics any more, {len(strange)} of topics"
            " where nothing is sent again"
        )


async def _letters(settings: Settings) -> list[Letter]:
    """Every dead letter; what else lies on their topic is counted on stderr."""
    found, unreadable = await letters.read_all(
        app.broker_address(settings), await app.codec(settings)
    )
    if unreadable:
        console.err.print(f"skipped: {unreadable} records that are no dead letters")
    return found


def _where(it: Letter) -> str:
    return f"{it.event.topic}/{it.event.partition}@{it.event.offset}"
