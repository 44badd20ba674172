"""A restored register: nobody decides on it until it is recovered, and nobody is erased twice.

What was erased is asked of the sandboxes' own ledgers, not of the pipeline.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, insert, select

from connectors.sdk.sandbox import Fault
from pipeline import app, flow
from pipeline.case.case import Case
from pipeline.faults import crash
from pipeline.kafka import wire
from pipeline.kafka.incoming import Incoming
from pipeline.recovery import register_rows
from pipeline.register import store, tables
from pipeline.register.case_keys import PACKAGE, expire
from schemas.events import KeyDestroyed
from tests.rig import PATIENCE, Planted, Rig, Role, plant, states

BOTH = ("access", "erasure")
OPTIONS = {
    "HABEAS_VENDOR_WAIT": "2",
    "HABEAS_NOT_AFTER_ACT": "4",
    "HABEAS_RUN_LIMIT": "4",
    "HABEAS_WEB_URL": "https://privacy.example.org",
}
"""What was under way when the register was lost lapses while the test looks on."""
Copy = Mapping[str, Sequence[Row[Any]]]


async def backup(rig: Rig) -> Copy:
    """Every row of the register, as of one moment."""
    async with app.register(rig.settings) as engine, engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            await connection.execution_options(isolation_level="REPEATABLE READ")
        return {
            it.name: list(await connection.execute(select(it).order_by(*it.primary_key)))
            for it in tables.metadata.sorted_tables
        }


async def restore(rig: Rig, copy: Copy) -> None:
    """The register as it was then."""
    async with app.register(rig.settings) as engine, engine.begin() as connection:
        for it in tables.metadata.sorted_tables:
            await connection.execute(delete(it))
            rows = [dict(row._mapping) for row in copy[it.name]]
            if rows:
                await connection.execute(insert(it), rows)


async def ledgers(rig: Rig, *cases: UUID) -> dict[UUID, list[Any]]:
    async with app.register(rig.settings) as engine, engine.connect() as connection:
        return {it: await store.entries(connection, it) for it in cases}


async def package_keys(rig: Rig, case: UUID) -> list[Row[Any]]:
    chosen = select(tables.keys).where(tables.keys.c.owner == case)
    async with app.register(rig.settings) as engine, engine.connect() as connection:
        return list(await connection.execute(chosen.where(tables.keys.c.purpose == PACKAGE)))


async def destroy_package(rig: Rig, case: UUID) -> None:
    """Let the time of a case's package key be up, and wait until it is destroyed."""
    (key,) = await package_keys(rig, case)
    async with app.register(rig.settings) as engine, engine.begin() as connection:
        await expire(connection, {key.id: key.created_at})
    async with asyncio.timeout(PATIENCE):
        while not any(isinstance(it.event, KeyDestroyed) for it in await rig.entries(case)):  # noqa: ASYNC110
            await asyncio.sleep(0.2)


async def orders_of(rig: Rig, case: UUID) -> list[Incoming]:
    """What was published for the hosts."""
    work = flow.work("")
    found = [it for it in await rig.records() if it.key == str(case).encode()]
    found = [it for it in found if it.topic.startswith(work)]
    return sorted(found, key=lambda it: (it.topic, it.offset))


async def owe(rig: Rig, orders: Sequence[Incoming]) -> None:
    """Put these orders into the outbox of the register."""
    records = [
        wire.Record(topic=it.topic, key=it.key or b"", value=it.value or b"", headers=it.headers)
        for it in orders
    ]
    async with app.register(rig.settings) as engine, engine.begin() as connection:
        await store.owe(connection, records, datetime.now(UTC))


async def recover(rig: Rig, *arguments: str, **environ: str) -> Any:
    code, out, err = await rig.habeas("recover", "--json", *arguments, **environ)
    assert code == 0, err
    return json.loads(out)


async def refused(rig: Rig) -> str:
    """Why an orchestrator does not start."""
    code, out, err = await rig.habeas("run", "orchestrator")
    assert code == 1, out + err
    return err


def fail(rig: Rig, who: Planted) -> None:
    """Let the vendor fail whenever this contact is to be deleted."""
    route = f"/contacts/{who.contact.partition('/')[2]}"
    rig.sandboxes["freshdesk"].faults.append(
        Fault(method="DELETE", route=route, status=503, times=None)
    )


