"""Several host processes of one made-up system, and orders for them that no decider issued."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from connectors.sdk.interface import Identifier
from pipeline import flow
from pipeline.app import Place
from pipeline.kafka.producer import producer, send
from pipeline.keys.key_folder import KeyFolder
from schemas.codec import locked
from schemas.events import HoldingsLocated, OrderDeferred
from tests.fakes.acme import HERE, AcmeSandbox
from tests.fakes.orders import CaseOf, framed
from tests.rig import Rig, Role

PARTITIONS = 12


@dataclass
class Crew:
    """Hosts of `system` on a rig."""

    rig: Rig
    system: str
    hosts: list[Role] = field(default_factory=list)
    ordered: dict[str, UUID] = field(default_factory=dict)
    """Whom the orders are about, and their ids."""

    @property
    def vendor(self) -> AcmeSandbox:
        made = self.rig.sandboxes[self.system]
        assert isinstance(made, AcmeSandbox)
        return made

    def join(self) -> Role:
        """One more host."""
        self.hosts.append(self.rig.run("run", "host", self.system))
        return self.hosts[-1]

    async def has_shared_out(self, *hosts: Role) -> None:
        """Wait until these hosts, and no others, have all partitions among them."""
        await self.rig.wait_for(
            lambda: (
                sum(partitions(it) for it in hosts) == PARTITIONS
                and all(partitions(it) for it in hosts)
            )
        )

    async def order(self, *people: str) -> None:
        """Order a search for each."""
        keys = KeyFolder(Place(self.rig.settings.data).keys.hosts(self.system))
        named = keys.current(datetime.now(UTC))
        records = []
        for it in people:
            case = CaseOf(system=self.system, who=(Identifier("email", it),))
            search = case.search()
            self.ordered[it] = search.order
            records.append(framed(case, search, named, keys[named]))
        async with producer(self.rig.bootstrap) as out:
            await send(out, records)

    async def answered(self) -> set[str]:
        """Who was looked for, by the answers; an order that was put off has none."""
        told = {}
        for it in await self.rig.records():
            event = locked().decode(it.value or b"") if it.topic == flow.RESULTS else None
            assert not isinstance(event, OrderDeferred), event.reason
            if isinstance(event, HoldingsLocated):
                told[event.order] = event
        return {who for who, order in self.ordered.items() if order in told}


def partitions(host: Role) -> int:
    """How many a host has now."""
    return host.assigned()[-1][1] if host.assigned() else 0


@asynccontextmanager
async def crew(folder: Path, system: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Crew]:
    """A broker, the vendor, and nobody at work yet."""
    monkeypatch.syspath_prepend(str(HERE))
    options = {
        "HABEAS_PARTITIONS": str(PARTITIONS),
        "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])]),
    }
    async with Rig(folder, systems=(system,), options=options) as rig:
        yield Crew(rig, system)
