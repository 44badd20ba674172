"""`habeas hold`: stop erasing in one system or in all, see what is stopped, let it go on."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.sdk import wall_clock
from pipeline import app
from pipeline.case.brake import EVERY
from pipeline.intake import senders
from pipeline.keys.key_files import signer_in
from pipeline.register import holds
from pipeline.register.holds import PEOPLE, Hold
from pipeline.settings import Settings

from . import console

ALL = "all"
"""What people call every system."""


@click.group(cls=console.OrElse, default="engage")
def hold() -> None:
    """Stop erasing in SYSTEM, or in every system.

    \b
    habeas hold stripe --reason "the policy marks customers as leads"
    habeas hold --reason "looking into a complaint"     every system
    habeas hold list                                    what is held, why, and what waits
    habeas hold lift stripe                             twice, by two people

    From then on no order to erase is issued there, nor issued again; one that was issued lapses by
    itself within HABEAS_NOT_AFTER_ACT (10 minutes). Searches, copies, responses and notices go
    on. Cases that have something to erase wait, and go on by themselves once the hold is lifted.

    The brake engages a hold by itself where an order would pass a limit of the file that
    HABEAS_BRAKE names: holdings of a system erased within an hour, or a share of its records within
    a day.
    """


@hold.command(hidden=True)
@click.argument("system", default=ALL)
@click.option("--reason", required=True, help="Why, for the record: no personal data, please.")
@click.option("--login", default=None, help="Who holds it. Default: your login here.")
@console.as_json
@console.command
async def engage(system: str, reason: str, login: str | None, *, as_json: bool) -> None:
    """Stop erasing in SYSTEM, or in every system."""
    settings = console.load()
    named = _system(settings, system)
    by, now = login or getpass.getuser(), wall_clock.now()
    async with _register(settings) as connection:
        made = await holds.engage(connection, named, reason=reason, by=by, at=now)
    if as_json:
        console.show_json(made)
        return
    within = int(settings.not_after_act.total_seconds())
    console.out.print(
        f"[bold]held: {_called(named)}[/]. Nothing more is ordered to be erased there; what was"
        f" ordered begins within {within} seconds or never.\n`habeas hold list` shows what waits;"
        f" two people lift it with `habeas hold lift {_argument(named)}`",
        soft_wrap=True,
    )


@hold.command(name="list")
@click.option("--all", "lifted", is_flag=True, help="Also those that were lifted, and by whom.")
@console.as_json
@console.command
async def list_holds(*, lifted: bool, as_json: bool) -> None:
    """List what is held: since when, by whom and why, who agreed to lift it, how many cases wait.

    \b
    habeas hold list
    habeas hold list --all --json
    """
    async with _register(console.load()) as connection:
        found = await holds.listed(connection, lifted=lifted)
    if as_json:
        console.show_json(found)
        return
    table = Table("system", "since", "by", "why", "agreed to lift", "cases waiting", "lifted")
    for it in found:
        table.add_row(
            _called(it.system),
            f"{it.engaged_at:%Y-%m-%d %H:%M}",
            it.engaged_by,
            it.reason,
            "\n".join(f"{of.console} ({of.login})" for of in it.lifts),
            str(it.waiting),
            f"{it.lifted_at:%Y-%m-%d %H:%M}" if it.lifted_at else "",
        )
    console.out.print(table if found else "nothing is held")


@hold.command()
@click.argument("system")
@click.option("--as", "name", default=app.CONSOLE, show_default=True, help="The console you are.")
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Your signing key. Default: this machine's own, for `dpo`.",
)
@click.option("--login", default=None, help="Who you are. Default: your login here.")
@console.as_json
@console.command
async def lift(
    system: str, name: str, key: Path | None, login: str | None, *, as_json: bool
) -> None:
    """Agree to let SYSTEM be erased from again; `all` is a hold on every system. It takes two.

    \b
    habeas hold lift stripe                             signs with this machine's key
    habeas hold lift stripe --as ann --key ann.key      signs as Ann

    A person is a registered console with the role dpo and a key of its own: `habeas keys console
    ann --out ann.key` makes one (nothing here knows a person's login; keep each key with its
    owner). A revoked key does not count, nor one that an intake has as well. The first to
    agree changes nothing; the second lifts it. Then everything that waited is ordered by itself,
    without counting against the limits: look at `habeas hold list` and `habeas cases` before.
    """
    settings = console.load()
    named, place = _system(settings, system), app.Place(settings.data)
    signer = _signer(place, name, key)
    by, now = login or getpass.getuser(), wall_clock.now()
    known = senders.load(place.intakes)
    async with _register(settings) as connection:
        found = [it for it in await holds.listed(connection) if it.system == named]
        if not found:
            raise click.ClickException(f"no hold on {_called(named)}: `habeas hold list` shows all")
        new = [it for it in found if name not in {of.console for of in it.lifts}] or found
        lifted = {
            it.id: await holds.agree(connection, it, holds.signed(it, name, signer, by, now), known)
            for it in new
        }
    if as_json:
        console.show_json(
            [{"hold": it.id, "system": it.system, "lifted": lifted[it.id]} for it in new]
        )
        return
    for it in new:
        console.out.print(_told(it, name, lifted=lifted[it.id]), soft_wrap=True)


def _told(it: Hold, name: str, *, lifted: bool) -> str:
    if lifted:
        return f"lifted: {_called(it.system)} ({it.reason}); {it.waiting} cases go on"
    return (
        f"{name} agrees to lift the hold on {_called(it.system)} ({it.reason}): 1 of {PEOPLE}."
        f" It lasts until another person does: `habeas hold lift {_argument(it.system)} --as NAME"
        " --key FILE`"
    )


def _signer(place: app.Place, name: str, key: Path | None) -> Ed25519PrivateKey:
    if key is not None:
        return signer_in(key)
    if name != app.CONSOLE:
        raise click.UsageError(f"--key names the file with {name}'s signing key")
    return app.local_signer(place, name)


def _system(settings: Settings, said: str) -> str:
    if said == ALL:
        return EVERY
    known = app.systems(settings)
    if said not in known:
        raise click.UsageError(f"no system {said!r}; there are {', '.join(known)} and `{ALL}`")
    return said


def _called(system: str) -> str:
    return "every system" if system == EVERY else system


def _argument(system: str) -> str:
    return ALL if system == EVERY else system


@asynccontextmanager
async def _register(settings: Settings) -> AsyncIterator[AsyncConnection]:
    """One transaction."""
    async with app.register(settings) as engine, engine.begin() as connection:
        yield connection
