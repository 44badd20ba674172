"""`habeas may-send` on a register of what people said: one address, lists, what is not known."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main
from pipeline.cli.may_send import MARK, MAY_NOT
from pipeline.register.engine import connect, migrate, url_of
from pipeline.settings import Settings
from tests.fakes.deciders import Sent, decider, preferences, set_up

ANN, BOB, KIM = "ann@example.org", "bob@example.org", "kim@example.org"
MANY = 20_000
"""Rows of a long list."""


@dataclass(frozen=True)
class Told:
    """A data folder in whose register Ann consented, Bob did and objected, and Kim bought."""

    folder: Path

    def give(self, *arguments: str, rows: bytes | None = None, stdin: str = "") -> Result:
        environ = {"HABEAS_DATA": str(self.folder), "HABEAS_SYSTEMS": "freshdesk,salesforce"}
        named: tuple[str, ...] = ()
        if rows is not None:
            (self.folder / "list").write_bytes(rows)
            named = ("--list", str(self.folder / "list"))
        return CliRunner(env=environ).invoke(main, ["may-send", *arguments, *named], input=stdin)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("told")
    asyncio.run(_say(set_up(folder, "")))
    return Told(folder)


async def _say(settings: Settings) -> None:
    engine = await connect(url_of(settings.register, settings.data))
    await migrate(engine)
    made = decider(settings, engine, Sent())
    for it in (
        await preferences(settings, "given", "offers", ANN),
        await preferences(settings, "given", "offers", BOB),
        await preferences(settings, "objected", "", BOB, level=0),
        await preferences(settings, "bought", "order", KIM, country="DE"),
    ):
        await made.take(it)
    await engine.dispose()


@pytest.mark.parametrize(
    ("purpose", "address", "reason", "code"),
    [
        ("offers", ANN, "consent", 0),
        ("offers", "ANN@Example.org", "consent", 0),
        ("offers", BOB, "refused", MAY_NOT),
        ("offers", KIM, "soft_opt_in", 0),
        ("third-party-marketing", KIM, "no_consent", MAY_NOT),
        ("offers", "nobody@example.org", "no_consent", MAY_NOT),
        ("contract", BOB, "contract_or_law", 0),
    ],
)
def test_one_address_is_answered_with_a_reason_and_a_code(
    told: Told, purpose: str, address: str, reason: str, code: int
) -> None:
    said = told.give(purpose, address, "--json")
    found = json.loads(said.stdout)
    assert (found["reason"], found["may_send"], said.exit_code) == (reason, code == 0, code)
    in_words = told.give(purpose, "-", stdin=f"{address}\n")
    assert in_words.exit_code == code
    assert in_words.stdout.startswith("yes: " if code == 0 else "no: ")
    assert address not in said.stdout + said.stderr + in_words.stdout + in_words.stderr


@pytest.mark.parametrize(
    "arguments",
    [("newsletters", ANN), ("offers", "ann"), ("offers",), ("offers", ANN, "--list", "-")],
)
def test_what_cannot_be_told_is_no_yes(told: Told, arguments: tuple[str, ...]) -> None:
    said = told.give(*arguments)
    assert said.exit_code in {1, 2}
    assert "yes" not in said.stdout


def test_a_register_in_which_nobody_said_anything_says_no(tmp_path: Path) -> None:
    settings = set_up(tmp_path, "")

    async def make() -> None:
        engine = await connect(url_of(settings.register, settings.data))
        await migrate(engine)
        await engine.dispose()

    asyncio.run(make())
    assert Told(tmp_path).give("offers", ANN).exit_code == MAY_NOT


def test_a_register_that_is_not_there_is_not_known(tmp_path: Path) -> None:
    assert Told(tmp_path / "none").give("offers", ANN).exit_code == 1


def test_every_row_is_marked_and_carried_as_it_was(told: Told) -> None:
    rows = b'email;note\r\n"ann@example.org";"=1+1"\r\nbob@example.org;x\r\n;nobody\r\n'
    said = told.give("offers", rows=rows)
    assert said.stdout_bytes == (
        f"email;note;{MARK}\r\n".encode()
        + b'"ann@example.org";"=1+1";yes\r\nbob@example.org;x;no\r\n;nobody;unknown\r\n'
    )
    assert said.exit_code == 1
    assert "may be sent it: 1, may not: 1, 1 unknown" in said.stderr
    only = told.give("offers", "--only", rows=rows)
    assert only.stdout_bytes == b'email;note\r\n"ann@example.org";"=1+1"\r\n'


def test_objects_are_marked(told: Told) -> None:
    rows = b'{"who": {"email": "ann@example.org"}}\n{"email": "bob@example.org"}\n'
    said = told.give("offers", rows=rows)
    assert [json.loads(it)[MARK] for it in said.stdout.splitlines()] == ["yes", "no"]
    assert said.exit_code == MAY_NOT


def test_nobody_may_because_another_stands_beside_them(told: Told) -> None:
    """A consent of whoever is named in a note, or in a second column, is not theirs."""
    for rows in (
        b"email,note\nnobody@example.org,ask ann@example.org\n",
        b"email,email2\nann@example.org,nobody@example.org\n",
        b"email,note\nann@example.org,not bob@example.org\n",
    ):
        assert told.give("offers", "--only", rows=rows).stdout_bytes == rows.split(b"\n")[0] + b"\n"


def test_an_address_that_cannot_be_told_is_nobodys_yes(told: Told) -> None:
    rows = b"email,note\nAnn <ann@example.org>,x\n"
    said = told.give("offers", rows=rows)
    assert said.exit_code == 1
    assert said.stdout.splitlines()[1].endswith(",unknown")


def test_a_long_list_is_answered_whole_and_soon(told: Told) -> None:
    """100,000 rows are to take seconds (measured: `pipeline/DECISIONS.md`)."""
    people = [ANN, BOB, *(f"somebody-{n}@example.org" for n in range(MANY))]
    written = io.StringIO()
    csv.writer(written).writerows([["email"], *([it] for it in people)])
    before = time.monotonic()
    said = told.give("offers", "--only", "--json", rows=written.getvalue().encode())
    assert time.monotonic() - before < 60
    assert said.stdout.splitlines() == ["email", ANN]
    figures = json.loads(said.stderr)
    assert (figures["yes"], figures["no"], figures["unknown"]) == (1, MANY + 1, 0)
    assert figures["reasons"]["no_consent"] == MANY
