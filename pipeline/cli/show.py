"""`habeas cases`, `habeas case`, `habeas report`: look, without seeing a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import click
from rich.table import Table

from pipeline import app
from pipeline.case.case import LOOK, TASK, Case, Obligation
from pipeline.case.counted import counted
from pipeline.case.coverage import systems
from pipeline.case.follow_up import WAITING
from pipeline.case.graph import Graph, graph
from pipeline.case.planned import turns
from pipeline.case.rules import Rules
from pipeline.case.spent import given_up
from pipeline.case.waiting import QUEUED, queues
from pipeline.register import reading
from pipeline.register.holds import Waits
from pipeline.response import dates, kept, words
from pipeline.response.report import regarded
from schemas.events import CaseReported
from schemas.records import CoverageRow, PlanRow

from . import console

RETAINED = "retained"
STATES = ("proved", "attested", "kept", "dated", "open")


@click.command()
@console.as_json
@console.command
async def cases(*, as_json: bool) -> None:
    """List every case, the nearest deadline first, with what it waits for."""
    settings = console.load()
    async with app.register(settings) as engine:
        found = await reading.cases(engine)
    if as_json:
        console.show_json(found)
        return
    table = Table("case", "state", "claims", "due", "waits for")
    for it in found:
        state = f"[red]broken: {it.broken}[/]" if it.broken else it.state
        claims = it.claims.replace(",", "\n")
        waits = "\n".join((*filter(None, [it.waiting]), *map(_hold, it.held)))
        table.add_row(console.short(it.id), state, claims, f"{it.due_at:%Y-%m-%d}", waits)
    console.out.print(table if found else "no cases yet: `habeas submit` makes one")


@click.command()
@click.argument("case")
@console.as_json
@console.command
async def case(case: str, *, as_json: bool) -> None:
    """Show CASE (an id, or its beginning): systems, plan, what it waits for, its whole ledger."""
    settings = console.load()
    async with app.register(settings) as engine:
        rules = await app.rules_of(settings, engine)
        case_id = await reading.find(engine, case)
        entries = await reading.entries(engine, case_id)
        held = await reading.held(engine, case_id)
        wrong = await reading.broken(engine, case_id)
    known = reading.folded(entries, rules)
    if known.incident is not None:
        raise click.ClickException(f"that is an incident: `habeas incident show {case_id}`")
    planned = reading.last_plan(entries)
    if as_json:
        events = [{"number": it.number, "at": it.at, "type": it.type} for it in entries]
        console.show_json(
            {
                **_summary(known),
                "dates": counted(known, rules) if known.policy else None,
                "broken": wrong,
                "held": held,
                "planned": planned,
                "systems": systems(known),
                "ledger": events,
            }
        )
        return
    _show(known, wrong)
    for order in given_up(known):
        step = f"{order.slot[0]} {order.slot[2]} of {order.slot[1]}"
        console.out.print(f"[red]gave up: {step} ({order.reason})[/]", soft_wrap=True)
    for line in (*_dates(known, rules), *_whose(known, graph(known))):
        console.out.print(line, soft_wrap=True)
    for waits in held:
        console.out.print(f"[red]waits: {_hold(waits)}[/] (`habeas hold list`)", soft_wrap=True)
    if planned:
        console.out.print(_plan(planned))
    table = Table("#", "at", "event")
    for it in entries:
        table.add_row(str(it.number), f"{it.at:%Y-%m-%d %H:%M:%S}", it.type)
    console.out.print(table)


@click.command()
@click.argument("case")
@console.as_json
@console.command
async def report(case: str, *, as_json: bool) -> None:
    """Show the completion report of CASE: what was found, and what became of it."""
    settings = console.load()
    async with app.register(settings) as engine:
        case_id = await reading.find(engine, case)
        found = reading.last_report(await reading.entries(engine, case_id))
    if found is None:
        raise click.ClickException("no report yet: it is made once a claim has settled")
    if as_json:
        console.show_json(found)
        return
    folder = app.Place(settings.data).reports
    console.out.print(f"report {found.n} of case [bold]{case_id}[/], {found.state}")
    console.out.print(matrix(found))
    console.out.print(f"as a page: {folder / f'{case_id}-{found.n}.html'}", soft_wrap=True)


def matrix(*reports: CaseReported) -> Table:
    """The coverage matrix: every system, and what became of what was found there."""
    table = Table("system", "claim", "searched", "found", *STATES, "and why")
    rights = sorted({it.right for report in reports for it in report.claims if it.settled_at})
    for system in sorted({it.system for report in reports for it in report.systems}):
        for right in rights:
            table.add_row(system, right.replace("_", "\n"), *_counts(reports, system, right))
    return table


def _counts(reports: Sequence[CaseReported], system: str, right: str) -> list[str]:
    asked = [it for it in reports if right in {c.right for c in it.claims if c.settled_at}]
    rows = [
        row
        for report in asked
        for row in report.coverage
        if (row.system, row.right) == (system, right)
    ]
    counts = Counter[str]()
    for row in rows:
        counts[row.state] += row.count
    about = (it for report in asked for it in regarded(report, right) if it.system == system)
    why = sorted({_why(it) for it in rows if it.state != "proved"})
    searched = {it.searched for report in asked for it in report.systems if it.system == system}
    searched -= {"nothing"} if "found" in searched else set()
    states = [str(counts[it]) for it in STATES]
    count = sum(it.count for it in about)
    return ["\n".join(sorted(searched)), str(count), *states, "\n".join(why)]


def _why(row: CoverageRow) -> str:
    it = row.outcome
    until = f"until {it.until:%Y-%m-%d}" if it.until else ""
    return " ".join(word for word in (it.kind, it.rule, it.reason, until) if word)


def _hold(it: Waits) -> str:
    return f"a hold on {it.system}: {it.reason}"


def _plan(rows: Sequence[PlanRow]) -> Table:
    """What the plan says, as counts: what is done if it is carried out."""
    table = Table("system", "kind", "category", "plan", "count", "rule")
    for it in rows:
        until = f" until {it.until:%Y-%m-%d}" if it.until else ""
        needs = f" (needs {', '.join(it.needs)})" if it.needs else ""
        what = f"{it.action}{until}{needs}"
        table.add_row(it.system, it.kind, it.category, what, str(it.count), it.rule)
    return table


def _summary(known: Case) -> dict[str, object]:
    plan, whose = known.plan, graph(known)
    return {
        "case": known.id,
        "state": known.state,
        "claims": {it.right: it.state for it in known.claims.values()},
        "received_at": known.received_at,
        "due_at": known.due_at,
        "plan": None
        if plan is None
        else {"n": plan.n, "digest": plan.digest, "state": plan.state, "by": plan.by},
        "waiting": [
            {"order": it.slot[0], "system": it.slot[1], "state": it.state, "reason": it.reason}
            for it in known.under_way()
        ]
        + [
            {"order": TASK, "system": it, "state": "not_ordered", "reason": ""}
            for it in turns(known)
        ]
        + [
            {"order": LOOK, "system": it.system, "state": QUEUED, "reason": "", "by": it.by}
            for it in queues(known)
        ],
        "awaits": sorted(known.awaits),
        "joined": known.joined,
        "given_up": [
            {"order": it.slot[0], "system": it.slot[1], "n": it.slot[2], "reason": it.reason}
            for it in given_up(known)
        ],
        "contested": len(whose.contested),
        "confirming": [it.until for it in whose.identifiers if it.until],
        "facts": {
            system: {name: it.value for name, it in told.items()}
            for system, told in known.facts.items()
        },
        "obligations": known.obligations,
        "reappeared": known.reappeared,
    }


def _show(known: Case, wrong: str) -> None:
    claims = ", ".join(f"{it.right}: {it.state}" for it in known.claims.values())
    console.out.print(f"case [bold]{known.id}[/] {known.state}; {claims}")
    console.out.print(f"received {known.received_at:%Y-%m-%d}, answer due {known.due_at:%Y-%m-%d}")
    if wrong:
        console.out.print(f"[red]broken: {wrong}[/]")
    plan = known.plan
    if plan is not None:
        console.out.print(f"plan {plan.n} {plan.state}, digest {plan.digest.hex()}")
        if plan.state == "asked":
            command = f"  habeas approve {known.id} --plan {plan.digest.hex()}"
            console.out.print(command, soft_wrap=True)
    for line in _waits(known):
        console.out.print(line)
    for owed in known.obligations:
        until = f"until {owed.until:%Y-%m-%d}" if owed.until else "while the reason lasts"
        why = f" under {owed.rule}" if owed.rule else ""
        console.out.print(f"{owed.state} in {owed.system}: {owed.count} items{why}, {until}")
        console.out.print(f"  {_look(owed)}")
    for line in _periods(known):
        console.out.print(line, soft_wrap=True)
    for system, told in sorted(known.facts.items()):
        said = ", ".join(f"{name.replace('_', ' ')} {told[name].value}" for name in sorted(told))
        if said:
            console.out.print(f"{system} tells: {said}")
    table = Table("system", "searched", "rounds", "holdings", "calls")
    for row in systems(known):
        table.add_row(row.system, row.searched, str(row.rounds), str(row.found), str(row.calls))
    console.out.print(table)


def _look(owed: Obligation) -> str:
    """When it is looked at again, or what became of it; the case that looks is named."""
    if owed.closed_at is not None:
        return f"{owed.status} since {owed.closed_at:%Y-%m-%d}, by case {owed.follow_up}"
    if owed.status == WAITING:
        return f"looked at again on {owed.look_at:%Y-%m-%d}, in case {owed.follow_up}"
    return f"being looked at in case {owed.follow_up}"


def _dates(known: Case, rules: Rules) -> Iterator[str]:
    """How the date was counted, and by when it can still be moved."""
    if not known.policy:
        return
    found = counted(known, rules)
    yield from dates.counted(found.steps)
    if not known.extended:
        yield f"An extension must be told by {found.notice_by:%Y-%m-%d}."


def _periods(known: Case) -> Iterator[str]:
    """How each date of what is kept is reckoned, or why there is none."""
    retained = {it for it in known.outcomes.values() if it.kind == RETAINED}
    for it in sorted(retained, key=lambda it: (it.rule or "", it.reason or "")):
        when = kept.reckoned(it.period, it.until) if it.period else it.reason
        yield f"{it.rule}: {when}"


def _waits(known: Case) -> Iterator[str]:
    """What it waits for, beside people."""
    for it in known.under_way():
        why = f" ({it.reason})" if it.reason else ""
        yield f"waits for {it.slot[1]}: {it.slot[0]} {it.state}{why}"
    for system in turns(known):
        yield f"waits for {system}: task not ordered"
    for queue in queues(known):
        items = words.counted(queue.count, "item")
        yield f"waits for {queue.system}: {items} in its queue, until {queue.by:%Y-%m-%d %H:%M:%S}"
    for other in sorted(known.awaits):
        yield f"waits for case {other}: its copy is made before anything is erased here"
    for feed, seen in sorted(known.reappeared.items()):
        items = words.counted(seen.count, "row")
        yield f"there again in {feed} on {seen.at:%Y-%m-%d}: {items} of whom it erased for"
    if known.joined is not None:
        yield f"the person asked for the same before: answered in case {known.joined}"


def _whose(known: Case, found: Graph) -> Iterator[str]:
    """What waits until somebody says whose it is."""
    count = len(found.contested)
    if count:
        are = "is" if count == 1 else "are"
        yield f"{words.counted(count, 'record')} {are} contested: `habeas whose {known.id}`"
    days = Counter(it.until.date() for it in found.identifiers if it.until)
    for day, waiting in sorted(days.items()):
        wait = "address waits" if waiting == 1 else "addresses wait"
        yield f"{waiting} {wait} for confirmation until {day:%Y-%m-%d}"
