"""`habeas decide extend`, `pause`, `resume`: what people decide of a case's time (GDPR Art. 12)."""

from __future__ import annotations

import click

from connectors.sdk import wall_clock
from pipeline.case.deadline import CLARIFICATION, FEE, IDENTITY
from schemas import events as e

from . import console
from .deciding import Who, as_person, decided, evidence, opened, says, told

REASONS = {"complexity": "eu-gdpr:A12Complexity", "volume": "eu-gdpr:A12HighVolume"}
"""Why an answer may take longer: Art. 12(3) knows no other reason."""
ASKED = click.Choice([IDENTITY, CLARIFICATION, FEE])


@click.command()
@click.argument("case")
@click.option("--reason", required=True, type=click.Choice(list(REASONS)), help="Art. 12(3).")
@says
@evidence
@as_person
@console.as_json
@console.command
async def extend(
    case: str, reason: str, says: str, evidence: str, *, who: Who, as_json: bool
) -> None:
    """Take three months from receipt instead of one, and tell the person why.

    Only within the first month, and once.
    """
    settings = console.load()
    known = await opened(settings, case)
    event = e.DeadlineExtended(case=known.id, by=who.name, reason=REASONS[reason])
    await decided(settings, who, event, says, evidence)
    told(known, "extended", as_json=as_json)


@click.command()
@click.argument("case")
@click.option("--for", "why", required=True, type=ASKED, help="What the person was asked for.")
@says
@evidence
@as_person
@console.as_json
@console.command
async def pause(case: str, why: str, says: str, evidence: str, *, who: Who, as_json: bool) -> None:
    """Say that the person was asked, just now, for what is needed to go on: the time stands still.

    Whether the law lets it is counted: within two working days of receipt, for instance.
    """
    settings = console.load()
    known = await opened(settings, case)
    event = e.ClockPaused(case=known.id, by=who.name, why=why, at=wall_clock.now())
    await decided(settings, who, event, says, evidence)
    told(known, f"the time stands still for {why}", as_json=as_json)


@click.command()
@click.argument("case")
@click.option("--for", "why", required=True, type=ASKED, help="What the person was asked for.")
@says
@evidence
@as_person
@console.as_json
@console.command
async def resume(case: str, why: str, says: str, evidence: str, *, who: Who, as_json: bool) -> None:
    """Say that what the person was asked for is here, in full: the time goes on."""
    settings = console.load()
    known = await opened(settings, case)
    event = e.ClockResumed(case=known.id, by=who.name, why=why, at=wall_clock.now())
    await decided(settings, who, event, says, evidence)
    told(known, "the time goes on", as_json=as_json)
