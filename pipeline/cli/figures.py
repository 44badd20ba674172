"""`habeas figures`: what the register says by numbers, for a month or for all time."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime

import click
from rich.table import Table

from connectors.sdk import wall_clock
from pipeline import app
from pipeline.case import figures as counted
from pipeline.case.figures import Figures, History, OfRight
from pipeline.register import reading
from pipeline.response import words

from . import console

DATE = click.DateTime(["%Y-%m-%d"])
RIGHT = (
    "received",
    "answered",
    "refused",
    "withdrawn",
    "joined",
    "open",
    "on time",
    "late",
    "extended",
)
Line = tuple[str, str, str, str, object]
"""A line of the CSV: the figure, and up to three words that say of what; its value."""


@click.command()
@click.option("--from", "since", type=DATE, metavar="DAY", help="Received from this day (UTC) on.")
@click.option(
    "--to", "until", type=DATE, metavar="DAY", help="Received up to this day. Default: today."
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV: figure, of, and, why, value.")
@console.as_json
@console.command
async def figures(
    since: datetime | None, until: datetime | None, *, as_csv: bool, as_json: bool
) -> None:
    """Count requests: volume by right, on time, days, refusals, failures, ages, what comes next.

    \b
    habeas figures --from 2026-01-01 --to 2026-03-31
    habeas figures --csv > figures.csv

    Counted are the requests received from the one day to the other, both included. Ages and what
    falls due next are of all cases that are open now. No figure is about a person.
    """
    if as_csv and as_json:
        raise click.UsageError("--csv or --json: say one of them")
    settings = console.load()
    now = wall_clock.now()
    last = until.date() if until else now.date()
    if since is not None and since.date() > last:
        raise click.UsageError(f"--from {since:%Y-%m-%d} is after --to {last}")
    histories = []
    async with app.register(settings, reading=True) as engine:
        rules = await app.rules_of(settings, engine)
        for line in await reading.cases(engine):
            entries = await reading.entries(engine, line.id)
            if entries:  # of one that could not be recovered nothing can be read
                case = reading.folded(entries, rules)
                told = [(it.at, it.event) for it in entries]
                histories.append(History(case=case, events=told))
    found = counted.figures(histories, since.date() if since else None, last, now)
    if as_json:
        console.show_json(found)
    elif as_csv:
        click.echo(written(found), nl=False)
    else:
        show(found)


def show(found: Figures) -> None:
    """Print them as tables; one without rows is left out."""
    since = f"from {found.since} " if found.since else ""
    console.out.print(f"{words.counted(found.cases, 'request')} received {since}to {found.until}")
    table = Table("right", *RIGHT, "median days", "95 % within")
    for it in found.rights:
        table.add_row(it.right, *map(str, _counts(it)), _days(it.median_days), _days(it.p95_days))
    console.out.print(table)
    refusals = Table("refused because", "claims")
    for refusal in found.refusals:
        said = words.JUSTIFICATIONS.get(refusal.reason, "")
        refusals.add_row(f"{refusal.reason} {said}".strip(), str(refusal.claims))
    failures = Table("system", "what", "why", "times", "cases")
    for failure in found.failures:
        counts = str(failure.times), str(failure.cases)
        failures.add_row(failure.system, failure.what, failure.reason, *counts)
    ages = Table("open since", "cases")
    for age in found.ages:
        ages.add_row(age.since, str(age.cases))
    coming = Table("due", "what", "case")
    for due in found.coming:
        coming.add_row(f"{due.due.astimezone(UTC):%Y-%m-%d}", due.what, console.short(due.case))
    for shown in (refusals, failures, ages, coming):
        if shown.row_count:
            console.out.print(shown)


def _counts(it: OfRight) -> tuple[int, ...]:
    """As the columns of `RIGHT`."""
    return (
        it.received,
        it.answered,
        it.refused,
        it.withdrawn,
        it.joined,
        it.open,
        it.on_time,
        it.late,
        it.extended,
    )


def _days(count: float | None) -> str:
    return "" if count is None else f"{count:.1f}"


def written(found: Figures) -> str:
    """CSV: one figure a line, so that a spreadsheet can turn it as it likes."""
    written = io.StringIO()
    out = csv.writer(written, lineterminator="\n")
    out.writerow(("figure", "of", "and", "why", "value"))
    out.writerows(_lines(found))
    return written.getvalue()


def _lines(found: Figures) -> Iterator[Line]:
    yield "requests", str(found.since or ""), str(found.until), "", found.cases
    for of in found.rights:
        for name, value in asdict(of).items():
            if name != "right":
                yield name, of.right, "", "", "" if value is None else value
    for refusal in found.refusals:
        yield "refusals", "", "", refusal.reason, refusal.claims
    for it in found.failures:
        yield "failures", it.system, it.what, it.reason, it.times
        yield "failing cases", it.system, it.what, it.reason, it.cases
    for age in found.ages:
        yield "open cases", age.since, "", "", age.cases
    for coming in found.coming:
        due = f"{coming.due.astimezone(UTC):%Y-%m-%d}"
        yield "due", coming.what, str(coming.case), "", due
