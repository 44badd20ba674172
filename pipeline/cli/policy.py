"""`habeas policy`: which policies cases are under, what is wrong with one, and what it decides."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from pipeline import app
from pipeline.case.case import Case
from pipeline.case.explained import explained
from pipeline.case.plan import Decision
from pipeline.case.policy_change import Change, changes
from pipeline.case.rules import Rules
from pipeline.policy import Policy, load
from pipeline.policy.check import Fault, faults, notes
from pipeline.register import policies, reading

from . import console

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def policy() -> None:
    """The privacy policy as data: what it decides, and what another one would.

    \b
    habeas policy list               which policies cases are under, since when
    habeas policy check              what is unmapped or contradictory, and notes for the DPO
    habeas policy explain CASE       every decision of a plan: rule, facts, and why
    habeas policy diff FOLDER        what a changed policy would decide otherwise

    To change the policy: copy the files into a folder, change them, check it, look at the
    difference, name the folder in HABEAS_POLICY, and start the processes again. Open cases go on
    under the policy that they were opened under.
    """


@policy.command(name="list")
@console.as_json
@console.command
async def list_policies(*, as_json: bool) -> None:
    """List the policies in the register: since when, and how many cases are under each."""
    settings = console.load()
    now = app.policy_of(settings).digest
    async with app.register(settings, reading=True) as engine, engine.connect() as connection:
        found = await policies.lines(connection)
    if as_json:
        console.show_json([{**asdict(it), "in_force": it.digest == now} for it in found])
        return
    table = Table("policy", "since", "cases", "open", "in force")
    for it in found:
        in_force = "yes" if it.digest == now else ""
        since = f"{it.used_at:%Y-%m-%d %H:%M}" if it.used_at else "its files are not here"
        table.add_row(it.digest.hex()[:12], since, str(it.cases), str(it.open), in_force)
    console.out.print(table if found else "none yet: an orchestrator writes its own when it starts")


@policy.command()
@click.argument("folder", type=FOLDER, required=False)
@console.as_json
@console.command
async def check(folder: Path | None, *, as_json: bool) -> None:
    """Check the policy in FOLDER, or the one in force. Exits 1 if something is wrong with it.

    `habeas up` and `habeas run orchestrator` check it as well, and do not start if anything is.
    """
    settings = console.load()
    known = app.policy_of(settings) if folder is None else load(folder)
    wrong = faults(known, app.capabilities(settings))
    if as_json:
        console.show_json({"digest": known.digest, "faults": wrong, "notes": notes(known)})
    else:
        _show_faults(wrong)
        for it in notes(known):
            console.out.print(f"note: {it}", soft_wrap=True)
        console.out.print(f"policy {known.digest.hex()[:12]}: {len(wrong)} faults")
    if wrong:
        raise click.exceptions.Exit(1)


@policy.command()
@click.argument("case")
@console.as_json
@console.command
async def explain(case: str, *, as_json: bool) -> None:
    """Explain every decision of the plan of CASE: what is done, by which rule and facts, and why.

    Without a plan, it explains what would be planned now.
    """
    settings = console.load()
    async with app.register(settings, reading=True) as engine:
        rules = await app.rules_of(settings, engine)
        case_id = await reading.find(engine, case)
        known = reading.folded(await reading.entries(engine, case_id), rules)
    if known.incident is not None:
        raise click.ClickException(f"that is an incident: `habeas incident show {case_id}`")
    rows = list(explained(known, rules))
    if as_json:
        console.show_json({"case": known.id, "policy": known.policy, "rows": rows})
        return
    plan = "no plan yet: this is what would be planned now"
    if known.plan is not None:
        plan = f"plan {known.plan.n}, {known.plan.state}"
    console.out.print(f"case [bold]{known.id}[/], policy {known.policy.hex()[:12]}; {plan}")
    for it in rows:
        became = ", ".join(f"{count} {kind}" for kind, count in it.became.items())
        console.out.print(
            f"{it.system} {it.kind}, {it.category} ({it.count}): {_said(it.decision)}"
            f"{f'; {became}' if became else ''}. {it.why}",
            soft_wrap=True,
        )


@policy.command()
@click.argument("new", type=FOLDER)
@console.as_json
@console.command
async def diff(new: Path, *, as_json: bool) -> None:
    """Say what the policy in the folder NEW would decide otherwise, of every case in the register.

    A dry run: nothing is written, and open cases stay under their own policy. Exits 1 if something
    is wrong with NEW.
    """
    settings = console.load()
    changed = load(new)
    wrong = faults(changed, app.capabilities(settings))
    async with app.register(settings, reading=True) as engine:
        rules = await app.rules_of(settings, engine)
        found = changes([it async for it in _cases(engine, rules)], changed, rules)
    if as_json:
        console.show_json({"digest": changed.digest, "faults": wrong, "changes": found})
    else:
        _show_changes(changed, found)
        _show_faults(wrong)
    if wrong:
        raise click.exceptions.Exit(1)


async def _cases(engine: AsyncEngine, rules: Rules) -> AsyncIterator[Case]:
    for line in await reading.cases(engine):
        entries = await reading.entries(engine, line.id)
        if entries:
            yield reading.folded(entries, rules)


def _show_changes(changed: Policy, found: tuple[Change, ...]) -> None:
    table = Table("system", "kind", "category", "now", "then", "items", "cases")
    for it in found:
        told = _said(it.before), _said(it.after)
        table.add_row(it.system, it.kind, it.category, *told, str(it.rows), str(it.cases))
    if found:
        console.out.print(table)
    rows = sum(it.rows for it in found)
    console.out.print(
        f"policy {changed.digest.hex()[:12]}: {rows} items would be decided otherwise"
    )


def _show_faults(wrong: tuple[Fault, ...]) -> None:
    for it in wrong:
        console.out.print(f"[red]{it}[/]", soft_wrap=True)


def _said(it: Decision) -> str:
    until = f" until {it.until:%Y-%m-%d}" if it.until else ""
    needs = f", needs {', '.join(sorted(it.needs))}" if it.needs else ""
    return f"{it.action}{until} ({it.rule}{needs})"
