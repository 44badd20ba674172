"""`habeas incident`: a breach, from when it is known until nothing of it is left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from connectors.sdk import wall_clock
from pipeline import app
from pipeline.case.case import Case
from pipeline.case.incident import GROUNDS, NO_RISK, NOTIFIED, WHAT, Incident, clock
from pipeline.keys.key_files import signer_in
from pipeline.register import incidents, reading
from pipeline.settings import Settings
from schemas import events as e
from schemas.records import SealedIncident

from . import affected, console, incident_shown
from .affected import Given
from .deciding import Who, as_person, decided, decided_as, evidence, opened, says
from .listed import KINDS, ListError, Row
from .refusing import DIGEST_AT_LEAST


@click.group()
def incident() -> None:
    """Keep a breach of personal data: tell the authority within 72 hours, and whom it affects.

    \b
    habeas incident open --system salesforce --category contact --since 2026-03-01 \\
        --happened "..." --list affected.csv
    habeas incident show 5c1a9b20              hours, counts, what is to be decided
    habeas incident notify 5c1a9b20 --consequences "..." --measures "..."
    habeas incident authority 5c1a9b20 --at 2026-03-03T10:00 --reference DPC-4711
    habeas incident waive 5c1a9b20 --ground protected --says "..." --evidence "..."
    habeas incident close 5c1a9b20 --says "..."
    habeas incident register --out breaches.html

    The affected are told unless two people waive it (GDPR Art. 34): once you release the words,
    each address has one letter, which is sent again where it fails. The DPO is reminded after 24,
    48 and 60 hours. If an answer of ours reached the wrong person, the incident opens by itself.
    """


def _moment(_: click.Context, __: click.Parameter, said: str | None) -> datetime | None:
    """A moment that a person wrote, in UTC unless it says otherwise."""
    if said is None:
        return None
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        raise click.BadParameter(f"{said!r} is no moment: 2026-03-01T12:00") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


happened = click.option("--happened", default="", help="What happened, in plain words.")
consequences = click.option("--consequences", default="", help="What it is likely to lead to.")
measures = click.option("--measures", default="", help="What was done, or is to be, against it.")
people = click.option(
    "--list",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Whom it affects: CSV or NDJSON, as `habeas screen` reads it.",
)
held_by = click.option(
    "--from", "sought", multiple=True, metavar="SYSTEM", help="All whom this system holds."
)
kind_of = click.option(
    "--kind", "kinds", multiple=True, help="With --from: holdings of this kind only."
)
column = click.option(
    "--column",
    "given",
    multiple=True,
    metavar="NAME=KIND",
    help=f"A column that holds identifiers. KIND is {' or '.join(KINDS)}.",
)


@incident.command(name="open")
@click.option("--system", "systems", multiple=True, required=True, help="Where. May be repeated.")
@click.option("--category", "categories", multiple=True, required=True, help="Of which data.")
@click.option("--what", type=click.Choice(WHAT), default=WHAT[0], show_default=True)
@click.option("--since", callback=_moment, required=True, help="When it began: 2026-03-01T12:00.")
@click.option("--until", callback=_moment, help="When it ended. Default: it goes on.")
@click.option("--aware", callback=_moment, help="When you knew: 72 hours run. Default: now.")
@happened
@consequences
@measures
@people
@held_by
@kind_of
@column
@evidence
@as_person
@console.as_json
@console.command
async def open_incident(  # noqa: PLR0917  one parameter per option
    systems: tuple[str, ...],
    categories: tuple[str, ...],
    what: str,
    since: datetime,
    until: datetime | None,
    aware: datetime | None,
    happened: str,
    consequences: str,
    measures: str,
    file: Path | None,
    sought: tuple[str, ...],
    kinds: tuple[str, ...],
    given: Sequence[str],
    evidence: str,
    *,
    who: Who,
    as_json: bool,
) -> None:
    """Open an incident: 72 hours run from when you knew (GDPR Art. 33(1)).

    What you write is sealed, and goes to nobody before `habeas incident notify`. Name nobody in it.
    """
    settings, named, now = console.load(), uuid4(), wall_clock.now()
    event = e.IncidentOpened(
        case=named,
        by=who.name,
        what=what,
        aware_at=aware or now,
        since=since,
        until=until,
        systems=systems,
        categories=categories,
    )
    if event.aware_at > now:
        raise click.UsageError("--aware is still to come")
    if until is not None and until < since:
        raise click.UsageError("--until is before --since")
    said = SealedIncident(
        login=who.login,
        says=happened,
        evidence=evidence,
        consequences=consequences,
        measures=measures,
    )
    await decided_as(settings, who, event, said)
    counted = await _given(settings, who, named, file, given, as_json=as_json)
    await _seek(settings, who, named, sought, kinds, until)
    _told(named, "opened", counted, as_json=as_json)


@incident.command()
@click.argument("incident_id", metavar="ID")
@people
@held_by
@kind_of
@column
@as_person
@console.as_json
@console.command
async def affect(
    incident_id: str,
    file: Path | None,
    sought: tuple[str, ...],
    kinds: tuple[str, ...],
    given: Sequence[str],
    *,
    who: Who,
    as_json: bool,
) -> None:
    """Say whom it affects: from a list, or by having systems list whom they hold.

    An address that is there already is not told twice. A row that cannot be read, or names no
    address, is counted: somebody is affected, and a person has to tell them. Exit code 1 then. The
    same file given again sends what did not arrive.
    """
    if file is None and not sought:
        raise click.UsageError("--list or --from says whom it affects")
    settings = console.load()
    known, of = await _opened(settings, incident_id)
    counted = await _given(settings, who, known.id, file, given, as_json=as_json)
    await _seek(settings, who, known.id, sought, kinds, of.until)
    _told(known.id, "given", counted, as_json=as_json)


@incident.command()
@click.argument("incident_id", metavar="ID")
@happened
@consequences
@measures
@as_person
@console.as_json
@console.command
async def notify(
    incident_id: str,
    happened: str,
    consequences: str,
    measures: str,
    *,
    who: Who,
    as_json: bool,
) -> None:
    """Tell the affected, in these words; what you leave out is as it was written at the opening.

    GDPR Art. 34(2): what happened, in plain language, what it may lead to, and what is done about
    it. The letter adds your contact and where to complain. Once it leaves it cannot be called back.
    """
    settings = console.load()
    known, _ = await _opened(settings, incident_id)
    before = await _described(settings, known.id)
    said = SealedIncident(
        login=who.login,
        says=happened or before.says,
        consequences=consequences or before.consequences,
        measures=measures or before.measures,
    )
    event = e.BreachNoticesReleased(case=known.id, by=who.name, at=wall_clock.now())
    await decided_as(settings, who, event, said)
    _told(known.id, "released", None, as_json=as_json)


@incident.command()
@click.argument("incident_id", metavar="ID")
@click.option("--at", callback=_moment, help="When the authority was told. Default: now.")
@click.option("--reference", default="", help="The authority's own, as a code.")
@click.option("--no-risk", is_flag=True, help="It need not be told: a risk is unlikely.")
@says
@evidence
@as_person
@console.as_json
@console.command
async def authority(
    incident_id: str,
    at: datetime | None,
    reference: str,
    says: str,
    evidence: str,
    *,
    no_risk: bool,
    who: Who,
    as_json: bool,
) -> None:
    """Take down that the supervisory authority was told, or why it need not be (GDPR Art. 33(1)).

    What is told in phases is taken down again, with --says: the first time counts (Art. 33(4)).
    After 72 hours --says gives the reasons for the delay; with --no-risk, why a risk is unlikely.
    """
    settings = console.load()
    known, of = await _opened(settings, incident_id)
    moment = at or wall_clock.now()
    told = of.authority is not None and of.authority.how == NOTIFIED
    late = moment > clock(of, moment).due and not (no_risk or told)
    event = e.AuthorityNotified(
        case=known.id,
        by=who.name,
        at=moment,
        how=NO_RISK if no_risk else NOTIFIED,
        reference=reference,
        delayed=late,
    )
    await decided(settings, who, event, says, evidence)
    _told(known.id, "taken down", None, as_json=as_json)


@incident.command()
@click.argument("incident_id", metavar="ID")
@click.option("--ground", type=click.Choice(list(GROUNDS)), help="GDPR Art. 34(1), 34(3)(a)-(c).")
@click.option("--confirm", metavar="DIGEST", help="Another person's proposal that you confirm.")
@says
@evidence
@as_person
@console.as_json
@console.command
async def waive(
    incident_id: str,
    ground: str | None,
    confirm: str | None,
    says: str,
    evidence: str,
    *,
    who: Who,
    as_json: bool,
) -> None:
    """Tell nobody, by two people: one proposes it with the reasons, another confirms it.

    `no_high_risk`: a high risk is unlikely. `protected`: nobody can read the data, as they were
    encrypted. `averted`: what was done since makes a high risk unlikely. `disproportionate`: it was
    published instead; --evidence says where. Our privacy policy promises to tell: say why not.
    """
    settings = console.load()
    known, _ = await _opened(settings, incident_id)
    if confirm:
        event = _confirmed(known, confirm, who.name)
        await decided(settings, who, event, says, evidence)
        _told(known.id, "confirmed", None, as_json=as_json)
        return
    if not ground:
        raise click.UsageError("a proposal takes --ground, --says and --evidence")
    proposal = e.WaiverProposed(case=known.id, by=who.name, at=wall_clock.now(), ground=ground)
    await decided(settings, who, proposal, says, evidence)
    _told(known.id, "proposed; `habeas inbox` asks a second person", None, as_json=as_json)


@incident.command()
@click.argument("incident_id", metavar="ID")
@says
@evidence
@as_person
@console.as_json
@console.command
async def close(incident_id: str, says: str, evidence: str, *, who: Who, as_json: bool) -> None:
    """Close it: nothing of it is left to do. It stays in the register (GDPR Art. 33(5))."""
    settings = console.load()
    known, _ = await _opened(settings, incident_id)
    event = e.IncidentClosed(case=known.id, by=who.name, at=wall_clock.now())
    await decided(settings, who, event, says, evidence)
    _told(known.id, "closed, unless something waits still", None, as_json=as_json)


for shown in (incident_shown.list_incidents, incident_shown.show, incident_shown.register):
    incident.add_command(shown)


async def _opened(settings: Settings, named: str) -> tuple[Case, Incident]:
    known = await opened(settings, named)
    if known.incident is None:
        raise click.ClickException(f"{named} is a request: `habeas case {named}`")
    return known, known.incident


def _confirmed(known: Case, confirm: str, by: str) -> e.BreachNoticesWaived:
    proposal = known.proposal
    if proposal is None:
        raise click.ClickException("nobody proposed to tell nobody of it")
    named = proposal.digest.hex()
    if len(confirm) < DIGEST_AT_LEAST or not named.startswith(confirm.lower()):
        raise click.ClickException(f"that is not the current proposal: it is {named}")
    if proposal.by == by:
        raise click.ClickException(f"{by} proposed it: it takes another person (--as, --key)")
    return e.BreachNoticesWaived(
        case=known.id, by=by, proposal=proposal.digest, ground=proposal.reason
    )


async def _described(settings: Settings, named: UUID) -> SealedIncident:
    """What was written last, as far as this machine can open it."""
    async with app.register(settings, reading=True) as engine:
        entries = await reading.entries(engine, named)
        files, codec = app.Place(settings.data).keys, await app.codec(settings)
        made = await incidents.described(engine, codec, files, named, entries) or []
    if not made:
        return SealedIncident(login="")
    last = made[-1]
    return SealedIncident(
        login="", says=last.happened, consequences=last.consequences, measures=last.measures
    )


async def _given(
    settings: Settings,
    who: Who,
    named: UUID,
    file: Path | None,
    given: Sequence[str],
    *,
    as_json: bool,
) -> Given | None:
    """Publish a list, if there is one."""
    if file is None:
        return None
    columns = dict(map(_column, given))
    signer = None if who.key is None else signer_in(who.key)
    try:
        with _progress(file, hidden=as_json) as show:
            async with app.local_edge(settings, who.name, signer) as sender:
                return await affected.publish(
                    sender, file, columns, named, who.name, who.login, show, _fault
                )
    except ListError as error:
        raise click.ClickException(f"incident {named}: {error}") from None


async def _seek(  # noqa: PLR0917  what systems are asked by
    settings: Settings,
    who: Who,
    named: UUID,
    sought: tuple[str, ...],
    kinds: tuple[str, ...],
    until: datetime | None,
) -> None:
    if not sought:
        return
    if unknown := set(sought) - set(app.systems(settings)):
        raise click.UsageError(f"--from: no such system: {', '.join(sorted(unknown))}")
    now = wall_clock.now()
    event = e.PeopleSought(
        case=named, by=who.name, at=now, systems=sought, kinds=kinds, until=until
    )
    await decided(settings, who, event)


def _fault(row: Row) -> None:
    console.err.print(f"line {row.line}: {row.fault}", soft_wrap=True, highlight=False)


@contextmanager
def _progress(file: Path, *, hidden: bool) -> Iterator[affected.Show]:
    columns = (TextColumn("publishing"), BarColumn(), DownloadColumn())
    quiet = hidden or not console.err.is_terminal
    with Progress(*columns, console=console.err, transient=True, disable=quiet) as bar:
        task = bar.add_task("", total=file.stat().st_size or None)
        yield lambda read: bar.update(task, completed=read)


def _column(said: str) -> tuple[str, str]:
    name, _, kind = said.rpartition("=")
    if not name or kind not in KINDS:
        raise click.UsageError(f"--column is NAME=KIND, and KIND is {' or '.join(KINDS)}")
    return name, kind


def _told(named: UUID, what: str, given: Given | None, *, as_json: bool) -> None:
    """Say that a decision was published, and what came of a list."""
    if as_json:
        console.show_json({"incident": named, "decided": what, "list": given})
    else:
        if given is not None:
            console.out.print(
                f"rows: {given.rows}, addresses: {given.addresses}, without one:"
                f" {given.unreachable}, of which not read: {given.faults}"
            )
        console.out.print(
            f"{what}. `habeas incident show {named}` shows what follows",
            soft_wrap=True,
            highlight=False,
        )
    if given is not None and given.unreachable:
        click.get_current_context().exit(1)
