"""`habeas prefer`, `habeas preferences`: what somebody wants to be sent goes in, and is shown."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from uuid import UUID, uuid4

import click
from rich.table import Table

from connectors.sdk import wall_clock
from pipeline import app
from pipeline.intake import preferences as intake
from pipeline.intake.refused import RefusedError
from pipeline.policy.preferences import ONLY, REFUSALS, SAYS, SERVED
from pipeline.register import preferences, subjects
from pipeline.register.case_keys import CaseKeys
from pipeline.register.consent_record import record_of
from pipeline.register.preferences import Shown, preferences_key
from schemas.events import PreferenceReceived
from schemas.records import Preference

from . import console

ALL = "marketing"
"""What people call all direct marketing, where no purpose has that id."""


@click.command()
@click.argument("says", type=click.Choice(sorted(SAYS)))
@click.argument("purpose")
@click.option("--email", help="Their address; `-` reads it from stdin.")
@click.option("--user-id", help="Our own id of them, instead of an address.")
@click.option(
    "--level",
    default=app.LOCAL_LEVEL,
    show_default=True,
    type=click.IntRange(0, app.LOCAL_LEVEL),
    help="How surely you know that it is theirs: 0 not at all, 1 a session, 2 proved.",
)
@click.option(
    "--at",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="When they said so (UTC). Default: now.",
)
@click.option("--language", default="en", show_default=True, help="Their language.")
@click.option("--country", default="", help="Where they are, by ISO 3166-1: DE, IE.")
@click.option("--wording", default="", help="What they read when they said it.")
@click.option("--notice", default="", help="The privacy notice they were given, with its version.")
@click.option("--method", default="", help="How it was said: web_form, double_opt_in, phone.")
@click.option("--place", default="", help="Where: a page, a shop, an event.")
@click.option("--withdrawal", default="", help="How they were told that it can be withdrawn.")
@click.option("--third-party", "third_parties", multiple=True, help="Whose marketing it is about.")
@click.option("--evidence", default="", help="What else shows it: a reference.")
@click.option("--id", "record", type=click.UUID, help="The record's id; repeat it to say it again.")
@console.as_json
@console.command
async def prefer(  # noqa: PLR0917  one parameter per option
    says: str,
    purpose: str,
    email: str | None,
    user_id: str | None,
    level: int,
    at: datetime | None,
    language: str,
    country: str,
    wording: str,
    notice: str,
    method: str,
    place: str,
    withdrawal: str,
    third_parties: tuple[str, ...],
    evidence: str,
    record: UUID | None,
    *,
    as_json: bool,
) -> None:
    """Publish on `rights.preferences`, sealed and signed, that somebody SAYS something of PURPOSE.

    \b
    habeas prefer given offers --email ann@example.org --country DE --method double_opt_in
    habeas prefer withdrawn offers --email ann@example.org
    habeas prefer objected marketing --email ann@example.org    all direct marketing
    habeas prefer bought order --email ann@example.org --country IE
    habeas prefer only single-notice --email ann@example.org    this, and nothing else
    habeas prefer served single-notice --email ann@example.org  and they got it

    PURPOSE is the id of a purpose of the policy. A consent, or a purchase, counts only of an
    address that was shown to be theirs (--level 2). A refusal counts at once, whoever says it, and
    one of direct marketing is carried out in every system as an objection: a case of the same id.
    """
    settings = console.load()
    policy = app.policy_of(settings)
    if (email is None) == (user_id is None):
        raise click.UsageError("give one of --email and --user-id")
    named = "" if purpose == ALL and says in REFUSALS else purpose
    use = policy.purposes.get(named)
    if use is None and named:
        raise click.UsageError(f"the policy has no such purpose: {', '.join(policy.purposes)}")
    if says in {ONLY, SERVED} and not (use and use.single):
        raise click.UsageError(f"`{says}` is of a purpose that the policy calls `single`")
    value = sys.stdin.readline() if email == "-" else email or user_id or ""
    told = Preference(
        kind="email" if user_id is None else "user_id",
        value=value.strip(),
        language=language,
        country=country,
        wording=wording,
        notice=notice,
        method=method,
        place=place,
        withdrawal=withdrawal,
        third_parties=third_parties,
        evidence=evidence,
    )
    said_at = at.replace(tzinfo=UTC) if at else wall_clock.now()
    named_by = record or uuid4()
    _check(named_by, says, named, told, said_at, level)
    async with app.local_edge(settings) as sender:
        await sender.preference(named_by, says, named, told, level=level, at=said_at)
    if as_json:
        console.show_json({"record": named_by, "says": says, "purpose": named, "at": said_at})
    else:
        console.out.print(f"record [bold]{named_by}[/] published")


def _check(  # noqa: PLR0917  what an intake says
    record: UUID, says: str, purpose: str, told: Preference, at: datetime, level: int
) -> None:
    """Raise `UsageError` for what would be refused."""
    event = PreferenceReceived(
        case=record,
        at=at,
        intake=app.LOCAL,
        level=level,
        purpose=purpose,
        says=says,
        key="",
        sealed=b"",
    )
    try:
        intake.check(event, told)
    except RefusedError as error:
        raise click.UsageError(f"it would be refused: {error}") from None


@click.command(name="preferences")
@click.argument("address")
@console.as_json
@console.command
async def show(address: str, *, as_json: bool) -> None:
    """Show what ADDRESS said of being sent things, the oldest first: `-` reads it from stdin.

    With --json each is a record of consent with the fields of ISO/IEC TS 27560.
    """
    settings = console.load()
    policy = app.policy_of(settings)
    value = sys.stdin.readline() if address == "-" else address
    keys = CaseKeys(app.Place(settings.data).keys.wrapping())
    async with app.register(settings, reading=True) as engine, engine.connect() as connection:
        key = await preferences_key(keys).find(connection)
        found = list[Shown]()
        if key is not None:
            hashed = subjects.hashed(key, "email", value.strip())
            found = await preferences.shown(connection, await app.codec(settings), keys, hashed)
    if as_json:
        console.show_json([record_of(it, policy) for it in found])
        return
    table = Table("at", "says", "purpose", "level", "by", "record")
    for it in found:
        said = it.said
        by = it.intake or "a case"
        row = (f"{said.at:%Y-%m-%d %H:%M}", said.says, said.purpose or ALL, str(said.level), by)
        table.add_row(*row, str(said.record))
    console.out.print(table if found else "nothing is known of that address")
