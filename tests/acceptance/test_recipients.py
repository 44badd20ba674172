"""Recipients are told by real processes: who presses the button, and who is silent."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from aiohttp import ClientSession, web

from pipeline import policy
from pipeline.app import Place
from pipeline.case.case import Case
from pipeline.crypto.trusted_keys import TrustedKey
from pipeline.response import statement
from pipeline.response.verify import key_in
from tests.rig import Rig, mails_of, plant, text_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
SEGMENT = "privacy@twilio.com"
LINK = re.compile(r"http://127\.0\.0\.1:[0-9]+/acknowledge/[0-9a-f]{32}")


@dataclass
class Told:
    """A pipeline, and what came to PayPal's webhook."""

    rig: Rig
    envelopes: list[bytes] = field(default_factory=list)

    def link(self, case: UUID) -> str:
        """The link in the last mail to Segment about a case."""
        found = mails_of(self.rig.settings.data / "instructions", case)
        text = text_of([it for it in found if it["To"] == SEGMENT][-1])
        (link,) = LINK.findall(text)
        return str(link)

    async def rows(self, case: UUID) -> dict[str, dict[str, Any]]:
        """What `habeas recipients` tells, by recipient."""
        code, out, err = await self.rig.habeas("recipients", str(case), "--json")
        assert code == 0, err
        return {it["recipient"]: it for it in json.loads(out)}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def told(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Told]:
    """PayPal has a webhook here, the others are written to; all are reminded within seconds."""
    folder, envelopes = tmp_path_factory.mktemp("told"), list[bytes]()

    async def take(request: web.Request) -> web.Response:
        envelopes.append(await request.read())
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/privacy", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    ours = _policy(folder / "policy", f"http://127.0.0.1:{runner.addresses[0][1]}/privacy")
    options = {"HABEAS_POLICY": str(ours), "HABEAS_RECIPIENT_WAIT": "3"}
    async with Rig(folder, options=options) as rig:
        rig.settings = replace(rig.settings, policy=str(ours))
        rig.run("up")
        yield Told(rig, envelopes)
    await runner.cleanup()


def _policy(folder: Path, webhook: str) -> Path:
    folder.mkdir()
    for name in policy.FILES:
        text = (Path(policy.__file__).parent / name).read_text()
        (folder / name).write_text(text.replace("dpo@paypal.com", webhook))
    return folder


async def test_the_button_counts_and_opening_the_page_does_not(told: Told) -> None:
    case = (await told.rig.settled(await _erasure(told.rig, "pressed"))).id
    link = told.link(case)
    async with ClientSession() as client:
        for _ in range(3):  # a scanner, a preview, a person
            async with client.get(link) as page:
                assert page.status == 200
        assert (await told.rows(case))["segment"]["state"] == "asked"
        async with client.post(link) as page:
            assert page.status == 200
        await told.rig.until(case, _acknowledged)
        async with client.get(link) as page:
            assert page.status == 404
    row = (await told.rows(case))["segment"]
    assert (row["state"], row["says"]) == ("acknowledged", "received")


async def test_a_webhook_has_what_we_signed(told: Told) -> None:
    case = (await told.rig.settled(await _erasure(told.rig, "hooked"))).id
    keys: list[TrustedKey] = [key_in(Place(told.rig.settings.data).public_key)]
    said = [statement.opened(it, keys).said for it in told.envelopes]
    mine = [it for it in said if it["case"] == str(case)]
    assert [(it["to"], it["asks"], it["reminder"]) for it in mine][:1] == [("paypal", "inform", 0)]
    assert LINK.fullmatch(mine[0]["acknowledge"]["url"])


async def test_who_is_silent_is_reminded_and_then_said_to_be_in_a_further_answer(
    told: Told, tmp_path: Path
) -> None:
    case = (await told.rig.settled(await _erasure(told.rig, "silent"))).id
    found = await told.rig.until(case, _given_up, patience=60)
    assert {it.state for it in found.told.values()} == {"unanswered"}
    assert found.claims["erasure"].state == "partially_fulfilled"
    assert [it.kind for it in found.responses] == ["final", "supplement"]
    notices = [it for it in told.rig.mails(case) if str(it["Subject"]).startswith("A recipient")]
    assert len(notices) == 1
    done = ("recipients", str(case), "--said", "paypal:erasure:done")
    code, _, err = await told.rig.habeas(*done)
    assert (code, "--evidence says how you know" in err) == (2, True)
    key = str(tmp_path / "uma.key")
    assert (await told.rig.habeas("keys", "console", "uma", "--out", key))[0] == 0
    who = ("--as", "uma", "--key", key)
    code, _, err = await told.rig.habeas(*done, *who, "--evidence", "their call of today")
    assert code == 0, err
    await told.rig.until(case, lambda it: it.told["paypal", "erasure"].says == "done")


async def test_what_cannot_be_recorded_is_refused_with_what_can(told: Told) -> None:
    case = (await told.rig.settled(await _erasure(told.rig, "refused"))).id
    for said in ("paypal:erasure:perhaps", "acme:erasure:done", "paypal:access:done"):
        code, _, err = await told.rig.habeas("recipients", str(case), "--said", said)
        assert code != 0
        assert "WORD" in err or "paypal:erasure" in err


async def _erasure(rig: Rig, name: str) -> str:
    return str(await rig.submit("erasure", email=plant(rig, name).email))


def _acknowledged(case: Case) -> bool:
    return case.told["segment", "erasure"].state == "acknowledged"


def _given_up(case: Case) -> bool:
    done = all(it.state == "unanswered" for it in case.told.values())
    told = bool(case.responses) and all(it.notified == "sent" for it in case.responses)
    return done and told and not case.under_way() and len(case.responses) > 1
