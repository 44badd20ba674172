"""`habeas recipients`: who was told, when, what they said; and what they said by another way."""

from __future__ import annotations

from uuid import UUID

import click
from rich.table import Table

from connectors.sdk import wall_clock
from pipeline import app
from pipeline.case.recipients import DONE, NOTHING, RECEIVED, all_rows
from pipeline.register import reading
from pipeline.response.recipients import heard
from schemas.events import RecipientAcknowledged
from schemas.records import RecipientRow

from . import console
from .deciding import Who, as_person, decided, evidence, says

WORDS = (RECEIVED, DONE, NOTHING)


@click.command()
@click.argument("case")
@click.option(
    "--said",
    metavar="RECIPIENT:RIGHT:WORD",
    help=f"What a recipient said in another way. WORD is one of {', '.join(WORDS)}.",
)
@says
@evidence
@as_person
@console.as_json
@console.command
async def recipients(
    case: str, said: str | None, says: str, evidence: str, *, who: Who, as_json: bool
) -> None:
    """Show which recipients without a connector were told of CASE, and what they said.

    \b
    habeas recipients 0204b5fb                               who was told, when, what they said
    habeas recipients 0204b5fb --said paypal:erasure:done --evidence "their call of 3 May, 14:10"

    What they say is their word, and proves nothing: no row is ever shown as erased. That it is done
    or that they hold nothing takes --evidence: how you know that they say so.
    """
    settings = console.load()
    async with app.register(settings) as engine:
        rules = await app.rules_of(settings, engine)
        case_id = await reading.find(engine, case)
        known = reading.folded(await reading.entries(engine, case_id), rules)
    rows = all_rows(known, rules)
    if said is not None:
        event = _said(case_id, said, rows, who.name)
        await decided(settings, who, event, says, evidence)
        told = {"case": case_id, "recipient": event.recipient, "right": event.right}
        if as_json:
            console.show_json({**told, "says": event.says})
        else:
            console.out.print(f"recorded: {said}. `habeas recipients {case_id}` shows it")
    elif as_json:
        console.show_json(rows)
    else:
        console.out.print(_table(rows) if rows else "the policy of this case names nobody to tell")


def _said(case: UUID, said: str, rows: tuple[RecipientRow, ...], by: str) -> RecipientAcknowledged:
    """The decision. Raises `ClickException` saying what there is if it is none."""
    recipient, _, rest = said.partition(":")
    right, _, word = rest.partition(":")
    if word not in WORDS:
        raise click.UsageError(f"--said is RECIPIENT:RIGHT:WORD, and WORD is {', '.join(WORDS)}")
    asked = [f"{it.recipient}:{it.right}" for it in rows if it.asks]
    if f"{recipient}:{right}" not in asked:
        there = ", ".join(asked) or "nobody"
        raise click.ClickException(f"nothing is asked of {recipient}:{right}; of {there} it is")
    return RecipientAcknowledged(
        case=case,
        by=by,
        recipient=recipient,
        right=right,
        at=wall_clock.now(),
        says=word,
    )


def _table(rows: tuple[RecipientRow, ...]) -> Table:
    table = Table("recipient", "right", "state", "in words")
    for row, it in zip(rows, heard(rows), strict=True):
        table.add_row(row.recipient, row.right, it.state, it.says)
    return table
