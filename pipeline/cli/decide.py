"""`habeas decide`: what only a person decides of a case, each with their reasons and evidence."""

from __future__ import annotations

import click
from rich.table import Table

from connectors.sdk import wall_clock
from pipeline import app
from pipeline.case import inbox, marks
from pipeline.case.case import Case
from pipeline.case.decisions import DONE, IDENTITY_FAILURE, NOT_POSSIBLE
from pipeline.case.graph import HandleError, Node, graph
from pipeline.register import decisions, reading
from pipeline.settings import Settings
from schemas import events as e

from . import console, refusing, timing, weighing
from .deciding import Who, as_person, decided, evidence, opened, says, told

WHY_NOT = ("no_function", "others_rights", "out_of_reach")
"""Why something is not possible, as the person reads it."""
LEVEL = 2
METHOD = "person"
"""How somebody's identity is known that a person looked at."""


@click.group()
def decide() -> None:
    """Decide what only a person can: `habeas inbox` lists what waits, with the command for each.

    \b
    habeas decide refuse 0204b5fb --ground unfounded --says "..." --evidence "..."
    habeas decide refuse 0204b5fb --confirm 9f31c2 --as ann --key ann.key    a second person
    habeas decide settle 0204b5fb 3fa2c1 --done --evidence "deleted by hand, ticket 4711"

    Every decision is signed with your console's key (--as, --key; `habeas keys console` makes one),
    and kept with your login, role, reasons and evidence under the key of the case. Nobody decides a
    case that they submitted. See also `habeas approve` and `habeas whose`.
    """


@decide.command()
@click.argument("case")
@click.option("--identifier", default="", metavar="HANDLE", help="Which: `habeas whose` shows it.")
@says
@evidence
@as_person
@console.as_json
@console.command
async def prove(
    case: str, identifier: str, says: str, evidence: str, *, who: Who, as_json: bool
) -> None:
    """Say that who asks has shown who they are. Also of a case that was closed for want of it.

    It proves one identifier: what the request names first, or HANDLE. --evidence says what they
    showed you; keep no copy of it. The answer says that it is your word, and whatever is to be
    erased then needs an approval, however little it is.
    """
    settings = console.load()
    known = await opened(settings, case)
    tag = _identifier(known, identifier)
    event = e.IdentityProved(case=known.id, by=who.name, level=LEVEL, method=METHOD, tag=tag)
    await decided(settings, who, event, says, evidence)
    told(known, "who asks is known", as_json=as_json)


@decide.command(name="refuse-identity")
@click.argument("case")
@click.option("--says", required=True, help="Your reasons, for the record.")
@evidence
@as_person
@console.as_json
@console.command
async def refuse_identity(case: str, says: str, evidence: str, *, who: Who, as_json: bool) -> None:
    """Say that who asks could not show who they are: nothing is searched, and they are told.

    It is never final: `habeas decide prove` reopens the case under its own reference. Where an
    answer was given already, it opens an incident of what that showed (`habeas incident list`), and
    calls nothing back: `habeas decide withdraw` ends what is under way.
    """
    settings = console.load()
    known = await opened(settings, case)
    event = e.IdentityRejected(case=known.id, by=who.name, reason=IDENTITY_FAILURE)
    await decided(settings, who, event, says, evidence)
    told(known, "who asks is not known", as_json=as_json)


@decide.command()
@click.argument("case")
@click.option("--right", "rights", multiple=True, help="Only this, such as access. Default: all.")
@says
@evidence
@as_person
@console.as_json
@console.command
async def withdraw(
    case: str, rights: tuple[str, ...], says: str, evidence: str, *, who: Who, as_json: bool
) -> None:
    """Take down that the person takes back their request, or one right of it.

    Nothing more is ordered. What a system was told already it may still do; the person is told
    which had acted.
    """
    settings = console.load()
    known = await opened(settings, case)
    wanted = [right for right, it in known.claims.items() if it.active]
    if not wanted:
        raise click.ClickException("nothing of this case is open that could be withdrawn")
    if unknown := set(rights) - set(wanted):
        raise click.ClickException(f"not asked for, or answered: {', '.join(sorted(unknown))}")
    together = rights or tuple(wanted)
    for right in together:
        event = e.ClaimWithdrawn(case=known.id, by=who.name, right=right, together=together)
        await decided(settings, who, event, says, evidence)
    told(known, f"withdrawn: {', '.join(together)}", as_json=as_json)


