"""Policies in the register, on both databases: a case goes on under the one it was opened under."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pytest
from sqlalchemy import update

from pipeline import app, flow, policy
from pipeline.case.rules import UnknownPolicyError
from pipeline.policy import PolicyError
from pipeline.register import policies, reading, tables
from pipeline.settings import Settings
from tests.fakes.by_hand import ByHand, by_hand

EMAIL, OTHER = "ann.lee@example.org", "bob.lee@example.org"
LAST_YEARS = "To help you, as we said last year"
WORDS = "To help you if you have questions or you need technical support"


def written(folder: Path, **words: str) -> Path:
    """The shipped policy in a folder, with other words for some."""
    folder.mkdir()
    for name in policy.FILES:
        text = (Path(policy.__file__).parent / name).read_text()
        for old, new in words.items():
            text = text.replace({"support": WORDS}[old], new)
        (folder / name).write_text(text)
    return folder


@asynccontextmanager
async def last_year(folder: Path, register: str) -> AsyncIterator[ByHand]:
    """A pipeline under a policy of before, which an orchestrator wrote down when it started."""
    was = written(folder / "was", support=LAST_YEARS)
    settings = Settings(
        data=folder / "data", systems="freshdesk", register=register, policy=str(was)
    )
    settings.data.mkdir(mode=0o700)
    async with by_hand(settings) as hand:
        for it in (EMAIL, OTHER):
            hand.sandbox.plant("contact", {"name": "Lee", "email": it})
        await keep(hand)
        yield hand


async def keep(hand: ByHand) -> None:
    """What an orchestrator does about its policy when it starts."""
    async with hand.engine.begin() as connection:
        await policies.keep(connection, app.policy_of(hand.settings), hand.now)


async def test_a_case_is_decided_and_answered_under_the_policy_it_was_opened_under(
    tmp_path: Path, register: str
) -> None:
    async with last_year(tmp_path, register) as hand:
        was = app.policy_of(hand.settings)
        case = await hand.ask(EMAIL)
        await hand.go(before=flow.work("freshdesk"))
        shutil.rmtree(tmp_path / "was")  # nobody has its files any more but the register
        hand.settings = replace(hand.settings, policy="")
        await keep(hand)
        await hand.go()
        other = await hand.ask(OTHER)
        await hand.go()
        for it, words, digest in (
            (case, LAST_YEARS, was.digest),
            (other, WORDS, policy.load().digest),
        ):
            entries = await reading.entries(hand.engine, it)
            known = reading.folded(entries, await app.rules_of(hand.settings, hand.engine))
            assert (known.state, known.policy) == ("answered", digest)
            out = tmp_path / f"{it}.zip"
            await app.open_response(hand.settings, hand.engine, it, 1, out)
            with ZipFile(out) as package:
                page = package.read("index.html").decode()
                assert digest.hex() in package.read("manifest.json").decode()
            assert words in page
        async with hand.engine.connect() as connection:
            lines = await policies.lines(connection)
        assert {it.digest for it in lines} == {was.digest, policy.load().digest}


async def test_a_policy_that_nobody_wrote_down_is_asked_for(tmp_path: Path, register: str) -> None:
    async with last_year(tmp_path, register) as hand:
        await hand.ask(EMAIL)
        await hand.go(before=flow.work("freshdesk"))
        async with hand.engine.begin() as connection:
            await connection.execute(tables.policies.delete())
        hand.settings = replace(hand.settings, policy="")
        with pytest.raises(UnknownPolicyError, match="HABEAS_EARLIER_POLICIES"):
            await hand.go()


async def test_files_that_are_given_back_serve_as_well(tmp_path: Path, register: str) -> None:
    async with last_year(tmp_path, register) as hand:
        case = await hand.ask(EMAIL)
        await hand.go(before=flow.work("freshdesk"))
        async with hand.engine.begin() as connection:
            await connection.execute(tables.policies.delete())
        hand.settings = replace(hand.settings, policy="", earlier_policies=str(tmp_path / "was"))
        await hand.go()
        assert {it.id: it.state for it in await reading.cases(hand.engine)} == {case: "answered"}


async def test_a_row_that_somebody_changed_is_not_used(tmp_path: Path, register: str) -> None:
    async with last_year(tmp_path, register) as hand:
        await keep(hand)  # once more changes nothing
        async with hand.engine.begin() as connection:
            assert len(await policies.lines(connection)) == 1
            files = [(tmp_path / "was" / it).read_text() + "#" for it in policy.FILES]
            await connection.execute(update(tables.policies).values(files=json.dumps(files)))
        with pytest.raises(PolicyError, match="is not what it was"):
            await app.rules_of(hand.settings, hand.engine)
