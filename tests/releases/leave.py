"""Leave cases open with a release, for the next one to take over: run it in a checkout of that.

`python tests/releases/leave.py OUT.tar.gz`, with this file copied into the checkout. OUT gets its
data folder and, as `topics.json`, every record and commit of its Kafka. All periods are so long
that it can be taken over at any time.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import tarfile
from base64 import b64encode
from contextlib import closing
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from connectors.sdk.sandbox import Fault
from pipeline import flow
from pipeline.kafka import positions
from tests.rig import Rig, Role, plant

YEARS = str(20 * 365 * 86400)
OPTIONS = {
    "HABEAS_PARTITIONS": "2",
    "HABEAS_WEB_URL": "https://privacy.example.org",
    **dict.fromkeys(
        (
            "HABEAS_APPROVAL_LASTS",
            "HABEAS_HOST_KEY_PERIOD",
            "HABEAS_IDENTITY_WAIT",
            "HABEAS_PACKAGE_KEY_LIVES",
            "HABEAS_PUBLIC_KEY_PERIOD",
            "HABEAS_RECORD_KEY_LIVES",
            "HABEAS_SEARCH_BUDGET",
            "HABEAS_SIGNING_KEY_PERIOD",
            "HABEAS_WRAPPING_KEY_PERIOD",
        ),
        YEARS,
    ),
}
"""Settings of who leaves the cases, and of who takes them over."""
NAMES = ("settled", "asked", "stuck", "searched", "answered", "unread")
"""Whom the cases are about, by what had become of them: both releases plant them in this order.

An address was to be proved; a vendor failed to erase; searches were ordered and nobody had read
them; an answer was there and nobody had read it; nobody had read the request.
"""
BOTH = ("access", "erasure")
KEPT = ("intakes.toml", "keys", "objects", "register.db", "reports")


async def leave(rig: Rig) -> dict[str, str]:
    """Bring the cases to where they are left; their ids."""
    people = {it: plant(rig, it, tickets=1) for it in NAMES}
    cases = {}
    orchestrator = rig.run("run", "orchestrator")
    rig.run("run", "response", "notice", "reports")
    salesforce = rig.run("run", "host", "salesforce")
    freshdesk = rig.run("run", "host", "freshdesk")
    cases["settled"] = await rig.submit(*BOTH, email=people["settled"].email)
    await rig.settled(cases["settled"])
    cases["asked"] = await rig.submit("access", email=people["asked"].email, level=0)
    await rig.until(cases["asked"], lambda it: it.state == "identity_asked" and not it.under_way())
    route = f"/contacts/{people['stuck'].contact.partition('/')[2]}"
    rig.sandboxes["freshdesk"].faults.append(
        Fault(method="DELETE", route=route, status=503, times=None)
    )
    cases["stuck"] = await rig.submit(*BOTH, email=people["stuck"].email)
    await rig.until(cases["stuck"], lambda it: it.under_way("task"))
    stopped(rig, freshdesk)
    cases["answered"] = await rig.submit(*BOTH, email=people["answered"].email)
    await rig.until(cases["answered"], lambda it: it.systems["salesforce"].status == "located")
    stopped(rig, salesforce)
    cases["searched"] = await rig.submit(*BOTH, email=people["searched"].email)
    await rig.until(cases["searched"], lambda it: len(it.under_way("search")) == len(rig.systems))
    stopped(rig, orchestrator)
    cases["unread"] = await rig.submit(*BOTH, email=people["unread"].email)
    before = await results(rig)
    rig.run("run", "host", "freshdesk")
    while await results(rig) < before + 2:  # noqa: ASYNC110  another process makes it so
        await asyncio.sleep(0.5)
    for it in list(rig.roles):
        stopped(rig, it)
    return {name: str(case) for name, case in cases.items()}


async def results(rig: Rig) -> int:
    return sum(1 for it in await rig.records() if it.topic == flow.RESULTS)


def stopped(rig: Rig, role: Role) -> None:
    role.stop()
    rig.roles.remove(role)


async def topics(rig: Rig) -> dict[str, Any]:
    """Every record, and how far every group of consumers has come."""
    hosts = map(flow.host, (*rig.systems, flow.RESPONSE, flow.NOTICE))
    systems = (flow.ORCHESTRATOR, flow.REPORTER, *hosts)
    groups = {it: await positions.committed(rig.bootstrap, it) for it in map(flow.group, systems)}
    records = sorted(await rig.records(), key=lambda it: (it.topic, it.partition, it.offset))
    return {
        "records": [
            {
                "topic": it.topic,
                "partition": it.partition,
                "offset": it.offset,
                "key": text(it.key),
                "value": text(it.value),
                "headers": [[name, text(value)] for name, value in it.headers],
            }
            for it in records
        ],
        "groups": {
            name: [[*place, at] for place, at in sorted(found.items())]
            for name, found in groups.items()
        },
    }


def text(raw: bytes | None) -> str | None:
    return None if raw is None else b64encode(raw).decode()


async def main(out: Path) -> None:
    folder = Path(mkdtemp())
    async with Rig(folder, options=OPTIONS) as rig:
        cases = await leave(rig)
        told = {**await topics(rig), "cases": cases}
    data = folder / "data"
    with closing(sqlite3.connect(data / "register.db")) as register:
        register.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        register.execute("PRAGMA journal_mode=DELETE")
    (data / "topics.json").write_text(json.dumps(told, indent=1))
    with tarfile.open(out, "w:gz") as archive:
        for it in (*KEPT, "topics.json"):
            archive.add(data / it, it, filter=nobodys)


def nobodys(found: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without the name of who made it."""
    found.uid = found.gid = 0
    found.uname = found.gname = ""
    return found


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
