"""Persons of whom very much is held: nothing grows with them but what must.

Roles run alone, so that a process's memory is that role's. By hand, on two cores: 40,000 holdings
took a host to 89 MB above idle, 2 KiB a holding, as half as many do.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from typing import Any
from uuid import UUID
from zipfile import ZipFile

import pytest
import pytest_asyncio

from connectors.sdk import registry
from connectors.sdk.sandbox import Sandbox
from pipeline import flow
from pipeline.case.case import Case
from pipeline.case.portions import ROWS
from pipeline.kafka import topics
from schemas import codec
from schemas.events import HoldingsLocated, MeasureOrdered, ObligationOpened, TaskOrdered
from tests.alone import FLAT, MB, MEASURABLE, Alone, alone
from tests.rig import LOOK_EVERY, PATIENCE, Rig, Role, states

pytestmark = pytest.mark.asyncio(loop_scope="module")
needs_proc = pytest.mark.skipif(not MEASURABLE, reason="Linux tells what a process needed at most")

# Twenty thousand holdings.

PAGE, MANY = 2000, 20_000
KEPT = ROWS + 1
A_HOLDING = 3328
"""Bytes that a host may need for a holding until its search is answered: its id, also among those
that children are asked for by, and no row.
"""
STREET = "Very Long Street, " * 150
RARELY = 1.0
"""Seconds between looks: to fold such a case takes a while, and the vendor is in this process."""


@needs_proc
async def test_20_000_holdings_travel_in_parts_and_only_their_ids_take_memory(
    salesforce: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Salesforce, whose rows come whole in pages: to export them costs no call a holding."""
    monkeypatch.setattr("tests.rig.LOOK_EVERY", RARELY)
    it, rig = salesforce, salesforce.rig
    rig.sandboxes["salesforce"].seed(_contacts("many", MANY))
    it.forget()
    case = await rig.settled(await rig.submit("access", email="many@example.org"))
    exported = sum(it.size for it in case.exports)
    assert it.grown(it.host) < MANY * A_HOLDING < exported
    assert it.grown(it.response) < FLAT
    assert len(case.held) == MANY
    assert _counted(case, "access") == {"proved": 2 * MANY}
    await _travelled_in_parts(rig, case.id)
    table = rig.sandboxes["salesforce"].tables["contact"]
    theirs = {id_ for id_, row in table.items() if row["Email"].startswith("many")}
    told = [row["id"] for row in await _copied(rig, case.id, 1, "salesforce")]
    assert len(told) == MANY
    assert set(told) == theirs


async def test_more_is_kept_than_one_record_names(salesforce: Alone) -> None:
    """Each row of it is marked, which takes calls of its own, and owed once."""
    rig = salesforce.rig
    rig.sandboxes["salesforce"].seed(_contacts("kept", KEPT))
    asked = await rig.submit("erasure", email="kept@example.org")
    case = await rig.settled(asked, patience=2 * PATIENCE)
    assert _counted(case, "erasure") == {"kept": 2 * KEPT}
    assert {it.outcome.restricted for it in case.claims["erasure"].coverage} == {"restricted"}
    marked = [it.event for it in await rig.entries(case.id) if isinstance(it.event, MeasureOrdered)]
    assert len(marked) > 1
    assert Counter(row.tag for it in marked for row in it.rows) == Counter(case.held.keys())
    await _is_all_owed(rig, case)
    report = await _reported(rig, case)
    assert sum(it["count"] for it in report["obligations"]) == 2 * KEPT


@pytest_asyncio.fixture(loop_scope="module")
async def salesforce(tmp_path: Path) -> AsyncIterator[Alone]:
    """An org for one test: its sandbox looks at every row when one is asked for."""
    async with alone(tmp_path, "salesforce", _contacts("first", PAGE)) as made:
        yield made


def _contacts(who: str, count: int) -> list[dict[str, Any]]:
    email = f"{who}@example.org"
    return [
        {"kind": "contact", "LastName": f"Some {who}", "Email": email, "MailingStreet": STREET}
        for _ in range(count)
    ]


async def _travelled_in_parts(rig: Rig, case: UUID) -> None:
    """No record is too large for its topic, and the answer is whole."""
    sizes = [len(it.value or b"") for it in await rig.records()]
    made = flow.topics(rig.systems, rig.settings)
    assert max(sizes) <= codec.MAX_BYTES
    assert all(int(topics.settings_of(it)["max.message.bytes"]) > codec.MAX_BYTES for it in made)
    parts = [it.event for it in await rig.entries(case) if isinstance(it.event, HoldingsLocated)]
    assert [it.part for it in parts] == list(range(1, len(parts) + 1))
    assert {it.parts for it in parts} == {len(parts)}
    assert sum(len(it.holdings) for it in parts) == MANY
    assert max(len(it.holdings) for it in parts) == ROWS


