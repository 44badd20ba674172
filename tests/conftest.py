"""What tests of many folders share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from tests.postgres import Postgres, started
from tests.rig import Rig

pytest.register_assert_rewrite("connectors.sdk.conformance")  # a failure shows its values

LONG = {"chaos", "acceptance"}
"""Folders of files that take minutes."""

# Machines are noisy: how long an example takes is no test.
settings.register_profile(
    "habeas",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("habeas")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """A pipeline that runs in one process, for all tests of a module."""
    async with Rig(tmp_path_factory.mktemp("rig")) as rig:
        rig.run("up")
        yield rig


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL, started by the first test that wants it."""
    with started() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
async def register(request: pytest.FixtureRequest) -> str:
    """As `HABEAS_REGISTER` says it: empty is the SQLite file in the data folder."""
    if request.param == "sqlite":
        return ""
    server: Postgres = request.getfixturevalue("postgres")
    return await server.database()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take minutes begin first, so that none is left over when all others are done."""
    items.sort(key=lambda it: it.path.parent.name not in LONG)


@pytest.fixture(autouse=True)
def _no_faults_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """A fault that a test planted ends with it."""
    yield
    if "up" in request.fixturenames:
        rig: Rig = request.getfixturevalue("up")
        rig.clear_faults()
