"""`habeas keys revoke signing`, and the list of keys that ever signed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click
from rich.table import Table

from connectors.sdk import wall_clock
from pipeline import app
from pipeline.crypto.trusted_keys import TrustedKey
from pipeline.keys.key_files import SIGNING
from pipeline.orchestrator.revocation import revoke_signing

from . import console


@click.command()
@click.argument("purpose", type=click.Choice([SIGNING]))
@click.argument("key_id")
@click.option("--as-of", required=True, help="Since when: ISO 8601, UTC unless it says otherwise.")
@console.as_json
@console.command
async def revoke(purpose: str, key_id: str, as_of: str, *, as_json: bool) -> None:
    """Have what the signing key KEY_ID signed since a moment not count: somebody else has it.

    KEY_ID, or its beginning, is as `habeas keys list` shows it. Another key is in force at once,
    and the private half is destroyed. `habeas verify` refuses what the key signed since, and what
    nothing proves to be older: with --ledger, the register's ledger does. Who checks elsewhere,
    with a copy of the public key alone, must be told. It cannot be taken back; an earlier moment
    can be said later.

    \b
    habeas keys revoke signing 1f2e3d4c --as-of 2026-05-04T12:00
    """
    console.logs()
    settings = console.load()
    files = app.Place(settings.data).keys
    moment = _moment(as_of)
    chosen = [it for it in files.signing().key_ids().values() if it.startswith(key_id)]
    if len(chosen) != 1:
        many = "more than one" if chosen else "no"
        raise click.ClickException(f"{many} {purpose} key begins with {key_id}: `habeas keys list`")
    async with app.register(settings) as engine:
        new = await revoke_signing(engine, files, chosen[0], moment)
    if as_json:
        console.show_json({"revoked": chosen[0], "as_of": moment, "in_force": new})
        return
    told = f"revoked as of {moment.isoformat()}: {chosen[0]}"
    console.out.print(told, f"in force: {new}", sep="\n", soft_wrap=True)


def _moment(said: str) -> datetime:
    """A moment that a person wrote: not one to come."""
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        raise click.BadParameter(f"{said!r} is no moment: 2026-05-04T12:00") from None
    at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    if at > wall_clock.now():
        raise click.BadParameter(f"{said} is still to come: it would not count until then")
    return at


def line(key: TrustedKey) -> dict[str, Any]:
    """A key as JSON shows it."""
    return {"key": key.id, "since": key.since, "until": key.until, "revoked": key.revoked}


def table(keys: Sequence[TrustedKey]) -> Table:
    """Every key that ever signed, also those whose private half is gone."""
    shown = Table("signing key", "since", "until", "revoked as of")
    for it in keys:
        moments = (it.since, it.until, it.revoked)
        shown.add_row(it.id, *(f"{at:%Y-%m-%d %H:%M}" if at else "" for at in moments))
    return shown