async def _is_all_owed(rig: Rig, case: Case) -> None:
    """Every row once, in obligations of so many rows as a record holds."""
    entries = await rig.entries(case.id)
    opened = [it.event for it in entries if isinstance(it.event, ObligationOpened)]
    assert max(len(it.rows) for it in opened) == ROWS
    owed = Counter((row.tag, kept) for it in opened for row in it.rows for kept in row.erase)
    assert set(owed.values()) == {1}
    assert owed.keys() == {(it.tag, kept) for it in case.held.values() for kept in it.categories}
    assert len({it.obligation for it in opened}) == len(opened) == len(case.obligations)


# Two hundred megabytes, and hundreds of files to erase.

FILES, FILE = 50, 4 * MB
SMALL, LOCKED = 520, 20
NAME = "a-name-that-goes-on-and-on-" * 36
"""S3 allows 1,024 bytes. The names of 500 such files do not fit into one record."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def files(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Alone]:
    """S3, which holds files of any size."""
    first = _files("first", 1, "A note.")
    async with alone(tmp_path_factory.mktemp("rig"), "aws", first) as made:
        yield made


@needs_proc
async def test_an_export_of_200_mb_needs_64_mb_at_most(files: Alone) -> None:
    rig, who = files.rig, "many-files"
    # Markup grows fourfold on a page, and a control character sixfold in JSON: the worst there is.
    bodies = ["<" * FILE, "\x01" * FILE, *[("x" * 63 + "\n") * (FILE // 64)] * (FILES - 2)]
    for n, body in enumerate(bodies):
        rig.sandboxes["aws"].seed(_files(who, 1, body, under=f"{n}/"))
    files.forget()
    case = await rig.settled(await rig.submit("access", email=f"{who}@example.org"))
    grown = [files.grown(it) for it in (files.host, files.response)]
    assert max(grown) <= FLAT, grown
    assert sum(it.size for it in case.exports) > FILES * FILE
    assert states(case, "access") == {("aws", "object"): {"proved"}}
    copied: Counter[str] = Counter()
    for row in await _copied(rig, case.id, 1, "aws"):
        copied[row["id"]] += row.get("size", 0)
    assert list(copied.values()) == [FILE] * FILES


async def test_hundreds_of_files_of_long_names_are_erased_once_each(files: Alone) -> None:
    rig, who = files.rig, "much-to-erase"
    sandbox = rig.sandboxes["aws"]
    keys = sandbox.seed(_files(who, SMALL - LOCKED, "A line.", under=NAME))
    for n in range(LOCKED):
        until = f"2099-12-30T12:{n:02}:00+00:00"
        sandbox.seed(_files(who, 1, "A line.", under=f"{n}/", Mode="COMPLIANCE", RetainUntil=until))
    case = await _approved(rig, await rig.submit("erasure", email=f"{who}@example.org"))
    tasks = [it.event for it in await rig.entries(case.id) if isinstance(it.event, TaskOrdered)]
    assert len(tasks) > SMALL / ROWS
    assert max(len(it.rows) for it in tasks) <= ROWS
    assert set(Counter(row.tag for it in tasks for row in it.rows).values()) == {1}
    assert set(map(tuple, rig.effects(*keys).values())) == {("delete_version",)}
    assert _counted(case, "erasure") == {"proved": 2 * len(keys), "dated": 2 * LOCKED}
    # What goes on one day is told in one line, and owed once.
    assert len(case.claims["erasure"].coverage) == 4
    assert {f"{it.until:%Y-%m-%d %H:%M}" for it in case.obligations} == {"2099-12-31 00:00"}
    assert sum(it.count for it in case.obligations) == 2 * LOCKED
    report = await _reported(rig, case)
    assert sum(it["count"] for it in report["coverage"]) == 2 * SMALL
    await _opened(rig, case.id, 1)


def _files(
    who: str, count: int, body: str, *, under: str = "", **fields: str
) -> list[dict[str, Any]]:
    folder = f"uploads/{who}@example.org/{under}"
    about = {"kind": "object", "Bucket": "files", "Body": body, **fields}
    return [{**about, "Key": f"{folder}{n}.txt"} for n in range(count)]


async def _approved(rig: Rig, case: UUID) -> Case:
    waiting = await rig.until(case, lambda it: it.plan is not None and it.plan.state == "asked")
    assert waiting.plan is not None
    code, *said = await rig.habeas("approve", str(case), "--plan", waiting.plan.digest.hex())
    assert code == 0, said
    return await rig.settled(case)


# Hosts that are killed while they export.

SYSTEMS = registry.systems(registry.SANDBOXES)
WHO = "half-exported@example.org"
TEXTS, LONG = 3, 5 * MB
"""Two texts of this size do not fit into one part of an export."""


@dataclass(frozen=True)
class Killed:
    """What became of a case of which every system's host died in mid-export."""

    rig: Rig
    case: Case
    hosts: Mapping[str, Role]
    package: Path


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def killed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Killed]:
    async with Rig(tmp_path_factory.mktemp("rig"), systems=SYSTEMS) as rig:
        for system, sandbox in rig.sandboxes.items():
            _hold_long_texts(system, sandbox)
        rig.run("run", "orchestrator", "response", "notice", "recipients")
        hosts = {it: _host_to_die(rig, it) for it in SYSTEMS}
        case = await rig.settled(await rig.submit("access", email=WHO))
        yield Killed(rig, case, hosts, await _opened(rig, case.id, 1))


