"""`habeas keys`, as an operator gives it, beside a pipeline that runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters.key_folder import KeyFolder
from pipeline.app import Place
from tests.rig import Rig, plant, states

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def listed(up: Rig) -> dict[str, Any]:
    code, out, err = await up.habeas("keys", "list", "--json")
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


async def test_the_list_tells_what_dies_when_and_no_key(up: Rig) -> None:
    case = await up.settled(await up.submit("access", email=plant(up, "lister").email))
    found = await listed(up)
    assert {(it["purpose"], it["system"]) for it in found["keys"]} == {
        ("wrapping", ""),
        ("intake", ""),
        ("letters", ""),
        *(("host", it) for it in ("freshdesk", "salesforce", "response", "notice")),
    }
    assert all(it["since"] < it["until"] < it["gone_by"] for it in found["keys"])
    assert {it["purpose"] for it in found["case_keys"] if it["owner"] == str(case.id)} == {
        "record",
        "package",
    }
    code, table, _ = await up.habeas("keys", "list")
    assert code == 0
    for path in Place(up.settings.data).keys.root.rglob("*.key"):
        assert path.read_text().strip() not in json.dumps(found) + table


@pytest.mark.parametrize(
    "which", [("wrapping",), ("intake",), ("letters",), ("host", "freshdesk")], ids="/".join
)
async def test_a_key_turned_by_hand_is_in_force_at_once(up: Rig, which: tuple[str, ...]) -> None:
    before = await up.settled(await up.submit("access", email=plant(up, f"b-{which[0]}").email))
    code, out, err = await up.habeas("keys", "rotate", *which, "--json")
    assert code == 0, err
    turned = json.loads(out)["key"]
    after = await up.settled(await up.submit("access", email=plant(up, f"a-{which[0]}").email))
    assert states(after, "access")["freshdesk", "contact"] == {"proved"}
    found = await listed(up)
    (in_force,) = [
        it["key"]
        for it in found["keys"]
        if it["state"] == "in force" and (it["purpose"], it["system"]) == (*which, "")[:2]
    ]
    assert in_force == turned
    for case in (before, after):
        code, _, err = await up.habeas("response", str(case.id), "--out", str(up.folder / "r.zip"))
        assert code == 0, err


async def test_the_folder_of_a_lone_host_follows(up: Rig, tmp_path: Path) -> None:
    theirs = KeyFolder(Place(tmp_path).keys.hosts("salesforce"))
    ours = KeyFolder(Place(up.settings.data).keys.hosts("salesforce"))
    export = ("keys", "host", "salesforce", "--out", str(tmp_path))
    assert (await up.habeas(*export))[0] == 0
    assert dict(theirs) == dict(ours)
    await up.habeas("keys", "rotate", "host", "salesforce")
    ours.destroy(min(ours))
    _, out, err = await up.habeas(*export)
    assert "1 new, 1 destroyed" in out, err
    assert dict(theirs) == dict(ours)
    letters = Place(tmp_path).keys.letters()
    assert letters.published() == Place(up.settings.data).keys.letters().published()
    assert not list(letters)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("rotate", "host"), "habeas keys rotate host SYSTEM"),
        (("rotate", "wrapping", "freshdesk"), "other keys take no system"),
        (("rotate", "host", "acme"), "is HABEAS_DATA the pipeline's?"),
    ],
)
async def test_a_wrong_word_says_what_to_do(up: Rig, arguments: tuple[str, ...], says: str) -> None:
    code, _, err = await up.habeas("keys", *arguments)
    assert code != 0
    assert says in err
