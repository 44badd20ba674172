"""Holds on erasing, who engaged and who lifted them, and what was ordered to be erased lately.

A hold's row stays when it is lifted, with the signatures that lifted it: for audit.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import and_, case, delete, exists, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.sdk import wall_clock
from pipeline.case.brake import EVERY
from pipeline.case.dues import RECIPIENT
from pipeline.intake.roles import LIFTS
from pipeline.intake.senders import SenderKey, Senders

from . import tables as t

PEOPLE = 2
"""How many must agree before a hold is lifted."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
_ONE_COUNTS = text("SELECT pg_advisory_xact_lock(1, 0)")
"""Two numbers, not one: those are the cases' locks."""


class HoldError(Exception):
    """What cannot be done with a hold. The message says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """One person's agreement to lift a hold, signed as `statement` says."""

    console: str
    key: bytes
    signature: bytes
    login: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A hold on a system, or on every one: meanwhile nothing is ordered to be erased there."""

    id: UUID
    system: str
    reason: str
    engaged_by: str
    engaged_at: datetime
    lifted_at: datetime | None = None
    lifts: tuple[Lift, ...] = ()
    waiting: int = 0
    """Cases that have something to erase there as soon as it is lifted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """A system where a case waits for a hold, and the hold's reason."""

    system: str
    reason: str


def signed(hold: Hold, console: str, key: Ed25519PrivateKey, login: str, at: datetime) -> Lift:
    """A person's agreement to lift a hold."""
    signature = key.sign(statement(hold, console, login, at))
    public = key.public_key().public_bytes_raw()
    return Lift(console=console, key=public, signature=signature, login=login, at=at)


def statement(hold: Hold, console: str, login: str, at: datetime) -> bytes:
    """What a person signs to lift a hold: this hold, and no other. A JSON list of texts."""
    told = (str(hold.id), hold.system, hold.reason, console, login, at.isoformat())
    return json.dumps(["habeas/lift/1", *told]).encode()


async def held(connection: AsyncConnection) -> frozenset[str]:
    """The systems that are held; `EVERY` among them if all are."""
    chosen = select(t.holds.c.system).where(t.holds.c.lifted_at.is_(None))
    return frozenset((await connection.execute(chosen)).scalars())


async def engage(
    connection: AsyncConnection, system: str, *, reason: str, by: str, at: datetime
) -> Hold:
    """Hold a system, or `EVERY`: no decision that begins after this is committed orders an erasure.

    A system may be held more than once: each hold has its reason, and is lifted on its own.
    """
    hold = Hold(id=uuid4(), system=system, reason=reason, engaged_by=by, engaged_at=at)
    names = ("id", "system", "reason", "engaged_by", "engaged_at")
    await connection.execute(insert(t.holds).values({it: getattr(hold, it) for it in names}))
    return hold


async def agree(connection: AsyncConnection, hold: Hold, lift: Lift, senders: Senders) -> bool:
    """Write down that somebody agrees to lift a hold; whether that lifted it.

    It takes `PEOPLE` registered consoles with keys of their own, each with its signature, whose
    role lets them (`roles.LIFTS`). Raises `HoldError` if this one is no such console, or agreed
    before. What was agreed by who may not any more, such as with a revoked key, does not count.
    """
    objection = _objection(hold, lift, senders, lift.at)
    if objection:
        raise HoldError(objection)
    # Whoever comes second waits here, and then sees that the first agreed.
    await connection.execute(update(t.holds).where(t.holds.c.id == hold.id).values(id=hold.id))
    agreed = (await _lifts(connection, [hold.id])).get(hold.id, ())
    before = [it for it in agreed if not _objection(hold, it, senders, lift.at)]
    this = senders.consoles[lift.console]
    if any(senders.consoles[it.console].shares_key(this) for it in before):
        raise HoldError(f"{lift.console} agreed before: it takes another person to lift this hold")
    again = t.lifts.c.hold == hold.id, t.lifts.c.console == lift.console
    await connection.execute(delete(t.lifts).where(*again))  # with a key that is revoked by now
    names = ("console", "key", "signature", "login", "at")
    values = {it: getattr(lift, it) for it in names}
    await connection.execute(insert(t.lifts).values(hold=hold.id, **values))
    if len(before) + 1 < PEOPLE:
        return False
    still = t.holds.c.id == hold.id, t.holds.c.lifted_at.is_(None)
    await connection.execute(update(t.holds).where(*still).values(lifted_at=lift.at))
    return True


async def listed(connection: AsyncConnection, *, lifted: bool = False) -> list[Hold]:
    """The holds there are, and with `lifted` those that were, the oldest first."""
    chosen = select(t.holds).order_by(t.holds.c.engaged_at, t.holds.c.id)
    if not lifted:
        chosen = chosen.where(t.holds.c.lifted_at.is_(None))
    rows = list(await connection.execute(chosen))
    agreed = await _lifts(connection, [it.id for it in rows])
    cases = await waiting(connection)

    def count(system: str) -> int:
        return sum(any(system in {EVERY, it.system} for it in found) for found in cases.values())

    return [
        Hold(
            **it._mapping,  # noqa: SLF001  SQLAlchemy's public name
            lifts=agreed.get(it.id, ()),
            waiting=count(it.system) if it.lifted_at is None else 0,
        )
        for it in rows
    ]


