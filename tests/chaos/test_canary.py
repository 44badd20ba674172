"""A person with unmistakable data: nowhere in the clear but in what was delivered to them."""

from __future__ import annotations

import hashlib
import sqlite3
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from uuid import UUID
from zipfile import ZipFile

import pytest
import pytest_asyncio

from pipeline import app, flow
from pipeline.case.case import LIFTED, Case
from pipeline.kafka.producer import producer
from pipeline.register import reading
from schemas.events import InstructionOrdered, MeasureOrdered, MeasureTaken
from tests.rig import Rig

pytestmark = pytest.mark.asyncio(loop_scope="module")
MAIL = "Zebulon.Quixwood@canary-farm.example"
CANARY = (MAIL, "Zebulon Quixwood", "+44 7700 900973", "My parrot Wilhelmina ate the licence key")
MEASURED = ("Araminta.Holloway@canary-farm.example", "Araminta Holloway", "+44 7700 900976")
"""Somebody whose data are corrected, restricted and no longer used for marketing."""
RIGHT = "+44 7700 900983"
"""What is right instead."""
REASON = "Araminta's dispute about the wombat is settled"
"""Why the restriction ends."""
MEASURES = ("rectification", "restriction", "objection")
BYSTANDER = ("Ottoline.Vexhart@other-farm.example", "Ottoline Vexhart", "+44 7700 900974")
Store = Iterator[tuple[str, bytes]]


