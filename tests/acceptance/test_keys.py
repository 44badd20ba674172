"""`habeas keys`, as an operator gives it, beside a pipeline that runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.app import Place
from pipeline.keys.key_folder import KeyFolder
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
        ("orchestrator", ""),
        ("signing", ""),
        *(("host", it) for it in ("freshdesk", "salesforce", "response", "notice", "recipients")),
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
    "which",
    [
        ("wrapping",),
        ("intake",),
        ("letters",),
        ("orchestrator",),
        ("signing",),
        ("host", "freshdesk"),
    ],
    ids="/".join,
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


async def test_a_revoked_signing_key_is_replaced_while_everything_runs(
    up: Rig, tmp_path: Path
) -> None:
    before = await up.settled(await up.submit("access", email=plant(up, "early").email))
    answer = ("response", str(before.id), "--out", str(tmp_path / "a.zip"))
    assert (await up.habeas(*answer))[0] == 0
    code, out, err = await up.habeas("verify", str(tmp_path / "a.zip"), "--json")
    assert code == 0, err
    key = json.loads(out)["key"]
    as_of = datetime.now(UTC).isoformat()
    revoke = ("keys", "revoke", "signing", key[:12], "--as-of", as_of, "--json")
    code, out, err = await up.habeas(*revoke)
    assert code == 0, err
    in_force = json.loads(out)["in_force"]
    code, _, err = await up.habeas("verify", str(tmp_path / "a.zip"))
    assert code == 1
    assert "nothing proves that it was signed before" in err
    code, out, err = await up.habeas("verify", str(tmp_path / "a.zip"), "--ledger")
    assert code == 0, err
    after = await up.settled(await up.submit("access", email=plant(up, "late").email))
    await up.habeas("response", str(after.id), "--out", str(tmp_path / "b.zip"))
    code, out, err = await up.habeas("verify", str(tmp_path / "b.zip"), "--ledger", "--json")
    assert code == 0, err
    assert json.loads(out)["key"] == in_force != key
    listed_now = {it["key"]: it["revoked"] for it in (await listed(up))["signing_keys"]}
    assert listed_now[key]
    assert listed_now[in_force] is None


async def test_the_response_hosts_folder_follows_what_it_signs_with(
    up: Rig, tmp_path: Path
) -> None:
    code, _, err = await up.habeas("keys", "host", "response", "--out", str(tmp_path))
    assert code == 0, err
    theirs, ours = Place(tmp_path).keys.signing(), Place(up.settings.data).keys.signing()
    assert theirs.sign(b"x") == ours.sign(b"x")
    code, _, err = await up.habeas("keys", "host", "salesforce", "--out", str(tmp_path / "other"))
    assert code == 0, err
    assert not list(Place(tmp_path / "other").keys.signing())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("revoke", "signing", "0000", "--as-of", "2026-05-04"), "no signing key begins with"),
        (("revoke", "signing", "", "--as-of", "soon"), "is no moment"),
        (("revoke", "signing", "", "--as-of", "2999-05-04"), "is still to come"),
        (("rotate", "host"), "habeas keys rotate host SYSTEM"),
        (("rotate", "wrapping", "freshdesk"), "other keys take no system"),
        (("rotate", "host", "acme"), "is HABEAS_DATA the pipeline's?"),
    ],
)
async def test_a_wrong_word_says_what_to_do(up: Rig, arguments: tuple[str, ...], says: str) -> None:
    code, _, err = await up.habeas("keys", *arguments)
    assert code != 0
    assert says in err