async def count_alone(connection: AsyncConnection, now: datetime) -> None:
    """From here to the transaction's end nobody else counts and orders erasures.

    What is older than a day is forgotten.
    """
    if connection.dialect.name != "sqlite":  # there BEGIN IMMEDIATE locked the whole register
        await connection.execute(_ONE_COUNTS)
    await connection.execute(delete(t.erasures).where(t.erasures.c.at <= now - DAY))


async def ordered(connection: AsyncConnection, now: datetime) -> dict[str, tuple[int, int]]:
    """By system, the holdings ordered to be erased within the last hour and the last day.

    Counting begins anew when a hold on the system is lifted: two people have looked.
    """
    lifted_since = exists().where(
        t.holds.c.system.in_((t.erasures.c.system, EVERY)), t.holds.c.lifted_at >= t.erasures.c.at
    )
    of_hour = case((t.erasures.c.at > now - HOUR, t.erasures.c.holdings), else_=0)
    chosen = (
        select(t.erasures.c.system, func.sum(of_hour), func.sum(t.erasures.c.holdings))
        .where(t.erasures.c.at > now - DAY, ~lifted_since)
        .group_by(t.erasures.c.system)
    )
    rows = await connection.execute(chosen)
    return {system: (int(hour), int(day)) for system, hour, day in rows}


async def record(  # noqa: PLR0917  one row
    connection: AsyncConnection, case: UUID, system: str, n: int, holdings: int, at: datetime
) -> None:
    """Count a task once, whatever its attempts."""
    row = {"case_id": case, "system": system, "n": n, "holdings": holdings, "at": at}
    await connection.execute(insert(t.erasures).values(row))


async def waiting(
    connection: AsyncConnection, case_id: UUID | None = None
) -> dict[UUID, tuple[Waits, ...]]:
    """By case, where it has something to erase and a hold makes it wait; of one case, or of all."""
    stops = or_(t.holds.c.system == t.dues.c.system, t.holds.c.system == EVERY)
    # Of a recipient a reminder is due days later: until then nothing of it waits.
    is_due = or_(t.dues.c.kind != RECIPIENT, t.dues.c.at <= wall_clock.now())
    held = t.holds.c.lifted_at.is_(None)
    chosen = (
        select(t.dues.c.case_id, t.dues.c.system, t.holds.c.reason)
        .join(t.holds, and_(t.dues.c.system != "", is_due, held, stops))
        .distinct()
        .order_by(t.dues.c.system, t.holds.c.reason)
    )
    if case_id is not None:
        chosen = chosen.where(t.dues.c.case_id == case_id)
    found: dict[UUID, tuple[Waits, ...]] = {}
    for it in await connection.execute(chosen):
        waits = Waits(system=it.system, reason=it.reason)
        found[it.case_id] = (*found.get(it.case_id, ()), waits)
    return found


def _objection(hold: Hold, lift: Lift, senders: Senders, at: datetime) -> str:
    """Why an agreement does not count at `at`; empty if it does."""
    name = lift.console
    console = senders.consoles.get(name)
    keys = [key for key in console.keys if key.raw == lift.key] if console else []
    if console is None or not keys or not _is_signed(hold, lift, keys[0]):
        return f"that key is not the one of [consoles.{name}] in intakes.toml"
    if all(key.is_revoked(at) or key.is_early(at) for key in keys):
        return f"that key of [consoles.{name}] is revoked, or not in force yet"
    if console.roles.isdisjoint(LIFTS):
        return f"[consoles.{name}] may not lift a hold: it takes the role {' or '.join(LIFTS)}"
    if any(senders.is_of_intake(name, intake) for intake in senders.intakes):
        return f"[consoles.{name}] is an intake too: who submits cases does not let them go on"
    return ""


def _is_signed(hold: Hold, lift: Lift, key: SenderKey) -> bool:
    said = statement(hold, lift.console, lift.login, lift.at)
    try:
        key.public.verify(lift.signature, said)
    except InvalidSignature:
        return False
    return True


async def _lifts(
    connection: AsyncConnection, ids: Collection[UUID]
) -> dict[UUID, tuple[Lift, ...]]:
    chosen = select(t.lifts).where(t.lifts.c.hold.in_(ids)).order_by(t.lifts.c.at)
    found: dict[UUID, tuple[Lift, ...]] = {}
    for it in await connection.execute(chosen):
        lift = Lift(
            console=it.console, key=it.key, signature=it.signature, login=it.login, at=it.at
        )
        found[it.hold] = (*found.get(it.hold, ()), lift)
    return found