def is_asked(case: Case) -> bool:
    """Whether it waits for the person alone."""
    return case.state == "identity_asked" and not case.under_way()


def has_ordered(case: Case) -> bool:
    """Whether a task is under way at Freshdesk, and Salesforce's is done."""
    return [it.slot[1] for it in case.under_way("task")] == ["freshdesk"]


@dataclass(frozen=True)
class Lived:
    """What happened before and after the backup, until the register was lost."""

    copy: Copy
    people: Mapping[str, Planted]
    cases: Mapping[str, UUID]
    """`settled` and `asked`, by what had become of them; `later` and `stuck` were under way."""
    ledgers: Mapping[UUID, list[Any]]
    packages: Mapping[UUID, list[Row[Any]]]
    role: Role
    orders: Sequence[Incoming] = ()
    """Every order of `later`, each carried out."""

    @property
    def since(self) -> int:
        """How many events were said after the backup."""
        return sum(map(len, self.ledgers.values())) - len(self.copy["ledger"])


async def live(rig: Rig) -> Lived:
    """Cases that settle before and after a backup, are under way at it, or are opened after it."""
    orchestrator = rig.run("run", "orchestrator")
    rig.run("run", "response", "notice", "recipients", "reports", "host", "salesforce")
    freshdesk = rig.run("run", "host", "freshdesk")
    names = ("settled", "later", "stuck", "lost", "unknown")
    people = {it: plant(rig, it, tickets=1) for it in names}
    cases = {"settled": await rig.submit(*BOTH, email=people["settled"].email)}
    await rig.settled(cases["settled"])
    rig.roles.remove(freshdesk)
    freshdesk.stop()
    cases["later"] = await rig.submit(*BOTH, email=people["later"].email)
    cases["stuck"] = await rig.submit("erasure", email=people["stuck"].email)
    for name in ("later", "stuck"):
        await rig.until(cases[name], lambda it: it.systems["salesforce"].status == "located")

    copy = await backup(rig)

    for name in ("stuck", "unknown"):
        fail(rig, people[name])
    rig.run("run", "host", "freshdesk")
    await rig.settled(cases["later"])
    await destroy_package(rig, cases["settled"])
    cases["lost"] = await rig.submit(*BOTH, email=people["lost"].email)
    await rig.settled(cases["lost"])
    cases["asked"] = await rig.submit("access", email="asked@example.org", level=0)
    await rig.until(cases["asked"], is_asked)
    cases["unknown"] = await rig.submit("erasure", email=people["unknown"].email)
    for name in ("stuck", "unknown"):
        await rig.until(cases[name], has_ordered)
    known = await ledgers(rig, *cases.values())
    packages = {it: await package_keys(rig, it) for it in cases.values()}
    return Lived(copy, people, cases, known, packages, orchestrator)


async def lose(rig: Rig, lived: Lived) -> Lived:
    """The orchestrator dies, and the register is what it was at the backup."""
    lived.role.kill()
    rig.roles.remove(lived.role)
    known = await ledgers(rig, *lived.cases.values())
    orders = await orders_of(rig, lived.cases["later"])
    await restore(rig, lived.copy)
    await owe(rig, orders)  # as if the backup was made before they left
    copy = await backup(rig)
    return replace(lived, copy=copy, ledgers=known, orders=orders)


async def test_a_restored_register_takes_over_what_was_decided_and_nobody_is_erased_twice(
    tmp_path: Path, register: str
) -> None:
    async with Rig(tmp_path, register=register, options=OPTIONS) as rig:
        lived = await live(rig)
        _, _, err = await rig.habeas("recover")
        assert "stop them all" in err
        lived = await lose(rig, lived)

        # What the register says of where it stands does not hide it.
        async with app.register(rig.settings) as engine, engine.begin() as connection:
            for place in product(flow.DECIDED, range(rig.settings.partitions)):
                await register_rows.set_offset(connection, place, 10**9)
        assert "rights.ledger has" in await refused(rig)
        await restore(rig, lived.copy)
        promised = await recover(rig, "--dry-run")
        assert await backup(rig) == lived.copy
        for point in sorted(crash.RECOVERING, reverse=True):  # before the commit, and after it
            code, _, _ = await rig.habeas("recover", HABEAS_CRASH_AT=point)
            assert code == -signal.SIGKILL
            if point == "recover.before-commit":
                assert "habeas recover" in await refused(rig)
        done, again = await recover(rig), await recover(rig)

        assert promised["events"] == lived.since
        _assert_told(promised, done, again)
        _assert_listed(done, lived.cases)
        await _assert_restored(rig, lived)
        await _goes_on(rig, lived)


