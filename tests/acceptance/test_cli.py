"""The command line, as people use it: what works, and errors that say what to do."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zipfile import ZipFile

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pipeline import app, policy
from pipeline.cli import main
from pipeline.intake import senders, senders_file
from pipeline.intake.edge import Edge
from pipeline.kafka.producer import producer
from schemas.codec import locked
from tests.fakes.person import with_email
from tests.rig import Rig, plant

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_from_submit_to_a_verified_response(up: Rig, tmp_path: Path) -> None:
    who = plant(up, "clerk")
    code, out, err = await up.habeas(
        "submit", "--claim", "access", "--email", who.email, "--name", "Some Clerk", "--json"
    )
    assert code == 0, err
    case = json.loads(out)["case"]
    await up.settled(case)
    file = tmp_path / "answer.zip"
    code, out, err = await up.habeas("response", case[:8], "--out", str(file))
    assert code == 0, err
    assert "data/freshdesk.json" in ZipFile(file).namelist()
    code, out, err = await up.habeas("verify", str(file), "--ledger", "--json")
    assert code == 0, err
    assert json.loads(out)["case"] == case
    code, out, _ = await up.habeas("report", case, "--json")
    assert {it["system"] for it in json.loads(out)["systems"]} == {"freshdesk", "salesforce"}
    code, out, _ = await up.habeas("case", case)
    assert "holdings_located" in out
    code, out, _ = await up.habeas("cases", "--json")
    assert case in {it["id"] for it in json.loads(out)}
    report = up.settings.data / "reports" / f"{case}-1.json"
    code, out, err = await up.habeas("verify", str(report))
    assert code == 0, err


async def test_a_changed_file_is_not_verified(up: Rig, tmp_path: Path) -> None:
    case = await up.settled(await up.submit("access", email=plant(up, "forger").email))
    file = tmp_path / "answer.zip"
    await up.habeas("response", str(case.id), "--out", str(file))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    code, _, err = await up.habeas("verify", str(file))
    assert code == 1
    assert str(file) in err


async def test_a_large_plan_is_approved_by_its_digest(up: Rig) -> None:
    who = plant(up, "holder", tickets=26)
    case = await up.until(
        await up.submit("erasure", email=who.email),
        lambda it: it.plan is not None and it.plan.state == "asked" and not it.under_way(),
    )
    assert case.plan is not None
    digest = case.plan.digest.hex()
    code, _, err = await up.habeas("approve", str(case.id), "--plan", "0" * 64)
    assert code == 1
    assert digest in err
    assert not any(up.effects(*who.keys).values())
    code, _, err = await up.habeas("approve", str(case.id)[:8], "--plan", digest[:12])
    assert code == 0, err
    case = await up.settled(case.id)
    assert case.claims["erasure"].state == "partially_fulfilled"  # Salesforce's bin
    assert who.contact not in up.sandboxes["freshdesk"].state()
    code, _, err = await up.habeas("approve", str(case.id), "--plan", digest)
    assert code == 1
    assert "no plan of this case waits" in err


async def test_nobody_vouched_for_calls_no_vendor(up: Rig) -> None:
    who = plant(up, "stranger")
    await up.settled(await up.submit("access", email=plant(up, "known").email))
    before = {name: it.calls.copy() for name, it in up.sandboxes.items()}
    case = await up.until(
        await up.submit("access", "erasure", email=who.email, level=0),
        lambda it: it.state == "identity_asked" and not it.under_way(),
    )
    assert {name: it.calls for name, it in up.sandboxes.items()} == before
    assert len(up.mails(case.id)) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("case", "zzz"), "not a case id"),
        (("case", "00000000"), "`habeas cases` lists them"),
        (("submit", "--claim", "access"), "--email"),
        (("submit", "--claim", "everything", "--email", "a@example.org"), "access"),
        (("run", "host"), "habeas run host SYSTEM"),
        (("run", "host", "acme"), "freshdesk, salesforce"),
        (("verify", "/nowhere.zip"), "does not exist"),
        (("dead-letters", "show", "9-9"), "habeas dead-letters list"),
        (("dead-letters", "replay"), "habeas dead-letters list"),
        (("dead-letters", "replay", "9-9"), "no dead letter 9-9"),
        (("keys", "host", "acme", "--out", "x"), "no keys for 'acme'"),
        (("connector", "check", "acme"), "acme is not in habeas.connectors"),
    ],
)
async def test_an_error_says_what_to_do(up: Rig, arguments: tuple[str, ...], says: str) -> None:
    code, out, err = await up.habeas(*arguments)
    assert code != 0
    assert says in out + err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", main.commands)
async def test_help_teaches_every_command(command: str) -> None:
    shown = CliRunner().invoke(main, [command, "--help"])
    assert shown.exit_code == 0
    assert len(shown.output.splitlines()) > 5


async def test_without_anything_set_up_it_says_how_to_begin(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.environ = {"HABEAS_DATA": str(tmp_path / "data")}
    code, _, err = await rig.habeas("submit", "--claim", "access", "--email", "a@example.org")
    assert code == 1
    assert "habeas up" in err or "start the pipeline once" in err
    for command in (("cases",), ("keys", "list"), ("hold", "list"), ("report", "00000000")):
        code, _, err = await rig.habeas(*command)
        assert code == 1
        assert err.startswith(f"Error: no register is in {tmp_path / 'data'}, which is not there")
        nobody = "postgresql://127.0.0.1:1/habeas"
        code, _, err = await rig.habeas(*command, HABEAS_REGISTER=nobody)
        assert code == 1
        assert err.startswith("Error: the register does not answer (ConnectionRefusedError)")
    code, _, err = await rig.habeas("up")
    assert code == 1
    assert "HABEAS_AWS_REGION is not set" in err
    code, _, err = await rig.habeas("cases", HABEAS_SWEEP="soon")
    assert code == 1
    assert "HABEAS_SWEEP is not a number" in err
    code, _, err = await rig.habeas("up", HABEAS_SYSTEMS="freshdesc")
    assert code == 1
    assert "freshdesc is not in habeas.connectors; installed: aws" in err
    for register in ("mysql://a:secret@b/c", "postgres", "postgresql://a:b@c:secret@b/d"):
        code, _, err = await rig.habeas("cases", HABEAS_REGISTER=register)
        assert code == 1
        assert err.startswith("Error: HABEAS_REGISTER is not the URL of a register, such as")
        assert "secret" not in err
    limits = tmp_path / "brake.toml"
    limits.write_text("[systems.freshdesc]\nerasures_per_hour = 6\n")
    sandbox = {"HABEAS_SYSTEMS": "freshdesk", "HABEAS_BRAKE": str(limits)}
    code, _, err = await rig.habeas("up", **sandbox)
    assert code == 1
    assert f"{limits}: no system 'freshdesc'; there are aws, freshdesk" in err


async def test_credentials_are_tried_before_anybody_asks(up: Rig) -> None:
    code, out, _ = await up.habeas("connector", "check")
    assert (code, out) == (0, "freshdesk: ok\nsalesforce: ok\n")
    code, out, _ = await up.habeas(
        *("connector", "check", "freshdesk", "--json"),
        **up.sandboxes["freshdesk"].environ(restricted=True),
    )
    assert code == 1
    assert json.loads(out)["freshdesk"].startswith("forbidden (GET /api/v2/")


async def test_a_system_that_the_policy_does_not_know_is_not_started_with(
    up: Rig, tmp_path: Path
) -> None:
    """Nothing of it would be copied, and nothing kept, without a word."""
    shipped = Path(policy.__file__).parent
    law, ours = (shipped / it for it in reversed(policy.FILES))
    (tmp_path / law.name).write_text(law.read_text())
    text = ours.read_text()
    row = 'system = "salesforce"\nkind = "lead"\n'
    assert row in text
    changed = text.replace(row, 'system = "salesforce"\nkind = "leed"\n')
    (tmp_path / ours.name).write_text(changed)
    code, _, err = await up.habeas("up", HABEAS_POLICY=str(tmp_path))
    assert code == 1
    assert "salesforce: the policy has no [[data]] row for lead (contact, identity" in err
    code, out, _ = await up.habeas("connector", "list", "--json", HABEAS_POLICY=str(tmp_path))
    assert code == 0
    unmapped = {it["system"]: it["unmapped"] for it in json.loads(out)}
    assert unmapped.pop("salesforce")
    assert {it["system"] for it in json.loads(out) if not it["lists_people"]} == {"habeas"}
    assert not any(unmapped.values())


@pytest.mark.parametrize(
    "command", [("up",), ("run", "host", "stripe"), ("connector", "check", "stripe")]
)
@pytest.mark.parametrize(
    ("key", "url", "says"),
    [
        ("sk_live_0123", "http://127.0.0.1:1", "HABEAS_STRIPE_API_KEY is live, and HABEAS_STRIPE_"),
        ("rk_test_0123", "https://api.stripe.com", "HABEAS_STRIPE_API_KEY is for tests, and"),
    ],
    ids=["live", "test"],
)
async def test_a_credential_beside_the_wrong_address_refuses_to_start(
    up: Rig, command: tuple[str, ...], key: str, url: str, says: str
) -> None:
    code, out, err = await up.habeas(
        *command,
        HABEAS_SYSTEMS="stripe",
        HABEAS_STRIPE_API_KEY=key,
        HABEAS_STRIPE_URL=url,
    )
    assert code == 1
    assert says in out + err
    assert key not in out + err
    assert "Traceback" not in err


async def test_a_hold_needs_a_reason_a_system_and_a_person(up: Rig, tmp_path: Path) -> None:
    for arguments, says in (
        (("hold",), "--reason"),
        (("hold", "acme", "--reason", "x"), "there are freshdesk, salesforce and `all`"),
        (("hold", "lift", "freshdesk"), "no hold on freshdesk: `habeas hold list` shows all"),
        (("hold", "lift", "all", "--as", "ann"), "--key names the file with ann's signing key"),
        (("keys", "console", "dpo", "--out", str(tmp_path / "key")), "there is a console dpo"),
        (("keys", "console", "a b", "--out", str(tmp_path / "key")), "letters, digits"),
    ):
        code, out, err = await up.habeas(*arguments)
        assert code != 0, arguments
        assert says in out + err
        assert "Traceback" not in err
    empty = {"HABEAS_DATA": str(tmp_path)}
    code, out, err = await up.habeas("hold", "--reason", "x", **empty)
    assert code == 1
    assert "habeas run orchestrator" in err
    code, out, err = await up.habeas("hold", "list")
    assert (code, out) == (0, "nothing is held\n")
    code, _, err = await up.habeas("up", HABEAS_MODE="safe")
    assert code == 1
    assert "HABEAS_MODE is 'safe': it is `observe` or `act`" in err


async def test_a_sender_is_listed_and_revoked_while_the_pipeline_runs(
    up: Rig, tmp_path: Path
) -> None:
    """An intake of its own: what arrives from then on is a dead letter, without a restart."""
    place = app.Place(up.settings.data)
    signer = place.keys.signer("intake-kiosk")
    senders_file.register(place.intakes, "intakes", "kiosk", signer.public_key(), level=2)
    key = ("--out", str(tmp_path / "key"))
    code, _, err = await up.habeas("keys", "console", "eve", "--role", "auditor", *key)
    assert code == 0, err
    lines = {(it["kind"], it["name"]): it for it in await _senders(up)}
    assert lines["console", "eve"]["may"] == ["auditor"]
    assert lines["console", "dpo"]["may"] == ["dpo"]
    assert lines["intake", "kiosk"]["key"] == signer.public_key().public_bytes_raw().hex()
    assert {it["state"] for it in lines.values()} == {"in force"}
    before = len(await _letters(up, 0))
    await up.until(await _asked_at(up, "kiosk"), lambda case: case.number)
    for as_of in ("2026-11-01T00:00:00Z", "2126-11-01"):  # later is no mercy
        code, out, err = await up.habeas("keys", "revoke-sender", "kiosk", "--as-of", as_of)
        assert (code, out) == (0, "intake kiosk is revoked as of 2026-11-01T00:00:00Z\n"), err
    case = await _asked_at(up, "kiosk")
    letters = await _letters(up, before + 1)
    (reason,) = {it["event"]["reason"] for it in letters if it["event"]["case"] == str(case)}
    assert "sender_revoked (claims to be from " in reason
    lines = {(it["kind"], it["name"]): it for it in await _senders(up)}
    assert lines["intake", "kiosk"]["state"] == "revoked"
    code, out, err = await up.habeas("keys", "senders")
    assert (code, "2026-11-01 00:00" in out) == (0, True), err


async def test_only_a_sender_that_there_is_and_that_is_one_is_revoked(
    up: Rig, tmp_path: Path
) -> None:
    intakes = app.Place(tmp_path).intakes
    public = Ed25519PrivateKey.generate().public_key()
    for section in ("intakes", "consoles"):
        senders_file.register(intakes, section, "both", public)
    before = intakes.read_text()
    for arguments, says in (
        (("nobody",), "no sender nobody: `habeas keys senders` lists all"),
        (("both",), "both is an intake and a console: say which with --kind"),
        (("both", "--kind", "console", "--as-of", "soon"), "does not match the formats"),
    ):
        code, out, err = await up.habeas(
            "keys", "revoke-sender", *arguments, HABEAS_DATA=str(tmp_path)
        )
        assert code != 0
        assert says in out + err
        assert "Traceback" not in err
    assert intakes.read_text() == before
    code, out, err = await up.habeas(
        *("keys", "revoke-sender", "both", "--kind", "console", "--json"), HABEAS_DATA=str(tmp_path)
    )
    assert (code, json.loads(out)["kind"]) == (0, "console"), err
    now = datetime.now(UTC)
    known = senders.load(intakes)
    assert known.consoles["both"].keys[0].is_revoked(now)
    assert not known.intakes["both"].keys[0].is_revoked(now)


async def _senders(rig: Rig) -> list[Any]:
    code, out, err = await rig.habeas("keys", "senders", "--json")
    assert code == 0, err
    found: list[Any] = json.loads(out)
    return found


async def _asked_at(rig: Rig, intake: str) -> UUID:
    """Somebody asks there."""
    files, case = app.Place(rig.settings.data).keys, uuid4()
    async with producer(rig.bootstrap) as out:
        edge = Edge(name=intake, files=files, codec=locked(), producer=out)
        person, now = with_email(f"{case}@example.org"), datetime.now(UTC)
        await edge.request(case, ("access",), person, level=2, received_at=now)
    return case


async def test_what_was_refused_is_sent_again_once_the_cause_is_mended(tmp_path: Path) -> None:
    """An intake that nobody had registered: its request waits among the dead letters."""
    async with Rig(tmp_path) as rig:
        rig.run("up")
        known = await rig.settled(await rig.submit("access", email=plant(rig, "known").email))
        code, out_, err = await rig.habeas("dead-letters", "replay", "--all")
        assert (code, out_) == (0, "no dead letters\n"), err
        files = app.Place(rig.settings.data).keys
        who = plant(rig, "by-the-portal")
        person = with_email(who.email)
        case = uuid4()
        async with producer(rig.bootstrap) as out:
            portal = Edge(name="portal", files=files, codec=locked(), producer=out)
            now = datetime.now(UTC)
            await portal.request(case, ("access",), person, level=2, received_at=now)
        letters = await _letters(rig, 1)
        assert letters[0]["event"]["case"] == str(case)
        code, out_, err = await rig.habeas("dead-letters", "replay", "--all")
        assert code == 0, (out_, err)
        assert len(await _letters(rig, 2)) == 2  # nothing was mended: refused again
        signer = files.signer("intake-portal")
        place = app.Place(rig.settings.data).intakes
        senders_file.register(place, "intakes", "portal", signer.public_key(), level=2)
        code, out_, err = await rig.habeas("dead-letters", "replay", letters[0]["id"])
        assert (code, out_) == (0, f"sent again: {letters[0]['id']} on rights.requests\n"), err
        settled = await rig.settled(case)
        assert settled.claims["access"].state == "fulfilled"
        before = len(await rig.entries(case))
        await rig.habeas("dead-letters", "replay", "--all")  # it is known by now
        assert await rig.look(known.id) == known
        assert len(await rig.entries(case)) == before


async def _letters(rig: Rig, count: int) -> list[Any]:
    """The dead letters, once there are so many."""
    found: list[Any] = []
    for _ in range(100):
        _, out, _ = await rig.habeas("dead-letters", "list", "--json")
        found = json.loads(out)
        if len(found) >= count:
            return found
    raise AssertionError(found)
