"""`habeas screen` on a register of people who were erased: who is marked, and who is never passed
as clean.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import tracemalloc
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from sqlalchemy import select

from pipeline.cli import listed, main
from pipeline.cli.listed import LONGEST, MARK, Columns
from pipeline.cli.screen import AT_ONCE, FOUND, UNKNOWN
from pipeline.register.case_keys import RECORD, destroy
from pipeline.register.engine import connect, migrate, url_of
from pipeline.register.tables import keys
from pipeline.settings import Settings
from tests.fakes.deciders import NOW, set_up
from tests.fakes.years import Years

ANN, ZOE, KIM = "ann@example.org", "zoë@bücher.example", "kim.o'neil@xn--bcher-kva.example"
LITTLE = 1024 * 1024
"""Bytes."""
ERASED = (ANN, ZOE, KIM)
OTHERS = ("bob@example.org", "ann@example.net", "zoe@bücher.example", "kimoneil@bücher.example")
"""Each looks like one who was erased, and is another mailbox."""
IDN = {"bücher.example": "xn--bcher-kva.example", "xn--bcher-kva.example": "bücher.example"}


@dataclass(frozen=True)
class Screened:
    """A data folder in whose register three people were erased."""

    folder: Path
    cases: tuple[UUID, ...]
    day: str

    def give(self, *arguments: str, rows: bytes) -> Result:
        """The command, with a list of these rows whose name says nothing."""
        environ = {"HABEAS_DATA": str(self.folder), "HABEAS_SYSTEMS": "freshdesk,salesforce"}
        file = self.folder / "list"
        file.write_bytes(rows)
        return CliRunner(env=environ).invoke(main, ["screen", str(file), *arguments])


@pytest.fixture(scope="module")
def screened(tmp_path_factory: pytest.TempPathFactory) -> Screened:
    folder = tmp_path_factory.mktemp("screened")
    settings = set_up(folder, "")
    cases = tuple(uuid4() for _ in ERASED)
    day = asyncio.run(_erase(settings, dict(zip(cases, ERASED, strict=True))))
    return Screened(folder, cases, day)


async def _erase(settings: Settings, people: dict[UUID, str]) -> str:
    engine = await connect(url_of(settings.register, settings.data))
    await migrate(engine)
    years = Years(settings, engine)
    for case, email in people.items():
        years.desks["freshdesk"].put(email, "ticket", f"ticket of {case}", "profile")
        await years.ask(case, email)
    await engine.dispose()
    return f"{years.now:%Y-%m-%d}"


@st.composite
def spelt(draw: st.DrawFn, email: str) -> str:
    """An address in another spelling that means the same."""
    local, _, domain = email.rpartition("@")
    domain = IDN.get(domain, domain) if draw(st.booleans()) else domain
    whole = "".join(
        it.upper() if it.isascii() and draw(st.booleans()) else it for it in f"{local}@{domain}"
    )
    whole = unicodedata.normalize("NFD" if draw(st.booleans()) else "NFC", whole)
    pad = draw(st.sampled_from(["", " ", "\u200b"]))
    return f"{pad}{whole}{pad}"


people = st.lists(
    st.one_of(
        st.sampled_from(ERASED).flatmap(lambda it: st.tuples(spelt(it), st.just(value=True))),
        st.sampled_from(OTHERS).flatmap(lambda it: st.tuples(spelt(it), st.just(value=False))),
    ),
    max_size=30,
)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)


@hypothesis(max_examples=60, deadline=None)
@given(everybody=people, notes=st.data(), delimiter=st.sampled_from(",;\t"))
def test_of_a_table_exactly_those_who_were_erased_are_marked(
    screened: Screened, everybody: list[tuple[str, bool]], notes: st.DataObject, delimiter: str
) -> None:
    written = io.StringIO()
    table = csv.writer(written, delimiter=delimiter)
    table.writerow(["name", "E-Mail", "note"])
    rows = [
        [notes.draw(texts, label="name"), email, notes.draw(texts, label="note")]
        for email, _ in everybody
    ]
    table.writerows(rows)
    said = screened.give(rows=written.getvalue().encode())
    marked = list(csv.reader(io.StringIO(said.stdout, newline=""), delimiter=delimiter))
    assert marked[0] == ["name", "E-Mail", "note", MARK]
    assert [it[:-1] for it in marked[1:]] == rows
    days = [screened.day if was else "" for _, was in everybody]
    assert [it[-1] for it in marked[1:]] == days
    assert said.exit_code == (FOUND if any(days) else 0)


@hypothesis(max_examples=60, deadline=None)
@given(everybody=people, more=st.data())
def test_of_objects_exactly_those_who_were_erased_are_marked(
    screened: Screened, everybody: list[tuple[str, bool]], more: st.DataObject
) -> None:
    rows = [
        {"n": n, "note": more.draw(texts, label="note"), "who": {"contact": {"email": email}}}
        for n, (email, _) in enumerate(everybody)
    ]
    lines = [json.dumps(it, ensure_ascii=more.draw(st.booleans(), label="ascii")) for it in rows]
    given_ = "".join(f"{it}\n" for it in lines).encode()
    said = screened.give(rows=given_) if rows else None
    if said is None:
        return
    marked = [json.loads(it) for it in said.stdout.split("\n") if it]
    days = [screened.day if was else "" for _, was in everybody]
    assert [it.pop(MARK) for it in marked] == days
    assert marked == rows
    assert said.exit_code == (FOUND if any(days) else 0)
    clean = screened.give("--clean", rows=given_)
    others = [it for it, day in zip(lines, days, strict=True) if not day]
    assert clean.stdout_bytes == "".join(f"{it}\n" for it in others).encode()


def test_a_list_longer_than_is_looked_up_at_once_is_marked_whole(screened: Screened) -> None:
    rows = [f"somebody-{n}@example.org" for n in range(3 * AT_ONCE)]
    for at in (0, AT_ONCE - 1, AT_ONCE, 3 * AT_ONCE - 1):
        rows[at] = ANN.upper()
    said = screened.give("--only", rows="\n".join(["email", *rows]).encode())
    assert said.stdout.splitlines()[1:] == [f"{ANN.upper()},{screened.day}"] * 4
    assert f"erased: 4, of others: {3 * AT_ONCE - 4}" in said.stderr


def test_what_else_is_in_a_row_is_carried_byte_for_byte(screened: Screened, tmp_path: Path) -> None:
    """Formulas, quotes, line feeds in quotes, a mark of the order of bytes, ends of lines."""
    out = tmp_path / "marked.csv"
    rows = (
        b'\xef\xbb\xbf"email";note\r\n'
        b'"ann@example.org";"=HYPERLINK(""http://x"")\r\nand +1;-2"\r\n'
        b"bob@example.org;@SUM(1)\r\n"
        b"bob@example.org;caf\xe9\r\n"
        b"bob@example.org;last"
    )
    said = screened.give("--out", str(out), rows=rows)
    assert said.exit_code == FOUND, said.stderr
    assert said.stdout == ""
    day = screened.day.encode()
    assert out.read_bytes() == (
        b'\xef\xbb\xbf"email";note;habeas_erased\r\n'
        b'"ann@example.org";"=HYPERLINK(""http://x"")\r\nand +1;-2";' + day + b"\r\n"
        b"bob@example.org;@SUM(1);\r\n"
        b"bob@example.org;caf\xe9;\r\n"
        b"bob@example.org;last;\r\n"
    )
    assert out.stat().st_mode & 0o077 == 0
    clean = screened.give("--clean", rows=rows)
    rest = rows.split(b"\r\n", 3)[-1]
    assert clean.stdout_bytes == b'\xef\xbb\xbf"email";note\r\n' + rest + b"\r\n"


UNREADABLE = {
    "too few columns": (b"email,note\nann@example.org\nbob@example.org,x\n", [2]),
    "too many columns": (b"email,note\nbob@example.org,x\nann@example.org,x,y\n", [3]),
    "a quote that does not close": (b'email,note\nbob@example.org,x\nann@example.org,"x\n', [3]),
    "text after a quote": (b'email,note\n"bob"@example.org,x\nbob@example.org,x\n', [2]),
    "nobody": (b"email,note\n,x\nbob@example.org,x\n", [2]),
    "several in a cell": (b'email,note\n"ann@example.org, bob@example.org",x\n', [2]),
    "a name before it": (b"email,note\nAnn Lee <ann@example.org>,x\n", [2]),
    "no address": (b"email,user_id\nn/a,u-1\n", [2]),
    "no UTF-8": (b"email,note\nzo\xeb@example.org,x\n", [2]),
    "no JSON": (b'{"email":"bob@example.org"}\n{"email":"ann@example.org"\n', [2]),
    "no object": (b'{"email":"bob@example.org"}\n["ann@example.org"]\n', [2]),
    "a key that is no text": (b'{"email":"bob@example.org"}\n{"email":null}\n', [2]),
    "half of a letter": (b'{"email":"bob@example.org"}\n{"email":"a\\ud800@example.org"}\n', [2]),
    "a mark that is there": (
        b'{"email":"b@example.org"}\n{"email":"x@y.z","habeas_erased":""}\n',
        [2],
    ),
    "very deep": (b'{"email":"b@example.org"}\n{"email":' + b"[" * 100_000 + b"\n", [2]),
    "very long": (b"email,note\nann@example.org," + b"x" * LONGEST + b"\nbob@example.org,x\n", [2]),
    "very long without an end": (b'{"email":"b@example.org"}\n' + b"x" * (3 * LONGEST), [2]),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_what_cannot_be_read_is_never_clean_and_is_told_by_its_line(
    screened: Screened, what: str
) -> None:
    rows, lines = UNREADABLE[what]
    for option in ([], ["--clean"], ["--only"]):
        said = screened.give(*option, "--json", rows=rows)
        assert said.exit_code == 1
        *faults, counts = [json.loads(it) for it in said.stderr.splitlines()]
        assert [it["line"] for it in faults] == lines
        assert counts["unknown"] == len(lines)
        assert "ann@" not in said.stderr
        assert "ann@" not in said.stdout.lower() or option == []
        if option == [] and "ann@" in said.stdout:
            (row,) = [it for it in said.stdout.splitlines() if "ann@" in it]
            assert row.endswith(f",{UNKNOWN}")


def test_a_row_that_is_broken_besides_still_tells_who_was_erased(screened: Screened) -> None:
    """Of two addresses one was erased, and the other cannot be read; of a key that is there twice
    either counts.
    """
    rows = b'{"email":"n/a","user":{"email":"ANN@example.org"}}\n'
    rows += b'{"email":"ann@example.org","email":"bob@example.org"}\n'
    rows += b'{"emails":["bob@example.org","ann@example.org"], "n": 1.10 }\r\n'
    said = screened.give(rows=rows)
    assert said.exit_code == FOUND, said.stderr
    assert said.stdout.count(f'"habeas_erased":"{screened.day}"') == 3
    assert said.stdout_bytes.endswith(f'"n": 1.10,"habeas_erased":"{screened.day}"}}\r\n'.encode())


def test_a_column_of_another_name_is_named_and_one_that_is_nowhere_is_an_error(
    screened: Screened, tmp_path: Path
) -> None:
    table, objects = (
        f"kontakt,note\n{ANN},x\n".encode(),
        json.dumps({"a": {"kontakt": ANN}}).encode(),
    )
    nameless = screened.give(rows=table)
    assert nameless.exit_code == 1
    assert "--column NAME=email says which is one" in nameless.stderr
    assert "kontakt" not in nameless.stderr
    assert screened.give("--column", "kontakt=email", rows=table).exit_code == FOUND
    assert screened.give("--column", "a.kontakt=email", rows=objects).exit_code == FOUND
    for rows in (table, objects):
        out = tmp_path / "out"
        wrong = screened.give("--column", "kontakte=email", "--out", str(out), rows=rows)
        assert wrong.exit_code == 1
        assert "there is no kontakte" in wrong.stderr
        assert not out.exists()
    for wrong_kind in ("kontakt", "kontakt=phone", "=email"):
        said = screened.give("--column", wrong_kind, rows=table)
        assert said.exit_code == 2
        assert "email or user_id" in said.stderr


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (b"", "no line with the names"),
        ("email\nann@example.org\n".encode("utf-16"), "UTF-16"),
        (b"email,habeas_erased\nann@example.org,\n", "already"),
        (b'email,"note\nann@example.org,x\n', "no line with the names"),
        (b"ann@example.org\nbob@example.org\n", "none of its 1 columns"),
    ],
)
def test_a_list_that_is_none_comes_to_nothing(
    screened: Screened, tmp_path: Path, rows: bytes, says: str
) -> None:
    out = tmp_path / "out.csv"
    said = screened.give("--out", str(out), rows=rows)
    assert (said.exit_code, says in said.stderr) == (1, True), said.stderr
    assert "ann@" not in said.stderr
    assert list(tmp_path.iterdir()) == []


def test_where_nobody_was_ever_erased_nobody_is_marked(tmp_path: Path) -> None:
    settings = set_up(tmp_path, "")
    asyncio.run(_erase(settings, {}))
    empty = Screened(tmp_path, (), "")
    said = empty.give(rows=b"email\nann@example.org\n\n")
    assert (said.exit_code, said.stdout) == (0, "email,habeas_erased\nann@example.org,\n")


def test_without_a_register_it_comes_to_nothing(tmp_path: Path) -> None:
    said = Screened(tmp_path, (), "").give(rows=b"email\nann@example.org\n")
    assert said.exit_code == 1
    assert "Traceback" not in said.stderr


def test_a_case_in_which_nothing_can_be_said_any_more_is_named(tmp_path: Path) -> None:
    settings, case = set_up(tmp_path, ""), uuid4()
    alone = Screened(tmp_path, (case,), asyncio.run(_erase(settings, {case: ANN})))
    asyncio.run(_without_its_key(settings, case))
    said = alone.give("--feed", "crm", rows=b"email\nANN@example.org\n")
    assert said.exit_code == 1
    assert f"not said in case {case}" in said.stderr
    assert said.stdout == f"email,habeas_erased\nANN@example.org,{alone.day}\n"


async def _without_its_key(settings: Settings, case: UUID) -> None:
    engine = await connect(url_of(settings.register, settings.data))
    mine = (keys.c.owner == case) & (keys.c.purpose == RECORD)
    async with engine.begin() as connection:
        (key,) = (await connection.execute(select(keys.c.id).where(mine))).scalars()
        await destroy(connection, key, NOW)
    await engine.dispose()


@pytest.mark.parametrize(
    ("suffix", "row"),
    [(".csv", "some.body@example.org,note\n"), (".ndjson", '{"email":"some.body@example.org"}\n')],
)
def test_a_list_takes_no_more_room_the_longer_it_is(tmp_path: Path, suffix: str, row: str) -> None:
    file = tmp_path / f"list{suffix}"
    file.write_text(f"email,note\n{row * 100_000}" if suffix == ".csv" else row * 100_000)
    with file.open("rb") as stream:
        rows, lines = listed.rows(stream, Columns({}), suffix)
        tracemalloc.start()
        count = sum(not it.fault for it in rows)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (count, lines.read) == (100_000, file.stat().st_size)
    assert most < LITTLE < lines.read
