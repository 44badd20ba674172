"""What tests of many folders share."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from tests.postgres import Postgres, register_of, room, started
from tests.rig import Rig
from tests.soak import SOAK

pytest.register_assert_rewrite("connectors.sdk.conformance")  # a failure shows its values

LONG = {"chaos", "acceptance"}
"""Folders of files that take minutes."""
LONGEST = {
    "test_cli.py",
    "test_five_systems.py",
    "test_keys.py",
    "test_large.py",
    "test_queue.py",
}
"""Files of theirs that take several: whoever came to one last would be alone with it."""

# Machines are noisy: how long an example takes is no test.
settings.register_profile(
    "habeas",
    deadline=None,
    max_examples=100 if SOAK else 50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("habeas")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """A pipeline that runs in one process, for all tests of a module."""
    options = {"HABEAS_FRESHDESK_SETTLES_WITHIN": "1", "HABEAS_LOOK_PAUSE": "0.2"}
    async with Rig(tmp_path_factory.mktemp("rig"), options=options) as rig:
        rig.run("up")
        yield rig


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL, started by the first test that wants it."""
    with room() as folder, started(folder) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
async def register(request: pytest.FixtureRequest) -> str:
    """As `HABEAS_REGISTER` says it: empty is the SQLite file in the data folder."""
    return await register_of(request)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take minutes begin first, so that none is left over when all others are done."""
    items.sort(key=lambda it: (it.path.parent.name not in LONG, it.path.name not in LONGEST))


@pytest.fixture(autouse=True)
def _umask_of_a_shell() -> Iterator[None]:
    """Commands that ran in this process before set their own: no test's files depend on it."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture(autouse=True)
def _no_faults_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """A fault that a test planted ends with it."""
    yield
    if "up" in request.fixturenames:
        rig: Rig = request.getfixturevalue("up")
        rig.clear_faults()