def forms(said: str) -> set[bytes]:
    """Every way in which it could lie about. What can be written in any case is in lower case."""
    spellings = {said, said.lower(), said.upper(), said.replace(" ", "")}
    found: set[bytes] = set()
    for it in spellings:
        raw = it.encode()
        found |= {raw.lower(), quote(it, safe="").lower().encode(), quote(it).lower().encode()}
        found |= {it.lower().encode("utf-16-le"), it.lower().encode("utf-16-be")}
        for name in ("md5", "sha1", "sha256"):
            digest = hashlib.new(name, raw).digest()
            found |= {digest, digest.hex().encode(), b64encode(digest).rstrip(b"=")}
        for offset in range(3):
            coded = b64encode(b"\0" * offset + raw + b"\0" * 2)
            start, end = -(-offset * 4 // 3), (offset + len(raw)) * 4 // 3
            found.add(coded[start + (offset > 0) : end - 1])
    return {it for it in found if it}


NEEDLES = {it for said in (*CANARY, *MEASURED, RIGHT, REASON) for it in forms(said)}


def hits(store: Store) -> list[str]:
    """Where in a store the canary is, in any form."""
    found = []
    for place, content in store:
        lower = content.lower()
        if any(it in content or it in lower for it in NEEDLES):
            found.append(place)
    return found


@dataclass
class Stores:
    """Everything that was left behind, each store by name."""

    rig: Rig
    records: list[tuple[str, bytes]]

    def every(self) -> dict[str, list[tuple[str, bytes]]]:
        data, kafka = self.rig.settings.data, self.rig.folder / "kafka"
        logs = [*self.rig.folder.glob("*.log"), *kafka.glob("*.log")]
        segments = sorted((kafka / "data").rglob("*.log"))
        return {
            "topics": self.records,
            "log segments": [(str(it), it.read_bytes()) for it in segments],
            "register and WAL": [(str(it), it.read_bytes()) for it in data.glob("register.db*")],
            "objects": files(data / "objects"),
            "logs": [(str(it), it.read_bytes()) for it in logs],
            "temporary files": files(self.rig.folder / "tmp"),
            "the rest": files(data, without=("mail", "instructions", "objects", "register.db")),
        }


def files(folder: Path, without: tuple[str, ...] = ()) -> list[tuple[str, bytes]]:
    return [
        (str(it), str(it).encode() + b"\0" + it.read_bytes())
        for it in sorted(folder.rglob("*"))
        if it.is_file() and not it.relative_to(folder).parts[0].startswith(without or ("\0",))
    ]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """A pipeline that has answered the canary and a bystander, and marked and corrected another."""
    async with Rig(tmp_path_factory.mktemp("rig")) as made:
        made.run("up")
        for mail, name, phone, *said in (CANARY, BYSTANDER, MEASURED):
            _plant(made, mail, name, phone, *said)
        for mail, name, *_ in (CANARY, BYSTANDER):
            case = await made.submit("access", "erasure", email=mail, name=name)
            await made.settled(case)
        await _measured(made)
        waits = await made.submit("access", email=MAIL, name=CANARY[1], level=0)
        await made.until(waits, lambda it: it.state == "identity_asked" and not it.under_way())
        yield made


async def _measured(rig: Rig) -> None:
    """Everything that a measure does: each right, what recipients are told of it, and its end."""
    mail, name, phone = MEASURED
    case = await rig.settled(
        await rig.submit(*MEASURES, email=mail, name=name, changes={"phone": (phone, RIGHT)})
    )
    code, _, said = await rig.habeas("decide", "lift", str(case.id), "--says", REASON)
    assert code == 0, said
    await rig.until(case.id, lambda it: _is_lifted(it) and not it.under_way())


def _is_lifted(case: Case) -> bool:
    marked = {row for (right, row), it in case.measured.items() if right == "restriction"}
    return bool(marked) and marked == {row for of, row in case.measured if of == LIFTED}


def _plant(rig: Rig, mail: str, name: str, phone: str, said: str = "Nothing.") -> None:
    freshdesk, salesforce = rig.sandboxes["freshdesk"], rig.sandboxes["salesforce"]
    (contact,) = freshdesk.seed([{"kind": "contact", "name": name, "email": mail, "phone": phone}])
    number = int(contact.partition("/")[2])
    ticket = {"kind": "ticket", "requester_id": number, "subject": said, "description_text": said}
    freshdesk.seed([ticket | {"conversations": [said]}])
    salesforce.seed([{"kind": "lead", "LastName": name, "Company": said, "Email": mail}])


async def _records(rig: Rig) -> list[tuple[str, bytes]]:
    return [
        (repr(it), b"\0".join((it.key or b"", *flat(it.headers), it.value or b"")))
        for it in await rig.records()
    ]


def flat(headers: tuple[tuple[str, bytes], ...]) -> Iterator[bytes]:
    for name, value in headers:
        yield name.encode()
        yield value


async def test_the_canary_is_nowhere_and_a_planted_control_everywhere(rig: Rig) -> None:
    stores = Stores(rig, await _records(rig)).every()
    assert not {name: found for name, it in stores.items() if (found := hits(iter(it)))}
    empty = [name for name, store in stores.items() if not store and name != "temporary files"]
    assert not empty
    await _plant_control(rig)
    stores = Stores(rig, await _records(rig)).every()
    assert not [name for name, store in stores.items() if not hits(iter(store))]


async def test_what_was_delivered_holds_them_and_nobody_else(rig: Rig, tmp_path: Path) -> None:
    async with app.register(rig.settings) as engine:
        mine = [it for it in await cases(rig) if await is_canarys(rig, it)]
        for case in mine:
            looked = await rig.look(case)
            assert looked is not None
            for it in looked.responses:
                out = tmp_path / f"{case}-{it.n}.zip"
                await app.open_response(rig.settings, engine, case, it.n, out)
    content = _unzipped(tmp_path)
    for said in CANARY:
        assert said.encode() in content
    for said in BYSTANDER:
        assert said.encode() not in content
    mails = [content for _, content in files(rig.settings.data / "mail")]
    assert any(MAIL.encode() in it for it in mails)
    assert not [it for it in mails if BYSTANDER[0].encode() in it and MAIL.encode() in it]


async def test_measures_were_ordered_taken_and_told_and_left_nothing_in_the_clear(
    rig: Rig,
) -> None:
    """That there was anything to look for, of each kind; the first test looks everywhere."""
    mine = [
        it for it in await cases(rig) if any(MEASURED[0] in str(m["To"]) for m in rig.mails(it))
    ]
    (case,) = mine
    said = [it.event for it in await rig.entries(case)]
    ordered = {(it.right, it.verb) for it in said if isinstance(it, MeasureOrdered)}
    assert ordered >= {
        ("rectification", "rectify"),
        ("restriction", "restrict"),
        ("restriction", "lift"),
        ("objection", "object_to"),
    }
    assert any(isinstance(it, MeasureTaken) for it in said)
    told = {it.right for it in said if isinstance(it, InstructionOrdered)}
    assert told >= {"rectification", "restriction"}
    freshdesk = rig.sandboxes["freshdesk"].state().values()
    assert RIGHT in {it.get("phone") for it in freshdesk}
    records = [it.value or b"" for it in await rig.records()]
    assert not hits((str(n), it) for n, it in enumerate(records))


async def test_who_is_told_reads_an_address_and_nothing_else(rig: Rig) -> None:
    told = [content for _, content in files(rig.settings.data / "instructions")]
    assert any(MAIL.lower().encode() in it.lower() for it in told)
    assert not [it for it in told if any(said.encode() in it for said in CANARY[1:])]
    assert not [it for it in told if BYSTANDER[0].encode() in it and MAIL.encode() in it]


async def _plant_control(rig: Rig) -> None:
    """Leave the canary in every store, each time in another form."""
    async with producer(rig.bootstrap) as out:
        value = b"x" + b64encode(b"ab" + MAIL.encode())
        await out.send_and_wait(flow.DEAD_LETTERS, value, key=b"control")
    with closing(sqlite3.connect(rig.settings.data / "register.db")) as database, database:
        database.execute("create table control (said text)")
        database.execute("insert into control values (?)", (MAIL.upper(),))
    for folder, said in (
        (rig.settings.data / "objects", MAIL.lower().encode("utf-16-le")),
        (rig.folder / "tmp", quote(CANARY[1]).encode()),
        (rig.settings.data / "faust", hashlib.md5(MAIL.encode()).digest()),  # noqa: S324
    ):
        (folder / "control").write_bytes(b"..." + said + b"...")
    with (rig.folder / "control.log").open("wb") as log:
        log.write(hashlib.sha256(MAIL.lower().encode()).hexdigest().upper().encode())


async def cases(rig: Rig) -> list[UUID]:
    async with app.register(rig.settings) as engine:
        return [it.id for it in await reading.cases(engine)]


async def is_canarys(rig: Rig, case: UUID) -> bool:
    return any(MAIL in str(it["To"]) for it in rig.mails(case))


def _unzipped(folder: Path) -> bytes:
    found = b""
    for path in folder.glob("*.zip"):
        with ZipFile(path) as package:
            found += b"\0".join(package.read(it) for it in package.namelist())
    return found
