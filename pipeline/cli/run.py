"""`habeas up`, `habeas run`, `habeas topics`: run the pipeline, whole or in parts."""

from __future__ import annotations

import os
from typing import Self

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from pipeline import app, flow
from pipeline.adapters import topics as kafka_topics

from . import console

ORCHESTRATOR, HOST = "orchestrator", "host"
PLAIN = (ORCHESTRATOR, flow.RESPONSE, flow.NOTICE, "reports")
"""Roles that are for no system."""
OBSERVING = (
    "mode [bold]observe[/]: searches, plans and reports, and erases nothing. HABEAS_MODE=act acts;"
    " without it only sandboxes on this machine are acted upon."
)


@click.command()
@console.command
async def up() -> None:
    """Run everything in one process: orchestrator, a host for every system, response, notice.

    `habeas run` spreads them over processes, and so over processors.

    Starts a local Apache Kafka unless HABEAS_BROKER is set. Each system's connector reads its own
    variables, such as HABEAS_FRESHDESK_URL and HABEAS_FRESHDESK_API_KEY; HABEAS_SYSTEMS names the
    systems to ask (default: every installed connector). End it with Ctrl-C.

    HABEAS_MODE=observe searches, plans and reports, and erases nothing; =act erases. Without it,
    it observes unless every system is a sandbox on this machine. A live credential beside a
    sandbox's address, or the reverse, refuses to start.
    """
    settings = console.load()
    console.logs()
    app.check_policy(settings)
    app.check_environment(settings)
    app.observes(settings)  # says what is wrong with HABEAS_MODE before anything starts
    with Fetching() as progress:
        async with app.broker(settings, progress) as bootstrap:
            progress.done()
            await app.prepare(settings, bootstrap)
            console.err.print(f"[bold green]up[/]: broker {bootstrap}, data in {settings.data}")
            console.err.print(f"roles: {', '.join(app.roles(settings))}")
            if app.observes(settings):
                console.err.print(OBSERVING)
            await app.run_everything(settings, bootstrap)


@click.command()
@click.argument("roles", metavar="ROLE...", nargs=-1, required=True)
@console.command
async def run(roles: tuple[str, ...]) -> None:
    """Run one ROLE or several in a process, any number of times.

    Roles are orchestrator, response, notice, reports, and host with the systems it is for:

    \b
    habeas run orchestrator reports
    habeas run response notice host aws freshdesk

    Needs HABEAS_BROKER. The orchestrator makes what is missing in the data folder, and the topics;
    a host needs no more than its own keys, which `habeas keys host SYSTEM --out DIR` exports.
    HABEAS_MODE=act lets the orchestrator order erasures and a host carry them out: set it for both.
    """
    settings = console.load()
    console.logs()
    wanted = _wanted(roles, app.systems(settings))
    if not settings.broker:
        raise click.UsageError("set HABEAS_BROKER: one role alone does not start a broker")
    if ORCHESTRATOR in wanted:
        app.check_policy(settings)
        await app.prepare(settings, settings.broker)
    for it in wanted:
        if it not in PLAIN:
            app.check_environment(settings, os.environ, it)
    asked = () if ORCHESTRATOR in wanted else [it for it in wanted if it not in PLAIN]
    if (ORCHESTRATOR in wanted or asked) and app.observes(settings, os.environ, *asked):
        console.err.print(OBSERVING)
    await app.run_roles(wanted, settings, settings.broker)


def _wanted(said: tuple[str, ...], systems: tuple[str, ...]) -> tuple[str, ...]:
    """The roles to run; behind `host` stand systems."""
    plain: tuple[str, ...] = said
    asked: tuple[str, ...] = ()
    if HOST in said:
        at = said.index(HOST)
        plain, asked = said[:at], said[at + 1 :]
        if not asked:
            raise click.UsageError("`habeas run host SYSTEM...`: name the systems it is for")
    for it in plain:
        if it not in PLAIN:
            raise click.UsageError(f"no role {it!r}; there are {', '.join((*PLAIN, HOST))}")
    for it in asked:
        if it not in systems:
            raise click.UsageError(f"no system {it!r}; there are {', '.join(systems)}")
    return (*plain, *asked)


@click.command()
@click.option("--dry-run", is_flag=True, help="Only show what would be created.")
@console.as_json
@console.command
async def topics(*, dry_run: bool, as_json: bool) -> None:
    """Create the topics of the route on HABEAS_BROKER, with their settings."""
    settings = console.load()
    wanted = flow.topics(app.systems(settings), settings)
    difference = None
    if settings.broker:
        if not dry_run:
            await kafka_topics.create(settings.broker, wanted)
        difference = await kafka_topics.compare(settings.broker, wanted)
    elif not dry_run:
        raise click.UsageError("set HABEAS_BROKER, or use --dry-run")
    there = {it.name for it in difference.present} if difference else set()
    if as_json:
        console.show_json(
            [
                {
                    "topic": it.name,
                    "partitions": it.partitions,
                    "settings": kafka_topics.settings_of(it),
                    "present": it.name in there if difference else None,
                }
                for it in wanted
            ]
        )
        return
    _table(wanted, there, asked=difference is not None)


class Fetching:
    """A bar while the local Kafka is fetched, and a line while it starts."""

    def __enter__(self) -> Self:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        self._progress = Progress(*columns, console=console.err, transient=True)
        self._task = self._progress.add_task("Apache Kafka: fetching", total=None)
        self._progress.start()
        return self

    def __call__(self, done: int, total: int) -> None:
        self._progress.update(self._task, completed=done, total=total)
        if done >= total:
            self._progress.update(self._task, description="Apache Kafka: starting")

    def done(self) -> None:
        """Take the bar away."""
        self._progress.stop()

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def _table(wanted: tuple[flow.Topic, ...], there: set[str], *, asked: bool) -> None:
    table = Table("topic", "partitions", "kept", "what is on it", "there")
    for it in wanted:
        kept = "for ever" if it.retention is None else f"{it.retention.days} days"
        mark = ("yes" if it.name in there else "no") if asked else "?"
        table.add_row(it.name, str(it.partitions), kept, it.about, mark)
    console.out.print(table)
