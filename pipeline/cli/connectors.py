"""`habeas connector`: which systems can be asked, and whether they let us."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
from rich.table import Table

from connectors.sdk import registry, scaffold
from connectors.sdk.interface import Capabilities, ConnectorError, TerminalError
from pipeline import app
from pipeline.settings import Settings

from . import console


@click.group()
def connector() -> None:
    """Connectors to the systems that hold personal data."""


@dataclass(frozen=True)
class Found:
    """An installed connector, or why it cannot be used."""

    system: str
    able: Capabilities | None
    wrong: str = ""
    unmapped: tuple[str, ...] = ()
    """What it may hold and the policy's data map does not know."""


@connector.command(name="list")
@console.as_json
@console.command
async def list_connectors(*, as_json: bool) -> None:
    """List installed connectors: rights, kinds of holdings, facts, and if the policy knows them.

    After a breach, those that can list whom they hold tell everybody who may have to be told.
    """
    policy = app.policy_of(console.load())
    found = []
    for system in registry.systems():
        try:
            able = registry.connector(system).capabilities
        except registry.NotInstalledError as error:
            found.append(Found(system, None, str(error)))
        else:
            found.append(Found(system, able, unmapped=policy.unmapped(able)))
    if as_json:
        console.show_json([_row(it) for it in found])
        return
    table = Table("system", "rights", "holdings (categories)", "facts", "lists people", "data map")
    for it in found:
        if it.able is None:
            table.add_row(it.system, f"[red]{it.wrong}[/]")
            continue
        kinds = [f"{kind} ({', '.join(sorted(of))})" for kind, of in it.able.kinds.items()]
        rights, facts = (", ".join(sorted(of)) for of in (it.able.rights, it.able.facts))
        known = f"[red]no row for {', '.join(it.unmapped)}[/]" if it.unmapped else "yes"
        lists = "yes" if it.able.lists_people else "no"
        table.add_row(it.system, rights, "\n".join(kinds), facts, lists, known)
    console.out.print(table)


def _row(it: Found) -> dict[str, object]:
    if it.able is None:
        return {"system": it.system, "error": it.wrong}
    return {
        "system": it.system,
        "rights": sorted(it.able.rights),
        "kinds": {kind: sorted(names) for kind, names in it.able.kinds.items()},
        "facts": sorted(it.able.facts),
        "lists_people": it.able.lists_people,
        "unmapped": it.unmapped,
    }


@connector.command()
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="The folder to write it into; without it, this one.",
)
def new(name: str, into: Path) -> None:
    """Write the beginning of a connector to the system NAME: a folder `habeas-NAME`.

    In it are a connector, a sandbox and a test, which fails and says what to do next.
    """
    try:
        written = scaffold.write(name, into)
    except scaffold.ScaffoldError as error:
        raise click.ClickException(str(error)) from None
    for path in written:
        console.out.print(str(path), soft_wrap=True, highlight=False)
    root = written[0].parent
    console.out.print(f"next: cd {root} && pip install -e '.[test]' && pytest -x", soft_wrap=True)


@connector.command()
@click.argument("system", nargs=-1)
@console.as_json
@console.command
async def check(system: tuple[str, ...], *, as_json: bool) -> None:
    """Try each SYSTEM's credentials: reach, and permission to read every kind. Changes nothing.

    Reads the same variables as `habeas up`. Without a SYSTEM, tries all that HABEAS_SYSTEMS names,
    or every installed one. Exits 1 if one cannot be used.
    """
    settings = console.load()
    found = {it: await _checked(it, settings) for it in system or app.systems(settings)}
    if as_json:
        console.show_json({it: said or "ok" for it, said in found.items()})
    else:
        for name, said in found.items():
            console.out.print(f"{name}: [red]{said}[/]" if said else f"{name}: ok", soft_wrap=True)
    if any(found.values()):
        raise click.exceptions.Exit(1)


async def _checked(system: str, settings: Settings) -> str:
    """What is wrong with a connector; empty if nothing is."""
    try:
        async with app.connected(system, settings) as made:
            await made.check()
    except (registry.NotInstalledError, registry.SettingsError, app.SetupError) as error:
        return str(error)
    except TerminalError as error:
        return f"{error.reason} ({error})"
    except ConnectorError as error:
        return f"no answer that can be used ({error})"
    return ""
