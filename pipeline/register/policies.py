"""The policies that cases were opened under, with their files: a case goes on under its own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline import policy
from pipeline.policy import Policy, PolicyError
from schemas.codec import from_body
from schemas.derive import event_name
from schemas.events import CaseOpened

from . import store
from . import tables as t


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyLine:
    """A policy as the list shows it."""

    digest: bytes
    used_at: datetime | None
    """When an orchestrator first started with it; None of one that was never written down."""
    cases: int
    open: int
    """Cases of which a claim is not settled."""


async def keep(connection: AsyncConnection, known: Policy, now: datetime) -> None:
    """Write a policy down, unless it is there: before a case is opened under it."""
    row = {"digest": known.digest, "files": json.dumps(known.texts), "used_at": now}
    statement = store.inserted(connection, t.policies)
    await connection.execute(statement.on_conflict_do_nothing(index_elements=["digest"]), [row])


async def read(
    connection: AsyncConnection, digests: Iterable[bytes] | None = None
) -> dict[bytes, Policy]:
    """Those with these digests that are here, or all. Raises `PolicyError` if one was changed."""
    chosen = select(t.policies.c.digest, t.policies.c.files)
    if digests is not None:
        chosen = chosen.where(t.policies.c.digest.in_(list(digests)))
    found = {}
    for it in await connection.execute(chosen):
        known = policy.read(json.loads(it.files))
        if known.digest != it.digest:
            raise PolicyError(
                f"the register's policy {it.digest.hex()} is not what it was: somebody changed it."
                " Bring back the row from a backup"
            )
        found[it.digest] = known
    return found


async def lines(connection: AsyncConnection) -> list[PolicyLine]:
    """Every policy that is here or that a case is under, the one that came last first."""
    chosen = select(t.policies.c.digest, t.policies.c.used_at)
    used = {it.digest: it.used_at for it in await connection.execute(chosen)}
    every, waiting = await _cases(connection)
    found = [
        PolicyLine(digest=it, used_at=used.get(it), cases=every[it], open=waiting[it])
        for it in used.keys() | every.keys()
    ]
    return sorted(found, key=lambda it: (it.used_at is not None, it.used_at or 0), reverse=True)


async def _cases(connection: AsyncConnection) -> tuple[Counter[bytes], Counter[bytes]]:
    """How many cases were opened under each policy, and how many of them are open."""
    every, waiting = Counter[bytes](), Counter[bytes]()
    chosen = (
        select(t.ledger.c.type, t.ledger.c.version, t.ledger.c.body, t.cases.c.claims)
        .join(t.cases, t.cases.c.id == t.ledger.c.case_id)
        .where(t.ledger.c.type == event_name(CaseOpened))
    )
    for it in await connection.execute(chosen):
        opened = from_body(it.type, it.version, it.body)
        if isinstance(opened, CaseOpened):
            every[opened.policy] += 1
            waiting[opened.policy] += "=open" in it.claims
    return every, waiting
