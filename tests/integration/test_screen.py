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
from io import BufferedReader
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from sqlalchemy import delete, select
from structlog.testing import capture_logs

from connectors.sdk import wall_clock
from pipeline import app
from pipeline.cli import listed, main
from pipeline.cli.list_files import AT_ONCE
from pipeline.cli.listed import LONGEST, MARK, Columns
from pipeline.cli.screen import FOUND, UNKNOWN
from pipeline.recovery import remembered
from pipeline.register.case_keys import RECORD, destroy
from pipeline.register.engine import connect, migrate, url_of
from pipeline.register.memory import OWNER
from pipeline.register.tables import erased, keys
from pipeline.settings import Settings
from tests.fakes.deciders import CODEC, NOW, set_up
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
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00@%\ufe6b\uff20"), max_size=12)
"""Without a sign that addresses are written with."""


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
    "a name before it": (b"email,note\nBob Lee <bob@example.org>,x\n", [2]),
    "what it goes over to": (b"email,note\nbob@example.organn@example.org,x\n", [2]),
    "quotes in it": (b'email,note\n"""ann""@example.org",x\n', [2]),
    "quotes in it, in another column": (b'user_id,note\n7,"""ann""@example.org"\n', [2]),
    "half of an escape": (b'user_id,note\n7,"{""a"":""\\nann@example.org"\n', [2]),
    "no spaces around it": ("user_id,note\n7,写信给ann@example.org谢谢\n".encode(), [2]),
    "no UTF-8 in another column": (b"user_id,note\n7,zo\xeb@example.org\n", [2]),
    "very many": (b"user_id,note\n7," + b"a@b " * 10_001 + b"ann@example.org\n", [2]),
    "nobody but somebody's keeper": (b'{"keeper":"bob@example.org"}\n', [1]),
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


