"""`habeas up`, `habeas run`, `habeas topics`: run the pipeline, whole or in parts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Self

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from pipeline import app, flow
from pipeline.kafka import acls
from pipeline.kafka import topics as kafka_topics
from pipeline.kafka.topics import Difference
from pipeline.web import serve

from . import console

ORCHESTRATOR, HOST = "orchestrator", "host"
PLAIN = (ORCHESTRATOR, *flow.OURS, "reports", app.WEB)
"""Roles that are for no system."""
ABOVE: app.Above = {app.WEB: serve}
OBSERVING = (
    "mode [bold]observe[/]: searches, plans and reports, and erases nothing. HABEAS_MODE=act acts;"
    " without it only sandboxes on this machine are acted upon."
)


@click.command()
@console.command
async def up() -> None:
    """Run everything in one process: orchestrator, a host for every system, response, notice, web.

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
    with app.alone(settings), Fetching() as progress:
        async with app.broker(settings, progress) as bootstrap:
            progress.done()
            await app.prepare(settings, bootstrap)
            await app.refuse_lost_objects(settings)
            console.err.print(f"[bold green]up[/]: broker {bootstrap}, data in {settings.data}")
            console.err.print(f"roles: {', '.join(app.roles(settings))}")
            console.err.print(f"pages: {settings.web_url or settings.web_listen}")
            if app.observes(settings):
                console.err.print(OBSERVING)
            await app.run_everything(settings, bootstrap, above=ABOVE)


@click.command()
@click.argument("roles", metavar="ROLE...", nargs=-1, required=True)
@console.command
async def run(roles: tuple[str, ...]) -> None:
    """Run one ROLE or several in a process, any number of times.

    Roles are orchestrator, response, notice, reports, web, and host with the systems it is for:

    \b
    habeas run orchestrator reports
    habeas run response notice host aws freshdesk

    Needs HABEAS_BROKER. The orchestrator makes what is missing in the data folder, and the topics;
    a host needs no more than its own keys, which `habeas keys host SYSTEM --out DIR` exports; but
    the host `habeas` reads the register, with the orchestrator's data folder and HABEAS_REGISTER.
    Web serves the pages at HABEAS_WEB_LISTEN; HABEAS_WEB_URL, set for notice too, is the address
    that mails give of them.
    HABEAS_MODE=act lets the orchestrator order erasures and a host carry them out: set it for both.
    """
    settings = console.load()
    console.logs()
    wanted = _wanted(roles, app.systems(settings))
    if not settings.broker:
        raise click.UsageError("set HABEAS_BROKER: one role alone does not start a broker")
    bootstrap = app.broker_address(settings)
    if ORCHESTRATOR in wanted:
        app.check_policy(settings)
        await app.prepare(settings, bootstrap)
    for it in wanted:
        if it not in PLAIN:
            app.check_environment(settings, os.environ, it)
    asked = () if ORCHESTRATOR in wanted else [it for it in wanted if it not in PLAIN]
    if (ORCHESTRATOR in wanted or asked) and app.observes(settings, os.environ, *asked):
        console.err.print(OBSERVING)
    await app.run_roles(wanted, settings, bootstrap, above=ABOVE)


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
@click.option(
    "--acls", "only_acls", is_flag=True, help="Print what each role may do; change nothing."
)
@click.option(
    "--principal",
    default=acls.PRINCIPAL,
    show_default=True,
    help="How the broker names a role, with --acls: 'User:CN={name}' for certificates.",
)
@console.as_json
@console.command
async def topics(*, dry_run: bool, only_acls: bool, principal: str, as_json: bool) -> None:
    """Create the topics of the route on HABEAS_BROKER, with their settings.

    Topics that are there with other settings are refused, with the command that mends them.
    --acls prints a script of `kafka-acls.sh`, for every role, intake and console.
    """
    settings = console.load()
    if only_acls:
        if "{name}" not in principal:
            raise click.UsageError("--principal has no {name}: every role has one of its own")
        found = app.acls_of(settings, principal)
        if as_json:
            console.show_json(found)
        else:
            click.echo(acls.script(found), nl=False)
        return
    wanted = flow.topics(app.systems(settings), settings)
    difference = None
    if settings.broker:
        bootstrap = app.broker_address(settings)
        await app.refuse_other_cluster(settings, bootstrap)
        if not dry_run:
            await kafka_topics.create(bootstrap, wanted, app.replication(settings))
        difference = await kafka_topics.compare(bootstrap, wanted, app.replication(settings))
    elif not dry_run:
        raise click.UsageError("set HABEAS_BROKER, or use --dry-run")
    there = {it.name for it in difference.present} if difference else set()
    others = difference.settings if difference else {}
    if as_json:
        console.show_json(
            [
                {
                    "topic": it.name,
                    "partitions": it.partitions,
                    "settings": kafka_topics.settings_of(it),
                    "present": it.name in there if difference else None,
                    "mend": others.get(it.name, {}),
                }
                for it in wanted
            ]
        )
        return
    _table(
        wanted, {it: "with other settings" if it in others else "yes" for it in there}, difference
    )


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


def _table(
    wanted: tuple[flow.Topic, ...], there: Mapping[str, str], asked: Difference | None
) -> None:
    table = Table("topic", "partitions", "kept", "what is on it", "there")
    for it in wanted:
        kept = "for ever" if it.retention is None else f"{it.retention.days} days"
        mark = there.get(it.name, "no") if asked else "?"
        table.add_row(it.name, str(it.partitions), kept, it.about, mark)
    console.out.print(table)
