"""`habeas submit`, `habeas approve`: what comes in from people."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import click

from connectors.sdk import wall_clock
from connectors.sdk.interface import Datum
from pipeline import app
from pipeline.case.case import Case
from pipeline.case.rights import SUPPORTED
from pipeline.intake import details
from pipeline.intake.refused import RefusedError
from pipeline.intake.senders import KINDS
from schemas.events import PlanApproved
from schemas.records import COMPLETE, Person, SealedChange, SealedIdentifier

from . import console
from .deciding import Who, as_person, decided, opened

SAYS = {
    "changes_without_rectification_or_none": "a rectification takes at least one --change or --add,"
    " which are of nothing else, as is --evidence",
    "purpose_without_objection_or_no_code": "--purpose is the id of a purpose in the policy, of an"
    " objection: give --claim objection as well",
    "datum_unknown_or_repeated": "a --change or --add is of one datum, and there is one for each",
    "evidence_too_long_or_hidden": "--evidence takes 4,000 characters, and none that is hidden",
    "change_too_long_or_hidden": "a --change takes 200 characters, and none that is hidden",
    "change_to_nothing": "say what is right; to have something erased, ask for that",
    "change_neither_replaces_nor_completes": "--add fills in what is missing: it replaces nothing",
    "change_of_which_address": "say which address is wrong: --change 'email=old@...->new@...'",
    "change_to_no_such_value": "a --change is to no address, number or date (2001-12-31) at all",
}
"""What an intake that refuses a request means, in words."""
CORRECTED = tuple(it for it in Datum if it is not Datum.STATEMENT)
"""What can be corrected or added by name."""
DIGEST_AT_LEAST = 12
"""Hex digits of a plan's digest that must be given."""


@click.command()
@click.option(
    "--claim",
    "claims",
    multiple=True,
    required=True,
    type=click.Choice(sorted(SUPPORTED)),
    help="A right asked for; may be given more than once.",
)
@click.option("--email", "emails", multiple=True, help="An e-mail address of the person.")
@click.option(
    "--unproved-email",
    "unproved",
    multiple=True,
    help="A further address that they named: it is not used until they confirm it by a link.",
)
@click.option("--user-id", "user_ids", multiple=True, help="Our own id of the person.")
@click.option("--phone", "phones", multiple=True, help="A telephone number; shown, not searched.")
@click.option(
    "--change",
    "changes",
    multiple=True,
    metavar="DATUM=[WRONG->]RIGHT",
    help="What to correct: city=Köln, or 'family_name=Lee->Łuczak' where only that is wrong. May be"
    f" given more than once. DATUM is one of {', '.join(CORRECTED)}.",
)
@click.option(
    "--add",
    "additions",
    multiple=True,
    metavar="DATUM=RIGHT",
    help="What is missing: filled in where a record has no such value, and overwrites none. May be"
    " given more than once, with the same DATUM as --change.",
)
@click.option(
    "--statement",
    default="",
    help="What the person wants to stand beside what we hold: entered where a record has room for"
    " text, over none.",
)
@click.option("--evidence", default="", help="What shows that a correction is right.")
@click.option(
    "--purpose",
    default="",
    help="The use that an objection is to, as the policy names it. Default: direct marketing.",
)
@click.option("--name", default="", help="How to address the person.")
@click.option("--language", default="en", show_default=True, help="Language of the answer.")
@click.option(
    "--level",
    default=app.LOCAL_LEVEL,
    show_default=True,
    type=click.IntRange(0, app.LOCAL_LEVEL),
    help="How surely you know that these are theirs: 0 not at all, 1 a session, 2 proved.",
)
@click.option(
    "--received-at",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="When the request arrived (UTC); the month runs from here. Default: now.",
)
@click.option("--case", "case_id", type=click.UUID, help="The case id; repeat it to submit again.")
@console.as_json
@console.command
async def submit(  # noqa: PLR0917  one parameter per option
    claims: tuple[str, ...],
    emails: tuple[str, ...],
    unproved: tuple[str, ...],
    user_ids: tuple[str, ...],
    phones: tuple[str, ...],
    changes: tuple[str, ...],
    additions: tuple[str, ...],
    statement: str,
    evidence: str,
    purpose: str,
    name: str,
    language: str,
    level: int,
    received_at: datetime | None,
    case_id: UUID | None,
    *,
    as_json: bool,
) -> None:
    """Publish a person's request on `rights.requests`, sealed and signed.

    \b
    habeas submit --claim access --claim erasure --email ann@example.org --name "Ann Lee"
    habeas submit --claim rectification --change city=Köln --email ann@example.org
    habeas submit --claim rectification --add phone="+44 20 7946 0018" --email ann@example.org
    habeas submit --claim objection --email ann@example.org
    """
    settings = console.load()
    given = {"email": emails, "user_id": user_ids, "phone": phones}
    known = [(kind, value, level) for kind in sorted(KINDS) for value in given[kind]]
    known += [("email", value, 0) for value in unproved]
    if not emails and not user_ids and not unproved:
        raise click.UsageError("give at least one --email or --user-id to search with")
    corrected = (*map(_change, changes), *map(_addition, additions))
    if statement:
        corrected += (SealedChange(datum=Datum.STATEMENT, to=statement, how=COMPLETE),)
    try:
        details.check(claims, purpose, corrected, evidence)
    except RefusedError as error:
        raise click.UsageError(SAYS.get(str(error), str(error))) from None
    at = received_at.replace(tzinfo=UTC) if received_at else wall_clock.now()
    case = case_id or uuid4()
    async with app.local_edge(settings) as sender:
        person = Person(
            name=name,
            language=language,
            identifiers=tuple(
                SealedIdentifier(tag=b"", kind=kind, value=value) for kind, value, _ in known
            ),
            levels=tuple(0 if kind == "phone" else of for kind, _, of in known),
            changes=corrected,
            evidence=evidence,
        )
        await sender.request(case, claims, person, level=level, received_at=at, purpose=purpose)
    if as_json:
        console.show_json({"case": case, "claims": claims, "received_at": at})
    else:
        console.out.print(f"case [bold]{case}[/] submitted: watch it with `habeas case {case}`")


