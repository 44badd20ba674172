"""The list of what waits for people: what it shows, who takes what of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from pipeline import flow
from pipeline.kafka import wire
from pipeline.kafka.producer import producer, send
from tests.rig import Rig

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def waiting(up: Rig, case: UUID) -> list[dict[str, Any]]:
    """What `habeas inbox` tells of a case."""
    code, out, err = await up.habeas("inbox", str(case), "--json")
    assert code == 0, err
    found: list[dict[str, Any]] = json.loads(out)["items"]
    return found


async def contested(up: Rig, who: str) -> UUID:
    """A case with a record that names somebody else beside the asker."""
    email, other = f"{who}@example.org", f"somebody.{who}@example.org"
    contact = {"kind": "contact", "name": "Some One", "email": email, "other_emails": [other]}
    up.sandboxes["freshdesk"].seed([contact])
    return (await up.settled(await up.submit("access", email=email))).id


async def test_who_takes_an_item_is_shown_until_it_ends(up: Rig, tmp_path: Path) -> None:
    case = await contested(up, "taken")
    (item,) = await waiting(up, case)
    assert (item["kind"], item["role"], item["owner"]) == ("whose", "dpo", None)
    key = str(tmp_path / "uma.key")
    assert (await up.habeas("keys", "console", "uma", "--out", key))[0] == 0
    who = ("--as", "uma", "--key", key, "--login", "uma-at-work")
    code, out, err = await up.habeas("inbox", "take", str(case)[:8], item["id"], *who)
    assert code == 0, err
    assert f"uma takes {item['id']}" in out
    await up.until(case, lambda it: bool(it.taken))
    (item,) = await waiting(up, case)
    assert (item["owner"]["console"], item["owner"]["login"]) == ("uma", "uma-at-work")
    code, out, err = await up.habeas("inbox", "--role", "dpo")
    assert "uma (uma-at-work)" in " ".join(out.split()), err
    assert "example.org" not in out


async def test_records_that_nobody_could_read_are_on_the_list_with_their_reasons(up: Rig) -> None:
    async with producer(up.bootstrap) as out:
        junk = wire.Record(topic=flow.DECISIONS, key=b"k", value=b"junk", headers=())
        await send(out, [junk, junk])
    while not (told := await dead_letters(up))["records"]:
        assert told["unknown"] == ""
    assert (told["records"], told["command"]) == (2, "habeas dead-letters list")
    assert sum(told["reasons"].values()) == 2
    code, shown, err = await up.habeas("inbox")
    assert code == 0, err
    assert "2 records lie in dead letters (2 incident: not authenticated" in shown


async def test_where_nobody_can_look_for_them_it_says_so_and_shows_the_rest(up: Rig) -> None:
    """Unknown is never nothing."""
    case = await contested(up, "no-broker")
    code, shown, err = await up.habeas("inbox", HABEAS_BROKER="127.0.0.1:1")
    assert code == 0, err
    assert "whether records lie in dead letters is not known" in shown
    assert str(case)[:13] in shown
    assert (await dead_letters(up, HABEAS_BROKER="127.0.0.1:1"))["records"] is None


async def dead_letters(up: Rig, **environ: str) -> Any:
    """What `habeas inbox` tells of them."""
    code, out, err = await up.habeas("inbox", "--json", **environ)
    assert code == 0, err
    return json.loads(out)["dead_letters"]


async def test_what_does_not_wait_is_not_taken(up: Rig) -> None:
    case = await contested(up, "not-taken")
    code, _, err = await up.habeas("inbox", "take", str(case), "ffffff")
    assert (code, "is nothing that waits" in err) == (1, True)
