"""What is put off happens: six years of a small cast, on both databases, with every key's end."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from connectors.sdk.interface import Category, Holding
from pipeline.app import Place
from pipeline.case import inbox
from pipeline.case.brake import EVERY
from pipeline.case.decisions import NOT_POSSIBLE
from pipeline.case.follow_up import SOON
from pipeline.case.whose import OURS
from pipeline.recovery import register_rows
from pipeline.recovery.takeover import Takeover
from pipeline.register import holds, reading, tables
from pipeline.register.case_keys import OBLIGATION, OF_RECORD, PACKAGE, RECORD, destroy
from pipeline.register.gathered import Gathered
from pipeline.register.obligations import every
from pipeline.settings import Settings
from pipeline.stages.report import broken
from schemas import events as e
from schemas.records import VerdictRow
from tests.fakes.deciders import CODEC, NOW
from tests.fakes.years import Years, a_customer

from .test_recovery import envelopes, record_keys, told
from .test_register import engine, settings

__all__ = ["engine", "settings"]

ENDED = date(2025, 3, 14)
"""When most people's relationship with us ended."""
DUE = datetime(2031, 3, 16, tzinfo=UTC)
"""The day on which what was kept for six years since is looked at."""


@pytest.fixture
def years(settings: Settings, engine: AsyncEngine) -> Years:
    return Years(settings, engine)


def customer(years: Years, email: str, ended: date | None = ENDED) -> None:
    """Somebody who bought something once: a ticket, and a contact that a rule keeps."""
    years.desks["freshdesk"].put(email, "ticket", f"ticket of {email}", "profile", "usage")
    kept = ("identity", "contact", "marketing")
    years.desks["salesforce"].put(email, "contact", f"contact of {email}", *kept)
    years.desks["salesforce"].facts[email] = a_customer(ended=ended)


async def follow_up_of(years: Years, case: UUID) -> UUID:
    """The one case that looks, or is to look, at what a case put off."""
    (looks,) = {it.follow_up for it in (await years.case(case)).obligations}
    return looks


async def living(engine: AsyncEngine, *owners: UUID) -> set[str]:
    """The purposes of the keys that are not destroyed."""
    chosen = select(tables.keys.c.purpose).where(
        tables.keys.c.owner.in_(owners), tables.keys.c.destroyed_at.is_(None)
    )
    async with engine.connect() as connection:
        return set((await connection.execute(chosen)).scalars())


async def test_what_was_kept_goes_in_year_six_when_every_other_key_is_long_dead(
    years: Years, engine: AsyncEngine
) -> None:
    case, email = uuid4(), "ann@example.org"
    customer(years, email)
    await years.ask(case, email, language="de")
    assert years.desks["salesforce"].ids(email) == {f"contact of {email}": {"identity", "contact"}}
    looks = await follow_up_of(years, case)
    (owed,) = (await years.case(case)).obligations
    assert (owed.status, owed.look_at.date()) == ("waiting", DUE.date())

    await years.until(DUE - timedelta(days=2))
    assert await living(engine, case) == set()
    assert await living(engine, looks) == {OBLIGATION}
    assert await reading.entries(engine, looks) == []
    years.desks["freshdesk"].put(email, "ticket", "a new ticket", "profile")  # nobody asked of it
    years.begin_anew()

    await years.until(DUE + timedelta(hours=1))
    assert years.desks["salesforce"].ids(email) == {}
    assert years.desks["freshdesk"].ids(email) == {"a new ticket": {"profile"}}
    after = await years.case(looks)
    assert (after.state, after.claims["erasure"].state) == ("answered", "fulfilled")
    assert not broken(after, years.rules)
    (response,) = after.responses
    assert (response.kind, response.notified) == ("supplement", "sent")
    assert [it["Subject"].partition(" [")[0] for it in years.mails.to(email)][-1] == (
        "We have looked again, as we said we would"
    )
    assert str(case) in years.mails.to(email)[-1].as_string()
    (owed,) = (await years.case(case)).obligations
    assert (owed.status, owed.closed_at and owed.closed_at.date()) == ("done", DUE.date())

    await years.until(DUE + timedelta(days=40))
    assert await living(engine, case, looks) == set()
    destroyed = [it.event for it in await reading.entries(engine, looks)]
    assert {it.purpose for it in destroyed if isinstance(it, e.KeyDestroyed)} == {
        OBLIGATION,
        PACKAGE,
    }
    before = len(years.mails.sent)
    await years.until(DUE + timedelta(days=2000))
    assert len(years.mails.sent) == before


