"""The list of what waits for people: what it shows, who takes what of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.rig import Rig

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def waiting(up: Rig, case: UUID) -> list[dict[str, Any]]:
    """What `habeas inbox` tells of a case."""
    code, out, err = await up.habeas("inbox", str(case), "--json")
    assert code == 0, err
    found: list[dict[str, Any]] = json.loads(out)
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


async def test_what_does_not_wait_is_not_taken(up: Rig) -> None:
    case = await contested(up, "not-taken")
    code, _, err = await up.habeas("inbox", "take", str(case), "ffffff")
    assert (code, "is nothing that waits" in err) == (1, True)
