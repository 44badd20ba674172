"""What endures is tested on PostgreSQL, and in the long form (`make soak`) on SQLite as well.

Most tests of chaos have the default, which is SQLite: these ask for both.
"""

from __future__ import annotations

import pytest

from tests.postgres import register_of
from tests.soak import SOAK


@pytest.fixture(params=["postgresql", "sqlite"][: 2 if SOAK else 1])
async def register(request: pytest.FixtureRequest) -> str:
    """As `HABEAS_REGISTER` says it: empty is the SQLite file in the data folder."""
    return await register_of(request)
