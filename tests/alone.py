"""A pipeline over one system, its hosts in processes of their own: how much memory they need."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.rig import Rig, Role

MB = 1024 * 1024
FLAT = 64 * MB
"""What a role may need above idle, however much it moves."""
MEASURABLE = Path("/proc/self/clear_refs").exists()
"""Whether this machine tells what a process needed at most: Linux does."""


@dataclass(frozen=True)
class Alone:
    """The pipeline, and what its hosts needed for a first, small case."""

    rig: Rig
    host: Role
    response: Role
    idle: Mapping[str, int]
    """Bytes in memory after a first, small case, by the name of a role's log."""

    def forget(self) -> None:
        """Begin anew to watch for the most memory that is used."""
        for it in (self.host, self.response):
            assert it.process is not None
            Path(f"/proc/{it.process.pid}/clear_refs").write_text("5")

    def grown(self, role: Role) -> int:
        """How far a role was above idle, at most, in bytes."""
        return _memory(role, "VmHWM") - self.idle[role.log.name]

    def above(self, role: Role) -> int:
        """How far a role is above idle now, in bytes."""
        return _memory(role, "VmRSS") - self.idle[role.log.name]


@asynccontextmanager
async def alone(
    folder: Path, system: str, first: Iterable[Mapping[str, Any]]
) -> AsyncIterator[Alone]:
    """Run everything for one system; `first` is what is held of `first@example.org`."""
    async with Rig(folder, systems=(system,)) as rig:
        rig.run("run", "orchestrator", "notice", "recipients", "reports")
        host, response = rig.run("run", "host", system), rig.run("run", "response")
        rig.sandboxes[system].seed(first)
        await rig.settled(await rig.submit("access", email="first@example.org"))
        idle = {it.log.name: _memory(it, "VmRSS") for it in (host, response)}
        yield Alone(rig, host, response, idle)


def _memory(role: Role, what: str) -> int:
    assert role.process is not None
    said = Path(f"/proc/{role.process.pid}/status").read_text()
    return int(said.partition(f"{what}:")[2].split()[0]) * 1024