@pytest.mark.parametrize("system", SYSTEMS)
async def test_a_host_killed_in_mid_export_copies_each_record_once(
    killed: Killed, system: str
) -> None:
    assert killed.hosts[system].died == 1
    parts = {it.name for it in killed.case.exports if it.system == system}
    (order,) = {it.rsplit("-", 2)[0] for it in parts}
    objects = killed.rig.settings.data / "objects"
    written = {str(it.relative_to(objects)) for it in objects.glob(f"{order}-*")}
    assert len(parts) > 1
    assert parts < written, "what the dead host wrote is there, and in no answer"
    assert {at for at, _ in states(killed.case, "access")} == set(SYSTEMS)
    assert killed.case.claims["access"].state == "fulfilled"
    with ZipFile(killed.package) as package:
        rows = json.loads(package.read(f"data/{system}.json"))
        files = (it for it in package.namelist() if it.startswith(f"files/{system}/"))
        text = "".join([json.dumps(rows), *(package.read(it).decode() for it in files)])
    assert [text.count(_mark(system, n)) for n in range(TEXTS)] == [1] * TEXTS
    ids = Counter((row["kind"], row["id"], "file" in row) for row in rows)
    assert set(ids.values()) == {1}


def _host_to_die(rig: Rig, system: str) -> Role:
    """A system's host with a data folder of its own: it counts there how often it died."""
    keys, own = rig.settings.data / "keys", rig.folder / system
    own.mkdir(mode=0o700)
    objects = rig.settings.data / "objects"
    objects.mkdir(mode=0o700, exist_ok=True)
    copytree(keys / "hosts" / system, own / "keys" / "hosts" / system)
    copytree(keys / "letters", own / "keys" / "letters")
    return rig.run(
        *("run", "host", system),
        HABEAS_DATA=str(own),
        HABEAS_OBJECTS=str(objects),
        HABEAS_CRASH_AT="host.in-export",
    )


def _hold_long_texts(system: str, sandbox: Sandbox) -> None:
    """Records of a person, each with a long text that is in no other."""
    requester = ""
    if system == "freshdesk":
        (contact,) = sandbox.seed([{"kind": "contact", "name": "Half", "email": WHO}])
        requester = contact.partition("/")[2]
    for n in range(TEXTS):
        text = f"{_mark(system, n)} ".ljust(LONG, "x")
        by: dict[str, dict[str, Any]] = {
            "aws": {"kind": "object", "Bucket": "files", "Key": f"uploads/{WHO}/{n}", "Body": text},
            "freshdesk": {
                "kind": "ticket",
                "requester_id": requester,
                "subject": "A long one",
                "description_text": text,
                "conversations": [],
            },
            "mailgun": {
                "kind": "member",
                "list": f"list-{n}@example.com",
                "address": WHO,
                "vars": {"said": text},
            },
            "salesforce": {"kind": "contact", "Email": WHO, "MailingStreet": text},
            "stripe": {"kind": "customer", "email": WHO, "description": text},
        }
        sandbox.seed([by[system]])


def _mark(system: str, n: int) -> str:
    return f"[{system} {n}]"


# What all look at.


def _counted(case: Case, right: str) -> dict[str, int]:
    """How many rows a claim's coverage has in each state."""
    found: Counter[str] = Counter()
    for it in case.claims[right].coverage:
        found[it.state] += it.count
    return dict(found)


async def _reported(rig: Rig, case: Case) -> dict[str, Any]:
    """The DPO's last report, verified. The signature is written last."""
    report = rig.settings.data / "reports" / f"{case.id}-{case.reports}.json"
    async with asyncio.timeout(PATIENCE):
        while not report.with_suffix(".dsse.json").exists():  # noqa: ASYNC110  another process writes
            await asyncio.sleep(LOOK_EVERY)
    code, *said = await rig.habeas("verify", str(report))
    assert code == 0, said
    found: dict[str, Any] = json.loads(report.read_bytes())
    return found


async def _opened(rig: Rig, case: UUID, n: int) -> Path:
    """A response as its subject receives it, verified."""
    out = rig.folder / f"{case}-{n}.zip"
    code, *said = await rig.habeas("response", str(case), "--n", str(n), "--out", str(out))
    assert code == 0, said
    code, *said = await rig.habeas("verify", "--ledger", str(out))
    assert code == 0, said
    return out


async def _copied(rig: Rig, case: UUID, n: int, system: str) -> list[dict[str, Any]]:
    """One system's records in a response, in order."""
    with ZipFile(await _opened(rig, case, n)) as package:
        found: list[dict[str, Any]] = json.loads(package.read(f"data/{system}.json"))
    return found
