"""`habeas decide refuse`, `fee`, `fee-settled`: what takes two people (GDPR Art. 12(5))."""

from __future__ import annotations

from decimal import Decimal

import click

from connectors.sdk import wall_clock
from pipeline.case.case import Case
from pipeline.case.decisions import GROUNDS, PAID, WAIVED
from schemas import events as e

from . import console
from .deciding import Who, as_person, decided, evidence, opened, says, told

DIGEST_AT_LEAST = 12
"""Hex digits of a proposal's digest that must be given."""


@click.command()
@click.argument("case")
@click.option("--ground", type=click.Choice(list(GROUNDS)), help="GDPR Art. 12(5) knows no other.")
@click.option("--confirm", metavar="DIGEST", help="Another person's proposal that you confirm.")
@click.option("--says", default="", help="Your reasons: the person who asked reads them.")
@evidence
@as_person
@console.as_json
@console.command
async def refuse(
    case: str,
    ground: str | None,
    confirm: str | None,
    says: str,
    evidence: str,
    *,
    who: Who,
    as_json: bool,
) -> None:
    """Refuse what is asked for, by two people: one proposes it, another confirms it.

    The first gives --ground, --says and --evidence; nothing follows yet. The second, under another
    login and with another console's key, looks at it (`habeas decide list CASE`) and gives
    --confirm. The person then reads the reasons, and where to complain. That somebody asks often
    is no ground.
    """
    await _twice(case, ground, confirm, says, evidence, who, 0, "", as_json=as_json)


@click.command()
@click.argument("case")
@click.option("--amount", type=Decimal, help="What the answer costs you, no more: 12.50.")
@click.option("--currency", default="EUR", show_default=True, help="Three letters (ISO 4217).")
@click.option("--ground", type=click.Choice(list(GROUNDS)), help="GDPR Art. 12(5) knows no other.")
@click.option("--confirm", metavar="DIGEST", help="Another person's proposal that you confirm.")
@click.option("--says", default="", help="Your reasons: the person who asked reads them.")
@evidence
@as_person
@console.as_json
@console.command
async def fee(  # noqa: PLR0917  one parameter per option
    case: str,
    amount: Decimal | None,
    currency: str,
    ground: str | None,
    confirm: str | None,
    says: str,
    evidence: str,
    *,
    who: Who,
    as_json: bool,
) -> None:
    """Ask for a fee before going on, by two people as `refuse`: the person may withdraw instead."""
    cents = int(amount * 100) if amount is not None and amount.is_finite() else 0
    currency = currency.upper()
    if not confirm and cents <= 0:
        raise click.UsageError("--amount says how much, above 0")
    await _twice(case, ground, confirm, says, evidence, who, cents, currency, as_json=as_json)


@click.command(name="fee-settled")
@click.argument("case")
@click.option("--paid", "how", flag_value=PAID, default=True, help="It is paid.")
@click.option("--waived", "how", flag_value=WAIVED, help="It is not asked for any more.")
@says
@evidence
@as_person
@console.as_json
@console.command
async def fee_settled(
    case: str, how: str, says: str, evidence: str, *, who: Who, as_json: bool
) -> None:
    """Say that the fee is paid, or waived: the request goes on."""
    settings = console.load()
    known = await opened(settings, case)
    if not known.fee_awaited:
        raise click.ClickException("no fee is waited for in this case")
    event = e.FeeSettled(case=known.id, by=who.name, proposal=known.fee_awaited, how=how)
    await decided(settings, who, event, says, evidence)
    told(known, f"the fee is {how}", as_json=as_json)


async def _twice(  # noqa: PLR0917  what both commands take
    case: str,
    ground: str | None,
    confirm: str | None,
    says: str,
    evidence: str,
    who: Who,
    cents: int,
    currency: str,
    *,
    as_json: bool,
) -> None:
    """Propose, or confirm what another person proposed."""
    settings = console.load()
    known = await opened(settings, case)
    if confirm:
        event = _confirmed(known, confirm, who.name)
        await decided(settings, who, event, says, evidence)
        told(known, "confirmed", as_json=as_json, proposal=event.proposal)
        return
    if not ground:
        raise click.UsageError("a proposal takes --ground, --says and --evidence")
    proposal = e.RefusalProposed(
        case=known.id,
        by=who.name,
        at=wall_clock.now(),
        reason=GROUNDS[ground],
        fee=cents,
        currency=currency if cents else "",
    )
    await decided(settings, who, proposal, says, evidence)
    told(known, "proposed; `habeas inbox` asks a second person to confirm it", as_json=as_json)


def _confirmed(known: Case, confirm: str, by: str) -> e.RequestRefused | e.FeeAsked:
    proposal = known.proposal
    if proposal is None:
        raise click.ClickException("nobody proposed anything of this case")
    named = proposal.digest.hex()
    if len(confirm) < DIGEST_AT_LEAST or not named.startswith(confirm.lower()):
        raise click.ClickException(f"that is not the current proposal: it is {named}")
    if proposal.by == by:
        raise click.ClickException(f"{by} proposed it: it takes another person (--as, --key)")
    if proposal.fee:
        return e.FeeAsked(case=known.id, by=by, proposal=proposal.digest)
    return e.RequestRefused(case=known.id, by=by, reason=proposal.reason, proposal=proposal.digest)