@decide.command()
@click.argument("case")
@click.argument("item")
@click.option("--done", "how", flag_value=DONE, help="You did it by hand: --evidence says how.")
@click.option("--not-possible", "why", type=click.Choice(WHY_NOT), help="It cannot be done.")
@says
@evidence
@as_person
@console.as_json
@console.command
async def settle(  # noqa: PLR0917  one parameter per option
    case: str,
    item: str,
    how: str | None,
    why: str | None,
    says: str,
    evidence: str,
    *,
    who: Who,
    as_json: bool,
) -> None:
    """Settle ITEM of CASE, which is open: `habeas inbox CASE` lists them.

    What you did by hand is looked for again, and what is gone is proved. What the pipeline cannot
    see is shown as done by hand, never as proved. The person and the report hear of it by
    themselves. --done takes --evidence, --not-possible takes --says.
    """
    if (how is None) == (why is None):
        raise click.UsageError("say either --done or --not-possible")
    settings = console.load()
    known, about = await _about(settings, case, item)
    event = e.ItemSettled(
        case=known.id,
        by=who.name,
        at=wall_clock.now(),
        right=about.right,
        system=about.system,
        kind=about.kind,
        was=about.was,
        how=how or NOT_POSSIBLE,
        reason=why or "",
    )
    await decided(settings, who, event, says, evidence)
    told(known, f"{item} is {'done by hand' if how else 'not possible'}", as_json=as_json)


@decide.command()
@click.argument("case")
@click.option(
    "--leave", multiple=True, required=True, metavar="HANDLE", help="A record that is left alone."
)
@says
@evidence
@as_person
@console.as_json
@console.command
async def change(
    case: str, leave: tuple[str, ...], says: str, evidence: str, *, who: Who, as_json: bool
) -> None:
    """Leave records out of the current plan of CASE, for a person to see to; a new plan is made.

    HANDLE is how a record's tag begins: `habeas case CASE --json` lists the plan's records.
    """
    settings = console.load()
    known = await opened(settings, case)
    if known.plan is None:
        raise click.ClickException("there is no plan of this case yet")
    tags = tuple(_record(known, it) for it in leave)
    event = e.PlanChanged(case=known.id, by=who.name, digest=known.plan.digest, leave=tags)
    await decided(settings, who, event, says, evidence)
    told(known, f"{len(tags)} records are left to a person", as_json=as_json)


@decide.command()
@click.argument("case")
@click.option("--says", required=True, help="Your reasons: the person reads them.")
@evidence
@as_person
@console.as_json
@console.command
async def lift(case: str, says: str, evidence: str, *, who: Who, as_json: bool) -> None:
    """End the restriction of CASE: its person is told why, and then the marks are taken off.

    What they ask for otherwise goes on. They hear once more when it is done.
    """
    settings = console.load()
    known = await opened(settings, case)
    if why := marks.objection(known):
        raise click.ClickException(why)
    await decided(settings, who, e.LiftDecided(case=known.id, by=who.name), says, evidence)
    told(known, "the restriction ends, once its person is told", as_json=as_json)


@decide.command(name="list")
@click.argument("case")
@console.as_json
@console.command
async def list_decisions(case: str, *, as_json: bool) -> None:
    """List the decisions that people took in CASE: who, in which role, why, and what shows it.

    It is opened with the key of the case, and what people wrote may name somebody.
    """
    settings = console.load()
    files, codec = app.Place(settings.data).keys, await app.codec(settings)
    async with app.register(settings) as engine:
        case_id = await reading.find(engine, case)
        entries = await reading.entries(engine, case_id)
        found = await decisions.taken(engine, codec, files, case_id, entries)
    if found is None:
        raise click.ClickException("the key of this case is destroyed: nobody reads it any more")
    if as_json:
        console.show_json(found)
        return
    table = Table("at", "decision", "by", "why", "evidence")
    for it in found:
        by = f"{it.login} at {it.console} ({', '.join(it.roles)})"
        table.add_row(f"{it.at:%Y-%m-%d %H:%M}", it.name, by, it.says, it.evidence)
    console.out.print(table if found else "no person decided anything in this case")


def _record(known: Case, handle: str) -> bytes:
    found = [tag for tag in known.held if tag.hex().startswith(handle.lower())]
    if len(handle) < inbox.HANDLE or len(found) != 1:
        raise click.ClickException(f"{handle!r} is no record of this case, or more than one")
    return found[0]


def _identifier(known: Case, handle: str) -> bytes:
    """What is proved: what was named, or what the request names first."""
    if not handle:
        given = [it.tag for it in known.known.values() if it.given and it.strong]
        if not given:
            raise click.ClickException("the request names nothing that tells a person")
        return given[0]
    try:
        meant = graph(known).find(handle)
    except HandleError as error:
        raise click.ClickException(str(error)) from None
    if not isinstance(meant, Node):
        raise click.ClickException(f"{handle} is a record: an identifier is proved")
    return meant.tag


async def _about(settings: Settings, case: str, named: str) -> tuple[Case, inbox.About]:
    """What an item of the inbox is about."""
    async with app.register(settings) as engine:
        rules = await app.rules_of(settings, engine)
    known = await opened(settings, case)
    items = {it.id: it for it in inbox.waiting(known, rules)}
    item = items.get(named.lower())
    if item is None:
        raise click.ClickException(f"{named!r} is nothing that waits: `habeas inbox {case}`")
    if item.about is None:
        raise click.ClickException(f"that is settled by `{item.command}`")
    return known, item.about


for command in (
    refusing.refuse,
    refusing.fee,
    refusing.fee_settled,
    weighing.uphold,
    weighing.override,
    weighing.review,
    timing.extend,
    timing.pause,
    timing.resume,
):
    decide.add_command(command)
