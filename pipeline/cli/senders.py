"""`habeas keys console`, `senders`, `revoke-sender`: who may send, and who no longer may."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.table import Table

from connectors.sdk import wall_clock
from pipeline import app
from pipeline.intake import senders, senders_file
from pipeline.intake.roles import Role
from pipeline.intake.senders import CONSOLES, INTAKES, Sender, SenderKey
from pipeline.keys.key_folder import write_secret

from . import console

KINDS = {"intake": INTAKES, "console": CONSOLES}
SHOWN = 16
"""Hex digits of a public key that a person compares."""


@dataclass(frozen=True, slots=True)
class SenderLine:
    """A sender's key as the list shows it."""

    kind: str
    name: str
    level: int
    may: tuple[str, ...]
    """A console's roles; the kinds of identifiers that an intake vouches for."""
    key: str
    state: str
    """to come, in force, or revoked."""
    valid_from: datetime | None
    revoked_at: datetime | None


@click.command(name="console")
@click.argument("name")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--role",
    "roles",
    multiple=True,
    default=(Role.DPO.value,),
    show_default=True,
    type=click.Choice([it.value for it in Role]),
    help="What they decide; may be given more than once.",
)
@click.option(
    "--level",
    default=app.LOCAL_LEVEL,
    show_default=True,
    type=click.IntRange(0, app.LOCAL_LEVEL),
    help="How surely they may say who a person is.",
)
@console.command
async def console_key(name: str, out: Path, roles: tuple[str, ...], level: int) -> None:
    """Make a signing key for the person NAME, and register it as a console of its own.

    The private key is written to FILE alone: give it to that person. With it they sign what takes
    two people, such as `habeas hold lift SYSTEM --as NAME --key FILE`. A dpo decides everything, a
    reviewer on plans and withdrawn claims, an auditor nothing, and a link only that a person proved
    who they are. Whoever may write intakes.toml in the data folder decides who the people are; a
    person who makes a key elsewhere has its public half entered there by hand:

    \b
    [consoles.NAME]
    public_key = "<64 hex digits>"
    roles = ["reviewer"]
    level = 2
    """
    place = app.Place(console.load().data)
    if not senders.NAME.fullmatch(name):
        raise click.ClickException("a name has letters, digits, - and _ only, at most 64")
    if name in senders.load(place.intakes).consoles:
        raise click.ClickException(f"there is a console {name} already: take another name")
    key = Ed25519PrivateKey.generate()
    try:
        write_secret(out, key.private_bytes_raw())
    except OSError as error:
        raise click.ClickException(f"cannot write {out}: {error.strerror}") from None
    public = key.public_key()
    senders_file.register(place.intakes, CONSOLES, name, public, level=level, roles=list(roles))
    console.out.print(f"{name} is registered; the key is in {out} and nowhere else", soft_wrap=True)


@click.command(name="senders")
@console.as_json
@console.command
async def list_senders(*, as_json: bool) -> None:
    """List who may send requests (intakes) and decisions (consoles): keys, levels, roles."""
    known = senders.load(app.Place(console.load().data).intakes)
    lines = [*_lines("intake", known.intakes), *_lines("console", known.consoles)]
    if as_json:
        console.show_json(lines)
        return
    table = Table("sender", "key", "state", "from", "revoked at", "level", "vouches for, or roles")
    for it in lines:
        moments = (f"{at:%Y-%m-%d %H:%M}" if at else "" for at in (it.valid_from, it.revoked_at))
        named = f"{it.kind} {it.name}"
        table.add_row(named, it.key[:SHOWN], it.state, *moments, str(it.level), ", ".join(it.may))
    console.out.print(table if lines else "nobody may send: `habeas up` registers this machine")


@click.command(name="revoke-sender")
@click.argument("name")
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]),
    help="From when on nothing of theirs is believed (UTC). Default: now.",
)
@click.option("--kind", type=click.Choice(list(KINDS)), help="If it is both.")
@console.as_json
@console.command
async def revoke_sender(
    name: str, as_of: datetime | None, kind: str | None, *, as_json: bool
) -> None:
    """Believe the sender NAME nothing that the broker received from a moment on.

    \b
    habeas keys revoke-sender web --as-of 2026-11-29T12:00:00Z
    habeas keys revoke-sender cli --kind intake

    It writes `revoked_at` into intakes.toml, which a running pipeline reads again by itself. What
    is refused then lies in rights.dead-letters. What was decided before stays decided: look through
    what they sent since that moment. A revocation is not moved to later, nor taken back.
    """
    path = app.Place(console.load().data).intakes
    known = senders.load(path)
    by_kind = {"intake": known.intakes, "console": known.consoles}
    found = [it for it, of in by_kind.items() if name in of and kind in {None, it}]
    if not found:
        raise click.ClickException(f"no {kind or 'sender'} {name}: `habeas keys senders` lists all")
    if len(found) > 1:
        raise click.UsageError(f"{name} is an intake and a console: say which with --kind")
    moment = as_of.replace(tzinfo=UTC) if as_of else wall_clock.now().replace(microsecond=0)
    since = senders_file.revoke(path, KINDS[found[0]], name, moment)
    if as_json:
        console.show_json({"kind": found[0], "name": name, "revoked_at": since})
    else:
        console.out.print(f"{found[0]} {name} is revoked as of {since:%Y-%m-%dT%H:%M:%SZ}")


def _lines(kind: str, known: Mapping[str, Sender]) -> Iterator[SenderLine]:
    now = wall_clock.now()
    for name, sender in sorted(known.items()):
        may: Sequence[str] = sorted(sender.vouches_for if kind == "intake" else sender.roles)
        for key in sender.keys:
            state, told = _state(key, now), (key.valid_from, key.revoked_at)
            yield SenderLine(kind, name, sender.level, tuple(may), key.raw.hex(), state, *told)


def _state(key: SenderKey, now: datetime) -> str:
    if key.is_revoked(now):
        return "revoked"
    return "to come" if key.is_early(now) else "in force"
