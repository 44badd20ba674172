"""`habeas response`, `verify`, `dead-letters`, `keys`: hold in the hand and check."""

from __future__ import annotations

import re
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.table import Table

from pipeline import app
from pipeline.adapters import dead_letters as letters
from pipeline.adapters import host_keys, opening, way_in
from pipeline.adapters.key_files import write_secret
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
    value = letters.value_of(chosen.event, app.Place(settings.data).keys.pipeline())
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


@click.group()
def keys() -> None:
    """Keys and their lifetimes."""


@keys.command(name="list")
@console.as_json
@console.command
async def list_keys(*, as_json: bool) -> None:
    """List case keys: purpose, owner, and when they are or were destroyed."""
    settings = console.load()
    async with app.register(settings) as engine:
        found = await reading.keys(engine)
    if as_json:
        console.show_json(found)
        return
    table = Table("key", "purpose", "owner", "made", "to be destroyed", "destroyed")
    for it in found:
        ends = (f"{at:%Y-%m-%d}" if at else "" for at in (it.destroy_at, it.destroyed_at))
        table.add_row(
            console.short(it.id),
            it.purpose,
            console.short(it.owner),
            f"{it.created_at:%Y-%m-%d}",
            *ends,
        )
    console.out.print(table)


@keys.command(name="console")
@click.argument("name")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
@console.command
async def console_key(name: str, out: Path) -> None:
    """Make a signing key for the person NAME, and register it as a console of its own.

    The private key is written to FILE alone: give it to that person. With it they sign what takes
    two people, such as `habeas hold lift SYSTEM --as NAME --key FILE`. Whoever may write
    intakes.toml in the data folder decides who the people are; a person who makes a key elsewhere
    has its public half entered there by hand:

    \b
    [consoles.NAME]
    public_key = "<64 hex digits>"
    """
    place = app.Place(console.load().data)
    if not re.fullmatch("[A-Za-z0-9_-]+", name):
        raise click.ClickException("a name has letters, digits, - and _ only")
    if name in way_in.load(place.intakes).consoles:
        raise click.ClickException(f"there is a console {name} already: take another name")
    key = Ed25519PrivateKey.generate()
    try:
        write_secret(out, key.private_bytes_raw())
    except OSError as error:
        raise click.ClickException(f"cannot write {out}: {error.strerror}") from None
    way_in.register(place.intakes, "consoles", name, key.public_key())
    console.out.print(f"{name} is registered; the key is in {out} and nowhere else", soft_wrap=True)


@keys.command()
@click.argument("system")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
@console.command
async def host(system: str, out: Path) -> None:
    """Export what a lone host of SYSTEM needs into DIR: its own keys and the pipeline's public key.

    DIR is then that host's data folder. It also needs HABEAS_BROKER, HABEAS_OBJECTS (the folder of
    sealed objects that it shares with the response host), and its vendor's variables.
    """
    files, theirs = app.Place(console.load().data).keys, app.Place(out).keys
    found = host_keys.load(files.hosts(system))
    if not found:
        raise click.ClickException(f"no keys for {system!r}: run `habeas topics` or `up` first")
    for named, raw in found.items():
        write_secret(theirs.hosts(system) / f"{named}.key", raw)
    named = theirs.publish(*files.pipeline_public())
    told = f"{len(found)} key(s) of {system} and the pipeline's public key {named} are in {out}"
    console.out.print(told, soft_wrap=True)
    console.out.print(f"HABEAS_DATA={out} habeas run host {system}", soft_wrap=True)