async def test_who_is_a_customer_again_stays_and_is_looked_at_when_that_ended(
    years: Years, engine: AsyncEngine
) -> None:
    case, email = uuid4(), "ben@example.org"
    customer(years, email)
    await years.ask(case, email)
    first = await follow_up_of(years, case)
    years.desks["salesforce"].facts[email] = a_customer(ended=date(2030, 5, 31))
    await years.until(DUE + timedelta(days=30))
    assert years.desks["salesforce"].ids(email)[f"contact of {email}"] == {"identity", "contact"}
    assert [it.status for it in (await years.case(case)).obligations] == ["renewed"]
    (again,) = (await years.case(first)).obligations
    assert (again.status, again.look_at.date()) == ("waiting", date(2036, 6, 2))
    assert await living(engine, first) <= {PACKAGE}
    assert await living(engine, again.follow_up) == {OBLIGATION}

    await years.until(datetime(2036, 6, 3, tzinfo=UTC))
    assert years.desks["salesforce"].ids(email) == {}
    assert [it.status for it in (await years.case(first)).obligations] == ["done"]
    last = await years.case(again.follow_up)
    assert last.follow_up is not None
    assert (last.follow_up.request, last.follow_up.asked_at) == (case, NOW)


async def test_what_has_no_date_is_looked_at_each_year_until_it_has_one(years: Years) -> None:
    case, email = uuid4(), "cleo@example.org"
    customer(years, email, ended=None)
    await years.ask(case, email)
    looks = await follow_up_of(years, case)
    (owed,) = (await years.case(case)).obligations
    assert (owed.until, owed.look_at) == (None, NOW.replace(year=2027))
    years.desks["salesforce"].facts[email] = a_customer(ended=ENDED)
    await years.until(NOW + timedelta(days=370))
    (owed,) = (await years.case(looks)).obligations
    assert owed.look_at.date() == DUE.date()
    await years.until(DUE + timedelta(hours=1))
    assert years.desks["salesforce"].ids(email) == {}


@pytest.mark.parametrize("is_emptied", [True, False], ids=["emptied", "not_emptied"])
async def test_a_bin_is_looked_into_after_its_date(years: Years, *, is_emptied: bool) -> None:
    case, email = uuid4(), "dan@example.org"
    desk = years.desks["freshdesk"]
    desk.put(email, "ticket", "binned", "profile")
    desk.put(email, "ticket", "plain", "profile")
    desk.bins["binned"] = NOW + timedelta(days=30)
    years.desks["salesforce"].facts[email] = {"customer": False}
    await years.ask(case, email)
    looks = await follow_up_of(years, case)
    assert desk.ids(email) == {"binned": {"profile"}}
    if is_emptied:
        desk.held[email] = []
    del desk.bins["binned"]
    await years.until(NOW + timedelta(days=33))
    assert desk.ids(email) == {}
    after = await years.case(looks)
    tasks = [it for it in await reading.entries(years.engine, looks) if it.type == "task_ordered"]
    assert len(tasks) == (0 if is_emptied else 1)
    (row,) = after.claims["erasure"].coverage
    assert (row.state, row.outcome.kind) == ("proved", "erased")
    assert [it.status for it in (await years.case(case)).obligations] == ["done"]


async def never_emptied(years: Years, email: str) -> UUID:
    """Somebody's ticket stays in a bin, whatever the vendor says; the last case that looks."""
    case, desk = uuid4(), years.desks["freshdesk"]
    desk.put(email, "ticket", "binned", "profile")
    years.desks["salesforce"].facts[email] = {"customer": False}
    desk.bins["binned"] = NOW + timedelta(days=30)
    await years.ask(case, email)
    looks = case
    for month in range(2, 6):
        looks = await follow_up_of(years, looks)
        desk.bins["binned"] = NOW + timedelta(days=30 * month)
        await years.until(NOW + timedelta(days=30 * month - 25))
    return looks


async def test_a_bin_that_is_never_emptied_comes_to_people_in_the_end(years: Years) -> None:
    email = "eve@example.org"
    after = await years.case(await never_emptied(years, email))
    (row,) = after.claims["erasure"].coverage
    assert (row.outcome.kind, row.outcome.reason) == ("needs_human", "still_there")
    assert (after.state, after.obligations) == ("waits_for_people", ())
    assert {it.state for it in await every(years.engine, years.now)} == {"renewed", "for people"}
    before = len(years.mails.to(email))
    await years.until(NOW + timedelta(days=400))
    assert len(years.mails.to(email)) == before  # the DPO is reminded, the person is left in peace