WRITTEN = {
    "another column": b"email,email2\nbob@example.org,ann@example.org\n",
    "beside a user id": b"user_id,work_email\n7,ann@example.org\n",
    "a name with a number": b"user_id,email_1\n7,ann@example.org\n",
    "a name, in no column of addresses": b"email,name\nbob@example.org,ann@example.org\n",
    "a user id": b"user_id\nANN@example.org\n",
    "a note": b"email,note\nbob@example.org,\"wrote: 'ann@example.org'.\"\n",
    "a link": b"user_id,link\n7,https://example.com/out?email=ann%40example.org&n=1\n",
    "a table's JSON": b'user_id,payload\n7,"{""to"":""\\u0061nn@example.org""}"\n',
    "SCIM": b'{"user_id":"7","emails":[{"value":"ann@example.org","type":"work"}]}\n',
    "SCIM alone": b'{"emails":[{"value":"ann@example.org","type":"work"}]}\n',
    "an address within": b'{"user_id":"7","email":{"address":"ann@example.org"}}\n',
    "another key": b'{"userid":"7","properties":{"contact_email":"ann@example.org"}}\n',
    "a key itself": b'{"userid":"7","subscribed":{"ann@example.org":true}}\n',
    "JSON in JSON": b'{"user_id":"7","payload":"{\\"of\\":\\"\\\\u0061nn@example.org\\"}"}\n',
    "several": b'email\n"bob@example.org, ann@example.org"\n',
    "several with a bar": b"email,note\nbob@example.org|ann@example.org,x\n",
    "several with a slash": b"email\nann@example.org/bob@example.org\n",
    "a name before it": b"email,note\nAnn Lee <ann@example.org>,x\n",
    "an apostrophe": b"email\n'ann@example.org\n",
    "a full stop": b"email\nann@example.org.\n",
    "a full stop and a space": b"email\nann@example.org. \n",
    "mailto": b"email\nmailto:ann@example.org\n",
    "full width": "email\n\uff41nn\uff20example\uff0eorg\n".encode(),
    "an ideographic full stop": "email\nann@example\u3002org\n".encode(),
    "a dash": "user_id,note\n7,Ann\u2014ann@example.org\u2014called\n".encode(),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_who_was_erased_is_found_wherever_and_however_a_list_writes_them(
    screened: Screened, how: str
) -> None:
    rows = WRITTEN[how]
    said = screened.give(rows=rows)
    assert (said.exit_code, screened.day in said.stdout) == (FOUND, True), said.stderr
    for other in (b"ann@example.net", b"joann@example.org", b"ann+1@example.org"):
        bare = rows.replace(b"ann@example.org", other)
        if bare != rows:
            assert screened.day not in screened.give(rows=bare).stdout


PLAIN = {
    "several": b'email\n"bob@example.org, bob@example.net; joe@example.org"\n',
    "an apostrophe": b"email\n'bob@example.org\n",
    "a full stop": b"email\nbob@example.org.\n",
    "full width": "email\n\uff42ob\uff20example.org\n".encode(),
    "no address": b"email,note\nbob@example.org,@SUM(1) and @bob 3 @ 5\n",
    "another's in a note": "email,note\nbob@example.org,请问 kim@example.com 吗\n".encode(),
    "a part of who was erased": b"email,note\nbob@example.org,neil@xn--bcher-kva.example\n",
    "an address in another script": "email\n用户@例子.广告\n".encode(),
    "JSON": b'user_id,payload\n7,"{""to"":[""@bob"",""bob@example.org""],""n"":1}"\n',
}


@pytest.mark.parametrize("how", PLAIN)
def test_what_is_understood_and_nobody_who_was_erased_is_clean(
    screened: Screened, how: str
) -> None:
    said = screened.give("--clean", rows=PLAIN[how])
    assert (said.exit_code, said.stdout_bytes) == (0, PLAIN[how]), said.stderr


def test_a_user_id_behind_an_apostrophe_is_looked_up_without_it() -> None:
    given = listed.rows(BufferedReader(io.BytesIO(b"user_id\n'-7\n")), Columns({}), ".csv")[0]
    (row,) = given
    assert {("user_id", "-7"), ("user_id", "'-7")} <= set(row.identifiers)


def test_a_row_with_more_addresses_than_a_database_takes_at_once_is_looked_up_whole(
    screened: Screened,
) -> None:
    many = [*(f"n{n}@example.org" for n in range(40_000)), ANN]
    said = screened.give(rows=json.dumps({"emails": many}).encode())
    assert said.exit_code == FOUND, said.stderr


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


def test_before_the_memory_was_begun_nobody_is_called_clean(tmp_path: Path) -> None:
    """As after an upgrade, until an orchestrator has started."""
    settings, case = set_up(tmp_path, ""), uuid4()
    alone = Screened(tmp_path, (case,), asyncio.run(_erase(settings, {case: ANN})))
    asyncio.run(_forget(settings))
    for option in ((), ("--clean",), ("--only",), ("--json",)):
        said = alone.give(*option, rows=b"email\nann@example.org\nbob@example.org\n")
        assert (said.exit_code, said.stdout) == (1, "")
        assert "habeas run orchestrator" in said.stderr
    asyncio.run(_begin(settings))
    said = alone.give("--json", rows=b"email\nann@example.org\nbob@example.org\n")
    assert (said.exit_code, said.stdout.count(alone.day)) == (FOUND, 1)
    assert json.loads(said.stderr)["not_remembered"] == 0


def test_of_whom_nothing_tells_any_more_how_many_they_are_is_said(tmp_path: Path) -> None:
    settings, cases = set_up(tmp_path, ""), (uuid4(), uuid4())
    people = dict(zip(cases, (ANN, ZOE), strict=True))
    both = Screened(tmp_path, cases, asyncio.run(_erase(settings, people)))
    asyncio.run(_forget(settings))
    asyncio.run(_without_its_key(settings, cases[0]))
    with capture_logs() as logs:
        asyncio.run(_begin(settings))
    assert [it["case"] for it in logs if it["event"] == "erasure.not_remembered"] == [str(cases[0])]
    (begun,) = [it for it in logs if it["event"] == "erasures.remembered"]
    assert (begun["cases"], begun["not_remembered"]) == (1, 1)
    said = both.give(rows=f"email\n{ANN}\n{ZOE}\n".encode())
    assert (said.exit_code, said.stdout.count(both.day)) == (FOUND, 1)
    assert "not known: for whom 1 of the erasures" in said.stderr
    said = both.give("--json", rows=b"email\nbob@example.org\n")
    assert json.loads(said.stderr) == {"erased": 0, "others": 1, "unknown": 0, "not_remembered": 1}


async def _forget(settings: Settings) -> None:
    """As a register is in which there was no memory yet."""
    engine = await connect(url_of(settings.register, settings.data))
    async with engine.begin() as connection:
        await connection.execute(delete(erased))
        await connection.execute(delete(keys).where(keys.c.id == OWNER))
    await engine.dispose()


async def _begin(settings: Settings) -> None:
    """What an orchestrator does as it starts."""
    engine = await connect(url_of(settings.register, settings.data))
    wrapping = app.Place(settings.data).keys.wrapping()
    known = await app.rules_of(settings, engine)
    await remembered.begin(engine, CODEC, known, wrapping, wall_clock.now())
    await engine.dispose()


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
