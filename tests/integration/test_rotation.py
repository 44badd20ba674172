"""Keys that turn, on both databases: what they open stays open; what must die does, no sooner."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import insert, select
from structlog.testing import capture_logs

from pipeline import flow
from pipeline.app import CONSOLE, LOCAL
from pipeline.keys.key_folder import KeyFileError, KeyFolder
from pipeline.orchestrator.rotation import Rotation
from pipeline.register import reading, tables
from pipeline.register.case_keys import PACKAGE, RECORD, CaseKeys, NewKey, new_key
from pipeline.settings import Settings
from schemas.events import CaseOpened, RecordRefused, WhoseDecided
from schemas.records import VerdictRow
from tests.fakes.by_hand import CODEC, ByHand, by_hand
from tests.fakes.deciders import arrived, of_topic

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
async def hand(tmp_path: Path, register: str) -> AsyncIterator[ByHand]:
    settings = Settings(
        data=tmp_path,
        systems="freshdesk",
        register=register,
        wrapping_key_period=4 * DAY,
        public_key_period=3 * DAY,
        incoming_kept=3 * DAY,
        dead_letters_kept=5 * DAY,
        backups_kept=2 * DAY,
    )
    async with by_hand(settings) as made:
        yield made


async def wrapped_by(hand: ByHand) -> dict[UUID, str]:
    async with hand.engine.connect() as connection:
        rows = await connection.execute(select(tables.keys))
        return {it.id: it.wrapping for it in rows}


async def test_living_keys_are_wrapped_anew_and_the_old_one_dies_with_the_oldest_backup(
    hand: ByHand,
) -> None:
    case = await hand.ask("a@example.org")
    await hand.go()
    (first,) = hand.place.keys.wrapping()
    began, old_died = hand.now, None
    async with hand.engine.connect() as connection:
        before = await CaseKeys(hand.place.keys.wrapping()).of(connection, [case])
    async for now in hand.wait(7 * DAY, every=HOUR):
        under = set((await wrapped_by(hand)).values())
        ids = list(hand.place.keys.wrapping())
        assert under == {hand.place.keys.wrapping().current(now)}
        if first not in ids and old_died is None:
            old_died = now
    assert old_died is not None
    assert old_died - began == 4 * DAY + 2 * DAY
    async with hand.engine.connect() as connection:
        after = await CaseKeys(hand.place.keys.wrapping()).of(connection, [case])
    assert after == before
    assert after.keys() == {(case, RECORD), (case, PACKAGE)}


async def test_a_folder_of_keys_that_is_not_mounted_is_not_taken_for_a_new_one(
    hand: ByHand,
) -> None:
    case = await hand.ask("a@example.org")
    await hand.go()
    keys = hand.place.keys
    away = keys.root.with_name("away")
    keys.root.rename(away)
    (named,) = KeyFolder(away / "wrapping")
    with pytest.raises(KeyFileError, match=f"{named}.* `habeas recover` sets those cases aside"):
        await hand.rotation.begin(["freshdesk"])
    assert list(keys.wrapping()) == []
    aside = insert(tables.set_aside).values(case_id=case, why="its key is lost", at=hand.now)
    async with hand.engine.begin() as connection:
        await connection.execute(aside)
    await hand.rotation.begin(["freshdesk"])
    assert len(keys.wrapping()) == 1


async def test_a_wrapping_key_that_something_is_under_does_not_die(hand: ByHand) -> None:
    """Such as what a process wrote that had stood still since the key turned."""
    case = await hand.ask("a@example.org")
    await hand.go()
    files = hand.place.keys.wrapping()
    (first,) = files
    async for _ in hand.wait(5 * DAY, every=HOUR):
        pass
    async with hand.engine.begin() as connection:
        made = new_key(case, "late")
        await CaseKeys(files).save(connection, [NewKey(made, hand.now - 2 * DAY)])
    assert (await wrapped_by(hand))[made.id] == first
    async for _ in hand.wait(DAY + HOUR, every=HOUR):  # past the day it was to die
        assert first in files
    assert (await wrapped_by(hand))[made.id] != first
    async for _ in hand.wait(2 * DAY, every=HOUR):
        pass
    assert first not in files
    async with hand.engine.connect() as connection:
        assert (await CaseKeys(files).of(connection, [case]))[case, "late"].key == made.key


async def test_processes_that_turn_at_once_make_one_key_and_destroy_it_once(hand: ByHand) -> None:
    await hand.ask("a@example.org")
    await hand.go()
    hand.now += 4 * DAY - HOUR
    keys = hand.place.keys
    several = [Rotation(hand.engine, keys, hand.settings, hand.clock) for _ in range(4)]
    await asyncio.gather(*(it.turn() for it in several))
    assert len(keys.wrapping()) == 2
    for passed in (HOUR, 3 * DAY, 2 * HOUR):
        hand.now += passed
        await asyncio.gather(*(it.turn() for it in several))
    assert {len(it) for it in keys.of_hosts().values()} == {1}
    assert len(keys.wrapping()) == 1
    assert set((await wrapped_by(hand)).values()) == set(keys.wrapping())


async def test_orders_are_wrapped_with_the_newest_key_and_old_ones_go(hand: ByHand) -> None:
    folder = KeyFolder(hand.place.keys.hosts("freshdesk"))
    (first,) = folder
    async for _ in hand.wait(DAY - HOUR, every=HOUR):
        pass
    first_of_two, second = folder
    assert (first_of_two, folder.current(hand.now)) == (first, first)  # every host has it now
    async for _ in hand.wait(HOUR, every=HOUR):
        pass
    assert folder.current(hand.now) == second
    await hand.ask("a@example.org")
    await hand.go()
    (search, *_) = of_topic(hand.published, flow.work("freshdesk"))
    assert second.encode() in dict(search.headers)["habeas-grants"]
    assert not of_topic(hand.published, flow.DEAD_LETTERS)
    async for _ in hand.wait(2 * HOUR, every=HOUR):  # an hour to start in, ten minutes to run
        pass
    assert list(folder) == [second]


async def test_a_key_that_is_turned_now_is_used_now_and_what_was_made_ahead_never_is(
    hand: ByHand,
) -> None:
    case = await hand.ask("a@example.org")
    await hand.go()
    async for _ in hand.wait(4 * DAY - HOUR, every=HOUR):
        pass
    kind, *_ = hand.place.keys.kinds(hand.settings)
    old, ahead = kind.keys
    turned = await hand.rotation.turn_now(kind)
    assert kind.keys.current(hand.now) == turned
    assert set((await wrapped_by(hand)).values()) == {turned}
    seen = set()
    hand.now += timedelta(seconds=1)
    async for now in hand.wait(5 * DAY, every=HOUR):
        seen.add(kind.keys.current(now))
    assert not seen & {old, ahead}
    async with hand.engine.connect() as connection:
        assert await CaseKeys(hand.place.keys.wrapping()).of(connection, [case])


async def test_a_wrapping_key_that_is_missing_is_named(hand: ByHand) -> None:
    case = await hand.ask("a@example.org")
    await hand.go()
    files = hand.place.keys.wrapping()
    (named,) = files
    files.destroy(named)
    async with hand.engine.connect() as connection:
        with pytest.raises(KeyFileError, match=named):
            await CaseKeys(files).of(connection, [case])


async def test_a_repeated_request_is_known_again_when_its_key_is_dead(hand: ByHand) -> None:
    """The very bytes, such as a register from a backup meets them."""
    await hand.ask("a@example.org")
    await hand.go()
    first = hand.published[0]
    async for _ in hand.wait(7 * DAY, every=HOUR):
        pass
    hand.published.append(first)
    await hand.go()
    assert refusals(hand) == []
    forged = replace(CODEC.decode(first.value), claims=("access",))  # type: ignore[call-arg]
    hand.published.append(replace(first, value=CODEC.encode(forged)))
    await hand.go()
    (reason,) = refusals(hand)
    assert reason.startswith("incident: not authenticated: bad_signature")


@pytest.mark.parametrize(
    ("email", "reasons"),
    [(" A@example.org", []), ("b@example.org", ["incident: case_id_taken"])],
    ids=["same", "another"],
)
async def test_a_later_copy_is_compared_when_the_first_one_does_not_open_any_more(
    hand: ByHand, email: str, reasons: list[str]
) -> None:
    began, case = hand.now, await hand.ask(" A@example.org")
    await hand.go()
    entries = len(await reading.entries(hand.engine, case))
    async for _ in hand.wait(7 * DAY, every=HOUR):
        pass
    await hand.ask(email, case=case, received_at=began)
    await hand.go()
    assert refusals(hand) == reasons
    assert len(await reading.entries(hand.engine, case)) == entries


async def test_an_intake_that_seals_to_an_old_key_is_named_while_it_still_opens(
    hand: ByHand,
) -> None:
    (first,) = hand.place.keys.pipeline()
    await hand.ask("a@example.org")
    request = hand.published[0]
    async for _ in hand.wait(4 * DAY, every=HOUR):
        pass
    with capture_logs() as logs:
        await hand.go()
    (warned,) = [it for it in logs if it["event"] == "intake.old_key"]
    assert (warned["intake"], warned["key"]) == (LOCAL, first)
    assert warned["in_force"] == hand.place.keys.pipeline().current(hand.now)
    case = CODEC.decode(request.value).case
    assert len(await reading.entries(hand.engine, case)) > 1


async def test_two_persons_under_one_new_case_in_one_batch_are_not_one(hand: ByHand) -> None:
    case = await hand.ask("a@example.org")
    await hand.ask("b@example.org", case=case)
    await hand.ask("a@example.org", case=case)
    batch = [arrived(it, n, hand.now) for n, it in enumerate(hand.published)]
    await hand.decider().take(batch)
    assert refusals(hand) == ["incident: case_id_taken"]


async def test_a_repeated_decision_is_known_again_when_its_key_is_dead(hand: ByHand) -> None:
    case = await hand.ask("a@example.org")
    await hand.go()
    found = await reading.entries(hand.engine, case)
    (opened,) = [it.event for it in found if isinstance(it.event, CaseOpened)]
    same = VerdictRow(tag=opened.identifiers[0].tag, verdict="same")
    decided = WhoseDecided(case=case, by=CONSOLE, verdicts=(same,))
    await hand.console.decision(decided, "somebody", evidence="a call back")
    decision = hand.published[-1]
    await hand.go()
    async for _ in hand.wait(7 * DAY, every=HOUR):
        pass
    hand.published.append(decision)
    await hand.go()
    assert refusals(hand) == []
    stranger = replace(CODEC.decode(decision.value), by="nobody")  # type: ignore[call-arg]
    hand.published.append(replace(decision, value=CODEC.encode(stranger)))
    await hand.go()
    (reason,) = refusals(hand)
    assert reason.startswith("incident: not authenticated: unknown_console")


async def test_dead_letters_open_until_their_topic_forgets_them(hand: ByHand) -> None:
    await hand.ask("a@example.org")
    bad = replace(hand.published.pop(), topic=flow.RESULTS, value=b"garbage")
    await hand.decider().take([arrived(bad, 0, hand.now)])
    (letter,) = of_topic(hand.published, flow.DEAD_LETTERS)
    event = CODEC.decode(letter.value)
    assert isinstance(event, RecordRefused)
    keys = hand.place.keys.letters()
    async for _ in hand.wait(8 * DAY - HOUR, every=HOUR):
        assert event.key in keys
    async for _ in hand.wait(2 * HOUR, every=HOUR):
        pass
    assert event.key not in keys


def refusals(hand: ByHand) -> list[str]:
    letters = of_topic(hand.published, flow.DEAD_LETTERS)
    return [CODEC.decode(it.value).reason for it in letters]  # type: ignore[attr-defined]
