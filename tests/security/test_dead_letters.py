"""Somebody who can write on `rights.dead-letters`, and waits for an operator to look.

What they have: that topic, and the pipeline's public key for dead letters. What they try: to break
the list, to have a record sent again where it does harm, to have a terminal obey them.
"""

from __future__ import annotations

import json
from uuid import uuid4

import click
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from rich.table import Table

from pipeline import flow
from pipeline.cli import console
from pipeline.kafka import dead_letters, wire
from pipeline.kafka.incoming import read_to_end
from pipeline.kafka.producer import producer, send
from schemas.codec import locked
from schemas.events import IdentityOverdue, RecordRefused
from tests.rig import Rig

OBEYED = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202eevil[/][link=http://evil]here[/link]\\[red]"
SEES = "[2J]0;owned31mevil[/][link=http://evil]here[/link]\\[red]"


def letter(topic: str, offset: int = 0, *, partition: int = 0, reason: str = "x") -> RecordRefused:
    return RecordRefused(
        case=uuid4(),
        topic=topic,
        partition=partition,
        offset=offset,
        reason=reason,
        key="20990101T000000000000-00000000",
        sealed=b"sealed by nobody",
    )


async def publish(rig: Rig, topic: str, *values: bytes) -> None:
    async with producer(rig.bootstrap) as out:
        await send(out, (wire.Record(topic=topic, key=b"k", value=it) for it in values))


async def count(rig: Rig, topic: str) -> int:
    return len([it async for it in read_to_end(rig.bootstrap, topic)])


@pytest.mark.asyncio(loop_scope="module")
async def test_forged_dead_letters_are_listed_harmlessly_and_sent_nowhere(up: Rig) -> None:
    codec = locked()
    forged = [
        letter(flow.LEDGER, reason=OBEYED),
        letter(flow.REPORTS),
        letter("somebody.elses.topic"),
        letter(flow.DEAD_LETTERS),
        letter(flow.work("nobody")),
        letter(flow.RESULTS, 2**60),
        letter(flow.RESULTS, -5),
        letter(flow.RESULTS, partition=9999),
    ]
    rubbish = [b"", b"rubbish", codec.encode(IdentityOverdue(case=uuid4()))]
    await publish(up, flow.DEAD_LETTERS, *rubbish, *map(codec.encode, forged))
    await publish(up, flow.LEDGER, b"what a replay would repeat")
    topics = (flow.LEDGER, flow.REPORTS, flow.DEAD_LETTERS, flow.RESULTS)
    before = {it: await count(up, it) for it in topics}
    code, out, err = await up.habeas("dead-letters", "list")
    assert code == 0, err
    assert "skipped: 3 records that are no dead letters" in err
    assert not console._CONTROL.search(out)
    code, out, err = await up.habeas("dead-letters", "list", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert OBEYED in {it["event"]["reason"] for it in found}
    assert not console._CONTROL.search(out)
    ids = {it["event"]["topic"]: it["id"] for it in found}
    for topic in (flow.LEDGER, flow.REPORTS, "somebody.elses.topic", flow.work("nobody")):
        code, _, err = await up.habeas("dead-letters", "replay", ids[topic])
        assert code == 1
        assert "nothing is sent again there" in err
    code, _, err = await up.habeas("dead-letters", "replay", ids[flow.RESULTS])
    assert code == 1
    assert "is not on its topic any more" in err
    code, out, err = await up.habeas("dead-letters", "replay", "--all")
    assert code == 0, err
    assert "3 that are not on their topics any more, 5 of topics where nothing" in " ".join(
        out.split()
    )
    assert {it: await count(up, it) for it in topics} == before


def test_a_letter_that_we_did_not_seal_shows_no_value() -> None:
    forged = letter(flow.RESULTS)
    assert dead_letters.value_of(forged, {forged.key: X25519PrivateKey.generate()}) is None


def test_a_terminal_is_shown_text_whatever_came(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("what")
    table.add_row(OBEYED)
    console.out.print(table)
    console.out.print(f"[red]left alone[/] {OBEYED}", soft_wrap=True)
    said = capsys.readouterr().out
    assert not console._CONTROL.search(said)
    assert said.count(SEES) == 2
    assert "left alone" in said  # and its tags, which a stranger's word would have broken


def test_an_error_is_shown_as_text() -> None:
    @click.command()
    @console.command
    async def fails() -> None:
        raise click.ClickException(f"no case {OBEYED}")

    result = CliRunner().invoke(fails)
    assert result.exit_code == 1
    assert not console._CONTROL.search(result.output)


@pytest.mark.parametrize("text", ["\x9b", "\u202e", "\x7f", "\x1b"])
def test_json_is_shown_with_what_terminals_obey_escaped(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    console.show_json({"reason": text})
    said = capsys.readouterr().out
    assert not console._CONTROL.search(said)
    assert json.loads(said) == {"reason": text}
