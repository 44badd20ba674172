"""`habeas decide uphold`, `override`, `review`: what the law leaves to a person to weigh."""

from __future__ import annotations

import click

from pipeline import app
from pipeline.case import reviews, weighing
from pipeline.case.case import Case
from schemas import events as e

from . import console
from .deciding import Who, as_person, decided, evidence, opened, told


@click.command()
@click.argument("case")
@click.option("--says", required=True, help="Your reasons, for the record.")
@evidence
@as_person
@console.as_json
@console.command
async def uphold(case: str, says: str, evidence: str, *, who: Who, as_json: bool) -> None:
    """Uphold the objection of CASE to a use that rests on our own interest: the use ends.

    What is held for it stays restricted, and the person is answered so. They may then ask for its
    erasure. See `habeas decide override` for grounds that weigh more.
    """
    known = await _weighed(case, weighing.UPHELD, says, evidence, who)
    told(known, "the objection is upheld: the use ends", as_json=as_json)


@click.command()
@click.argument("case")
@click.option("--says", required=True, help="The grounds: the person reads them.")
@click.option("--evidence", required=True, help="How you weighed them against the person's.")
@click.option("--claims", is_flag=True, help="The data are needed for legal claims.")
@as_person
@console.as_json
@console.command
async def override(
    case: str, says: str, evidence: str, *, claims: bool, who: Who, as_json: bool
) -> None:
    """Let a use go on that the person of CASE objects to: they are told why, then marks come off.

    \b
    habeas decide override 0204b5fb --says "We log who signs in, to keep out who attacks us." \\
        --evidence "Balancing of 3 March: logs are short-lived, read by two people, ..."

    The law asks for compelling legitimate grounds that weigh more than the interests, rights and
    freedoms of the person, or for legal claims (--claims) (GDPR Art. 21(1)). It is a refusal: they
    are told of the supervisory authority and the courts (Art. 12(4)).
    """
    how = weighing.CLAIMS if claims else weighing.OVERRIDDEN
    known = await _weighed(case, how, says, evidence, who)
    told(known, "the use goes on, once its person is told why", as_json=as_json)


@click.command()
@click.argument("case")
@click.argument("decision")
@click.option("--confirmed", "result", flag_value=reviews.CONFIRMED, help="It stands.")
@click.option("--changed", "result", flag_value=reviews.CHANGED, help="Another result is right.")
@click.option("--says", required=True, help="Your reasons: the person reads them.")
@click.option("--evidence", required=True, help="What you looked at.")
@as_person
@console.as_json
@console.command
async def review(
    case: str,
    decision: str,
    result: str | None,
    says: str,
    evidence: str,
    *,
    who: Who,
    as_json: bool,
) -> None:
    """Decide anew what a machine decided alone about the person of CASE (GDPR Art. 22(3)).

    DECISION is its id in the policy's [[automated]]: `habeas inbox CASE` shows it, with what the
    machine looked at. The person gets the result and your reasons. Another result is carried out
    by whom the inbox names, and they say so by `habeas decide settle`: only then it is answered.
    """
    if result is None:
        raise click.UsageError("say either --confirmed or --changed")
    settings = console.load()
    async with app.register(settings) as engine:
        rules = await app.rules_of(settings, engine)
    known = await opened(settings, case)
    event = e.DecisionReviewed(case=known.id, by=who.name, decision=decision, result=result)
    if why := reviews.objection(known, event, rules):
        raise click.ClickException(why)
    await decided(settings, who, event, says, evidence)
    told(known, f"{decision} is {result}", as_json=as_json)


async def _weighed(case: str, how: str, says: str, evidence: str, who: Who) -> Case:
    """Say how an objection to a use is decided; its case."""
    settings = console.load()
    known = await opened(settings, case)
    if why := weighing.objection(known):
        raise click.ClickException(why)
    event = e.ObjectionDecided(case=known.id, by=who.name, how=how)
    await decided(settings, who, event, says, evidence)
    return known