async def test_what_a_person_says_of_it_closes_it_in_the_end(years: Years) -> None:
    """Else nobody would ever destroy its key, and it would be on a list that nothing settles."""
    looks = await never_emptied(years, email="fay@example.org")
    (item,) = inbox.waiting(await years.case(looks), years.rules)
    assert item.about is not None
    says = "The vendor empties that bin by no request of ours."
    about = item.about
    await years.say(
        e.ItemSettled(
            case=looks,
            by="",
            at=years.now,
            right=about.right,
            system=about.system,
            kind=about.kind,
            was=about.was,
            how=NOT_POSSIBLE,
            reason="no_function",
        ),
        says=says,
    )
    await years.until(years.now + timedelta(days=1))
    assert {it.state for it in await every(years.engine, years.now)} == {"renewed", "by hand"}
    await years.until(years.now + timedelta(days=30))
    assert await living(years.engine, looks) == set()


async def test_a_system_that_is_away_on_the_day_is_looked_at_a_week_later(years: Years) -> None:
    case, email = uuid4(), "fay@example.org"
    customer(years, email)
    await years.ask(case, email)
    looks = await follow_up_of(years, case)
    years.desks["salesforce"].away = True
    await years.until(DUE + timedelta(hours=1))
    assert years.desks["salesforce"].ids(email) != {}
    (again,) = (await years.case(looks)).obligations
    assert again.look_at.date() == (DUE + SOON).date()
    years.desks["salesforce"].away = False
    await years.until(DUE + SOON + timedelta(days=1))
    assert years.desks["salesforce"].ids(email) == {}
    assert [it.status for it in (await years.case(looks)).obligations] == ["done"]


async def test_an_obligation_whose_key_is_gone_is_said_to_be_unreadable(
    years: Years, engine: AsyncEngine
) -> None:
    case, email = uuid4(), "gus@example.org"
    customer(years, email)
    await years.ask(case, email)
    looks = await follow_up_of(years, case)
    async with engine.begin() as connection:
        chosen = select(tables.keys.c.id).where(tables.keys.c.owner == looks)
        await destroy(connection, (await connection.execute(chosen)).scalar_one(), NOW)
    with capture_logs() as logs:
        await years.until(DUE + timedelta(hours=1))
    assert [it["event"] for it in logs if it["log_level"] == "error"] == ["obligation.unreadable"]
    assert [it.status for it in (await years.case(case)).obligations] == ["unreadable"]
    assert await reading.entries(engine, looks) == []


async def test_what_falls_due_on_one_day_is_one_case_and_one_letter(years: Years) -> None:
    case, email = uuid4(), "ida@example.org"
    customer(years, email)
    desk = years.desks["freshdesk"]
    for n, day in enumerate((30, 30, 60)):
        desk.put(email, "ticket", f"binned {n}", "profile")
        desk.bins[f"binned {n}"] = NOW + timedelta(days=day)
    await years.ask(case, email)
    owed = (await years.case(case)).obligations
    assert [(it.system, it.count) for it in sorted(owed, key=lambda it: it.look_at)] == [
        ("freshdesk", 2),
        ("freshdesk", 1),
        ("salesforce", 2),
    ]
    assert len({it.follow_up for it in owed}) == 3
    desk.bins["binned 2"] = datetime.combine(DUE - timedelta(days=2), time.min, UTC)
    first = len(years.mails.to(email))
    desk.held[email] = [it for it in desk.held[email] if it.id == "binned 2"]
    await years.until(NOW + timedelta(days=40))
    assert len(years.mails.to(email)) == first + 1
    await years.until(NOW + timedelta(days=70))  # it is put off to the day of the contact
    assert len(years.mails.to(email)) == first + 2
    del desk.bins["binned 2"]
    await years.until(DUE + timedelta(days=1))
    found = await every(years.engine, years.now)
    assert {it.state for it in found} == {"done", "renewed"}
    assert desk.ids(email) == years.desks["salesforce"].ids(email) == {}


async def test_a_hold_stops_what_falls_due_and_nothing_is_lost(
    years: Years, engine: AsyncEngine
) -> None:
    case, email = uuid4(), "kim@example.org"
    customer(years, email)
    await years.ask(case, email)
    looks = await follow_up_of(years, case)
    async with engine.begin() as connection:
        await holds.engage(connection, EVERY, reason="a test", by="somebody", at=NOW)
    await years.until(DUE + timedelta(days=3))
    assert years.desks["salesforce"].ids(email) != {}
    assert not (await years.case(looks)).claims["erasure"].settled_at
    (owed,) = await every(engine, years.now)
    assert (owed.state, owed.case, owed.follow_up) == ("looking", case, looks)
    async with engine.begin() as connection:
        await connection.execute(update(tables.holds).values(lifted_at=years.now))
    await years.until(DUE + timedelta(days=4))
    assert years.desks["salesforce"].ids(email) == {}
    (owed,) = await every(engine, years.now)
    assert owed.state == "done"