def _change(said: str) -> SealedChange:
    """`city=Köln`, or `city=Bonn->Köln`. Raises `click.UsageError`."""
    datum, is_said, values = said.partition("=")
    was, is_both, to = values.partition("->")
    if not is_said or datum not in CORRECTED:
        raise click.UsageError(
            f"--change {datum or '...'}: give DATUM=RIGHT or DATUM=WRONG->RIGHT, with one of"
            f" {', '.join(CORRECTED)}"
        )
    to, was = (to, was) if is_both else (was, "")
    return SealedChange(datum=datum, to=to.strip(), was=was.strip())


def _addition(said: str) -> SealedChange:
    """`phone=+44 20 7946 0018`. Raises `click.UsageError`."""
    datum, is_said, to = said.partition("=")
    if not is_said or datum not in CORRECTED:
        raise click.UsageError(
            f"--add {datum or '...'}: give DATUM=RIGHT, with one of {', '.join(CORRECTED)}"
        )
    return SealedChange(datum=datum, to=to.strip(), how=COMPLETE)


@click.command()
@click.argument("case")
@click.option("--plan", "digest", required=True, help="The plan's digest, as the case shows it.")
@as_person
@console.as_json
@console.command
async def approve(case: str, digest: str, *, who: Who, as_json: bool) -> None:
    """Approve the current plan of CASE, by its digest. `habeas case CASE` shows both."""
    settings = console.load()
    known = await opened(settings, case)
    wanted = _current(known, digest)
    await decided(settings, who, PlanApproved(case=known.id, by=who.name, digest=wanted))
    if as_json:
        console.show_json({"case": known.id, "plan": wanted, "approved": True})
    else:
        console.out.print(f"plan {wanted.hex()[:12]} of case {known.id} approved")


def _current(case: Case, digest: str) -> bytes:
    plan = case.plan
    if plan is None or plan.state != "asked":
        raise click.ClickException("no plan of this case waits for approval")
    if len(digest) < DIGEST_AT_LEAST or not plan.digest.hex().startswith(digest.lower()):
        raise click.ClickException(
            f"that is not the current plan: it is {plan.digest.hex()}, look at `habeas case` again"
        )
    return plan.digest