async def _assert_restored(rig: Rig, lived: Lived) -> None:
    """Ledgers are what they were, entry by entry, and keys are as dead, or die when they would."""
    assert await ledgers(rig, *lived.ledgers) == _readable(lived)
    (key,) = await package_keys(rig, lived.cases["settled"])
    assert key.wrapped == b""
    assert key.destroyed_at
    (key,) = await package_keys(rig, lived.cases["later"])
    (was,) = lived.packages[lived.cases["later"]]
    assert key.wrapped == was.wrapped
    assert abs(key.destroy_at - was.destroy_at) < timedelta(seconds=5)


def _readable(lived: Lived) -> Mapping[UUID, list[Any]]:
    """The ledgers, but for the cases whose key was not in the backup: nobody can read theirs."""
    unread = {lived.cases[it] for it in ("lost", "asked", "unknown")}
    return {it: [] if it in unread else entries for it, entries in lived.ledgers.items()}


async def _goes_on(rig: Rig, lived: Lived) -> None:
    """Held first, then lifted: what was under way settles, and what had settled stays as it was."""
    people, cases = lived.people, lived.cases
    rig.run("run", "orchestrator")
    rig.clear_faults()
    fresh = plant(rig, "fresh", tickets=1)
    await rig.settled(await rig.submit("access", email=fresh.email))
    assert not any(rig.effects(people["stuck"].contact).values())
    await rig.lift("all")
    ended = await rig.settled(cases["stuck"])
    assert states(ended, "erasure")["freshdesk", "contact"] == {"proved"}
    found = await ledgers(rig, *lived.ledgers)
    assert {it for it in found if found[it] != _readable(lived)[it]} == {cases["stuck"]}
    assert await orders_of(rig, cases["later"]) == lived.orders  # none left once more
    for who in people.values():
        for key, operations in rig.effects(*who.keys).items():
            assert len(operations) == len(set(operations)), key
    assert not any(rig.effects(people["unknown"].contact).values())
    _, out, _ = await rig.habeas("dead-letters", "list", "--json")
    assert all("case_set_aside" in it["event"]["reason"] for it in json.loads(out))
    _, out, _ = await rig.habeas("cases", "--json")
    broken = {it["id"] for it in json.loads(out) if "key is lost" in it["broken"]}
    assert broken == {str(cases[it]) for it in ("lost", "asked", "unknown")}


def _assert_told(promised: Any, done: Any, again: Any) -> None:
    """A dry run promises what is done; a second run has nothing to do, and lists the same."""
    assert promised["was_behind"]
    assert promised["keys_destroyed"] == 1
    assert done["was_behind"]  # the group still stood where it had been
    assert (done["events"], done["keys_destroyed"]) == (0, 0)  # by the run that was killed
    assert done["resume_offsets"] == promised["resume_offsets"] != []
    assert not again["was_behind"]
    assert again["resume_offsets"] == []
    lists = ("lost", "broken", "obligations", "unreadable")
    for name in lists:
        assert promised[name] == done[name] == again[name], name
    assert done["broken"] == done["unreadable"] == []


def _assert_listed(done: Any, cases: Mapping[str, UUID]) -> None:
    """Every case that was opened after the backup, with what a person must do."""
    listed = {it["case"]: it for it in done["lost"]}
    names = {str(cases[it]): it for it in ("lost", "asked", "unknown")}
    assert listed.keys() == names.keys()
    do = {name: " ".join(listed[case]["do"]) for case, name in names.items()}
    assert "sent again" not in do["lost"]
    assert "nothing was erased: have the request sent again" in do["asked"]
    for name in ("lost", "unknown"):
        assert "erasing was ordered" in do[name]
        assert "do not send the request again" in do[name]
        assert dict(listed[str(cases[name])]["unread"])["task_ordered"] >= 1
    assert "unless they have their answer" in do["lost"]
    assert "unless they have their answer" not in do["unknown"]
