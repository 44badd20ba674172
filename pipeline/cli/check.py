"""`habeas response`, `verify`, `dead-letters`: hold in the hand and check."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from pipeline import app
from pipeline.adapters import dead_letters as letters
from pipeline.adapters import opening
from pipeline.adapters.register import reading
from pipeline.response.verify import VerifyError
from pipeline.response.verify import verify as verify_file

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
@click.option("--ledger", is_flag=True, help="Compare the ledger head with this register's.")
@console.as_json
@console.command
async def verify(file: Path, key: Path | None, *, ledger: bool, as_json: bool) -> None:
    """Check FILE (a response or a signed report): every digest, nothing extra, the signature."""
    settings = console.load()
    public = key or app.Place(settings.data).public_key
    if not public.exists():
        raise click.ClickException(f"no public key at {public}: name one with --key")
    try:
        verified = verify_file(file, public)
    except VerifyError as error:
        raise click.ClickException(f"{file}: {error}") from None
    if ledger:
        async with app.register(settings) as engine:
            heads = await opening.head_of(engine, verified.case)
        if verified.head not in heads:
            raise click.ClickException(f"{file}: its ledger head is not in this register's ledger")
    if as_json:
        console.show_json(verified)
        return
    console.out.print(f"[bold green]verified[/] {file}", soft_wrap=True)
    for line in verified.lines():
        console.out.print(f"  {line}", soft_wrap=True, highlight=False)


@click.group(name="dead-letters")
def dead_letters() -> None:
    """Records that nobody could read, kept apart so that the rest flows."""


@dead_letters.command(name="list")
@console.as_json
@console.command
async def list_letters(*, as_json: bool) -> None:
    """List dead letters: where each came from, and why."""
    settings = console.load()
    found = await letters.read_all(app.broker_address(settings), await app.codec(settings))
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
    found = await letters.read_all(app.broker_address(settings), await app.codec(settings))
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
    again is a new dead letter.
    """
    if bool(number) == everything:
        raise click.UsageError(
            "name dead letters, as `habeas dead-letters list` shows them, or --all"
        )
    settings = console.load()
    bootstrap = app.broker_address(settings)
    found = await letters.read_all(bootstrap, await app.codec(settings))
    unknown = set(number) - {it.id for it in found}
    if unknown:
        raise click.ClickException(f"no dead letter {min(unknown)}: `habeas dead-letters list`")
    chosen = [it for it in found if everything or it.id in number]
    if not chosen:
        console.out.print("no dead letters")
        return
    try:
        await letters.replay(bootstrap, chosen)
    except letters.GoneError as error:
        raise click.ClickException(
            f"{error}: what was kept of it shows `dead-letters show`"
        ) from None
    for it in chosen:
        console.out.print(f"sent again: {it.id} on {it.event.topic}", soft_wrap=True)