async def test_what_the_dpo_approves_is_approved_in_year_six_as_well(years: Years) -> None:
    """A person said whose it is, then: no policy waives the approval of that."""
    case, email = uuid4(), "lea@example.org"
    customer(years, email)
    strange = Holding("contact", "strange", frozenset({Category.IDENTITY}))
    years.desks["salesforce"].held[email].append(strange)
    await years.ask(case, email)
    (contested,) = (tag for tag, it in (await years.case(case)).whose.items() if it != OURS)
    said = e.WhoseDecided(case=case, by="", verdicts=(VerdictRow(tag=contested, verdict="same"),))
    await years.say(said, evidence="a call back to the number that we have")
    await years.until(DUE + timedelta(days=1))
    (looks,) = {  # it was found out later whose it is, so a case of its own looks at it
        it.follow_up for it in (await years.case(case)).obligations if it.status == "looking"
    }
    plan = (await years.case(looks)).plan
    assert plan is not None
    assert plan.state == "asked"
    assert "strange" in {it.id for it in years.desks["salesforce"].held[email]}
    await years.say(e.PlanApproved(case=looks, by="", digest=plan.digest))
    await years.until(DUE + timedelta(days=2))
    assert years.desks["salesforce"].held[email] == []
    assert {it.status for it in (await years.case(case)).obligations} == {"done"}


async def test_two_clocks_that_find_the_same_day_open_one_case(
    years: Years, settings: Settings, engine: AsyncEngine
) -> None:
    case, email = uuid4(), "hal@example.org"
    customer(years, email)
    await years.ask(case, email)
    looks = await follow_up_of(years, case)
    async with engine.connect() as connection:
        rows = list(
            await connection.execute(select(tables.dues).where(tables.dues.c.case_id == case))
        )
    assert {(it.kind, it.ref) for it in rows} == {("obligation", str(looks))}
    await years.until(DUE + timedelta(hours=1))
    types = [it.type for it in await reading.entries(engine, looks)]
    assert types.count("follow_up_opened") == types.count("case_opened") == 1
    assert RECORD not in await living(engine, looks)


async def test_a_register_that_is_restored_learns_what_was_closed_without_the_record_key(
    years: Years, settings: Settings, engine: AsyncEngine
) -> None:
    """Of the day before: the record key is dead, so what is said of obligations is read clear."""
    case, email = uuid4(), "mia@example.org"
    customer(years, email)
    await years.ask(case, email)
    looks = await follow_up_of(years, case)
    await years.until(DUE - timedelta(hours=1))
    backup = await copied(engine)
    await years.until(DUE + timedelta(hours=1))
    entries = await reading.ledger(engine, case), await reading.ledger(engine, looks)
    await restore(engine, backup)
    assert (await years.case(case)).obligations[0].status == "waiting"

    keys = await record_keys(settings, engine, case, looks)
    async with engine.begin() as connection:
        gathered = Gathered()
        await gathered.add(connection, told(years.told, keys))
        wrapping = Place(settings.data).keys.wrapping()
        taken = await Takeover(
            connection,
            gathered,
            keyed=await register_rows.key_owners(connection, wrapping, OF_RECORD, PACKAGE),
            behind=True,
            rules=years.rules,
            codec=CODEC,
            envelopes=envelopes(settings),
            now=years.now,
        ).every()
    assert (taken.lost, taken.broken) == ([], [])
    assert (await reading.ledger(engine, case), await reading.ledger(engine, looks)) == entries
    assert (await years.case(case)).obligations[0].status == "done"


Copy = dict[str, list[dict[str, object]]]


async def copied(engine: AsyncEngine) -> Copy:
    """All that the register has."""
    async with engine.connect() as connection:
        return {
            it.name: [dict(row._mapping) for row in await connection.execute(select(it))]
            for it in tables.metadata.sorted_tables
        }


async def restore(engine: AsyncEngine, copy: Copy) -> None:
    async with engine.begin() as connection:
        for it in tables.metadata.sorted_tables:
            await connection.execute(delete(it))
            if copy[it.name]:
                await connection.execute(insert(it), copy[it.name])
