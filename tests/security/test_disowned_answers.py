"""Somebody can write to the register, or has a signing key that was ours: what is signed tells.

A real register and the real command, `habeas verify FILE --ledger`: the ledger's end is cut off,
rewritten, or set back; a report is put beside that the register does not know; a key is revoked.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import delete, select, update

from pipeline import app, flow
from pipeline.cli.check import Told, check
from pipeline.keys.signer import KeySigner
from pipeline.orchestrator.revocation import revoke_signing
from pipeline.register import store
from pipeline.register import tables as t
from pipeline.register.ledger_check import LedgerError
from pipeline.response.verify import VerifyError
from pipeline.settings import Settings
from pipeline.stages.publish_report import publish
from schemas.events import CaseReported
from tests.fakes import zips
from tests.fakes.by_hand import CODEC, ByHand, by_hand

MAIL = "somebody@example.org"
HOUR = timedelta(hours=1)


@dataclass
class Scene:
    """A case that was answered and reported on, with its files, and what an attacker does next."""

    hand: ByHand
    case: UUID
    package: Path

    @property
    def report(self) -> Path:
        """The report that was published."""
        return self.hand.place.reports / f"{self.case}-1.json"

    async def command(self, file: Path, *options: str) -> tuple[int, str]:
        """`habeas verify`: its exit code, and what it said."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pipeline.cli", "verify", str(file), *options),
            env={**os.environ, "HABEAS_DATA": str(self.hand.settings.data)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode or 0, " ".join(said.decode().split())

    async def holds(self, file: Path, *, ledger: bool = False, key: Path | None = None) -> Told:
        """What that command does, without starting one."""
        return await check(self.hand.settings, file, key, ledger=ledger)

    async def refuses(
        self, file: Path, says: str, *, ledger: bool = False, key: Path | None = None
    ) -> None:
        with pytest.raises((VerifyError, LedgerError), match=says):
            await check(self.hand.settings, file, key, ledger=ledger)

    async def numbers(self, *types: str) -> list[int]:
        """Numbers of the case's events of these types."""
        chosen = select(t.ledger.c.number).where(
            t.ledger.c.case_id == self.case, t.ledger.c.type.in_(types)
        )
        async with self.hand.engine.connect() as connection:
            return sorted((await connection.execute(chosen)).scalars())

    async def cut(self, after: int, *, head: bool) -> None:
        """Cut the ledger's end off; with the stored head set back, if the attacker thinks of it."""
        async with self.hand.engine.begin() as connection:
            await connection.execute(
                delete(t.ledger).where(t.ledger.c.case_id == self.case, t.ledger.c.number > after)
            )
            left = await store.entries(connection, self.case)
            if head:
                await connection.execute(
                    update(t.cases)
                    .where(t.cases.c.id == self.case)
                    .values(number=after, head=store.chain(left))
                )


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    settings = Settings(data=tmp_path / "data", systems="freshdesk")
    settings.data.mkdir()
    async with by_hand(settings) as hand:
        hand.sandbox.seed([{"kind": "contact", "name": "Some One", "email": MAIL}])
        case = await hand.ask(MAIL)
        await hand.go()
        package = tmp_path / "answer.zip"
        await app.open_response(settings, hand.engine, case, None, package)
        for record in hand.published:
            event = CODEC.decode(record.value) if record.topic == flow.REPORTS else None
            if isinstance(event, CaseReported):
                publish(event, hand.place.keys.signing(), hand.place.reports)
        yield Scene(hand, case, package)


async def test_it_says_each_thing_that_it_compared(scene: Scene) -> None:
    for file in (scene.package, scene.report):
        code, said = await scene.command(file, "--ledger", "--json")
        assert code == 0, said
        found = json.loads(said)
        for told in (
            "recomputes to the register's stored head",
            "the ledger head in it is that chain's after event",
            "the register has the heads that signed reports name: 1",
            "that key is not revoked",
        ):
            assert told in " ".join(found["checked"])
        assert 0 < found["ledger"]["number"] < found["ledger"]["said_by"] <= found["ledger"]["last"]
    page = scene.report.with_name(f"{scene.case}-1.html")
    page.write_bytes(page.read_bytes() + b" ")
    code, said = await scene.command(scene.package, "--ledger")
    assert code == 1
    assert f"{page.name} was changed" in said


async def test_an_end_that_was_cut_off_is_seen(scene: Scene) -> None:
    """The last events of the case are gone from the ledger; its row still has the head."""
    (*_, last) = await scene.numbers("case_reported")
    await scene.cut(last - 1, head=False)
    await scene.refuses(scene.package, "does not recompute to its stored head", ledger=True)


async def test_an_end_that_was_cut_off_with_its_head_is_seen_by_a_signed_report(
    scene: Scene,
) -> None:
    """The row was set back as well: only what was signed remembers more."""
    (*_, last) = await scene.numbers("case_reported")
    await scene.cut(last - 1, head=True)
    await scene.refuses(scene.package, "end was cut off", ledger=True)
    await scene.refuses(scene.report, "end was cut off", ledger=True)


async def test_a_cut_before_a_response_was_signed_is_seen_by_the_response(scene: Scene) -> None:
    """The attacker takes the reports away too."""
    (first, *_) = await scene.numbers("response_signed")
    for it in scene.hand.place.reports.iterdir():
        it.unlink()
    found = await scene.holds(scene.package, ledger=True)
    assert any("no signed report of this case" in it for it in found.lines)
    await scene.cut(first - 1, head=True)
    await scene.refuses(scene.package, "knows no response|is not in this register", ledger=True)


async def test_an_event_that_was_changed_is_seen(scene: Scene) -> None:
    """A later chain, recomputed from there on, is another chain."""
    async with scene.hand.engine.begin() as connection:
        chosen = (t.ledger.c.case_id == scene.case) & (t.ledger.c.number == 1)
        body = (await connection.execute(select(t.ledger.c.body).where(chosen))).scalar_one()
        changed = body[:-1] + bytes([body[-1] ^ 1])
        await connection.execute(update(t.ledger).where(chosen).values(body=changed))
    await scene.refuses(scene.package, "does not recompute to its stored head", ledger=True)
    async with scene.hand.engine.begin() as connection:
        head = store.chain(await store.entries(connection, scene.case))
        await connection.execute(
            update(t.cases).where(t.cases.c.id == scene.case).values(head=head)
        )
    await scene.refuses(scene.package, "is not in this register's ledger", ledger=True)


async def test_another_registers_answer_is_refused(scene: Scene, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "other", systems="freshdesk")
    settings.data.mkdir()
    async with by_hand(settings) as other:
        elsewhere = Scene(other, scene.case, scene.package)
        key = scene.hand.place.public_key
        await elsewhere.holds(scene.package, key=key)
        await elsewhere.refuses(scene.package, "this register has no case", ledger=True, key=key)


# Keys.


def signer_of(scene: Scene) -> KeySigner:
    """What a thief has: the private key, as it lay in the folder."""
    signing = scene.hand.place.keys.signing()
    return KeySigner(signing._private(min(signing)))


async def revoke(scene: Scene, key: str, as_of: datetime) -> None:
    await revoke_signing(scene.hand.engine, scene.hand.place.keys, key, as_of)


async def test_an_answer_of_a_turned_key_still_verifies(scene: Scene) -> None:
    before = await scene.holds(scene.package)
    scene.hand.place.keys.signing().create(datetime.now(UTC))
    assert (await scene.holds(scene.package)).found == before.found
    now = scene.hand.place.public_key  # another key's
    await scene.refuses(scene.package, "not by this key", key=now)


async def test_a_revoked_keys_answer_counts_if_the_ledger_proves_that_it_is_older(
    scene: Scene,
) -> None:
    stolen = signer_of(scene)
    await revoke(scene, stolen.key_id, datetime.now(UTC))
    for file in (scene.package, scene.report):
        await scene.refuses(file, "nothing proves that it was signed before")
        found = await scene.holds(file, ledger=True)
        assert found.found.key == stolen.key_id
        assert any("the ledger proves an earlier time" in it for it in found.lines)


async def test_what_was_signed_after_its_key_was_revoked_is_refused(scene: Scene) -> None:
    stolen = signer_of(scene)
    await revoke(scene, stolen.key_id, scene.hand.now - HOUR)
    for file in (scene.package, scene.report):
        await scene.refuses(file, "it was signed after that", ledger=True)
        await scene.refuses(file, "nothing proves that it was signed before")


async def test_a_thief_cannot_sign_for_the_time_before(scene: Scene) -> None:
    """They sign another page in the place of the one that the ledger knows, and date it back."""
    stolen = signer_of(scene)
    await revoke(scene, stolen.key_id, datetime.now(UTC))
    files = zips.read(scene.package)
    forged = zips.signed_again(files, {"index.html": b"<h1>Pay here</h1>"}, stolen)
    scene.package.write_bytes(forged)
    await scene.refuses(scene.package, "nothing proves")
    await scene.refuses(scene.package, "knows no response", ledger=True)
    key = scene.hand.place.keys.signing().folder.root / f"{stolen.key_id}.pem"
    await scene.refuses(scene.package, "nothing proves", key=key)


async def test_a_thief_cannot_replace_a_reports_page(scene: Scene) -> None:
    stolen = signer_of(scene)
    for record in scene.hand.published:
        event = CODEC.decode(record.value) if record.topic == flow.REPORTS else None
        if isinstance(event, CaseReported):
            zips.report_again(event, b"<h1>All is well</h1>", stolen, scene.hand.place.reports)
    found = await scene.holds(scene.report, ledger=True)  # nobody knows of the theft yet
    assert found.compared is not None
    assert found.compared.signed_at is None
    await revoke(scene, stolen.key_id, datetime.now(UTC))
    await scene.refuses(scene.report, "nothing proves", ledger=True)


async def test_nothing_more_is_signed_with_a_revoked_key(scene: Scene) -> None:
    stolen = signer_of(scene)
    await revoke(scene, stolen.key_id, datetime.now(UTC))
    signing = scene.hand.place.keys.signing()
    assert signing.sign(b"x").key_id != stolen.key_id
    assert not [it for it in signing.folder.root.glob("*.key") if stolen.key_id[:8] in it.name]
    await revoke(scene, stolen.key_id, datetime.now(UTC) - HOUR)  # known to be older, later
    assert len(list(signing)) == 1
